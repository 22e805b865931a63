"""Which calls the source has: whether it is the one that is stored, where it differs, and what is gone.

The run's part of absence.py, probing.py and searching.py, which decide; here the replica is asked what they need to know.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from replicator.store import absences, books, merge
from replicator.sync.absence import Absence, is_held
from replicator.sync.ledger import BEGINNING, Interval
from replicator.sync.probing import Identity, Probe, Prober
from replicator.sync.searching import begin, marks
from replicator.sync.walking import Lane, Seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import psycopg

    from replicator.sync.fetching import Outcome
    from replicator.sync.position import Position

    Ask = Callable[[Callable[[psycopg.Connection[Any]], Any]], Any]

AT_HAND = 400
"""Suspected calls that are held at hand."""
LOOK_EVERY = timedelta(seconds=30)
"""How often suspected calls are looked for that have become due."""


class Membership:
    """What a run knows of the source's membership. `ask` asks the database, patiently."""

    def __init__(self, account: str, confirm_after: timedelta, ask: Ask) -> None:
        self._account = account
        self._ask = ask
        self._looked_at: datetime | None = None
        self.prober = Prober(confirm_after)
        self.identity = Identity()

    def begin(self, tx: psycopg.Connection[Any], *, is_same_account: bool) -> None:
        """Remember some stored calls: the source has to show one of them, unless the operator vouches for it."""
        remembered = tuple(merge.some_calls(tx, self._account))
        self.identity = Identity(remembered, is_known=is_same_account or not remembered)

    # Calls by id --------------------------------------------------------------------------------------------------

    def ready(self, position: Position, now: datetime) -> int:
        """Return how many calls may be asked for by id now."""
        if not self.identity.is_known:
            return len(self.identity.waiting)
        is_time = self._looked_at is None or now - self._looked_at >= LOOK_EVERY
        if position.has_absences and not self.prober.waiting and is_time:
            self._looked_at = now
            self.prober.take(self._ask(lambda connection: self._due(connection, position.live or 0, now)))
        return self.prober.ready(now)

    def next(self, now: datetime) -> Probe:
        """Return the next call to be asked for by id."""
        return self.prober.next(now) if self.identity.is_known else self.identity.next()

    def changed(self) -> None:
        """Say that there may be other suspected calls than before."""
        self._looked_at = None

    def _due(self, connection: psycopg.Connection[Any], live: int, now: datetime) -> list[Absence]:
        released = books.load_source(connection, self._account).released_deletions
        if is_held(absences.suspected(connection, self._account), live, released):
            return []
        return [
            Absence(number, call_id, cast("Any", state), misses, missed_at, due_at)
            for number, call_id, state, misses, missed_at, due_at in absences.due(
                connection, self._account, now, AT_HAND
            )
        ]

    # The source's identity ----------------------------------------------------------------------------------------

    def recognise(self, outcome: Outcome) -> list[Outcome]:
        """Return the outcomes that may count now: none before the source has shown a call that is stored.

        Raises AnotherSource when it turns out to be another one.
        """
        identity, request = self.identity, outcome.request
        if identity.is_known:
            return [outcome]
        if request.probe is not None:
            identity.landed(request.probe, outcome)
            return identity.recognised()
        if outcome.page is None:
            return [outcome]
        ids = [call.id for call in outcome.page.calls]
        identity.is_known = bool(self._ask(lambda connection: merge.known_calls(connection, ids)))
        if identity.is_known:
            return [outcome]
        identity.doubt(outcome)
        return []

    # Where replica and source differ ------------------------------------------------------------------------------

    def ranks(self, position: Position, outcome: Outcome) -> dict[datetime, int]:
        """Return what a page of the search asks of the replica: how many live calls are older than its two ends."""
        search, page = position.state.search, outcome.page
        if outcome.request.lane is not Lane.SEARCH or search is None or page is None:
            return {}
        begun_at = search.begun_at
        seen = Seen(page.created, page.offset, page.total, outcome.sent_at, page.server_time)

        def count(connection: psycopg.Connection[Any]) -> dict[datetime, int]:
            return {at: absences.stored_before(connection, self._account, at, begun_at) for at in marks(seen)}

        return cast("dict[datetime, int]", self._ask(count))

    def compare(self, position: Position, now: datetime, *, is_after_search: bool) -> Position:
        """Begin a search where the source's total is not the number of live calls stored, and it is not known why.

        What a search could not explain (a call that cannot be read counts in the total and is not stored) is remembered,
        and is not searched for again.
        """
        state, total, live = position.state, position.source.total, position.live
        ledger = state.ledger
        is_sorted = state.sweep is None and state.swept_at is None
        if total is None or live is None or state.search is not None or not is_sorted or not ledger.pieces:
            return position
        if not ledger.pieces[0].is_proven or ledger.holes(Interval(BEGINNING, ledger.top)):
            return position
        suspected = 0
        if position.has_absences:
            suspected = self._ask(lambda connection: absences.suspected(connection, self._account))
        surplus = live - suspected - total
        if is_after_search or not surplus:
            return replace(position, difference=surplus or None)
        if surplus == position.difference:
            return position
        return replace(position, state=replace(state, search=begin(now, total=total, surplus=surplus)))
