"""Says whether the replica is complete and proven at the end of a run, and if not, what is missing. Pure.

Complete and proven means: every call that the source listed when its head was last read is stored, and every stretch of
the list was compared and proven. Details that the source does not have yet are not missing; details that are due and
were not asked for are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from replicator.store.doubts import WORDS, Doubt
from replicator.sync.coverage.ledger import BEGINNING, END, Interval, Piece
from replicator.sync.engine.state import failing
from replicator.sync.protocol.results import Gap, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from replicator.sync.engine.position import Position

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Found:
    """What the replica holds at the end of a run, beside the engine's position."""

    details_due: int = 0
    suspected: int = 0
    """Calls that are missing at the source and not yet confirmed as deleted."""
    unreadable_rows: int = 0
    """Rows of the list that could not be read, or were never shown: each is a call that may be missing."""
    waves: Mapping[str, datetime] | None = None
    """{kind of detail: since when far more of them are absent than usual}."""


def gaps(position: Position, result: Result, found: Found) -> tuple[Gap, ...]:
    """Return what keeps the replica from being complete and proven, the most important first; empty where nothing
    does.
    """
    return tuple(_gaps(position, result, found))


def _gaps(position: Position, result: Result, found: Found) -> Iterator[Gap]:
    state = position.state
    if position.source.head_at is None:
        yield Gap("head_not_read", "the newest end of the list was not read by this run")
    yield from _not_listed(position)
    yield from _unsure(state.ledger.pieces)
    for left in failing(state):
        until = left.hole.until
        shown = "the newest end" if until == END else f"a part of the list that ends at {_day(until)}"
        words = f"every page of {shown} fails at the source: it is tried again by the next sync"
        yield Gap("failing", words, left.failed_at)
    if state.search is not None and result is not Result.DONE:
        yield Gap("search_open", "the source and the replica count differently, and the search for it is not over")
    elif (surplus := _unexplained(position, found)) is not None:
        yield _difference(surplus)
    if found.unreadable_rows:
        yield Gap(
            "unreadable_rows", f"{_many(found.unreadable_rows, 'row')} of the list could not be read (quarantine)"
        )
    if state.comparison is not None and state.comparison.left(state.ledger) is not None:
        yield Gap("not_compared", "not all that this run was asked to compare was compared")
    if found.details_due:
        many = _many(found.details_due, "transcript or recording", "transcripts and recordings")
        yield Gap("details_left", f"{many} not asked for yet")
    for kind, since in sorted((found.waves or {}).items()):
        yield Gap("wave_of_absences", f"far more {kind}s are missing at the source than usual", since)


def _not_listed(position: Position) -> Iterator[Gap]:
    ledger = position.state.ledger
    if not ledger.pieces:
        yield Gap("not_listed", "no part of the list was read yet")
        return
    holes = ledger.holes(Interval(BEGINNING, ledger.top))
    if holes and holes[-1].since == BEGINNING:
        yield Gap("not_listed", f"calls created before {_day(holes[-1].until)} are not listed yet")
        holes = holes[:-1]
    if holes:
        shown = f"{_day(holes[0].since)} to {_day(holes[0].until)}"
        more = f" and {_many(len(holes) - 1, 'other stretch', 'other stretches')}" if len(holes) > 1 else ""
        yield Gap("not_listed", f"calls created from {shown}{more} are not listed yet")


def _unsure(pieces: Sequence[Piece]) -> Iterator[Gap]:
    """Return a gap for each reason why stretches are unsure, with their days and since when."""

    def reason(piece: Piece) -> str:
        return piece.reason or Doubt.OTHER

    doubtful = sorted((piece for piece in pieces if not piece.is_proven), key=reason)
    for code, group in groupby(doubtful, reason):
        same = list(group)
        yield Gap(code, f"{_stretches(same)}: {WORDS[Doubt(code)]}", min(piece.verified_at for piece in same))


def _stretches(pieces: Sequence[Piece]) -> str:
    """Return which stretches of the list these pieces are, in words."""
    since, until = min(piece.since for piece in pieces), max(piece.until for piece in pieces)
    if since == BEGINNING:
        return f"unsure before {_day(until)}"
    days = len(set(_days(pieces)))
    if days == 1:
        return f"unsure on {_day(since)}"
    return f"unsure on {days} days from {_day(since)} to {_day(until - timedelta(microseconds=1))}"


def _days(pieces: Iterable[Piece]) -> Iterator[str]:
    for piece in pieces:
        at = piece.since
        while at < piece.until:
            yield _day(at)
            at = at.replace(hour=0, minute=0, second=0, microsecond=0) + DAY


def _unexplained(position: Position, found: Found) -> int | None:
    """Return by how many calls the replica exceeds the source's count, where nothing explains it; None where it does not.

    The total of a capped list says nothing. A count that this run has not compared (it was asked for one stretch only)
    counts as it is.
    """
    total, live = position.source.total, position.live
    if total is not None and total == position.state.capped_at:
        return None
    if position.is_total_new and total is not None and live is not None:
        return live - total - found.suspected or None
    return position.difference or None


def _difference(surplus: int) -> Gap:
    if surplus < 0:
        return Gap("fewer_stored", f"the source counts {_many(-surplus, 'call')} more than are stored")
    return Gap("more_stored", f"{_many(surplus, 'call')} more are stored than the source counts")


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"
