"""What the roles may do to what is sealed, verb by verb; and what a trigger refuses to those whom no right stops."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from replicator.archive import chain, sealing
from replicator.archive.kinds import Kind
from replicator.archive.sealing import Entry
from replicator.store import migrate
from replicator.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED = psycopg.errors.InsufficientPrivilege
AT = datetime(2026, 11, 30, tzinfo=UTC)
CHANGES = (
    "UPDATE archive.records SET kind = 'gap'",
    "UPDATE archive.records SET bytes = NULL, salt = NULL, kind = 'gap'",
    "UPDATE archive.records SET bytes = NULL",
    "UPDATE archive.records SET salt = NULL, bytes = '\\x00'",
    "UPDATE archive.records SET commitment = '\\x00'",
    "UPDATE archive.records SET sequence = sequence + 100",
    "UPDATE archive.records SET subject = NULL, salt = NULL, bytes = NULL",
    "UPDATE archive.blocks SET hash = '\\x00'",
    "DELETE FROM archive.records",
    "DELETE FROM archive.blocks",
    "TRUNCATE archive.records",
    "TRUNCATE archive.blocks",
    "TRUNCATE archive.records, archive.blocks, archive.chains",
    "INSERT INTO archive.records SELECT * FROM archive.records ON CONFLICT (account, sequence) DO UPDATE SET bytes = '\\x00'",
    "MERGE INTO archive.records r USING archive.records o ON r.sequence = o.sequence WHEN MATCHED THEN DELETE",
)
"""What nobody may do to what is sealed, not even in an erasure."""
ERASURE = "UPDATE archive.records SET salt = NULL, bytes = NULL WHERE sequence = 1"
AROUND = (
    "SET session_replication_role = replica",
    "ALTER TABLE archive.records DISABLE TRIGGER ALL",
    "ALTER TABLE archive.records DISABLE TRIGGER kept_rows",
    "ALTER TABLE archive.blocks DISABLE TRIGGER kept_whole",
    "DROP TRIGGER kept_rows ON archive.records",
    "DROP TABLE archive.records CASCADE",
    "ALTER TABLE archive.records RENAME TO others",
    "DROP FUNCTION archive.refuse_change() CASCADE",
    "CREATE OR REPLACE FUNCTION archive.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE RULE quiet AS ON UPDATE TO archive.records DO INSTEAD NOTHING",
    "CREATE TRIGGER another BEFORE INSERT ON archive.records FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "ALTER TABLE archive.records ALTER COLUMN bytes TYPE text",
)
"""How one would get around it."""


@pytest.fixture
def sealed(logins: dict[str, str]) -> Iterator[dict[str, str]]:
    """A database with the roles in use, in which the writer has sealed two records."""
    database = Database(logins["writer"])
    content = chain.canonical({"kind": "call", "account": "default"})
    with database.transaction() as tx:
        sealing.append(tx, "default", [Entry(Kind.CALL, uuid4(), AT, content)] * 2, AT)
    yield logins
    database.close()


def refused(url: str, statement: str, *before: str) -> bool:
    """Try it in a transaction that is undone; say whether it was refused for want of a right, or by the trigger."""
    with psycopg.connect(url) as connection:
        for one in before:
            connection.execute(one)
        try:
            connection.execute(statement)
        except REFUSED:
            return True
        finally:
            connection.rollback()
    return False


@pytest.mark.parametrize("role", ["writer", "reader", "auditor"])
def test_only_an_archivist_can_erase(sealed: dict[str, str], role: str) -> None:
    """The writer adds and reads; nobody but the archivist takes a content away; none of them gets around it."""
    assert [one for one in (*CHANGES, ERASURE, *AROUND) if not refused(sealed[role], one)] == []


def test_an_archivist_erases_and_nothing_else(sealed: dict[str, str]) -> None:
    """It takes away salt and bytes of a record, both at once; everything else is refused to it, too."""
    assert [one for one in (*CHANGES, *AROUND) if not refused(sealed["archivist"], one)] == []
    with psycopg.connect(sealed["archivist"]) as connection:
        assert connection.execute(ERASURE).rowcount == 1
        database_rows = connection.execute(
            "SELECT sequence, bytes IS NULL, salt IS NULL FROM archive.records ORDER BY 1"
        )
        assert database_rows.fetchall() == [(1, True, True), (2, False, False)]
    database = Database(sealed["archivist"])
    with database.transaction() as tx:
        erasure = chain.canonical({"kind": "erasure", "account": "default", "records": [1]})
        assert sealing.append(tx, "default", [Entry(Kind.ERASURE, None, AT, erasure)], AT).first == 3
    database.close()


def test_the_owner_is_refused_by_the_trigger(sealed: dict[str, str], role_prefix: str, database_url: str) -> None:
    """By mistake it changes nothing, and it does not erase: whoever switches the trigger off is found by verification. The
    trigger fires in a session without triggers, too.
    """
    owner = f"SET ROLE {role_prefix}_owner"
    assert [one for one in (*CHANGES, ERASURE) if not refused(sealed["owner"], one, owner)] == []
    replica = "SET session_replication_role = replica"
    assert [one for one in CHANGES if not refused(database_url, one, replica)] == []


def test_without_the_roles_the_owner_erases(database_url: str) -> None:
    """In a database of one user there is no archivist: an erasure is possible, and nothing else."""
    database = Database(database_url)
    with database.transaction() as tx:
        sealing.append(tx, "default", [Entry(Kind.CALL, uuid4(), AT, b"{}")], AT)
    database.close()
    assert [one for one in CHANGES if not refused(database_url, one)] == []
    assert not refused(database_url, ERASURE)


def test_an_installation_with_four_roles_goes_on(empty_database: str) -> None:
    """`migrate` of this release does not need the fifth role, which an administrator makes with `roles` when it suits."""
    prefix = f"t{uuid4().hex[:8]}"
    migrate.make_roles(empty_database, prefix)
    migrate.migrate(empty_database, role_prefix=prefix)
    with psycopg.connect(empty_database, autocommit=True) as admin:
        admin.execute(f"DROP OWNED BY {prefix}_archivist")
        admin.execute(f"DROP ROLE {prefix}_archivist")
        admin.execute("UPDATE replicator.views SET sha256 = '' WHERE name = 'calls'")
    assert list(migrate.migrate(empty_database, role_prefix=prefix).views) == ["calls"]
    assert f"CREATE ROLE {prefix}_archivist NOLOGIN" in migrate.make_roles(empty_database, prefix)
    assert migrate.make_roles(empty_database, prefix) == []
