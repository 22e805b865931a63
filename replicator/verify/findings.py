"""The findings of a verification while it runs, and its result. Pure values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replicator.sync.coverage.ledger import Ledger
from replicator.verify import sample

if TYPE_CHECKING:
    from uuid import UUID

    from replicator.records import Page
    from replicator.verify.compare import Comparison, Difference
    from replicator.verify.sample import Point, Reason


@dataclass(frozen=True, slots=True)
class Total:
    """One count on both sides. `newer` of the source's calls are too new to be in the replica.

    `newer` is None where it is not known how many of the newer calls this count includes.
    """

    what: str
    source: int
    replica: int
    newer: int | None = None
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of a verification. `facts` is flat and complete: it is stored, and printed by `--json`."""

    is_equal: bool
    differences: tuple[Difference, ...]
    facts: dict[str, Any]


@dataclass(slots=True)
class Findings:
    """What the verification has found so far."""

    pages: int = 0
    broken: int = 0
    differences: dict[tuple[object, ...], Difference] = field(default_factory=dict)
    explained: dict[object, Reason] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    compared: set[UUID] = field(default_factory=set)
    newer: set[UUID] = field(default_factory=set)
    touched: set[UUID] = field(default_factory=set)
    late: set[UUID] = field(default_factory=set)
    unreadable: set[object] = field(default_factory=set)
    unplaced: set[object] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)
    totals: list[Total] = field(default_factory=list)
    looked: Ledger = field(default_factory=Ledger)
    """The stretches of created_at that the pages proved."""
    drawn: list[int] = field(default_factory=list)
    verdicts: dict[int, bool] = field(default_factory=dict)
    """{offset of a full page: whether the page holds a difference}."""
    is_capped: bool = False
    """The list ends although the source has older calls."""
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def take(self, page: Page, comparison: Comparison) -> None:
        """Add the comparison of a page."""
        self.compared |= {call.id for call in page.calls} - comparison.newer - comparison.late
        self.differences |= {one.identity: one for one in comparison.differences}
        self.explained |= {one[0]: one for one in comparison.explained}
        self.newer |= comparison.newer
        self.touched |= comparison.touched
        self.late |= comparison.late
        self.unreadable |= comparison.unreadable
        self.unplaced |= comparison.unplaced
        self.statuses.update(call.status for call in page.calls if call.status is not None)

    def sampled(self, *, is_complete: bool) -> dict[str, Any]:
        """Return what the randomly drawn pages show about the whole list, as facts."""
        drawn = [offset for offset in self.drawn if offset in self.verdicts]
        bad = sum(self.verdicts[offset] for offset in drawn)
        return {
            "pages_compared": self.pages,
            "calls_compared": len(self.compared),
            "random_pages": len(drawn),
            "random_pages_with_differences": bad,
            "is_complete": is_complete,
            "confidence": sample.CONFIDENCE,
            "at_most_share_of_pages": sample.at_most_share(len(drawn), bad, is_complete=is_complete),
            "statement": sample.statement(len(drawn), bad, is_complete=is_complete),
        }

    def counted(self) -> dict[str, Any]:
        """Return how many calls differ for a reason that does not count as a difference, as facts."""
        return {
            "moved_by_our_reading": len(self.touched),
            "seen_after_the_request": len(self.late),
            "known_unreadable": len(self.unreadable),
        }
