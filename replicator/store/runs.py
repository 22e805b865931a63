"""Stores the runs: opened before a run does anything else, closed with how it ended. A run that
never ended has died.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from replicator.errors import ReplicatorError

if TYPE_CHECKING:
    import psycopg

SENT = ("requests", "refusals", "failures")
"""Counters that change before anything is committed."""
DEFECT = "defect: "
"""The beginning of the message of a run that ended by an unexpected error, such as a MemoryError."""


@dataclass(slots=True)
class Counters:
    """The counters of a run. Their names are the columns of replicator.runs."""

    requests: int = 0
    pages: int = 0
    rows_received: int = 0
    calls_inserted: int = 0
    calls_changed: int = 0
    calls_unchanged: int = 0
    calls_late: int = 0
    rows_quarantined: int = 0
    transcripts_stored: int = 0
    segments_stored: int = 0
    recordings_stored: int = 0
    details_absent: int = 0
    calls_suspected: int = 0
    calls_deleted: int = 0
    absences_ended: int = 0
    refusals: int = 0
    failures: int = 0

    @property
    def news(self) -> int:
        """Rows that were new or changed."""
        return self.calls_inserted + self.calls_changed

    def as_dict(self) -> dict[str, int]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def begin_run(tx: psycopg.Connection[Any], account: str, command: str, version: str, holder: str, epoch: int) -> int:
    """Open a run; return its id. Earlier runs that were never closed belong to dead processes: they are marked lost."""
    tx.execute(
        "UPDATE replicator.runs SET outcome = 'lost', finished_at = clock_timestamp() "
        "WHERE account = %s AND finished_at IS NULL",
        [account],
    )
    row = tx.execute(
        "INSERT INTO replicator.runs (account, command, replicator_version, holder, epoch) "
        "VALUES (%s, %s, %s, %s, %s) RETURNING id",
        [account, command, version, holder, epoch],
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert returns its row
    return int(row[0])


def has_committed(tx: psycopg.Connection[Any], run_id: int, *possible: Counters) -> bool:
    """Say whether the database has stored this run with one of these counters: if not, it has lost
    confirmed commits.
    """
    names = [name for name in Counters().as_dict() if name not in SENT]
    row = tx.execute(f"SELECT {', '.join(names)} FROM replicator.runs WHERE id = %s", [run_id]).fetchone()
    return row in [tuple(getattr(counters, name) for name in names) for counters in possible]


def save_run(
    tx: psycopg.Connection[Any],
    run_id: int,
    counters: Counters,
    outcome: str | None = None,
    message: str | None = None,
    failure: BaseException | None = None,
) -> None:
    """Store the counters. With an `outcome` also close the run, and store with which error it failed."""
    is_defect = isinstance(failure, Exception) and not isinstance(failure, ReplicatorError)
    values = counters.as_dict()
    columns = ", ".join(f"{name} = %({name})s" for name in values)
    tx.execute(
        f"UPDATE replicator.runs SET {columns}, outcome = %(outcome)s, message = %(message)s, "
        "error_code = %(error_code)s, is_defect = %(is_defect)s, "
        "finished_at = CASE WHEN %(outcome)s::text IS NULL THEN NULL ELSE clock_timestamp() END WHERE id = %(id)s",
        {
            **values,
            "outcome": outcome,
            "message": message,
            "id": run_id,
            "is_defect": is_defect,
            "error_code": None if failure is None else type(failure).__name__,
        },
    )


def deaths_in_a_row(connection: psycopg.Connection[Any], account: str) -> int:
    """Return how many of the latest runs in a row died or ended by a defect.

    A run is stored before it does anything, so a run that dies at once counts too.
    """
    row = connection.execute(
        "WITH ended AS (SELECT id, outcome IS NULL OR outcome = 'lost' OR is_defect AS is_death "
        "FROM replicator.runs WHERE account = %(account)s ORDER BY id DESC LIMIT 20) SELECT count(*) FROM ended WHERE id > "
        "coalesce((SELECT max(id) FROM ended WHERE NOT is_death), 0)",
        {"account": account},
    ).fetchone()
    return int(row[0]) if row else 0


def has_lost_run(connection: psycopg.Connection[Any], account: str) -> bool:
    """Say whether the last run never ended: its process died, perhaps while requests were under way."""
    row = connection.execute(
        "SELECT finished_at IS NULL FROM replicator.runs WHERE account = %s ORDER BY id DESC LIMIT 1", [account]
    ).fetchone()
    return bool(row and row[0])
