"""Returns a link to one call's recording that works now: the stored link if it is still good, else a new one.

Links expire within minutes, so links of calls that no one listens to are not renewed ahead of time. The request is
charged to the same budget as all others; if the budget is used up, the request waits for the next window.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from replicator.budget.durable import DurableBudget, claim
from replicator.budget.rules import Completion
from replicator.errors import NotFound, RateLimited, UnknownCall
from replicator.store import stored_details

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from replicator.budget.durable import Limits
    from replicator.source.reading import Reading
    from replicator.store.database import Database

ABOUT_TO_EXPIRE = timedelta(minutes=2)
"""A link that expires within this time counts as expired, because a person needs time to open it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a recording. It is a secret: any person who has it can listen to the call until it expires."""

    recording_url: str
    url_expires_at: datetime | None
    is_fresh: bool
    """Whether the source was asked for it just now."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def link(
    database: Database,
    readers: Sequence[tuple[str, Reading]],
    limits: Limits,
    account: str,
    call_id: UUID,
    *,
    base_url: str,
    clock: Callable[[], datetime] = _utc_now,
    sleep: Callable[[float], object] = time.sleep,
) -> Link:
    """Return a link to the call's recording.

    Raises UnknownCall where the replica does not have the call, NotFound where the source has no recording of it, or
    another SourceError (AnotherAccount where the key is another account's).
    """
    with database.connection() as connection:
        stored = stored_details.recording_url(connection, account, call_id)
    if stored is None:
        raise UnknownCall(f"call {call_id} is not in the replica of this account")
    url, expires_at = stored
    if url is not None and _is_good(url, expires_at, clock()):
        return Link(url, expires_at, is_fresh=False)
    key, reader = readers[0]
    key_budget = DurableBudget(database, account, key, limits)
    claim(database, account, base_url, [key_budget], limits, clock())
    key_budget.load(clock())
    while not (key_budget.free(clock()) and key_budget.charge(clock(), 1)):
        sleep(max(0.01, (key_budget.budget.opens_at(clock()) - clock()).total_seconds()))
        key_budget.load(clock())
    asked_at = clock()
    try:
        answer = reader.get_recording(call_id)
    except RateLimited as error:
        key_budget.refused(clock(), error)
        raise
    except NotFound:
        raise NotFound(f"the source has no recording of call {call_id}") from None
    finally:
        key_budget.completed([Completion(asked_at, clock(), None)])
        with database.transaction() as tx:
            key_budget.save(tx)
        key_budget.saved()
    found = answer.value
    with database.transaction() as tx:
        stored_details.renew_recording_url(tx, call_id, found.recording_url, found.url_expires_at, asked_at)
    return Link(found.recording_url, found.url_expires_at, is_fresh=True)


def _is_good(url: str, expires_at: datetime | None, now: datetime) -> bool:
    """Say whether a stored link still works.

    A link without a known expiry is good only if it has no parameters: those may be a signature that we cannot read.
    """
    return "?" not in url if expires_at is None else expires_at > now + ABOUT_TO_EXPIRE


__all__ = ["Link", "link"]
