"""Runs one export: reads, writes and counts the rows in one pass, with only a few in memory."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from replicator import atomic_file
from replicator.errors import ConfigurationError
from replicator.export import delimited, question
from replicator.store import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from typing import BinaryIO

    from replicator.atomic_file import Sink
    from replicator.export.question import Asked
    from replicator.store.catalogue import Choice
    from replicator.store.database import Database

CHUNK_CHARACTERS = 2**18
PROGRESS_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Target:
    """Where the export is written, and how. `output` is a path, or - for standard output."""

    output: str
    format: str
    may_replace: bool = False

    @property
    def is_file(self) -> bool:
        return self.output != question.STDOUT


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. The export holds everything committed before `snapshot_at`, and nothing committed later."""

    view: str
    format: str
    file: str | None
    rows: int
    bytes: int
    sha256: str | None
    snapshot_at: datetime
    seconds: float
    columns: tuple[str, ...]
    numbers_as_text: int = 0
    """Numbers with more digits than Excel keeps, which a workbook has as text."""

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 3)}


def check(target: Target, *, is_terminal: bool) -> None:
    """Raise ConfigurationError where the target is not possible, before the database is asked."""
    if target.format == question.PARQUET:
        from replicator.export import parquet  # noqa: PLC0415 - as below

        parquet.require()
    if target.format in {question.PARQUET, question.XLSX} and not target.is_file and is_terminal:
        raise ConfigurationError(
            f"{'Parquet' if target.format == question.PARQUET else 'a workbook'} is not for a terminal",
            advice="name a file with --output, or pipe standard output into one",
        )
    if target.is_file:
        atomic_file.check(Path(target.output), may_replace=target.may_replace)


def export(
    database: Database,
    asked: Asked,
    target: Target,
    *,
    on_choice: Callable[[Choice], None] = lambda _choice: None,
    on_progress: Callable[[int, int], None] = lambda _rows, _bytes: None,
) -> Exported:
    """Write the rows that are asked for, from one snapshot. `on_progress` gets the rows and bytes so far."""
    started = time.monotonic()
    with database.transaction() as tx:
        snapshot_at = catalogue.begin(tx)
        there = catalogue.offer(tx, database.place)
        name = question.choose_name(there, asked.view)
        choice = question.choose(there, catalogue.view(tx, there, name), asked)
        on_choice(choice)
        # Closed here, because a COPY that is broken off must be cancelled before its transaction can end.
        with _opened(target) as sink, closing(catalogue.rows(tx, choice)) as read:
            facts = {"view": choice.view.full_name, "snapshot_at": snapshot_at.isoformat()}
            write = WRITERS.get(target.format, _write_text)
            rows = write(read, sink, choice, target.format, facts, on_progress)
    return Exported(
        view=choice.view.full_name,
        format=target.format,
        file=target.output if target.is_file else None,
        rows=rows,
        bytes=sink.bytes,
        sha256=sink.sha256,
        snapshot_at=snapshot_at,
        seconds=time.monotonic() - started,
        columns=tuple(column.name for column in choice.columns),
        numbers_as_text=int(facts.get("numbers_as_text", 0)),
    )


@contextmanager
def _opened(target: Target) -> Iterator[Sink]:
    with ExitStack() as stack:
        if target.is_file:
            sink = stack.enter_context(atomic_file.replacing(Path(target.output), may_replace=target.may_replace))
        else:
            sink = stack.enter_context(atomic_file.standard_output())
        stack.callback(sink.end)
        yield sink


def _write_text(
    rows: Iterator[catalogue.Row],
    sink: Sink,
    choice: Choice,
    chosen: str,
    _facts: dict[str, str],
    on_progress: Callable[[int, int], None],
) -> int:
    is_spreadsheet = chosen == question.SPREADSHEET
    line = delimited.writer(choice.columns, is_spreadsheet=is_spreadsheet)
    lines, size, count = [delimited.header(choice.columns, is_spreadsheet=is_spreadsheet)], 0, 0
    for count, row in enumerate(rows, 1):
        text = line(row)
        lines.append(text)
        size += len(text)
        is_time = count % PROGRESS_ROWS == 0  # a reader of standard output need not wait for a full chunk
        if is_time or size >= CHUNK_CHARACTERS:
            sink.write("".join(lines).encode())
            lines, size = [], 0
        if is_time:
            on_progress(count, sink.bytes)
    sink.write("".join(lines).encode())
    on_progress(count, sink.bytes)
    return count


def _write_parquet(
    rows: Iterator[catalogue.Row],
    sink: Sink,
    choice: Choice,
    _chosen: str,
    facts: dict[str, str],
    on_progress: Callable[[int, int], None],
) -> int:
    from replicator.export import parquet  # noqa: PLC0415 - Arrow is 30 MB that no other command needs

    writer, count = parquet.Writer(cast("BinaryIO", sink), choice.columns, facts), 0
    for count, row in enumerate(rows, 1):
        writer.write(row)
        if count % PROGRESS_ROWS == 0:
            on_progress(count, sink.bytes)
    writer.finish()
    on_progress(count, sink.bytes)
    return count


def _write_xlsx(
    rows: Iterator[catalogue.Row],
    sink: Sink,
    choice: Choice,
    _chosen: str,
    facts: dict[str, str],
    on_progress: Callable[[int, int], None],
) -> int:
    from replicator.export import xlsx  # noqa: PLC0415 - no other format needs zip files

    writer, count = xlsx.Writer(sink, choice.columns, choice.view.name), 0
    try:
        for count, row in enumerate(rows, 1):
            writer.write(row)
            if count % PROGRESS_ROWS == 0:
                on_progress(count, sink.bytes)
        writer.finish()
    except BaseException:  # a Ctrl-C, too: the workbook is no whole file, and must not be ended as one
        writer.abandon()
        raise
    facts["numbers_as_text"] = str(writer.texts)
    on_progress(count, sink.bytes)
    return count


WRITERS = {question.PARQUET: _write_parquet, question.XLSX: _write_xlsx}
"""The formats that are not lines of text."""
