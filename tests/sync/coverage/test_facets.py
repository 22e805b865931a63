"""A capped list is divided by every combination of the values that its filters are seen to honour."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from replicator.store.doubts import Doubt
from replicator.sync.coverage.filters import BEFORE, DIMENSIONS
from replicator.sync.coverage.ledger import TICK
from tests.sync.coverage.fix_filtered import Filtered, Row, Shape, calls, known

pytestmark = pytest.mark.pure


def parts(done: Filtered) -> list[dict[str, str]]:
    """Return the parts that were asked for, each once, without the attempt by time."""
    return [dict(one) for one in dict.fromkeys(done.asked) if not any(name == BEFORE for name, _ in one)]


def test_a_part_below_the_cap_is_not_divided() -> None:
    """Each status is, so nothing more is asked of them; directions and agents that are not capped lie within no such part."""
    rows = calls(240, seconds=600)
    done = Filtered(Shape(cap=200, known=known(rows)), rows).read_through()
    assert len(done.read) == 240
    assert all(len(part) == 1 for part in parts(done))
    assert done.doubts == {Doubt.SLICED}


def test_a_capped_part_is_divided_until_it_is_below_the_cap() -> None:
    """By status, direction and agent together, where each of them by itself is at the cap."""
    rows = calls(900)
    done = Filtered(Shape(cap=100, known=known(rows)), rows).read_through()
    assert max(map(len, parts(done))) == 3
    assert done.unread_but_reached() == []


def test_a_part_of_a_part_that_was_read_to_its_end_is_not_read() -> None:
    """All failed calls are read, and so is nothing of them by direction, though that is at the cap."""
    rows = calls(600, statuses=("completed", "completed", "completed", "failed"), agents=("a",))
    done = Filtered(Shape(cap=200, known=known(rows)), rows).read_through()
    assert {"status": "completed", "direction": "inbound"} in parts(done)
    assert {"direction": "inbound"} in parts(done)
    assert [part for part in parts(done) if part.get("status") == "failed"] == [{"status": "failed"}]


def test_what_no_filter_divides_further_is_said() -> None:
    """One agent has more calls of one status and direction than the cap."""
    rows = calls(500, statuses=("completed",), directions=("inbound",), agents=("a",))
    done = Filtered(Shape(cap=100, known=known(rows)), rows).read_through()
    assert done.doubts == {Doubt.SPLIT_CAP}
    few = Filtered(Shape(cap=100, known=known(rows), honoured=frozenset({"status"})), rows).read_through()
    assert few.doubts == {Doubt.SPLIT_CAP}


def test_a_value_that_a_row_shows_is_tried() -> None:
    """One agent was not known. Its calls appear in a part by status, and then its own part reaches all of them."""
    rows = calls(900, statuses=("completed", "failed"), directions=("inbound",), agents=("a", "b"))
    rows = [replace(row, agent_id="new") if row.number >= 160 and row.number % 3 == 0 else row for row in rows]
    done = Filtered(Shape(cap=150, known=known(rows[:150])), rows).read_through()
    assert ("agent_id", "new") not in known(rows[:150])
    assert {"agent_id": "new"} in parts(done)
    assert done.unread_but_reached() == []


def test_calls_of_an_unknown_value_are_reached_by_another_filter() -> None:
    """No row shows their status before their agent's part is read: a part is divided by each filter, not only by the next."""
    hidden = [
        Row(5000 + number, row.created_at - timedelta(days=90), "odd", "inbound", "c")
        for number, row in enumerate(calls(40))
    ]
    rows = [*calls(400, agents=("a", "b")), *hidden]
    told = (*known(calls(400, agents=("a", "b"))), ("agent_id", "c"))
    done = Filtered(Shape(cap=90, known=told), rows).read_through()
    assert {row.number for row in hidden} <= done.read


def test_a_filter_that_matches_by_chance_is_dropped_once_it_does_not() -> None:
    """`status` is ignored, and the newest calls all have the first one: the first page looks honoured, a later one does not."""
    rows = [replace(row, status="completed" if row.number < 250 else "failed") for row in calls(900)]
    done = Filtered(
        Shape(cap=300, known=known(rows), honoured=frozenset({"direction", "agent_id"})), rows
    ).read_through()
    assert [part for part in parts(done) if "status" in part] == [{"status": "completed"}]
    assert done.unread_but_reached() == []
    assert done.doubts <= {Doubt.SLICED, Doubt.SPLIT_CAP}


def hostile(seed: int) -> tuple[Filtered, Doubt | None]:
    """Return a list of any kind, and a reason to read it through filters."""
    rng = random.Random(seed)
    rows = calls(
        rng.choice([0, 1, 30, 101, 250, 600, 900]),
        statuses=tuple("stuvw")[: rng.randint(1, 5)], directions=tuple("dio")[: rng.randint(1, 3)],
        agents=tuple("abcdefgh")[: rng.randint(1, 8)], tie=rng.choice([1, 1, 1, 3, 40, 130]),
        seconds=rng.choice([600, 600, 5, 0.3, 0.01]), seed=seed,
    )  # fmt: skip
    shape = Shape(
        cap=rng.choice([7, 30, 60, 100, 150, 250, 300, 500]),
        honoured=frozenset(name for name in (*DIMENSIONS, BEFORE) if rng.random() < 0.7),
        is_inclusive=rng.random() < 0.5,
        grain=rng.choice([TICK, TICK, timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)]),
        known=known(rng.sample(rows, min(len(rows), rng.choice([1, 3, 1000])))),
        churn=rng.choice([0, 0, 0.2, 1, 4]),
        shuffles_ties=rng.random() < 0.5,
    )
    return Filtered(shape, rows, seed), rng.choice([None, Doubt.CAPPED, Doubt.ROUND])


def wrong(seeds: range) -> list[str]:
    """Read lists of all kinds; return what went against the promise.

    It ends; nothing that is called proven hides a call; and of a list that stands still every call is read that some
    honoured combination of values reaches.
    """
    found = []
    for seed in seeds:
        there, reason = hostile(seed)
        done = there.read_through(reason)
        if done.lost():
            found.append(f"seed {seed}: {len(done.lost())} calls are missing in what is called proven")
        is_still = not there.shape.churn and not there.shape.shuffles_ties
        if is_still and reason is Doubt.CAPPED and done.unread_but_reached():
            found.append(f"seed {seed}: {len(done.unread_but_reached())} calls can be reached and were not read")
    return found


def test_some_hostile_lists_lose_nothing() -> None:
    """As below, in a second or two."""
    assert wrong(range(20)) == []


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(4))
def test_many_hostile_lists_lose_nothing(chunk: int) -> None:
    """Any values, caps, filters, and lists that grow and shrink while they are read."""
    assert wrong(range(1000 + 100 * chunk, 1100 + 100 * chunk)) == []
