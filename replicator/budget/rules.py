"""The request budget of one API key: how many requests may be sent now, and if none, when to look again.

Pure: time is an argument and the counts are values. `store/budgets.py` stores them, so that the limit is kept over
restarts and by several processes together. The rules:

- The source counts requests in fixed windows of its own clock. So windows are numbered by *its* time: the number of
  whole `window_seconds` since 1970. Our clock may be wrong by minutes; each answer narrows the offset between the two
  clocks to a smaller interval. A moment that may lie in two windows is charged to both.
- Every attempt is charged before it is sent, retries included. A request still in flight when a window begins may be
  counted in that window too, so it is charged there too.
- What an earlier process knew about the clocks is used only to number the windows. Until an answer confirms it, only
  one request is under way at a time and no count is deleted. So if a clock was changed meanwhile, at most one request
  too many is sent.
- After a 429 nothing is sent before its `reset_at`. The limit that it names can lower ours and never raises it.
- An answer whose time contradicts the known offset shows that a clock was set, or comes from a cache. The requests counted
  so far may then be counted in the windows that it names, so they are charged there too.
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
"""A `reset_at` further away than this (and than two windows) is taken for an error: the end of the window counts instead."""
SHORTEST_WAIT = timedelta(milliseconds=50)
KEPT_SHARE = 0.4
"""The share of a window's requests that work on history may not use at once: it is released evenly over the window's
time.

New data can appear at any moment. If the window were used up in its first second, new data would wait for the next one.
"""
KEPT_WINDOWS = 5
"""How many windows before the present one keep their counts: nothing needs older ones. If they were kept, a clock that is set
back by an hour would find each window of that hour used up, and nothing could be sent to learn the right time.
"""
KEPT_UNSURE = timedelta(days=2)
"""How far back counts are kept while it is not certain which window is the present one."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """The server's clock minus ours lies between `low` and `high`."""

    low: timedelta
    high: timedelta

    def narrowed(self, other: ClockOffset) -> ClockOffset:
        """Return the interval on which both agree. If they contradict each other, a clock was changed, and the newer
        one counts.
        """
        both = ClockOffset(max(self.low, other.low), min(self.high, other.high))
        return both if both.low <= both.high else other


def offset_seen(sent_at: datetime, received_at: datetime, server_time: datetime) -> ClockOffset:
    """Return the offset that one answer shows. A server time without a fraction may have been cut to a whole second."""
    resolution = timedelta(0) if server_time.microsecond else timedelta(seconds=1)
    low, high = server_time - received_at, server_time + resolution - sent_at
    # If our clock was set back while the request was under way, the answer may seem to come before the request.
    return ClockOffset(min(low, high), max(low, high))


class Completion(NamedTuple):
    """The end of one request: when it was sent and when it ended (our clock), and the server's time in between, if
    known.
    """

    sent_at: datetime
    received_at: datetime
    server_time: datetime | None


@dataclass(frozen=True, slots=True)
class Budget:
    """The counts of one key. `limit` is how many requests we may send per window (None: the source has no limit)."""

    limit: int | None
    window_seconds: float = 60.0
    clock: ClockOffset | None = None
    charged: Mapping[int, int] = field(default_factory=dict)
    """Requests charged to each window, by its number."""
    flying: Mapping[int, int] = field(default_factory=dict)
    """Requests in flight, by the number of the last window to which they are charged."""
    not_before: datetime | None = None
    """After a 429: the time, by our clock, before which nothing is sent."""
    is_clock_seen: bool = False
    """An answer has shown the offset of the clocks, and our clock cannot have been changed since."""

    @property
    def _clock(self) -> ClockOffset:
        """The known offset. Only the start of the windows matters, so an unknown offset counts as up
        to half a window.
        """
        half = timedelta(seconds=self.window_seconds / 2)
        return self.clock or ClockOffset(-half, half)

    def windows(self, since: datetime, until: datetime | None = None) -> range:
        """Return the numbers of the server's windows in which a moment (or a stretch of time) of our clock may lie."""
        clock, until = self._clock, until or since
        first = floor((min(since, until) + clock.low - EPOCH).total_seconds() / self.window_seconds)
        last = floor((max(since, until) + clock.high - EPOCH).total_seconds() / self.window_seconds)
        return range(first, last + 1)

    def allowance(self, now: datetime) -> int | None:
        """Return how many requests may be sent now; None means no limit."""
        if self.not_before is not None and now < self.not_before:
            return 0
        if self.limit is None:
            return None
        if not self.is_clock_seen and self.flying:
            return 0  # the first answer shows where the server's windows begin
        free = min(self.limit - self.charged.get(window, 0) - self.straddling(window) for window in self.windows(now))
        return max(0, free if self.is_clock_seen else min(free, 1))

    def spare(self, now: datetime) -> int | None:
        """Return how many requests may be sent now for work that can wait; None means no limit."""
        allowance = self.allowance(now)
        if allowance is None or self.limit is None:
            return None
        left = (self.closes_at(now) - now).total_seconds() / self.window_seconds
        kept = floor(self.limit * KEPT_SHARE * min(1.0, max(0.0, left)))
        # Before the clocks are known, the allowance is one request at a time, and nothing is kept back from it.
        return max(0, allowance - kept) if self.is_clock_seen else allowance

    def spares_at(self, now: datetime) -> datetime:
        """Return when to look again if `spare` is 0 and `allowance` is not: when one more request is released."""
        step = self.window_seconds / max(1.0, (self.limit or 1) * KEPT_SHARE)
        return min(self.opens_at(now), now + timedelta(seconds=step))

    def opens_at(self, now: datetime) -> datetime:
        """Return when to look again if `allowance` is 0: at the end of the 429's wait, or of the present window."""
        if self.not_before is not None and now < self.not_before:
            return self.not_before
        clock = self._clock
        window = self.windows(now)[0]
        begins = EPOCH + timedelta(seconds=(window + 1) * self.window_seconds) - clock.low
        return max(begins, now + timedelta(milliseconds=1))

    def closes_at(self, now: datetime) -> datetime:
        """Return until when a request charged now may be sent: later it would count in a window to which it is not
        charged.
        """
        clock = self._clock
        window = self.windows(now)[-1]
        return EPOCH + timedelta(seconds=(window + 1) * self.window_seconds) - clock.high

    def oldest_kept(self, now: datetime) -> int:
        """Return the oldest window whose counts may still be needed: while the clocks are uncertain,
        one of days ago.
        """
        kept = KEPT_WINDOWS if self.is_clock_seen else floor(KEPT_UNSURE / timedelta(seconds=self.window_seconds))
        return self.windows(now)[0] - kept

    def straddling(self, window: int) -> int:
        """Return how many requests are in flight that are charged to earlier windows only, and may count in this one too."""
        return sum(count for last, count in self.flying.items() if last < window)

    def latest_refusal(self, now: datetime) -> datetime:
        """Return the latest `not_before` that a refusal can have set by now. A later one was stored under another clock."""
        return now + self._longest_wait + timedelta(seconds=self.window_seconds)

    @property
    def _longest_wait(self) -> timedelta:
        return max(LONGEST_WAIT, 2 * timedelta(seconds=self.window_seconds))

    def charge(self, now: datetime, requests: int) -> Budget:
        """Return the budget with `requests` charged that are about to be sent now."""
        windows = self.windows(now)
        oldest = self.oldest_kept(now)
        charged = {w: n for w, n in self.charged.items() if w >= oldest}
        for window in windows:
            charged[window] = charged.get(window, 0) + requests
        flying = dict(self.flying)
        flying[windows[-1]] = flying.get(windows[-1], 0) + requests
        return replace(self, charged=charged, flying=flying)

    def completed(self, *answers: Completion) -> Budget:
        """Return the budget after answers (or failures) came in: each is charged to every window in
        which it may count.
        """
        flying, charged, books = dict(self.flying), dict(self.charged), self
        for sent_at, received_at, server_time in answers:
            already = books.windows(sent_at)
            known = already[-1] if flying.get(already[-1]) else min(flying, default=None)
            if known is not None:
                flying[known] -= 1
                if not flying[known]:
                    del flying[known]
            # Before the first answer the windows' numbers are guesses, so their charges are counted in the real windows
            # too.
            more = 1 if books.clock is not None or server_time is None else max(charged.values(), default=1)
            if server_time is not None:
                seen = offset_seen(sent_at, received_at, server_time)
                clock = seen if books.clock is None else books.clock.narrowed(seen)
                if clock != books.clock or not books.is_clock_seen:
                    books = replace(books, clock=clock, is_clock_seen=True)
            for window in books.windows(sent_at, received_at):
                if window not in already:
                    charged[window] = charged.get(window, 0) + more
            if set(already).isdisjoint(books.windows(sent_at)):
                carried = max(charged.get(window, 0) for window in already)
                for window in books.windows(received_at):
                    charged[window] = max(charged.get(window, 0), carried)
        return replace(books, flying=flying, charged=charged)

    def refused(self, now: datetime, reset_at: datetime | None, limit: int | None, headroom: float) -> Budget:
        """Return the budget after a 429. `reset_at` is the server's time; `limit` is the limit per window that it
        names.
        """
        clock = self.clock or ClockOffset(timedelta(0), timedelta(0))
        ours = replace(self, not_before=None).opens_at(now) if reset_at is None else reset_at - clock.low
        longest = self._longest_wait
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
    """Return how many of `limit` requests we may use if the share `headroom` is left to the customer's own traffic."""
    return max(1, floor(limit * (1 - headroom)))
