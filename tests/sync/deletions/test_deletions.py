"""Deletions at the source: found with few requests, confirmed twice, never invented. Real HTTP, real database."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from replicator.budget.durable import Limits
from replicator.errors import AnotherSource
from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from replicator.source.client import Reader
from replicator.store import absences, source_state
from replicator.store.doubts import Doubt
from replicator.sync.run import Options, Run
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from replicator.store.database import Database
    from replicator.sync.run import Report

pytestmark = pytest.mark.slow

FREE = Switches(limit=None)
AT_ONCE = timedelta(0)


def settled(there: Setting) -> None:
    """Sync until nothing changes any more, our own reading included."""
    there.sync()
    there.sync()


def deleted(there: Setting) -> set[str]:
    return {str(row[0]) for row in there.rows("SELECT id FROM truedy.calls WHERE deleted_at IS NOT NULL")}


def sync(there: Setting, **options: Any) -> Report:
    return there.sync(**{"confirm_after": AT_ONCE, **options})


def test_one_deletion_is_found_with_few_requests(database: Database) -> None:
    """One of 3,000 calls vanishes: the next sync finds it by rank, asks for it twice with a control, and says between
    when it was last seen and first missing. Nothing else is touched, and nothing of it is removed.
    """
    with source(database, calls=3000) as there:
        settled(there)
        gone = there.world.live_ids()[1700]
        there.world.delete(gone)
        there.api.log.clear()
        report = sync(there)
        assert deleted(there) == {gone}
        assert report.counters.calls_deleted == 1
        assert there.api.log.by_kind["list"] <= 12
        assert there.api.log.by_kind["get"] <= 4
        seen, missing, confirmed = there.rows(
            f"SELECT last_seen_at, first_missing_at, deleted_at FROM truedy.calls WHERE id = '{gone}'"
        )[0]
        assert seen < missing <= confirmed
        assert there.value(f"SELECT count(*) FROM truedy.call_versions WHERE call_id = '{gone}'") >= 1
        assert there.differences() == []
        there.api.log.clear()
        sync(there)
        assert there.api.log.requests <= 2


@pytest.mark.parametrize("count", [2, 9])
def test_several_deletions_are_found(database: Database, count: int) -> None:
    """Wherever they lie, the newest and the oldest call among them, deletions are found within three syncs."""
    rng = random.Random(count)
    with source(database, calls=1500) as there:
        settled(there)
        ids = there.world.live_ids()
        gone = {ids[0], ids[-1], *rng.sample(ids[1:-1], count - 2)}
        for call_id in gone:
            there.world.delete(call_id)
        for _ in range(3):
            sync(there)
            there.rows(
                "UPDATE replicator.coverage SET verified_at = verified_at - interval '1 hour' WHERE NOT is_proven RETURNING 1"
            )
        assert deleted(there) == gone
        assert there.value("SELECT bool_and(is_proven) FROM replicator.coverage")
        assert there.value("SELECT live_calls FROM replicator.source_state") == 1500 - count


def test_a_single_absence_is_not_believed(database: Database) -> None:
    """The second 404 has to come later than `confirm_after`: until then the call is suspected and nothing more."""
    with source(database, calls=400) as there:
        settled(there)
        gone = there.world.live_ids()[200]
        there.world.delete(gone)
        report = there.sync()
        assert deleted(there) == set()
        assert report.suspected == 1
        assert there.rows("SELECT state, misses FROM replicator.absences") == [("suspected", 1)]
        there.rows(
            "UPDATE replicator.absences SET missed_at = missed_at - interval '11 minutes', due_at = now() RETURNING 1"
        )
        there.sync()
        assert deleted(there) == {gone}


def test_a_resumed_walk_says_nothing_of_what_it_did_not_walk(database: Database) -> None:
    """History is read in two runs: what the first one read is not missing because the second one did not see it."""
    with source(database, calls=900) as there:
        assert there.sync(max_requests=6).result == "bounded"
        assert 100 < there.value("SELECT count(*) FROM truedy.calls") < 700
        there.sync()
        assert there.differences() == []
        assert there.rows("SELECT state FROM replicator.absences") == []


def test_a_mass_deletion_waits_for_the_operator(database: Database) -> None:
    """More than max(20, 1 %) at once: nothing is asked and nothing marked until the operator releases that many."""
    with source(database, calls=1500) as there:
        settled(there)
        gone = set(there.world.live_ids()[600:900])
        for call_id in gone:
            there.world.delete(call_id)
        there.api.log.clear()
        report = sync(there)
        assert report.is_held
        assert report.suspected == 300
        assert there.api.log.by_kind["list"] <= 25
        assert there.api.log.by_kind["get"] == 0
        assert deleted(there) == set()
        with database.transaction() as tx:
            absences.release(tx, "default", 299)
        assert sync(there).is_held
        with database.transaction() as tx:
            absences.release(tx, "default", 300)
        report = sync(there)
        assert deleted(there) == gone
        assert not report.is_held
        assert there.value("SELECT released_deletions FROM replicator.source_state") is None


def test_a_call_that_comes_back_lives_again(database: Database) -> None:
    """A restored call loses its tombstone with the next look at its place; that it was gone stays on record."""
    with source(database, calls=400) as there:
        settled(there)
        gone = there.world.live_ids()[50]
        there.world.delete(gone)
        sync(there)
        assert deleted(there) == {gone}
        there.world.restore(gone)
        sync(there)
        assert deleted(there) == set()
        assert there.rows("SELECT state, confirmed_at IS NOT NULL, ended_at IS NOT NULL FROM replicator.absences") == [
            ("reappeared", True, True)
        ]
        assert there.value("SELECT live_calls FROM replicator.source_state") == 400


def test_a_call_that_the_list_hides_is_not_deleted(database: Database) -> None:
    """It answers by id, so the suspicion is refuted; and the source is not asked for it again with every sync."""
    with source(database, calls=600) as there:
        settled(there)
        hidden = there.world.live_ids()[300]
        index = there.world.index_of(hidden)
        assert index is not None
        there.world._order.remove(index)
        there.world.version += 1
        sync(there)
        assert deleted(there) == set()
        assert there.rows("SELECT state FROM replicator.absences") == [("refuted",)]
        sync(there)
        there.api.log.clear()
        sync(there)
        assert there.api.log.requests <= 2


def test_an_old_call_that_comes_in_late_is_found(database: Database) -> None:
    """A call imported with a created_at of last month is found by its rank, in a few requests."""
    with source(database, calls=3000) as there:
        settled(there)
        at = there.world.row(there.world.live_ids()[2000])["created_at"]
        there.world.create(at=at - timedelta(seconds=1), status="completed")
        there.api.log.clear()
        sync(there)
        assert there.differences() == []
        assert there.api.log.by_kind["list"] <= 12


def test_an_empty_account_that_is_none(database: Database) -> None:
    """200 with nothing, and 404 for every id: the run ends, nothing is suspected, nothing covered anew, nothing deleted."""
    with source(database, calls=300) as there:
        settled(there)
        before = there.rows("SELECT until, verified_at, is_proven FROM replicator.coverage")
        there.api.switches = replace(FREE, empty_account=True)
        with pytest.raises(AnotherSource, match="knows none of"):
            sync(there)
        assert there.rows("SELECT 1 FROM replicator.absences") == []
        assert there.rows("SELECT until, verified_at, is_proven FROM replicator.coverage") == before
        assert deleted(there) == set()
        assert there.api.log.requests < 400 * 3


@pytest.mark.parametrize("calls", [40, 450])
def test_a_first_look_at_an_account_that_looks_empty(database: Database, calls: int) -> None:
    """Nobody can tell whether it is empty: it is called unsure, for a request at each poll, until a call is seen. Then all
    is read, also what is older than that first look.
    """
    with source(database, calls=calls, switches=replace(FREE, empty_account=True)) as there:
        for _ in range(2):
            there.api.log.clear()
            assert sync(there).result == "done"
            assert there.api.log.requests <= 2
            assert {row[0] for row in there.rows("SELECT reason_code FROM replicator.coverage")} == {Doubt.EMPTY}
            assert there.value("SELECT is_complete_and_proven FROM analytics.replication_freshness") is False
        there.api.switches = FREE
        sync(there)
        assert there.differences() == []
        assert there.value("SELECT is_complete_and_proven FROM analytics.replication_freshness") is True


def test_another_account_is_not_written(database: Database) -> None:
    """The key was swapped for another organization's: not one of its rows is written, and nothing is inferred."""
    with source(database, calls=300) as there:
        settled(there)
        sizes = "SELECT count(*), max(xmin::text::bigint) FROM truedy.calls"
        before = there.rows(sizes)
        with running(Api(World(77, 300, switches=FREE))) as other, Reader(other, KEY) as reader:
            options = Options(base_url=other, limits=Limits(None))
            with pytest.raises(AnotherSource):
                Run(database, [(KEY, reader)], options).perform()
            assert there.rows(sizes) == before
            assert there.rows("SELECT 1 FROM replicator.absences") == []
            Run(database, [(KEY, reader)], replace(options, is_same_account=True)).perform()
        assert there.value("SELECT count(*) FROM truedy.calls") > 300


STRANGE = "truedy_of_another_organisation"


@pytest.mark.parametrize("place", [0, 1])
def test_no_key_of_another_account_is_written(database: Database, place: int) -> None:
    """One of two keys is of another organisation, wherever it stands: not one of its calls is stored, nothing is inferred
    from its 404s, and the error says which key it is.
    """
    with source(database, calls=300) as there, running(Api(World(77, 300, switches=FREE))) as url:
        settled(there)
        for _ in range(250):
            there.world.create(status="completed")
        with Reader(url, KEY) as strange, Reader(there.base_url, KEY) as ours:
            keys = [(KEY, ours)]
            keys.insert(place, (STRANGE, strange))
            options = Options(base_url=there.base_url, limits=Limits(100, 5.0, 0.0))
            with pytest.raises(AnotherSource, match=f"number {place + 1} (knows none of|does not know)"):
                Run(database, keys, options).perform()
        own = {str(one) for one in there.world.live_ids()}
        stored = {str(row[0]) for row in there.rows("SELECT id FROM truedy.calls")}
        assert stored <= own
        assert (len(stored) > 300) == (place == 0)
        assert there.rows("SELECT 1 FROM replicator.absences WHERE misses > 0") == []
        assert there.rows("SELECT 1 FROM truedy.transcripts WHERE state LIKE 'absent%'") == []


@pytest.mark.parametrize("place", [0, 1])
def test_keys_of_two_accounts_are_not_mixed_in_an_empty_replica(database: Database, place: int) -> None:
    """Nobody can say whose account is meant: the first page is taken at its word, nothing is stored of the other key, and
    the error says so.
    """
    with source(database, calls=300) as there, running(Api(World(77, 300, switches=FREE))) as url:
        with Reader(url, KEY) as strange, Reader(there.base_url, KEY) as ours:
            keys = [(KEY, ours)]
            keys.insert(place, (STRANGE, strange))
            options = Options(base_url=there.base_url, limits=Limits(100, 5.0, 0.0))
            with pytest.raises(
                AnotherSource, match=r"number 1 does not know calls that number 2 shows.*only what number 2"
            ):
                Run(database, keys, options).perform()
        own = {str(one) for one in there.world.live_ids()}
        stored = {str(row[0]) for row in there.rows("SELECT id FROM truedy.calls")}
        assert stored
        assert stored <= own if place == 0 else not stored & own


def test_two_keys_of_one_account_are_both_used(database: Database) -> None:
    """Each is asked for one call before; then its limit is used up like that of the other one."""
    with source(database, calls=300) as there, Reader(there.base_url, KEY) as one, Reader(there.base_url, KEY) as other:
        options = Options(base_url=there.base_url, limits=Limits(200, 5.0, 0.0))
        keys = [(KEY, one), ("truedy_second", other)]
        assert Run(database, keys, options).perform().result == "done"
        assert there.differences() == []
        spent = there.rows("SELECT key_id FROM replicator.budget_windows WHERE charged > 0 GROUP BY key_id")
        assert len(spent) == 2


def test_a_source_is_recognised_by_id(database: Database) -> None:
    """More new calls came than a page holds, so the first page shows no stored call: one answers by id, and the run goes on."""
    with source(database, calls=300) as there:
        settled(there)
        for _ in range(120):
            there.world.create(status="completed")
        sync(there)
        assert there.differences() == []
        assert there.value("SELECT identified_at IS NOT NULL FROM replicator.source_state")


@pytest.mark.parametrize(
    "switches",
    [
        replace(FREE, error_rate=0.1, connection_cut_rate=0.05),
        replace(FREE, tie_every=20, tie_size=12, tie_shuffle="request"),
        replace(FREE, short_page_rate=0.4),
        replace(FREE, bad_row_share=0.03),
        replace(FREE, order="unsorted"),
        replace(FREE, cap=200),
        replace(FREE, total_missing=True),
    ],
    ids=["faults", "ties", "short pages", "bad rows", "unsorted", "capped", "no total"],
)
def test_no_deletion_is_invented(database: Database, switches: Switches) -> None:
    """Whatever a source does, a call that it has is never marked, over four syncs with everything due each time."""
    with source(database, calls=500, switches=switches) as there:
        gone = set()
        for round_ in range(4):
            sync(there)
            there.rows("UPDATE replicator.coverage SET verified_at = verified_at - interval '91 days' RETURNING 1")
            ids = there.world.live_ids()
            there.world.delete(ids[round_ * 37])
            gone.add(ids[round_ * 37])
            there.world.update(ids[round_ * 37 + 1], context={"round": round_})
        assert deleted(there) <= gone
        assert there.value("SELECT count(*) FROM replicator.runs WHERE outcome = 'done'") == 4


def test_the_release_is_of_a_number(database: Database) -> None:
    """What the operator released is kept with the account, and read back."""
    with source(database, calls=120) as there:
        there.sync()
    with database.transaction() as tx:
        absences.release(tx, "default", 7)
        assert source_state.load_source(tx, "default").released_deletions == 7
