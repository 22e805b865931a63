"""Whole syncs: real HTTP, a real database, and an oracle that knows what is true."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from replicator.budget.durable import Limits
from replicator.errors import (
    AnotherSource,
    BadKey,
    DatabaseUnavailable,
    Forbidden,
    LeaseHeld,
    NotTheApi,
    PaymentRequired,
    SourceUnavailable,
)
from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from replicator.source.client import Reader
from replicator.store import budgets, lease
from replicator.sync.protocol.requests import Outcome, Request
from replicator.sync.run import Options, Run
from replicator.sync.workers import WorkerPool
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from replicator.store.database import Database
    from replicator.sync.options import Progress

FREE = Switches(limit=None)


def test_a_sync_brings_everything(database: Database) -> None:
    """After one sync every call and every transcript that exists is stored, exactly, and the list is proven."""
    with source(database, calls=350) as there:
        report = there.sync()
        assert report.result == "done"
        assert there.differences() == []
        assert report.is_listing_complete
        assert there.value("SELECT bool_and(is_proven) FROM replicator.coverage")


def test_a_second_sync_asks_twice_at_most_and_writes_no_row(database: Database) -> None:
    """Nothing has changed, so at most two list requests are made and no row of the mirror is written."""
    with source(database, calls=1200) as there:
        there.sync()
        there.sync()  # our own reading has moved some rows: this one takes note of that
        sizes = (
            "SELECT relname, pg_relation_size(oid), (SELECT count(*) FROM truedy.call_versions) FROM pg_class "
            "WHERE relnamespace = 'truedy'::regnamespace ORDER BY 1"
        )
        newest = "SELECT max(xmin::text::bigint) FROM truedy.calls"
        before, written = there.rows(sizes), there.value(newest)
        there.api.log.clear()
        report = there.sync()
        assert there.api.log.by_kind["list"] <= 2
        assert report.counters.requests <= 2
        assert report.counters.calls_inserted == report.counters.calls_changed == 0
        assert there.value(newest) == written
        assert there.rows(sizes) == before


def test_changes_and_new_calls_arrive_with_the_next_sync(database: Database) -> None:
    """A new call, a changed status and a corrected cost among the newest calls are in the replica after one sync."""
    with source(database, calls=150) as there:
        there.sync()
        new = there.world.create(status="completed", duration_seconds=61)
        changed = there.world.live_ids()[20]
        there.world.update(changed, context={"priority": "high"})
        there.sync()
        assert there.differences() == []
        assert there.value(f"SELECT context->>'priority' FROM truedy.calls WHERE id = '{changed}'") == "high"
        assert there.value(f"SELECT count(*) FROM truedy.calls WHERE id = '{new}'") == 1
        assert there.value(f"SELECT count(*) FROM truedy.call_versions WHERE call_id = '{changed}'") >= 2


def test_a_deleted_call_stays(database: Database) -> None:
    """What disappears at the source is not touched."""
    with source(database, calls=150) as there:
        there.sync()
        gone = there.world.live_ids()[30]
        there.world.delete(gone)
        there.sync()
        assert there.value(f"SELECT deleted_at IS NULL FROM truedy.calls WHERE id = '{gone}'")
        assert there.differences() == []


SWITCHES = {
    "meta pagination": replace(FREE, envelope_meta_pagination=True, meta_ts_naive=True),
    "spellings": replace(FREE, spell_to_from=True, spell_metadata=True, status_spellings=True, extra_fields=True),
    "times": replace(FREE, time_format="naive", fractions="python", null_updated_at_share=0.3),
    "ties": replace(FREE, tie_every=20, tie_size=12, tie_shuffle="request"),
    "short pages": replace(FREE, short_page_rate=0.4),
    "lies": replace(FREE, has_more_lies="never"),
    "webrtc": replace(FREE, webrtc_share=0.3, active_forever_share=0.05),
    "embedded transcripts": replace(FREE, transcript_in_rows="array", transcript_empty_in_detail=True),
    "embedded objects": replace(FREE, transcript_in_rows="object"),
    "role": replace(FREE, transcript_shape="role"),
    "message role": replace(FREE, transcript_shape="message_role"),
    "odd text": replace(FREE, nul_and_surrogates_share=0.2, huge_context_share=0.01, huge_context_bytes=100_000),
    "faults": replace(FREE, error_rate=0.1, connection_cut_rate=0.05, truncated_body_rate=0.05),
    "closing": replace(FREE, error_rate=0.1, close_after_500=True),
    "gzip": replace(FREE, gzip=True),
    "signed": replace(FREE, recording_signed_expiring=True, recording_extra_fields=True),
    "detail errors": replace(FREE, error_shape="mixed", transcript_missing_share=0.3),
    "moved by reading": replace(FREE, reading_moves_updated_at=True),
    "one at a time": replace(FREE, one_at_a_time=True, latency_seconds=0.001),
    "skewed": Switches(limit=150, window_seconds=1.0, clock_skew_seconds=90.3),
}


@pytest.mark.parametrize("name", SWITCHES)
def test_what_a_source_may_do_loses_nothing(database: Database, name: str) -> None:
    """However the source spells, sorts, cuts or fails: every call and every transcript is stored in the end."""
    with source(database, calls=250, switches=SWITCHES[name]) as there:
        report = there.sync()
        for _ in range(10):  # with faults, of 180 transcripts one may fail four times in a row
            if report.details_due == report.details_waiting == 0:
                break
            there.rows("UPDATE truedy.transcripts SET due_at = now() WHERE due_at IS NOT NULL RETURNING 1")
            report = there.sync()
        # A transcript in the form {"text": ...} is one segment: its words are there, its turns are not known.
        assert there.differences(transcripts=name != "embedded objects") == []
        assert there.api.log.early == 0


@pytest.mark.slow
@pytest.mark.parametrize("headroom", [0.0, 0.2])
def test_the_limit_is_never_exceeded(database: Database, headroom: float) -> None:
    """With windows of a second and 30 requests each, no window holds more, and nothing is sent before reset_at."""
    switches = Switches(limit=30, window_seconds=1.0, clock_skew_seconds=-0.4)
    with source(database, calls=60, switches=switches) as there:
        report = there.sync(limits=Limits(30, 1.0, headroom))
        assert there.differences() == []
        assert there.api.log.max_in_window <= 30 * (1 - headroom) + 0.01
        assert there.api.log.refused == 0
        assert there.api.log.requests == report.counters.requests


@pytest.mark.slow
def test_a_limit_that_nobody_told_is_learned_from_the_refusal(database: Database) -> None:
    """Refused, the run waits for reset_at, takes the limit from the body, goes on, and does not fail."""
    switches = Switches(limit=25, window_seconds=1.0, reset_at_naive=True)
    with source(database, calls=60, switches=switches) as there:
        report = there.sync(limits=Limits(1000, 1.0, 0.0))
        assert report.result == "done"
        assert there.differences() == []
        assert report.counters.refusals >= 1
        # Those that were under way when the refusal came; afterwards nobody came early.
        assert there.api.log.early <= 8
        assert there.api.log.refused <= 8 * report.counters.refusals


@pytest.mark.slow
def test_a_request_that_was_given_back_unsent_is_made_after_all(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A detail whose charge was no longer good when its turn came is asked for in the same run."""
    perform, given_back = WorkerPool._perform, []

    def give_back(pool: WorkerPool, request: Request) -> Outcome:
        if request.detail is not None and len(given_back) < 40:
            given_back.append(request)
            now = datetime.now(UTC)
            return Outcome(request, now, now, is_sent=False)
        return perform(pool, request)

    monkeypatch.setattr(WorkerPool, "_perform", give_back)
    with source(database, calls=30) as there:
        assert there.sync().details_due == 0
        assert len(given_back) == 40
        assert there.differences() == []


@pytest.mark.slow
def test_two_keys_are_two_budgets(database: Database) -> None:
    """Requests are shared out over the keys, and no key exceeds its own limit."""
    api = Api(World(1, 60, switches=Switches(limit=10, window_seconds=1.0)), keys=("truedy_one", "truedy_two"))
    with running(api) as base_url, Reader(base_url, "truedy_one") as one, Reader(base_url, "truedy_two") as two:
        options = Options(base_url=base_url, limits=Limits(10, 1.0, 0.0))
        Run(database, [("truedy_one", one), ("truedy_two", two)], options).perform()
    assert api.log.max_in_window <= 10
    assert len({window[0] for window in api.log.by_window}) == 2


def test_bounds_end_a_run_and_keep_what_is_done(database: Database) -> None:
    """--max-requests is exact; the next run goes on from there."""
    with source(database, calls=300) as there:
        report = there.sync(max_requests=10)
        assert report.result == "bounded"
        assert report.counters.requests == there.api.log.requests <= 10
        assert there.value("SELECT count(*) FROM truedy.calls") > 0
        there.sync()
        assert there.differences() == []


def test_a_stop_ends_a_run_and_keeps_what_is_done(database: Database) -> None:
    """The stop event ends the run within seconds; what was committed stays and the lease is free."""
    stop = threading.Event()
    with source(database, calls=2000, switches=replace(FREE, latency_seconds=0.01)) as there:

        def stop_once_something_is_stored(progress: Progress) -> None:
            if progress.counters.calls_inserted:
                stop.set()

        report = there.sync(stop=stop, on_progress=stop_once_something_is_stored)
        assert report.result == "stopped"
        assert report.seconds < 8
        assert there.value("SELECT count(*) FROM truedy.calls") > 0
        assert there.value("SELECT expires_at <= clock_timestamp() FROM replicator.lease WHERE account = 'default'")


@pytest.mark.slow
def test_one_writer(database: Database) -> None:
    """While another holds the lease, a run says who, and asks nothing of the source."""
    held = lease.acquire(database, "default", "serve")
    with source(database) as there:
        with pytest.raises(LeaseHeld, match="serve"):
            there.sync()
        assert there.api.log.requests == 0
    lease.release(database, held)


@pytest.mark.parametrize(
    ("switches", "error"),
    [(replace(FREE, payment_required=True), PaymentRequired), (replace(FREE, forbidden=True), Forbidden)],
)
def test_refused_access_ends_the_run(database: Database, switches: Switches, error: type[Exception]) -> None:
    """402 and 403 on the list end the run with their own error."""
    with source(database, switches=switches) as there, pytest.raises(error):
        there.sync()


def test_a_wrong_key_ends_the_run(database: Database) -> None:
    """401 ends the run at the first answer."""
    with source(database) as there, Reader(there.base_url, "truedy_wrong") as reader:
        with pytest.raises(BadKey):
            Run(database, [("truedy_wrong", reader)], Options(limits=Limits(None))).perform()
        assert there.api.log.requests == 1


@pytest.mark.slow
def test_an_unreachable_source_ends_the_run_soon(database: Database) -> None:
    """Nobody listens: three attempts, then the error."""
    with Reader("http://127.0.0.1:9/api/public/v1", "truedy_key") as reader, pytest.raises(SourceUnavailable):
        Run(database, [("truedy_key", reader)], Options(limits=Limits(None))).perform()
    with database.connection() as connection:
        assert connection.execute("SELECT outcome FROM replicator.runs").fetchall() == [("failed",)]


def test_a_web_page_is_not_the_api(database: Database) -> None:
    """A path that answers 404 without the API's words is a wrong base URL."""
    with source(database) as there, Reader(there.base_url.replace("/v1", "/v9"), "truedy_key") as reader:
        with pytest.raises(NotTheApi):
            Run(database, [("truedy_key", reader)], Options(limits=Limits(None))).perform()


def test_bad_rows_go_to_quarantine_and_their_page_commits(database: Database) -> None:
    """Rows that cannot be read are kept as bytes; every other row of the account is stored."""
    with source(database, calls=250, switches=replace(FREE, bad_row_share=0.05)) as there:
        there.sync()
        assert there.value("SELECT count(*) FROM replicator.quarantine WHERE length(raw) > 0") > 0
        assert there.value("SELECT count(*) FROM truedy.calls") > 200


@pytest.mark.slow
def test_poisoned_rows_are_stepped_around(database: Database) -> None:
    """A row that breaks every page that holds it is isolated; all others are stored, and what is unsure is said."""
    with source(database, calls=250, switches=replace(FREE, poison_share=0.01)) as there:
        there.sync()
        there.world.create(status="completed")
        there.sync()
        there.rows("UPDATE replicator.coverage SET verified_at = verified_at - interval '91 days' RETURNING 1")
        there.sync()
        poisoned = len(there.api.poisoned)
        assert poisoned > 0
        missing = [line for line in there.differences(transcripts=False) if "missing" in line]
        assert len(missing) <= poisoned


@pytest.mark.slow
def test_a_poisoned_row_costs_a_poll_nothing(database: Database) -> None:
    """A row among the newest calls that breaks its page is isolated once: later runs keep clear of it and say so, though they
    are other processes, and what is new above it is read.
    """
    with source(database, calls=250, switches=FREE) as there:
        there.api.poison(there.world.live_ids()[-4])
        there.sync()
        there.sync()
        there.api.log.clear()
        there.sync()
        assert there.api.log.requests <= 2
        assert there.value("SELECT count(*) FROM truedy.calls") == 249
        assert there.value("SELECT count(*) FROM replicator.coverage WHERE NOT is_proven") == 1


@pytest.mark.slow
def test_the_end_of_a_run_stores_what_an_answer_moved_to_another_window(database: Database) -> None:
    """An answer that comes more than a window after its request is counted in each window in which it may have arrived. A run
    that ends because the account looks empty commits nothing after that, and the next one has to know.
    """
    switches = Switches(limit=100, window_seconds=1.0)
    with source(database, calls=20, switches=switches) as there, Reader(there.base_url, KEY) as reader:
        there.sync()
        there.api.switches = switches.but(empty_account=True, latency_seconds=1.2)
        run = Run(database, [(KEY, reader)], Options(base_url=there.base_url, limits=Limits(100, 1.0, 0.0)))
        with pytest.raises(AnotherSource):
            run.perform()
        key_budget = run._key_budgets[0]
        with database.connection() as connection:
            stored = budgets.load_budget(connection, key_budget.key)
    kept = key_budget.budget.charged
    assert {window: count for window, count in kept.items() if stored.charged.get(window, 0) < count} == {}


@pytest.mark.parametrize(
    ("where", "what", "outcomes"),
    [("replicator.budget.durable.DurableBudget", "load", []), ("replicator.sync.run", "catch_up", ["failed"])],
)
def test_a_run_that_cannot_begin_leaves_no_open_run(
    database: Database, monkeypatch: pytest.MonkeyPatch, where: str, what: str, outcomes: list[str]
) -> None:
    """The next run would take it for one that was killed, and the source's answers for what kills a process."""

    def unavailable(*_: object) -> None:
        raise DatabaseUnavailable("the database is away")

    with source(database, calls=5) as there:
        there.sync()
        with monkeypatch.context() as patch:
            patch.setattr(f"{where}.{what}", unavailable)
            with pytest.raises(DatabaseUnavailable):
                there.sync(database_patience_seconds=0)
        there.sync()
        ended = [outcome for (outcome,) in there.rows("SELECT outcome FROM replicator.runs ORDER BY id")]
        assert ended == ["done", *outcomes, "done"]
