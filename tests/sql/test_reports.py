"""The daily reports: numbers worked out by hand on the small world, and identities on made-up ones."""

from __future__ import annotations

import random
import statistics
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import psycopg
import pytest

from tests.sql import fix_small_world
from tests.sql.fix_small_world import AGENT_A, AGENT_B, Call

Connection = psycopg.Connection[Any]

SPRING, AUTUMN = date(2025, 3, 30), date(2025, 10, 26)


def rows(
    connection: Connection, view: str, condition: str, values: tuple[object, ...], columns: str
) -> list[dict[str, Any]]:
    return connection.execute(
        f"SELECT {columns} FROM analytics.{view} WHERE {condition} ORDER BY {columns}", values
    ).fetchall()


def check(connection: Connection, view: str, group: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare the one row of a group with what was expected; floats to nine digits."""
    condition = " AND ".join(f"{name} IS NOT DISTINCT FROM %s" for name in group)
    found = rows(connection, view, condition, tuple(group.values()), ", ".join(expected))
    assert len(found) == 1
    for name, value in found[0].items():
        wanted = pytest.approx(expected[name], rel=1e-9) if isinstance(value, float) else expected[name]
        assert value == wanted, name


def test_durations_of_a_day(berlin: Connection) -> None:
    """Calls 1-5 and 7-13 started (or were created) on 30 March; seven are measured: 0, 8, 30, 45, 60, 120 and 300 s."""
    check(
        berlin,
        "call_duration_daily",
        {"day": SPRING, "direction": "outbound", "agent_id": AGENT_A, "account": "main"},
        {
            "calls": 12, "open_calls": 2, "connected_calls": 7, "conversations": 3, "measured_calls": 7,
            "duration_seconds": 563, "average_seconds": 563 / 7, "shortest_seconds": 0, "p50_seconds": 45.0,
            "p90_seconds": 192.0, "p95_seconds": 246.0, "p99_seconds": 289.2, "longest_seconds": 300,
            "reporting_time_zone": "Europe/Berlin",
        },
    )  # fmt: skip


def test_a_day_on_which_nothing_is_measured(new_york: Connection) -> None:
    """Averages and percentiles of nothing are null; the sum is zero, and the calls are counted."""
    new_york.execute("DELETE FROM truedy.calls WHERE deleted_at IS NOT NULL")
    check(
        new_york,
        "call_duration_daily",
        {"day": date(2025, 3, 9), "direction": "outbound"},
        {
            "calls": 3, "open_calls": 1, "connected_calls": 0, "measured_calls": 0, "duration_seconds": 0,
            "average_seconds": None, "p50_seconds": None, "p99_seconds": None, "longest_seconds": None,
        },
    )  # fmt: skip


def test_histogram_of_a_day(berlin: Connection) -> None:
    """Each of the seven lies in its bucket, the lower edge included."""
    found = rows(
        berlin,
        "call_duration_histogram_daily",
        "day = %s",
        (SPRING,),
        "lower_seconds, upper_seconds, calls, duration_seconds",
    )
    assert [tuple(row.values()) for row in found] == [
        (0, 5, 1, 0), (5, 10, 1, 8), (30, 45, 1, 30), (45, 60, 1, 45), (60, 90, 1, 60), (120, 180, 1, 120), (300, 600, 1, 300),
    ]  # fmt: skip


def test_histogram_has_no_gap(small: Connection) -> None:
    """Every duration from 0 to beyond the last edge falls into exactly one bucket."""
    for number, duration in enumerate((*range(200), 3599, 3600, 3601, 2**31 - 1), start=100):
        fix_small_world.insert(small, Call(number, "2025-07-07T12:00:00", "completed", 0, duration))
    found = rows(small, "call_duration_histogram_daily", "day = '2025-07-07'", (), "calls, duration_seconds")
    assert sum(row["calls"] for row in found) == 204
    assert sum(row["duration_seconds"] for row in found) == sum((*range(200), 3599, 3600, 3601, 2**31 - 1))


def test_cost_of_a_day(berlin: Connection) -> None:
    """Calls 1-5 and 7-13 ended (or were created) on 30 March: 0.10 + 0.20 + 0.05 + 0 + 0.07 are known, four to come."""
    check(
        berlin,
        "call_cost_daily",
        {"day": SPRING, "direction": "outbound", "agent_id": AGENT_A},
        {
            "calls": 12, "cost_known_calls": 5, "cost_pending_calls": 4, "cost_not_expected_calls": 3,
            "cost_implausible_calls": 0, "cost_usd": Decimal("0.42"), "cost_per_known_call_usd": Decimal("0.084"),
            "timed_cost_usd": Decimal("0.42"), "timed_minutes": 4.25, "cost_per_minute_usd": Decimal("0.098824"),
            "conversations": 3, "cost_known_conversations": 2, "conversation_cost_usd": Decimal("0.30"),
            "direct_cost_per_conversation_usd": Decimal("0.15"), "loaded_cost_per_conversation_usd": Decimal("0.14"),
            "is_final": False,
        },
    )  # fmt: skip


def test_cost_of_a_final_day(berlin: Connection) -> None:
    """Calls 14, 15, 16 and 21, all long over, no cost outstanding: 0.1234 + 0.1 + 0.2, to the last digit."""
    group = {"day": AUTUMN, "direction": "inbound", "agent_id": AGENT_B}
    final = {
        "calls": 4,
        "cost_known_calls": 3,
        "cost_usd": Decimal("0.4234"),
        "cost_pending_calls": 0,
        "is_final": True,
    }
    check(berlin, "call_cost_daily", group, final)
    berlin.execute("UPDATE truedy.calls SET cost_usd = NULL WHERE cost_usd = 0.1234")
    check(berlin, "call_cost_daily", group, {"cost_usd": Decimal("0.3"), "cost_pending_calls": 1, "is_final": False})


def test_a_day_of_no_known_cost_costs_null(berlin: Connection) -> None:
    """Null is not zero: where no cost is known, the sum and every ratio are null."""
    berlin.execute("UPDATE truedy.calls SET cost_usd = NULL")
    check(
        berlin,
        "call_cost_daily",
        {"day": SPRING, "direction": "outbound"},
        {
            "cost_usd": None, "cost_known_calls": 0, "cost_pending_calls": 9, "timed_cost_usd": None, "timed_minutes": None,
            "cost_per_minute_usd": None, "cost_per_known_call_usd": None, "loaded_cost_per_conversation_usd": None,
            "direct_cost_per_conversation_usd": None,
        },
    )  # fmt: skip


def test_today_is_never_final(small: Connection) -> None:
    """Even where every call counts as settled at once, the running day can still get calls."""
    small.execute("UPDATE replicator.reporting SET settle_hours = 0")
    small.execute("UPDATE truedy.calls SET created_at = now(), ended_at = now() - interval '1 us' WHERE cost_usd = 0.3")
    condition = "day = ((now() - interval '1 us') AT TIME ZONE 'UTC')::date"
    today = rows(small, "call_cost_daily", condition, (), "calls, cost_usd, is_final")
    assert today == [{"calls": 1, "cost_usd": Decimal("0.3"), "is_final": False}]


def test_money_is_exact(small: Connection) -> None:
    """Ten thousand times 0.1 and once 0.0001 are 1000.0001."""
    small.execute("DELETE FROM truedy.calls")
    fix_small_world.insert(small, Call(100, "2025-07-07T12:00:00", "completed", 0, 60, "0.0001"))
    small.execute(
        "INSERT INTO truedy.calls (id, account, status, started_at, duration_seconds, cost_usd, created_at, raw, fingerprint, "
        "version, observed_at, first_seen_at, changed_at, direction, agent_id) SELECT gen_random_uuid(), account, status, "
        "started_at, duration_seconds, 0.1, created_at, raw, fingerprint, version, observed_at, first_seen_at, changed_at, "
        "direction, agent_id FROM truedy.calls, generate_series(1, 10000)"
    )
    check(small, "call_cost_daily", {"account": "main"}, {"calls": 10001, "cost_usd": Decimal("1000.0001")})


@pytest.mark.parametrize("decimals", [4, 5, 6])
def test_money_agrees_with_another_hand(small: Connection, decimals: int) -> None:
    """Sums of four to six decimals are Python's Decimal sums to the last digit; every third cost is not known, not zero."""
    dice = random.Random(decimals)
    costs = [Decimal(dice.randrange(10 ** (decimals + 2))).scaleb(-decimals) for _ in range(120)]
    for number, cost in enumerate(costs, start=100):
        fix_small_world.insert(
            small, Call(number, "2025-07-07T12:00:00", "completed", 0, 60, str(cost) if number % 3 else None)
        )
    known = [cost for number, cost in enumerate(costs, start=100) if number % 3]
    assert len(known) == 80
    check(
        small,
        "call_cost_daily",
        {"day": date(2025, 7, 7)},
        {
            "calls": 120, "cost_known_calls": 80, "cost_pending_calls": 40, "cost_usd": sum(known), "timed_minutes": 80.0,
            "timed_cost_usd": sum(known), "conversation_cost_usd": sum(known), "conversations": 120,
            "cost_known_conversations": 80, "cost_per_known_call_usd": rounded(sum(known) / 80),
            "cost_per_minute_usd": rounded(sum(known) / 80), "direct_cost_per_conversation_usd": rounded(sum(known) / 80),
            "loaded_cost_per_conversation_usd": rounded(sum(known) / 120),
        },
    )  # fmt: skip


def rounded(amount: Decimal | int) -> Decimal:
    return Decimal(amount).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def test_funnel_of_a_day(berlin: Connection) -> None:
    """Campaign c1: calls 2, 3, 4, 5 and 7. Campaign c2: calls 8 to 13, of which one is open and two are unmapped."""
    group = {"day": SPRING, "direction": "outbound", "agent_id": AGENT_A}
    check(
        berlin,
        "status_funnel_daily",
        {**group, "campaign_id": "c1"},
        {
            "calls": 5, "open_calls": 0, "stale_open_calls": 0, "terminal_calls": 5, "not_placed_calls": 1,
            "cancelled_calls": 0, "placed_calls": 4, "busy_calls": 1, "not_answered_calls": 1, "machine_calls": 1,
            "answered_calls": 1, "unmapped_calls": 0, "conversations": 1, "placed_rate": 0.8, "answer_rate": 0.25,
            "machine_rate": 0.25, "conversation_rate": 0.2,
        },
    )  # fmt: skip
    check(
        berlin,
        "status_funnel_daily",
        {**group, "campaign_id": "c2"},
        {
            "calls": 6, "open_calls": 1, "stale_open_calls": 2, "terminal_calls": 3, "not_placed_calls": 0,
            "cancelled_calls": 1, "placed_calls": 2, "busy_calls": 0, "not_answered_calls": 0, "machine_calls": 0,
            "answered_calls": 2, "unmapped_calls": 2, "conversations": 1, "placed_rate": 2 / 3, "answer_rate": 1.0,
            "machine_rate": 0.0, "conversation_rate": 1 / 3,
        },
    )  # fmt: skip


def test_open_calls_and_unknown_statuses_lower_no_rate(berlin: Connection) -> None:
    """With the open and the unmapped calls gone, calls shrink and every rate stays."""
    rates = "placed_rate, answer_rate, machine_rate, conversation_rate"
    condition, group = "day = %s AND campaign_id = 'c2'", (SPRING,)
    before = rows(berlin, "status_funnel_daily", condition, group, rates)
    berlin.execute("DELETE FROM truedy.calls WHERE status IN ('in_progress', 'transferring', 'transferred')")
    assert rows(berlin, "status_funnel_daily", condition, group, rates) == before
    assert rows(berlin, "status_funnel_daily", condition, group, "calls") == [{"calls": 3}]


def test_a_new_status_is_mapped_by_a_row(berlin: Connection) -> None:
    """A status that users add to replicator.status_stages leaves unmapped for its stage, without a migration."""
    berlin.execute("INSERT INTO replicator.status_stages VALUES ('transferred', 'answered', true)")
    check(
        berlin,
        "status_funnel_daily",
        {"day": SPRING, "campaign_id": "c2"},
        {"calls": 6, "answered_calls": 3, "unmapped_calls": 1, "conversations": 2, "terminal_calls": 4},
    )


@pytest.mark.parametrize("size", [1, 2, 3, 10, 101, 1000])
def test_percentiles_agree_with_another_hand(small: Connection, size: int) -> None:
    """percentile_cont is what Python's statistics call inclusive quantiles."""
    dice = random.Random(size)
    durations = [dice.choice((dice.randrange(10), dice.randrange(4000))) for _ in range(size)]
    for number, duration in enumerate(durations, start=100):
        fix_small_world.insert(small, Call(number, "2025-07-07T12:00:00", "completed", 0, duration))
    quantiles = statistics.quantiles(durations, n=100, method="inclusive") if size > 1 else durations * 99
    check(
        small,
        "call_duration_daily",
        {"day": date(2025, 7, 7)},
        {
            "measured_calls": size, "duration_seconds": sum(durations), "average_seconds": statistics.fmean(durations),
            "p50_seconds": float(quantiles[49]), "p90_seconds": float(quantiles[89]), "p95_seconds": float(quantiles[94]),
            "p99_seconds": float(quantiles[98]), "shortest_seconds": min(durations), "longest_seconds": max(durations),
        },
    )  # fmt: skip
