"""Several accounts in one database: each asks its own source for its own details, and no call is stored under two names."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from tests.fix_commands import run, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import Popen

OTHER_KEY = "truedy_another_key_of_the_same_organization"

pytestmark = pytest.mark.slow  # each test starts processes


@pytest.fixture
def two() -> Iterator[tuple[tuple[Api, str], tuple[Api, str]]]:
    """Two sources with calls of their own."""
    with ExitStack() as stack:
        apis = [Api(World(seed, 60, switches=Switches(limit=None)), keys=(KEY, OTHER_KEY)) for seed in (1, 2)]
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
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO archive.suppressions (account, kind, key, key_id, added_at) VALUES ('a', 'call', 'x', 'y', now())"
        )
    kept = run("accounts", "rename", "a", "c", cwd=tmp_path, **of_a)
    assert (kept.returncode, "holds, retention classes or erasures" in kept.stderr) == (2, True)
    assert counted(database_url, "SELECT account, count(*) FROM truedy.calls GROUP BY 1 ORDER BY 1") == [
        ("a", 60),
        ("b", 60),
    ]


@contextmanager
def serving(cwd: Path, settings: dict[str, str]) -> Iterator[Popen[str]]:
    """Give a running `serve`, killed at the end."""
    service = start("serve", cwd=cwd, REPLICATOR_POLL_SECONDS="1", **settings)
    try:
        yield service
    finally:
        service.kill()
        service.communicate()


def wait_until_it_has(database_url: str, account: str, calls: int, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    there = f"SELECT count(*) FROM analytics.calls WHERE account = '{account}'"
    while counted(database_url, there) != [(calls,)]:
        assert time.monotonic() < until, f"account {account} has not got its {calls} calls"
        time.sleep(0.1)


def test_two_services_of_one_database(
    two: tuple[tuple[Api, str], tuple[Api, str]], database_url: str, tmp_path: Path
) -> None:
    """Both work at the same time, each under its own lease. One that is killed holds up nobody and is taken over; an account is
    renamed while the other one's service goes on, and not while its own does. No service says anything of an error.
    """
    (a, a_url), (b, b_url) = two
    of_a, of_b = chosen(a_url, database_url, "a"), chosen(b_url, database_url, "b")
    with serving(tmp_path, of_b) as of_b_alone:
        with serving(tmp_path, of_a) as first:
            for account in ("a", "b"):
                wait_until_it_has(database_url, account, 60)
            listed = json.loads(run("accounts", "list", "--json", cwd=tmp_path, **of_a).stdout)
            assert [row["account"] for row in listed] == ["a", "b"]
            writers = [row["writer"] for row in listed]
            assert [
                f"process {service.pid} " in writer
                for service, writer in zip((first, of_b_alone), writers, strict=True)
            ]
            for account, settings in (("a", of_a), ("b", of_b)):
                status = json.loads(run("status", "--json", cwd=tmp_path, **settings).stdout)
                assert status["lease"]["holder"] == writers["ab".index(account)]
                assert len(status["budgets"]) == 1
            refused = run("accounts", "rename", "a", "c", cwd=tmp_path, **of_a)
            assert (refused.returncode, "for the account a: serve (process" in refused.stderr) == (1, True)
            first.kill()
            first.wait()
        a.world.create(status="completed")
        b.world.create(status="completed")
        wait_until_it_has(database_url, "b", 61)
        with serving(tmp_path, of_a) as second:
            wait_until_it_has(database_url, "a", 61)
            second.terminate()
            said_by_a = second.communicate(timeout=30)[1]
        assert run("accounts", "rename", "a", "c", cwd=tmp_path, **of_a).returncode == 0
        b.world.create(status="completed")
        wait_until_it_has(database_url, "b", 62)
        wait_until_it_has(database_url, "c", 61)
        of_b_alone.terminate()
        said_by_b = of_b_alone.communicate(timeout=30)[1]
    for said in (said_by_a, said_by_b):
        assert not [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line or "failed" in line], (
            said
        )
    assert counted(database_url, "SELECT count(*) FROM replicator.runs WHERE outcome = 'failed'") == [(0,)]


def test_one_source_under_two_names_at_the_same_moment(
    two: tuple[tuple[Api, str], tuple[Api, str]], database_url: str, tmp_path: Path
) -> None:
    """Two syncs of one source under two names begin at once, with two keys: one stores all calls, the other one is refused."""
    (_, url), _ = two
    syncs = [
        start("sync", "--quiet", cwd=tmp_path, **{**chosen(url, database_url, account), "TRUEDY_API_KEY": key})
        for account, key in (("a", KEY), ("b", OTHER_KEY))
    ]
    said = [sync.communicate(timeout=60)[1] for sync in syncs]
    assert sorted(sync.returncode for sync in syncs) == [0, 2], said
    assert "replicator accounts rename" in "".join(said)
    assert counted(database_url, "SELECT count(DISTINCT account), count(*) FROM truedy.calls") == [(1, 60)]


def test_no_command_spends_another_accounts_key(
    two: tuple[tuple[Api, str], tuple[Api, str]], database_url: str, tmp_path: Path
) -> None:
    """Where the settings of b name the source and the key of a, `verify`, `recording` and `doctor` ask nothing and say whose key
    it is: charged to two accounts, it would get more requests than its limit.
    """
    (api, url), (_, other) = two
    for account, address in (("a", url), ("b", other)):
        assert run("sync", "--quiet", cwd=tmp_path, **chosen(address, database_url, account)).returncode == 0
    with psycopg.connect(database_url) as connection:
        call = connection.execute(
            "UPDATE truedy.recordings SET recording_url = NULL WHERE account = 'b' RETURNING call_id"
        ).fetchone()
    assert call is not None
    before = api.log.requests
    for command in (("verify",), ("recording", str(call[0])), ("doctor",)):
        refused = run(*command, cwd=tmp_path, **chosen(url, database_url, "b"))
        assert refused.returncode != 0, command
        assert "account a" in refused.stdout + refused.stderr, command
    assert api.log.requests == before


def test_a_key_under_a_second_name_is_refused_before_a_request(
    two: tuple[tuple[Api, str], tuple[Api, str]], database_url: str, tmp_path: Path
) -> None:
    """With the key of a, at the source of a, a sync as b asks nothing: whose key it is, is known."""
    (api, url), _ = two
    assert run("sync", "--quiet", cwd=tmp_path, **chosen(url, database_url, "a")).returncode == 0
    before = api.log.requests
    refused = run("sync", "--quiet", cwd=tmp_path, **chosen(url, database_url, "b"))
    assert (refused.returncode, "replicator accounts rename a b" in refused.stderr) == (2, True)
    assert api.log.requests == before
    served = run("serve", cwd=tmp_path, **chosen(url, database_url, "b"))
    assert (served.returncode, "replicator accounts rename a b" in served.stderr) == (2, True)


def test_a_source_that_was_not_recognised_is_not_stored(
    two: tuple[tuple[Api, str], tuple[Api, str]], database_url: str, tmp_path: Path
) -> None:
    """After a sync with a base URL where no API is, even with `--same-account`, the account's source is the old one, and its
    key there still belongs to it. After one at another address that shows the stored calls, it is the new one.
    """
    (api, url), _ = two
    of_a = chosen(url, database_url, "a")
    stored = "SELECT base_url FROM replicator.source_state WHERE account = 'a'"
    assert run("sync", "--quiet", cwd=tmp_path, **of_a).returncode == 0
    nowhere = url.removesuffix("/api/public/v1") + "/nowhere"
    for options in ((), ("--same-account",)):
        wrong = run("sync", "--quiet", *options, cwd=tmp_path, **{**of_a, "TRUEDY_BASE_URL": nowhere})
        assert wrong.returncode == 2, wrong.stderr
        assert counted(database_url, stored) == [(url,)], options
    refused = run("sync", "--quiet", cwd=tmp_path, **chosen(url, database_url, "b"))
    assert (refused.returncode, "replicator accounts rename a b" in refused.stderr) == (2, True)
    with running(api) as moved:
        assert run("sync", "--quiet", cwd=tmp_path, **{**of_a, "TRUEDY_BASE_URL": moved}).returncode == 0
        assert counted(database_url, stored) == [(moved,)]


def test_the_source_of_a_new_account_can_be_corrected(
    two: tuple[tuple[Api, str], tuple[Api, str]], database_url: str, tmp_path: Path
) -> None:
    """An account of which nothing was read yet has the source that was named last."""
    (_, url), _ = two
    nowhere = url.removesuffix("/api/public/v1") + "/nowhere"
    assert run("sync", "--quiet", cwd=tmp_path, **chosen(nowhere, database_url, "a")).returncode == 2
    assert run("sync", "--quiet", cwd=tmp_path, **chosen(url, database_url, "a")).returncode == 0
    assert counted(database_url, "SELECT account, base_url FROM replicator.source_state") == [("a", url)]
