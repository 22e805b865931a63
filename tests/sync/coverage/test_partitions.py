"""What the plain list cannot show is read through filters, if they are honoured; and what cannot be proven is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import pytest

from replicator.simulator import reading
from replicator.simulator.exchange import validation
from replicator.simulator.switches import Switches
from replicator.store.doubts import Doubt
from replicator.sync.content.calls import Policy
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.simulator.deployment import Deployment
    from replicator.store.database import Database

pytestmark = pytest.mark.slow

FREE = Switches(limit=None)
BARE = Policy(())
"""No details: only what the list shows."""


def unsure(there: Setting) -> list[str]:
    return [row[0] for row in there.rows("SELECT reason FROM replicator.coverage WHERE NOT is_proven ORDER BY since")]


def codes(there: Setting) -> list[str]:
    return [
        row[0] for row in there.rows("SELECT reason_code FROM replicator.coverage WHERE NOT is_proven ORDER BY since")
    ]


def stored(there: Setting) -> int:
    return int(there.value("SELECT count(*) FROM truedy.calls"))


def test_a_capped_list_is_never_called_complete(database: Database) -> None:
    """A storage layer ends each list at 500 rows, with a total of 500: what filters show is stored, and the stretch
    behind the cap is said to be unsure, with the reason.
    """
    with source(database, calls=900, switches=replace(FREE, cap=500)) as there:
        report = there.sync()
        assert report.result == "done"
        assert stored(there) == 900
        assert any("capped" in reason for reason in unsure(there))
        assert there.value("SELECT is_complete_and_proven FROM analytics.replication_freshness") is False
        there.api.log.clear()
        there.sync()
        assert there.api.log.requests <= 2  # the filters' work is not done again with every sync


def test_agents_reach_what_status_and_direction_leave_out(database: Database) -> None:
    """1,000 of 2,400 calls are listed. By status and direction calls are left out, and it is said that a part is capped; the
    agents reach all of them.
    """
    ignoring = replace(FREE, cap=1000, ignored_filters=frozenset({"agent_id"}))
    with source(database, calls=2400, switches=ignoring) as there:
        there.sync(details=BARE)
        assert 2200 < stored(there) < 2400
        assert codes(there) == [Doubt.SPLIT_CAP]
        there.api.switches = replace(FREE, cap=1000)
        there.rows("UPDATE replicator.source_state SET sliced_at = sliced_at - interval '1 day' RETURNING 1")
        there.api.log.clear()
        assert there.sync(details=BARE).result == "done"
        assert stored(there) == 2400
        assert codes(there) == [Doubt.SLICED]
        assert there.api.log.by_kind["list"] <= 160


@pytest.mark.parametrize("bounds", ["inclusive", "exclusive"])
def test_time_proves_what_lies_behind_a_cap(database: Database, bounds: Literal["inclusive", "exclusive"]) -> None:
    """1,000 of 2,400 calls are listed, and `created_before` is honoured: all are stored and proven, also by the next run and
    when calls were created and deleted behind the cap, without a search for the calls that the total does not count.
    """
    switches = replace(FREE, cap=1000, created_filters=True, created_bounds=bounds)
    with source(database, calls=2400, switches=switches) as there:
        assert there.sync(details=BARE).result == "done"
        assert there.differences(transcripts=False) == []
        assert (stored(there), unsure(there)) == (2400, [])
        assert there.value("SELECT is_complete_and_proven FROM analytics.replication_freshness") is True
        assert there.api.log.by_kind["list"] <= 36  # 24 pages hold them
        for _ in range(5):
            there.world.create()
        there.api.log.clear()
        there.sync(details=BARE)
        assert (stored(there), unsure(there)) == (2405, [])
        assert there.api.log.requests <= 2
        hidden = there.world.live_ids()[2000]
        there.world.delete(hidden)
        there.rows("UPDATE replicator.coverage SET verified_at = verified_at - interval '91 days' RETURNING 1")
        there.sync(details=BARE)
        there.rows(
            "UPDATE replicator.absences SET due_at = due_at - interval '1 hour', missed_at = missed_at - interval '1 hour' RETURNING 1"
        )
        there.sync(details=BARE)
        assert unsure(there) == []
        gone = there.rows("SELECT id FROM truedy.calls WHERE deleted_at IS NOT NULL")
        assert [str(row[0]) for row in gone] == [hidden]


def test_many_calls_behind_a_cap_are_read_in_one_run(database: Database) -> None:
    """7,000 calls behind a cap of 500 are not taken for a list that grows as it is read."""
    with source(database, calls=7500, switches=replace(FREE, cap=500, created_filters=True)) as there:
        assert there.sync(details=BARE).result == "done"
        assert (stored(there), unsure(there)) == (7500, [])


def test_a_filter_that_is_refused_is_not_needed(database: Database) -> None:
    """A source answers 422 to `created_before`, and to one of its directions: the other parts are read all the same."""
    with source(database, calls=900, switches=replace(FREE, cap=500)) as there:
        usual = reading._found

        def strict(deployment: Deployment, query: dict[str, str]) -> Sequence[int]:
            if "created_before" in query or query.get("direction") == "inbound":
                raise validation("unknown parameter")
            return usual(deployment, query)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "_found", strict)
            assert there.sync(details=BARE).result == "done"
        assert stored(there) == 900
        assert codes(there) == [Doubt.SLICED]


def test_a_round_number_that_is_honest_is_proven(database: Database) -> None:
    """500 calls are no cap: the slices add up to the total, so the end of the list is proven, for a few requests."""
    with source(database, calls=500) as there:
        there.sync()
        assert unsure(there) == []
        assert there.differences() == []
        assert there.api.log.by_kind["list"] <= 26


@pytest.mark.parametrize("cap", [501, 637, 813])
def test_a_cap_at_any_number_is_noticed(database: Database, cap: int) -> None:
    """The list ends at a number that looks like any other, and its total says the same: its slices hold more than that. What
    they show is stored, and what lies behind the list's end is unsure from then on.
    """
    with source(database, calls=1000, switches=replace(FREE, cap=cap)) as there:
        there.sync()
        assert stored(there) == 1000
        assert any("capped" in reason for reason in unsure(there))
        assert there.value("SELECT is_complete_and_proven FROM analytics.replication_freshness") is False
        proven = there.value("SELECT count(*) FROM analytics.calls WHERE is_proven")
        assert cap - 2 <= proven <= cap  # the doubt begins where the list ends
        there.api.log.clear()
        there.sync()
        assert there.api.log.requests <= 2
        assert there.rows("SELECT 1 FROM truedy.calls WHERE deleted_at IS NOT NULL") == []


@pytest.mark.parametrize("ignored", [(), ("status", "direction", "agent_id")])
def test_a_list_that_holds_what_its_slices_hold_is_proven(database: Database, ignored: tuple[str, ...]) -> None:
    """It is counted once, for a few requests; where filters are ignored they say nothing, for the list or against it."""
    with source(database, calls=777, switches=replace(FREE, ignored_filters=frozenset(ignored))) as there:
        there.sync()
        assert unsure(there) == []
        assert there.value("SELECT is_complete_and_proven FROM analytics.replication_freshness") is True
        assert 10 <= there.api.log.by_kind["list"] <= 40
        there.api.log.clear()
        there.sync()
        assert there.api.log.requests <= 2


def test_filters_that_are_ignored_prove_nothing(database: Database) -> None:
    """A source that ignores all filters answers every slice with everything: it is noticed on the rows, and said."""
    switches = replace(FREE, cap=500, ignored_filters=frozenset({"status", "direction", "agent_id"}))
    with source(database, calls=700, switches=switches) as there:
        assert there.sync().result == "done"
        assert stored(there) >= 500
        assert any("ignores the filters" in reason for reason in unsure(there))


def test_one_filter_that_is_ignored_leaves_the_others(database: Database) -> None:
    """A source that ignores `status` is read by direction and agent."""
    switches = replace(FREE, cap=500, ignored_filters=frozenset({"status"}))
    with source(database, calls=700, switches=switches) as there:
        assert there.sync(details=BARE).result == "done"
        assert stored(there) == 700
        assert codes(there) == [Doubt.SLICED]


@pytest.mark.parametrize("ignored", [(), ("status",), ("status", "direction"), ("status", "direction", "agent_id")])
def test_a_tie_group_as_large_as_a_page(database: Database, ignored: tuple[str, ...]) -> None:
    """160 calls of one instant cannot be proven by offset: filters split the group, if they are honoured; if none is,
    the stretch is unsure, and the run ends all the same.
    """
    switches = replace(FREE, ignored_filters=frozenset(ignored), tie_shuffle="request")
    with source(database, calls=120, switches=switches) as there:
        at = there.world.now - timedelta(days=3)
        for number in range(160):
            there.world.create(
                at=at,
                status=("completed", "failed", "busy")[number % 3],
                direction=("inbound", "outbound")[number % 2],
                agent_id=there.world.agent_ids[number % 3],
            )
        assert there.sync().result == "done"
        for _ in range(3):
            there.rows("UPDATE replicator.coverage SET verified_at = verified_at - interval '91 days' RETURNING 1")
            there.sync()
        assert stored(there) > 200
        if len(ignored) < 3:
            assert there.differences(transcripts=False) == []
            assert unsure(there) == []
        else:
            assert any("same created_at" in reason or "ignores the filters" in reason for reason in unsure(there))
        assert there.rows("SELECT 1 FROM truedy.calls WHERE deleted_at IS NOT NULL") == []
