"""The axis of a chart over time: what stands below each bucket, its whole name, and which buckets are not complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.report import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.report.periods import Bucket


def labels(places: Sequence[Bucket], size: str) -> list[str]:
    """Return what stands below a bucket."""
    return [f"{one.start:%b %y}" if size == "month" else wording.day(one.since) for one in places]


def names(places: Sequence[Bucket], size: str) -> list[str]:
    """Return a bucket's whole name, and that it is not complete where it is not."""
    return [
        wording.bucket(one.start, size) + (" (not complete)" if one.is_partial else "") for one in places
    ]  # fmt: skip


def partial(places: Sequence[Bucket]) -> frozenset[int]:
    return frozenset(number for number, one in enumerate(places) if one.is_partial)
