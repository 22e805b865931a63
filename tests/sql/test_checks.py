"""sql/checks: each returns nothing where all is well, and goes red where it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.sql.fix_small_world import call_id

FILES = sorted((Path(__file__).resolve().parents[2] / "sql" / "checks").glob("*.sql"))

Connection = psycopg.Connection[Any]

SECOND = f"'{call_id(2)}'"
NO_LIMIT = "ALTER TABLE replicator.status_stages DROP CONSTRAINT ck_status_stages_stage"
NO_CHECK_OF_EMPTINESS = "ALTER TABLE replicator.coverage DROP CONSTRAINT ck_coverage_not_empty"
NEW_STAGE = "UPDATE replicator.status_stages SET stage = 'handed_over' WHERE status = 'completed'"
REPORTS = ("status_funnel_daily", "call_duration_daily", "call_cost_daily")
NOTHING_SHOWN = "DELETE FROM replicator.reporting"


def instead(view: str, query: str) -> str:
    """A plant: the view gives another answer, made from its own, which `query` calls v."""
    return (
        "DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW analytics." + view + " AS WITH v AS (' || "
        f"rtrim(pg_get_viewdef('analytics.{view}'), ';') || ') {query}'; END $$"
    )


def changed(view: str, column: str, expression: str) -> str:
    """A plant: the view says something else in one column."""
    return (
        "DO $$ BEGIN EXECUTE (SELECT 'CREATE OR REPLACE VIEW analytics." + view + " AS SELECT ' || "
        f"string_agg(CASE WHEN attname = '{column}' THEN '({expression})::' || format_type(atttypid, atttypmod) || ' AS ' "
        "ELSE '' END || quote_ident(attname), ', ' ORDER BY attnum) || ' FROM (' || "
        f"rtrim(pg_get_viewdef('analytics.{view}'), ';') || ') v' FROM pg_attribute "
        f"WHERE attrelid = 'analytics.{view}'::regclass AND attnum > 0); END $$"
    )


PLANTS: dict[str, list[list[str]]] = {
    "calls_without_their_history": [
        [f"DELETE FROM truedy.call_versions WHERE call_id = {SECOND}"],
        [f"UPDATE truedy.calls SET version = 2 WHERE id = {SECOND}"],
        [f"UPDATE truedy.call_versions SET version = 2 WHERE call_id = {SECOND}"],
    ],
    "current_content_is_not_the_newest_version": [
        [f"UPDATE truedy.calls SET fingerprint = 'other' WHERE id = {SECOND}"],
        [f"UPDATE truedy.call_versions SET is_late = true WHERE call_id = {SECOND}"],
    ],
    "closed_months_do_not_add_up": [
        ["UPDATE billing.close_amounts SET amount_usd = amount_usd + 1 WHERE amount_usd > 0"],
        ["DELETE FROM replicator.cost_changes"],
        ["UPDATE billing.items SET theirs_usd = 1 WHERE line IS NOT NULL"],
    ],
    "rows_without_their_call": [[f"DELETE FROM truedy.calls WHERE id = {SECOND}"]],
    "segments_without_a_transcript": [
        [f"DELETE FROM truedy.transcripts WHERE call_id = {SECOND}"],
        [f"UPDATE truedy.transcripts SET fetched_at = NULL WHERE call_id = {SECOND}"],
    ],
    "segments_do_not_match_the_transcript": [
        [f"DELETE FROM truedy.transcript_segments WHERE call_id = {SECOND} AND position = 2"],
        [f"DELETE FROM truedy.transcript_segments WHERE call_id = {SECOND}"],
        [f"UPDATE truedy.transcript_segments SET position = 7 WHERE call_id = {SECOND} AND position = 2"],
        [f"UPDATE truedy.transcripts SET segment_count = NULL WHERE call_id = {SECOND}"],
    ],
    "details_that_nobody_will_fetch": [
        ["UPDATE truedy.transcripts SET due_at = NULL"],
        ["UPDATE truedy.recordings SET due_at = NULL"],
    ],
    "final_details_that_are_queued": [
        ["UPDATE truedy.transcripts SET due_at = now() WHERE state = 'absent_final'"],
        ["UPDATE truedy.transcripts SET state = 'denied' WHERE state = 'pending'"],
        ["UPDATE truedy.recordings SET state = 'gave_up' WHERE state = 'pending'"],
    ],
    "coverage_overlaps": [
        ["UPDATE replicator.coverage SET until = until + interval '1 microsecond' WHERE is_proven"],
        [NO_CHECK_OF_EMPTINESS, "UPDATE replicator.coverage SET until = since WHERE since = '2025-10-26 22:00Z'"],
    ],
    "coverage_days_do_not_add_up": [
        [instead("coverage_daily", "SELECT * FROM v WHERE live_calls > 0")],
        [instead("coverage_daily", "SELECT * FROM v WHERE live_calls = 0")],
        [instead("coverage_daily", "SELECT v.* FROM v, generate_series(1, 2)")],
        ["UPDATE replicator.coverage SET until = until + interval '1 day' WHERE is_proven"],
        [NOTHING_SHOWN],
    ],
    "runs_half_closed": [
        ["UPDATE replicator.runs SET finished_at = NULL WHERE account = 'new'"],
        ["UPDATE replicator.runs SET outcome = NULL WHERE account = 'new'"],
        ["UPDATE replicator.runs SET outcome = NULL, finished_at = NULL WHERE account = 'main'"],
    ],
    "reporting_is_not_usable": [
        [NOTHING_SHOWN],
        ["SET LOCAL session_replication_role = replica", "UPDATE replicator.reporting SET time_zone = 'Mars/Olympus_Mons'"],
    ],
    "stages_contradict_themselves": [
        ["UPDATE replicator.status_stages SET is_terminal = false WHERE status = 'busy'"],
        ["UPDATE replicator.status_stages SET is_terminal = true WHERE status = 'queued'"],
    ],
    "stages_not_in_the_funnel": [[NO_LIMIT, NEW_STAGE]],
    "calls_lost_or_doubled_in_the_view": [
        [NOTHING_SHOWN],
        [instead("calls", "SELECT v.* FROM v, generate_series(1, 2)")],
        [instead("calls", "SELECT * FROM v WHERE NOT is_deleted")],
    ],
    "calls_without_a_day_are_not_shown": [
        [NOTHING_SHOWN],
        *([instead(view, "SELECT * FROM v WHERE day IS NOT NULL")] for view in REPORTS),
    ],
    "segments_lost_or_doubled_in_the_view": [[NOTHING_SHOWN], [f"DELETE FROM truedy.calls WHERE id = {SECOND}"]],
    "funnel_does_not_add_up": [
        [NOTHING_SHOWN],
        [NO_LIMIT, NEW_STAGE],
        [instead("status_funnel_daily", "SELECT * FROM v WHERE open_calls = 0")],
    ],
    "cost_does_not_add_up": [
        [NOTHING_SHOWN],
        [f"UPDATE truedy.calls SET cost_usd = 0.0000004 WHERE id = {SECOND}"],
        [instead("call_cost_daily", "SELECT * FROM v WHERE cost_usd IS DISTINCT FROM 0.30")],
        [instead("call_cost_daily", "SELECT * FROM v WHERE cost_not_expected_calls = 0")],
    ],
    "kept_reports_differ_from_the_calls": [
        ["INSERT INTO rollup.funnel (account, day, calls, conversations) VALUES ('main', '2020-01-01', 1, 0)"],
        ["INSERT INTO rollup.durations (account, day, calls, duration_seconds) VALUES ('main', '2020-01-01', 1, 0)"],
        ["INSERT INTO rollup.costs (account, day, calls, cost_usd) VALUES ('main', '2020-01-01', 0, 0.000001)"],
    ],
    "months_do_not_add_up": [
        [instead("call_cost_monthly", "SELECT * FROM v WHERE cost_usd IS DISTINCT FROM 0.351")],
        [instead("call_cost_monthly", "SELECT * FROM v WHERE month_on IS NOT NULL")],
        [instead("status_funnel_total", "SELECT * FROM v WHERE calls <> 6")],
        [instead("campaign_summary", "SELECT * FROM v WHERE campaign_id IS NOT NULL")],
    ],
    "the_last_cost_change_is_not_the_cost": [
        ["INSERT INTO replicator.cost_changes (call_id, new_usd, observed_at) "
         f"VALUES ({SECOND}, 0.3, now())"],
    ],
    "costs_that_the_views_cannot_show": [
        [f"UPDATE truedy.calls SET cost_usd = 1000000 WHERE id = {SECOND}"],
        [f"UPDATE truedy.calls SET cost_usd = 0.0000001 WHERE id = {SECOND}"],
    ],
    "duration_does_not_add_up": [
        [NOTHING_SHOWN],
        [instead("call_duration_daily", "SELECT * FROM v WHERE measured_calls > 0")],
        [instead("call_duration_histogram_daily", "SELECT * FROM v WHERE lower_seconds <> 45")],
        [instead("call_duration_histogram_daily", "SELECT v.* FROM v, generate_series(1, 2)")],
        [instead("call_duration_histogram_daily", "SELECT * FROM v WHERE day IS NOT NULL")],
        [instead("call_duration_daily", "SELECT * FROM v WHERE longest_seconds IS DISTINCT FROM 20")],
    ],
    "attempts_do_not_add_up": [
        [NOTHING_SHOWN],
        [instead("call_attempts", "SELECT * FROM v WHERE is_terminal")],
        [instead("reach_by_attempt", "SELECT v.* FROM v, generate_series(1, 2)")],
        [instead("contacts_daily", "SELECT * FROM v WHERE reached_contacts > 0")],
        [instead("contacts_monthly", "SELECT * FROM v LIMIT 1")],
        [instead("repeat_callers_daily", "SELECT * FROM v LIMIT 1")],
        [instead("first_call_resolution_daily", "SELECT * FROM v WHERE day IS NOT NULL")],
    ],
    "attempts_contradict_themselves": [
        [changed("call_attempts", "attempt_number", "attempt_number + 1")],
        [changed("call_attempts", "attempt_number", "attempt_number - 1")],
        [changed("call_attempts", "is_after_conversation", "NOT is_after_conversation")],
        [changed("call_attempts", "previous_attempt_at", "NULL::timestamptz")],
        [changed("call_attempts", "gap_hours", "-gap_hours")],
        [changed("contacts_daily", "reached_contacts", "tried_contacts + 1")],
        [changed("contacts_daily", "contacts", "party_calls + 1")],
        [changed("repeat_callers_daily", "repeat_24h_calls", "repeat_7d_calls + 1")],
        [changed("first_call_resolution_daily", "resolved_conversations", "judged_conversations + 1")],
    ],
    "concurrency_does_not_add_up": [
        [instead("concurrency_hourly", "SELECT * FROM v WHERE hour <> 22")],
        [instead("concurrency_hourly", "SELECT v.* FROM v, generate_series(1, 2)")],
        [changed("concurrency_hourly", "busy_seconds", "busy_seconds + 1")],
        [changed("concurrency_hourly", "hour_seconds", "hour_seconds + 1")],
        [changed("concurrency_hourly", "peak_calls", "calls + 1")],
        [changed("concurrency_hourly", "peak_calls", "0::bigint")],
        [changed("concurrency_hourly", "hour", "hour + 1")],
    ],
    "service_does_not_add_up": [
        [NOTHING_SHOWN],
        [instead("sla_daily", "SELECT * FROM v WHERE day IS NOT NULL")],
        [changed("sla_daily", "answered_in_time_calls", "timed_calls + 1")],
        [changed("sla_daily", "transcript_in_time_calls", "transcript_judged_calls + 1")],
        [changed("sla_daily", "cost_judged_calls", "calls + 1")],
        [instead("errors_daily", "SELECT * FROM v WHERE not_placed_calls = 0")],
        [changed("errors_daily", "not_placed_calls", "0::bigint")],
        [changed("errors_daily", "cost_usd", "NULL::numeric(18, 6)")],
    ],
    "cost_changes_do_not_add_up": [
        [f"DELETE FROM replicator.cost_changes WHERE call_id = {SECOND}",
            f"INSERT INTO replicator.cost_changes (call_id, old_usd, new_usd, observed_at) VALUES ({SECOND}, 1, 2, now())"],
        [f"UPDATE replicator.cost_changes SET new_usd = NULL WHERE call_id = {SECOND}"],
        [f"INSERT INTO replicator.cost_changes (call_id, old_usd, new_usd, observed_at) VALUES ({SECOND}, 1, 0.2, now())"],
        [NOTHING_SHOWN],
        [instead("cost_adjustments_monthly", "SELECT v.* FROM v, generate_series(1, 2)")],
        [changed("cost_adjustments_monthly", "first_known_usd", "first_known_usd + 1")],
        [changed("cost_adjustments_monthly", "net_usd", "net_usd + 1")],
        [changed("cost_adjustments_monthly", "late_adjustment_count", "adjustment_count + 1")],
    ],
    "rows_lost_or_doubled_in_the_trust_views": [
        [instead("call_history", "SELECT * FROM v WHERE version > 1")],
        [instead("deleted_calls", "SELECT * FROM v WHERE last_seen_at IS NOT NULL")],
        [instead("sync_runs", "SELECT v.* FROM v, generate_series(1, 2)")],
        [instead("missing_transcripts", "SELECT * FROM v WHERE due_at > now()")],
        [instead("missing_transcripts", "SELECT v.* FROM v, generate_series(1, 2)")],
        [instead("missing_recordings", "SELECT * FROM v WHERE due_at > now()")],
    ],
}  # fmt: skip
"""What each check must see: statements that break one thing each."""


def findings(small: Connection, path: Path) -> list[dict[str, Any]]:
    return small.execute(path.read_text(encoding="utf-8")).fetchall()


def test_every_check_has_its_plants() -> None:
    """No check is without a proof that it can go red."""
    assert {path.stem for path in FILES} == set(PLANTS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_check_says_what_must_not_be_and_what_it_returns(path: Path) -> None:
    """The header tells both; it is one statement, so that any client can run it."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("-- ")
    assert "\n-- Returns: " in text
    assert ";" not in "\n".join(line for line in text.splitlines() if not line.startswith("--"))


@pytest.mark.parametrize("time_zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_all_is_well_in_the_small_world(small: Connection, time_zone: str) -> None:
    """Null costs, open calls, unknown statuses, deleted calls and holes in the coverage are not violations."""
    small.execute("UPDATE replicator.reporting SET time_zone = %s", [time_zone])
    assert {path.stem: found for path in FILES if (found := findings(small, path))} == {}


def test_all_is_well_where_nothing_is(database_url: str) -> None:
    """An empty replica has no violations."""
    with psycopg.connect(database_url) as connection:
        assert {path.stem: found for path in FILES if (found := findings(connection, path))} == {}


@pytest.mark.parametrize(
    ("path", "plant"),
    [(path, plant) for path in FILES for plant in PLANTS.get(path.stem, [])],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_a_check_goes_red(small: Connection, path: Path, plant: list[str]) -> None:
    """A planted violation is found."""
    assert findings(small, path) == []
    for statement in plant:
        small.execute(statement)
    assert findings(small, path) != []
