"""Rates: what a call should cost, which rate explains the costs, and the view that says the same in SQL."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.reconcile import rates
from tests.fix_commands import run as command

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database


@pytest.mark.pure
@pytest.mark.parametrize(
    ("seconds", "minimum", "increment", "billed"),
    [(0, 30, 6, 0), (1, 0, 1, 1), (1, 0, 6, 6), (6, 0, 6, 6), (7, 0, 6, 12), (1, 30, 6, 30), (31, 30, 6, 36), (61, 0, 60, 120), (-5, 0, 60, 0)],
)  # fmt: skip
def test_seconds_are_rounded_up_after_the_minimum(seconds: int, minimum: int, increment: int, billed: int) -> None:
    assert rates.billed_seconds(seconds, minimum, increment) == billed
    assert rates.expected(seconds, minimum, increment, Decimal("0.60")) == Decimal(billed) / 100


@pytest.mark.pure
@settings(max_examples=25)
@given(
    st.sampled_from([1, 6, 10, 15, 30, 60]),
    st.integers(200, 5000).map(lambda price: Decimal(price).scaleb(-4)),
    st.integers(0, 10**6),
)
def test_the_true_rate_is_found(increment: int, price: Decimal, seed: int) -> None:
    """Where calls are long enough to show it: increment and price exactly, also with a few odd costs among them."""
    chance = random.Random(seed)
    calls = [
        (seconds, rates.expected(seconds, 0, increment, price).quantize(Decimal("0.0001")))
        for seconds in (chance.randrange(61, 3000) for _ in range(300))
    ]
    if len({cost for _, cost in calls}) < 150:
        return  # the price is too small for four decimals to tell increments apart
    calls[:5] = [(seconds, cost + 1) for seconds, cost in calls[:5]]
    best = rates.learn(calls)[0]
    assert (best.increment_seconds, best.minimum_seconds, best.explained, best.is_clear) == (increment, 0, 295, True)
    assert abs(best.price_per_minute - price) <= Decimal("0.0001")


@pytest.mark.pure
def test_a_minimum_is_found_where_short_calls_show_it() -> None:
    calls = [(seconds, rates.expected(seconds, 30, 6, Decimal("0.12"))) for seconds in range(1, 200)]
    best = rates.learn(calls)[0]
    assert (best.minimum_seconds, best.increment_seconds, best.price_per_minute, best.is_clear) == (
        30,
        6,
        Decimal("0.12"),
        True,
    )


@pytest.mark.pure
def test_what_cannot_be_told_is_not_clear() -> None:
    """Calls of whole minutes only; too few calls; costs without a rule; no calls."""
    whole = [(60 * n, Decimal(n) / 10) for n in range(1, 60)]
    assert [one.is_clear for one in rates.learn(whole)] == [False] * 3
    assert not rates.learn([(7, Decimal("0.0146"))] * 5)[0].is_clear
    chance = random.Random(1)
    assert not rates.learn(
        [(chance.randrange(1, 500), Decimal(chance.randrange(1, 9999)).scaleb(-4)) for _ in range(200)]
    )[0].is_clear
    assert rates.learn([]) == rates.learn([(0, Decimal(1)), (5, Decimal(0))]) == []


AGENTS = [UUID(int=1), UUID(int=2)]
RULES: list[dict[str, Any]] = [
    {"name": "all", "increment": 60, "price": "0.10"},
    {"name": "out", "direction": "outbound", "increment": 6, "price": "0.073"},
    {"name": "germany", "prefix": "49", "increment": 1, "price": "0.2", "minimum": 30},
    {"name": "berlin", "prefix": "4930", "increment": 1, "price": "0.25"},
    {"name": "agent", "agent": AGENTS[0], "increment": 15, "price": "0.08"},
    {"name": "campaign", "campaign": "c1", "increment": 15, "price": "0.09"},
    {"name": "old", "prefix": "44", "increment": 6, "price": "1", "until": "2026-10-15"},
]


def chosen(call: dict[str, Any]) -> dict[str, Any]:
    """The rule for a call, said in another way than the view says it."""
    digits = call["phone_number"].lstrip("+").removeprefix("00").replace(" ", "")
    fit = [
        rule for rule in RULES
        if rule.get("direction") in {None, call["direction"]} and rule.get("agent") in {None, call["agent_id"]}
        and rule.get("campaign") in {None, call["campaign"]} and digits.startswith(rule.get("prefix", ""))
        and ("until" not in rule or call["started_at"] < datetime(2026, 10, 15, tzinfo=UTC))
    ]  # fmt: skip
    return max(
        fit, key=lambda rule: (len(rule.get("prefix", "")), "agent" in rule, "campaign" in rule, "direction" in rule)
    )


def store(database: Database, calls: list[dict[str, Any]], account: str = "default") -> None:
    with database.transaction() as tx:
        for call in calls:
            ended = call["started_at"] + timedelta(seconds=call["seconds"])
            tx.execute(
                "INSERT INTO truedy.calls (id, account, agent_id, phone_number, from_number, direction, status, started_at, ended_at, "
                "duration_seconds, cost_usd, context, created_at, raw, fingerprint, version, observed_at, first_seen_at, changed_at) "
                "VALUES (%s, %s, %s, %s, '+1', %s, 'completed', %s, %s, %s, %s, jsonb_build_object('campaign_id', %s::text), %s, '{}', "
                "'\\x00', 1, now(), now(), now())",
                [call["id"], account, call["agent_id"], call["phone_number"], call["direction"], call["started_at"], ended,
                 call["seconds"], call["cost"], call["campaign"], call["started_at"]],
            )  # fmt: skip


@pytest.mark.slow
def test_the_view_says_what_the_rules_say(database: Database, database_url: str, tmp_path: Path) -> None:
    """For random calls: the rule, the seconds and the expected cost; and what came of the comparison."""
    environment: dict[str, Any] = {"cwd": tmp_path, "DATABASE_URL": database_url}
    for rule in RULES[:2] + RULES[-1:]:
        options = [f"--{key}={value}" for key, value in rule.items() if key != "name"]
        done = command("reconcile", "rates", "set", rule["name"], "--from=2026-01-01", *options, **environment)
        assert done.returncode == 0, done.stderr
    with database.transaction() as tx:
        for rule in RULES[2:-1]:
            tx.execute(
                "INSERT INTO billing.rate_cards (account, name, direction, destination_prefix, agent_id, campaign, minimum_seconds, "
                "increment_seconds, price_per_minute, valid_from) VALUES ('default', %s, %s, %s, %s, %s, %s, %s, %s, '2026-01-01')",
                [rule["name"], rule.get("direction"), rule.get("prefix"), rule.get("agent"), rule.get("campaign"), rule.get("minimum", 0),
                 rule["increment"], rule["price"]],
            )  # fmt: skip
    chance, calls = random.Random(5), []
    for _ in range(300):
        call: dict[str, Any] = {
            "id": uuid4(), "agent_id": chance.choice(AGENTS), "direction": chance.choice(["inbound", "outbound"]),
            "phone_number": chance.choice(["+49 301234567", "0049 89123456", "+14155550100", "+442071234567", "4930999"]),
            "campaign": chance.choice([None, "c1", "c2"]), "seconds": chance.choice([0, 1, 29, 61, 300, 3599]),
            "started_at": datetime(2026, 10, chance.randrange(1, 29), 12, tzinfo=UTC),
        }  # fmt: skip
        rule = chosen(call)
        right = rates.expected(call["seconds"], rule.get("minimum", 0), rule["increment"], Decimal(rule["price"]))
        increment = Decimal(rule["price"]) * rule["increment"] / 60
        kind = chance.choice(["as_expected", "within_increment", "differs", "pending"])
        off = {
            "as_expected": Decimal(0),
            "within_increment": increment,
            "differs": increment + Decimal("0.001"),
            "pending": Decimal(0),
        }[kind]
        if abs(off) <= Decimal("0.00005") and kind == "within_increment":
            kind = "as_expected"
        calls.append(
            call
            | {
                "rule": rule["name"],
                "expected": right,
                "cost": None if kind == "pending" else right + off,
                "kind": kind,
            }
        )
    store(database, calls)
    with database.transaction() as tx:
        tx.execute("UPDATE replicator.reporting SET cost_give_up_days = 36500")  # the calls are of a fixed month
    with database.connection() as connection:
        rows = connection.execute(
            "SELECT call_id, rate_name, expected_usd, rate_state, period, delta_usd FROM analytics.rate_check"
        ).fetchall()
        (total,) = connection.execute("SELECT sum(calls) FROM analytics.rate_check_monthly").fetchone() or (0,)
    found = {row[0]: row[1:] for row in rows}
    assert total == len(found) == len(calls)
    for call in calls:
        name, expected, state, period, delta = found[call["id"]]
        assert (name, expected, period) == (call["rule"], call["expected"].quantize(Decimal("0.000001")), "2026-10")
        if call["seconds"]:
            assert state == call["kind"]
            assert delta is None or abs(delta - (call["cost"] - call["expected"])) < Decimal("0.000001")
    listed = command("reconcile", "rates", "check", "--period", "2026-10", "--json", **environment)
    assert listed.returncode == 0, listed.stderr
    assert '"rate_name": "berlin"' in listed.stdout


def test_a_cost_that_does_not_come_is_not_pending(database: Database) -> None:
    """Given up after so many days; and an implausible one is none."""
    now = datetime.now(UTC)
    known = {"agent_id": AGENTS[0], "phone_number": "+1", "direction": "outbound", "campaign": None, "seconds": 60}
    calls = [
        known | {"id": uuid4(), "started_at": now - timedelta(days=days), "cost": cost}
        for days, cost in ((1, None), (50, None), (1, Decimal(2_000_000)), (1, Decimal(1)))
    ]
    store(database, calls)
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO billing.rate_cards (account, name, minimum_seconds, increment_seconds, price_per_minute, valid_from) "
            "VALUES ('default', 'all', 0, 60, 1, '2020-01-01')"
        )
        found = dict(tx.execute("SELECT call_id, rate_state FROM analytics.rate_check").fetchall())
    assert [found[call["id"]] for call in calls] == ["pending", "given_up", "implausible", "as_expected"]


@pytest.mark.slow
def test_a_rule_of_the_same_name_ends_the_one_before(database: Database, database_url: str, tmp_path: Path) -> None:
    """By days of the reporting time zone; wrong ones are refused; a removed one is gone; the costs suggest the rate."""
    environment: dict[str, Any] = {"cwd": tmp_path, "DATABASE_URL": database_url}
    for price, day in (("0.07", "2026-01-01"), ("$0.08", "2026-06-01")):
        assert (
            command(
                "reconcile", "rates", "set", "x", "--price", price, "--increment", "6", "--from", day, **environment
            ).returncode
            == 0
        )
    with database.connection() as connection:
        rows = connection.execute(
            "SELECT price_per_minute, valid_from, valid_until FROM billing.rate_cards ORDER BY valid_from"
        ).fetchall()
    june = datetime(2026, 6, 1, tzinfo=UTC)
    assert rows == [(Decimal("0.07"), datetime(2026, 1, 1, tzinfo=UTC), june), (Decimal("0.08"), june, None)]
    for wrong in (
        ["--price", "0,07", "--increment", "6"],
        ["--price", "0,073", "--increment", "6"],
        ["--price", "1", "--increment", "0"],
        ["--price", "1", "--increment", "6", "--prefix", "+x"],
        ["--price", "1", "--increment", "6", "--direction", "foo"],
    ):
        assert command("reconcile", "rates", "set", "x", "--from", "2026-01-01", *wrong, **environment).returncode == 2
    start = datetime(2026, 10, 1, tzinfo=UTC)
    calls = [{"id": uuid4(), "agent_id": AGENTS[0], "phone_number": "+1", "direction": "outbound", "campaign": None, "started_at": start,
              "seconds": n, "cost": rates.expected(n, 0, 6, Decimal("0.073")).quantize(Decimal("0.0001"))} for n in range(1, 200)]  # fmt: skip
    store(database, calls)
    learned = command("reconcile", "rates", "learn", "--json", **environment).stdout
    assert '"increment_seconds": 6' in learned
    assert '"price_per_minute": "0.073"' in learned
    assert '"is_clear": true' in learned
    assert command("reconcile", "rates", "remove", "x", **environment).returncode == 0
    assert command("reconcile", "rates", "remove", "x", **environment).returncode == 2
