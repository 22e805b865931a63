"""Reads and writes archive.heads: the signed heads that were written outside, and their time stamps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg


def note(
    tx: psycopg.Connection[Any],
    account: str,
    block: int,
    place: str,
    head: str,
    written_at: datetime,
    authority: str | None,
) -> None:
    """Note that a head was written to a place. Where it was noted before, it only gets the authority that it lacks."""
    tx.execute(
        "INSERT INTO archive.heads AS h (account, block, place, head, written_at, authority) VALUES (%s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (account, block, place) DO UPDATE SET authority = excluded.authority "
        "WHERE h.authority IS NULL AND excluded.authority IS NOT NULL",
        [account, block, place, head, written_at, authority],
    )


def waiting(connection: psycopg.Connection[Any], account: str) -> list[tuple[int, str, str, str]]:
    """Return (block, place, head, authority) of heads that wait for a token, newest first."""
    return connection.execute(
        "SELECT block, place, head, authority FROM archive.heads WHERE account = %s AND authority IS NOT NULL "
        "AND token IS NULL ORDER BY block DESC LIMIT 100",
        [account],
    ).fetchall()


def note_token(
    tx: psycopg.Connection[Any],
    account: str,
    block: int,
    place: str,
    token: bytes | None,
    at: datetime | None,
    error: str | None,
) -> None:
    """Store a token with the time that it states, or why there is none yet."""
    tx.execute(
        "UPDATE archive.heads SET token = %s, token_at = %s, token_error = %s WHERE account = %s AND block = %s "
        "AND place = %s AND token IS NULL",
        [token, at, error, account, block, place],
    )


def stored(connection: psycopg.Connection[Any], account: str) -> list[tuple[int, str, str, bytes | None]]:
    """Return (block, place, head, token) of the heads of an account, oldest first."""
    return connection.execute(
        "SELECT block, place, head, token FROM archive.heads WHERE account = %s ORDER BY block, place", [account]
    ).fetchall()


def summary(connection: psycopg.Connection[Any], account: str) -> dict[str, Any]:
    """Return what `archive status` shows of an account's chain and heads."""
    row = connection.execute(
        "WITH newest AS (SELECT block, last_sequence, sealed_at, hash FROM archive.blocks WHERE account = %(account)s "
        "ORDER BY block DESC LIMIT 1), anchor AS (SELECT h.block, h.place, h.written_at, b.last_sequence, b.sealed_at "
        "FROM archive.heads h JOIN archive.blocks b ON b.account = h.account AND b.block = h.block "
        "WHERE h.account = %(account)s ORDER BY h.block DESC, h.written_at DESC LIMIT 1), "
        "next AS (SELECT b.sealed_at FROM archive.blocks b WHERE b.account = %(account)s "
        "AND b.block = coalesce((SELECT block FROM anchor), 0) + 1), "
        "token AS (SELECT count(*) AS waiting, min(written_at) AS since, (array_agg(token_error ORDER BY block DESC))[1] "
        "AS error FROM archive.heads WHERE account = %(account)s AND authority IS NOT NULL AND token IS NULL) "
        "SELECT n.block, n.last_sequence, n.sealed_at, n.hash, a.block, a.place, a.written_at, "
        "coalesce(n.last_sequence, 0) - coalesce(a.last_sequence, 0), x.sealed_at, t.waiting, t.since, t.error "
        "FROM token t LEFT JOIN newest n ON true LEFT JOIN anchor a ON true LEFT JOIN next x ON true",
        {"account": account},
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate returns a row
    names = (
        "block", "records", "sealed_at", "hash", "anchored_block", "anchored_at_place", "anchored_at", "open_records",
        "open_since", "tokens_waiting", "tokens_wait_since", "token_error",
    )  # fmt: skip
    return dict(zip(names, row, strict=True))


__all__ = ["note", "note_token", "stored", "summary", "waiting"]
