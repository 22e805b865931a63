"""Reads the rows of a spreadsheet (XLSX), streaming. The only door to openpyxl.

What the file says of its own size is checked before anything is unpacked, and unpacking stops there: a file that unpacks to
more than the bounds is refused. Of a formula, the value is read that the spreadsheet has stored for it; nothing is computed, and
a formula without a stored value is no empty cell.
Numbers are read as amounts.from_float says.
"""

from __future__ import annotations

import json
import warnings
import zipfile
import zlib
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import IO, TYPE_CHECKING

from replicator.errors import ConfigurationError
from replicator.reconcile.reading import Uncomputed, is_blank

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from replicator.reconcile.mapping import Mapping
    from replicator.reconcile.reading import Cell

MOST_BYTES = 2 << 30
MOST_SHARED_BYTES = 256 << 20
"""The table of texts is the only part that is held in memory."""
MOST_MEMBERS = 2000
MOST_CELL = 100_000
MOST_CELLS = 500
"""Cells of a row; empty ones behind the last that is not are left out."""
MOST_ROWS = 1 << 20
"""What spreadsheet programs have; a file may claim any number."""
HEAD = 1 << 16
NOISE = 1000
"""Microseconds."""


def rows(stream: IO[bytes], mapping: Mapping, unread: list[str]) -> Iterator[tuple[int, list[Cell]]]:
    """Yield (row number, cells) of one sheet: the first, unless the mapping names one. `unread` gets the names of the others
    that are not empty.

    Raises ConfigurationError where the file is none, is out of bounds, or has no such sheet.
    """
    _check(stream)
    with _opened(stream) as book:
        sheet = _sheet(book, mapping.format.sheet)
        try:
            unread += [
                other.title
                for other in book.worksheets
                if other is not sheet and any(not is_blank(cells) for _, cells in _rows(other))
            ]
            for number, cells in _rows(sheet):
                if number > mapping.format.skip_lines:
                    yield number, cells
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - what a broken file makes of XML and ZIP is of no family
            raise _broken(type(error).__name__) from None


@contextmanager
def _opened(stream: IO[bytes]) -> Iterator[Any]:
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 - an extra, and slow to load
    except ImportError:
        raise ConfigurationError(
            "spreadsheets (XLSX) need the package openpyxl, which is not installed",
            advice='pip install "truedy-replicator[xlsx]", or save the sheet as CSV',
        ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions that do not concern values
        try:
            book = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        except Exception as error:  # noqa: BLE001 - what a broken file makes of XML and ZIP is of no family
            raise _broken(type(error).__name__) from None
        try:
            yield book
        finally:
            book.close()


def _rows(sheet: Any) -> Iterator[tuple[int, list[Cell]]]:
    """Yield (row number, cells) of the rows that a sheet has. openpyxl would yield each row that is left out, too."""
    from openpyxl.worksheet._reader import FORMULA_TAG, VALUE_TAG, WorkSheetParser  # noqa: PLC0415 - as above

    class Parser(WorkSheetParser):  # type: ignore[misc]
        """Tells a formula without a stored value from an empty cell."""

        def parse_cell(self, element: Any) -> dict[str, Any]:
            cell: dict[str, Any] = super().parse_cell(element)
            if cell["value"] is None and element.find(FORMULA_TAG) is not None:
                is_empty_text = element.get("t") == "str" and element.find(VALUE_TAG) is not None
                cell["value"] = None if is_empty_text else Uncomputed.FORMULA
            return cell

    book, last = sheet.parent, 0
    with sheet._get_source() as source:  # noqa: SLF001 - its public door yields a row for each number that is left out
        parser = Parser(
            source, sheet._shared_strings, data_only=True, epoch=book.epoch,  # noqa: SLF001 - as above
            date_formats=book._date_formats, timedelta_formats=book._timedelta_formats,  # noqa: SLF001 - as above
        )  # fmt: skip
        for number, row in parser.parse():
            if not last < number <= MOST_ROWS:
                raise _broken(f"a row has the number {number}, behind row {last}")
            last = number
            yield number, _cells(row)


def _cells(row: list[dict[str, Any]]) -> list[Cell]:
    """Return a row's values by their columns."""
    cells: list[Any] = [None] * min(MOST_CELLS, max((cell["column"] for cell in row), default=0))
    for cell in row:
        if cell["column"] <= len(cells):
            cells[cell["column"] - 1] = cell["value"]
    return _trimmed(tuple(cells))


def _sheet(book: Any, name: str | None) -> Any:
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if not sheets:
        raise _broken("it has no sheet")
    if name is None:
        return book.worksheets[0]
    if name not in sheets:
        raise ConfigurationError(
            f"the spreadsheet has no sheet {name}", advice=f"set sheet under [format]; it has: {', '.join(sheets)}"
        )
    return sheets[name]


def _check(stream: IO[bytes]) -> None:
    """Refuse a file that is none, or that unpacks to more than the bounds, or that declares XML entities."""
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            shared = sum(one.file_size for one in members if "sharedstrings" in one.filename.lower())
            if (
                len(members) > MOST_MEMBERS
                or sum(one.file_size for one in members) > MOST_BYTES
                or shared > MOST_SHARED_BYTES
            ):
                raise ConfigurationError(
                    "the spreadsheet unpacks to more than is read",
                    advice=f"at most {MOST_BYTES >> 30} GiB, and {MOST_SHARED_BYTES >> 20} MiB of texts: save it as CSV",
                )
            for one in members:
                if one.filename.lower().endswith((".xml", ".rels")):
                    with archive.open(one) as member:
                        if b"<!DOCTYPE" in member.read(HEAD):
                            raise _broken("it declares XML entities")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _broken(type(error).__name__) from None
    stream.seek(0)


def _broken(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the file begins like a spreadsheet (XLSX) and cannot be read: {why}", advice="save it anew, or as CSV"
    )


def _trimmed(cells: tuple[Any, ...]) -> list[Cell]:
    """Return a row's cells without empty ones at its end, each of a type that is known."""
    kept = len(cells)
    while kept and cells[kept - 1] is None:
        kept -= 1
    return [_known(cell) for cell in cells[: min(kept, MOST_CELLS)]]


def _known(cell: Any) -> Cell:
    if cell is Uncomputed.FORMULA:
        return Uncomputed.FORMULA
    if isinstance(cell, datetime):
        # A day and time is a float of days: what is less than a millisecond off a second is noise.
        near = cell + timedelta(milliseconds=1)
        return near.replace(microsecond=0) if near.microsecond <= 2 * NOISE else cell
    if cell is None or isinstance(cell, str | int | float | bool | date | time | timedelta):
        return cell[:MOST_CELL] if isinstance(cell, str) else cell
    return str(cell)[:MOST_CELL]


def text(cells: list[Cell]) -> str:
    """Return a row as it came, as a JSON list: numbers and texts as they are, days and times in ISO 8601."""
    found = json.dumps(
        cells, ensure_ascii=False, default=lambda cell: cell.isoformat() if hasattr(cell, "isoformat") else str(cell)
    )
    return found.replace("\\u0000", "\\\\x00")
