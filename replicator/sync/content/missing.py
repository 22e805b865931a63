"""Decides what follows when a transcript or recording is not there: ask again, when, and when that is a fact. Pure.

A 404 or an empty transcript is believed slowly, because a provider that is down answers so for everything. It is a fact
after BELIEVED_LOOKS answers in a row over at least BELIEVED_AFTER; a 404 also only after the deadline, because a
transcript may still be written. While far more details are absent than usual (habit.py), nothing becomes a fact. What
became one can be asked for again (`sync --details`); one more such answer then suffices.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.store.rows import DetailRow

if TYPE_CHECKING:
    from datetime import datetime

    from replicator.store.rows import KnownDetail
    from replicator.sync.content.calls import Policy
    from replicator.sync.protocol.requests import Detail

DAY = timedelta(days=1)
BACK_OFF = (
    (timedelta(minutes=10), timedelta(seconds=50)),
    (timedelta(hours=1), timedelta(minutes=5)),
    (timedelta(hours=6), timedelta(minutes=30)),
    (DAY, timedelta(hours=3)),
)
"""Pairs of (age of the call's end, delay): while the end is younger than the age, a missing detail is asked for again
after the delay; when it is older than all of them, once a day. The first delay is a little under a minute, so that a
poll each minute finds it due.
"""
BELIEVED_LOOKS = 3
BELIEVED_AFTER = DAY
"""So many answers in a row that it is not there, the last so long after the first, make an absence a fact."""
LONGEST_WAIT = timedelta(days=30)
"""The longest pause between two looks while an absence may not be believed: they double from a day on."""
EMPTY_AGAIN = (timedelta(hours=1), DAY)
"""After BELIEVED_LOOKS empty answers a transcript is asked for again so long after the first one: it may be written
late.
"""
MOST_FAULTS = 20
"""After this many faults a detail past its deadline is given up. Their pauses double up to a day, so this takes over a
week: a provider that is down for a day while history is read costs no recording.
"""


def missing_detail(
    asked: Detail,
    known: KnownDetail | None,
    at: datetime,
    policy: Policy,
    *,
    reason: str,
    is_fault: bool,
    is_empty: bool = False,
    is_wave: bool = False,
) -> DetailRow:
    """Return the row after an answer at `at` that the detail is not there, or a fault of the source.

    `is_empty`: the source answered with a transcript without a word. `is_wave`: far more details are absent than usual.
    The state is absent_final where the absence is a fact now, and gave_up after too many faults.
    """
    deadline_at = asked.deadline_at or at + policy.give_up_age
    age = at - (deadline_at - policy.give_up_age)
    row = DetailRow(
        asked.kind, asked.call_id, "pending", asked.call_created_at, attempts=asked.attempts + 1,
        deadline_at=deadline_at, asked_at=at, last_error=reason,
        absent_looks=known.absent_looks if known else 0, absent_since=known.absent_since if known else None,
    )  # fmt: skip
    delay = next((every for limit, every in BACK_OFF if age < limit), DAY)
    if is_fault:
        if at >= deadline_at and row.attempts >= MOST_FAULTS:
            return replace(row, state="gave_up")
        delay = min(delay, timedelta(seconds=30) * 2 ** min(asked.attempts, 10))
        return replace(row, due_at=at + delay, waits_last=known is not None and known.waits_last)
    looks, since = row.absent_looks + 1, row.absent_since or at
    row = replace(row, absent_looks=looks, absent_since=since, waits_last=age >= DAY)
    is_proven = looks >= BELIEVED_LOOKS and at - since >= BELIEVED_AFTER
    if is_proven and not is_wave and (is_empty or at >= deadline_at):
        return replace(row, state="absent_final", waits_last=False)
    if is_proven and at >= deadline_at:
        delay = min(DAY * 2 ** min(looks - BELIEVED_LOOKS, 10), LONGEST_WAIT)
    elif is_empty and looks >= BELIEVED_LOOKS:
        later = [since + after for after in EMPTY_AGAIN if since + after > at]
        return replace(row, due_at=max(at + delay, later[0] if later else at + DAY))
    return replace(row, due_at=at + delay)


def may_be_believed(known: KnownDetail | None, at: datetime) -> bool:
    """Say whether one more answer that it is not there, asked for at `at`, would be enough for a fact."""
    if known is None or known.absent_since is None:
        return False
    return known.absent_looks + 1 >= BELIEVED_LOOKS and at - known.absent_since >= BELIEVED_AFTER
