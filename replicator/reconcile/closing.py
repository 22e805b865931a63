"""Closes a month: freezes the amount of each call under a hash. What is seen later is a correction, never a rewrite."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from replicator.errors import Incomplete
from replicator.reconcile import frozen, month_matching, readiness, unsettled
from replicator.reconcile.lines import VENDOR
from replicator.reconcile.readiness import State
from replicator.reconcile.sides import ZERO, CostState
from replicator.reconcile.unsettled import Unsettled
from replicator.store import closes, comparisons, matchings
from replicator.store.closes import Close

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from replicator.reconcile.months import Month
    from replicator.store.database import Database


class NotReady(Incomplete):
    """A month cannot be closed: something of it is not proven, not known or not matched."""

    fault = "the state of the month"


@dataclass(frozen=True, slots=True)
class Closed:
    """What a close froze."""

    close: Close
    is_new: bool = True
    """False where the month is closed already, and nothing was done."""

    def as_dict(self) -> dict[str, Any]:
        """Return the facts, for JSON."""
        one = self.close
        return {
            "account": one.account, "period": one.period, "close": one.number, "closed_at": one.closed_at, "closed_by": one.closed_by,
            "is_new": self.is_new, "reason": one.reason, "doubts": one.doubts, "anyway_reason": one.anyway_reason,
            "calls": one.calls, "pending_calls": one.pending_calls, "our_sum_usd": str(one.our_sum_usd),
            "statement_usd": None if one.statement_usd is None else str(one.statement_usd), "sha256": one.sha256,
        }  # fmt: skip


def perform(
    database: Database,
    account: str,
    period: str,
    by: str,
    *,
    anyway: str | None = None,
    reopen: str | None = None,
    seal: Callable[[psycopg.Connection[Any], Close, bytes], object] | None = None,
) -> Closed:
    """Close a month. A month that is closed stays as it is, unless `reopen` says why it is stated again. `seal`, where the
    archive is on, gets the close and what an archive record says of it, in the same transaction.

    Raises NotReady where something speaks against it and `anyway` does not say why it is closed all the same.
    """
    with database.transaction() as tx:
        closes.begin(tx)
        month, _ = month_matching.month_of(tx, account, period)
        before = closes.newest(tx, account, period)
        if before is not None and not (reopen or "").strip():
            return Closed(before, is_new=False)
        state = replace(state_of(tx, account, month), left=_left(tx, account, period))
        found = readiness.doubts(state, month)
        if found and not (anyway or "").strip():
            raise NotReady(
                f"{period} is not ready to be closed: {'; '.join(found)}",
                advice="do what is named, or close it all the same: --anyway REASON, which is kept with the close",
            )
        rows = closes.amounts(tx, account, month.since, month.until)
        number = 1 if before is None else before.number + 1
        newest = matchings.newest(tx, account, VENDOR, period)
        close = Close(
            account=account,
            period=period,
            number=number,
            closed_at=state.now,
            closed_by=by,
            reason=None if before is None else (reopen or "").strip(),
            doubts=found,
            anyway_reason=(anyway or "").strip() if found else None,
            time_zone=str(month.zone),
            calls=len(rows),
            pending_calls=sum(cost_state == CostState.PENDING for _, _, cost_state in rows),
            our_sum_usd=sum((amount for _, amount, _ in rows if amount is not None), ZERO),
            statement_usd=None if newest is None else newest.statement_usd,
            matching=None if newest is None else newest.id,
            last_cost_change=closes.last_cost_change(tx, account),
            sha256=frozen.digest(period, number, rows),
        )
        closes.save(tx, close, rows)
        if seal is not None:
            seal(tx, close, archive_content(close))
        return Closed(close)


def state_of(tx: psycopg.Connection[Any], account: str, month: Month, party: str = VENDOR) -> State:
    """Read what speaks for and against closing a month."""
    calls, changed_at, pending, _, expected = matchings.month_of_calls(tx, account, month.since, month.until)
    statements = matchings.statements(tx, account, party, month.name)
    newest = matchings.newest(tx, account, party, month.name)
    return State(
        now=closes.now(tx),
        pieces=closes.coverage(tx, account, month.since, month.until),
        calls=calls,
        pending=pending,
        expected=expected,
        statements=[one["id"] for one in statements],
        matched_statements=None if newest is None else newest.statements,
        unreadable=sum(one["unreadable"] for one in statements),
        calls_as_matched=None if newest is None else (newest.calls, newest.calls_changed_at),
        calls_changed_at=changed_at,
        decision_as_matched=None if newest is None else newest.last_decision,
        last_decision=matchings.last_decision(tx, account, party, month.name),
        given_up=0 if newest is None else matchings.given_up(tx, account, month.since, month.until, newest.made_at),
    )


def _left(tx: psycopg.Connection[Any], account: str, period: str) -> Unsettled | None:
    """Return what is open of a month with the vendor; None where it is not matched."""
    newest = matchings.newest(tx, account, VENDOR, period)
    if newest is None:
        return None
    where = (account, VENDOR, period)
    return Unsettled(
        unsettled.open_usd(comparisons.summary(tx, *where), comparisons.bridge(tx, *where)),
        newest.statement_usd,
        unsettled.of_rows(comparisons.foreign(tx, *where), matchings.statements(tx, *where)),
    )


def is_whole(tx: psycopg.Connection[Any], close: Close) -> bool:
    """Say whether the frozen amounts are still those that were closed."""
    rows = closes.frozen(tx, close.account, close.period, close.number)
    return frozen.digest(close.period, close.number, rows) == close.sha256


def archive_content(close: Close) -> bytes:
    """Return what an archive record of the close says (kind month_close)."""
    return frozen.record(
        close.account,
        close.period,
        close.number,
        close.sha256,
        close.our_sum_usd,
        close.statement_usd,
        close.closed_at,
        close.closed_by,
        close.anyway_reason or close.reason or "(not given)",
    )


__all__ = ["Closed", "NotReady", "archive_content", "is_whole", "perform", "state_of"]
