"""Imports a party's file as a statement, in one transaction: all of its lines, or nothing.

The same file, read by the same mapping for the same period and name, is one statement: while that is in force, a second import
does nothing and says so; where another one has replaced it, it is imported anew. A file with the name and period of a statement in force replaces it, and so does the same file read by another mapping or
for another period; what was replaced stays and is in no sum. Lines go to the database as they are read, so that memory does
not grow with the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from replicator.errors import ConfigurationError
from replicator.reconcile import month_matching, statement_file
from replicator.reconcile.amounts import EXACT
from replicator.reconcile.lines import Kind, Total, Unread
from replicator.store import closes, statements
from replicator.store.copying import NULL, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from replicator.reconcile.lines import Line, Read
    from replicator.reconcile.mapping import Mapping
    from replicator.store.database import Database
    from replicator.store.statements import Head, Stored

PERIOD = re.compile(r"\d{4}-(0[1-9]|1[0-2])\Z", re.ASCII)
MOST_NAME = 200
LINES_OF_A_PIECE = 500
LISTED = 20
"""Unreadable lines that a report names."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    statement: Stored
    is_new: bool
    """False where the file was imported before, and nothing was done."""
    replaced: Sequence[Stored] = ()
    problems: Sequence[tuple[int, str]] = ()
    """(line, reason) of the first lines that cannot be read."""
    beside: Sequence[Stored] = ()
    """Other statements in force of the same party and period: the sum is of all of them."""
    unread_sheets: Sequence[str] = ()
    """Other sheets of a spreadsheet that are not empty: none of their lines was read."""
    charged_credits: int = 0
    """Credits and discounts with a positive amount, which counts as a charge, where the mapping does not turn their sign."""

    def as_dict(self) -> dict[str, Any]:
        """Return the facts, for JSON."""
        one = self.statement
        return {
            "statement": one.id, "is_new": self.is_new, "account": one.account, "party": one.party, "period": one.period,
            "name": one.name, "file": one.file_name, "sha256": one.sha256, "mapping": one.mapping_name,
            "mapping_version": one.mapping_version, "lines": one.lines, "unreadable": one.unreadable, "total": dict(one.total),
            "stated_total": None if one.stated_total is None else dict(one.stated_total),
            "in_force": one.is_in_force, "replaced_by": one.replaced_by, "replaces": [old.id for old in self.replaced],
            "problems": [{"line": number, "reason": reason} for number, reason in self.problems],
            "beside": [other.id for other in self.beside], "charged_credits": self.charged_credits,
            "unread_sheets": list(self.unread_sheets),
        }  # fmt: skip


def run(
    database: Database, account: str, path: Path, mapping: Mapping, *, period: str, by: str, name: str | None = None
) -> Imported:
    """Import a file. Raises ConfigurationError where the file, the period or the name cannot be used."""
    if not PERIOD.match(period):
        raise ConfigurationError(f"the period {period} is no month", advice="write it as 2026-10")
    statement_file.require_file(path)
    called = path.stem if name is None else name.strip()
    if not called or len(called) > MOST_NAME or not called.isprintable():
        raise ConfigurationError(
            "the statement's name cannot be used", advice="give one of a few words: --statement NAME"
        )
    looked = statement_file.look(path)
    head = statements.Head(
        account, mapping.party, period, called, looked.sha256, looked.bytes, path.name, mapping.as_dict(),
        mapping.format.time_zone, by,
    )  # fmt: skip
    with database.transaction() as tx:
        known = statements.same(tx, head)
        if known is not None:
            return _imported(tx, known, mapping, is_new=False)
        replaced = statements.forerunners(tx, head)
        has_begun = _require_begun(tx, head, replaced)
        identity = statements.begin(tx, head, replaced[0].id if replaced else None)
        tally, unread = _Tally(), list[str]()
        statements.copy_lines(tx, _pieces(identity, statement_file.read(path, looked, mapping, unread), tally))
        _require_lines(head, tally, replaced, has_begun=has_begun)
        statements.finish(
            tx, identity, [old.id for old in replaced], lines=tally.lines, unreadable=tally.unreadable,
            total=_texts(tally.total), stated_total=_texts(tally.stated) if tally.stated else None,
        )  # fmt: skip
        made = next(one for one in statements.listed(tx, account, period) if one.id == identity)
        return _imported(tx, made, mapping, is_new=True, replaced=replaced, unread=unread)


def _require_begun(tx: Any, head: Head, replaced: Sequence[Stored]) -> bool:
    """Refuse the statement of a month that is still to come, unless it may withdraw one that is in force. Return whether the
    month has begun.
    """
    month, _ = month_matching.month_of(tx, head.account, head.period, head.time_zone)
    has_begun = month.has_begun(closes.now(tx))
    if not has_begun and not _corrects(head, replaced):
        raise _not_begun(head)
    return has_begun


def _require_lines(head: Head, tally: _Tally, replaced: Sequence[Stored], *, has_begun: bool) -> None:
    """Refuse a file without a single line, unless it withdraws the statement of its name: then it has no total either."""
    if tally.lines:
        if not has_begun:
            raise _not_begun(head)
        return
    if any(tally.stated.values()):
        raise ConfigurationError(
            f"{head.file_name} states a total and has no line, so nothing can be compared; nothing was imported",
            advice="ask the party for the lines, or look whether the mapping names the right words for a total",
        )
    if not _corrects(head, replaced):
        raise ConfigurationError(
            f"{head.file_name} has a header and no line, so it is no statement; nothing was imported",
            advice=f"is it the right file? To withdraw a statement of {head.period} that was imported by mistake, import this file with "
            "--statement and the name of that one (see: replicator reconcile statements)",
        )


def _not_begun(head: Head) -> ConfigurationError:
    return ConfigurationError(
        f"{head.period} has not begun, so {head.file_name} cannot be its statement; nothing was imported",
        advice="give the month of the statement's calls with --period; for a fee that is billed in advance, wait until the month begins",
    )


def _corrects(head: Head, replaced: Sequence[Stored]) -> bool:
    """Say whether a statement replaces one of its own name and month."""
    return any((old.period, old.name) == (head.period, head.name) for old in replaced)


def _imported(
    tx: Any,
    statement: Stored,
    mapping: Mapping,
    *,
    is_new: bool,
    replaced: Sequence[Stored] = (),
    unread: Sequence[str] = (),
) -> Imported:
    unturned = [kind for kind in (Kind.CREDIT, Kind.DISCOUNT) if kind not in mapping.format.reversed]
    charged = statements.charges(tx, statement.id, unturned)
    return Imported(statement, is_new, replaced, _problems(tx, statement), _beside(tx, statement), unread, charged)


def _problems(tx: Any, statement: Stored) -> list[tuple[int, str]]:
    return [(row["number"], row["problem"]) for row in statements.unreadable(tx, statement.id, LISTED)]


def _beside(tx: Any, statement: Stored) -> list[Stored]:
    return [
        other
        for other in statements.listed(tx, statement.account, statement.period)
        if other.party == statement.party and other.is_in_force and other.lines and other.id != statement.id
    ]


class _Tally:
    """Counts lines and sums amounts, exactly."""

    def __init__(self) -> None:
        self.lines = 0
        self.unreadable = 0
        self.total: dict[str, Decimal] = {}
        self.stated: dict[str, Decimal] = {}
        """The totals that the file states: of several for a currency, the last."""

    def add(self, line: Line | Unread) -> None:
        self.lines += 1
        if isinstance(line, Unread):
            self.unreadable += 1
        elif line.amount is not None:
            self.total[line.currency] = EXACT.add(self.total.get(line.currency, Decimal(0)), line.amount)


def _pieces(statement: int, lines: Iterator[Read], tally: _Tally) -> Iterator[str]:
    """Yield the lines as text in COPY's format."""
    piece: list[str] = []
    for read in lines:
        if isinstance(read.line, Total):
            tally.stated[read.line.currency] = read.line.amount
            continue
        tally.add(read.line)
        piece.append(_row(statement, read))
        if len(piece) == LINES_OF_A_PIECE:
            yield "".join(piece)
            piece.clear()
    yield "".join(piece)


def _texts(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {code: f"{amount:f}" for code, amount in sorted(amounts.items())}


def _row(statement: int, read: Read) -> str:
    line, original = read.line, escaped(read.original)
    assert not isinstance(line, Total)  # noqa: S101 - it is counted, and not stored as a line
    if isinstance(line, Unread):
        return f"{statement}\t{line.number}" + f"\t{NULL}" * 12 + f"\t{original}\t{escaped(line.problem)}\n"
    return (
        f"{statement}\t{line.number}\t{_text(line.line_id)}\t{line.call_id or NULL}\t{_text(line.provider_id)}\t"
        f"{line.started_at.isoformat() if line.started_at else NULL}\t"
        f"{NULL if line.duration_seconds is None else line.duration_seconds}\t{_text(line.from_number)}\t"
        f"{_text(line.phone_number)}\t{line.direction or NULL}\t{NULL if line.amount is None else format(line.amount, 'f')}\t"
        f"{line.currency}\t{line.kind}\t{_text(line.description)}\t{original}\t{NULL}\n"
    )


def _text(text: str | None) -> str:
    return NULL if text is None else escaped(text)
