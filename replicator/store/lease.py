"""Ensures one writer for each account: a lease, which is a row with the database's clock and an epoch that only grows.

Services of several accounts write to one database side by side; what they share has its own locks (locks.py). Every
transaction that writes what a run has read proves its epoch first (`hold`). So a process that slept past the end of its
lease cannot write after another took over. This also works behind a transaction pooler, where session advisory locks leak.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicator.errors import LeaseHeld, LeaseLost

if TYPE_CHECKING:
    import psycopg

    from replicator.store.database import Database

TTL_SECONDS = 30

_taken: set[tuple[str, str, int]] = set()
"""(place, account, epoch) of the leases that this process knows it holds. A lease with our process id that is not among
them belongs to no live process: its commit succeeded but the connection broke before the answer, or an earlier process
had the id.
"""


def this_host() -> str:
    """Return a name for this machine, its present boot, and the container if any: where a process id means the same as
    here.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
        processes = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return f"{socket.gethostname()}/-"
    return f"{socket.gethostname()}/{boot}/{processes}"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write the data of one account, until another epoch of it begins."""

    account: str
    epoch: int
    holder: str


def acquire(database: Database, account: str, command: str) -> Lease:
    """Take the account's lease. Raises LeaseHeld with its holder. It is taken over from a dead
    process of this machine.
    """
    host, pid = this_host(), os.getpid()
    holder = f"{command} (process {pid} on {host.split('/')[0]})"
    with database.transaction() as tx:
        tx.execute("INSERT INTO replicator.lease (account, epoch) VALUES (%s, 0) ON CONFLICT DO NOTHING", [account])
        row = tx.execute(
            "SELECT holder, host, pid, expires_at > clock_timestamp(), "
            "extract(epoch FROM expires_at - clock_timestamp())::integer, acquired_at, epoch "
            "FROM replicator.lease WHERE account = %s FOR UPDATE",
            [account],
        ).fetchone()
        assert row is not None  # noqa: S101 - the row was just inserted
        other, other_host, other_pid, is_live, seconds_left, acquired_at, epoch = row
        is_unknown = other_pid == pid and (database.place, account, epoch) not in _taken
        is_nobodys = other_host == host and (is_unknown or not _is_running(other_pid))
        if is_live and not is_nobodys:
            raise LeaseHeld(
                f"another replicator writes to this database for the account {account}: {other}, since "
                f"{acquired_at:%Y-%m-%d %H:%M:%S %Z}",
                advice=f"let it work, or stop it; if it is dead, its lease frees itself in {max(1, seconds_left)} s",
            )
        row = tx.execute(
            "UPDATE replicator.lease SET epoch = epoch + 1, holder = %s, host = %s, pid = %s, command = %s, "
            "acquired_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => %s) "
            "WHERE account = %s RETURNING epoch",
            [holder, host, pid, command, TTL_SECONDS, account],
        ).fetchone()
        assert row is not None  # noqa: S101 - the row is locked by us
        taken = Lease(account, row[0], holder)
    _taken.add((database.place, account, taken.epoch))
    return taken


def hold(tx: psycopg.Connection[Any], lease: Lease) -> None:
    """Prove and renew the lease inside a writing transaction. Raises LeaseLost where another epoch has begun."""
    row = tx.execute(
        "UPDATE replicator.lease SET expires_at = clock_timestamp() + make_interval(secs => %s) "
        "WHERE account = %s AND epoch = %s RETURNING epoch",
        [TTL_SECONDS, lease.account, lease.epoch],
    ).fetchone()
    if row is None:
        raise LeaseLost(f"another replicator has taken over writing to this database for the account {lease.account}")


def release(database: Database, lease: Lease) -> None:
    """Release the lease, if it is still ours."""
    forget(database, lease)
    with database.transaction() as tx:
        tx.execute(
            "UPDATE replicator.lease SET expires_at = clock_timestamp() WHERE account = %s AND epoch = %s",
            [lease.account, lease.epoch],
        )


def forget(database: Database, lease: Lease) -> None:
    """Forget the lease, even if the database cannot be told: this process may take it again at once."""
    _taken.discard((database.place, lease.account, lease.epoch))


def is_dead(host: str | None, pid: int | None) -> bool:
    """Say whether a holder is a process of this machine that no longer runs. False for another machine: that is not
    known.
    """
    return pid is not None and host == this_host() and not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
