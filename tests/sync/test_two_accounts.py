"""Two accounts that share a database are each as if it had the database for itself, in every table and every view."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from replicator.sync.engine import engine
from tests.fix_servers import new_database
from tests.sync.fix_two_accounts import ACCOUNTS, differences, history, live, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store.embedded import Server

SEEDS = int(os.environ.get("TWO_ACCOUNTS_HISTORIES", "3"))
"""How many histories are lived; a thousand take some hours."""


@contextmanager
def databases(server: Server, template: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Give the URL of a database for both, and of one for each."""
    with ExitStack() as stack:
        both, *each = (stack.enter_context(new_database(server, template)) for _ in range(3))
        yield both, dict(zip(ACCOUNTS, each, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_one_database_is_equal_to_two(
    postgres_server: Server, template: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Syncs, kills, changes, deletions, replays and refreshes of two accounts in any order and at the same time: each account's
    part of every table and view is what it is in a database of its own.
    """
    monkeypatch.setattr(engine, "QUEUED_PER_WORKER", 1)  # one request at a time, so that a kill is at the same place
    # A month ago: what a view says of today, or of calls that have not settled, would differ from one second to the next.
    start = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=30)
    steps = history(seed)
    with databases(postgres_server, template) as (both, each):
        live(seed, start, steps, dict.fromkeys(ACCOUNTS, both))
        for account, url in each.items():
            live(seed, start, steps, {account: url})
        for account, url in each.items():
            together, alone = stored(both, account), stored(url, account)
            found = differences(together, alone)
            assert not found, "\n".join([f"seed {seed}, account {account}", *map(str, steps), *found[:30]])
            assert together["truedy.calls"]
            assert together["analytics.calls"]
