"""Sealing: one block for each transaction, no gap and no fork, whoever seals at the same time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from replicator.archive import chain, sealing
from replicator.archive.kinds import Kind
from replicator.archive.sealing import Entry

if TYPE_CHECKING:
    from replicator.store.database import Database

AT = datetime(2026, 11, 30, 1, 2, 3, 4, UTC)


def entries(count: int, text: str = "x") -> list[Entry]:
    return [
        Entry(Kind.CALL, uuid4(), AT, chain.canonical({"kind": "call", "account": "a", "text": f"{text}{place}"}))
        for place in range(count)
    ]


def test_each_transaction_is_one_block_on_the_last(database: Database) -> None:
    """Sequences go on without a gap, each account has a chain of its own, and what is stored is what was sealed."""
    with database.transaction() as tx:
        first = sealing.append(tx, "a", entries(3), AT)
        other = sealing.append(tx, "it's\tb", entries(1), AT)
    with database.transaction() as tx:
        second = sealing.append(tx, "a", entries(2), AT)
        with pytest.raises(ValueError, match="nothing to seal"):
            sealing.append(tx, "a", [], AT)
    assert [(one.block, one.first, one.last) for one in (first, other, second)] == [(1, 1, 3), (1, 1, 1), (2, 4, 5)]
    assert (first.previous, second.previous) == (chain.NO_BLOCK, first.hash)
    with database.connection() as connection:
        assert sealing.head(connection, "a") == second
        assert sealing.head(connection, "it's\tb") == other
        assert sealing.head(connection, "c") is None
        rows = connection.execute(
            "SELECT sequence, kind, salt, bytes, commitment, block FROM archive.records WHERE account = 'a' ORDER BY 1"
        ).fetchall()
    assert [(row[0], row[5]) for row in rows] == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)]
    assert all(chain.commitment(salt, content) == kept for _, _, salt, content, kept, _ in rows)
    assert chain.root(chain.leaf(row[0], row[1], row[4]) for row in rows[:3]) == first.root


def test_a_block_waits_for_the_disk(database: Database) -> None:
    """Also where the role lets commits go without it: a head outside may be about the block. Nothing else changes."""
    for before, after in (("off", "on"), ("local", "local")):
        with database.transaction() as tx:
            tx.execute(f"SET LOCAL synchronous_commit = {before}")
            sealing.append(tx, "a", entries(1), AT)
            assert tx.execute("SHOW synchronous_commit").fetchone() == (after,)


def test_what_is_rolled_back_leaves_no_gap(database: Database) -> None:
    """A transaction that fails takes its block with it."""
    with database.transaction() as tx:
        sealing.append(tx, "a", entries(1), AT)
    with pytest.raises(RuntimeError), database.transaction() as tx:  # noqa: PT012 - the block is what is undone
        sealing.append(tx, "a", entries(1), AT)
        raise RuntimeError
    with database.transaction() as tx:
        assert sealing.append(tx, "a", entries(1), AT).first == 2


def test_those_who_seal_at_the_same_time_make_one_chain(database: Database) -> None:
    """Four threads, each in transactions of its own: every block is on the one before it."""

    def work() -> None:
        for _ in range(10):
            with database.transaction() as tx:
                sealing.append(tx, "a", entries(2), AT)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.connection() as connection:
        rows = connection.execute(
            "SELECT block, first_sequence, last_sequence, previous, hash FROM archive.blocks ORDER BY block"
        ).fetchall()
    assert [row[:3] for row in rows] == [(number, 2 * number - 1, 2 * number) for number in range(1, 41)]
    assert [row[3] for row in rows] == [chain.NO_BLOCK, *(row[4] for row in rows[:-1])]
