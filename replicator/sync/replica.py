"""Answers the engine's questions about the replica (protocol/questions.py) from the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from replicator.store import absences, detail_habits, source_state, stored_calls, stored_details
from replicator.sync.content.habit import Habit, Looks
from replicator.sync.deletions.rules import Absence, is_held
from replicator.sync.protocol.requests import Detail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from replicator.store.rows import Kind


def waves_of(
    connection: psycopg.Connection[Any], account: str, kinds: Iterable[str], now: datetime
) -> dict[str, datetime]:
    """Return {kind of detail: since when far more of them are absent than usual}."""
    found = {}
    for kind in kinds:
        groups = detail_habits.load(connection, account, cast("Kind", kind))
        since = Habit(Looks(*row) for row in groups).wave_since(now)
        if since is not None:
            found[kind] = since
    return found


class StoredReplica:
    """One account's replica. `ask` runs a query, and waits for the database where it is unavailable."""

    def __init__(self, account: str, ask: Callable[[Callable[[psycopg.Connection[Any]], Any]], Any]) -> None:
        self._account = account
        self._ask = ask

    def knows_any(self, ids: Sequence[UUID]) -> bool:
        return bool(self._ask(lambda connection: stored_calls.known_calls(connection, self._account, ids)))

    def suspected(self) -> int:
        return int(self._ask(lambda connection: absences.suspected(connection, self._account)))

    def values(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Return the statuses, directions and agents of stored calls, to be used as filters."""
        found = self._ask(lambda connection: stored_calls.known_values(connection, self._account))
        return cast("tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]", found)

    def open_calls(self, since: datetime) -> list[datetime]:
        """Return created_at of the calls created at or after `since` that have not ended, oldest first."""
        return cast(
            "list[datetime]", self._ask(lambda connection: stored_calls.open_calls(connection, self._account, since))
        )

    def count_newer(self, at: datetime, most: int | None = None) -> int:
        """Return how many live calls were created at or after an instant; no more than `most`."""
        return int(self._ask(lambda connection: stored_calls.count_newer(connection, self._account, at, most)))

    def held(self, live: int) -> tuple[int, bool]:
        """Return how many calls are suspected, and whether they wait for the operator."""

        def read(connection: psycopg.Connection[Any]) -> tuple[int, bool]:
            suspected = absences.suspected(connection, self._account)
            released = source_state.load_source(connection, self._account).released_deletions
            return suspected, is_held(suspected, live, released)

        return cast("tuple[int, bool]", self._ask(read))

    def due_absences(self, live: int, now: datetime, most: int) -> list[Absence]:
        def read(connection: psycopg.Connection[Any]) -> list[Absence]:
            released = source_state.load_source(connection, self._account).released_deletions
            if is_held(absences.suspected(connection, self._account), live, released):
                return []
            return [
                Absence(number, call_id, cast("Any", state), misses, missed_at, due_at, is_question)
                for number, call_id, state, misses, missed_at, due_at, is_question in absences.due(
                    connection, self._account, now, most
                )
            ]

        return cast("list[Absence]", self._ask(read))

    def stored_before(self, instants: Sequence[datetime], begun_at: datetime) -> dict[datetime, int]:
        def count(connection: psycopg.Connection[Any]) -> dict[datetime, int]:
            return {at: absences.stored_before(connection, self._account, at, begun_at) for at in instants}

        return cast("dict[datetime, int]", self._ask(count))

    def due_details(self, kinds: Sequence[Kind], now: datetime, most: int) -> list[Detail]:
        """Return details that are due now, newest call first."""
        rows = self._ask(lambda connection: stored_details.due_details(connection, self._account, kinds, now, most))
        return [Detail(*row) for row in rows]
