"""Stores the pseudonyms of phone numbers, with the id of the secret that made them. The secret itself is never stored
here.

A pseudonym is written with the call that first shows its number, and not again unless the secret changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    import psycopg


def add(tx: psycopg.Connection[Any], account: str, key_id: str, keys: Mapping[str, str]) -> int:
    """Write the pseudonyms of numbers that have none; return how many had none. Existing ones are not changed."""
    if not keys:
        return 0
    return tx.execute(
        "INSERT INTO replicator.parties (account, number, party_key, key_id) SELECT %s, number, party_key, %s "
        "FROM unnest(%s::text[], %s::text[]) AS p (number, party_key) ON CONFLICT DO NOTHING",
        [account, key_id, list(keys), list(keys.values())],
    ).rowcount


def forget(tx: psycopg.Connection[Any], account: str, key_id: str) -> None:
    """Remove the pseudonyms that were made with another secret than this one."""
    tx.execute("DELETE FROM replicator.parties WHERE account = %s AND key_id <> %s", [account, key_id])


def known_key_id(tx: psycopg.Connection[Any], account: str) -> str | None:
    """Return the id of the secret with which all numbers of the account have a pseudonym; None where some may have
    none.
    """
    row = tx.execute("SELECT party_key_id FROM replicator.source_state WHERE account = %s", [account]).fetchone()
    return row[0] if row else None


def note_key_id(tx: psycopg.Connection[Any], account: str, key_id: str | None) -> None:
    """Record that all numbers of the account have a pseudonym by this secret; None: some may have none."""
    tx.execute(
        "UPDATE replicator.source_state SET party_key_id = %(key_id)s "
        "WHERE account = %(account)s AND party_key_id IS DISTINCT FROM %(key_id)s",
        {"account": account, "key_id": key_id},
    )


def numbers(
    tx: psycopg.Connection[Any], account: str, after: UUID | None, limit: int
) -> list[tuple[UUID, str | None, str | None]]:
    """Return (call id, called number, calling number) of the next calls after `after`, by id."""
    return tx.execute(
        "SELECT id, phone_number, from_number FROM truedy.calls WHERE account = %(account)s "
        "AND (%(after)s::uuid IS NULL OR id > %(after)s) ORDER BY id LIMIT %(limit)s",
        {"account": account, "after": after, "limit": limit},
    ).fetchall()
