"""Matching: what was planted in a random statement is found, one to one, whatever the order of lines and calls."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from replicator.reconcile import matching
from replicator.reconcile.bridge import bridge, is_whole
from replicator.reconcile.classes import Class
from tests.reconcile.fix_planted import KINDS, MONTH, TERMS, Planted, month_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from replicator.reconcile.sides import Item

pytestmark = pytest.mark.pure

STATEMENTS = int(os.environ.get("STATEMENTS", "10000"))
PARTS = 4


def classes_of(made: Planted, items: Sequence[Item]) -> tuple[dict[str, Counter[Class]], dict[UUID, Class]]:
    """Return the classes by the lines' tags, and by call; checks that each line and call is in one item only."""
    tags = {line.number: str(line.description) for _, line in made.lines}
    by_tag: dict[str, Counter[Class]] = {}
    by_call: dict[UUID, Class] = {}
    seen: set[object] = set()
    ours = {call.id for call in made.calls if MONTH.holds(call.billed_at)}
    for item in items:
        if item.line is not None:
            assert item.line not in seen
            seen.add(item.line)
            by_tag.setdefault(tags[item.line[1]], Counter())[item.kind] += 1
        if item.call in ours and item.kind is not Class.DUPLICATE_LINE:
            assert item.call not in by_call
            by_call[item.call] = item.kind
    assert len(seen) == len(made.lines)
    return by_tag, by_call


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, PARTS))])
def test_each_planted_fault_is_found_and_nothing_else(part: int) -> None:
    """Each line and each call of the month has the class that was planted, in ten thousand random statements, and each
    statement's bridge adds up to its lines, to the last digit.
    """
    for seed in range(part * STATEMENTS // PARTS, (part + 1) * STATEMENTS // PARTS):
        made = month_of(seed)
        items = matching.match(made.lines, made.calls, MONTH, TERMS)
        by_tag, by_call = classes_of(made, items)
        assert by_tag == made.line_classes, seed
        assert by_call == made.call_classes, seed
        steps = bridge(items, made.our_sum, len(made.call_classes))
        assert is_whole(steps), seed
        assert steps[-1].amount == made.statement_sum, seed


@pytest.mark.parametrize("kind", KINDS)
def test_each_class_occurs(kind: Class) -> None:
    """The random statements have faults of every class."""
    assert any(kind in found for seed in range(300) for found in _planted(month_of(seed)))


def _planted(made: Planted) -> list[set[Class]]:
    return [*({*counts} for counts in made.line_classes.values()), {*made.call_classes.values()}]


def test_no_order_of_lines_or_calls_changes_the_result() -> None:
    """The same lines in another order, with other numbers, get the same classes, calls and rules."""
    for seed in range(400):
        made = month_of(seed, faults=25)
        shuffled = list(made.lines)
        random.Random(seed).shuffle(shuffled)
        again = Planted(
            list(reversed(made.calls)), [(1, replace(line, number=n)) for n, (_, line) in enumerate(shuffled)]
        )
        assert _content(made) == _content(again), seed


def _content(made: Planted) -> Counter[object]:
    lines = {line.number: replace(line, number=0) for _, line in made.lines}
    items = matching.match(made.lines, made.calls, MONTH, TERMS)
    return Counter(
        (
            item.kind,
            item.rule,
            item.score,
            item.line and lines[item.line[1]],
            item.call,
            item.ours,
            item.theirs,
            item.note,
        )
        for item in items
    )
