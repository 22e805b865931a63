"""Data quality, runs, fields that the contract does not name, and what the metrics mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.fix_small_world import call_id
from tests.sql.fix_worlds import Contact, add, empty
from tests.sql.test_views_catalogue import NAMES, columns

Connection = psycopg.Connection[Any]

OVER = ("completed", 0, 60, "0.1")

BROKEN = {
    "starts before its creation": "started_at = created_at - interval '1 s'",
    "ends before its start": "ended_at = started_at - interval '1 s'",
    "length does not match": "duration_seconds = 63",
    "lasts longer than a day": "ended_at = started_at + interval '86401 s', duration_seconds = 86401",
    "negative length": "duration_seconds = -1, ended_at = started_at",
    "over without an end": "ended_at = NULL",
    "stale and open": "status = 'ringing', cost_usd = NULL",
    "status not mapped": "status = 'odd'",
    "cost is implausible": "cost_usd = 1000000",
    "negative cost": "cost_usd = -0.1",
    "settled without its cost": "cost_usd = NULL",
    "number is missing": "from_number = NULL",
    "no creation": "created_at = NULL",
    "created after it was seen": "first_seen_at = created_at - interval '301 s'",
    "updated in the future": "updated_at = observed_at + interval '301 s'",
    "fields that cannot be read": "problems = '{summary}'",
    "escaped characters": "has_escapes = true",
}
"""How one call breaks each rule, and no other."""


def quality(connection: Connection) -> dict[tuple[str, str], tuple[int, int | None]]:
    found = connection.execute("SELECT * FROM analytics.data_quality").fetchall()
    return {
        (row["account"], row["rule"]): (row["calls"], row["example_call_id"] and row["example_call_id"].int) for row in found
    }  # fmt: skip


@pytest.mark.parametrize(("rule", "change"), BROKEN.items())
def test_each_rule_sees_its_call(small: Connection, rule: str, change: str) -> None:
    """Of three sound calls the second is broken: one call breaks that rule and no other rule any."""
    empty(small)
    add(small, *(Contact(number, "2025-07-01T12:00:00", *OVER) for number in (1, 2, 3)))
    assert {broken for broken in quality(small).values() if broken[0]} == set()
    small.execute(f"UPDATE truedy.calls SET {change} WHERE id = %s", [call_id(2)])
    assert {key: broken for key, broken in quality(small).items() if broken[0]} == {("main", rule): (1, 2)}


@pytest.mark.parametrize(
    "change",
    [
        "duration_seconds = 62",
        "ended_at = started_at + interval '86400 s', duration_seconds = 86400",
        "cost_usd = 999999.999999",
        "direction = 'webrtc', from_number = NULL",
        "first_seen_at = created_at - interval '300 s'",
        "updated_at = observed_at + interval '300 s'",
        "status = 'ringing', created_at = now(), started_at = NULL, ended_at = NULL, duration_seconds = NULL, first_seen_at = now()",
        "status = 'failed', started_at = NULL, ended_at = NULL, duration_seconds = NULL, cost_usd = NULL",
    ],
)
def test_what_breaks_no_rule(small: Connection, change: str) -> None:
    """Two seconds of difference, a whole day, a call that is open or was never connected, are as they should be."""
    empty(small)
    add(small, Contact(1, "2025-07-01T12:00:00", *OVER))
    small.execute(f"UPDATE truedy.calls SET {change}")
    assert {key: broken for key, broken in quality(small).items() if broken[0]} == {}


def test_rules_about_transcripts(small: Connection) -> None:
    """A segment that ends before it begins, and a transcript whose fields could not be read, are their call's."""
    found = quality(small)
    assert found["main", "segment ends before it begins"] == (0, None)
    small.execute("UPDATE truedy.transcript_segments SET start_seconds = 2 WHERE start_seconds = 0.25")
    small.execute("UPDATE truedy.transcripts SET problems = '{segment}' WHERE call_id = %s", [call_id(2)])
    found = quality(small)
    assert found["main", "segment ends before it begins"] == (1, 14)
    assert found["main", "fields that cannot be read"] == (1, 2)


def test_a_conflict_of_stamps_counts_once_it_is_believed(small: Connection) -> None:
    """An earlier updated_at that was shown once may be a stale answer; shown again, it is the source's contradiction."""
    small.execute(
        "INSERT INTO replicator.stamp_conflicts (call_id, account, stored_updated_at, seen_updated_at, first_seen_at) "
        "VALUES (%s, 'main', now(), now() - interval '1 h', now())",
        [call_id(2)],
    )
    assert quality(small)["main", "updated_at went back"] == (0, None)
    small.execute("UPDATE replicator.stamp_conflicts SET believed_at = now()")
    assert quality(small)["main", "updated_at went back"] == (1, 2)


def test_every_rule_is_shown_for_every_account(small: Connection) -> None:
    """A rule that nothing breaks has a row, and a rule that is looked for is one of the list."""
    text = (Path(__file__).resolve().parents[2] / "sql/views/43_data_quality.sql").read_text(encoding="utf-8")
    rules = set(BROKEN) | {"segment ends before it begins", "updated_at went back"}
    assert set(re.findall(r"THEN '([^']+)' END", text)) == rules - {"segment ends before it begins"}
    assert set(quality(small)) == {("main", rule) for rule in rules}
    add(small, Contact(100, "2025-07-01T12:00:00", *OVER, account="other"))
    assert set(quality(small)) == {(account, rule) for account in ("main", "other") for rule in rules}


def test_runs_by_hand(small: Connection) -> None:
    """Three runs of the small world, and one that goes on since a minute; no message and nobody's machine."""
    small.execute(
        "INSERT INTO replicator.runs (account, command, replicator_version, holder, epoch, started_at, requests, calls_inserted) "
        "VALUES ('main', 'serve', '1', 'Secret', 2, now() - interval '1 minute', 7, 5)"
    )
    found = small.execute("SELECT * FROM analytics.sync_runs ORDER BY run_id").fetchall()
    assert [(row["account"], row["outcome"], row["is_running"]) for row in found] == [
        ("main", "done", False), ("main", "bounded", False), ("new", "failed", False), ("main", "running", True),
    ]  # fmt: skip
    assert (found[-1]["seconds"], found[-1]["requests"], found[-1]["calls_inserted"]) == (60.0, 7, 5)
    assert all(0 <= row["seconds"] < 60 for row in found[:-1])
    assert not any("Secret" in str(row) or "BadKey" in str(row) for row in found)


def test_drift_by_hand(small: Connection) -> None:
    """Fields of the contract are none; each type of a field has a row; names are cut, and no control character is left."""
    empty(small)
    add(small, *(Contact(number, "2025-07-01T12:00:00", "completed", account=account)
        for number, account in ((1, "main"), (2, "main"), (3, "main"), (4, "main"), (5, "other"))))  # fmt: skip
    known = dict.fromkeys(
        ("id", "agent_id", "phone_number", "from_number", "direction", "status", "started_at", "ended_at", "duration_seconds",
         "cost_usd", "summary", "recording_url", "context", "created_at", "updated_at")
    )  # fmt: skip
    for number, extra in {
        1: {"end_reason": "hangup"},
        2: {"end_reason": "error", "x\n\t": 1},
        3: {"end_reason": None, "y" * 100 + "1": [], "y" * 100 + "2": []},
        4: {},
        5: {"end_reason": {"a": "Secret"}},
    }.items():
        small.execute("UPDATE truedy.calls SET raw = %s WHERE id = %s", [Jsonb(known | extra), call_id(number)])
    found = small.execute("SELECT * FROM analytics.schema_drift ORDER BY account, field, value_type").fetchall()
    names = ("account", "field", "value_type", "calls", "examined_calls", "calls_share")
    assert [tuple(row[name] for name in names) for row in found] == [
        ("main", "end_reason", "null", 1, 4, 0.25),
        ("main", "end_reason", "string", 2, 4, 0.5),
        ("main", "x��", "number", 1, 4, 0.25),
        ("main", "y" * 100, "array", 1, 4, 0.25),
        ("other", "end_reason", "object", 1, 1, 1.0),
    ]
    assert (found[1]["example_call_id"].int, found[1]["last_changed_at"]) == (1, datetime(2025, 12, 1, tzinfo=UTC))
    assert "Secret" not in str(found)
    small.execute("UPDATE truedy.calls SET raw = '[]'")
    assert small.execute("SELECT * FROM analytics.schema_drift").fetchall() == []


def test_drift_looks_at_the_last_ten_thousand(small: Connection) -> None:
    """An old call's field is seen no more when 10,000 calls changed since."""
    small.execute(
        "INSERT INTO truedy.calls (id, account, raw, fingerprint, version, observed_at, first_seen_at, changed_at) "
        "SELECT gen_random_uuid(), 'main', '{\"new\": 1}', '', 1, now(), now(), now() FROM generate_series(1, 9999)"
    )
    query = "SELECT field, calls, examined_calls FROM analytics.schema_drift ORDER BY field"
    assert [tuple(row.values()) for row in small.execute(query).fetchall()][-1] == ("new", 9999, 10000)
    small.execute("UPDATE truedy.calls SET changed_at = now() WHERE id = %s", [call_id(3)])
    assert [tuple(row.values()) for row in small.execute(query).fetchall()] == [("new", 9999, 10000)]


METRIC = re.compile(r".*_(rate|share|usd)|average_.*|.*_per_.*|p\d+_.*")


def test_every_metric_is_defined(database_url: str) -> None:
    """Every ratio, amount and percentile of the views has its definition; a ratio's is that of its column's comment."""
    with psycopg.connect(database_url) as connection:
        defined = {
            row[0]: row[1:] for row in connection.execute(
                "SELECT metric, numerator, denominator, views, definition, pitfalls FROM analytics.metric_definitions"
            )
        }  # fmt: skip
    used: dict[str, set[str]] = {}
    for view in NAMES:
        for name, _, comment in columns(database_url, view):
            if METRIC.fullmatch(name):
                used.setdefault(name, set()).add(view)
            if name in defined:
                assert view in defined[name][2].split(", ")
            if re.fullmatch(r".*_(rate|share)|average_.*|.*_per_.*", name):
                match = re.match(r"(\w+) over (\w+)", comment or "")
                assert match, (view, name)
                assert match.groups() == defined[name][:2], (view, name)
    assert set(used) - set(defined) == set()
    assert all(definition.endswith(".") and pitfalls.endswith(".") for *_, definition, pitfalls in defined.values())
