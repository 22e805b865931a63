"""Verifications against a source over real HTTP and a real database: what is found, what it costs, what is written."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from replicator.budget.durable import Limits
from replicator.errors import BadKey, Incomplete, SourceUnavailable
from replicator.simulator.api import KEY
from replicator.simulator.switches import Switches
from replicator.source.client import Reader
from replicator.store import lease
from replicator.verify.run import Verification
from replicator.verify.sample import draw, pages_of
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store.database import Database
    from replicator.verify.findings import Verified

pytestmark = pytest.mark.slow

FREE = Switches(limit=None)


def verify(there: Setting, **options: Any) -> Verified:
    switches = there.api.switches
    given: dict[str, Any] = {
        "limits": Limits(switches.limit, switches.window_seconds, 0.0),
        "base_url": there.base_url,
        **options,
    }
    with Reader(there.base_url, options.pop("key", KEY), timeout_seconds=10) as reader:
        given.pop("key", None)
        return Verification(there.database, [(KEY, reader)], **given).perform()


@contextmanager
def synced(database: Database, *, calls: int = 350, switches: Switches = FREE, **world: Any) -> Iterator[Setting]:
    """Give a source whose every call, and what our own reading moved, is in the replica."""
    with source(database, calls=calls, switches=switches, **world) as there:
        there.sync()
        there.api.log.clear()
        yield there


def named(found: Verified) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for one in found.differences:
        kinds.setdefault(one.kind, []).append(str(one.call_id) if one.call_id else one.what)
    return kinds


def ctids(there: Setting) -> list[tuple[Any, ...]]:
    """The physical place of every row of the mirror: any write moves one."""
    return there.rows(
        "SELECT 'c', id::text, ctid::text, xmin::text FROM truedy.calls UNION ALL "
        "SELECT 't', call_id::text, ctid::text, xmin::text FROM truedy.transcripts UNION ALL "
        "SELECT 'r', call_id::text, ctid::text, xmin::text FROM truedy.recordings ORDER BY 1, 2"
    )


def test_an_equal_replica_is_equal(database: Database) -> None:
    """After one sync nothing differs, although our own reading has moved rows since; everything was read, and it says so."""
    with synced(database) as there:
        before = ctids(there)
        found = verify(there)
        assert named(found) == {}
        assert found.is_equal
        assert found.facts["is_complete"]
        assert found.facts["calls_compared"] == 350
        assert found.facts["moved_by_our_reading"] > 0
        assert {one["what"] for one in found.facts["totals"]} >= {"calls", "status=completed", "direction=outbound"}
        assert ctids(there) == before


def test_it_needs_no_lease(database: Database) -> None:
    """It works while a service holds the lease, and leaves it alone."""
    with synced(database, calls=60) as there:
        held = lease.acquire(database, "default", "serve")
        before = there.rows("SELECT * FROM replicator.lease")
        assert verify(there).is_equal
        assert there.rows("SELECT * FROM replicator.lease") == before
        lease.release(database, held)


def test_a_sample_states_its_bound(database: Database) -> None:
    """Where not everything was read, the bound is stated as a number and in words, and the seed repeats the sample."""
    with synced(database, calls=1500) as there:
        found = verify(there, max_requests=8, seed=5)
        assert found.is_equal
        assert not found.facts["is_complete"]
        pages = found.facts["random_pages"]
        assert pages >= 3
        assert found.facts["at_most_share_of_pages"] == pytest.approx(1 - 0.05 ** (1 / pages))
        assert "95% confidence" in found.facts["statement"]
        asked = [entry.query for entry in there.api.log.entries]
        there.api.log.clear()
        verify(there, max_requests=8, seed=5)
        assert [entry.query for entry in there.api.log.entries] == asked


def test_a_missing_call_is_found_among_many_by_its_rank(database: Database) -> None:
    """One row deleted from the replica is named within a few requests, where the sample would not have come."""
    with synced(database, calls=3000) as there:
        page = next(offset for offset in pages_of(3000) if offset and offset not in draw(3000, 24, Random(0)))
        gone = there.world.live_ids()[page + 50]
        there.rows(f"DELETE FROM truedy.calls WHERE id = '{gone}' RETURNING 1")
        found = verify(there, max_requests=24)
        assert named(found)["missing"] == [gone]
        assert "shifted" not in named(found)
        assert "calls" in named(found)["total"]
        assert all(one.is_confirmed for one in found.differences if one.kind in {"missing", "total"})


def test_a_call_deleted_at_the_source_is_extra(database: Database) -> None:
    """A call that the source no longer has is named, with when we last looked; in the middle and at both ends."""
    with synced(database, calls=1200) as there:
        ids = there.world.live_ids()
        gone = {ids[0], ids[777], ids[-1]}
        for call_id in gone:
            there.world.delete(call_id)
        found = verify(there)
        assert set(named(found)["extra"]) == gone
        assert "shifted" not in named(found)
        extras = [one for one in found.differences if one.kind == "extra"]
        assert all(one.is_confirmed and one.looked_at for one in extras)


def test_what_requests_do_not_suffice_to_name_is_still_said(database: Database) -> None:
    """Without requests for the search, the stretch is named in which a call is missing, and by how many."""
    with synced(database, calls=3000) as there:
        gone = there.world.live_ids()[1500]
        there.rows(f"DELETE FROM truedy.calls WHERE id = '{gone}' RETURNING 1")
        found = verify(there, max_requests=3, seed=1)
        assert "missing" not in named(found)
        (shift,) = [one for one in found.differences if one.kind == "shifted"]
        assert shift.calls == 1
        created = there.world.row(gone)["created_at"]
        assert shift.until is not None
        assert created <= shift.until
        assert shift.since is None or shift.since < created


def test_stale_and_different_calls_are_named_with_their_fields(database: Database) -> None:
    """A change at the source is stale, one without a newer updated_at or in the replica's own columns is different."""
    with synced(database, calls=80) as there:
        ids = there.world.live_ids()
        there.world.update(ids[3], context={"priority": "high"})
        there.world.update(ids[40], moves_updated_at=False, summary="another")
        there.rows(f"UPDATE truedy.calls SET cost_usd = 99 WHERE id = '{ids[50]}' RETURNING 1")
        found = verify(there)
        by_id = {str(one.call_id): one for one in found.differences}
        assert (by_id[ids[3]].kind, by_id[ids[3]].fields) == ("stale", ("context", "updated_at"))
        assert (by_id[ids[40]].kind, by_id[ids[40]].fields) == ("different", ("summary",))
        assert (by_id[ids[50]].kind, by_id[ids[50]].fields) == ("different", ("cost_usd",))
        assert len(found.differences) == 3
        assert all(one.is_confirmed for one in found.differences)
        assert "high" not in json.dumps(found.facts, default=str)
        there.sync()


def test_an_open_call_that_went_on_says_when_we_looked(database: Database) -> None:
    """A call that was open at the last look and is over now is stale, with its status and the time of the look."""
    with source(database, calls=40) as there:
        begun = there.world.create(status="in_progress")
        there.sync()
        there.world.update(begun, status="completed", duration_seconds=12)
        found = verify(there)
        (one,) = [one for one in found.differences if one.kind == "stale"]
        assert (str(one.call_id), one.open_status) == (begun, "in_progress")
        assert one.looked_at is not None
        assert set(named(found)["total"]) == {"status=in_progress", "status=completed"}


@pytest.mark.parametrize("order", ["descending", "ascending"])
def test_newer_calls_are_no_difference(database: Database, order: Any) -> None:
    """Calls created since the last sync are counted as newer, in the list and in every total."""
    with synced(database, calls=150, switches=replace(FREE, order=order)) as there:
        for number in range(7):
            at = there.world.now + timedelta(seconds=30 + number)
            there.world.create(at=at, status="completed", direction="inbound")
        found = verify(there)
        assert named(found) == {}
        assert found.facts["newer_than_last_sync"] == 7


def test_what_is_stored_beyond_the_ledger_is_compared_too(database: Database) -> None:
    """Calls that a service stored after we read the ledger are compared like all others, and no total differs by them."""
    with synced(database, calls=150) as there:
        top = there.world.row(there.world.live_ids()[2])["created_at"]
        there.rows(f"UPDATE replicator.coverage SET until = '{top}' WHERE until > '{top}' RETURNING 1")
        found = verify(there)
        assert named(found) == {}
        assert found.facts["calls_compared"] == 150


def test_more_newer_calls_than_a_page_are_no_difference(database: Database) -> None:
    """A whole page of newer calls hides where the known ones begin: still nothing differs."""
    with synced(database, calls=150) as there:
        for number in range(130):
            there.world.create(at=there.world.now + timedelta(seconds=30 + number), status="completed")
        found = verify(there)
        assert named(found) == {}
        assert found.facts["newer_than_last_sync"] == 130


@pytest.mark.parametrize("name", ["status", "direction"])
def test_a_filter_that_is_ignored_is_noticed(database: Database, name: str) -> None:
    """Totals of a filter whose rows do not match are not used, and it is said."""
    with synced(database, switches=replace(FREE, ignored_filters=frozenset({name}))) as there:
        found = verify(there)
        assert found.is_equal
        assert f"filter {name} is not honoured: its totals were not compared" in found.facts["notes"]
        assert not [one for one in found.facts["totals"] if one["what"].startswith(name)]


def test_a_total_whose_second_look_fails_is_not_confirmed(database: Database) -> None:
    """A total differs, and the second look shows that the filter is not honoured: what it said before is not used."""
    with synced(database) as there:
        there.rows(
            "UPDATE truedy.calls SET status = 'failed' "
            "WHERE id IN (SELECT id FROM truedy.calls WHERE status = 'completed' LIMIT 40) RETURNING 1"
        )
        ignoring = replace(FREE, ignored_filters=frozenset({"status"}))

        def on_request(_number: int, _most: int) -> None:
            queries = [entry.query for entry in there.api.log.entries]
            is_second = bool(queries) and queries[-1].endswith("status=failed")  # the newest call has another
            there.api.switches = ignoring if is_second and queries.count(queries[-1]) == 1 else FREE

        found = verify(there, on_request=on_request)
        assert "filter status is not honoured: its totals were not compared" in found.facts["notes"]
        assert not [one for one in found.facts["totals"] if one["what"].startswith("status")]


@pytest.mark.parametrize("most", [1, 2, 5, 11])
def test_the_bound_of_requests_is_exact(database: Database, most: int) -> None:
    """Never more than allowed is sent, failures, refusals and second looks included; half are kept for pages."""
    switches = replace(FREE, error_rate=0.15)
    with source(database, calls=1200) as there:
        there.sync()
        for call_id in there.world.live_ids()[::90]:
            there.world.delete(call_id)
        there.api.switches = switches
        there.api.log.clear()
        try:
            found = verify(there, max_requests=most)
        except (SourceUnavailable, Incomplete):
            pass
        else:
            assert found.facts["requests"] == there.api.log.requests == most
        assert there.api.log.requests <= most
        # Half are for pages; the last request for a total may have to be repeated.
        assert sum("limit=1&" in entry.query for entry in there.api.log.entries) <= most // 2 + 1


def test_the_limit_is_never_exceeded(database: Database) -> None:
    """With windows of a second and few requests each, it waits and no window holds more; a service's charges count."""
    switches = Switches(limit=12, window_seconds=1.0, clock_skew_seconds=-0.4)
    with source(database, calls=300, switches=switches) as there:
        there.sync()
        there.api.log.clear()
        found = verify(there, max_requests=30)
        assert there.api.log.max_in_window <= 12
        assert there.api.log.refused == 0
        assert found.facts["requests"] == there.api.log.requests


def test_a_refusal_is_waited_out(database: Database) -> None:
    """A limit that nobody told is learned from the 429; nothing is sent before its time, and nothing fails."""
    switches = Switches(limit=4, window_seconds=1.0, reset_at_naive=True)
    with source(database, calls=300, switches=switches) as there:
        there.sync()
        there.api.log.clear()
        there.rows("UPDATE replicator.budgets SET request_limit = NULL, not_before = NULL RETURNING 1")
        found = verify(there, max_requests=14, limits=Limits(1000, 1.0, 0.0))
        assert found.facts["pages_compared"] > 0
        assert there.api.log.refused >= 1
        assert there.api.log.early == 0
        assert there.api.log.requests == found.facts["requests"]


def test_rows_in_quarantine_are_known(database: Database) -> None:
    """Rows that cannot be read and are in quarantine are counted; one that is not there is a difference."""
    with synced(database, switches=replace(FREE, bad_row_share=0.03)) as there:
        found = verify(there)
        assert named(found) == {}
        assert found.facts["known_unreadable"] > 0
        there.rows(
            "DELETE FROM replicator.quarantine WHERE id = (SELECT min(id) FROM replicator.quarantine) RETURNING 1"
        )
        found = verify(there)
        assert len(named(found)["unreadable"]) == 1


TRICKY = {
    "ties": replace(FREE, tie_every=20, tie_size=12, tie_shuffle="request"),
    "short pages": replace(FREE, short_page_rate=0.4),
    "ascending": replace(FREE, order="ascending"),
    "unsorted": replace(FREE, order="unsorted"),
    "no total": replace(FREE, total_missing=True),
    "spellings": replace(FREE, spell_to_from=True, spell_metadata=True, status_spellings=True, extra_fields=True),
    "times": replace(FREE, time_format="naive", fractions="python", null_updated_at_share=0.3),
    "embedded": replace(FREE, transcript_in_rows="array"),
    "odd text": replace(FREE, nul_and_surrogates_share=0.2, deep_json_share=0.05, deep_json_depth=150),
    "signed": replace(FREE, recording_signed_expiring=True),
    "moved by reading": replace(FREE, reading_moves_updated_at=True),
    "faults": replace(FREE, error_rate=0.05, connection_cut_rate=0.02),
}


@pytest.mark.parametrize("name", TRICKY)
def test_nothing_is_invented(database: Database, name: str) -> None:
    """However the source spells, sorts or cuts, a synced replica is equal."""
    switches = TRICKY[name]
    with synced(database, calls=250, switches=FREE if name == "faults" else switches) as there:
        there.api.switches = switches
        found = verify(there, max_requests=60)
        assert named(found) == {}
        assert ("calls" in {one["what"] for one in found.facts["totals"]}) is (name != "no total")


@pytest.mark.parametrize("name", ["ties", "ascending", "embedded"])
def test_nothing_is_overlooked(database: Database, name: str) -> None:
    """However the source sorts, a call deleted here and one deleted there are named."""
    with synced(database, calls=400, switches=TRICKY[name]) as there:
        ids = there.world.live_ids()
        there.rows(f"DELETE FROM truedy.calls WHERE id = '{ids[150]}' RETURNING 1")
        there.world.delete(ids[303])
        kinds = named(verify(there))
        assert kinds["missing"] == [ids[150]]
        assert kinds["extra"] == [ids[303]]


def test_a_capped_list_deletes_nothing(database: Database) -> None:
    """Where the list ends before calls that answer by id, no call is named extra, and it is said."""
    with synced(database, calls=400) as there:
        there.api.switches = replace(FREE, cap=200)
        found = verify(there)
        assert set(named(found)) == {"total"}
        assert not found.facts["is_complete"]
        assert any("does not show all" in note for note in found.facts["notes"])


def test_an_empty_list_names_no_call(database: Database) -> None:
    """A source that shows nothing at all differs in its total, and says nothing about any call."""
    with synced(database, calls=60) as there:
        there.api.switches = replace(FREE, empty_account=True)
        found = verify(there)
        assert not found.is_equal
        assert set(named(found)) == {"total"}


def test_a_poisoned_page_is_stepped_over(database: Database) -> None:
    """A page that the source cannot serve is noted; the others are compared."""
    with synced(database, calls=600) as there:
        there.api.poison(there.world.live_ids()[250])
        found = verify(there, max_requests=30, seed=3)
        assert found.facts["pages_compared"] > 2
        assert any("cannot be read" in note for note in found.facts["notes"])
        assert not found.facts["is_complete"]


def test_a_bounded_sync_is_not_equal(database: Database) -> None:
    """Calls that were never read are missing, and the reason is said."""
    with source(database, calls=500) as there:
        there.sync(max_requests=3)
        found = verify(there)
        missing = [one for one in found.differences if one.kind == "missing"]
        assert missing
        assert all(one.reason == "its time was never read" for one in missing)


def test_the_result_is_kept(database: Database) -> None:
    """One row a verification, with what was printed."""
    with synced(database, calls=60) as there:
        there.world.delete(there.world.live_ids()[10])
        found = verify(there, seed=9)
        ((requests, is_equal, pages, compared, findings),) = there.rows(
            "SELECT requests, is_equal, pages_compared, calls_compared, findings FROM replicator.verifications "
            "WHERE account = 'default' AND started_at <= finished_at"
        )
        assert (requests, is_equal) == (found.facts["requests"], False)
        assert (pages, compared) == (found.facts["pages_compared"], 59)
        assert findings["seed"] == 9
        assert [one["kind"] for one in findings["differences"]] == [one.kind for one in found.differences]


def test_nothing_to_verify(database: Database) -> None:
    """A replica that was never synced is an error of its own, and the source is not asked."""
    with source(database, calls=10) as there:
        with pytest.raises(Incomplete, match="never synced"):
            verify(there)
        assert there.api.log.requests == 0


def test_errors_are_the_sources_own(database: Database) -> None:
    """A wrong key is refused access; a source that fails altogether is asked twice, and then it is said."""
    with synced(database, calls=60) as there:
        with pytest.raises(BadKey):
            verify(there, key="truedy_wrong")
        there.api.log.clear()
        there.api.switches = replace(FREE, error_rate=1.0)
        with pytest.raises(SourceUnavailable):
            verify(there)
        assert there.api.log.requests == 2
