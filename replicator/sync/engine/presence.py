"""Decides with deletions/ which calls the source has: is it the stored source, where does it differ, what is deleted.
Pure.

A decision that needs to know something of the replica yields the question and goes on with the answer
(protocol/questions.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.sync.coverage.ledger import BEGINNING, EVERYTHING, Interval
from replicator.sync.coverage.page import Lane, Seen
from replicator.sync.deletions.bisect import begin, marks
from replicator.sync.deletions.probes import Prober
from replicator.sync.engine.failures import Verdict
from replicator.sync.engine.identity import Identity
from replicator.sync.protocol.questions import DueAbsences, KnowsAny, StoredBefore, Suspected

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from replicator.sync.engine.position import Position
    from replicator.sync.engine.state import State
    from replicator.sync.protocol.questions import Asking
    from replicator.sync.protocol.requests import Outcome, Probe

AT_HAND = 400
"""The most suspected calls that are held in memory."""
SHOWN = 10
"""So many calls of a page serve to show whether other keys know them."""
MOST_SEARCHES = 3
"""The most searches that one run begins: if the total is different each time, it can never be explained."""
LOOK_EVERY = timedelta(seconds=30)
"""How often the replica is asked for suspected calls that have become due."""


class Presence:
    """What a run knows of the calls that the source has.

    `remembered` are ids of some stored calls, `keys` the number of keys. With `is_same_account` the operator vouches that
    the source is the stored one.
    """

    def __init__(
        self, confirm_after: timedelta, remembered: tuple[UUID, ...], keys: int, *, is_same_account: bool = False
    ) -> None:
        self._looked_at: datetime | None = None
        self.prober = Prober(confirm_after)
        self.identity = Identity(remembered, keys, is_vouched=is_same_account)

    # Calls by id --------------------------------------------------------------------------------------------------

    def ready(self, position: Position, now: datetime, free: int) -> Asking[int]:
        """Return how many calls may be asked for by id now, where the budget has `free` requests left."""
        if not self.identity.is_known:
            return self.identity.ready()
        if not self.identity.keys_for([Lane.CONFIRM]):
            return 0
        is_time = self._looked_at is None or now - self._looked_at >= LOOK_EVERY
        if position.has_absences and not self.prober.waiting and is_time:
            self._looked_at = now
            self.prober.take((yield DueAbsences(position.live or 0, now, AT_HAND)))
        return self.prober.ready(now, free)

    def next(self, key: int) -> Probe:
        """Return the next call to be asked for by id through a key."""
        return self.identity.next(key) or self.prober.next()

    def seen(self, ids: Sequence[UUID]) -> None:
        """Remember calls that the source has just listed: each can serve as a control, and shows whether a key knows them."""
        self.prober.seen(ids)
        self.identity.shown = ids[-SHOWN:]

    def changed(self) -> None:
        """Record that the suspected calls may have changed."""
        self._looked_at = None

    # The source's identity ----------------------------------------------------------------------------------------

    def recognise(self, outcome: Outcome, verdict: Verdict) -> Asking[list[Outcome]]:
        """Return the outcomes that may be applied now: none through a key that has not shown the stored account.

        Raises AnotherSource where a key proves to be of another one, and a SourceError where the check keeps failing.
        """
        identity, request, page, probe = self.identity, outcome.request, outcome.page, outcome.request.probe
        if probe is not None and probe.about is not None:
            return identity.completed(probe.about, probe.call_id, outcome)
        if identity.knows(request.key):
            return [outcome]
        if page is None:
            if verdict is Verdict.BROKEN:
                identity.doubt(request.key, None)
            return [outcome]
        is_stored = yield KnowsAny(tuple(call.id for call in page.calls))
        return identity.listed(request.key, outcome, is_stored=is_stored)

    # Where replica and source differ ------------------------------------------------------------------------------

    def ranks(self, position: Position, outcome: Outcome) -> Asking[dict[datetime, int]]:
        """Return, for the two ends of a page of the search, how many stored live calls are older."""
        search, page = position.state.search, outcome.page
        if outcome.request.lane is not Lane.SEARCH or search is None or page is None:
            return {}
        seen = Seen(page.created, page.offset, page.total, outcome.sent_at, page.server_time)
        stored: dict[datetime, int] = yield StoredBefore(tuple(marks(seen)), search.begun_at)
        return stored

    def compare(self, position: Position, now: datetime) -> Asking[Position]:
        """Begin a search if the source's new total is not the number of stored live calls, and the reason is not known.

        A total that is a cap counts nothing, so nothing is searched for then. If a search cannot explain a difference (for example, an unreadable call counts in the total and is not stored),
        the difference is remembered, and is not searched for again.
        """
        if not position.is_total_new or _is_being_compared(position.state):
            return position
        is_after_search = position.is_search_over
        position = replace(position, is_total_new=False, is_search_over=False)
        state, total, live = position.state, position.source.total, position.live
        ledger = state.ledger
        is_sorted = state.scan is None and state.scanned_at is None
        if total is None or live is None or state.search is not None or not is_sorted or not ledger.pieces:
            return position
        if not ledger.pieces[0].is_proven or ledger.holes(Interval(BEGINNING, ledger.top)):
            return position
        surplus = live - total - ((yield Suspected()) if position.has_absences else 0)
        if is_after_search or not surplus or total == state.capped_at:
            is_new = (surplus or None) != position.difference
            return replace(position, difference=surplus or None, is_difference_new=position.is_difference_new or is_new)
        if surplus == position.difference:
            return position
        if state.searches >= MOST_SEARCHES:
            return replace(position, is_total_new=True)  # nothing explains it yet: the next run searches again
        search = begin(now, total=total, surplus=surplus)
        return replace(position, state=replace(state, search=search, searches=state.searches + 1))


def _is_being_compared(state: State) -> bool:
    """Say whether a search would be of no use: what is compared now explains the difference, or an operator has asked
    for one stretch only.
    """
    asked = state.comparison
    return asked is not None and (asked.left(state.ledger) is not None or asked.within != EVERYTHING)
