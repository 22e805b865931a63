"""The request budget of one API key: how many requests may be sent now, and if none, when again.

Pure: time is an argument, the books are values; `store/budgets.py` keeps them in the database so that restarts and
several processes together never exceed the limit. The rules:

- The source counts requests in fixed windows of its own clock, so windows are numbered by *its* time: the number of
  whole `window_seconds` since 1970. Our clock may be wrong by minutes; each answer narrows the offset between the two
  clocks to an interval. A moment that may lie in two windows is charged to both.
- Every attempt is charged before it is sent, retries included. A request still in flight when a window begins may be
  counted there too, so it is charged there too.
- What an earlier process knew of the clocks only names the windows: until an answer confirms it, one request is under
  way at a time and no count is forgotten, so a clock that was set meanwhile costs one request too many at most.
- After a 429 nothing is sent before its `reset_at`. The limit that it names caps ours; it never raises it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import floor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_WAIT = timedelta(seconds=120)
"""A reset_at further away than this (and than two windows) is taken for nonsense and cut."""
SHORTEST_WAIT = timedelta(milliseconds=50)
KEPT_SHARE = 0.4
"""Share of a window that is not spent on history at once but given out over the window's time: what is new comes up at
any moment, and a window that is spent in its first second would let it wait for the next one."""
KEPT_WINDOWS = 5
"""Windows before the present one whose counts are kept: nothing asks for older ones."""
KEPT_UNSURE = timedelta(days=2)
"""How far back they are kept while it is not sure which one the present window is."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """The server's clock minus ours lies between `low` and `high`."""

    low: timedelta
    high: timedelta

    def narrowed(self, other: ClockOffset) -> ClockOffset:
        """Return what both say; where they contradict each other a clock was set, and the newer one holds."""
        both = ClockOffset(max(self.low, other.low), min(self.high, other.high))
        return both if both.low <= both.high else other


def offset_seen(sent_at: datetime, received_at: datetime, server_time: datetime) -> ClockOffset:
    """Return what one answer says of the clocks. A server time without a fraction was cut to the whole second."""
    resolution = timedelta(0) if server_time.microsecond else timedelta(seconds=1)
    low, high = server_time - received_at, server_time + resolution - sent_at
    # Set back while the request was under way, our clock may say that the answer came before the question.
    return ClockOffset(min(low, high), max(low, high))


class Completion(NamedTuple):
    """What one request's end tells the budget: our clock when it was sent and when it ended, the server's in between."""

    sent_at: datetime
    received_at: datetime
    server_time: datetime | None


@dataclass(frozen=True, slots=True)
class Budget:
    """The books of one key. `limit` is what we allow ourselves per window (None: the source has no limit)."""

    limit: int | None
    window_seconds: float = 60.0
    clock: ClockOffset | None = None
    charged: Mapping[int, int] = field(default_factory=dict)
    """Requests charged to each window, by its number."""
    flying: Mapping[int, int] = field(default_factory=dict)
    """Requests in flight, by the last window that they are charged to."""
    not_before: datetime | None = None
    """After a 429: our clock's time before which nothing is sent."""
    is_clock_seen: bool = False
    """An answer has told of the clocks, and ours cannot have been set since."""

    @property
    def _clock(self) -> ClockOffset:
        """What is known of the clocks. Only where windows begin matters, so an unknown offset is one of half a window."""
        half = timedelta(seconds=self.window_seconds / 2)
        return self.clock or ClockOffset(-half, half)

    def windows(self, since: datetime, until: datetime | None = None) -> range:
        """Return the numbers of the server's windows that may hold a moment (or a stretch) of our clock."""
        clock, until = self._clock, until or since
        first = floor((min(since, until) + clock.low - EPOCH).total_seconds() / self.window_seconds)
        last = floor((max(since, until) + clock.high - EPOCH).total_seconds() / self.window_seconds)
        return range(first, last + 1)

    def allowance(self, now: datetime) -> int | None:
        """Return how many requests may be sent now; None means as many as wanted."""
        if self.not_before is not None and now < self.not_before:
            return 0
        if self.limit is None:
            return None
        if not self.is_clock_seen and self.flying:
            return 0  # the first answer tells where the server's windows lie
        free = min(
            self.limit
            - self.charged.get(window, 0)
            - sum(count for last, count in self.flying.items() if last < window)
            for window in self.windows(now)
        )
        return max(0, free if self.is_clock_seen else min(free, 1))

    def spare(self, now: datetime) -> int | None:
        """Return how many requests may be sent now for what can wait; None means as many as wanted."""
        allowance = self.allowance(now)
        if allowance is None or self.limit is None:
            return None
        left = (self.closes_at(now) - now).total_seconds() / self.window_seconds
        kept = floor(self.limit * KEPT_SHARE * min(1.0, max(0.0, left)))
        # Before the clocks are known the allowance is one request at a time; what is kept is no part of that one.
        return max(0, allowance - kept) if self.is_clock_seen else allowance

    def spares_at(self, now: datetime) -> datetime:
        """Return when to look again after `spare` was 0 and `allowance` was not: when one more is given out."""
        step = self.window_seconds / max(1.0, (self.limit or 1) * KEPT_SHARE)
        return min(self.opens_at(now), now + timedelta(seconds=step))

    def opens_at(self, now: datetime) -> datetime:
        """Return when to look again after `allowance` was 0: the end of the 429, or of the present window."""
        if self.not_before is not None and now < self.not_before:
            return self.not_before
        clock = self._clock
        window = self.windows(now)[0]
        begins = EPOCH + timedelta(seconds=(window + 1) * self.window_seconds) - clock.low
        return max(begins, now + timedelta(milliseconds=1))

    def closes_at(self, now: datetime) -> datetime:
        """Return until when a request charged now may still be sent: later it would count in a window not charged."""
        clock = self._clock
        window = self.windows(now)[-1]
        return EPOCH + timedelta(seconds=(window + 1) * self.window_seconds) - clock.high

    def oldest_kept(self, now: datetime) -> int:
        """Return the oldest window that anything may still ask for: one of days ago while the clocks are not sure."""
        kept = KEPT_WINDOWS if self.is_clock_seen else floor(KEPT_UNSURE / timedelta(seconds=self.window_seconds))
        return self.windows(now)[0] - kept

    def charge(self, now: datetime, requests: int) -> Budget:
        """Return the books with `requests` about to be sent now."""
        windows = self.windows(now)
        oldest = self.oldest_kept(now)
        charged = {w: n for w, n in self.charged.items() if w >= oldest}
        for window in windows:
            charged[window] = charged.get(window, 0) + requests
        flying = dict(self.flying)
        flying[windows[-1]] = flying.get(windows[-1], 0) + requests
        return replace(self, charged=charged, flying=flying)

    def completed(self, *answers: Completion) -> Budget:
        """Return the books after answers (or failures) came in: each is charged to every window it may count in."""
        flying, charged, books = dict(self.flying), dict(self.charged), self
        for sent_at, received_at, server_time in answers:
            already = books.windows(sent_at)
            known = already[-1] if flying.get(already[-1]) else min(flying, default=None)
            if known is not None:
                flying[known] -= 1
                if not flying[known]:
                    del flying[known]
            # Until the first answer the windows' numbers are guesses: what was charged to those counts in the real ones.
            more = 1 if books.clock is not None or server_time is None else max(charged.values(), default=1)
            if server_time is not None:
                seen = offset_seen(sent_at, received_at, server_time)
                clock = seen if books.clock is None else books.clock.narrowed(seen)
                if clock != books.clock or not books.is_clock_seen:
                    books = replace(books, clock=clock, is_clock_seen=True)
            for window in books.windows(sent_at, received_at):
                if window not in already:
                    charged[window] = charged.get(window, 0) + more
        return replace(books, flying=flying, charged=charged)

    def refused(self, now: datetime, reset_at: datetime | None, limit: int | None, headroom: float) -> Budget:
        """Return the books after a 429. `reset_at` is the server's time, `limit` what it says it allows a window."""
        clock = self.clock or ClockOffset(timedelta(0), timedelta(0))
        window = timedelta(seconds=self.window_seconds)
        ours = replace(self, not_before=None).opens_at(now) if reset_at is None else reset_at - clock.low
        longest = max(LONGEST_WAIT, 2 * window)
        if ours <= now or ours > now + longest:
            ours = min(max(replace(self, not_before=None).opens_at(now), now + SHORTEST_WAIT), now + longest)
        learned = self.limit
        if limit is not None and limit > 0:
            allowed = with_headroom(limit, headroom)
            learned = allowed if learned is None else min(learned, allowed)
        later = ours + SHORTEST_WAIT
        if self.not_before is not None:
            later = max(later, self.not_before)
        return replace(self, not_before=later, limit=learned)


def with_headroom(limit: int, headroom: float) -> int:
    """Return how many of `limit` requests we use, leaving the share `headroom` to the customer's own traffic."""
    return max(1, floor(limit * (1 - headroom)))
