"""Why a stretch of the list is unsure: the code of each reason, beside the words in which it is told. One table for all.

Words may be told better one day; queries and alerts hold on to the codes (`replicator.coverage.reason_code`).
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
    EMPTY = "empty_list"
    LOST = "not_followed"
    NO_PROOF = "no_proof"
    UNHONOURED = "filters_ignored"
    UNSORTED = "unsorted"
    UNSORTED_AND_MOVING = "unsorted_and_moving"
    OTHER = "other"


WORDS: Mapping[str, Doubt] = {
    "a call that cannot be read": Doubt.UNREADABLE,
    "a tie group as large as a page": Doubt.TIE,
    "a tie group as large as a page, by status, direction and agent too": Doubt.SPLIT_TIE,
    "calls are stored that are older than the end of the list": Doubt.BEYOND,
    "the list ends at a round number of calls: it may be capped": Doubt.ROUND,
    "the list ends while older calls are known: it may be capped": Doubt.CAPPED,
    "the list is capped: what lies behind was read by status and direction, and calls of other values may be missing": Doubt.SLICED,
    "the source lists no call: an account that is empty looks like one that shows nothing": Doubt.EMPTY,
    "the list could not be followed here": Doubt.LOST,
    "the walk ended without a proof": Doubt.NO_PROOF,
    "the source does not honour the filters that could show more": Doubt.UNHONOURED,
    "the source's list has no order that proves anything: whole passes found nothing more": Doubt.UNSORTED,
    "the source's list has no order that proves anything: each whole pass still found something": Doubt.UNSORTED_AND_MOVING,
}


def code(reason: str, *, is_proven: bool) -> Doubt | None:
    """Return the code of a reason; None where there is nothing to doubt. Words that we do not know are OTHER."""
    return None if is_proven else WORDS.get(reason, Doubt.OTHER)
