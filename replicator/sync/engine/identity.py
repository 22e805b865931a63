"""Decides which of an account's keys may be used: each has to show a call of the stored account first. Pure.

If the replica holds calls, the first key is trusted only after it has shown one of them: in the first page, which costs no
extra request, or by id. Each other key is asked for one such call by id when it is needed for the first time. If the
replica holds no call, there is nothing to compare the first key with: its first page is kept until every other key has
shown one of its calls. A key that knows none of them is of another account, or the base URL has changed: then nothing is
written and nothing is concluded.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replicator.errors import AnotherSource, NotFound, RateLimited, SourceError
from replicator.sync.coverage.page import Lane
from replicator.sync.engine.planner import through
from replicator.sync.protocol.requests import Probe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from replicator.sync.protocol.requests import Outcome

MOST_SHOWN = 10
"""About the most calls of a first page that the other keys are asked for."""
TRIES = 3
"""How often a known call is asked for through one key while the answer is an error."""


@dataclass(slots=True)
class Asked:
    """What is asked of one key: the calls that wait to be asked for (of `count`), one at a time."""

    waiting: deque[UUID]
    count: int
    is_in_flight: bool = False
    tries: dict[UUID, int] = field(default_factory=dict)


@dataclass(slots=True)
class Identity:
    """Which of `keys` keys have shown the stored account.

    `remembered` are ids of stored calls. With `is_vouched` the operator vouches for all keys.
    """

    remembered: tuple[UUID, ...] = ()
    keys: int = 1
    is_vouched: bool = False
    known: set[int] = field(default_factory=set)
    """The keys that may be used."""
    shown: tuple[UUID, ...] = ()
    """Calls that a known key has listed lately."""
    first: int | None = None
    """The key of the first page, from when that page is in doubt."""
    head: Outcome | None = None
    """That page. It counts when the doubt has ended."""
    agreeing: set[int] = field(default_factory=set)
    """Where nothing is stored: the keys that have shown a call of the first page."""
    asked: dict[int, Asked] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether there is a key that may be used."""
        return self.is_vouched or bool(self.known) or (self.keys == 1 and not self.remembered)

    def knows(self, key: int) -> bool:
        """Say whether a key may be used."""
        return key in self.known or (self.is_known and not self.known)

    # What to ask --------------------------------------------------------------------------------------------------

    def through(self, key: int, lanes: Sequence[Lane]) -> list[Lane]:
        """Return which of these lanes may send through a key now. Before it is known, that is one call by id at a time, or
        the first page.
        """
        if self.knows(key):
            return through(key, lanes)
        mine = [Lane.FRESH] if not self.is_known and self.first in (None, key) and Lane.FRESH in lanes else []
        is_wanted = bool(through(key, lanes)) if self.is_known else key in self.asked and Lane.CONFIRM in lanes
        return [*mine, Lane.CONFIRM] if is_wanted and self._may_ask(key) else mine

    def keys_for(self, lanes: Sequence[Lane]) -> list[int]:
        """Return the keys through which one of these lanes may send now, as far as their budgets allow it."""
        return [key for key in range(self.keys) if self.through(key, lanes)]

    def ready(self) -> int:
        """Return how many calls may be asked for by id now, before the first key is known."""
        return sum(self._may_ask(key) for key in self.asked)

    def next(self, key: int) -> Probe:
        """Return the next call to be asked for through a key."""
        asked = self._ask(key)
        asked.is_in_flight = True
        return Probe(asked.waiting.popleft())

    def _ask(self, key: int) -> Asked:
        """Return what is asked of a key; from its first use on these are the same calls."""
        if key not in self.asked:
            calls = deque(dict.fromkeys((*self.shown, *self.remembered)))
            self.asked[key] = Asked(calls, len(calls))
        return self.asked[key]

    def _may_ask(self, key: int) -> bool:
        asked = self.asked.get(key)
        if asked is None:
            return bool(self.shown or self.remembered)
        return bool(asked.waiting) and not asked.is_in_flight and key not in self.agreeing

    # What came in -------------------------------------------------------------------------------------------------

    def listed(self, key: int, page: Outcome, ids: Sequence[UUID], *, is_stored: bool) -> list[Outcome]:
        """Take the first page through a key that is not known; return the outcomes that count now. `ids`: its calls;
        `is_stored`: one of them is.
        """
        if is_stored or not (ids or self.remembered):
            self._trust(key)
            return [page]
        self.first, self.head = key, page
        if not self.remembered:
            self.shown = tuple(ids[:: len(ids) // MOST_SHOWN + 1])
        for one in [key] if self.remembered else set(range(self.keys)) - {key}:
            self._ask(one)
        return []

    def unread(self, key: int) -> None:
        """Record that the first page through a key that is not known cannot be read: so calls are asked for by id."""
        if self.remembered:
            self.first = key
            self._ask(key)
        elif self.first is None:
            self._trust(key)

    def completed(self, key: int, probe: Probe, outcome: Outcome) -> list[Outcome]:
        """Take the answer of a key that is not known; return the outcomes that count now: the first page, or none.

        Raises AnotherSource when the key knows none of the calls, and the SourceError of a call that fails TRIES times.
        """
        asked = self.asked[key]
        asked.is_in_flight = False
        if outcome.call is not None and outcome.call.id == probe.call_id:
            return self._recognised(key)
        if not isinstance(outcome.error, NotFound):
            # A refusal says nothing of the call. It is waited out, and is no reason to end the run.
            is_try = outcome.is_sent and not isinstance(outcome.error, RateLimited)
            tries = asked.tries[probe.call_id] = asked.tries.get(probe.call_id, 0) + is_try
            if tries < TRIES:
                asked.waiting.append(probe.call_id)
            elif isinstance(outcome.error, SourceError):
                raise outcome.error
        if not asked.waiting:
            raise self._another(key, asked.count)
        return []

    def _recognised(self, key: int) -> list[Outcome]:
        """Record that a key is known; return the first page, if its doubt ends with that."""
        if self.first is None:
            self.known.add(key)
            return []
        if not self.remembered:
            self.agreeing.add(key)
            if len(self.agreeing) < self.keys - 1:
                return []
        head = self.head
        self._trust(self.first, *self.agreeing)
        return [head] if head is not None else []

    def _trust(self, *keys: int) -> None:
        """Record that keys are known, which ends the doubt about the first page."""
        self.known.update(keys)
        self.first = self.head = None

    def _another(self, key: int, count: int) -> AnotherSource:
        if self.keys == 1:
            return AnotherSource(
                f"the source knows none of {count} calls that are stored of this account, and its list shows none"
            )
        place = f"of the {self.keys} keys in TRUEDY_API_KEY, number {key + 1}"
        if self.remembered:
            return AnotherSource(
                f"{place} knows none of {count} calls of this account; nothing that it shows was written",
                advice="take a key of another account out of TRUEDY_API_KEY, and check TRUEDY_BASE_URL; if it is the same "
                "account and those calls were deleted, run: replicator sync --same-account",
            )
        return AnotherSource(
            f"{place} knows none of {count} calls that another one lists, so they are not of one account; nothing was written",
            advice="give TRUEDY_API_KEY keys of one account only",
        )
