"""Writes Excel workbooks (XLSX) as a stream: rows go out as they come, and no temporary file is made.

Nothing is rounded. Excel keeps 15 digits of a number, so a number with more is written as text; `texts` counts those.
Days are days of Excel, instants are its date-times in UTC (microseconds are in the file, Excel shows seconds); what
Excel has no form for (infinity, years before 1900) is text. Text is always text, never a formula, also when a person
edits the cell: its cells have the format of text and the mark that an apostrophe sets. A cell holds 32,767 characters,
and a longer text ends the export. A sheet holds 1,048,576 rows; more rows go on in the next sheet.
"""

from __future__ import annotations

import re
import zipfile
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, BinaryIO, cast
from xml.sax.saxutils import escape

from replicator.errors import UnfitValue
from replicator.export.cells import Kind, kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replicator.atomic_file import Sink
    from replicator.store.catalogue import Column, Row

MOST_ROWS = 1_048_576
MOST_BYTES = 1_500_000_000
"""Of one sheet before compression; its part of the file must stay below 2 GiB."""
MOST_CHARACTERS = 32_767
DIGITS = 15
CHUNK_CHARACTERS = 2**18
TEXT, DAY, INSTANT, HEAD = 1, 2, 3, 4
"""Styles: their places in STYLES."""
FIRST_DAY = date(1900, 3, 1)
"""Excel takes 1900 for a leap year, so days before this one are others in Excel."""
EPOCH = datetime(1899, 12, 30, tzinfo=UTC)

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?\Z")
_UNSAYABLE = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
"""Characters that XML has not, and what would be read as the escape of one."""
_NAME = re.compile(r"[\[\]:*?/\\]")

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PARTS = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
STYLES = (
    f'{XML}<styleSheet xmlns="{MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="5">'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" quotePrefix="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1" quotePrefix="1"/>'
    '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
SHEET = (
    f'{XML}<worksheet xmlns="{MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" '
    'activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>'
)


class Writer:
    """Writes rows into a sink that need not be seekable. `texts` is how many numbers were written as text."""

    def __init__(self, sink: Sink, columns: Sequence[Column], name: str) -> None:
        self.texts = 0
        self._sink = sink
        self._zip = zipfile.ZipFile(cast("BinaryIO", sink), "w", zipfile.ZIP_DEFLATED)
        self._columns, self._name = columns, name
        self._cells = [self._cell(column) for column in columns]
        self._head = "<row>" + "".join(text(column.name, HEAD) for column in columns) + "</row>"
        self._sheets = 0
        self._begin_sheet()

    def write(self, row: Row) -> None:
        if self._rows == MOST_ROWS or self._bytes > MOST_BYTES:
            self._end_sheet()
            self._begin_sheet()
        self._rows += 1
        # A null is an empty cell, which keeps the place of the others.
        made = ["<c/>" if value is None else cell(value) for cell, value in zip(self._cells, row, strict=True)]
        self._add(f"<row>{''.join(made)}</row>")

    def finish(self) -> None:
        """End the last sheet, and write what names the sheets, without which the file is no workbook."""
        self._end_sheet()
        base = self._name[:24]
        names = [base if n == 1 else f"{base} ({n})" for n in range(1, self._sheets + 1)]
        listed = "".join(
            f'<sheet name="{attribute(name)}" sheetId="{n}" r:id="s{n}"/>' for n, name in enumerate(names, 1)
        )
        links = "".join(
            f'<Relationship Id="s{n}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, self._sheets + 1)
        )
        types = "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{SHEET_TYPE}.worksheet+xml"/>'
            for n in range(1, self._sheets + 1)
        )
        self._put("xl/styles.xml", STYLES)
        self._put(
            "xl/workbook.xml", f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>'
        )
        self._put(
            "xl/_rels/workbook.xml.rels",
            f'{XML}<Relationships xmlns="{PARTS}/relationships">{links}'
            f'<Relationship Id="styles" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
        )
        self._put(
            "_rels/.rels",
            f'{XML}<Relationships xmlns="{PARTS}/relationships"><Relationship Id="book" Type="{OFFICE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        self._put(
            "[Content_Types].xml",
            f'{XML}<Types xmlns="{PARTS}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="xml" ContentType="application/xml"/>{types}'
            f'<Override PartName="/xl/workbook.xml" ContentType="{SHEET_TYPE}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{SHEET_TYPE}.styles+xml"/></Types>',
        )
        self._zip.close()

    def abandon(self) -> None:
        """Close without writing anything more."""
        self._sink.end()
        with suppress(Exception):
            self._part.close()
        with suppress(Exception):
            self._zip.close()

    def _begin_sheet(self) -> None:
        self._sheets += 1
        self._rows, self._bytes = 1, 0
        self._chunks, self._size = [SHEET, self._head], 0
        self._part = self._zip.open(f"xl/worksheets/sheet{self._sheets}.xml", "w")

    def _end_sheet(self) -> None:
        self._add("</sheetData></worksheet>")
        self._flush()
        self._part.close()

    def _add(self, chunk: str) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size >= CHUNK_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        data = "".join(self._chunks).encode()
        self._bytes += len(data)
        self._part.write(data)
        self._chunks, self._size = [], 0

    def _put(self, name: str, content: str) -> None:
        self._zip.writestr(name, content)

    def _cell(self, column: Column) -> Callable[[str], str]:
        """Return the function that makes a cell of a column from PostgreSQL's text."""
        match kind(column):
            case Kind.NUMBER:
                is_double = column.type in {"real", "double precision"}
                return lambda value: self._number(value, is_double=is_double)
            case Kind.BOOLEAN:
                return lambda value: f'<c t="b"><v>{int(value == "t")}</v></c>'
            case Kind.DATE:
                return day
            case Kind.INSTANT:
                return instant
            case _:
                return lambda value: text(value, TEXT, column.name)

    def _number(self, value: str, *, is_double: bool) -> str:
        # Excel computes with doubles, so a double is what it is; of others it keeps 15 digits.
        if _NUMBER.match(value) and (is_double or digits(value) <= DIGITS):
            return f"<c><v>{value}</v></c>"
        self.texts += 1
        return text(value, TEXT)


def digits(number: str) -> int:
    """Return how many digits a decimal number has without the zeros at its beginning and its end."""
    return len("".join(map(str, Decimal(number).as_tuple().digits)).strip("0"))


def text(value: str, style: int, column: str = "") -> str:
    """Return a cell of text. Raises UnfitValue where Excel's cells cannot hold it."""
    # Excel counts in UTF-16.
    if len(value) > MOST_CHARACTERS // 2 and len(value.encode("utf-16-le")) // 2 > MOST_CHARACTERS:
        raise UnfitValue(
            f"the column {column!r} holds a text of more than {MOST_CHARACTERS:,} characters, which no cell of Excel holds"
        )
    said = escape(_UNSAYABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", value))
    return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{said}</t></is></c>'


def day(value: str) -> str:
    """Return a day as Excel's number of it, or as text where Excel has none."""
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", value)
    if found is None or (when := date(*map(int, found.groups()))) < FIRST_DAY:
        return text(value, TEXT)
    return f'<c s="{DAY}"><v>{(when - EPOCH.date()).days}</v></c>'


def instant(value: str) -> str:
    """Return an instant as Excel's number of it, in UTC, or as text where Excel has none."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)(?:\+00)?", value)
    if found is None or found[1] < FIRST_DAY.isoformat():
        return text(value, TEXT)
    whole, _, fraction = found[1].partition(".")
    when = datetime.fromisoformat(f"{whole}+00:00") + timedelta(microseconds=int(fraction.ljust(6, "0") or "0"))
    days = Decimal((when - EPOCH) // timedelta(microseconds=1)) / Decimal(86_400_000_000)
    return f'<c s="{INSTANT}"><v>{days:.12f}</v></c>'


def attribute(name: str) -> str:
    """Return a name as Excel takes it for a sheet, in quotes of XML."""
    return escape(_NAME.sub("_", name), {'"': "&quot;"})


__all__ = ["Writer"]
