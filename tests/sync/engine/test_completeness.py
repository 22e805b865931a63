"""What keeps the replica from being complete and proven, and in which words it is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from replicator.store.doubts import WORDS, Doubt
from replicator.store.runs import Counters
from replicator.sync.coverage.ledger import BEGINNING, END, Interval, Ledger, Piece
from replicator.sync.deletions import bisect
from replicator.sync.engine.completeness import Found, gaps
from replicator.sync.engine.position import Position, Source
from replicator.sync.engine.state import Comparison, Left, State
from replicator.sync.options import Report
from replicator.sync.protocol.results import Gap, Result
from tests.sync.fix_values import NOW, at

pytestmark = pytest.mark.pure

WHOLE = Ledger((Piece(BEGINNING, NOW, NOW),))
COMPLETE = Position(State(WHOLE), WHOLE, Source("http://here", 10, NOW))


def codes(position: Position, result: Result = Result.DONE, found: Found | None = None) -> list[str]:
    return [gap.code for gap in gaps(position, result, found or Found())]


def with_state(**changes: object) -> Position:
    return replace(COMPLETE, state=replace(COMPLETE.state, **changes))  # type: ignore[arg-type]


def test_nothing_is_missing() -> None:
    """Everything was compared and proven, and the head was read: also where details are not there yet."""
    assert gaps(COMPLETE, Result.DONE, Found(details_due=0)) == ()
    assert codes(COMPLETE, Result.BOUNDED) == []


@pytest.mark.parametrize(
    ("position", "result", "found", "code", "words"),
    [
        (replace(COMPLETE, source=Source("x")), "done", Found(), "head_not_read", "the newest end"),
        (with_state(ledger=Ledger()), "done", Found(), "not_listed", "no part of the list"),
        (with_state(ledger=Ledger((Piece(at(-60), NOW, NOW),))), "bounded", Found(), "not_listed", "created before 2026-03-01"),
        (with_state(left={at(0): Left(Interval(at(-9), at(0)), at(1), at(9), at(1))}), "done", Found(), "failing", "2026-03-01"),
        (with_state(left={END: Left(Interval(at(-9), END), at(1), at(9), at(1))}), "done", Found(), "failing", "the newest end"),
        (with_state(search=bisect.begin(NOW, total=9, surplus=1)), "bounded", Found(), "search_open", "differently"),
        (replace(COMPLETE, difference=-133), "done", Found(), "fewer_stored", "133 calls more than are stored"),
        (replace(COMPLETE, difference=1), "done", Found(), "more_stored", "1 call more are stored"),
        (COMPLETE, "done", Found(unreadable_rows=2), "unreadable_rows", "2 rows"),
        (with_state(comparison=Comparison(at(1))), "bounded", Found(), "not_compared", "asked to compare"),
        (COMPLETE, "bounded", Found(details_due=1204), "details_left", "1,204 transcripts and recordings"),
        (COMPLETE, "done", Found(waves={"transcript": at(-5)}), "wave_of_absences", "far more transcripts"),
    ],
)  # fmt: skip
def test_each_gap_has_a_code_and_words(position: Position, result: str, found: Found, code: str, words: str) -> None:
    """One for each thing that is not known to be there."""
    (gap,) = gaps(position, Result(result), found)
    assert gap.code == code
    assert words in gap.words


def test_a_capped_lists_total_says_nothing() -> None:
    """Where filters have proven all of it, more calls are stored than it counts, and that is no gap."""
    capped = replace(with_state(capped_at=10), difference=1400, live=1410)
    assert gaps(capped, Result.DONE, Found()) == ()


def test_a_count_that_was_not_compared_is_no_proof() -> None:
    """A run for one stretch reads the total and searches for nothing: what suspected calls do not explain is said."""
    position = replace(COMPLETE, live=8, is_total_new=True)
    assert codes(position) == ["fewer_stored"]
    assert codes(replace(position, live=12), found=Found(suspected=2)) == []
    assert codes(replace(position, live=12), found=Found(suspected=1)) == ["more_stored"]


def test_a_stretch_that_was_read_since_does_not_fail() -> None:
    """What failed earlier in the run, or in a run before, and was read after that."""
    left = Left(Interval(at(-9), at(0)), at(-1), at(9), at(-60))
    assert codes(with_state(left={at(0): left})) == []


def test_holes_between_what_was_read_are_named() -> None:
    """The newest with its days, the others by their number; what lies before everything apart."""
    read = Ledger((Piece(at(-9000), at(-8000), NOW), Piece(at(-7000), at(-6000), NOW), Piece(at(-60), NOW, NOW)))
    found = gaps(with_state(ledger=read), Result.BOUNDED, Found())
    assert [gap.words for gap in found] == [
        "calls created before 2026-02-23 are not listed yet",
        "calls created from 2026-02-25 to 2026-03-01 and 1 other stretch are not listed yet",
    ]


def test_unsure_stretches_are_said_by_reason_with_their_days() -> None:
    """19 days of a capped list and one call that cannot be read: two gaps, each since its first look."""
    day = timedelta(days=1)
    until = datetime(2026, 2, 20, tzinfo=UTC)
    pieces = (
        Piece(BEGINNING, until - 19 * day, at(-7), is_proven=False, reason=Doubt.NO_TOTAL),
        Piece(until - 19 * day, until, at(-5), is_proven=False, reason=Doubt.SLICED),
        Piece(until, until + day / 2, at(-3), is_proven=False, reason=Doubt.UNREADABLE),
        Piece(until + day / 2, NOW, NOW),
    )
    found = {gap.code: gap for gap in gaps(with_state(ledger=Ledger(pieces)), Result.DONE, Found())}
    assert set(found) == {"capped_and_sliced", "no_total", "unreadable"}
    assert found["capped_and_sliced"].words.startswith("unsure on 19 days from 2026-02-01 to 2026-02-19: ")
    assert found["unreadable"].words == f"unsure on 2026-02-20: {WORDS[Doubt.UNREADABLE]}"
    assert found["no_total"].words.startswith("unsure before 2026-02-01: ")
    assert [found[code].since for code in sorted(found)] == [at(-5), at(-7), at(-3)]


def report(*missing: Gap) -> Report:
    return Report(
        Result.DONE, Counters(), 1.0, 0, 0, is_listing_complete=True, next_due_at=None, gaps=missing,
        proven_at=None if missing else at(0), oldest_look_at=at(-60),
    )  # fmt: skip


def test_the_last_line_is_the_truth_in_words() -> None:
    """Complete and proven as of a time; or what is not, and since when."""
    assert report().is_complete
    assert report().last_line == (
        "complete and proven as of 2026-03-01 12:00:00 UTC; every call compared since 2026-03-01 11:00:00 UTC"
    )
    broken = report(Gap("a", "first thing", at(-5)), Gap("b", "second thing"))
    assert not broken.is_complete
    assert broken.last_line == "not complete: first thing (since 2026-03-01 11:55:00 UTC); second thing"
