"""The older, self-hosted deployment as it was observed: each of its ways is a switch, and a sync comes through it with all
that can be had, or says what it cannot.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from replicator.budget.durable import Limits
from replicator.simulator.switches import Switches
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from replicator.store.database import Database

FREE = Switches(limit=None)
AT_ONCE = timedelta(0)


def missing(there: Setting) -> set[str]:
    stored = {str(row[0]) for row in there.rows("SELECT id FROM truedy.calls")}
    return set(there.world.live_ids()) - stored


def nothing_is_deleted(there: Setting) -> bool:
    return there.rows("SELECT 1 FROM truedy.calls WHERE deleted_at IS NOT NULL") == []


@pytest.mark.slow
def test_everything_at_once(database: Database) -> None:
    """The whole preset, without its cap: every call and every transcript, nothing deleted, and all of it proven."""
    switches = Switches.observed().but(limit=None, cap=None, page_bytes=400_000, list_seconds_per_1000=0.0)
    with source(database, calls=330, switches=switches) as there:
        for _ in range(3):
            report = there.sync(confirm_after=AT_ONCE)
            there.rows("UPDATE replicator.coverage SET verified_at = verified_at - interval '91 days' RETURNING 1")
        assert report.result == "done"
        assert missing(there) - {there.world.id_of(index) for index in there.api.poisoned} == set()
        assert nothing_is_deleted(there)
        if not there.api.poisoned:
            assert there.value("SELECT bool_and(is_proven) FROM replicator.coverage")


def refusing(limit: int, seconds: float) -> Switches:
    """The limiter of the observed deployment: its refusals look like faults, and several workers mix them with answers."""
    return Switches(
        limit=limit, window_seconds=seconds, limiter_answers_500=True, limiter_per_path=True, limiter_workers=2,
        reset_at_naive=True, reset_at_now_plus_window=True, error_shape="mixed", close_after_500=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("calls", "limit", "seconds"), [(900, 4, 2.0), (400, 2, 5.0), (300, 1, 3.0)])
def test_a_limiter_that_answers_500(database: Database, calls: int, limit: int, seconds: float) -> None:
    """The run slows down to what the limiter allows and completes, no row is taken for unreadable, and the refusals cost few
    requests.
    """
    with source(database, calls=calls, switches=refusing(limit, seconds)) as there:
        report = there.sync(limits=Limits(None), confirm_after=AT_ONCE)
        assert there.api.log.by_status[500] > 0
        assert report.result == "done"
        assert missing(there) == set()
        assert there.rows("SELECT reason FROM replicator.quarantine") == []
        assert there.rows("SELECT reason FROM replicator.coverage WHERE NOT is_proven") == []
        assert nothing_is_deleted(there)
        # Without pacing it was 332 to 558 of 700 and 1,500 calls; how many it is depends on how busy this machine is.
        assert there.api.log.by_kind["list"] <= calls // 100 + 50


@pytest.mark.slow
def test_rows_that_cannot_be_read_behind_a_limiter_that_answers_500(database: Database) -> None:
    """The two look the same from outside. Each row that cannot be read is left out, and no other."""
    with source(database, calls=330, switches=refusing(4, 2.0)) as there:
        poisoned = {there.world.live_ids()[200]}
        for one in poisoned:
            there.api.poison(one)
        assert there.sync(limits=Limits(None), confirm_after=AT_ONCE).result == "done"
        assert missing(there) == poisoned
        assert nothing_is_deleted(there)


def test_connections_that_close_after_an_error(database: Database) -> None:
    """The next request on a pooled connection is reset: it is made again on a fresh one, and counted."""
    with source(database, calls=300, switches=replace(FREE, close_after_500=True, error_rate=0.05)) as there:
        for _ in range(4):
            report = there.sync()
            assert report.counters.requests >= there.api.log.requests
            there.api.log.clear()
            there.rows("UPDATE truedy.transcripts SET due_at = now() WHERE due_at IS NOT NULL RETURNING 1")
        assert there.differences() == []


@pytest.mark.slow
def test_rows_that_reading_poisons(database: Database) -> None:
    """The first look at some transcripts makes the call, and each page with it, answer 500 from then on. The call was
    stored before that; it is set aside as "exists, unreadable", what lies around it is proven, and nothing is inferred.
    """
    with source(database, calls=420, switches=replace(FREE, poison_share=0.02)) as there:
        for _ in range(3):
            there.world.create(status="failed")
            report = there.sync(confirm_after=AT_ONCE)
            there.rows("UPDATE replicator.coverage SET verified_at = verified_at - interval '91 days' RETURNING 1")
        assert report.result == "done"
        assert len(there.api.poisoned) >= 3
        assert missing(there) - {there.world.id_of(index) for index in there.api.poisoned} == set()
        assert nothing_is_deleted(there)
        assert there.value("SELECT count(*) FROM replicator.coverage WHERE is_proven") > 1
        unsure = there.value("SELECT count(*) FROM analytics.calls WHERE NOT is_proven")
        assert unsure <= 3 * len(there.api.poisoned)
        assert there.value("SELECT count(*) FROM replicator.quarantine WHERE resolved_at IS NULL") >= 1


def test_tie_orders_that_change_with_any_update(database: Database) -> None:
    """Rows received equal the total and calls are still missed: distinct ids and the lemma reveal it."""
    switches = replace(FREE, tie_every=30, tie_size=20, tie_shuffle="update", reading_moves_updated_at=True)
    with source(database, calls=600, switches=switches) as there:
        there.sync()
        assert there.differences(transcripts=False) == []
        assert there.value("SELECT bool_and(is_proven) FROM replicator.coverage")


@pytest.mark.slow
def test_whole_transcripts_in_pages_of_megabytes_one_at_a_time(database: Database) -> None:
    """Pages of 4.6 MB from a server that does one thing at a time: complete, and no transcript is asked for again."""
    switches = replace(
        FREE, transcript_in_rows="array", page_bytes=4_600_000, one_at_a_time=True, latency_seconds=0.01,
        transcript_missing_share=0.0,
    )  # fmt: skip
    with source(database, calls=300, switches=switches) as there:
        there.sync()
        assert missing(there) == set()
        assert there.api.log.by_kind["transcript"] <= 20  # of calls that have just ended
