"""The coverage ledger: which intervals of `created_at` were compared with the source, when, and whether they are
proven.

Pure: no network, database, clock or randomness; time is an argument. Everything here rests on one lemma:

    A list response is an atomic snapshot of a contiguous slice of the source's list. It proves that its rows were
    present, and that no other call existed whose created_at lies strictly between those of its first and last row.
    At offset 0 the slice is open upwards; a proven last page is open downwards.

`prove` and `prove_empty` are the only functions that turn a list response into coverage; partitions.py counts a range by
filters instead. So no choice of pages can produce a false claim; it only decides how soon the true claims are made.
Intervals are half-open [since, until) with a resolution of one microsecond, as in Python and PostgreSQL, so the open
interval (a, b) is [a + 1 µs, b).
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
"""After every call: the upper bound of the hole that the head poll closes. It is never recorded as covered."""

UNREADABLE_EVERY = timedelta(hours=1)
"""The shortest time between two looks at a stretch with an unreadable row: each look has to narrow its pages to that
row.
"""

AGAIN_AFTER = timedelta(minutes=5)
"""The shortest time between two looks of one run at the same stretch."""

FILTERED = frozenset({Doubt.TIE, Doubt.SPLIT_TIE, Doubt.ROUND, Doubt.CAPPED, Doubt.SLICED, Doubt.SPLIT_CAP})
"""Reasons of stretches that only filters can show more of: to walk through them again shows nothing new."""

HEAD_MARGIN = timedelta(seconds=5)
"""A page at offset 0 is trusted only up to this long before the server's clock, because a row may be committed a little
later than its created_at says.
"""


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Instants of `created_at` from `since` (included) to `until` (excluded)."""

    since: datetime
    until: datetime

    def __bool__(self) -> bool:
        return self.since < self.until

    def overlap(self, other: Interval) -> Interval:
        """Return the common part; an empty interval (false) where there is none."""
        return Interval(max(self.since, other.since), min(self.until, other.until))


EVERYTHING = Interval(BEGINNING, END)


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """One interval of the ledger: compared with the source at `verified_at`, and proven, or unsure for a `reason`."""

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
    """Return how the rows of one response are sorted by `created_at`; a page whose rows are all equal counts as
    descending.
    """
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

    `created` holds the created_at of the rows in the order received; `server_time` is the server's clock in the answer.
    `is_last` says that the list is proven to end right behind this response.
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
    """Return what an empty list proves: no call was created up to the moment of the answer. None without the server's
    clock.
    """
    return Interval(BEGINNING, server_time - HEAD_MARGIN) if server_time else None


@dataclass(frozen=True, slots=True)
class RenewalRule:
    """Calls younger than `age` are compared again every `every`."""

    age: timedelta
    every: timedelta


@dataclass(frozen=True, slots=True)
class RenewalPolicy:
    """How soon an interval is due again, by the age of its calls. The rules are sorted by rising age; the last has no
    limit.
    """

    rules: tuple[RenewalRule, ...]
    grain: timedelta | None = None
    """Looks further apart than this are kept apart, even where the rules would let them be joined."""
    fence: datetime | None = None
    """Looks before this instant are never joined with looks at or after it."""

    def every(self, age: timedelta) -> timedelta:
        """Return the time between two comparisons for calls of this age."""
        return self.rules[self.age_class(age)].every

    def are_joined(self, one: datetime, other: datetime, age: timedelta) -> bool:
        """Say whether two looks at neighbouring calls of this age may count as one, made at the earlier of both times.

        A tenth of the time between two comparisons is little enough, and keeps the ledger small.
        """
        tolerance = self.every(age) / 10
        if self.grain is not None:
            tolerance = min(tolerance, self.grain)
        if self.fence is not None and (one < self.fence) != (other < self.fence):
            return False
        return abs(one - other) <= tolerance

    def age_class(self, age: timedelta) -> int:
        """Return the index of the age class for calls of this age; 0 is the youngest."""
        return next((number for number, rule in enumerate(self.rules) if age < rule.age), len(self.rules) - 1)

    def classes(self, now: datetime) -> Iterator[tuple[Interval, timedelta]]:
        """Yield the age classes as intervals of created_at, newest first, each with the time between
        two comparisons.
        """
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
        """Return the ledger without everything at or after an instant: the same ledger, where there is nothing."""
        if not self.pieces or self.pieces[-1].until <= instant:
            return self
        return Ledger(_without(self.pieces, Interval(instant, END)))

    def without(self, stretch: Interval) -> Ledger:
        """Return the ledger without a stretch."""
        return Ledger(_without(self.pieces, stretch))

    def at(self, instant: datetime) -> Piece | None:
        """Return the piece that contains this instant; None where it is in a hole."""
        index = bisect_right(self.pieces, instant, key=lambda piece: piece.since) - 1
        if index >= 0 and instant < self.pieces[index].until:
            return self.pieces[index]
        return None

    def holes(self, within: Interval = EVERYTHING) -> tuple[Interval, ...]:
        """Return the holes (intervals that were never compared) inside `within`, newest first."""
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
        """Return the ledger with `new` recorded.

        Where pieces overlap, proof wins over doubt of the same look or an older one, and otherwise the later look wins.
        Neighbours compared at about the same time are joined, with the older of their times.
        """
        fresh: tuple[Piece, ...] = (new,)
        for old in self.pieces:
            if not _beats(new, old):
                fresh = _without(fresh, old.interval)
        kept = self.pieces
        for part in fresh:
            kept = _without(kept, part.interval)
        return Ledger(tuple(_coalesce(sorted(kept + fresh), new.verified_at, policy)))

    def stalest(self, before: datetime, doubts_before: datetime) -> Interval | None:
        """Return the stretch to be re-read first, of what was compared before an instant (unsure: before another).

        It begins at the upper end of the piece with the oldest look, and goes down as far as all was compared before
        that instant: to read on costs less than to begin a walk at each piece.
        """

        def is_stale(piece: Piece) -> bool:
            if piece.is_proven:
                return piece.verified_at < before
            return piece.reason not in FILTERED and piece.verified_at < doubts_before

        stale = [number for number, piece in enumerate(self.pieces) if is_stale(piece)]
        if not stale:
            return None
        oldest = min(stale, key=lambda number: (self.pieces[number].verified_at, -number))
        lowest = oldest
        while (
            lowest and is_stale(self.pieces[lowest - 1]) and self.pieces[lowest - 1].until == self.pieces[lowest].since
        ):
            lowest -= 1
        return Interval(self.pieces[lowest].since, self.pieces[oldest].until)

    def last_compared_before(self, instant: datetime, within: Interval = EVERYTHING) -> Interval | None:
        """Return the newest stretch inside `within` that was last compared before an instant, over neighbours; else None."""
        found: Interval | None = None
        for piece in reversed(self.pieces):
            common = piece.interval.overlap(within)
            if not common or piece.verified_at >= instant:
                if found is not None:
                    break
                continue
            if found is not None and common.until != found.since:
                break
            found = common if found is None else Interval(common.since, found.until)
        return found

    def due(self, now: datetime, policy: RenewalPolicy, begun_at: datetime | None = None) -> Interval | None:
        """Return the stretch that should be compared again first, or None.

        It is taken from the youngest age class in which something is overdue: the connected overdue stretch with the
        oldest look, not the newest stretch. Otherwise, if a class is too large to be read in its time, its oldest part
        would wait for ever. What was compared since `begun_at` is not due again for a while, whatever the policy says,
        or a run might never end.
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
    """Say whether a new look replaces an old one. Doubt never replaces a proof of the same moment or later."""
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
    """Join neighbours that are equally proven (with the same reason), if the policy says that their looks are close.

    The joined piece takes the older time: the ledger may show data as slightly older than it is, and never as fresher.
    """
    waiting: Piece | None = None
    for piece in pieces:
        if waiting is None:
            waiting = piece
        elif _are_alike(waiting, piece) and _are_close(waiting, piece, now, policy):
            older = min(waiting.verified_at, piece.verified_at)
            waiting = replace(waiting, until=piece.until, verified_at=older)
        else:
            yield waiting
            waiting = piece
    if waiting is not None:
        yield waiting


def _are_alike(older: Piece, newer: Piece) -> bool:
    """Say whether two pieces are neighbours that say the same."""
    return older.until == newer.since and older.is_proven == newer.is_proven and older.reason == newer.reason


def _are_close(older: Piece, newer: Piece, now: datetime, policy: RenewalPolicy) -> bool:
    """Say whether the looks of two neighbours may be joined. Each look at an unreadable row is dear: it may be early."""
    one, other = older.verified_at, newer.verified_at
    if newer.reason == Doubt.UNREADABLE and abs(one - other) <= UNREADABLE_EVERY / 10:
        return True
    return policy.are_joined(one, other, now - min(newer.until, now))


def difference(before: Ledger, after: Ledger) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return the pieces to remove and the pieces to add that turn one ledger into the other."""
    old, new = set(before.pieces), set(after.pieces)
    return tuple(sorted(old - new)), tuple(sorted(new - old))
