"""What stored_details decides without a database: the text of segments for COPY."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.records import Segment
from replicator.store.stored_details import segment_text

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.pure

CALL = UUID(int=7)
UNESCAPED = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\\\": "\\"}


def read_back(text: str) -> list[list[str | None]]:
    """Read COPY's text as PostgreSQL does: lines, tabs, backslashes."""
    rows = []
    for line in text.removesuffix("\n").split("\n") if text else []:
        values: list[str | None] = []
        for value in line.split("\t"):
            if value == "\\N":
                values.append(None)
                continue
            parts, rest = "", value
            while rest:
                step = 2 if rest[0] == "\\" else 1
                parts += UNESCAPED[rest[:2]] if step == 2 else rest[0]
                rest = rest[step:]
            values.append(parts)
        rows.append(values)
    return rows


def expected(segments: Sequence[Segment]) -> list[list[str | None]]:
    return [
        [CALL.hex, *(None if value is None else str(value) for value in segment)] for segment in segments
    ]  # fmt: skip


WORDS = st.text(alphabet="ab \\\t\n\rN", max_size=6)
SECONDS = st.none() | st.decimals(0, 99, places=2)
SEGMENTS = st.lists(st.tuples(WORDS, WORDS, SECONDS, SECONDS, st.none() | WORDS), max_size=4).map(
    lambda found: [Segment(position, *values) for position, values in enumerate(found)]
)


@given(SEGMENTS)
def test_segments_come_back_whatever_they_hold(segments: list[Segment]) -> None:
    """Tabs, line ends, backslashes and what looks like a null, in every column, with and without JSON of their own."""
    assert read_back(segment_text(CALL, segments)) == expected(segments)


def test_a_text_cannot_stand_for_a_line_that_is_missing() -> None:
    """One segment keeps JSON; the text of the other has exactly the characters of a line. Nothing is taken for a row."""
    crafted = "x\t\t\t\t\t\t\\N\\N\n"
    segments = [Segment(0, "agent", crafted, Decimal(1), None, None), Segment(1, "agent", "y", Decimal(2), None, "{}")]
    assert read_back(segment_text(CALL, segments)) == expected(segments)
    alone = [Segment(0, "agent", crafted, Decimal(1), None, None)]
    assert read_back(segment_text(CALL, alone)) == expected(alone)
