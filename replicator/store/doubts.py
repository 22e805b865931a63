"""The reasons why a stretch of the list is unsure: a code for each, and its words. Pure.

The engine knows only the codes. The words may be improved; queries and alerts should use the codes
(`replicator.coverage.reason_code`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Doubt(StrEnum):
    """Why a stretch could not be proven."""

    UNREADABLE = "unreadable"
    TIE = "tie"
    SPLIT_TIE = "split_tie"
    BEYOND = "beyond_the_end"
    ROUND = "round_number"
    CAPPED = "capped"
    SLICED = "capped_and_sliced"
    SPLIT_CAP = "capped_part"
    EMPTY = "empty_list"
    EMPTY_BUT_KNOWN = "empty_but_known"
    END = "end_not_proven"
    NO_TOTAL = "no_total"
    NO_ROWS = "no_readable_row"
    LOST = "not_followed"
    NO_PROOF = "no_proof"
    UNHONOURED = "filters_ignored"
    UNSORTED = "unsorted"
    UNSORTED_AND_MOVING = "unsorted_and_moving"
    OTHER = "other"


WORDS: Mapping[Doubt, str] = {
    Doubt.UNREADABLE: "a call that cannot be read",
    Doubt.TIE: "more calls have the same created_at than fit on a page",
    Doubt.SPLIT_TIE: "more calls have the same created_at than fit on a page, by status, direction and agent too",
    Doubt.BEYOND: "stored calls are older than the end of the list",
    Doubt.ROUND: "the list ends at exactly a round number of calls: the source may hide older ones; ask the vendor how many calls its list shows at most",
    Doubt.CAPPED: "the list ends while older calls are known: the source may hide them; ask the vendor how many calls its list shows at most",
    Doubt.SLICED: "the list is capped: the calls behind the cap were read with every filter that works; calls with other values may be missing",
    Doubt.SPLIT_CAP: "the list is capped, and so is a part of it that no filter divides further: calls may be missing",
    Doubt.EMPTY: "the source lists no call: the account may be empty, or the key may see no call",
    Doubt.EMPTY_BUT_KNOWN: "the source answers with an empty list, but calls are known",
    Doubt.END: "the list's end could not be proven",
    Doubt.NO_TOTAL: "the source does not say how many calls it has: the end of its list cannot be proven",
    Doubt.NO_ROWS: "pages without a readable row",
    Doubt.LOST: "the list moved too much to be followed here",
    Doubt.NO_PROOF: "the reading ended without a proof",
    Doubt.UNHONOURED: "the source ignores the filters that could show more calls",
    Doubt.UNSORTED: "the source's list is not sorted, so it proves nothing: further complete passes found no more calls",
    Doubt.UNSORTED_AND_MOVING: "the source's list is not sorted, so it proves nothing: each complete pass still found more",
    Doubt.OTHER: "a reason that another release wrote",
}

FORMER: Mapping[str, Doubt] = {
    "the list ends at a round number of calls: it may be capped": Doubt.ROUND,
    "the list ends while older calls are known: it may be capped": Doubt.CAPPED,
    "the list is capped: what lies behind was read by status and direction, and calls of other values may be missing": Doubt.SLICED,
    "the list is capped: what lies behind was read by every filter that the source honours, and calls of other values may be missing": Doubt.SLICED,
    "a tie group as large as a page": Doubt.TIE,
    "a tie group as large as a page, by status, direction and agent too": Doubt.SPLIT_TIE,
    "calls are stored that are older than the end of the list": Doubt.BEYOND,
    "the list is capped, and so is a part of it that no honoured filter divides further: calls may be missing": Doubt.SPLIT_CAP,
    "the source lists no call: an account that is empty looks like one that shows nothing": Doubt.EMPTY,
    "the list could not be followed here": Doubt.LOST,
    "the walk ended without a proof": Doubt.NO_PROOF,
    "the source does not honour the filters that could show more": Doubt.UNHONOURED,
    "the source's list has no order that proves anything: whole passes found nothing more": Doubt.UNSORTED,
    "the source's list has no order that proves anything: each whole pass still found something": Doubt.UNSORTED_AND_MOVING,
}
"""Words of earlier releases, which may still be stored."""
BY_WORDS = {**FORMER, **{words: doubt for doubt, words in WORDS.items()}}


def told(words: str, *, is_proven: bool) -> Doubt | None:
    """Return the reason that has these words; None where the stretch is proven, OTHER for unknown words."""
    return None if is_proven else BY_WORDS.get(words, Doubt.OTHER)
