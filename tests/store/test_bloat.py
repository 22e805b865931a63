"""What many updates do to a table: they stay on their pages, touch no index, and the table does not grow without end."""

from __future__ import annotations

import json
import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from replicator.records import Call
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from replicator.source.parsing import parse_row
from replicator.store import stored_calls
from replicator.sync.content.calls import Observation, settle

if TYPE_CHECKING:
    from replicator.store.database import Database

CALLS, UPDATES, PAGE = 300, 50, 100


@pytest.mark.slow
@pytest.mark.parametrize("order", ["page by page", "scattered"])
def test_fifty_updates_of_each_call_stay_on_their_pages(database: Database, order: str) -> None:
    """Each call changes fifty times: four of five updates at least are HOT, whichever calls change together, and the table
    is a few times its first size, not fifty times, before any vacuum.
    """
    world = World(1, CALLS, switches=Switches(limit=None))
    rows: list[dict[str, Any]] = [world.row(call_id) for call_id in world.live_ids()]

    def write(number: int) -> None:
        at = world.now + timedelta(seconds=number)
        moved = {"updated_at": at.isoformat(), "cost_usd": f"0.{number:04d}"}
        for first in range(0, CALLS, PAGE):
            calls = [parse_row(json.dumps(row | moved, default=str).encode()) for row in rows[first : first + PAGE]]
            seen = [Observation(call, at) for call in calls if isinstance(call, Call)]
            with database.transaction() as tx:
                settled = settle(stored_calls.known_calls(tx, "default", [one.call.id for one in seen]), seen)
                stored_calls.write_calls(tx, "default", settled.calls, settled.versions)

    with database.connection() as connection:
        connection.execute("ALTER TABLE truedy.calls SET (autovacuum_enabled = false)")
    write(0)
    before = size(database)
    for number in range(1, UPDATES + 1):
        if order == "scattered":
            random.Random(number).shuffle(rows)
        write(number)
    updates, hot = updated(database, CALLS * UPDATES)
    assert updates == CALLS * UPDATES
    assert hot / updates >= 0.8
    assert size(database) < 10 * before


def size(database: Database) -> int:
    with database.connection() as connection:
        row = connection.execute("SELECT pg_table_size('truedy.calls')").fetchone()
    assert row is not None
    return int(row[0])


def updated(database: Database, expected: int) -> tuple[int, int]:
    """Return (updates, HOT updates) once the server's statistics have caught up."""
    database.close()  # a session that ends reports what it did
    until = time.monotonic() + 15
    while True:
        with database.connection() as connection:
            row = connection.execute(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = 'truedy.calls'::regclass"
            ).fetchone()
        assert row is not None
        if row[0] >= expected or time.monotonic() > until:
            return row[0], row[1]
        time.sleep(0.1)
