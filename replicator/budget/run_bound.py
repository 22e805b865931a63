"""Limits how many requests one run may make, whatever the source answers. Pure.

Walks, searches and passes end by themselves if the source's answers are consistent. If they are not (the same page for
every offset, totals that grow with each answer, rows in another order each time, a detail that is never settled), there
could always be a reason for one more request. So a run has a bound, and only calls that are really new can raise it:

    for the list      FREE_LIST + TIMES * calls / rows + requests by id
    by id             FREE_BY_ID + TIMES * calls

`calls` are the calls stored when the run began and those that it has stored since; the latter count up to twice the
number that the list gave at first, plus FREE_CALLS, plus the rows that filters showed (at most MOST_BEHIND). `rows` is the average number of rows of an answered page.
docs/promises.md states the bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

FREE_LIST = 400
"""List requests that a run may make however few calls exist: to narrow pages to a row, to count a list
by its slices.
"""
FREE_BY_ID = 1_000
TIMES = 8
"""How often a run may read everything: in passes over an unsorted list, when stretches are due again,
for one detail.
"""
FREE_CALLS = 1_000
"""The number of new calls that a run stores beyond twice the list's first total."""
MOST_BEHIND = 200_000
"""The number of further new calls that a run stores from behind a cap; each has to be on a page of a filtered list."""
UNCOUNTED_CALLS = 10_000_000
"""The number of new calls that a run stores from a list that gives no total."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The requests that a run has made, and its bound. `stored` is how many calls were stored when the run began."""

    stored: int = 0
    claimed: int | None = None
    """The list's first total."""
    inserted: int = 0
    """Calls that the run has stored so far."""
    lists: int = 0
    by_id: int = 0
    pages: int = 0
    rows: int = 0
    behind: int = 0
    """Rows that were shown through filters: they may lie behind a cap, where the list's total does not count them."""

    @property
    def calls(self) -> int:
        """The number of calls from which the bound is computed."""
        return self.stored + min(self.inserted, self.most_inserted)

    @property
    def most_inserted(self) -> int:
        if self.claimed is None:
            return UNCOUNTED_CALLS
        return 2 * self.claimed + FREE_CALLS + min(self.behind, MOST_BEHIND)

    @property
    def most_lists(self) -> int:
        rows = max(1.0, self.rows / self.pages) if self.pages else 1.0
        return FREE_LIST + ceil(TIMES * self.calls / rows) + self.by_id

    @property
    def most_by_id(self) -> int:
        return FREE_BY_ID + TIMES * self.calls

    @property
    def is_list_spent(self) -> bool:
        return self.lists >= self.most_lists or self.inserted >= self.most_inserted

    @property
    def is_by_id_spent(self) -> bool:
        return self.by_id >= self.most_by_id

    def sent(self, *, is_list: bool, count: int = 1) -> Bound:
        """Return the bound after requests were sent."""
        return replace(self, lists=self.lists + count) if is_list else replace(self, by_id=self.by_id + count)

    def answered(self, rows: int, total: int | None) -> Bound:
        """Return the bound after a page of the whole list was answered."""
        claimed = total if self.claimed is None else self.claimed
        return replace(self, pages=self.pages + 1, rows=self.rows + rows, claimed=claimed)

    def sliced(self, rows: int) -> Bound:
        """Return the bound after a page of a filtered list was answered."""
        return replace(self, behind=self.behind + rows)

    def why(self) -> str:
        """Return why the bound ended the run; an empty string where it did not."""
        if self.inserted >= self.most_inserted:
            return f"the list had said that it holds {self.claimed or 0:,} calls, and has shown {self.inserted:,} new ones: it grows as it is read"
        if self.is_list_spent:
            return f"{self.lists:,} requests for the list were not enough: what it answers contradicts itself or does not end"
        if self.is_by_id_spent:
            return f"{self.by_id:,} requests for single calls and their details were not enough: they are never settled"
        return ""
