"""Reads the present state for `status`: freshness, coverage, delays, backlog, budgets, runs, quarantine, lease."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replicator.store.database import Database

Row = dict[str, Any]

WORST_DAYS = 5
RECENT = """
SELECT
    d.day,
    coalesce(f.calls, 0)::bigint AS calls,
    coalesce(f.terminal_calls, 0)::bigint AS terminal_calls,
    coalesce(f.placed_calls, 0)::bigint AS placed_calls,
    coalesce(f.answered_calls, 0)::bigint AS answered_calls,
    coalesce(f.machine_calls, 0)::bigint AS machine_calls,
    coalesce(f.not_answered_calls, 0)::bigint AS not_answered_calls,
    coalesce(f.busy_calls, 0)::bigint AS busy_calls,
    c.proven_time_share,
    c.never_compared_time_share
FROM (
    SELECT ((now() AT TIME ZONE r.time_zone)::date - n) AS day FROM replicator.reporting r, generate_series(0, 29) AS n
) d
LEFT JOIN (
    SELECT day, sum(calls) AS calls, sum(terminal_calls) AS terminal_calls, sum(placed_calls) AS placed_calls,
        sum(answered_calls) AS answered_calls, sum(machine_calls) AS machine_calls,
        sum(not_answered_calls) AS not_answered_calls, sum(busy_calls) AS busy_calls
    FROM analytics.status_funnel_daily
    WHERE account = %(account)s AND day >= (SELECT (now() AT TIME ZONE time_zone)::date - 29 FROM replicator.reporting)
    GROUP BY day
) f ON f.day = d.day
LEFT JOIN (
    SELECT day, proven_time_share, never_compared_time_share FROM analytics.coverage_daily
    WHERE account = %(account)s AND day >= (SELECT (now() AT TIME ZONE time_zone)::date - 29 FROM replicator.reporting)
) c ON c.day = d.day
ORDER BY d.day
"""
SOURCE = (
    "SELECT base_url, head_at, total, total_at, extract(epoch FROM now() - head_at)::float8 "
    "AS lag_seconds, party_key_id FROM replicator.source_state WHERE account = %(account)s"
)
CALLS = (
    "SELECT count(*) FILTER (WHERE deleted_at IS NULL) AS live, count(*) FILTER (WHERE deleted_at IS NOT "
    "NULL) AS deleted, min(created_at) AS oldest, max(created_at) AS newest FROM truedy.calls "
    "WHERE account = %(account)s"
)
COVERAGE = (
    "SELECT count(*) AS intervals, nullif(min(since), '-infinity') AS since, "
    "coalesce(bool_or(since = '-infinity'), false) AS reaches_beginning, max(until) AS until, "
    "count(*) FILTER (WHERE NOT is_proven) AS unsure, min(verified_at) AS oldest_verified_at, "
    "coalesce(sum(is_hole::integer), 0)::integer AS holes FROM (SELECT *, since > lag(until) OVER (ORDER BY since) AS "
    "is_hole FROM replicator.coverage WHERE account = %(account)s) c"
)
UNSURE = (
    "SELECT nullif(v.since, '-infinity') AS since, v.until, v.verified_at, v.reason, v.reason_code, (SELECT count(*) FROM "
    "truedy.calls c WHERE c.account = v.account AND c.deleted_at IS NULL AND c.created_at >= v.since AND "
    "c.created_at < v.until) AS stored_calls FROM replicator.coverage v "
    "WHERE v.account = %(account)s AND NOT v.is_proven ORDER BY v.since DESC LIMIT 20"
)
FAILING = (
    "SELECT nullif(f.since, '-infinity') AS since, nullif(f.until, 'infinity') AS until, f.first_failed_at, f.failed_at, "
    "(SELECT count(*) FROM truedy.calls c WHERE c.account = f.account AND c.deleted_at IS NULL AND c.created_at >= f.since "
    "AND c.created_at < f.until) AS stored_calls FROM replicator.failing_stretches f WHERE f.account = %(account)s "
    "ORDER BY f.until DESC LIMIT 20"
)
UNPROVEN_DAYS = (
    "SELECT day, live_calls, proven_calls, proven_time_share, never_compared_time_share, unsure_reasons, "
    "oldest_verified_at FROM analytics.coverage_daily WHERE account = %(account)s AND NOT is_complete_and_proven "
    "AND day < (now() AT TIME ZONE reporting_time_zone)::date ORDER BY proven_time_share, day DESC"
)
DELAYS = (
    "SELECT class_number, min_age_seconds, max_age_seconds, renewed_every_seconds, calls, list_requests, "
    "needed_requests_a_minute, available_requests_a_minute, bound_seconds, oldest_look_seconds, "
    "is_within_bound, credit_pass_seconds, expected_seconds FROM analytics.update_delay WHERE account = %(account)s ORDER BY class_number"
)
DETAILS = (
    "SELECT kind, state, count(*) AS details, count(*) FILTER (WHERE due_at <= now()) AS due, "
    "count(*) FILTER (WHERE due_at > now()) AS later, min(due_at) AS next_due_at FROM ("
    "SELECT 'transcript' AS kind, state, due_at FROM truedy.transcripts WHERE account = %(account)s UNION ALL "
    "SELECT 'recording', state, due_at FROM truedy.recordings WHERE account = %(account)s) d "
    "GROUP BY kind, state ORDER BY kind, state"
)
BUDGETS = (
    "SELECT b.key_id, b.request_limit AS learned_limit, b.window_seconds::float8, b.not_before, "
    "coalesce((SELECT charged FROM replicator.budget_windows w WHERE w.account = b.account AND w.key_id = b.key_id AND "
    "w.window_number = floor((extract(epoch FROM now()) + coalesce(b.offset_low_seconds, 0)) / "
    "b.window_seconds)), 0) AS charged FROM replicator.budgets b WHERE b.account = %(account)s ORDER BY b.key_id"
)
RUNS = (
    "SELECT id, command, started_at, finished_at, coalesce(outcome, 'running') AS outcome, message, "
    "requests, calls_inserted, calls_changed, calls_unchanged, transcripts_stored, recordings_stored, "
    "refusals, failures FROM replicator.runs WHERE account = %(account)s ORDER BY id DESC LIMIT %(runs)s"
)
QUARANTINE = (
    "SELECT count(*) FILTER (WHERE resolved_at IS NULL) AS open, count(*) AS ever, "
    "max(last_seen_at) AS last_seen_at FROM replicator.quarantine WHERE account = %(account)s"
)
ABSENCES = (
    "SELECT count(*) FILTER (WHERE state = 'suspected') AS suspected, count(*) FILTER (WHERE state = 'deleted') "
    "AS deleted, count(*) FILTER (WHERE state = 'reappeared') AS reappeared, count(*) FILTER (WHERE state = "
    "'refuted') AS refuted FROM replicator.absences WHERE account = %(account)s"
)
SPENDING = (
    "SELECT period, scope, scope_value, budget_usd, spent_usd, forecast_usd, budget_state FROM analytics.budgets "
    "WHERE account = %(account)s AND period >= to_char(now() AT TIME ZONE reporting_time_zone, 'YYYY-MM') ORDER BY period, scope, scope_value"
)
LEASE = "SELECT holder, acquired_at, expires_at FROM replicator.lease WHERE account = %(account)s AND expires_at > clock_timestamp()"


@dataclass(frozen=True, slots=True)
class Status:
    """The state as rows of plain values from the tables; instants are aware datetimes."""

    account: str
    place: str
    now: Any
    source: Row | None
    calls: Row
    coverage: Row
    unsure: list[Row]
    """Stretches that are not proven, newest first, with the calls that are stored of them; their number is limited."""
    failing: list[Row]
    """Stretches of which every page failed at the last look: what is stored of them cannot be compared."""
    days: list[Row]
    """The worst past days that are not completely proven; their number is limited."""
    days_not_proven: int
    recent: list[Row]
    """The last thirty days, oldest first: calls by how they ended, and how much of the day is proven."""
    delays: list[Row]
    """By age of the calls: the longest delay until a change is seen, and the age of the oldest look."""
    details: list[Row]
    budgets: list[Row]
    runs: list[Row]
    quarantine: Row
    absences: Row
    lease: Row | None
    spending: list[Row] = field(default_factory=list)
    """The budgets of money that run: what was spent, and what their months will cost."""
    waves: list[Row] = field(default_factory=list)
    """Kinds of details of which far more are absent than usual (`kind`, `since`): who reads this fills it in."""

    def as_dict(self) -> Mapping[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def read(database: Database, account: str, *, runs: int = 5) -> Status:
    """Read everything in one snapshot."""
    with database.transaction() as tx:
        tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor = tx.cursor(row_factory=dict_row)

        def rows(statement: str) -> list[Row]:
            return cursor.execute(statement, {"account": account, "runs": runs}).fetchall()

        def row(statement: str) -> Row:
            return rows(statement)[0]

        def row_or_none(statement: str) -> Row | None:
            return next(iter(rows(statement)), None)

        days = rows(UNPROVEN_DAYS)
        return Status(
            account=account,
            place=database.place,
            now=row("SELECT now()")["now"],
            source=row_or_none(SOURCE),
            calls=row(CALLS),
            coverage=row(COVERAGE),
            unsure=rows(UNSURE),
            failing=rows(FAILING),
            days=days[:WORST_DAYS],
            days_not_proven=len(days),
            recent=rows(RECENT),
            delays=rows(DELAYS),
            details=rows(DETAILS),
            budgets=rows(BUDGETS),
            runs=rows(RUNS),
            quarantine=row(QUARANTINE),
            absences=row(ABSENCES),
            lease=row_or_none(LEASE),
            spending=rows(SPENDING),
        )
