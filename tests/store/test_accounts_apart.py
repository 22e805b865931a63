"""What is of one account is kept apart in the store: leases, budgets, queues; and a database of several accounts is migrated."""

from __future__ import annotations

import functools
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.errors import AnotherAccount, LeaseHeld, LeaseLost, SchemaTooNew
from replicator.store import accounts, budgets, lease, locks, migrate, schema_check, statistics, stored_details
from replicator.store.database import Database
from tests.store.test_upgrades import contents, restore

if TYPE_CHECKING:
    from collections.abc import Mapping

PRESENT = Path(__file__).resolve().parent / "releases" / "0007.sql.gz"
AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECOND = "o'hare, 50% \\ b"
"""An account's name may be any text."""


def test_each_account_has_a_lease_of_its_own(database: Database) -> None:
    """Two accounts are written to by two holders at once, with the same epoch; neither proves the other's lease."""
    of_a, of_b = (lease.acquire(database, account, "serve") for account in ("a", "b"))
    assert of_a.epoch == of_b.epoch == 1
    for held in (of_a, of_b):
        with database.transaction() as tx:
            lease.hold(tx, held)
    with pytest.raises(LeaseHeld, match="for the account a: serve"):
        lease.acquire(database, "a", "sync")
    lease.release(database, of_a)
    taken = lease.acquire(database, "a", "sync")
    with pytest.raises(LeaseLost, match="account a"), database.transaction() as tx:
        lease.hold(tx, of_a)
    with database.transaction() as tx:
        lease.hold(tx, taken)
        lease.hold(tx, of_b)


def test_holders_of_two_accounts_do_not_wait_for_each_other(database: Database) -> None:
    """While a transaction of a holds its lease, b takes its own, proves it and commits."""
    of_a = lease.acquire(database, "a", "serve")
    with database.transaction() as tx:
        lease.hold(tx, of_a)
        with closing(Database(_url(database, tx))) as other, other.transaction() as beside:
            beside.execute("SET LOCAL lock_timeout = '1s'")
            lease.hold(beside, _taken_beside(other, "b"))


def _taken_beside(database: Database, account: str) -> lease.Lease:
    return lease.acquire(database, account, "serve")


def _url(_: Database, tx: psycopg.Connection[object]) -> str:
    info = tx.info
    return f"postgresql://{info.user}:{info.password}@{info.host}:{info.port}/{info.dbname}"


def test_an_account_may_be_called_as_our_locks_are(database: Database) -> None:
    """An account of the name roll-ups has a lease, and the roll-ups have their lock: they are different rows."""
    held = lease.acquire(database, "roll-ups", "sync")
    with database.transaction() as tx:
        lease.hold(tx, held)
        with database.transaction() as beside:
            assert locks.take(beside, "roll-ups")


def test_statistics_are_refreshed_by_one_session_at_a_time(database: Database) -> None:
    """Where another session is analyzing, nothing is done and nothing waited for; afterwards it is done once."""
    with database.transaction() as tx:
        assert locks.take(tx, "statistics")
        assert statistics.refresh(database) == 0
    assert statistics.refresh(database) > 0
    assert statistics.refresh(database) == 0


def test_budgets_of_two_accounts_are_two(database: Database) -> None:
    """A key of the same words at another source has a budget of its own, and is read as it was kept."""
    of_a, of_b = (budgets.BudgetKey(account, budgets.key_id("key")) for account in ("a", "b"))

    def charge(key: budgets.BudgetKey, window: int, requests: int, oldest: int = 0) -> bool:
        return budgets.charge(database, key, budgets.Charges({window: (requests, 3)}, oldest, AT, AT))

    assert charge(of_a, 7, 3)
    assert not charge(of_a, 7, 1)
    assert charge(of_b, 7, 1)
    with database.transaction() as tx:
        budgets.save_budget(tx, of_a, 60, budgets.BudgetRow(5, None, None, None, {}), budgets.Kept(AT, AT))
        assert budgets.load_budget(tx, of_a) == budgets.BudgetRow(5, None, None, None, {7: 3})
        assert budgets.load_budget(tx, of_b) == budgets.BudgetRow(None, None, None, None, {7: 1})
    assert charge(of_b, 8, 1, oldest=8)
    with database.connection() as connection:
        assert budgets.load_budget(connection, of_a).charged == {7: 3}


@pytest.mark.parametrize(
    ("stored", "is_refused"),
    [
        ({}, False),
        ({"call": "a"}, True),
        ({"lease": "a"}, True),
        ({"call": "a", "url": "http://elsewhere"}, False),
    ],
    ids=["only named once", "holds calls", "is being copied", "another source"],
)
def test_a_key_belongs_to_one_account(database: Database, stored: Mapping[str, str], is_refused: bool) -> None:
    """A key that another account uses at the same address is refused, unless that account was only named once by mistake."""
    key = budgets.BudgetKey("a", budgets.key_id("key"))
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO replicator.source_state (account, base_url) VALUES ('a', %s)",
            [stored.get("url", "http://here")],
        )
        claim = functools.partial(accounts.claim_keys, key_ids=[key.key_id], window_seconds=60, now=datetime.now(UTC))
        claim(tx, "a", stored.get("url", "http://here"))
        if "call" in stored:
            tx.execute(
                "INSERT INTO truedy.calls (id, account, raw, fingerprint, version, observed_at, first_seen_at, changed_at) "
                "VALUES (gen_random_uuid(), 'a', '{}', '', 1, now(), now(), now())"
            )
    if "lease" in stored:
        lease.acquire(database, "a", "serve")
    with database.connection() as connection:
        claim(connection, "a", "http://here")
        if not is_refused:
            claim(connection, "b", "http://here")
            return
        with pytest.raises(AnotherAccount) as refused:
            claim(connection, "b", "http://here")
    assert "replicator accounts rename a b" in refused.value.hint


def test_a_database_of_two_accounts_is_migrated(empty_database: str) -> None:
    """Each account has a lease, the books of each key and its details; of all that was stored nothing is lost."""
    restore(PRESENT, empty_database)
    with psycopg.connect(empty_database) as connection:
        _add_second_account(connection)
    before = contents(empty_database)
    migrate.migrate(empty_database)
    after = contents(empty_database)
    for name, rows in before.items():
        kept = [{column: row[column] for column in rows[0]} for row in after[name]] if rows else []
        # What was believed to be absent after one look is asked for again.
        lost = [row for row in rows if row not in kept and row.get("state") != "absent_final"]
        assert lost == [], name
    with closing(Database(empty_database)) as database, database.connection() as connection:
        for table in ("transcripts", "recordings"):
            assert connection.execute(
                f"SELECT count(*), count(DISTINCT c.account) FROM truedy.{table} t JOIN truedy.calls c ON c.id = t.call_id "
                "WHERE t.account IS DISTINCT FROM c.account"
            ).fetchone() == (0, 0)
        epochs = connection.execute("SELECT account, epoch FROM replicator.lease ORDER BY account").fetchall()
        assert epochs == [("default", 1), (SECOND, 1)]
        names = "SELECT account, count(*) FROM replicator.budgets GROUP BY account ORDER BY account"
        assert connection.execute(names).fetchall() == [("default", 1), (SECOND, 1)]
        for table in ("transcripts", "recordings"):
            for row in before[f"truedy.{table}"]:
                doubted = "SELECT state, due_at IS NOT NULL, waits_last, absent_looks FROM truedy.{} WHERE call_id = %s"
                if row["state"] == "absent_final" and row["attempts"] < 3:
                    found = connection.execute(doubted.format(table), [row["call_id"]]).fetchone()
                    assert found == ("pending", True, True, max(row["attempts"], 1))
        last = connection.execute("SELECT max(due_at) FROM truedy.transcripts").fetchone()
        assert last is not None
        queues = [
            stored_details.due_details(connection, account, ("transcript",), last[0], 1000)
            for account in ("default", SECOND)
        ]
        assert len(queues[0]) == len(queues[1]) > 0
        # Each goes on with a key that the other one's books have too, as nobody knew whose it was.
        for account in ("default", SECOND):
            url = connection.execute(
                "SELECT base_url FROM replicator.source_state WHERE account = %s", [account]
            ).fetchone()
            keys = connection.execute(
                "SELECT array_agg(key_id) FROM replicator.budgets WHERE account = %s", [account]
            ).fetchone()
            assert url is not None
            assert keys is not None
            if account == "default":
                accounts.claim_keys(connection, account, url[0], keys[0], 60, datetime.now(UTC))
            else:
                with pytest.raises(AnotherAccount):
                    accounts.claim_keys(connection, account, url[0], keys[0], 60, datetime.now(UTC))
        assert not {row[1] for row in queues[0]} & {row[1] for row in queues[1]}


def _add_second_account(connection: psycopg.Connection[object]) -> None:
    """Give the restored database a second account, with copies of the first one's calls and details under other ids."""
    columns = "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attname <> %s AND attgenerated = ''"
    for table, key in (("calls", "id"), ("transcripts", "call_id"), ("recordings", "call_id")):
        row = connection.execute(columns, [f"truedy.{table}", key]).fetchone()
        assert row is not None
        names = str(row[0])  # type: ignore[index]
        shown = names.replace("account", f"$name${SECOND}$name$", 1) if table == "calls" else names
        connection.execute(
            f"INSERT INTO truedy.{table} ({key}, {names}) SELECT md5({key}::text)::uuid, {shown} FROM truedy.{table}".encode()
        )
    connection.execute(
        "INSERT INTO replicator.source_state (account, base_url) SELECT %s, base_url FROM replicator.source_state",
        [SECOND],
    )
    connection.execute("UPDATE truedy.transcripts SET due_at = fetched_at WHERE state = 'present'")


OLD_HOLD = "UPDATE replicator.lease SET expires_at = clock_timestamp() + interval '30 s' WHERE name = 'writer' AND epoch = 1 RETURNING epoch"
"""How a transaction of the release before proved its lease."""


@pytest.mark.slow
def test_the_release_before_cannot_write_any_more(empty_database: str) -> None:
    """A migration waits for a transaction of a service of the release before, loses nothing of it, and that service's next
    one is refused; before a run it would see that the schema is newer.
    """
    restore(PRESENT, empty_database)
    done: list[str] = []
    migrating = threading.Thread(target=lambda: done.append(migrate.migrate(empty_database).after))
    with psycopg.connect(empty_database) as old:
        assert old.execute(OLD_HOLD).fetchone() == (1,)
        old.execute("INSERT INTO replicator.source_state (account, base_url) VALUES ('late', 'http://late')")
        migrating.start()
        migrating.join(1)
        assert migrating.is_alive()
        old.commit()
        migrating.join()
        assert done == [schema_check.revisions()[-1]]
        with pytest.raises(psycopg.errors.UndefinedColumn):
            old.execute(OLD_HOLD)
    with closing(Database(empty_database)) as database:
        schema_check.check(database)
        with database.transaction() as tx:
            leases = tx.execute("SELECT account, epoch FROM replicator.lease ORDER BY account").fetchall()
            assert leases == [("default", 1), ("late", 1)]
            tx.execute("UPDATE replicator.schema_version SET version_num = '9999'")
        with pytest.raises(SchemaTooNew):
            schema_check.check(database)
