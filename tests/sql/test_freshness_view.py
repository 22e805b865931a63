"""analytics.replication_freshness: one row per account, whatever state it is in."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.sql.fix_small_world import at

Connection = psycopg.Connection[Any]


def row(small: Connection, account: str = "main") -> dict[str, Any]:
    found = small.execute("SELECT * FROM analytics.replication_freshness WHERE account = %s", [account]).fetchall()
    assert len(found) == 1
    return dict(found[0])


def test_what_is_known_of_the_small_world(small: Connection) -> None:
    """21 of 28 live calls are proven; five are unsure, one is in the hole, one has no created_at. All is said in one row."""
    shown = row(small)
    assert 90 <= shown.pop("lag_seconds") < 3600
    assert shown.pop("head_at") is not None
    assert shown.pop("source_total_at") is not None
    assert shown.pop("last_run_started_at") <= shown.pop("last_run_finished_at")
    assert shown == {
        "account": "main", "covered_until": at("2025-12-03T00:00:00"), "covered_since": None, "reaches_beginning": True,
        "holes": 1, "unsure_intervals": 1, "is_complete_and_proven": False, "completeness": "a stretch was not compared yet",
        "oldest_verified_at": at("2025-12-01T00:00:00"), "live_calls": 28, "proven_calls": 21, "proven_share": 0.75,
        "source_total": 28, "pending_transcripts": 1, "pending_recordings": 1, "quarantined_rows": 1,
        "last_run_outcome": "bounded", "last_run_message": "stopped at its limit",
    }  # fmt: skip


def test_an_account_that_never_got_through_has_a_row(small: Connection) -> None:
    """Its first run failed before anything was read: that is said, and no number is invented."""
    shown = row(small, "new")
    assert shown["completeness"] == "nothing was compared yet"
    assert (shown["last_run_outcome"], shown["last_run_message"]) == ("failed", "BadKey: refused")
    assert (shown["live_calls"], shown["proven_share"], shown["lag_seconds"]) == (0, None, None)
    assert shown["is_complete_and_proven"] is False


def test_a_run_that_goes_on(small: Connection) -> None:
    """A run without an end is running; the last run is the newest, not the last one that ended."""
    small.execute(
        "INSERT INTO replicator.runs (account, command, replicator_version, holder, epoch) VALUES ('main', 'sync', '0', '', 2)"
    )
    assert row(small)["last_run_outcome"] == "running"
    assert row(small)["last_run_finished_at"] is None


HOLE_CLOSED = "UPDATE replicator.coverage SET until = '2025-10-26 22:00Z' WHERE until = '2025-10-26 12:00Z'"
ALL_PROVEN = "UPDATE replicator.coverage SET is_proven = true, reason = ''"
NO_REASON = "UPDATE replicator.coverage SET reason = ''"
NO_BEGINNING = "UPDATE replicator.coverage SET since = '2025-01-01Z' WHERE since = '-infinity'"


@pytest.mark.parametrize(
    ("changes", "completeness"),
    [
        ([HOLE_CLOSED], "ties wider than a page"),
        ([HOLE_CLOSED, NO_REASON], "a stretch could not be proven"),
        ([HOLE_CLOSED, ALL_PROVEN], "complete and proven"),
        ([HOLE_CLOSED, ALL_PROVEN, NO_BEGINNING], "older calls were not read yet"),
        (["DELETE FROM replicator.coverage"], "nothing was compared yet"),
    ],
)
def test_completeness_in_words(small: Connection, changes: list[str], completeness: str) -> None:
    """The words and the flag always say the same."""
    for statement in changes:
        small.execute(statement)
    shown = row(small)
    assert shown["completeness"] == completeness
    assert shown["is_complete_and_proven"] is (completeness == "complete and proven")
    assert (shown["covered_since"] is None) is (NO_BEGINNING not in changes)


def test_the_share_agrees_with_the_calls(small: Connection) -> None:
    """proven_calls is what analytics.calls says call by call."""
    counted = small.execute(
        "SELECT count(*) FILTER (WHERE is_proven) AS proven, count(*) AS live FROM analytics.calls WHERE NOT is_deleted"
    ).fetchone()
    assert counted == {"proven": row(small)["proven_calls"], "live": row(small)["live_calls"]}
