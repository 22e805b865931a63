r"""Decides when a stored call counts as deleted at the source. Pure.

    present -> suspected -> deleted -> (seen again: reappeared, and both facts are kept)
                        \-> refuted: it answers after all

- **Suspicion** needs a proof: a response proves a stretch of `created_at`, and a live stored call inside it is not in
  the response. A page with an unreadable row without an id causes no suspicion. Where no proof is possible (the list
  ends while older calls are stored; a row cannot be read; too many calls share one instant), a few calls are asked for
  by id. Such a suspicion is only a question, and any answer other than a 404, even an error, ends it.
- **Confirmation** needs two 404s by id, `confirm_after` apart. Each must lie between two *controls* at most a minute
  away: a call that is known to live is asked for before and after, and is answered with 200 as itself. Any other answer
  confirms nothing.
- **The cap**: while more than max(20, 1 % of the live calls) suspicions are open, nothing is asked for and nothing is
  confirmed until an operator releases that many. For a key that sees fewer calls than before looks like a mass
  deletion.

Nothing is removed: a tombstone is an interval, from when the call was last seen to when it was first missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from replicator.store.doubts import Doubt
from replicator.sync.coverage.ledger import BEGINNING, TICK, Interval

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from replicator.records import Page
    from replicator.sync.coverage.ledger import Piece
    from replicator.sync.coverage.walk import Walk

CONTROL_AGE = timedelta(seconds=60)
"""How far from its controls (before and after) a 404 may lie to count."""
MISSES = 2
LEAST_CAP = 20
CAP_SHARE = 0.01
ASKED_AT_A_TIME = 10
"""How many stored calls are asked for where no proof is possible: enough to tell a capped list from deletions."""
AGAIN_AFTER = timedelta(minutes=10)
"""How long to wait after an answer that shows nothing."""

State = Literal["suspected", "deleted", "refuted", "reappeared"]


@dataclass(frozen=True, slots=True)
class Claim:
    """What one response says of membership: at `asked_at`, only the calls `present` had been created inside `interval`.

    `most` limits how many missing calls become suspected, if the claim is only a question.
    """

    interval: Interval
    present: tuple[UUID, ...]
    asked_at: datetime
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """One open absence: a stored call that the list should show and does not."""

    id: int
    call_id: UUID
    state: State
    misses: int
    missed_at: datetime | None
    due_at: datetime | None
    is_question: bool = False
    ended_at: datetime | None = None
    confirmed_at: datetime | None = None


def claims(page: Page, pieces: Sequence[Piece], asked: Walk, asked_at: datetime) -> list[Claim]:
    """Return the claims that follow from a page and the pieces that it proved."""
    questions = [
        Claim(piece.interval, (), asked_at, ASKED_AT_A_TIME)
        for piece in pieces
        if piece.reason in {Doubt.TIE, Doubt.UNREADABLE}
    ]
    if any(row.call_id is None for row in page.unreadable):
        return questions  # one of the missing calls may be this row
    if page.rows:
        present = (*(call.id for call in page.calls), *(row.call_id for row in page.unreadable if row.call_id))
        return questions + [
            Claim(piece.interval, present, asked_at)
            for piece in pieces
            if piece.is_proven and piece.verified_at == asked_at
        ]
    if asked.ending is None:
        return questions
    # The end of the list. Its last page was compared when it came in, except for the rows at its very end.
    last = asked.ending
    beyond = Interval(BEGINNING, min(at for at in last.created if at is not None) + TICK)
    return [
        Claim(beyond, last.ids, last.asked_at, None if piece.is_proven else ASKED_AT_A_TIME)
        for piece in pieces
        if piece.interval.overlap(beyond) and len(last.ids) == last.rows
    ]


def cap(live: int) -> int:
    """Return how many suspicions may be open before all of them wait for an operator."""
    return max(LEAST_CAP, int(live * CAP_SHARE))


def is_held(suspected: int, live: int, released: int | None) -> bool:
    """Say whether the open suspicions wait for an operator; `released` is how many the operator has released."""
    return suspected > cap(live) and suspected > (released or 0)


def after_miss(
    absence: Absence, asked_at: datetime, controls: tuple[datetime | None, datetime], confirm_after: timedelta
) -> Absence:
    """Return the absence after a 404 by id. `controls` are when the controls before and after it were asked for."""
    before, after = controls
    if before is None or asked_at - before > CONTROL_AGE or after - asked_at > CONTROL_AGE:
        return replace(absence, due_at=asked_at)
    if absence.missed_at is not None and asked_at - absence.missed_at < confirm_after:
        return replace(absence, due_at=absence.missed_at + confirm_after)
    misses = absence.misses + 1
    if misses < MISSES:
        return replace(absence, misses=misses, missed_at=asked_at, due_at=asked_at + confirm_after)
    return replace(absence, misses=misses, missed_at=asked_at, due_at=None, state="deleted", confirmed_at=asked_at)


def after_answer(absence: Absence, asked_at: datetime) -> Absence:
    """Return the absence after the call answered as itself: it was not deleted."""
    return replace(absence, state="refuted", due_at=None, ended_at=asked_at)


def after_nothing(absence: Absence, asked_at: datetime) -> Absence:
    """Return the absence after an answer that shows nothing, such as an error of the source."""
    if absence.is_question:
        return after_answer(absence, asked_at)
    return replace(absence, due_at=asked_at + AGAIN_AFTER)
