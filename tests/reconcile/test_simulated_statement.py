"""The simulated vendor's statement: the mapping that is shipped reads it, and what was planted is in it, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from replicator.reconcile import mapping_file
from replicator.reconcile.lines import Line
from replicator.simulator import statement
from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.statement import Fault
from replicator.simulator.world import World
from tests.reconcile.fix_statements import read

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BEGIN, END = statement.bounds("2026-10")


def make(seed: int = 1, calls: int = 2000) -> World:
    return World(seed, calls, now=NOW, days=90)


@pytest.mark.pure
@pytest.mark.parametrize("seed", range(6))
def test_a_statement_is_the_months_calls_and_what_was_planted(seed: int, tmp_path: Path) -> None:
    """Line by line, against the account's true calls; the planted call is deleted at the source."""
    world = make(seed)
    rows = {row["id"]: row for row in world.calls if row["cost_usd"] is not None and row["started_at"] is not None}
    issued = statement.issue(world, "2026-10")
    planted = {one.line_id: one for one in issued.planted}
    assert {one.fault for one in issued.planted} == set(Fault)
    assert len(planted) == len(Fault)
    found = [one.line for one in read(tmp_path / "s.csv", issued.text.encode(), mapping_file.load("simulator"))]
    lines = [line for line in found if isinstance(line, Line)]
    assert (len(lines), sum(line.amount or 0 for line in lines)) == (issued.lines, issued.total)
    billed = []
    for line in lines:
        one = planted.get(line.line_id or "")
        row = rows.get(str(line.call_id))
        if row is not None:
            start = row["started_at"].replace(microsecond=0)
            assert (line.started_at, line.duration_seconds, line.phone_number) == (
                start,
                row["duration_seconds"],
                row["phone_number"],
            )
            assert (BEGIN <= start < END) is not (one is not None and one.fault is Fault.BORDER)
        if one is None or one.fault is Fault.DELETED:
            assert row is not None
            assert line.amount == row["cost_usd"]
        if one is None:
            billed.append(str(line.call_id))
        elif one.fault is Fault.DUPLICATE:
            assert str(line.call_id) in {str(other.call_id) for other in lines if other is not line}
        elif one.fault is Fault.INCREMENT:
            assert line.amount != one.right_amount
            billed.append(str(line.call_id))
        elif one.fault is Fault.UNKNOWN:
            assert row is None
        elif one.fault is Fault.FEE:
            assert (line.kind, line.call_id) == ("fee", None)
    month = {call for call, row in rows.items() if BEGIN <= row["started_at"] < END}
    gone = {one.call_id for one in issued.planted if one.fault is Fault.DELETED}
    assert set(billed) == month - gone
    assert len(billed) == len(set(billed))
    assert gone == set(rows) - set(world.live_ids())


@pytest.mark.pure
def test_it_is_the_same_for_the_same_seed() -> None:
    assert statement.issue(make(3), "2026-10") == statement.issue(make(3), "2026-10")
    assert statement.issue(make(3), "2026-10") != statement.issue(make(4), "2026-10")


@pytest.mark.pure
def test_an_account_without_calls_has_a_statement_too() -> None:
    """With the faults that need none; another text than a month is refused."""
    assert {one.fault for one in statement.issue(make(calls=0), "2026-10").planted} == {Fault.FEE, Fault.UNKNOWN}
    with pytest.raises(ValueError):
        statement.issue(make(calls=0), "../etc")


def test_the_portal_gives_it_out_over_http() -> None:
    """Issued once, whatever is asked again; a correction afterwards changes one call's cost; the key is needed."""
    world = make()
    with (
        running(Api(world, clock=lambda: NOW)) as base_url,
        httpx.Client(headers={"Authorization": f"Bearer {KEY}"}) as client,
    ):
        top = base_url.partition("/api/")[0]
        text = client.get(f"{top}/statements/2026-10.csv").text
        facts = client.get(f"{top}/statements/2026-10.json").json()
        assert client.get(f"{top}/statements/2026-10.csv").text == text
        assert {one["fault"] for one in facts["planted"]} == {str(fault) for fault in Fault}
        corrected = client.post(f"{top}/statements/2026-10.correction").json()
        assert str(world.row(corrected["call_id"])["cost_usd"]) == corrected["new"]
        assert corrected["old"] != corrected["new"]
        assert client.get(f"{top}/statements/october.csv").status_code == 404
        assert client.get(f"{top}/statements/2026-10.csv", headers={"Authorization": "no"}).status_code == 401
