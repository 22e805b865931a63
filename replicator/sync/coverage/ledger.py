"""The coverage ledger: which intervals of `created_at` were compared with the source, when, and whether it is proven.

Pure: no network, database, clock or randomness; time is an argument. Everything here rests on one lemma:

    A list response is an atomic snapshot of a contiguous slice of the source's list. It proves that its rows were
    present, and that no other call existed whose created_at lies strictly between those of its first and last row.
    At offset 0 the slice is open upwards; a proven last page is open downwards.

`prove` is the only function that turns a response into coverage, so no cleverness of the pager can make a false
claim: it only decides how soon the true ones arrive. Intervals are half-open [since, until) on the lattice of
microseconds, the resolution that both Python and PostgreSQL keep, so the open interval (a, b) is [a + 1 µs, b).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from replicator.store.doubts import Doubt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from replicator.records import Order

TICK = timedelta(microseconds=1)
BEGINNING = datetime.min.replace(tzinfo=UTC)
"""Before every call: the lower bound of an interval that is open downwards."""
END = datetime.max.replace(tzinfo=UTC)
"""After every call: the upper bound of the hole that the head poll closes. Never recorded as covered."""

UNREADABLE_EVERY = timedelta(hours=1)
"""How often a stretch with a row that cannot be read is looked at again at most: each look narrows pages down to the row."""

AGAIN_AFTER = timedelta(minutes=5)
"""How soon one run looks at a stretch for the second time at most."""

HEAD_MARGIN = timedelta(seconds=5)
"""How far behind the server's clock a page at offset 0 is believed: a row's transaction may commit a little later
than the created_at that it carries."""


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Instants of `created_at` from `since` (included) to `until` (excluded)."""

    since: datetime
    until: datetime

    def __bool__(self) -> bool:
        return self.since < self.until

    def overlap(self, other: Interval) -> Interval:
        """Return the common part; it is empty (false) where there is none."""
        return Interval(max(self.since, other.since), min(self.until, other.until))


EVERYTHING = Interval(BEGINNING, END)


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """One interval of the ledger: compared with the source at `verified_at`, proven or unsure (and why)."""

    since: datetime
    until: datetime
    verified_at: datetime
    is_proven: bool = True
    reason: Doubt | None = None
    """Why it is unsure."""

    @property
    def interval(self) -> Interval:
        return Interval(self.since, self.until)


def order_of(created: Sequence[datetime | None]) -> Order:
    """Return how the rows of one response are sorted by `created_at`; a page without contrast counts as descending."""
    known = [at for at in created if at is not None]
    if all(a >= b for a, b in pairwise(known)):
        return "descending"
    if all(a <= b for a, b in pairwise(known)):
        return "ascending"
    return "mixed"


def prove(
    created: Sequence[datetime | None],
    *,
    offset: int,
    server_time: datetime | None,
    is_last: bool = False,
) -> Interval | None:
    """Return the interval that one response proves, or None where it proves nothing.

    `created` holds each row's created_at in the order received, `server_time` the server's clock at its answer.
    `is_last` says that the end of the list was proven to lie right behind this response.
    """
    known = [at for at in created if at is not None]
    order = order_of(created)
    if order == "mixed":
        return None
    if not known:
        return None
    first, last = known[0], known[-1]
    newest_end, oldest_end = offset == 0, is_last
    if order == "ascending":
        first, last = last, first
        newest_end, oldest_end = is_last, offset == 0
    until = first
    if newest_end:
        until = max(first + TICK, server_time - HEAD_MARGIN) if server_time else first + TICK
    interval = Interval(BEGINNING if oldest_end else last + TICK, until)
    return interval or None


def prove_empty(server_time: datetime | None) -> Interval | None:
    """Return what an empty list proves: no call at all up to the moment of the answer, if the server said when."""
    return Interval(BEGINNING, server_time - HEAD_MARGIN) if server_time else None


@dataclass(frozen=True, slots=True)
class RenewalRule:
    """Calls younger than `age` are compared again every `every`."""

    age: timedelta
    every: timedelta


@dataclass(frozen=True, slots=True)
class RenewalPolicy:
    """How soon an interval is due again, by the age of its calls; rules by rising age, the last one open-ended."""

    rules: tuple[RenewalRule, ...]

    def every(self, age: timedelta) -> timedelta:
        """Return the time between two comparisons for calls of this age."""
        return self.rules[self.age_class(age)].every

    def age_class(self, age: timedelta) -> int:
        """Return the number of the age class of calls of this age, 0 the youngest."""
        return next((number for number, rule in enumerate(self.rules) if age < rule.age), len(self.rules) - 1)

    def classes(self, now: datetime) -> Iterator[tuple[Interval, timedelta]]:
        """Yield the age classes as intervals of created_at, newest first, each with its period."""
        until = END
        for rule in self.rules[:-1]:
            since = now - rule.age
            yield Interval(since, until), rule.every
            until = since
        yield Interval(BEGINNING, until), self.rules[-1].every


DEFAULT_POLICY = RenewalPolicy(
    tuple(
        RenewalRule(timedelta(hours=age), timedelta(minutes=every))
        for age, every in (
            (6, 10),
            (24, 60),
            (7 * 24, 24 * 60),
            (30 * 24, 7 * 24 * 60),
            (365 * 24, 30 * 24 * 60),
            (100 * 365 * 24, 90 * 24 * 60),
        )
    )
)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Disjoint pieces, oldest first. Immutable: every change gives a new ledger."""

    pieces: tuple[Piece, ...] = ()

    @property
    def top(self) -> datetime:
        """The upper end of coverage, or BEGINNING where nothing is covered."""
        return self.pieces[-1].until if self.pieces else BEGINNING

    def until(self, instant: datetime) -> Ledger:
        """Return the ledger without what lies at or after an instant: itself, where nothing does."""
        if not self.pieces or self.pieces[-1].until <= instant:
            return self
        return Ledger(_without(self.pieces, Interval(instant, END)))

    def at(self, instant: datetime) -> Piece | None:
        """Return the piece that holds this instant."""
        index = bisect_right(self.pieces, instant, key=lambda piece: piece.since) - 1
        if index >= 0 and instant < self.pieces[index].until:
            return self.pieces[index]
        return None

    def holes(self, within: Interval = EVERYTHING) -> tuple[Interval, ...]:
        """Return what was never compared inside `within`, newest first."""
        found: list[Interval] = []
        until = within.until
        for piece in reversed(self.pieces):
            if piece.since >= within.until:
                continue
            if piece.until <= within.since:
                break
            if piece.until < until:
                found.append(Interval(piece.until, until))
            until = min(until, piece.since)
        if within.since < until:
            found.append(Interval(within.since, until))
        return tuple(found)

    def is_proven(self, interval: Interval) -> bool:
        """Say whether every instant of the interval was compared and proven."""
        return not self.holes(interval) and all(
            piece.is_proven for piece in self.pieces if piece.interval.overlap(interval)
        )

    def record(self, new: Piece, policy: RenewalPolicy = DEFAULT_POLICY) -> Ledger:
        """Return the ledger with `new` in it. Where pieces overlap, proof beats doubt of the same look or older, and
        the later look beats the earlier; neighbours of about the same age become one, at the older of their times.
        """
        fresh: tuple[Piece, ...] = (new,)
        for old in self.pieces:
            if not _beats(new, old):
                fresh = _without(fresh, old.interval)
        kept = self.pieces
        for part in fresh:
            kept = _without(kept, part.interval)
        return Ledger(tuple(_coalesce(sorted(kept + fresh), new.verified_at, policy)))

    def due(self, now: datetime, policy: RenewalPolicy, begun_at: datetime | None = None) -> Interval | None:
        """Return what should be compared again first, or None: of the youngest age class in which something is older
        than its age allows, the connected stretch with the oldest look. What was looked at since `begun_at` is not due
        again at once, whatever the policy: else a run might never end.

        Not the newest one: where a class is more than can be read in its time, its oldest part would wait for ever.
        """
        for age_class, every in policy.classes(now):
            oldest: datetime | None = None
            found = stretch = None
            for piece in reversed(self.pieces):
                if piece.until <= age_class.since:
                    break
                wait = max(every, UNREADABLE_EVERY) if piece.reason == Doubt.UNREADABLE else every
                if begun_at is not None and piece.verified_at >= begun_at:
                    wait = max(wait, AGAIN_AFTER)
                if now - piece.verified_at < wait or not (common := piece.interval.overlap(age_class)):
                    stretch = None
                    continue
                if stretch is not None and stretch.since == common.until:
                    stretch = Interval(common.since, stretch.until)
                    is_found = found is not None and found.until == stretch.until
                else:
                    stretch, is_found = common, False
                if oldest is None or piece.verified_at < oldest:
                    oldest, is_found = piece.verified_at, True
                if is_found:
                    found = stretch
            if found is not None:
                return found
        return None


def _beats(new: Piece, old: Piece) -> bool:
    """Say whether a new look replaces an old one: doubt never replaces a proof of the same moment or later."""
    if old.is_proven and not new.is_proven:
        return new.verified_at > old.verified_at
    return new.verified_at >= old.verified_at


def _without(pieces: tuple[Piece, ...], out: Interval) -> tuple[Piece, ...]:
    """Return the pieces with the interval `out` cut from them."""
    return tuple(
        part
        for piece in pieces
        for part in (
            (piece,)
            if not piece.interval.overlap(out)
            else (
                replace(piece, until=min(piece.until, out.since)),
                replace(piece, since=max(piece.since, out.until)),
            )
        )
        if part.since < part.until
    )


def _coalesce(pieces: Iterable[Piece], now: datetime, policy: RenewalPolicy) -> Iterator[Piece]:
    """Join neighbours of the same quality whose looks are at most a tenth of their renewal period apart.

    The joined piece takes the older time: the ledger may understate freshness a little, and never overstates it.
    """
    waiting: Piece | None = None
    for piece in pieces:
        if waiting is None:
            waiting = piece
            continue
        tolerance = policy.every(now - min(piece.until, now)) / 10
        if piece.reason == Doubt.UNREADABLE:
            tolerance = max(tolerance, UNREADABLE_EVERY / 10)
        if (
            waiting.until == piece.since
            and waiting.is_proven == piece.is_proven
            and waiting.reason == piece.reason
            and abs(waiting.verified_at - piece.verified_at) <= tolerance
        ):
            older = min(waiting.verified_at, piece.verified_at)
            waiting = replace(waiting, until=piece.until, verified_at=older)
        else:
            yield waiting
            waiting = piece
    if waiting is not None:
        yield waiting


def difference(before: Ledger, after: Ledger) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return the pieces to remove and the pieces to add that turn one ledger into the other."""
    old, new = set(before.pieces), set(after.pieces)
    return tuple(sorted(old - new)), tuple(sorted(new - old))
