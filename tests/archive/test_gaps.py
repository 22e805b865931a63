"""Which stretches become unsure with a change of the ledger."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from replicator.archive.contents import GapFacts
from replicator.archive.gaps import became_unsure

pytestmark = pytest.mark.pure

BEGINNING = datetime.min.replace(tzinfo=UTC)
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def day(number: int) -> datetime:
    return BEGINNING if number == 0 else NOW + timedelta(days=number)


def unsure(since: int, until: int) -> tuple[datetime, datetime, datetime, bool, str | None]:
    return day(since), day(until), NOW, False, "moved"


def test_what_was_unsure_before_is_no_new_gap() -> None:
    """Only the part that was not unsure before is one; a proven piece is none."""
    found = became_unsure(
        [unsure(2, 4), (day(4), day(9), NOW, True, None)], [unsure(1, 6), (day(6), day(9), NOW, True, None)], BEGINNING
    )
    assert found == [GapFacts(day(1), day(2), NOW, "moved"), GapFacts(day(4), day(6), NOW, "moved")]
    assert became_unsure([unsure(1, 6)], [unsure(2, 4)], BEGINNING) == []


def test_a_gap_from_the_beginning_has_no_start() -> None:
    """None stands for the beginning of the list."""
    assert became_unsure([], [unsure(0, 3)], BEGINNING) == [GapFacts(None, day(3), NOW, "moved")]


def test_it_is_the_difference_of_two_sets_of_days() -> None:
    """Against a model that looks at each day by itself."""
    for seed in range(300):
        rng = random.Random(seed)

        def pieces(rng: random.Random = rng) -> list[tuple[datetime, datetime, datetime, bool, str | None]]:
            cuts = sorted(rng.sample(range(1, 30), 6))
            return [(day(a), day(b), NOW, rng.random() < 0.5, "x") for a, b in itertools.pairwise(cuts)]

        before, after = pieces(), pieces()

        def days(stretches: list[tuple[datetime, datetime]]) -> set[int]:
            return {n for n in range(30) for since, until in stretches if since <= day(n) < until and n}

        old = days([(p[0], p[1]) for p in before if not p[3]])
        new = days([(p[0], p[1]) for p in after if not p[3]])
        found = became_unsure(before, after, BEGINNING)
        assert days([(g.since or BEGINNING, g.until) for g in found]) == new - old, seed
