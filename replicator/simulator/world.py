"""The account behind the simulated API: calls that begin, ring, end, are billed, transcribed, changed and deleted.

Tests use it as their oracle: `row`, `segments` and `live_ids` give the true state; `create`, `update`, `delete` and
`advance` change it. It is deterministic in its arguments and has no clock of its own: time passes by `advance`.
Thread-safe. Only what differs from the computed lives (`births`) is kept in memory.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from threading import RLock
from typing import Any, overload

from replicator.simulator import births
from replicator.simulator.births import SECOND, TERMINAL, Life, from_us, to_us
from replicator.simulator.conversations import Segment, conversation
from replicator.simulator.filters import Facet, Filters
from replicator.simulator.showing import Row, edition_at, row_of, status_at
from replicator.simulator.switches import Switches
from replicator.simulator.texts import AGENT_NAMES

ACTIVE = frozenset({"queued", "ringing", "in_progress", "in-progress"})
_CHURN = -1
_LIVES_KEPT = 20_000
_FOREVER = 2**62


class World:
    """An account with its agents and calls. The first call was made `days` before `now`. Rows are `dict`s with the
    contract's field names, aware datetimes and Decimal money.
    """

    def __init__(
        self,
        seed: int = 1,
        calls: int = 5000,
        *,
        now: datetime | None = None,
        days: float = 90.0,
        churn_per_minute: float = 0.0,
        agents: int = 5,
        switches: Switches | None = None,
    ) -> None:
        self.lock = RLock()
        self.seed = seed
        self.switches = switches or Switches()
        self.version = 0
        self.updates = 0
        self.agents = {
            births.agent_id(seed, number): AGENT_NAMES[number % len(AGENT_NAMES)] for number in range(agents)
        }
        self.agent_ids = tuple(self.agents)
        self.churn_per_minute = churn_per_minute
        self.settings: dict[int, Mapping[str, Any]] = {}
        self._now = self._start = to_us(now or datetime.now(UTC))
        self._base, self._next, self._days = calls, calls, days
        self._order = list(range(calls))
        self._created: dict[int, int] = {}
        self._forced: dict[int, str] = {}
        self._changes: dict[int, Row] = {}
        self._contexts: dict[int, dict[str, Any]] = {}
        self._touched: dict[int, int] = {}
        self._cut: dict[int, int] = {}
        self._deleted: set[int] = set()
        self._said: dict[int, tuple[Segment, ...]] = {}
        self._revisions: dict[int, int] = {}
        self._lives: dict[int, Life] = {}
        self._filters = Filters()
        self._pending: list[tuple[int, int]] = []
        self._open: set[int] = set()
        self._churned = 0
        self._find_pending()
        if churn_per_minute > 0:
            self._next_churn()

    # Reading: the oracle.

    @property
    def now(self) -> datetime:
        """The world's time."""
        return from_us(self._now)

    @property
    def calls(self) -> Sequence[Row]:
        """The rows that exist now, newest first; each row is made when it is read."""
        with self.lock:
            return _Rows(self, self._order[::-1])

    def live_ids(self) -> list[str]:
        """Return the identifiers of the calls that exist, newest first."""
        with self.lock:
            return [self.id_of(index) for index in reversed(self._order)]

    def row(self, call_id: str) -> Row:
        """Return the true state of a call. Raises KeyError."""
        with self.lock:
            return self.row_at(self._known(call_id))

    def segments(self, call_id: str) -> tuple[Segment, ...] | None:
        """Return the segments of a call; None where it has no transcript (yet). Raises KeyError for an unknown call."""
        with self.lock:
            return self.segments_at(self._known(call_id))

    def has_recording(self, call_id: str) -> bool:
        """Return whether asking for the recording gives a URL; KeyError for no such call."""
        with self.lock:
            return self.has_recording_at(self._known(call_id))

    # Changing: the outside's side.

    def create(self, *, at: datetime | None = None, settings: Mapping[str, Any] | None = None, **fields: Any) -> str:
        """Create a call, now or `at`, and return its identifier. With a status it stays as created; without one it has
        a life.
        """
        with self.lock:
            index = self._next
            self._next += 1
            created = self._now if at is None else to_us(at)
            self._created[index] = created
            status = fields.get("status")
            if status in TERMINAL:
                self._forced[index], self._cut[index] = status, _FOREVER
                self._touched[index] = max(created, self._now)
            elif status is not None:
                self._cut[index] = created
            if "context" in fields and status is None:
                self._contexts[index] = fields.pop("context")  # the life may add last_error to it
            if fields:
                self._changes[index] = dict(fields)
            if settings:
                self.settings[index] = settings
            if self._order and created < self._created_us(self._order[-1]):
                insort(self._order, index, key=self._place)
            else:
                self._order.append(index)
            self._schedule(index)
            self.version += 1
            return self.id_of(index)

    def update(self, call_id: str, *, moves_updated_at: bool = True, **fields: Any) -> None:
        """Change fields of a call; with a status its life ends there. `updated_at` changes, unless told otherwise."""
        with self.lock:
            self.change(self._known(call_id), fields, moves_updated_at=moves_updated_at)

    def replace_transcript(self, call_id: str, segments: Iterable[Segment]) -> None:
        """Give a call another transcript, or its first one."""
        with self.lock:
            index = self._known(call_id)
            self._said[index] = tuple(segments)
            self.change(index, {})

    def delete(self, call_id: str) -> None:
        """Delete a call permanently, active or not. Raises KeyError for an unknown call."""
        with self.lock:
            index = self._known(call_id)
            del self._order[bisect_left(self._order, self._place(index), key=self._place)]
            self._deleted.add(index)
            self._revise(index)

    def restore(self, call_id: str) -> None:
        """Restore a deleted call, as a vendor does after a mistake. Raises KeyError where it was not deleted."""
        with self.lock:
            index = births.index_of(self.seed, call_id)
            if index is None:
                raise KeyError(call_id)
            self._deleted.remove(index)
            insort(self._order, index, key=self._place)
            self._revise(index)

    def advance(self, to: datetime) -> None:
        """Let time pass until `to`: lives go on, and calls are created, changed and deleted. Time never goes back."""
        with self.lock:
            goal = to_us(to)
            while self._pending and self._pending[0][0] <= goal:
                self._now, index = heapq.heappop(self._pending)
                if index == _CHURN:
                    self._churn()
                    self._next_churn()
                else:
                    self._revise(index)
                    self._schedule(index)
            self._now = max(self._now, goal)

    def switch(self, switches: Switches) -> None:
        """Change the behaviour from now on. Ties are made when calls are, so `tie_every` and `tie_size` count only at
        the start.
        """
        with self.lock:
            self.switches = switches
            self._lives.clear()
            self._filters.clear()
            self.version += 1

    # For the API, under the lock: calls by index.

    def index_of(self, call_id: str) -> int | None:
        """Return the index of a call that exists, or None."""
        index = births.index_of(self.seed, call_id)
        return None if index is None or index >= self._next or index in self._deleted else index

    def id_of(self, index: int) -> str:
        """Return a call's identifier."""
        return births.identifier(self.seed, index)

    def revision(self, index: int) -> int:
        """Return a number that increases with each change of the call."""
        return self._revisions.get(index, 0)

    def odd(self, index: int, what: str, share: float) -> bool:
        """Return whether this call belongs to the unusual share of calls."""
        return share > 0 and births.luck(self.seed, index, what) < share

    def created_us(self, index: int) -> int:
        """Return when a call was created (µs)."""
        return self._created_us(index)

    def change(self, index: int, fields: Mapping[str, Any], *, moves_updated_at: bool = True) -> None:
        """Change fields of a call."""
        if "status" in fields:
            self._cut.setdefault(index, self._now)
        if moves_updated_at and "updated_at" not in fields:
            before = self._updated_us(index)
            self._touched[index] = max(self._now, (before or 0) + 1)
            self._changes.get(index, {}).pop("updated_at", None)
        if fields:
            self._changes.setdefault(index, {}).update(fields)
        self.updates += 1
        self._revise(index)

    def row_at(self, index: int) -> Row:
        """Return the true state of a call."""
        life = self._life(index)
        row = row_of(
            life,
            self._at(index),
            self.switches,
            agent_id=self.agent_ids[life.agent],
            updated_us=self._updated_us(index),
            has_recording=self.has_recording_at(index),
            context=self._contexts.get(index, life.context),
        )
        row.update(self._changes.get(index, {}))
        return row

    def segments_at(self, index: int) -> tuple[Segment, ...] | None:
        """Return the segments of a call, or None."""
        if index in self._said:
            return self._said[index]
        if self.settings.get(index, {}).get("transcription_enabled") is False:
            return None
        life = self._life(index)
        edition = edition_at(life, self._at(index))
        return None if edition is None else conversation(self.seed, life, self.switches, edition)

    def has_recording_at(self, index: int) -> bool:
        """Return whether there is audio by now."""
        if self.settings.get(index, {}).get("recording_enabled") is False:
            return False
        ready = self._life(index).recording_us
        return ready is not None and ready <= self._at(index)

    def matching(self, status: str | None, direction: str | None, agent: str | None) -> list[int]:
        """Return the calls that match, oldest first; not to be changed."""
        if status is None and direction is None and agent is None:
            return self._order
        number = None if agent is None else self._agent_number(agent)
        return self._filters.matching(self._order, self.version, (status, direction, number), self._facet)

    def between(
        self, found: list[int], after: datetime | None, before: datetime | None, *, is_inclusive: bool = True
    ) -> list[int]:
        """Return the part of `found` with after ≤ created_at ≤ before, or without these instants."""
        lower, upper = (bisect_left, bisect_right) if is_inclusive else (bisect_right, bisect_left)
        low = 0 if after is None else lower(found, to_us(after), key=self._created_us)
        high = len(found) if before is None else upper(found, to_us(before), key=self._created_us)
        return found[low:high]

    # Within.

    def _known(self, call_id: str) -> int:
        index = self.index_of(call_id)
        if index is None:
            raise KeyError(call_id)
        return index

    def _created_us(self, index: int) -> int:
        made = self._created.get(index)
        if made is not None:
            return made
        return births.created_us(
            self.seed, index, calls=self._base, now_us=self._start, days=self._days, switches=self.switches
        )

    def _place(self, index: int) -> tuple[int, int]:
        return self._created_us(index), index

    def _life(self, index: int) -> Life:
        life = self._lives.get(index)
        if life is None:
            if len(self._lives) >= _LIVES_KEPT:
                self._lives.clear()
            created, forced = self._created_us(index), self._forced.get(index)
            life = births.life(self.seed, index, created, len(self.agent_ids), self.switches, forced)
            self._lives[index] = life
        return life

    def _at(self, index: int) -> int:
        return self._cut.get(index, self._now)

    def _updated_us(self, index: int) -> int | None:
        touched = self._touched.get(index)
        at = self._at(index)
        if at == _FOREVER:
            return touched
        if touched is None and index < self.switches.null_updated_at_share * self._base:
            return None
        events = self._life(index).events()
        return max(touched or 0, events[0], *(event for event in events if event <= at))

    def _agent_number(self, agent: str) -> int:
        return self.agent_ids.index(agent) if agent in self.agents else -1

    def _facet(self, index: int) -> Facet:
        if index in self._open or index in self._changes or index in self._cut:
            row = self.row_at(index)
            return row["status"], row["direction"], self._agent_number(row["agent_id"])
        drawn = births.digest(self.seed, index)
        outcome = births.outcome_of(self.seed, index, drawn, self.switches)
        direction = births.direction_of(self.seed, index, drawn, self.switches)
        return (
            outcome or status_at(self._life(index), self._now, self.switches),
            direction,
            drawn[16] % len(self.agent_ids),
        )

    def _revise(self, index: int) -> None:
        self._revisions[index] = self._revisions.get(index, 0) + 1
        self._filters.forget(index)
        self.version += 1

    def _schedule(self, index: int) -> None:
        """Store the next instant at which the call's row changes by itself."""
        if index in self._deleted or index in self._cut:
            self._open.discard(index)
            return
        coming = next((at for at in self._life(index).events() if at > self._now), None)
        if coming is None:
            self._open.discard(index)
        else:
            self._open.add(index)
            heapq.heappush(self._pending, (coming, index))

    def _find_pending(self) -> None:
        settled = self._now - births.SETTLED_US - int(self.switches.transcript_replaced_seconds * SECOND)
        for index in reversed(range(self._base)):
            created = self._created_us(index)
            if created < self._now - births.CORRECTED_US:
                break
            if created > settled or self.odd(index, "correction", self.switches.correction_share):
                self._schedule(index)

    def _next_churn(self) -> None:
        self._churned += 1
        ordinal = self._churned + births.luck(self.seed, self._churned, "churn time") - 0.5
        heapq.heappush(self._pending, (self._start + int(ordinal * 60 * SECOND / self.churn_per_minute), _CHURN))

    def _churn(self) -> None:
        kind = births.luck(self.seed, self._churned, "churn")
        if kind < 0.7 or not self._order:  # noqa: PLR2004 - seven of ten are new calls
            self.create()
            return
        index = self._order[int(births.luck(self.seed, self._churned, "churn whom") * len(self._order))]
        row = self.row_at(index)
        if kind < 0.9 or row["status"] in ACTIVE:  # noqa: PLR2004 - two of ten change a row, one deletes it
            self.change(index, {"context": {**(row["context"] or {}), "note": f"changed {self._churned}"}})
        else:
            self.delete(self.id_of(index))


class _Rows(Sequence[Row]):
    def __init__(self, world: World, indexes: list[int]) -> None:
        self._world, self._indexes = world, indexes

    def __len__(self) -> int:
        return len(self._indexes)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | Sequence[Row]:
        if isinstance(at, slice):
            return _Rows(self._world, self._indexes[at])
        with self._world.lock:
            return self._world.row_at(self._indexes[at])
