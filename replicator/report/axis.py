"""Labels for the time axis of a chart: the text below each bucket, its full name, and which
buckets are not complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.report import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.report.periods import Bucket


def labels(places: Sequence[Bucket], size: str) -> list[str]:
    """Return the text below each bucket."""
    return [f"{one.start:%b %y}" if size == "month" else wording.day(one.since) for one in places]


def names(places: Sequence[Bucket], size: str) -> list[str]:
    """Return the full name of each bucket, with a remark where it is not complete."""
    return [
        wording.bucket(one.start, size) + (" (not complete)" if one.is_partial else "") for one in places
    ]  # fmt: skip


def partial(places: Sequence[Bucket]) -> frozenset[int]:
    return frozenset(number for number, one in enumerate(places) if one.is_partial)
