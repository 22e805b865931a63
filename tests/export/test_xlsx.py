"""Workbooks: read back by another library, every value is what PostgreSQL has, and no text is ever a formula."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from replicator.atomic_file import Sink
from replicator.errors import UnfitValue
from replicator.export import running, xlsx
from replicator.export.question import Asked
from replicator.export.running import Target
from replicator.store.catalogue import Column

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

EVIL = ("=1+1", "+12025550123", "-2", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1", "\uff1d1", '"><c><f>1</f></c>')
TEXTS = (
    *EVIL,
    "",
    " two  spaces ",
    "line\r\nbreak",
    "\x01\x1f",
    "_x0041_",
    "_x005F_",
    "\ufffe",
    "émoji 😀",
    "0123",
    "1e5",
    "&<>",
)


class Memory(Sink):
    """A sink that keeps what is written, and like a pipe cannot seek."""

    def __init__(self) -> None:
        super().__init__(-1, is_hashed=False)
        self.data = io.BytesIO()

    def write(self, data: bytes | memoryview) -> int:
        self.bytes += len(data)
        return self.data.write(data)


def workbook(columns: list[Column], rows: list[tuple[str | None, ...]]) -> tuple[Any, xlsx.Writer]:
    sink = Memory()
    writer = xlsx.Writer(sink, columns, "odd")
    for row in rows:
        writer.write(row)
    writer.finish()
    return openpyxl.load_workbook(sink.data), writer


@pytest.mark.pure
def test_no_text_is_a_formula_and_each_comes_back() -> None:
    """Read by openpyxl, each text is a text with its exact characters, in a cell that stays text when it is edited."""
    book, _ = workbook([Column("=said", "text")], [(text,) for text in TEXTS])
    cells = [row[0] for row in book.active.iter_rows(min_row=2)]
    assert [unescape(cell.value or "") for cell in cells] == list(TEXTS)
    assert {cell.data_type for cell in book.active["A"] if cell.value} <= {"s", "inlineStr"}
    assert {cell.number_format for cell in cells} == {"@"}
    assert all(cell.quotePrefix for cell in cells)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("type_", "given", "expected", "texts"),
    [
        ("numeric(18,6)", "0.074600", Decimal("0.0746"), 0),
        ("numeric(18,6)", "999999999.123456", Decimal("999999999.123456"), 0),
        ("numeric(18,6)", "999999999999.123456", "999999999999.123456", 1),
        ("numeric", "0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827", 1),
        ("numeric", "NaN", "NaN", 1),
        ("bigint", "9007199254740993", "9007199254740993", 1),
        ("bigint", "900000000000000000", 900000000000000000, 0),
        ("bigint", "0", 0, 0),
        ("double precision", "0.14285714285714285", 1 / 7, 0),
        ("double precision", "-Infinity", "-Infinity", 1),
        ("boolean", "t", True, 0),
        ("boolean", "f", False, 0),
        ("date", "2026-03-01", datetime(2026, 3, 1, tzinfo=UTC), 0),
        ("date", "1900-02-28", "1900-02-28", 0),
        ("date", "infinity", "infinity", 0),
        ("timestamp with time zone", "2026-03-01 12:34:56.789012+00", datetime(2026, 3, 1, 12, 34, 56, 789012, UTC), 0),
        ("timestamp with time zone", "0001-01-01 00:00:00+00 BC", "0001-01-01 00:00:00+00 BC", 0),
        ("uuid", str(UUID(int=7)), str(UUID(int=7)), 0),
        ("jsonb", '{"a": 1}', '{"a": 1}', 0),
    ],
)
def test_each_value_is_exact_or_text(type_: str, given: str, expected: object, texts: int) -> None:
    """What Excel would round is text, and counted; everything else is the value itself."""
    book, writer = workbook([Column("first", "text"), Column("value", type_)], [(None, given)])
    found = book.active["B2"].value
    if isinstance(expected, datetime):
        assert abs(found.replace(tzinfo=UTC) - expected).total_seconds() < 1e-3
    elif isinstance(expected, Decimal):
        assert Decimal(repr(found)) == expected
    else:
        assert found == expected
    assert writer.texts == texts


@pytest.mark.pure
def test_microseconds_are_in_the_file() -> None:
    """Excel's number of an instant has the digits of microseconds, though Excel shows seconds."""
    number = Decimal(xlsx.instant("2026-03-01 12:34:56.789012+00").split("<v>")[1].split("</v>")[0])
    assert round((number - 46082) * 86_400_000_000) == 45_296_789_012


@pytest.mark.pure
def test_a_text_that_no_cell_holds_ends_the_export() -> None:
    """The column is named; nothing is cut. Excel counts in UTF-16: a smiley is two."""
    assert len(xlsx.text("x" * 32_767, 1)) > 32_767
    for text in ("x" * 32_768, "😀" * 16_384):
        with pytest.raises(UnfitValue, match="'said' holds a text of more than 32,767"):
            xlsx.text(text, 1, "said")


@pytest.mark.pure
def test_more_rows_than_a_sheet_holds_go_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sheet has the header again, and no row is lost."""
    monkeypatch.setattr(xlsx, "MOST_ROWS", 4)
    book, _ = workbook([Column("n", "integer")], [(str(n),) for n in range(7)])
    assert book.sheetnames == ["odd", "odd (2)", "odd (3)"]
    found = [[row[0] for row in sheet.iter_rows(values_only=True)] for sheet in book]
    assert found == [["n", 0, 1, 2], ["n", 3, 4, 5], ["n", 6]]


def test_a_view_as_a_workbook(odd: Database, tmp_path: Path) -> None:
    """From PostgreSQL: types, nulls, the hash of the file, its mode; and the days of an export choose months, too."""
    with odd.transaction() as tx:
        tx.execute(
            "INSERT INTO public.odd (number, said, cost_usd, at, day) VALUES (1, '=1+1', 0.5, '2026-03-01Z', '2026-03-01'), "
            "(NULL, NULL, NULL, NULL, NULL)"
        )
    path = tmp_path / "odd.xlsx"
    done = running.export(odd, Asked("odd"), Target(str(path), "xlsx"))
    assert (done.rows, done.numbers_as_text, path.stat().st_mode & 0o777) == (2, 0, 0o600)
    rows = list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))
    assert rows[0][:3] == ("number", "said", "cost_usd")
    assert rows[1][:3] == (1, "=1+1", 0.5)
    assert rows[2] == (None,) * 13


def test_months_are_chosen_by_their_days(database: Database, tmp_path: Path) -> None:
    """--since in the middle of a month takes the month, as does --until."""
    with database.transaction() as tx:
        tx.execute(
            "CREATE VIEW analytics.months AS SELECT generate_series('2026-01-01'::date, '2026-06-01', '1 month')::date AS month_on"
        )
    path = tmp_path / "months.csv"
    asked = Asked("months", since=date(2026, 2, 10), until=date(2026, 4, 1))
    assert running.export(database, asked, Target(str(path), "csv")).rows == 3
    assert path.read_text().split() == ["month_on", "2026-02-01", "2026-03-01", "2026-04-01"]


def test_a_failed_export_leaves_no_file(odd: Database, tmp_path: Path) -> None:
    """A text that no cell holds: the error names the column, and nothing lies in the folder."""
    with odd.transaction() as tx:
        tx.execute("INSERT INTO public.odd (said) VALUES (repeat('x', 40000))")
    with pytest.raises(UnfitValue, match="said"):
        running.export(odd, Asked("odd"), Target(str(tmp_path / "odd.xlsx"), "xlsx"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.pure
def test_rows_are_not_kept_in_memory() -> None:
    """After 20,000 rows most of them are written already."""
    sink = Memory()
    writer = xlsx.Writer(sink, [Column("said", "text")], "odd")
    for number in range(20_000):
        writer.write((f"{number} " + "x" * 50,))
    written = sink.bytes
    writer.finish()
    assert written > 40_000
    assert zipfile.ZipFile(sink.data).testzip() is None
