"""What became of calls: deleted ones, missing transcripts and recordings, versions, and costs that changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.fix_small_world import AGENT_A, at, call_id
from tests.sql.fix_worlds import ZONES, Contact, add, empty

Connection = psycopg.Connection[Any]


def rows(connection: Connection, query: str, *values: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = connection.execute(query, values).fetchall()
    return found


def test_deleted_calls_by_hand(small: Connection) -> None:
    """1 was last seen at noon and missing an hour later; 2 is only suspected, 3 reappeared; of 28 nothing more is stored."""
    assert [row["call_id"].int for row in rows(small, "SELECT * FROM analytics.deleted_calls")] == [28]
    seen, missing, confirmed = at("2025-07-02T12:00:00"), at("2025-07-02T13:00:00"), at("2025-07-02T14:00:00")
    small.execute(
        "INSERT INTO replicator.absences (account, call_id, last_seen_at, first_missing_at, evidence, state, misses, "
        "confirmed_at, ended_at) VALUES ('main', %(a)s, %(seen)s, %(missing)s, 'answer', 'reappeared', 2, %(seen)s, %(seen)s), "
        "('main', %(a)s, %(seen)s, %(missing)s, 'page', 'deleted', 2, %(confirmed)s, NULL), "
        "('main', %(b)s, %(seen)s, %(missing)s, 'page', 'suspected', 1, NULL, NULL)",
        {"a": call_id(1), "b": call_id(2), "seen": seen, "missing": missing, "confirmed": confirmed},
    )
    small.execute(
        "UPDATE truedy.calls SET deleted_at = %s, last_seen_at = %s, first_missing_at = %s WHERE id = %s",
        [confirmed, seen, missing, call_id(1)],
    )
    first, last = rows(small, "SELECT * FROM analytics.deleted_calls ORDER BY call_id")
    assert (first["call_id"].int, first["last_seen_at"], first["first_missing_at"]) == (1, seen, missing)
    assert (first["interval_seconds"], first["deleted_at"], first["evidence"], first["misses"]) == (
        3600,
        confirmed,
        "page",
        2,
    )
    assert (first["cost_usd"], first["cost_on"], first["agent_id"]) == (Decimal("0.1"), date(2025, 3, 29), AGENT_A)
    assert (last["evidence"], last["interval_seconds"], last["cost_usd"]) == (None, None, Decimal("0.02"))


@pytest.mark.parametrize("kind", ["transcripts", "recordings"])
def test_missing_details_by_hand(small: Connection, kind: str) -> None:
    """What should be there and is not, and why. 6 has one, 7 never connected, 8 is open, 9 was queued for none."""
    empty(small)
    add(
        small,
        *(Contact(number, "2025-07-01T12:00:00", "completed", 0, 60) for number in (1, 2, 3, 4, 5, 6, 9)),
        Contact(7, "2025-07-01T12:00:00", "no_answer"),
        Contact(8, "2025-07-01T12:00:00", "in_progress", 0),
    )
    small.execute("UPDATE truedy.calls SET ended_at = now() - interval '1 hour' WHERE id = %s", [call_id(1)])
    for number, state, attempts, asked, due in (
        (1, "pending", 0, None, "2025-01-01"),
        (2, "pending", 3, "2025-07-02", "2025-07-03"),
        (3, "absent_final", 9, "2025-07-02", None),
        (4, "denied", 1, "2025-07-02", None),
        (5, "gave_up", 20, "2025-07-02", None),
        (6, "present", 0, "2025-07-02", None),
        (7, "pending", 0, None, "2025-07-03"),
        (8, "pending", 0, None, "2025-07-03"),
    ):
        small.execute(
            f"INSERT INTO truedy.{kind} (call_id, state, attempts, asked_at, due_at, last_error) VALUES (%s, %s, %s, %s, %s, %s)",
            [call_id(number), state, attempts, asked, due, "Secret"],
        )
    found = rows(small, f"SELECT * FROM analytics.missing_{kind} ORDER BY call_id")
    assert [(row["call_id"].int, row["state"], row["attempts"], row["why"]) for row in found] == [
        (1, "pending", 0, "not asked for yet"),
        (2, "pending", 3, "not there when it was last asked for; to be asked for again now"),
        (3, "absent_final", 9, "the source had none until the deadline"),
        (4, "denied", 1, "the source refuses it"),
        (5, "gave_up", 20, "the source failed until the deadline"),
    ]
    assert (found[0]["age_seconds"], found[0]["created_on"]) == (3600, date(2025, 7, 1))
    if kind == "transcripts":
        small.execute("UPDATE truedy.transcripts SET segment_count = 0 WHERE state = 'present'")
        empty_one = rows(small, "SELECT * FROM analytics.missing_transcripts WHERE state = 'present'")
        assert [(row["call_id"].int, row["why"]) for row in empty_one] == [(6, "it is there, and empty")]


BASE = {
    "id": "x", "status": "in_progress", "cost_usd": None, "duration_seconds": 5, "context": {"a": [1, 2]}, "x_field": 1,
    "recording_url": "https://source.test/a?sig=1", "updated_at": "2025-07-01T12:00:00Z",
}  # fmt: skip


def version(connection: Connection, number: int, raw: object, *, is_late: bool = False) -> None:
    connection.execute(
        "INSERT INTO truedy.call_versions (call_id, version, observed_at, is_late, fingerprint, raw) "
        "VALUES (%s, %s, %s, %s, '', %s)",
        [call_id(1), number, at("2025-07-01T12:00:00") + timedelta(minutes=number), is_late, Jsonb(raw)],
    )


def test_history_by_hand(small: Connection) -> None:
    """Fields by name: null and not there are the same, as are two signatures of one URL; a late version is compared with
    nothing, and nothing with it.
    """
    empty(small)
    add(small, Contact(1, "2025-07-01T12:00:00", "completed", 0, 60))
    small.execute("DELETE FROM truedy.call_versions")
    over = BASE | {
        "status": "completed",
        "cost_usd": 0.25,
        "duration_seconds": 60.0,
        "summary": None,
        "phone_number": "+12025550199",
    }
    version(small, 1, BASE)
    version(
        small,
        2,
        {key: value for key, value in BASE.items() if key != "cost_usd"}
        | {"recording_url": "https://source.test/a?sig=2"},
    )
    version(small, 3, over)
    version(small, 4, BASE, is_late=True)
    version(small, 5, over | {"cost_usd": "0.3", "context": {"a": [2, 1]}, "x_field": 2, "summary": "Secret"})
    found = rows(small, "SELECT * FROM analytics.call_history WHERE call_id = %s ORDER BY version", call_id(1))
    names = (
        "previous_version",
        "changed_fields",
        "has_other_changes",
        "status_before",
        "status",
        "cost_before_usd",
        "cost_usd",
    )
    assert [tuple(row[name] for name in names) for row in found] == [
        (None, None, None, None, "in_progress", None, None),
        (1, None, False, "in_progress", "in_progress", None, None),
        (2, "phone_number, status, duration_seconds, cost_usd", False, "in_progress", "completed", None, Decimal("0.25")),
        (None, None, None, None, "in_progress", None, None),
        (3, "cost_usd, summary, context", True, "completed", "completed", Decimal("0.25"), Decimal("0.3")),
    ]  # fmt: skip
    assert [(row["duration_before_seconds"], row["duration_seconds"]) for row in found] == [
        (None, 5), (5, 5), (5, 60), (None, 5), (60, 60),
    ]  # fmt: skip
    assert [row["since_previous_seconds"] for row in found] == [None, 60, 60, None, 120]
    assert [row["is_late"] for row in found] == [False, False, False, True, False]


@pytest.mark.parametrize(
    "value",
    [
        '"abc"', "1e400", "-1e400", "1e-400", "[1]", '{"a": {"b": []}}', "true", '"NaN"', '"Infinity"', "999999.9999999",
        "1000000", '"1,5"', '""', '" 1"', "123456789012", '"0x10"', '"0.' + "1" * 20000 + '"', '"' + "9" * 5000 + '"', "-0.0",
    ],
)  # fmt: skip
def test_history_survives_whatever_is_sent(small: Connection, value: str) -> None:
    """Text, huge and nested values in each field: a row all the same, and no number that is not one."""
    raw = ", ".join(f'"{name}": {value}' for name in (*BASE, "phone_number", "a" * 500))
    small.execute(
        "INSERT INTO truedy.call_versions (call_id, version, observed_at, fingerprint, raw) "
        "VALUES (%(id)s, 2, now(), '', %(raw)s), (%(id)s, 3, now(), '', '{}')",
        {"id": call_id(1), "raw": f"{{{raw}}}"},
    )
    first, second, third = rows(small, "SELECT * FROM analytics.call_history WHERE call_id = %s ORDER BY 2", call_id(1))
    assert "cost_usd" in second["changed_fields"]
    assert "cost_usd" in third["changed_fields"]
    assert (first["has_other_changes"], second["has_other_changes"], third["has_other_changes"]) == (None, True, True)
    expected = {"1e-400": 0, "999999.9999999": 1000000, "-0.0": 0}.get(
        value, Decimal("0.111111") if len(value) > 20000 else None
    )
    assert (second["cost_usd"], third["cost_before_usd"]) == (expected, expected)


def test_history_survives_what_is_no_object(small: Connection) -> None:
    """A list or a number in place of a call is never stored; if it were, the view would still stand."""
    version(small, 2, [1])
    version(small, 3, 7)
    found = rows(small, "SELECT * FROM analytics.call_history WHERE call_id = %s", call_id(1))
    assert [row["has_other_changes"] for row in found] == [None, None, None]


def change(connection: Connection, number: int, old: str | None, new: str | None, observed: str) -> None:
    connection.execute(
        "INSERT INTO replicator.cost_changes (call_id, old_usd, new_usd, observed_at) VALUES (%s, %s, %s, %s)",
        [call_id(number), old, new, at(observed)],
    )


def adjusted(connection: Connection) -> None:
    """Call 1 of July: 0.10 came, became 0.30 in time and 0.25 late. Call 2: 0.40 was withdrawn late, and came back.

    Call 3, of August in Berlin: 2,000,000 became 1,000,000 and then 0.05. Call 4 changed nothing.
    """
    empty(connection)
    add(
        connection,
        Contact(1, "2025-07-01T12:00:00", "completed", 0, 60, "0.25"),
        Contact(2, "2025-07-01T12:00:00", "completed", 0, 60, "0.4"),
        Contact(3, "2025-07-31T22:30:00", "completed", 0, 60, "0.05"),
        Contact(4, "2025-07-01T12:00:00", "completed", 0, 60, "0.7"),
    )
    change(connection, 1, None, "0.1", "2025-07-01T12:02:00")
    change(connection, 1, "0.1", "0.3", "2025-07-04T12:01:00")  # 72 hours after the end: not later than that
    change(connection, 1, "0.3", "0.25", "2025-07-04T12:01:00.000001")
    change(connection, 2, "0.4", None, "2025-08-01T12:00:00")
    change(connection, 2, None, "0.4", "2025-08-02T12:00:00")
    change(connection, 3, "2000000", "1000000", "2025-08-01T12:00:00")
    change(connection, 3, "1e400", "0.05", "2025-08-01T13:00:00")


def test_cost_adjustments_by_hand(small: Connection) -> None:
    """Each change with its kind, by how much it moved the sums, and whether the call was settled by then."""
    adjusted(small)
    found = rows(small, "SELECT * FROM analytics.cost_adjustments ORDER BY change_id")
    names = ("kind", "old_cost_usd", "new_cost_usd", "delta_usd", "is_after_settling")
    money = Decimal
    assert [(row["call_id"].int, *(row[name] for name in names)) for row in found] == [
        (1, "first_known", None, money("0.1"), money("0.1"), False),
        (1, "correction", money("0.1"), money("0.3"), money("0.2"), False),
        (1, "correction", money("0.3"), money("0.25"), money("-0.05"), True),
        (2, "withdrawn", money("0.4"), None, money("-0.4"), True),
        (2, "first_known", None, money("0.4"), money("0.4"), True),
        (3, "implausible", None, None, 0, False),
        (3, "first_known", None, money("0.05"), money("0.05"), False),
    ]
    assert (found[0]["after_end_seconds"], found[0]["cost_month_on"]) == (60, date(2025, 7, 1))


def test_cost_adjustments_of_months_by_hand(small: Connection) -> None:
    """July: 0.10 and 0.40 came, of which 0.40 late; 0.20 up, 0.45 down, all of that late. August is Berlin's only."""
    adjusted(small)
    names = (
        "month_on, first_known_count, first_known_usd, late_first_known_count, late_first_known_usd, adjustment_count, "
        "adjusted_calls, up_usd, down_usd, net_usd, late_adjustment_count, late_up_usd, late_down_usd, late_net_usd"
    )
    query = f"SELECT {names} FROM analytics.cost_adjustments_monthly ORDER BY 1"
    money = Decimal
    july = (
        3, 2, money("0.2"), money("-0.45"), money("-0.25"), 2, money(0), money("-0.45"), money("-0.45"),
    )  # fmt: skip
    (utc,) = rows(small, query)
    assert tuple(utc.values()) == (date(2025, 7, 1), 3, money("0.55"), 1, money("0.4"), *july)
    small.execute("UPDATE replicator.reporting SET time_zone = 'Europe/Berlin'")
    first, second = rows(small, query)
    assert tuple(first.values()) == (date(2025, 7, 1), 2, money("0.5"), 1, money("0.4"), *july)
    assert tuple(second.values())[:5] == (date(2025, 8, 1), 1, money("0.05"), 0, 0)
    last = rows(small, "SELECT last_changed_at FROM analytics.cost_adjustments_monthly WHERE month_on = '2025-07-01'")
    assert last == [{"last_changed_at": datetime(2025, 8, 2, 12, tzinfo=UTC)}]


@pytest.mark.parametrize("zone", ZONES)
def test_months_of_adjustments_are_a_partition(small: Connection, zone: str) -> None:
    """In every zone the months add up to the changes."""
    adjusted(small)
    small.execute("UPDATE replicator.reporting SET time_zone = %s", [zone])
    months = rows(
        small,
        "SELECT sum(first_known_usd + net_usd) AS usd, sum(first_known_count + adjustment_count) AS changes "
        "FROM analytics.cost_adjustments_monthly",
    )
    assert months == [{"usd": Decimal("0.3"), "changes": 6}]


def test_what_the_replica_writes_itself(small: Connection) -> None:
    """The trigger's changes are the view's: a cost that comes, and one that is corrected."""
    empty(small)
    add(small, Contact(1, "2025-07-01T12:00:00", "completed", 0, 60))
    small.execute("UPDATE truedy.calls SET cost_usd = 0.1")
    small.execute("UPDATE truedy.calls SET cost_usd = 0.3")
    small.execute("UPDATE truedy.calls SET status = 'ended'")
    found = rows(small, "SELECT kind, delta_usd FROM analytics.cost_adjustments ORDER BY change_id")
    assert [tuple(row.values()) for row in found] == [("first_known", Decimal("0.1")), ("correction", Decimal("0.2"))]
