"""Shows the quarantine in a terminal, with every unusual character escaped, because the bytes come from the source.

Only characters that every terminal shows as themselves are printed: no control characters, no line breaks, nothing that
changes the direction of text or covers its neighbours.
"""

from __future__ import annotations

import base64
import os
import unicodedata
from typing import TYPE_CHECKING, Any

from rich.text import Text

from replicator.errors import ConfigurationError
from replicator.report import terminal
from replicator.report.terminal import cell, plural
from replicator.safe_text import fitted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from replicator.sync.replay import Replayed

FACTS = (
    "id",
    "state",
    "first_seen_at",
    "last_seen_at",
    "resolved_at",
    "attempts",
    "bytes",
    "call_id",
    "field",
    "reason",
    "request",
)
SHOWN_CHARACTERS = 20_000
"""The most characters of a row that are shown; a file gets all of it."""
_MARKS = {"Mn", "Mc", "Me"}
_RIGHT_TO_LEFT = {"R", "AL", "AN"}


def state(row: Mapping[str, Any]) -> str:
    """Return "open" or "resolved" for a row."""
    return "open" if row["resolved_at"] is None else "resolved"


def show_list(rows: Sequence[Mapping[str, Any]], total: int) -> None:
    """Print the rows, newest first, in a few lines each, and how many more exist."""
    out = terminal.console()
    if not rows:
        out.print("nothing is in quarantine")
    for row in rows:
        seen = f"{cell(row['first_seen_at'])} to {cell(row['last_seen_at'])}"
        head = f"{row['id']:<6}{state(row)}, {plural(row['bytes'], 'byte')}, seen {seen}, {plural(row['attempts'], 'attempt')}"
        for line in (
            head,
            f"      call {cell(row['call_id'])}" + (f", field {cell(row['field'])}" if row["field"] else ""),
            f"      {cell(row['reason'])}",
            f"      {cell(row['request'])}",
        ):
            _print(out, line)
    if total > len(rows):
        out.print(f"{total - len(rows):,} older ones are not shown (--limit)")


def show_row(row: Mapping[str, Any], raw: bytes | None, *, as_json: bool) -> None:
    """Print one row's facts, and its bytes where they are given: escaped, or base64 in JSON."""
    out = terminal.console()
    if as_json:
        more = {} if raw is None else {"raw_base64": base64.b64encode(raw).decode()}
        out.print(Text(terminal.as_json({**row, **more})), soft_wrap=True)
        return
    for name in FACTS:
        label = name.removesuffix("_id").removesuffix("_at").replace("_", " ")
        _print(out, f"{label:11}{cell({**row, 'state': state(row)}[name])}")
    if raw is not None:
        text = visible(raw)
        out.print(Text(text[:SHOWN_CHARACTERS]), soft_wrap=True)
        if len(text) > SHOWN_CHARACTERS:
            out.print("this is the beginning; `replicator quarantine save ID FILE` writes all of it")


def _print(out: Console, line: str) -> None:
    out.print(Text(fitted(line, out.width if out.is_terminal else None)), soft_wrap=True)


def visible(raw: bytes) -> str:
    r"""Return bytes as one line of text without effect on a terminal; others as \xNN (a byte) or
    \uNNNN (a character).
    """
    text = raw.decode("utf-8", "surrogateescape")
    return "".join(character if _is_harmless(character) else _escaped(character) for character in text)


def _is_harmless(character: str) -> bool:
    if character < "\x7f":
        return character >= " "
    return (
        character.isprintable()
        and unicodedata.category(character) not in _MARKS
        and unicodedata.bidirectional(character) not in _RIGHT_TO_LEFT
    )


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - how surrogateescape marks a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - what four digits can say


def write(path: Path, raw: bytes) -> None:
    """Write the exact bytes into a new file that only its owner can read."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(raw)
    except OSError as error:
        raise ConfigurationError(
            f"the file cannot be written: {error.strerror}", advice="name a file that does not exist yet"
        ) from None


def describe(done: Replayed) -> str:
    """Return a text about the rows that were read again."""
    what = (
        f"{plural(done.calls_inserted, 'new call')}, {done.calls_changed:,} changed, {done.calls_unchanged:,} unchanged, "
        f"{done.calls_late:,} older than what is stored; {plural(done.details_queued, 'detail')} queued"
    )
    lines = [f"read       {plural(done.read, 'row')}" + (f": {what}" if done.read else "")]
    if done.proven:
        lines.append(
            f"proven     {plural(done.proven, 'row')} that the source never showed, and whose place is proven by now"
        )
    if done.unreadable:
        lines.append(f"unreadable {plural(done.unreadable, 'row')}, as before")
    if done.without_bytes:
        lines.append(
            f"no bytes   {plural(done.without_bytes, 'row')} that the source never showed: nothing can be read again"
        )
    return "\n".join(lines)
