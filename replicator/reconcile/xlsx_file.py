"""Reads the rows of a spreadsheet (XLSX), streaming. The only door to openpyxl.

What the file says of its own size is checked before anything is unpacked, and unpacking stops there: a file that unpacks to
more than the bounds is refused. Of a formula, the value is read that the spreadsheet has stored for it; nothing is computed.
Numbers are read as amounts.from_float says.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import IO, TYPE_CHECKING

from replicator.errors import ConfigurationError

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
HEAD = 1 << 16
NOISE = 1000
"""Microseconds."""


def rows(stream: IO[bytes], mapping: Mapping) -> Iterator[tuple[int, list[Cell]]]:
    """Yield (row number, cells) of one sheet: the first, unless the mapping names one.

    Raises ConfigurationError where the file is none, is out of bounds, or has no such sheet.
    """
    _check(stream)
    with _opened(stream) as book:
        sheet = _sheet(book, mapping.format.sheet)
        sheet.reset_dimensions()  # what the file says of its size may be wrong
        try:
            for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
                if number > mapping.format.skip_lines:
                    yield number, _trimmed(cells)
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
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as error:
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
