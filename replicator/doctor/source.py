"""Sends one request for each key to the source, charged to the budget if it is stored, and interprets the answer."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from replicator.budget.requester import Requester, SpentError
from replicator.doctor.findings import Finding, fine, of, warning
from replicator.errors import AnotherAccount, AnotherSource, NotFound, RateLimited, ReplicatorError, SourceError
from replicator.sync.clock import steady_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from replicator.budget.durable import Limits
    from replicator.source.reading import Reading
    from replicator.store.database import Database
    from replicator.store.diagnosis import Facts

MOST_WAIT_SECONDS = 10.0
"""The longest wait for the budget: a user should not have to wait for a whole window."""
MOST_CLOCK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """The result of the request: an answer with its total, or an error; neither where it was not sent."""

    total: int | None = None
    failure: ReplicatorError | None = None
    server_time: datetime | None = None
    sent_at: datetime | None = None
    received_at: datetime | None = None
    is_charged: bool = True
    listed: UUID | None = None
    """The newest call."""
    keys: int = 1
    """How many keys were asked."""


class _TooLongError(Exception):
    """The budget opens too late."""


def ask(
    readers: Sequence[tuple[str, Reading]], limits: Limits, database: Database | None, account: str, base_url: str
) -> Asked:
    """Ask for the newest call with the first of the account's keys, and for it by id with each other one, until one fails: all
    have to know it. Where the first key lists no call, no other one may.

    `database` holds the stored budgets; without it nothing is charged.
    """
    asked, total = Asked(), None
    for number, (key, reader) in enumerate(readers, 1):
        question = _newest if asked.listed is None else partial(_known, asked.listed)
        found = _ask(key, reader, question, limits, database, account, base_url)
        is_other = isinstance(found.failure, NotFound) if asked.listed else total == 0 and bool(found.total)
        if number > 1 and is_other:
            place = f"of the {len(readers)} keys in TRUEDY_API_KEY, number {number}"
            differs = (
                "does not know a call that another one lists"
                if asked.listed
                else "lists calls, and number 1 lists none"
            )
            failure = AnotherSource(
                f"{place} {differs}: probably they are not of one account",
                advice="give TRUEDY_API_KEY keys of one account only; if calls come or are deleted just now, run doctor again",
            )
            return replace(asked, failure=failure)
        total = found.total if number == 1 else total
        asked = replace(found, total=total, listed=asked.listed or found.listed, keys=number)
        if asked.failure is not None or asked.sent_at is None:
            break
    return asked


def _newest(reader: Reading) -> Asked:
    page = reader.list_calls(limit=1, offset=0)
    return Asked(page.total, server_time=page.server_time, listed=page.calls[0].id if page.calls else None)


def _known(call_id: UUID, reader: Reading) -> Asked:
    return Asked(server_time=reader.get_call(call_id).server_time)


def _ask(
    key: str,
    reader: Reading,
    question: Callable[[Reading], Asked],
    limits: Limits,
    database: Database | None,
    account: str,
    base_url: str,
) -> Asked:
    seen: list[Asked] = []
    is_charged = database is not None

    def asking(reader: Reading) -> Asked:
        sent = datetime.now(UTC)
        try:
            found = question(reader)
        except SourceError as error:
            seen.append(Asked(None, error, error.server_time, sent, datetime.now(UTC), is_charged))
            raise
        seen.append(replace(found, sent_at=sent, received_at=datetime.now(UTC), is_charged=is_charged))
        return found

    with suppress(SourceError, SpentError, _TooLongError):
        if database is None:
            asking(reader)
        else:
            try:
                Requester(
                    database,
                    [(key, reader)],
                    limits,
                    1,
                    account,
                    steady_clock(),
                    base_url=base_url,
                    on_wait=_refuse_long_waits,
                ).ask(asking)
            except AnotherAccount as error:
                return Asked(None, error)
    return seen[0] if seen else Asked()


def _refuse_long_waits(seconds: float) -> None:
    if seconds > MOST_WAIT_SECONDS:
        raise _TooLongError


def of_source(asked: Asked, facts: Facts | None, *, base_url: str, configured_limit: int | None) -> Iterator[Finding]:
    """Yield the findings about the answer. Pure."""
    if isinstance(asked.failure, RateLimited):
        yield warning(
            "source",
            f"{base_url} answers, and its rate limit is reached",
            "nothing: commands wait until the window ends",
            "the source",
        )
    elif asked.failure is not None:
        yield of("source", asked.failure)
    elif asked.sent_at is None:
        yield warning("source", "not asked: the requests of this window are used up", "try again in a minute", "nobody")
    else:
        total = "calls" if asked.total is None else f"{asked.total:,} calls"
        keys = "the key" if asked.keys == 1 else f"the {asked.keys} keys"
        yield fine("source", f"{base_url} answers, accepts {keys} and lists {total}")
    if not asked.is_charged:
        yield fine(
            "source", "the request was not charged to the budget: the database has no tables yet, or cannot be written"
        )
    yield from _clock(asked)
    if facts is not None:
        yield from _books(facts, base_url, configured_limit)


def _clock(asked: Asked) -> Iterator[Finding]:
    if asked.server_time is None or asked.sent_at is None or asked.received_at is None:
        return
    early = (asked.sent_at - asked.server_time).total_seconds()
    late = (asked.server_time - asked.received_at).total_seconds()
    away = max(early, late, 0.0)
    if away > MOST_CLOCK_SECONDS:
        yield warning(
            "source",
            f"its clock and this machine's are {away:,.0f} s apart: the budget is still right, but ages are not",
            "set this machine's clock by NTP",
            "a machine's clock",
        )
    else:
        yield fine("source", f"its clock and this machine's agree to {max(away, 1):,.0f} s")


def _books(facts: Facts, base_url: str, configured_limit: int | None) -> Iterator[Finding]:
    for budget in facts.rows.get("budgets", ()):
        learned = budget["learned_limit"]
        if learned is not None and (configured_limit is None or learned < configured_limit):
            yield warning(
                "source",
                f"the source allows {learned} requests in a window, fewer than configured",
                "set TRUEDY_REQUESTS_PER_MINUTE to what the vendor allows",
            )
    stored = facts.row("source").get("base_url")
    if stored is not None and str(stored).rstrip("/") != base_url.rstrip("/"):
        yield warning(
            "source",
            f"the stored calls of this account came from {stored}",
            "correct TRUEDY_BASE_URL, or set REPLICATOR_ACCOUNT for another account",
        )


__all__ = ["Asked", "ask", "of_source"]
