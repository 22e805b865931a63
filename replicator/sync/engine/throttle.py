"""Spaces page requests for a source that fails, instead of answering 429, when it is asked too fast. Pure.

Some limiters answer 500 where others answer 429. One such failure looks like an unreadable page. Time shows the
difference: the page that failed is answered later, unchanged. So before a page is narrowed, it is asked for again after
a real rest. If it is answered then, the source has to be asked slowly: the gap between pages grows with each such page
and shrinks in quiet times, and only one page is asked for at a time. If it fails after the rest as well, failures of
this source are repeatable, and the next failed pages are narrowed without delay.

The same is done if even the longest gap does not help: an unreadable row moves in its list, and a page that failed may
be answered because the row has left it. A single row is stepped over only if it fails, beside others that are answered,
for longer than all pages failed lately.
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
"""The factor by which the gap grows with each page that failed and was answered later."""
CALM_ANSWERS = 20
"""Answers in a row after which the gap is halved."""
RESTS = (timedelta(seconds=0.05), timedelta(seconds=1), timedelta(seconds=5))
"""The rests after a page's first failures, at a source about which nothing is known yet."""
TRIES = 3
"""Failures in a row before a page is narrowed, at a source that has to be asked slowly; each rest is twice the last."""
KNOWN_TRIES = 2
"""The same where failures are repeatable, and for a page that is already narrowed."""
REMEMBERED = 16
"""How many failed pages are remembered, to notice when they are answered."""
LONGEST_TRIAL = timedelta(seconds=10)
"""The longest rest of a suspected row before it is asked for again: longer failures of pages have other causes."""
OUTAGES = 8
"""How many of the latest outages (times without an answered page) are remembered; the longest decides how long a trial
is.
"""
MOST_TRIALS = 3
"""How often a suspected row is put off at most: each answer to another page restarts its trial."""
TRIAL_FACTOR = 1.25
"""A suspected row must fail this many times as long as the longest recent outage, before it counts as unreadable."""
TROUBLE = timedelta(seconds=30)
"""A lane whose last failure is older than this delays no other lane."""


@dataclass(slots=True)
class Throttle:
    """What is known about how fast a source can be asked for pages."""

    gap: timedelta = AT_ONCE
    """The time between two pages; zero, unless pages that failed were answered later."""
    repeats: bool = False
    """A page failed again after its rest: failures are repeatable."""
    is_refuted: bool = False
    """The longest gap did not help, so pages are answered later for another reason."""
    healed_after: timedelta = AT_ONCE
    """The longest time for which a page failed that was answered later. A page is tried for as long before it is
    narrowed.
    """
    rest_until: datetime | None = None
    answered_at: datetime | None = None
    failing_since: datetime | None = None
    """When the last page before the present failures was answered; if none was, when the first of them failed."""
    outages: deque[timedelta] = field(default_factory=lambda: deque(maxlen=OUTAGES))
    """The latest outages: each the time from an answered page, over failed ones, to the next answered page."""
    trials: Counter[Lane] = field(default_factory=Counter)
    """How often the suspected row of a lane was put off."""
    calm: int = 0
    in_a_row: Counter[Lane] = field(default_factory=Counter)
    """Failed pages of a lane since one of its pages was answered."""
    failed_at: dict[Lane, datetime] = field(default_factory=dict)
    failed: deque[tuple[Filter, int, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """The filter, the offset and the end of pages that failed."""

    def most(self, now: datetime, usual: int) -> int:
        """Return how many pages may be in flight at once."""
        if self.rest_until is not None and now < self.rest_until:
            return 0
        return 1 if self.gap or any(self.trials.values()) or self._trouble(now) else usual

    def answered(self, walk: Walk, now: datetime) -> None:
        """Record that a page was answered."""
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
        """Record that a page failed; say whether to narrow it now (True) or to ask for it again as it is."""
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
        """Say whether a suspected row is to be asked for again after a rest.

        The answer to another page just before may have used up what a limiter allows.
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
        """Return the rest after `count` failures in a row. It grows while the same page is repeated, not while pages
        shrink.
        """
        if self.gap:
            return self.gap if is_narrowed else min(LONGEST_GAP, self.gap * (1 << min(count, 10)))
        return AT_ONCE if self.repeats or count > len(RESTS) else RESTS[count - 1]

    def _trouble(self, now: datetime) -> timedelta:
        """Return how long all lanes rest because pages of some lane fail at present.

        Other lanes rest too, or their requests would use up what a limiter allows.
        """
        failing = [self.in_a_row[lane] for lane, at in self.failed_at.items() if now - at < TROUBLE]
        return max(self.gap, self._rest(max(failing), is_narrowed=True)) if any(failing) else AT_ONCE

    def _forget(self, walk: Walk) -> bool:
        """Say whether this page, or a page inside it, had failed before; forget those failures."""
        healed = [
            page
            for page in self.failed
            if page[0] == walk.filter and walk.offset <= page[1] and page[2] <= walk.offset + walk.limit
        ]
        for page in healed:
            self.failed.remove(page)
        return bool(healed)
