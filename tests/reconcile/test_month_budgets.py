"""Budgets: what was spent, what the month will cost, and that somebody is warned before it is passed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from replicator.report import figures, page
from replicator.store import rollups, schema_check
from tests.fix_commands import run as command
from tests.reconcile.test_rates import store

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

NOW = datetime.now(UTC)
THIS, NEXT = f"{NOW:%Y-%m}", f"{NOW.replace(day=1) + timedelta(days=32):%Y-%m}"
AGENT, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture(autouse=True)
def _present(monkeypatch: pytest.MonkeyPatch) -> None:
    """The views go by the server's clock, so each test begins with the present: the module may have been loaded an hour ago."""
    now = datetime.now(UTC)
    months = {"THIS": f"{now:%Y-%m}", "NEXT": f"{now.replace(day=1) + timedelta(days=32):%Y-%m}"}
    for name, value in {"NOW": now, **months}.items():
        monkeypatch.setitem(globals(), name, value)


def call(days_ago: float, cost: str | None, agent: UUID = AGENT, campaign: str | None = None) -> dict[str, Any]:
    at = (NOW - timedelta(days=days_ago)).replace(hour=0, minute=0, second=1)
    return {"id": uuid4(), "agent_id": agent, "phone_number": "+1", "direction": "outbound", "campaign": campaign, "started_at": at,
            "seconds": 1, "cost": None if cost is None else Decimal(cost)}  # fmt: skip


@pytest.fixture
def spending(database: Database) -> Database:
    """Ten days with one call of an agent at 10 dollars each, and one of the other at 1 today in a campaign, and a pending one."""
    store(database, [*(call(days, "10") for days in range(1, 11)), call(0, "1", OTHER, "c1"), call(0, None, OTHER)])
    rollups.refresh(database, rollups.kept(schema_check.bundled("sql")))
    return database


def budgets(database: Database) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    with database.connection() as connection:
        rows = connection.execute(
            "SELECT period, scope, scope_value, spent_usd, cost_pending_calls, recent_daily_usd, forecast_usd, budget_state FROM analytics.budgets WHERE account = 'default'"
        ).fetchall()
    return {row[:3]: row[3:] for row in rows}


def test_the_forecast_is_the_known_the_pending_and_the_usual_day(spending: Database) -> None:
    """Worked out by hand: for the account, an agent, a campaign; a month that is over, and the next one."""
    last = f"{NOW.replace(day=1) - timedelta(days=1):%Y-%m}"
    with spending.transaction() as tx:
        for month, scope, value in (
            (THIS, "account", ""),
            (THIS, "agent", str(AGENT)),
            (THIS, "campaign", "c1"),
            (NEXT, "account", ""),
            (last, "account", ""),
        ):
            tx.execute("INSERT INTO billing.budgets VALUES ('default', %s, %s, %s, 100)", [month, scope, value])
        tx.execute("INSERT INTO billing.budgets VALUES ('another account', %s, 'account', '', 100)", [THIS])
    found = budgets(spending)
    first, after = (
        NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0),
        (NOW.replace(day=1) + timedelta(days=32)).replace(day=1),
    )
    left = Decimal((after.replace(hour=0, minute=0, second=0, microsecond=0) - NOW).total_seconds()) / 86400
    days = min(10, NOW.day - 1)
    known = days + 1
    spent = 10 * days + 1
    assert found[THIS, "account", ""][:3] == (spent, 1, 10)
    forecast = spent + Decimal(spent) / known + 10 * left
    assert abs(found[THIS, "account", ""][3] - forecast) < Decimal("0.2")
    assert found[THIS, "agent", str(AGENT)][:3] == (10 * days, 0, 10)
    assert found[THIS, "campaign", "c1"][:3] == (1, 0, 0)
    assert found[THIS, "campaign", "c1"][3:] == (Decimal(1), "within")
    length = ((after + timedelta(days=32)).replace(day=1) - after).days
    assert found[NEXT, "account", ""] == (0, 0, 10, 10 * length, "will_be_passed")
    before = 10 * max(0, 10 - days)
    assert found[last, "account", ""] == (before, 0, 0, before, "within")
    assert first.month == NOW.month


def test_pending_calls_of_the_last_days_are_in_the_forecast(database: Database) -> None:
    """Costs come late: without them the usual day would be too low, just where it is newest. Seven days have 14 calls, 7 known."""
    store(database, [call(days, cost) for days in range(1, 11) for cost in ("10", None)])
    rollups.refresh(database, rollups.kept(schema_check.bundled("sql")))
    with database.transaction() as tx:
        tx.execute("INSERT INTO billing.budgets VALUES ('default', %s, 'account', '', 1000000)", [NEXT])
    assert budgets(database)[NEXT, "account", ""][:3] == (0, 0, 20)


@pytest.mark.slow
def test_it_is_said_before_it_is_passed(spending: Database, database_url: str, tmp_path: Path) -> None:
    """By the list (exit code 1), status, the report and the health; nothing is said of what holds. A month to come is shown only."""
    environment: dict[str, Any] = {"cwd": tmp_path, "DATABASE_URL": database_url}
    assert command("reconcile", "budget", "set", NEXT, "1,000,000", **environment).returncode == 0
    assert command("reconcile", "budget", "list", **environment).returncode == 0
    assert figures.pulse(spending, "default").budgets_exceeded == 0
    for wrong in (["10/2026", "5"], [THIS, "-5"], [THIS, "€5"], [THIS, "5", "--agent", str(AGENT), "--campaign", "x"]):
        assert command("reconcile", "budget", "set", *wrong, **environment).returncode == 2
    assert command("reconcile", "budget", "set", NEXT, "20", "--agent", str(AGENT), **environment).returncode == 0
    assert command("reconcile", "budget", "list", **environment).returncode == 0
    assert figures.pulse(spending, "default").budgets_exceeded == 0
    spent = 10 * min(10, NOW.day - 1)
    assert (
        command("reconcile", "budget", "set", THIS, f"{spent}.01", "--agent", str(AGENT), **environment).returncode == 0
    )
    listed = command("reconcile", "budget", "list", "--json", **environment)
    assert listed.returncode == 1
    states = {(row["period"], row["scope"]): row["budget_state"] for row in json.loads(listed.stdout)}
    assert states == {
        (NEXT, "account"): "within", (NEXT, "agent"): "will_be_passed", (THIS, "agent"): "will_be_passed",
    }  # fmt: skip
    status = command("status", **environment)
    assert f"{NEXT}, agent {AGENT}: will be EXCEEDED; 0.00 of 20.00 US dollars spent" in status.stdout
    assert f"{NEXT}, account: within" in status.stdout
    assert figures.pulse(spending, "default").budgets_exceeded == 1
    html = page.render(figures.read(spending, "default", 30))
    assert "will be exceeded" in html
    assert command("reconcile", "budget", "remove", NEXT, "--agent", str(AGENT), **environment).returncode == 0
    assert command("reconcile", "budget", "remove", NEXT, "--agent", str(AGENT), **environment).returncode == 2
