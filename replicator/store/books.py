"""Our books: the coverage ledger, the request budgets, the runs and what is known of the source.

Plain functions on a psycopg connection or a Database; shapes are rows and tuples, the meaning is in sync/ and source/.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import psycopg

from replicator.errors import ReplicatorError
from replicator.store import doubts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from replicator.store.database import Database

CoverageRow = tuple[Any, ...]
"""(since or None for the beginning, until, verified_at, is_proven, a Doubt or None)"""


def load_coverage(connection: psycopg.Connection[Any], account: str) -> list[CoverageRow]:
    """Return the ledger's pieces, oldest first."""
    rows = connection.execute(
        "SELECT nullif(since, '-infinity'), until, verified_at, is_proven, reason FROM replicator.coverage "
        "WHERE account = %s ORDER BY since",
        [account],
    )
    return [(*row, is_proven, doubts.told(words, is_proven=is_proven)) for *row, is_proven, words in rows]


def save_coverage(
    tx: psycopg.Connection[Any], account: str, removed: Iterable[CoverageRow], added: Iterable[CoverageRow]
) -> None:
    """Turn the stored ledger into the new one by the difference of the two."""
    gone = [(account, since) for since, *_ in removed]
    if gone:
        tx.cursor().executemany(
            "DELETE FROM replicator.coverage WHERE account = %s AND since = coalesce(%s, '-infinity'::timestamptz)",
            gone,
        )
    rows = [(account, *row, "" if doubt is None else doubts.WORDS[doubt], doubt) for *row, doubt in added]
    if rows:
        tx.cursor().executemany(
            "INSERT INTO replicator.coverage (account, since, until, verified_at, is_proven, reason, reason_code) "
            "VALUES (%s, coalesce(%s, '-infinity'::timestamptz), %s, %s, %s, %s, %s)",
            rows,
        )


def key_id(key: str) -> str:
    """Return the name under which a key's budget is kept: a hash, which the key cannot be read from."""
    return hashlib.sha256(b"truedy-replicator budget\0" + key.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class BudgetKey:
    """Whose budget it is: a key, by its id, that an account uses."""

    account: str
    key_id: str


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """What is kept of one key's budget. Offsets are the server's clock minus ours, in seconds."""

    request_limit: int | None
    not_before: datetime | None
    offset_low_seconds: float | None
    offset_high_seconds: float | None
    charged: Mapping[int, int]


def load_budget(connection: psycopg.Connection[Any], key: BudgetKey) -> BudgetRow:
    """Return the books of one key; empty ones where it is new."""
    row = connection.execute(
        "SELECT request_limit, not_before, offset_low_seconds::float8, offset_high_seconds::float8 "
        "FROM replicator.budgets WHERE account = %s AND key_id = %s",
        [key.account, key.key_id],
    ).fetchone()
    charged = connection.execute(
        "SELECT window_number, charged FROM replicator.budget_windows WHERE account = %s AND key_id = %s",
        [key.account, key.key_id],
    ).fetchall()
    limit, not_before, low, high = row or (None, None, None, None)
    return BudgetRow(limit, not_before, low, high, dict(charged))


def save_budget(connection: psycopg.Connection[Any], key: BudgetKey, window_seconds: float, row: BudgetRow) -> None:
    """Keep what was learned of the limit and of the clocks."""
    connection.execute(
        "INSERT INTO replicator.budgets (account, key_id, request_limit, window_seconds, not_before, offset_low_seconds, "
        "offset_high_seconds) VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (account, key_id) DO UPDATE SET "
        "request_limit = excluded.request_limit, window_seconds = excluded.window_seconds, "
        "not_before = excluded.not_before, offset_low_seconds = excluded.offset_low_seconds, "
        "offset_high_seconds = excluded.offset_high_seconds",
        [
            key.account,
            key.key_id,
            row.request_limit,
            window_seconds,
            row.not_before,
            row.offset_low_seconds,
            row.offset_high_seconds,
        ],
    )


def charge(database: Database, key: BudgetKey, windows: Mapping[int, int], limit: int, oldest_kept: int) -> bool:
    """Charge requests to windows, durably, before they are sent: all or nothing.

    False where another process has used the windows up meanwhile: the caller loads the books again.
    """
    is_charged = False
    with database.transaction() as tx:
        for window, requests in sorted(windows.items()):
            row = tx.execute(
                "INSERT INTO replicator.budget_windows AS b (account, key_id, window_number, charged) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (account, key_id, window_number) DO UPDATE SET charged = b.charged + excluded.charged "
                "WHERE b.charged + excluded.charged <= %s RETURNING charged",
                [key.account, key.key_id, window, requests, limit],
            ).fetchone()
            if row is None or row[0] > limit:
                raise psycopg.Rollback
        tx.execute(
            "DELETE FROM replicator.budget_windows WHERE account = %s AND key_id = %s AND window_number < %s",
            [key.account, key.key_id, oldest_kept],
        )
        is_charged = True
    return is_charged


def add_charges(tx: psycopg.Connection[Any], key: BudgetKey, windows: Mapping[int, int]) -> None:
    """Charge requests that were sent already and may count in these windows too."""
    for window, requests in sorted(windows.items()):
        tx.execute(
            "INSERT INTO replicator.budget_windows AS b (account, key_id, window_number, charged) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (account, key_id, window_number) DO UPDATE SET charged = b.charged + excluded.charged",
            [key.account, key.key_id, window, requests],
        )


def restore_charges(tx: psycopg.Connection[Any], key: BudgetKey, windows: Mapping[int, int]) -> None:
    """Charge these windows with so much at least: the database has forgotten charges of requests that were sent."""
    for window, requests in sorted(windows.items()):
        tx.execute(
            "INSERT INTO replicator.budget_windows AS b (account, key_id, window_number, charged) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (account, key_id, window_number) DO UPDATE SET charged = greatest(b.charged, excluded.charged)",
            [key.account, key.key_id, window, requests],
        )


@dataclass(slots=True)
class Counters:
    """What a run did. Names are the columns of replicator.runs."""

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
    """Open a run; return its id. Runs that were never finished belong to processes that died: they are marked lost."""
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


SENT = ("requests", "refusals", "failures")
"""Counters that move before anything is committed."""


def has_committed(tx: psycopg.Connection[Any], run_id: int, *possible: Counters) -> bool:
    """Say whether the database remembers this run as one of these: if not, it has lost commits that it confirmed."""
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
    """Keep the counters; with an outcome, close the run, with what it failed of where it did."""
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


def save_source(
    tx: psycopg.Connection[Any],
    account: str,
    base_url: str,
    head_at: datetime | None,
    total: int | None,
    live: int | None,
    difference: int | None,
    sliced_at: datetime | None,
    *,
    is_identified: bool,
) -> None:
    """Keep when the head was last read, how many calls the source says it has, and how many are stored."""
    tx.execute(
        "INSERT INTO replicator.source_state AS s (account, base_url, head_at, total, live_calls, difference, "
        "sliced_at, identified_at, total_at) "
        "VALUES (%(account)s, %(url)s, %(at)s::timestamptz, %(total)s::bigint, %(live)s::bigint, %(difference)s::bigint, %(sliced_at)s::timestamptz, "
        "CASE WHEN %(is_identified)s THEN %(at)s::timestamptz END, "
        "CASE WHEN %(total)s::bigint IS NOT NULL THEN %(at)s::timestamptz END) "
        "ON CONFLICT (account) DO UPDATE SET base_url = excluded.base_url, "
        "head_at = greatest(s.head_at, excluded.head_at), total = coalesce(excluded.total, s.total), "
        "live_calls = coalesce(excluded.live_calls, s.live_calls), difference = excluded.difference, sliced_at = excluded.sliced_at, "
        "identified_at = greatest(s.identified_at, excluded.identified_at), "
        "total_at = coalesce(excluded.total_at, s.total_at)",
        {
            "account": account, "url": base_url, "at": head_at, "total": total, "live": live, "difference": difference,
            "sliced_at": sliced_at, "is_identified": is_identified,
        },
    )  # fmt: skip


def save_policy(
    tx: psycopg.Connection[Any],
    account: str,
    base_url: str,
    requests_per_minute: float | None,
    classes: Sequence[tuple[int, float, float | None, float]],
) -> None:
    """Keep what the delays of updates follow from: what the budget allows (None: no limit), and the renewal policy as
    (number, least age, greatest age or None, time between two looks) of each class, in seconds.
    """
    tx.execute(
        "INSERT INTO replicator.source_state AS s (account, base_url, requests_per_minute) VALUES (%s, %s, %s) "
        "ON CONFLICT (account) DO UPDATE SET requests_per_minute = excluded.requests_per_minute "
        "WHERE s.requests_per_minute IS DISTINCT FROM excluded.requests_per_minute",
        [account, base_url, requests_per_minute],
    )
    tx.execute(
        "DELETE FROM replicator.renewal_classes WHERE account = %s AND class_number > %s", [account, len(classes)]
    )
    tx.cursor().executemany(
        "INSERT INTO replicator.renewal_classes AS k (account, class_number, min_age_seconds, max_age_seconds, "
        "every_seconds) VALUES (%s, %s, %s, %s, %s) ON CONFLICT (account, class_number) DO UPDATE SET "
        "min_age_seconds = excluded.min_age_seconds, max_age_seconds = excluded.max_age_seconds, "
        "every_seconds = excluded.every_seconds WHERE (k.min_age_seconds, k.max_age_seconds, k.every_seconds) "
        "IS DISTINCT FROM (excluded.min_age_seconds, excluded.max_age_seconds, excluded.every_seconds)",
        [(account, *row) for row in classes],
    )


@dataclass(frozen=True, slots=True)
class SourceRow:
    """What is kept of the source: when its head was read, live calls stored, the difference looked into, what was released."""

    base_url: str | None = None
    head_at: datetime | None = None
    live_calls: int | None = None
    difference: int | None = None
    released_deletions: int | None = None
    sliced_at: datetime | None = None


def load_source(connection: psycopg.Connection[Any], account: str) -> SourceRow:
    """Return what is kept of the source; an empty row where the account is new."""
    row = connection.execute(
        "SELECT base_url, head_at, live_calls, difference, released_deletions, sliced_at FROM replicator.source_state WHERE account = %s",
        [account],
    ).fetchone()
    return SourceRow(*row) if row else SourceRow()


def recount(tx: psycopg.Connection[Any], account: str) -> None:
    """Calls were written outside of a run: the next one counts the live calls anew."""
    tx.execute("UPDATE replicator.source_state SET live_calls = NULL WHERE account = %s", [account])


def forget_release(tx: psycopg.Connection[Any], account: str) -> None:
    """The operator's release is used up."""
    tx.execute(
        "UPDATE replicator.source_state SET released_deletions = NULL WHERE account = %s "
        "AND released_deletions IS NOT NULL",
        [account],
    )


DEFECT = "defect: "
"""How the message of a run begins that ended by what no program expects, such as a MemoryError."""


def deaths_in_a_row(connection: psycopg.Connection[Any], account: str) -> int:
    """Return how many of the latest runs, without one that ended otherwise, died or ended by a defect. A run is entered
    before it does anything, so the one that dies first thing counts too.
    """
    row = connection.execute(
        "WITH ended AS (SELECT id, outcome IS NULL OR outcome = 'lost' OR is_defect AS is_death "
        "FROM replicator.runs WHERE account = %(account)s ORDER BY id DESC LIMIT 20) SELECT count(*) FROM ended WHERE id > "
        "coalesce((SELECT max(id) FROM ended WHERE NOT is_death), 0)",
        {"account": account},
    ).fetchone()
    return int(row[0]) if row else 0


def reads_apart_until(connection: psycopg.Connection[Any], account: str) -> datetime | None:
    """Return until when answers are read in a process apart, or None where they never were."""
    row = connection.execute(
        "SELECT reads_apart_until FROM replicator.source_state WHERE account = %s", [account]
    ).fetchone()
    return row[0] if row else None


def read_apart(tx: psycopg.Connection[Any], account: str, until: datetime) -> None:
    """Keep until when answers are read in a process apart."""
    tx.execute("UPDATE replicator.source_state SET reads_apart_until = %s WHERE account = %s", [until, account])


def has_lost_run(connection: psycopg.Connection[Any], account: str) -> bool:
    """Say whether the last run never ended: its process died, perhaps with requests on their way."""
    row = connection.execute(
        "SELECT finished_at IS NULL FROM replicator.runs WHERE account = %s ORDER BY id DESC LIMIT 1", [account]
    ).fetchone()
    return bool(row and row[0])
