"""Rows that are read ahead are the same rows; errors arrive; and whoever stops early leaves no thread behind."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from replicator.archive.verification import ahead

if TYPE_CHECKING:
    from collections.abc import Iterator


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "archive-rows"]


@pytest.mark.parametrize("count", [0, 1, ahead.ROWS, 5 * ahead.ROWS + 3])
def test_the_same_rows_in_the_same_order(count: int) -> None:
    """However many."""
    with ahead.reading(range(count)) as rows:
        assert list(rows) == list(range(count))
    assert threads() == []


def test_an_error_comes_where_its_row_would() -> None:
    """Behind the rows that were read before it."""

    def broken() -> Iterator[int]:
        yield from range(ahead.ROWS)
        raise ValueError("the session is gone")

    with ahead.reading(broken()) as rows:
        assert [next(rows) for _ in range(ahead.ROWS)] == list(range(ahead.ROWS))
        with pytest.raises(ValueError, match="the session is gone"):
            next(rows)
    assert threads() == []


def test_whoever_stops_early_leaves_nothing_behind() -> None:
    """Also with a full queue."""
    with ahead.reading(range(100 * ahead.ROWS)) as rows:
        assert next(rows) == 0
    assert threads() == []
