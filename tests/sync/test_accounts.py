"""Several accounts in one database: each asks its own source for its own details, and no call is stored under two names."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest
from commands import run

from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow  # each test starts processes


@pytest.fixture
def two() -> Iterator[tuple[tuple[Api, str], tuple[Api, str]]]:
    """Two sources with calls of their own."""
    with ExitStack() as stack:
        apis = [Api(World(seed, 60, switches=Switches(limit=None)), keys=(KEY,)) for seed in (1, 2)]
        first, second = ((api, stack.enter_context(running(api))) for api in apis)
        yield first, second


def chosen(base_url: str, database_url: str, account: str) -> dict[str, str]:
    return {
        "TRUEDY_API_KEY": KEY,
        "TRUEDY_BASE_URL": base_url,
        "TRUEDY_REQUESTS_PER_MINUTE": "0",
        "DATABASE_URL": database_url,
        "REPLICATOR_ACCOUNT": account,
    }


def counted(database_url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement).fetchall()


def test_no_account_asks_for_anothers_details(
    two: tuple[tuple[Api, str], tuple[Api, str]], database_url: str, tmp_path: Path
) -> None:
    """With details of a queued, b's sync asks b's source for b's calls only, and a's are fetched by a's next sync."""
    (a, a_url), (b, b_url) = two
    of_a, of_b = chosen(a_url, database_url, "a"), chosen(b_url, database_url, "b")
    assert run("sync", "--max-requests", "4", cwd=tmp_path, **of_a).returncode == 0
    queued = "SELECT count(*) FROM truedy.transcripts t JOIN truedy.calls c ON c.id = t.call_id WHERE due_at <= now() AND c.account = 'a'"
    before = counted(database_url, queued)
    assert before != [(0,)]
    assert run("sync", cwd=tmp_path, **of_b).returncode == 0
    assert counted(database_url, queued) == before
    assert counted(
        database_url,
        "SELECT min(attempts) FROM truedy.transcripts t JOIN truedy.calls c ON c.id = t.call_id "
        "WHERE due_at <= now() AND c.account = 'a'",
    ) == [(0,)]
    assert run("sync", cwd=tmp_path, **of_a).returncode == 0
    present = counted(database_url, "SELECT call_id::text FROM truedy.transcripts WHERE state = 'present'")
    has = {call_id for api in (a, b) for call_id in api.world.live_ids() if api.world.segments(call_id)}
    assert {call_id for (call_id,) in present} == has


def test_a_source_under_a_second_name_is_refused(
    two: tuple[tuple[Api, str], tuple[Api, str]], database_url: str, tmp_path: Path
) -> None:
    """The same source as account b is refused with the advice to rename, and stores nothing; renamed, it goes on as b."""
    (_, a_url), _ = two
    of_a, of_b = chosen(a_url, database_url, "a"), chosen(a_url, database_url, "b")
    assert run("sync", cwd=tmp_path, **of_a).returncode == 0
    refused = run("sync", cwd=tmp_path, **of_b)
    assert refused.returncode == 2
    assert "replicator accounts rename a b" in refused.stderr
    assert counted(database_url, "SELECT account, count(*) FROM truedy.calls GROUP BY 1") == [("a", 60)]
    assert counted(database_url, "SELECT count(*) FROM replicator.coverage WHERE account = 'b'") == [(0,)]
    renamed = run("accounts", "rename", "a", "b", cwd=tmp_path, **of_a)
    assert (renamed.returncode, renamed.stderr) == (0, "")
    assert run("sync", cwd=tmp_path, **of_b).returncode == 0
    assert counted(database_url, "SELECT account, count(*) FROM truedy.calls GROUP BY 1") == [("b", 60)]
    assert counted(database_url, "SELECT DISTINCT account FROM analytics.status_funnel_daily") == [("b",)]
    assert '"account": "b"' in run("accounts", "list", "--json", cwd=tmp_path, **of_b).stdout


def test_renaming_refuses_what_it_cannot_do(
    two: tuple[tuple[Api, str], tuple[Api, str]], database_url: str, tmp_path: Path
) -> None:
    """An account that is not there, and a name under which calls are stored, are refused; nothing changes."""
    (_, a_url), (_, b_url) = two
    for url, account in ((a_url, "a"), (b_url, "b")):
        assert run("sync", cwd=tmp_path, **chosen(url, database_url, account)).returncode == 0
    of_a = chosen(a_url, database_url, "a")
    missing, taken = (run("accounts", "rename", *names, cwd=tmp_path, **of_a) for names in (("c", "d"), ("a", "b")))
    assert (missing.returncode, "no account c" in missing.stderr) == (2, True)
    assert (taken.returncode, "cannot be made one" in taken.stderr) == (2, True)
    assert counted(database_url, "SELECT account, count(*) FROM truedy.calls GROUP BY 1 ORDER BY 1") == [
        ("a", 60),
        ("b", 60),
    ]
