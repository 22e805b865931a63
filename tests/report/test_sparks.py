"""The terminal's plots: 80 columns, ASCII where it must be, and never a lie about nothing or all."""

from __future__ import annotations

import io
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from replicator.report import sparks

pytestmark = pytest.mark.pure


COUNT = st.integers(0, 10**7)


@st.composite
def days(draw: st.DrawFn) -> list[dict[str, Any]]:
    made = []
    for number in range(30):
        answered, machine, not_answered, busy, rest = (draw(COUNT) for _ in range(5))
        placed = answered + machine + not_answered + busy
        made.append(
            {
                "day": date(2026, 1, 1) + timedelta(days=number), "calls": placed + rest, "terminal_calls": placed + rest,
                "placed_calls": placed, "answered_calls": answered, "machine_calls": machine,
                "not_answered_calls": not_answered, "busy_calls": busy,
                "proven_time_share": draw(st.sampled_from([None, 0.0, 0.5, 0.999, 1.0])),
                "never_compared_time_share": draw(st.sampled_from([0.0, 1.0])),
            }
        )  # fmt: skip
    return made


@given(days(), st.booleans())
def test_eighty_columns(rows: list[dict[str, Any]], plain: bool) -> None:
    """No line is wider than a terminal, and where it must be plain it is ASCII."""
    for line in sparks.lines(rows, plain=plain):
        assert len(line) <= 80
        assert line.isascii() or not plain


@given(st.lists(COUNT, min_size=1, max_size=60), st.booleans())
def test_a_sparkline_is_blank_for_zero_alone_and_rises_with_the_number(values: list[int], plain: bool) -> None:
    """One character a value; more is never lower."""
    line = sparks.sparkline(values, plain=plain)
    steps = sparks.ASCII if plain else sparks.BLOCKS
    assert len(line) == len(values)
    for value, character in zip(values, line, strict=True):
        assert (character == " ") == (value == 0)
    heights = [steps.index(character) for _, character in sorted(zip(values, line, strict=True))]
    assert heights == sorted(heights)


@given(st.floats(0, 1))
def test_a_bar_is_full_only_for_all_and_empty_only_for_nothing(share: float) -> None:
    """As the number beside it."""
    bar = sparks.bar(share, plain=True)
    assert len(bar) == sparks.BAR_WIDTH
    assert ("." not in bar) == (share == 1)
    assert ("#" not in bar) == (share == 0)


def test_a_day_that_is_over_is_proven_as_a_whole_or_not() -> None:
    """99.9 % of a past day are not all of it; of today what was read counts; before the first call there is nothing."""
    day = {"proven_time_share": 0.999, "never_compared_time_share": 0.001}
    whole = {"proven_time_share": 1.0, "never_compared_time_share": 0.0}
    none = {"proven_time_share": None, "never_compared_time_share": None}
    never = {"proven_time_share": 0.0, "never_compared_time_share": 1.0}
    assert sparks.strip([none, never, day, whole, day], plain=True) == " .+##"
    assert sparks.strip([none, never, day, whole, day], plain=False) == " ░▒██"


@pytest.mark.parametrize(
    ("is_terminal", "encoding", "plain"), [(True, "utf-8", False), (True, "ascii", True), (False, "utf-8", True)]
)
def test_where_blocks_are_shown(is_terminal: bool, encoding: str, plain: bool) -> None:
    """In a terminal that can show them, and nowhere else."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    assert sparks.is_plain(Console(file=file, force_terminal=is_terminal)) == plain


def test_nothing_is_shown_of_nothing() -> None:
    """A replica without calls in these days has no plots."""
    assert sparks.lines([], plain=True) == []
