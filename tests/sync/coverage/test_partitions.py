"""What the plain list cannot show is read through filters, if they are honoured; and what cannot be proven is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from replicator.simulator.switches import Switches
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from replicator.store.database import Database

pytestmark = pytest.mark.slow

FREE = Switches(limit=None)


def unsure(there: Setting) -> list[str]:
    return [row[0] for row in there.rows("SELECT reason FROM replicator.coverage WHERE NOT is_proven ORDER BY since")]


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


def test_a_capped_list_with_large_slices_is_split_again(database: Database) -> None:
    """Where one status alone fills the cap, it is read by direction as well."""
    with source(database, calls=1400, switches=replace(FREE, cap=500)) as there:
        there.sync()
        completed = sum(there.world.row(i)["status"] == "completed" for i in there.world.live_ids())
        assert completed > 500
        assert stored(there) > 1000
        assert any("capped" in reason for reason in unsure(there))


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
    """A source that ignores `status` answers every slice with everything: it is noticed on the rows, and said."""
    switches = replace(FREE, cap=500, ignored_filters=frozenset({"status"}))
    with source(database, calls=700, switches=switches) as there:
        assert there.sync().result == "done"
        assert stored(there) >= 500
        assert any("does not honour" in reason for reason in unsure(there))


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
            assert any("tie group" in reason or "does not honour" in reason for reason in unsure(there))
        assert there.rows("SELECT 1 FROM truedy.calls WHERE deleted_at IS NOT NULL") == []
