"""Decides about each recording that is to be archived: when to try, when to renew its link, when to give up. Pure.

A recording is `pending` until it is `stored`, or until it is known that it will not be: `missing` where the source does
not have it (any more), `refused` where what is offered must not be fetched or is no audio. The vendor deletes audio
after some days, so a recording has a deadline; it is tried at least once even when it is found after its deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class State(StrEnum):
    """The states of archive.objects."""

    PENDING = "pending"
    STORED = "stored"
    MISSING = "missing"
    REFUSED = "refused"
    ERASED = "erased"
    DISPOSED = "disposed"


class Reason(StrEnum):
    """Why a recording is not stored (yet)."""

    LINK_REFUSED = "link_refused"
    """The storage answers 401, 403, 404 or 410, also for a link that was just renewed."""
    NO_LINK = "no_link"
    """The source says that it has no recording of this call."""
    SOURCE_FAILED = "source_failed"
    """The source could not be asked for a new link."""
    UNREACHABLE = "unreachable"
    """No connection: the name is unknown, the connection is refused or cut, or TLS fails."""
    STALLED = "stalled"
    """The storage sends nothing, or next to nothing, for too long."""
    CUT_OFF = "cut_off"
    """The body ended before its stated length."""
    LENGTH_UNKNOWN = "length_unknown"
    """The body has no stated length, so whether it is whole cannot be known."""
    TOO_SLOW = "too_slow"
    """One attempt took longer than it may; where the storage can, the next one goes on from there."""
    STORAGE_BUSY = "storage_busy"
    """429 or 5xx of the storage."""
    STORE_FAILED = "store_failed"
    """The archive's own store took no more: a full disk, a bucket that refuses."""
    FILE_LOST = "file_lost"
    """It was stored, and its file is gone from the store."""
    NOT_AUDIO = "not_audio"
    """The body is a page, a document or of a type that is no audio."""
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    """Larger than REPLICATOR_ARCHIVE_MOST_BYTES."""
    ENCODED = "encoded"
    """The body is compressed, which was not asked for."""
    BAD_ANSWER = "bad_answer"
    """The answer is no usable HTTP, or its lengths and ranges contradict each other."""
    BAD_LINK = "bad_link"
    """No usable https address, or one with a user name in it."""
    FORBIDDEN_ADDRESS = "forbidden_address"
    """The link leads to a private, loopback, link-local or reserved address, or to another port than 443."""
    TOO_MANY_REDIRECTS = "too_many_redirects"
    STOPPED = "stopped"
    """The run ended meanwhile; that counts as no attempt."""


FINAL_AT_ONCE = frozenset({Reason.FORBIDDEN_ADDRESS, Reason.BAD_LINK, Reason.TOO_MANY_REDIRECTS, Reason.TOO_LARGE})
"""Waiting changes nothing about these; changed settings may, and then the operator has them tried again."""
REFUSED_IN_THE_END = FINAL_AT_ONCE | {
    Reason.NOT_AUDIO, Reason.EMPTY, Reason.ENCODED, Reason.BAD_ANSWER, Reason.LENGTH_UNKNOWN,
}  # fmt: skip
"""What is offered is at fault. It is tried again a few times, because a page of an error is often gone an hour later."""
NO_ATTEMPT = frozenset({Reason.STOPPED, Reason.SOURCE_FAILED, Reason.STORE_FAILED})
"""These say nothing about the recording."""

PAUSES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=12),
)
"""The pauses after the first, second, … failure in a row; the last one repeats."""
MOST_REFUSALS = 8
"""So many failures in a row of REFUSED_IN_THE_END are final."""
MOST_ABSENCES = 3
LEAST_ABSENCE = timedelta(days=1)
"""The source's "no recording" is final after three answers of which the first is a day ago."""
MOST_LATE_ATTEMPTS = len(PAUSES)
"""So many attempts end a recording whose deadline has passed, whatever their failures: they may have been our own."""
LAST_CHANCE = timedelta(hours=2)
"""The last planned attempt lies at least so long before the deadline."""
ABOUT_TO_EXPIRE = timedelta(seconds=30)
"""A link that expires within this time is renewed first: a download only has to begin before that."""
WARN_BEFORE = timedelta(days=2)
"""A deadline that is nearer than this is warned of."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the queue knows of one recording that is pending."""

    queued_at: datetime
    deadline_at: datetime | None
    attempts: int = 0
    """All attempts so far that say something about the recording."""
    failures: int = 0
    """Those in a row that had the reason of the last one's kind."""
    reason: Reason | None = None
    failing_since: datetime | None = None
    """When the first of them was."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failed attempt makes of a recording."""

    state: State
    reason: Reason
    attempts: int
    failures: int
    failing_since: datetime | None
    next_try_at: datetime | None


def is_link_good(url: str | None, expires_at: datetime | None, now: datetime) -> bool:
    """Say whether a stored link is worth trying. One without a known end is tried, and renewed once it is refused."""
    return bool(url) and (expires_at is None or expires_at > now + ABOUT_TO_EXPIRE)


def after_failure(
    standing: Standing, reason: Reason, now: datetime, *, retry_after: timedelta | None = None
) -> Verdict:
    """Return what is known after an attempt that failed at `now`. `retry_after` is the storage's own wish."""
    if reason in NO_ATTEMPT:
        pause = timedelta(0) if reason is Reason.STOPPED else PAUSES[0]
        return Verdict(
            State.PENDING, standing.reason or reason, standing.attempts, standing.failures, standing.failing_since,
            now + pause,
        )  # fmt: skip
    is_same_kind = standing.reason is not None and _kind(standing.reason) == _kind(reason)
    failures = standing.failures + 1 if is_same_kind else 1
    since = standing.failing_since if is_same_kind and standing.failing_since else now
    attempts = standing.attempts + 1
    state = _state_after(standing, reason, failures, since, now)
    if state is not State.PENDING:
        return Verdict(state, reason, attempts, failures, since, None)
    next_try_at = now + max(pause_after(attempts), retry_after or timedelta(0))
    if standing.deadline_at is not None:
        last = standing.deadline_at - LAST_CHANCE
        next_try_at = min(next_try_at, last) if last > now + PAUSES[0] else min(next_try_at, standing.deadline_at)
        next_try_at = max(next_try_at, now + PAUSES[0])
    return Verdict(State.PENDING, reason, attempts, failures, since, next_try_at)


def pause_after(attempts: int) -> timedelta:
    """Return the pause after so many attempts (1 or more)."""
    return PAUSES[min(attempts, len(PAUSES)) - 1]


def is_late(deadline_at: datetime | None, now: datetime) -> bool:
    """Say whether the vendor has deleted the recording by now."""
    return deadline_at is not None and deadline_at <= now


def renewal_reserve(limit: int | None, deadline_at: datetime | None, now: datetime) -> int:
    """Return how many requests of a window must stay free for other work when a link is renewed.

    Renewals are the lowest lane: they use at most half of a window. A recording whose deadline is near, or past, may
    use all of it.
    """
    if limit is None or (deadline_at is not None and deadline_at <= now + WARN_BEFORE):
        return 0
    return limit // 2


def _kind(reason: Reason) -> str:
    if reason in REFUSED_IN_THE_END:
        return "refused"
    return "absent" if reason is Reason.NO_LINK else "failed"


def _state_after(standing: Standing, reason: Reason, failures: int, since: datetime, now: datetime) -> State:
    if reason in FINAL_AT_ONCE or (reason in REFUSED_IN_THE_END and failures >= MOST_REFUSALS):
        return State.REFUSED
    if reason is Reason.NO_LINK and failures >= MOST_ABSENCES and now - since >= LEAST_ABSENCE:
        return State.MISSING
    if is_late(standing.deadline_at, now):
        # An answer about the recording ends it. A network that is down says nothing: then it is tried some more times.
        if reason in {Reason.LINK_REFUSED, Reason.NO_LINK}:
            return State.MISSING
        if standing.attempts + 1 >= MOST_LATE_ATTEMPTS:
            return State.REFUSED if reason in REFUSED_IN_THE_END else State.MISSING
    return State.PENDING


__all__ = [
    "Reason",
    "Standing",
    "State",
    "Verdict",
    "after_failure",
    "is_late",
    "is_link_good",
    "pause_after",
    "renewal_reserve",
]
