"""A simulated source on real HTTP beside a real database, and the comparison of the two."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replicator.budget.durable import Limits
from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from replicator.source.client import Reader
from replicator.sync.run import Options, Report, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store.database import Database

COMPARED = ("agent_id", "phone_number", "from_number", "direction", "status", "started_at", "ended_at",
            "duration_seconds", "cost_usd", "summary", "created_at")  # fmt: skip


@dataclass
class Setting:
    """A source, the address it listens at, and the database beside it."""

    api: Api
    base_url: str
    database: Database
    timeout_seconds: float = 10

    @property
    def world(self) -> World:
        return self.api.world

    def sync(self, **options: Any) -> Report:
        """Run one sync with the source's own limits."""
        switches = self.api.switches
        given: dict[str, Any] = {
            "base_url": self.base_url,
            "limits": Limits(switches.limit, switches.window_seconds, 0.0),
            **options,
        }
        more = {name: given.pop(name) for name in ("stop", "on_progress", "pulse") if name in given}
        with Reader(self.base_url, KEY, timeout_seconds=self.timeout_seconds) as reader:
            run = Run(self.database, [(KEY, reader)], Options(**given), **more)
            return run.perform()

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return connection.execute(statement).fetchall()

    def value(self, statement: str) -> Any:
        return self.rows(statement)[0][0]

    def differences(self, *, transcripts: bool = True) -> list[str]:
        """Compare the replica with what is true, call by call; tombstones and extra rows are not looked at."""
        columns = ", ".join(COMPARED)
        stored = {str(row[0]): row[1:] for row in self.rows(f"SELECT id, {columns} FROM truedy.calls")}
        said: dict[str, list[str]] = {}
        for call_id, text in self.rows(
            "SELECT call_id, text FROM truedy.transcript_segments ORDER BY call_id, position"
        ):
            said.setdefault(str(call_id), []).append(text)
        found = []
        for call_id in self.world.live_ids():
            truth = self.world.row(call_id)
            if call_id not in stored:
                found.append(f"{call_id} is missing")
                continue
            for name, value in zip(COMPARED, stored[call_id], strict=True):
                expected = truth.get(name)
                shown = str(value) if name == "agent_id" else value
                if expected is not None and name != "agent_id" and shown != expected:
                    found.append(f"{call_id}.{name}: {shown!r} is not {expected!r}")
            segments = self.world.segments(call_id)
            if transcripts and segments and said.get(call_id) != [segment.text for segment in segments]:
                found.append(f"{call_id}: the transcript differs")
        return found


@contextmanager
def source(
    database: Database, *, calls: int = 300, seed: int = 1, switches: Switches | None = None, **world: Any
) -> Iterator[Setting]:
    """Give a running source without a rate limit (unless the switches have one) beside the database.

    Without a limit its time stands still, so that nothing changes but what the test changes.
    """
    chosen = switches or Switches(limit=None)
    there = World(seed, calls, switches=chosen, **world)
    moment = there.now
    api = Api(there) if chosen.limit is not None else Api(there, clock=lambda: moment)
    with running(api) as base_url:
        yield Setting(api, base_url, database)
