"""Makes a line's values from its cells, by a mapping. Pure.

A cell that cannot be read makes the whole line unreadable, with the column and the reason: half a line would be believed.
Cells with a dash or a word for nothing are empty. A line without an amount is one that the party has not priced yet, if it
names a call; otherwise it cannot be read.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from replicator.reconcile import amounts, instants
from replicator.reconcile.lines import Kind, Line, Total, Unread
from replicator.reconcile.mapping import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping as Values
    from collections.abc import Sequence
    from typing import Any

    from replicator.reconcile.mapping import Mapping


class Uncomputed(StrEnum):
    """What a spreadsheet's cell has in place of a value that nobody has computed."""

    FORMULA = "(a formula without a value)"


Cell = str | int | float | bool | datetime | date | time | timedelta | None
"""A cell of a text file is a text; those of a spreadsheet have types."""

NOTHING = frozenset({"", "-", "--", "\u2013", "\u2014", "n/a", "na", "null", "none", "nil"})
MOST_TEXT = 1000
"""Characters that are kept of a description; the line's original text is complete."""
MOST_ID = 200
SHOWN = 40
_DIRECTIONS = (
    ("inbound", ("in", "incoming", "inbound", "terminating")),
    ("outbound", ("out", "outgoing", "outbound", "originating")),
)
_OF_CALLS = tuple(  # not the seconds: a total has their sum
    FIELDS.index(name) for name in ("call_id", "provider_id", "started_at", "phone_number")
)
_UNCOMPUTED = "the file has a formula and not its value; open it in a spreadsheet program, save it, and import that"
_AMOUNT, _CURRENCY = FIELDS.index("amount"), FIELDS.index("currency")
_SHOWN_FIELDS = frozenset({"amount", "currency", "kind", "started_at", "duration_seconds"})
"""Fields whose text a reason may repeat: it is nobody's number and nobody's words."""


class UnreadableError(ValueError):
    """A cell cannot be read. `name` is its field."""

    def __init__(self, name: str, cell: Cell, reason: str) -> None:
        said = f" ({str(cell).strip()[:SHOWN]!r})" if name in _SHOWN_FIELDS and cell is not None else ""
        super().__init__(f"{name}{said}: {reason}")


class Reader:
    """Reads the lines of one file: its columns were found in the header."""

    def __init__(self, mapping: Mapping, columns: Values[str, int], cells: int) -> None:
        self._columns = tuple(columns.get(name, -1) for name in FIELDS)
        self._cells = cells
        self._zone = mapping.zone
        self._format = mapping.format
        self._kinds: dict[str, str] = {str(kind): str(kind) for kind in Kind} | dict(mapping.kinds)
        self._totals = frozenset(mapping.format.totals)
        self._reversed = frozenset(mapping.format.reversed)
        self._is_negative = mapping.format.sign == "negative"

    def read(self, number: int, cells: Sequence[Cell]) -> Line | Unread | Total:
        """Return the line, why it cannot be read, or the file's own total."""
        if len(cells) != self._cells:
            if len(cells) < self._cells or any(cell not in {"", None} for cell in cells[self._cells :]):
                return Unread(number, f"it has {len(cells)} cells, and the header has {self._cells}")
            cells = cells[: self._cells]
        for name, at in zip(FIELDS, self._columns, strict=True):
            if at >= 0 and cells[at] is Uncomputed.FORMULA:
                return Unread(number, f"{name}: {_UNCOMPUTED}")
        try:
            found = [None if at < 0 else _content(cells[at]) for at in self._columns]
            if not any(found[at] is not None for at in _OF_CALLS) and self._is_total(cells):
                return self._total(number, found)
            return self._line(number, found)
        except UnreadableError as error:
            return Unread(number, str(error))

    def _is_total(self, cells: Sequence[Cell]) -> bool:
        return any(isinstance(cell, str) and cell.strip(" :").casefold() in self._totals for cell in cells)

    def _total(self, number: int, cells: Sequence[Cell]) -> Total:
        amount, currency = cells[_AMOUNT], cells[_CURRENCY]
        if amount is None:
            raise UnreadableError("amount", None, "it is a total without one")
        value, beside = self._amount(amount)
        return Total(number, value, self._currency(currency, beside))

    def _line(self, number: int, cells: Sequence[Cell]) -> Line:
        (
            line_id,
            call_id,
            provider_id,
            started,
            duration,
            from_number,
            phone_number,
            direction,
            amount,
            currency,
            kind,
            about,
        ) = cells
        value, sign_currency = (None, None) if amount is None else self._amount(amount)
        code = self._currency(currency, sign_currency)
        what = Kind.USAGE if kind is None else self._kind(kind)
        if value and what in self._reversed:
            value = -value
        line = Line(
            number,
            _text("line_id", line_id, MOST_ID),
            None if call_id is None else _uuid(call_id),
            _text("provider_id", provider_id, MOST_ID),
            None if started is None else self._instant(started),
            None if duration is None else self._seconds(duration),
            _text("from_number", from_number, MOST_ID),
            _text("phone_number", phone_number, MOST_ID),
            None if direction is None else _direction(str(direction)),
            value,
            code,
            what,
            None if about is None else str(about)[:MOST_TEXT],
        )
        if value is None and (
            line.kind != Kind.USAGE or not (line.call_id or line.provider_id or (line.started_at and line.phone_number))
        ):
            raise UnreadableError("amount", None, "there is none, and the line names no call")
        return line

    def _amount(self, cell: Cell) -> tuple[Decimal, str | None]:
        try:
            if isinstance(cell, float):
                value, code = amounts.from_float(cell), None
            elif isinstance(cell, int) and not isinstance(cell, bool):
                value, code = amounts.read(str(cell))
            else:
                value, code = amounts.read(str(cell), self._format.decimal)
        except ValueError as error:
            raise UnreadableError("amount", cell, str(error)) from None
        return (-value if self._is_negative and value else value), code

    def _currency(self, cell: Cell, beside: str | None) -> str:
        if cell is None:
            return beside or self._format.currency
        try:
            code = amounts.currency(str(cell))
        except ValueError as error:
            raise UnreadableError("currency", cell, str(error)) from None
        if beside not in {None, code}:
            raise UnreadableError("currency", cell, f"the amount has another one, {beside}")
        return code

    def _instant(self, cell: Cell) -> datetime:
        try:
            if isinstance(cell, datetime):
                return instants.in_utc(cell, self._zone)
            if isinstance(cell, date):
                return instants.in_utc(datetime(cell.year, cell.month, cell.day), self._zone)  # noqa: DTZ001 - of the zone
            if isinstance(cell, float) and cell == int(cell):
                cell = int(cell)
            return instants.read(str(cell), self._zone, self._format.dates)
        except ValueError as error:
            raise UnreadableError("started_at", cell, str(error)) from None

    def _seconds(self, cell: Cell) -> int:
        try:
            if isinstance(cell, time):
                return cell.hour * 3600 + cell.minute * 60 + cell.second
            if isinstance(cell, timedelta):
                return instants.whole_seconds(Decimal(cell // timedelta(microseconds=1)) / 1_000_000, "seconds")
            if isinstance(cell, float) and not isinstance(cell, bool):
                return instants.whole_seconds(amounts.from_float(cell), self._format.durations)
            return instants.seconds(str(cell), self._format.durations, self._format.decimal)
        except ValueError as error:
            raise UnreadableError("duration_seconds", cell, str(error)) from None

    def _kind(self, cell: Cell) -> str:
        found = self._kinds.get(str(cell).strip().casefold())
        if found is None:
            raise UnreadableError("kind", cell, "the mapping does not know it; say what it is under [kinds]")
        return found


def _content(cell: Cell) -> Cell:
    """Return a cell without spaces around it, or None where it says nothing."""
    if isinstance(cell, str):
        cell = cell.strip()
        if len(cell) <= 4 and cell.casefold() in NOTHING:  # noqa: PLR2004 - the longest of them
            return None
        if "\x00" in cell:
            cell = cell.replace("\x00", "\ufffd")
    return cell


def _text(name: str, cell: Cell, most: int) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, float) and cell == int(cell):
        cell = int(cell)  # a number that a spreadsheet took for an amount
    text = str(cell)
    if len(text) > most:
        raise UnreadableError(name, None, f"it has more than {most} characters")
    return text


def _uuid(cell: Cell) -> UUID:
    try:
        return UUID(str(cell))
    except ValueError:
        raise UnreadableError(
            "call_id", None, "it is no id of a call (a UUID); is this the column provider_id?"
        ) from None


def _direction(text: str) -> str | None:
    """Return inbound or outbound, or None for a word that says neither: it only helps to match."""
    word = text.strip().casefold().replace("_", "-").split("-")[0].split(" ")[0]
    return next((direction for direction, words in _DIRECTIONS if word in words), None)


def is_blank(cells: Sequence[Any]) -> bool:
    """Say whether a line has nothing at all in it."""
    return all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in cells)
