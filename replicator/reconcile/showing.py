"""Reads the state of a month for `reconcile show`, and says whether what is open is above the tolerance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replicator.errors import ConfigurationError
from replicator.reconcile import closing, month_matching, readiness, unsettled
from replicator.reconcile.lines import VENDOR
from replicator.reconcile.unsettled import SHARE, Foreign, Unsettled
from replicator.store import closes, comparisons, matchings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    import psycopg

    from replicator.reconcile.months import Month
    from replicator.store.closes import Close
    from replicator.store.database import Database

LISTED = 20
"""Open items that are shown unless told otherwise."""


@dataclass(frozen=True, slots=True)
class PartyMonth:
    """A month's comparison with one party."""

    party: str
    matched_at: datetime
    statement_usd: Decimal
    unreadable: int
    classes: Sequence[Mapping[str, Any]]
    bridge: Sequence[Mapping[str, Any]]
    items: Sequence[Mapping[str, Any]]
    """The open items with the largest differences."""
    stale: Sequence[str]
    is_inverted: bool = False
    """Most usage is negative: the mapping's sign is probably wrong."""
    foreign: Sequence[Foreign] = ()
    """Amounts in other currencies, which are in no sum."""

    @property
    def left(self) -> Unsettled:
        """What waits for a person."""
        return Unsettled(unsettled.open_usd(self.classes, self.bridge), self.statement_usd, self.foreign)

    @property
    def open_usd(self) -> Decimal:
        """What waits for a person in US dollars, each difference without its sign."""
        return self.left.open_usd

    @property
    def open_items(self) -> int:
        return int(sum(row["open_items"] for row in self.classes))

    def is_within(self, share: Decimal) -> bool:
        """Say whether nothing is open above the tolerance, everything was read, and the comparison is of now."""
        return self.left.is_within(share) and not self.unreadable and not self.stale

    def as_dict(self, share: Decimal) -> dict[str, Any]:
        """Return the facts, for JSON."""
        return {
            "party": self.party, "matched_at": self.matched_at, "statement_usd": self.statement_usd, "open_usd": self.open_usd,
            "open_items": self.open_items, "tolerance_usd": abs(self.statement_usd) * share, "is_within_tolerance": self.is_within(share),
            "unreadable": self.unreadable, "stale": list(self.stale), "is_inverted": self.is_inverted,
            "other_currencies": [one.as_dict() for one in self.foreign],
            "classes": [dict(row) for row in self.classes], "bridge": [dict(row) for row in self.bridge],
            "items": [dict(row) for row in self.items],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything about a month."""

    account: str
    period: str
    parties: Sequence[PartyMonth]
    unmatched: Sequence[str]
    """Parties with a statement that was not matched yet."""
    close: Close | None = None
    is_whole: bool = True
    """The frozen amounts have the close's hash."""
    changes: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    def is_within(self, share: Decimal) -> bool:
        """Say whether the month is settled with each party, within the tolerance."""
        return self.is_whole and not self.unmatched and all(one.is_within(share) for one in self.parties)

    def as_dict(self, share: Decimal) -> dict[str, Any]:
        """Return the facts, for JSON."""
        closed = None if self.close is None else closing.Closed(self.close).as_dict() | {"is_whole": self.is_whole}
        if closed is not None:
            del closed["is_new"]
        return {
            "account": self.account, "period": self.period, "is_within_tolerance": self.is_within(share),
            "parties": [one.as_dict(share) for one in self.parties], "unmatched": list(self.unmatched), "close": closed,
            "changes": [dict(row) for row in self.changes],
        }  # fmt: skip


def read(database: Database, account: str, period: str, most: int = LISTED) -> Shown:
    """Read a month. Raises ConfigurationError where there is neither a statement of it nor a close."""
    with database.transaction() as tx:
        tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        month, _ = month_matching.month_of(tx, account, period)
        there = sorted(matchings.parties(tx, account, period), key=lambda party: (party != VENDOR, party))
        close = closes.newest(tx, account, period)
        if not there and close is None:
            raise ConfigurationError(
                f"there is no statement for {period}",
                advice=f"import one: replicator reconcile import FILE --period {period}",
            )
        found = [_party(tx, account, party, month, most) for party in there]
        return Shown(
            account,
            period,
            [one for one in found if one is not None],
            [party for party, one in zip(there, found, strict=True) if one is None],
            close,
            close is None or closing.is_whole(tx, close),
            () if close is None else comparisons.changes(tx, account, period, close.number),
        )


def _party(tx: psycopg.Connection[Any], account: str, party: str, month: Month, most: int) -> PartyMonth | None:
    newest = matchings.newest(tx, account, party, month.name)
    if newest is None:
        return None
    where = (account, party, month.name)
    stale = readiness.stale(closing.state_of(tx, account, month, party))
    foreign = unsettled.of_rows(comparisons.foreign(tx, *where), matchings.statements(tx, *where))
    return PartyMonth(
        party, newest.made_at, newest.statement_usd, newest.unreadable, comparisons.summary(tx, *where),
        comparisons.bridge(tx, *where), comparisons.open_items(tx, *where, most), stale, matchings.is_inverted(tx, newest.statements),
        foreign,
    )  # fmt: skip


__all__ = ["LISTED", "SHARE", "PartyMonth", "Shown", "read"]
