"""The filters of the list: which the rows of an answer obey, and which values they show. Pure.

A filter is trusted only if every returned row matches it, because servers silently ignore filters that they do not
know.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replicator.records import Call
    from replicator.sync.coverage.page import Filter

DIMENSIONS = ("status", "direction", "agent_id")
"""The filters that ask for one value of a field, in the order in which a list is divided by them."""
BEFORE = "created_before"
"""The filter by time. A newest-first list that ends early is continued below an instant, so `created_after` is not
needed.
"""
MOST_VALUES = 100
"""At most this many values of one filter are tried; a source could invent one for each row."""
LONGEST_VALUE = 64
"""A longer value is not asked for: it would not fit into a URL safely."""
SECOND = timedelta(seconds=1)


def before(instant: datetime) -> tuple[str, str]:
    """Return the filter for the calls created before an instant, in whole seconds.

    Whether a source includes the instant itself, and how many digits of it are read, differs. So nothing may depend on
    rows within a second below it.
    """
    # isoformat, because strftime writes the year 1 as one digit.
    return BEFORE, f"{whole(instant).astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


def whole(instant: datetime) -> datetime:
    """Return the beginning of an instant's second."""
    return instant.replace(microsecond=0)


def bound_of(filters: Filter) -> datetime | None:
    """Return the instant of a filter by time; None where there is none."""
    return next((datetime.fromisoformat(value) for name, value in filters if name == BEFORE), None)


def is_stretch(filters: Filter) -> bool:
    """Say whether a list with these filters is all of the list below some instant: no call in between is left out."""
    return all(name == BEFORE for name, _ in filters)


def ignored(calls: Iterable[Call], filters: Filter) -> frozenset[str]:
    """Return the names of the filters that some row does not match."""
    bound = bound_of(filters)
    found = set()
    for call in calls:
        found |= {name for name, value in filters if name != BEFORE and str(getattr(call, name, None)) != value}
        if bound is not None and call.created_at is not None and call.created_at > bound:
            found.add(BEFORE)
    return frozenset(found)


def values(calls: Iterable[Call]) -> Filter:
    """Return the (name, value) pairs that the rows of a page show and a filter could ask for, each once."""
    found = {
        (name, str(value)): None
        for call in calls
        for name in DIMENSIONS
        if (value := getattr(call, name)) is not None and 0 < len(str(value)) <= LONGEST_VALUE
    }
    return tuple(found)


def learned(known: Filter, shown: Filter) -> Filter:
    """Return the pairs of `shown` that are not known yet, as far as there is room for more values of their filters."""
    fresh = tuple(one for one in shown if one not in known)
    if not fresh:
        return ()
    count = Counter(name for name, _ in known)
    kept = []
    for name, value in fresh:
        if count[name] < MOST_VALUES:
            count[name] += 1
            kept.append((name, value))
    return tuple(kept)
