"""Filters: an instant in whole seconds, which of them the rows obey, and which values the rows show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, cast

import pytest

from replicator.sync.coverage.filters import (
    BEFORE,
    LONGEST_VALUE,
    MOST_VALUES,
    before,
    bound_of,
    ignored,
    is_stretch,
    learned,
    values,
)
from tests.sync.coverage.fix_filtered import NOW, Row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replicator.records import Call


pytestmark = pytest.mark.pure


def rows(*some: Row) -> Iterable[Call]:
    return cast("Iterable[Call]", some)


ONE = Row(1, NOW, "busy", "inbound", "a")
TWO = Row(2, NOW - timedelta(hours=1), "failed", "inbound", "b")


def test_an_instant_is_asked_for_in_whole_seconds_of_utc() -> None:
    """Whatever its zone and fraction; and it is read back as it was asked for."""
    at = datetime(2026, 7, 1, 2, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert before(at) == (BEFORE, "2026-07-01T00:00:00Z")
    assert bound_of((("status", "busy"), before(at))) == datetime(2026, 7, 1, tzinfo=UTC)
    assert bound_of((("status", "busy"),)) is None
    first = datetime(1, 1, 2, tzinfo=UTC)
    assert bound_of((before(first),)) == first


def test_a_filter_that_one_row_does_not_match_is_ignored() -> None:
    """It is named, and the others are not; rows of the instant itself may be shown or not."""
    wanted = (("status", "busy"), ("direction", "inbound"), before(NOW))
    assert ignored(rows(ONE), wanted) == frozenset()
    assert ignored(rows(ONE, TWO), wanted) == {"status"}
    assert ignored(rows(ONE), (before(NOW - timedelta(seconds=1)),)) == {BEFORE}
    assert ignored(rows(), wanted) == frozenset()


def test_only_a_filter_by_time_leaves_no_call_out_in_between() -> None:
    """A list of one status says nothing of calls with another."""
    assert is_stretch(())
    assert is_stretch((before(NOW),))
    assert not is_stretch((before(NOW), ("status", "busy")))


def test_values_are_learned_from_rows_within_bounds() -> None:
    """Each once; not those that are empty or long, and no more than a hundred of one filter."""
    odd = Row(3, NOW, "", "x" * (LONGEST_VALUE + 1), "a")
    assert values(rows(ONE, TWO, odd)) == (
        ("status", "busy"), ("direction", "inbound"), ("agent_id", "a"), ("status", "failed"), ("agent_id", "b"),
    )  # fmt: skip
    shown = tuple(("status", str(number)) for number in range(2 * MOST_VALUES))
    assert learned(shown[:1], shown) == shown[1:MOST_VALUES]
    assert learned(shown[:1], shown[:1]) == ()
