"""Finds the stretches of the list that become unsure with a change of the coverage ledger. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.archive.contents import GapFacts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

Stretch = tuple["datetime", "datetime", "datetime", bool, "str | None"]
"""(since, until, verified at, whether it is proven, why not)"""


def became_unsure(removed: Iterable[Stretch], added: Iterable[Stretch], beginning: datetime) -> list[GapFacts]:
    """Return what is unsure after the change and was not unsure before, in the order of `added`. The pieces of each side
    do not overlap. A stretch that begins at `beginning` begins with the list.
    """
    before = sorted((since, until) for since, until, _, is_proven, _ in removed if not is_proven)
    found = []
    for since, until, verified_at, is_proven, reason in added:
        if is_proven:
            continue
        start = since
        for known_since, known_until in before:
            if known_until <= start or known_since >= until:
                continue
            if known_since > start:
                found.append(_gap(start, known_since, verified_at, reason, beginning))
            start = max(start, known_until)
        if start < until:
            found.append(_gap(start, until, verified_at, reason, beginning))
    return found


def _gap(since: datetime, until: datetime, verified_at: datetime, reason: str | None, beginning: datetime) -> GapFacts:
    return GapFacts(None if since == beginning else since, until, verified_at, str(reason or ""))


__all__ = ["Stretch", "became_unsure"]
