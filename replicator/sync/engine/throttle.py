"""How closely pages may follow each other at a source that fails when it is asked too fast, and says so with a fault. Pure.

Some limiters answer 500 where others answer 429. One such failure looks like a page that cannot be read; what tells them
apart is time: the page that failed is answered later, unchanged. So before a page is narrowed down, it is asked again after
a real rest. If it is answered then, the source is one that wants to be asked slowly: the gap between pages grows with each
such page, shrinks again in quiet times, and pages are asked one at a time. If it fails after the rest as well, failures of
this source repeat themselves, and the next ones are narrowed down without delay. So they are where no gap helps: a row that
cannot be read moves in its list, and the page that failed is answered because the row has left it. A single row is convicted
only if it fails for longer, beside others that are answered, than all pages failed lately.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replicator.sync.coverage.page import Filter, Lane
    from replicator.sync.coverage.walk import Walk

AT_ONCE = timedelta(0)
FIRST_GAP = timedelta(seconds=0.25)
LONGEST_GAP = timedelta(seconds=10)
STEP = 4
"""So many times longer the gap becomes with each page that failed and was answered later."""
CALM_ANSWERS = 20
"""Answers in a row after which the gap is halved."""
RESTS = (timedelta(seconds=0.05), timedelta(seconds=1), timedelta(seconds=5))
"""After a page's first failures at a source of which nothing is known yet."""
TRIES = 3
"""Failures in a row before a page is narrowed down, at a source that wants to be asked slowly; each rest is twice the last."""
KNOWN_TRIES = 2
"""The same where failures repeat themselves, and for a page that is narrowed down already."""
REMEMBERED = 16
"""Pages that failed, so that it is noticed when they are answered."""
LONGEST_TRIAL = timedelta(seconds=10)
"""So long a suspected row rests at most before it is asked again: pages that failed for longer did so for other reasons."""
OUTAGES = 8
"""So many of the latest times without an answer are remembered: the longest of them is what a trial goes by."""
MOST_TRIALS = 3
"""How often a suspected row is put off: answers to other pages begin its time anew."""
TRIAL_FACTOR = 1.25
"""So much longer than the longest outage lately a row has to fail beside others, before it is taken for unreadable."""
TROUBLE = timedelta(seconds=30)
"""A lane that failed longer ago than this holds up no other."""


@dataclass(slots=True)
class Throttle:
    """What is known of how a source takes to being asked for pages."""

    gap: timedelta = AT_ONCE
    """What is left between two pages, because pages that failed were answered later."""
    repeats: bool = False
    """A page that failed did so again after a rest: its failure is its own."""
    is_refuted: bool = False
    """The longest gap did not help: that pages are answered later has another reason."""
    healed_after: timedelta = AT_ONCE
    """The longest that a page failed that was answered later; a page is asked again for as long before it is narrowed."""
    rest_until: datetime | None = None
    answered_at: datetime | None = None
    failing_since: datetime | None = None
    """When the last page was answered before those that fail now; when the first of them failed, where none was."""
    outages: deque[timedelta] = field(default_factory=lambda: deque(maxlen=OUTAGES))
    """How long it took each time, lately, from a page that was answered over others that failed to the next answer."""
    trials: Counter[Lane] = field(default_factory=Counter)
    """How often a lane's suspected row was put off, to be asked again before it is convicted."""
    calm: int = 0
    in_a_row: Counter[Lane] = field(default_factory=Counter)
    """Failures of a lane's pages since one of them was answered."""
    failed_at: dict[Lane, datetime] = field(default_factory=dict)
    failed: deque[tuple[Filter, int, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """The filter, the offset and the end of pages that failed."""

    def most(self, now: datetime, usual: int) -> int:
        """Return how many pages may be in flight at once."""
        if self.rest_until is not None and now < self.rest_until:
            return 0
        return 1 if self.gap or any(self.trials.values()) or self._trouble(now) else usual

    def answered(self, walk: Walk, now: datetime) -> None:
        """Take note of a page that was answered."""
        self.in_a_row[walk.lane] = self.trials[walk.lane] = 0
        if self.failing_since is not None:
            self.outages.append(now - self.failing_since)
        self.answered_at, self.failing_since = now, None
        if self._forget(walk) and not self.is_refuted:
            self.healed_after = max(self.healed_after, self.outages[-1] if self.outages else AT_ONCE)
            if self.gap >= LONGEST_GAP:
                self._refute()
            else:
                self.gap, self.calm, self.repeats = min(LONGEST_GAP, max(FIRST_GAP, STEP * self.gap)), 0, False
        elif self.calm < CALM_ANSWERS:
            self.calm += 1
        else:
            self.gap, self.calm = (self.gap / 2 if self.gap > FIRST_GAP else AT_ONCE), 0
        self.rest_until = now + max(self.gap, self._trouble(now))

    def failure(self, walk: Walk, now: datetime) -> bool:
        """Take note of a page that failed; say whether it is to be narrowed down now, or asked again as it is."""
        self.failed.append((walk.filter, walk.offset, walk.offset + walk.limit))
        self.in_a_row[walk.lane] += 1
        self.failed_at[walk.lane] = now
        if not walk.is_alive:
            self.failing_since = self.failing_since or self.answered_at or now
        count, failing = self.in_a_row[walk.lane], now - (self.failing_since or now)
        if self.gap and count > TRIES and failing > LONGEST_GAP:
            self._refute()
        is_narrowed = walk.has_failed
        self.rest_until = now + max(self.gap, self._rest(count, is_narrowed=is_narrowed))
        if self.gap:
            is_enough = count >= KNOWN_TRIES if is_narrowed else count >= TRIES and failing >= self.healed_after
        elif self.repeats:
            is_enough = is_narrowed or count >= KNOWN_TRIES
        else:
            is_enough = is_narrowed or count > len(RESTS)
            self.repeats = count > len(RESTS)
        if walk.is_alive and self._is_on_trial(walk, now):
            return False
        return is_enough

    def _is_on_trial(self, walk: Walk, now: datetime) -> bool:
        """Say whether a suspected row is to be asked again, after a rest: an answer just before may have used up what a
        limiter allows.
        """
        longest = max(self.outages, default=AT_ONCE) * TRIAL_FACTOR
        trial_until = (self.answered_at or now) + min(longest, LONGEST_TRIAL)
        self.trials[walk.lane] += 1
        if now >= trial_until or self.trials[walk.lane] > MOST_TRIALS:
            self.trials[walk.lane] = 0
            return False
        self.rest_until = trial_until
        return True

    def _refute(self) -> None:
        self.is_refuted = self.repeats = True
        self.gap = AT_ONCE

    def _rest(self, count: int, *, is_narrowed: bool = False) -> timedelta:
        """Return the rest after so many failures in a row: it grows while the same is asked again, not while pages get
        smaller.
        """
        if self.gap:
            return self.gap if is_narrowed else min(LONGEST_GAP, self.gap * (1 << min(count, 10)))
        return AT_ONCE if self.repeats or count > len(RESTS) else RESTS[count - 1]

    def _trouble(self, now: datetime) -> timedelta:
        """Return how long the lanes rest whose pages fail just now: others that are asked meanwhile rest as well, or they
        would take what a limiter leaves.
        """
        failing = [self.in_a_row[lane] for lane, at in self.failed_at.items() if now - at < TROUBLE]
        return max(self.gap, self._rest(max(failing), is_narrowed=True)) if any(failing) else AT_ONCE

    def _forget(self, walk: Walk) -> bool:
        """Say whether this page, or one inside it, had failed."""
        healed = [
            page
            for page in self.failed
            if page[0] == walk.filter and walk.offset <= page[1] and page[2] <= walk.offset + walk.limit
        ]
        for page in healed:
            self.failed.remove(page)
        return bool(healed)
