"""The world behind the simulated API: deterministic, lively, and an oracle."""

import threading
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest

from replicator.simulator.conversations import Segment
from replicator.simulator.switches import Switches
from replicator.simulator.world import ACTIVE, World
from tests.simulator.fix_client import NOW, make


def world(calls=400, seed=3, churn_per_minute=0.0, **switches):
    return World(seed, calls, now=NOW, churn_per_minute=churn_per_minute, switches=Switches(**switches))


def test_same_seed_same_world() -> None:
    """Equal arguments give equal rows and transcripts; another seed gives others."""
    one, same, other = world(), world(), world(seed=4)
    assert list(one.calls) == list(same.calls) != list(other.calls)
    assert [one.segments(call) for call in one.live_ids()] == [same.segments(call) for call in same.live_ids()]


def test_mix_is_realistic() -> None:
    """About 62 % of the calls are completed, all endings occur, connected calls have about 13 segments."""
    rows = list(world(5000).calls)
    counts = Counter(row["status"] for row in rows)
    assert 0.59 < counts["completed"] / 5000 < 0.65
    assert {"completed", "no_answer", "busy", "voicemail", "failed"} <= set(counts)
    assert {row["direction"] for row in rows} == {"inbound", "outbound"}
    assert all(row["context"]["last_error"] for row in rows if row["status"] == "failed")
    big = world(3000)
    said = [len(segments) for call in big.live_ids() if (segments := big.segments(call)) and len(segments) > 1]
    assert 11 < sum(said) / len(said) < 16


def test_numbers_are_fictional() -> None:
    """Every phone number is from a range reserved for fiction."""
    for row in world().calls:
        assert row["phone_number"][5:10] == row["from_number"][5:10] == "55501"


def test_money_is_decimal_with_four_digits() -> None:
    """Costs are Decimals with four digits, or not yet there."""
    costs = [row["cost_usd"] for row in world().calls]
    assert None in costs
    assert all(isinstance(one, Decimal) and one.as_tuple().exponent == -4 for one in costs if one is not None)


def test_a_million_calls_are_cheap() -> None:
    """A large account is not materialised: its newest and oldest rows are there at once."""
    large = world(1_000_000)
    assert len(large.calls) == 1_000_000
    newest, oldest = large.calls[0], large.calls[-1]
    assert newest["created_at"] <= NOW
    assert timedelta(days=89) < newest["created_at"] - oldest["created_at"] <= timedelta(days=90)
    assert large.row(oldest["id"]) == oldest


def test_identifiers_are_found_again_and_others_are_not() -> None:
    """An identifier leads to its call without a table; foreign, future and malformed ones lead nowhere."""
    some = world()
    assert [some.index_of(call) for call in some.live_ids()] == list(range(399, -1, -1))
    assert some.index_of(world(401).id_of(400)) is None
    assert some.index_of("00000000-0000-4000-8000-000000000000") is some.index_of("x") is None
    with pytest.raises(KeyError):
        some.row("x")


def test_lives_go_on_as_time_passes() -> None:
    """A call is queued, rings, is answered, ends, is transcribed and billed, in that order; updated_at moves with each."""
    some = world(0, transcript_missing_share=0.0)
    ids = [some.create() for _ in range(20)]
    seen = {call: [] for call in ids}
    moved = {call: set() for call in ids}
    for second in range(0, 4 * 3600, 5):
        some.advance(NOW + timedelta(seconds=second))
        for call in ids if second < 600 or second % 300 == 0 else ():
            row = some.row(call)
            moved[call].add(row["updated_at"])
            if row["status"] not in seen[call]:
                seen[call].append(row["status"])
    for call in ids:
        order = ["queued", "ringing", "in_progress", *(set(seen[call]) - ACTIVE)]
        assert seen[call] == [status for status in order if status in seen[call]]
        assert seen[call][-1] not in ACTIVE
        assert len(moved[call]) >= 3
    done = next(call for call in ids if some.row(call)["status"] == "completed" and some.row(call)["cost_usd"])
    assert some.segments(done)
    assert some.row(done)["summary"]


def test_transcript_comes_after_the_end_and_the_bill_too() -> None:
    """Just after its end a call has no transcript, no summary and no cost."""
    some = world(0, transcript_missing_share=0.0)
    ids, early = [some.create() for _ in range(30)], 0
    for second in range(0, 3000, 2):
        some.advance(NOW + timedelta(seconds=second))
        for call in ids:
            row = some.row(call)
            if row["status"] == "completed" and row["cost_usd"] is None:
                early += some.segments(call) is None
    assert early > 0


def test_mutations_are_the_truth_at_once() -> None:
    """create, update and delete change rows, order and the version; updated_at moves, or not when told so."""
    some = world()
    version = some.version
    call = some.create(at=NOW - timedelta(days=5), status="completed", cost_usd=Decimal("1.2345"))
    assert some.version > version
    assert some.row(call)["cost_usd"] == Decimal("1.2345")
    created = [row["created_at"] for row in some.calls]
    assert created == sorted(created, reverse=True)
    before = some.row(call)["updated_at"]
    some.update(call, context={"a": 1}, moves_updated_at=False)
    assert (some.row(call)["context"], some.row(call)["updated_at"]) == ({"a": 1}, before)
    some.update(call, summary="another")
    assert some.row(call)["updated_at"] > before
    some.delete(call)
    assert call not in some.live_ids()
    with pytest.raises(KeyError):
        some.delete(call)


def test_status_given_from_outside_stays() -> None:
    """A call created or updated with a status keeps it, whatever time passes."""
    some = world(0)
    born, changed = some.create(status="in_progress"), some.create()
    some.update(changed, status="failed")
    some.advance(NOW + timedelta(days=1))
    assert (some.row(born)["status"], some.row(changed)["status"]) == ("in_progress", "failed")


def test_transcript_can_be_replaced_by_hand() -> None:
    """replace_transcript changes what is said and moves updated_at."""
    some = world()
    row = some.calls[50]
    said = (Segment("agent", "Something else.", 0.0, 1.0),)
    some.replace_transcript(row["id"], said)
    assert some.segments(row["id"]) == said
    assert some.row(row["id"])["updated_at"] > row["updated_at"]


def test_churn_creates_changes_and_deletes() -> None:
    """With churn, an hour brings new calls, changed rows and deletions, the same ones for the same seed."""
    one, same = world(churn_per_minute=5.0), world(churn_per_minute=5.0)
    before = set(one.live_ids())
    one.advance(NOW + timedelta(hours=1))
    for minute in range(61):
        same.advance(NOW + timedelta(minutes=minute))
    after = set(one.live_ids())
    assert after - before
    assert before - after
    assert any("note" in row["context"] for row in one.calls)
    assert list(one.calls) == list(same.calls)


def test_corrections_reach_old_rows() -> None:
    """Switch: a cost is corrected days after its call ended."""
    some = world(2000, correction_share=1.0)
    costs = {row["id"]: row["cost_usd"] for row in some.calls[:100]}
    some.advance(NOW + timedelta(days=6))
    later = {call: some.row(call)["cost_usd"] for call in costs}
    assert sum(later[call] < cost for call, cost in costs.items() if cost is not None) > 20


def test_threads_may_change_the_world_together() -> None:
    """Creations from several threads are all kept."""
    api = make(calls=10)
    threads = [threading.Thread(target=lambda: [api.world.create() for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(api.world.live_ids())) == 410
