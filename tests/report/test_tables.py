"""Tables in a terminal: at 80 and 120 columns, in a pipe, in ASCII; no number is shortened or broken."""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest
from rich.cells import cell_len
from rich.console import Console

from replicator import demo
from replicator.report import quarantine_view, tables, terminal
from replicator.report.tables import Heading
from replicator.store.database import Database
from replicator.store.status import read

if TYPE_CHECKING:
    from collections.abc import Iterator

WHEN = datetime(2026, 11, 30, 12, 34, 56, tzinfo=UTC)
ID = UUID("01234567-89ab-4cde-8f01-23456789abcd")
BIG = 12_345_678
LONG = "DatabaseUnavailable: the database at db.example.org:5432/calls ended the connection while a page was stored"
WHOLE = re.compile(r"(?<![\d.,])\d[\d,.]*\d(?![\d])")


@contextmanager
def shown(monkeypatch: pytest.MonkeyPatch, width: int | None) -> Iterator[io.StringIO]:
    """Let what is printed go to a terminal of this width, or to a pipe."""
    out = io.StringIO()

    def console(**_how: Any) -> Console:
        made = Console(
            file=out,
            force_terminal=width is not None,
            width=width or 200,
            color_system=None,
            markup=False,
            highlight=False,
        )
        made.legacy_windows = False
        return made

    monkeypatch.setattr(terminal, "console", console)
    yield out


def check(out: str, values: list[object], width: int | None) -> None:
    """Each number, instant and id stands there in one piece, nothing is cut, and no line is too long."""
    assert "…" not in out
    for value in values:
        if value is not None and not isinstance(value, str):
            assert terminal.cell(value) in out, value
    if width is not None:
        assert max(map(cell_len, out.splitlines())) <= width


WIDTHS = pytest.mark.parametrize("width", [80, 120, None], ids=str)


@WIDTHS
def test_the_tables_of_the_demo(database_url: str, monkeypatch: pytest.MonkeyPatch, width: int | None) -> None:
    """Each report's own columns, with numbers of millions."""
    samples = {20: BIG, 23: BIG, 1700: Decimal("1234567.123456"), 701: 1_234_567.9, 1082: date(2026, 11, 30)}
    with psycopg.connect(database_url) as connection, shown(monkeypatch, width) as out:
        for title, statement in demo.REPORTS:
            described = connection.execute(statement.encode()).description or ()
            row = [samples.get(one.type_code, "appointment-reminder") for one in described]
            terminal.show_table(
                terminal.console(), title, [one.name.replace("_", " ") for one in described], [row, row]
            )
            check(out.getvalue(), row, width)


@WIDTHS
def test_the_tables_of_status(database_url: str, monkeypatch: pytest.MonkeyPatch, width: int | None) -> None:
    """Details, runs with a long message, unproven days and delays, all with large numbers."""
    database = Database(database_url)
    try:
        status = read(database, "default")
    finally:
        database.close()
    run: dict[str, Any] = {
        "id": BIG, "command": "sync", "started_at": WHEN, "outcome": "failed", "requests": BIG, "calls_inserted": BIG,
        "calls_changed": BIG, "failures": BIG, "message": LONG,
    }  # fmt: skip
    day: dict[str, Any] = {
        "day": date(2026, 11, 29), "live_calls": BIG, "proven_calls": BIG, "proven_time_share": 0.5,
        "never_compared_time_share": 0.25, "unsure_reasons": "more calls have the same created_at than fit on a page, by status, direction and agent too",
    }  # fmt: skip
    detail = {"kind": "transcript", "state": "absent_final", "details": BIG, "due": BIG, "later": BIG}
    delay = {
        "max_age_seconds": 86_400, "calls": BIG, "renewed_every_seconds": 600, "bound_seconds": 86_400 * 30,
        "expected_seconds": 4_000, "oldest_look_seconds": 86_400 * 90,
    }  # fmt: skip
    status = replace(status, runs=[run, run], days=[day], days_not_proven=BIG, details=[detail], delays=[delay])
    with shown(monkeypatch, width) as out:
        terminal.show_status(status, 95.0, "postgresql://ann@db.example.org/calls")
        told = [*run.values(), *detail.values(), day["day"], day["live_calls"]]
        check(out.getvalue(), told, None if width is None else max(width, 110))
        assert "connect    postgresql://ann@db.example.org/calls" in out.getvalue()


@WIDTHS
def test_the_tables_of_deletions_accounts_and_quarantine(monkeypatch: pytest.MonkeyPatch, width: int | None) -> None:
    """Ids and instants stay in one piece: where the columns do not fit, each row is a block."""
    absence = dict.fromkeys(("created_at", "last_seen_at", "first_missing_at", "confirmed_at", "ended_at"), WHEN)
    row: dict[str, Any] = {"call_id": ID, "state": "suspected", "misses": 2, **absence}
    with shown(monkeypatch, width) as out:
        terminal.show_absences({"suspected": BIG, "is_held": True, "cap": BIG, "released": BIG, "absences": [row, row]})
        check(out.getvalue(), [ID, WHEN, BIG], width)
    account = {
        "account": "a name that is long", "live_calls": BIG, "source_total": BIG, "lag_seconds": 40.0, "requests_per_minute": 100,
        "writer": "host-with-a-long-name:12345", "base_url": "https://api.truedy.ai/api/public/v1",
    }  # fmt: skip
    with shown(monkeypatch, width) as out:
        terminal.show_accounts([account])
        check(out.getvalue(), [BIG, 100], width)
        assert "https://api.truedy.ai/api/public/v1" in out.getvalue()
    held = {
        "id": BIG, "resolved_at": None, "bytes": BIG, "first_seen_at": WHEN, "last_seen_at": WHEN, "attempts": 3,
        "call_id": ID, "field": None, "reason": LONG, "request": "list",
    }  # fmt: skip
    with shown(monkeypatch, width) as out:
        quarantine_view.show_list([held], 1)
        check(out.getvalue(), [ID, WHEN, BIG], None)


@pytest.mark.pure
def test_what_fits_is_one_line_and_what_does_not_is_broken_between_words() -> None:
    """First the names of the columns stand below each other, then texts are broken, then rows become blocks."""
    headings = [Heading("calls of a day", is_number=True), Heading("what was said", is_text=True)]
    rows = [["1,234", "one two three"], ["5", "four"]]
    assert tables.lay_out(headings, rows, 80, plain=True) == [
        "calls of a day  what was said",
        "--------------  -------------",
        "         1,234  one two three",
        "             5  four",
    ]
    assert tables.lay_out(headings, rows, 24, plain=False) == [
        " calls of",
        "    a day  what was said",
        "─────────  ─────────────",
        "    1,234  one two three",
        "        5  four",
    ]
    assert tables.lay_out(headings, rows, 14, plain=True)[-3:] == ["1,234  one two", "       three", "    5  four"]
    assert tables.lay_out(headings, rows, 11, plain=True)[:2] == [
        "calls of a day  1,234",
        "what was said   one two three",
    ]


@pytest.mark.pure
def test_a_pipe_breaks_nothing() -> None:
    """However long a text is, its row is one line, so that grep and awk find it whole."""
    lines = tables.lay_out(
        [Heading("text", is_text=True), Heading("n", is_number=True)], [["word " * 100, "1"]], None, plain=True
    )
    assert len(lines) == 3


@pytest.mark.pure
@pytest.mark.parametrize("text", ["one two three", "x" * 50, "a " + "y" * 30, "日本語のテキスト 二", ""])
@pytest.mark.parametrize("width", [3, 8, 20])
def test_broken_text_loses_nothing(text: str, width: int) -> None:
    """The words come back in their order, and no line is wider than asked for."""
    lines = tables.broken(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cell_len(line) <= width for line in lines)
