"""How many requests one run may make at most, whatever the source answers. Pure.

Walks, searches and passes end by themselves at any source that means what it says. At one that does not (the same page for
every offset, totals that grow with each answer, rows in another order each time, a detail that is never settled) something
could always be worth one more request. So a run has a bound, and no answer can raise it but calls that are really new:

    for the list      FREE_LIST + TIMES * calls / rows + requests by id
    by id             FREE_BY_ID + TIMES * calls

`calls` are those that were stored when the run began and those that it has stored since, as far as the list had said at first
that it holds them (twice that, and some). `rows` is what an answered page held on the average. docs/promises.md states it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

FREE_LIST = 400
"""List requests that a run may make however few calls there are: to narrow rows down, to count a list by its slices."""
FREE_BY_ID = 1_000
TIMES = 8
"""How often a run may look at everything: passes over a list in no order, stretches that are due again, a detail's looks."""
FREE_CALLS = 1_000
"""Calls that a run takes in beyond twice what its first page said that there are."""
UNCOUNTED_CALLS = 10_000_000
"""Calls that a run takes in from a list that does not say how many it holds."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a run has asked for so far, and what it may ask for. `stored` is how many calls were stored when it began."""

    stored: int = 0
    claimed: int | None = None
    """How many calls the list said that it holds, when it was first asked."""
    inserted: int = 0
    """Calls that the run has stored."""
    lists: int = 0
    by_id: int = 0
    pages: int = 0
    rows: int = 0

    @property
    def calls(self) -> int:
        """The calls that the bound is measured by."""
        return self.stored + min(self.inserted, self.most_inserted)

    @property
    def most_inserted(self) -> int:
        return UNCOUNTED_CALLS if self.claimed is None else 2 * self.claimed + FREE_CALLS

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

    def why(self) -> str:
        """Say what ended the run, or nothing."""
        if self.inserted >= self.most_inserted:
            return f"the list had said that it holds {self.claimed or 0:,} calls, and has shown {self.inserted:,} new ones: it grows as it is read"
        if self.is_list_spent:
            return f"{self.lists:,} requests for the list were not enough: what it answers contradicts itself or does not end"
        if self.is_by_id_spent:
            return f"{self.by_id:,} requests for single calls and their details were not enough: they are never settled"
        return ""
