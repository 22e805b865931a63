"""Decides which of an account's keys may be used: each has to show a call of the stored account first. Pure.

If the replica holds calls, the first key that is used is trusted only after it has shown one of them: in the first page,
which costs no extra request, or by id. If the replica holds no call, there is nothing to compare that key with, and its first
page is taken at its word. Each other key is asked for one call by id when it is needed for the first time. Until it has shown one,
nothing that it shows is written, and nothing is concluded from what it does not know. It is of another account if it does
not know calls that a key that may be used shows afterwards; a call that neither of them shows was deleted.
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

ENOUGH = 3
"""A key that does not know so many calls of the account is of another one. One answer alone may be a fault of the source."""
TRIES = 3
"""How often a call is asked for through one key while the answer is an error."""


@dataclass(slots=True)
class Asked:
    """What one key is asked for, one call at a time."""

    waiting: deque[UUID] = field(default_factory=deque)
    calls: set[UUID] = field(default_factory=set)
    """All calls that it is or was asked for."""
    unknown: UUID | None = None
    """A call that it does not know, and that a key that may be used is to be asked for."""
    not_known: int = 0
    """How many calls it does not know that such a key showed afterwards."""
    is_in_flight: bool = False
    tries: dict[UUID, int] = field(default_factory=dict)
    failed: int = 0
    """How many calls were asked for TRIES times. After ENOUGH of them a further key is left alone."""
    error: SourceError | None = None
    """The error of the last of these."""

    def add(self, calls: Sequence[UUID]) -> None:
        """Queue the calls that were not asked for yet."""
        for call in calls:
            if call not in self.calls:
                self.calls.add(call)
                self.waiting.append(call)

    def fails(self, call: UUID, error: SourceError) -> bool:
        """Count an error that says nothing of a call; say whether to ask for the call again."""
        if isinstance(error, NotFound):
            return False
        self.tries[call] = self.tries.get(call, 0) + 1
        if self.tries[call] < TRIES:
            return True
        self.failed, self.error = self.failed + 1, error
        return False


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
    shown: Sequence[UUID] = ()
    """Calls that a known key has listed lately."""
    first: int | None = None
    """The key of the first page, while nothing has shown that it may be used."""
    head: Outcome | None = None
    """That page (None: it cannot be read)."""
    asked: dict[int, Asked] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether there is a key that may be used."""
        return self.is_vouched or bool(self.known) or (self.keys == 1 and not self.remembered)

    def knows(self, key: int) -> bool:
        """Say whether a key may be used."""
        return key in self.known or (self.is_known and not self.known)

    # What to ask --------------------------------------------------------------------------------------------------

    def order(self) -> list[int]:
        """Return the keys in the order in which they are to be used: those that are known before others, the last before
        the first, through which calls are asked for by id.
        """
        return sorted(range(self.keys), key=lambda key: (not self.knows(key), -key))

    def through(self, key: int, lanes: Sequence[Lane]) -> list[Lane]:
        """Return which of these lanes may send through a key now. Before it is known, that is one call by id at a time, or
        the first page. A call that such a key does not know goes before them through a known one.
        """
        if self.knows(key):
            lanes = through(key, lanes)
            return lanes if self._unknown() is None else [Lane.CONFIRM, *lanes]
        if self.is_known:
            return [Lane.CONFIRM] if through(key, lanes) and self._may_ask(key) else []
        if self.first not in (None, key):
            return []
        may_ask = self.first == key and self._may_ask(key)
        return [lane for lane in (Lane.FRESH, Lane.CONFIRM) if lane in lanes and (lane is Lane.FRESH or may_ask)]

    def keys_for(self, lanes: Sequence[Lane]) -> list[int]:
        """Return the keys through which one of these lanes may send now, as far as their budgets allow it."""
        return [key for key in range(self.keys) if self.through(key, lanes)]

    def ready(self) -> int:
        """Return how many calls may be asked for by id now, before a key is known."""
        return int(self.first is not None and self._may_ask(self.first))

    def next(self, key: int) -> Probe | None:
        """Return the next call to be asked for through a key, for the sake of a key that is not known; None where there is
        none.
        """
        about = self._unknown() if self.knows(key) else key
        if about is None:
            return None
        asked = self._ask(about)
        asked.is_in_flight = True
        call, asked.unknown = asked.unknown or asked.waiting.popleft(), None
        return Probe(call, about=about)

    def _unknown(self) -> int | None:
        """Return a key that does not know a call for which a known key is to be asked."""
        return next((key for key, asked in self.asked.items() if asked.unknown is not None), None)

    def _ask(self, key: int) -> Asked:
        """Return what is asked of a key, with the calls to be asked for in the queue."""
        asked = self.asked.setdefault(key, Asked())
        if not asked.waiting:
            asked.add([*self.shown, *self.remembered])
        return asked

    def _may_ask(self, key: int) -> bool:
        asked = self.asked.get(key, Asked())
        is_any = asked.waiting or not asked.calls.issuperset((*self.shown, *self.remembered))
        is_failing = bool(self.known) and asked.failed >= ENOUGH
        return bool(is_any) and not (asked.is_in_flight or is_failing) and asked.unknown is None

    # What came in -------------------------------------------------------------------------------------------------

    def listed(self, key: int, page: Outcome, *, is_stored: bool) -> list[Outcome]:
        """Take the first page through a key that is not known; return the outcomes that count now. `is_stored`: one of its
        calls is stored.
        """
        if is_stored or not self.remembered:
            self._trust(key)
            return [page]
        self.doubt(key, page)
        return []

    def doubt(self, key: int, page: Outcome | None) -> None:
        """Keep a first page that shows no stored call (None: it cannot be read), and have calls asked for by id."""
        if self.remembered:
            self.first, self.head = key, page
            self._ask(key)
        else:
            self._trust(key)

    def completed(self, about: int, call_id: UUID, outcome: Outcome) -> list[Outcome]:
        """Take the answer to a probe about a key; return the outcomes that count now: the first page, or none.

        Raises AnotherSource where the key is of another account. Where no key is known, raises also the SourceError of a call
        that failed TRIES times, if the key has shown none.
        """
        key, asked = outcome.request.key, self.asked[about]
        is_there = outcome.call is not None and outcome.call.id == call_id
        asked.is_in_flight = False
        # A refusal says nothing of a call, and is waited out.
        is_unanswered = not outcome.is_sent or isinstance(outcome.error, RateLimited)
        if about != key:
            asked.unknown = call_id if is_unanswered else None
            asked.not_known += is_there
            if asked.not_known == ENOUGH:
                raise self._another(about)
            return []
        if is_there:
            head = self.head
            self._trust(key)
            return [head] if head is not None else []
        if self.knows(key):
            return []  # it has shown another call meanwhile
        if is_unanswered or (outcome.error is not None and asked.fails(call_id, outcome.error)):
            asked.waiting.append(call_id)
        elif self.known and isinstance(outcome.error, NotFound):
            asked.unknown = call_id
        if not self.known and not self._ask(key).waiting:
            raise asked.error or self._another(key)
        return []

    def _trust(self, key: int) -> None:
        """Record that a key is known, which ends the doubt about the first page."""
        self.known.add(key)
        self.first = self.head = None

    def _another(self, key: int) -> AnotherSource:
        count = len(self.asked[key].calls)
        if self.keys == 1:
            return AnotherSource(
                f"the source knows none of {count} calls that are stored of this account, and its list shows none"
            )
        place = f"of the {self.keys} keys in TRUEDY_API_KEY, number {key + 1}"
        if not self.known:
            return AnotherSource(
                f"{place} knows none of {count} calls that are stored of this account, and its list shows none",
            )
        others = " and ".join(str(one + 1) for one in sorted(self.known))
        message = f"{place} does not know calls that number {others} shows: they are not of one account"
        if self.remembered:
            return AnotherSource(
                f"{message}; nothing that number {key + 1} shows was written",
                advice="take the key of another account out of TRUEDY_API_KEY",
            )
        return AnotherSource(
            f"{message}; only what number {others} shows was written",
            advice="give TRUEDY_API_KEY keys of one account only; if the wrong calls were written, replicator accounts rename "
            "gives them another account's name",
        )
