"""The month of a statement as two half-open intervals: in our time zone, and in the statement's own.

A call is of the month in which it ended, in the reporting time zone (a call without an end: in which it was created).
That is the month of the cost reports. Pure: a time zone is an argument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from replicator.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import tzinfo

FORM = re.compile(r"(\d{4})-(0[1-9]|1[0-2])\Z", re.ASCII)
AT_THE_BORDER = timedelta(hours=36)
"""So far from a month's first or last instant, its two sides may disagree about the month: time zones are up to 26 hours
apart, and a call takes its time.
"""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Month:
    """A month: from `since` (included) to `until` (not included), and the same in the statement's time zone. The instants
    are in UTC.
    """

    name: str
    since: datetime
    until: datetime
    their_since: datetime
    their_until: datetime
    zone: tzinfo
    their_zone: tzinfo

    def holds(self, at: datetime | None) -> bool:
        """Say whether an instant is of the month, in our time zone."""
        return at is not None and self.since <= at < self.until

    def is_surely_inside(self, *instants: datetime | None) -> bool:
        """Say whether both sides count a call with these instants in the month, whichever of them each goes by."""
        return all(
            at is None or (self.since <= at < self.until and self.their_since <= at < self.their_until)
            for at in instants
        )

    def is_near_border(self, *instants: datetime | None) -> bool:
        """Say whether one of the instants is so near to the month's border that its sides may disagree."""
        return any(
            at is not None and (abs(at - self.since) <= AT_THE_BORDER or abs(at - self.until) <= AT_THE_BORDER)
            for at in instants
        )

    def shares(self, name: str, *instants: datetime | None) -> bool:
        """Say whether the month with this name, too, may count a call of this month with these instants: it is the month
        before or after, and one of the instants is near the border between the two, or beyond it.
        """
        before = of(self.since - DAY, self.zone)
        after = of(self.until + DAY, self.zone)
        return any(
            at is not None
            and (
                (name == before and at <= self.since + AT_THE_BORDER)
                or (name == after and at >= self.until - AT_THE_BORDER)
            )
            for at in instants
        )

    def has_begun(self, now: datetime) -> bool:
        """Say whether the month has begun, for us or for the party of the statement."""
        return now >= min(self.since, self.their_since)


def month(name: str, zone: tzinfo, their_zone: tzinfo | None = None) -> Month:
    """Return the month with this name, such as 2026-10. Raises ConfigurationError for another form."""
    first, last = _bounds(name, zone)
    their_first, their_last = _bounds(name, their_zone or zone)
    return Month(name, first, last, their_first, their_last, zone, their_zone or zone)


def of(at: datetime, zone: tzinfo) -> str:
    """Return the name of the month that an instant is of."""
    return at.astimezone(zone).strftime("%Y-%m")


def _bounds(name: str, zone: tzinfo) -> tuple[datetime, datetime]:
    form = FORM.match(name)
    if form is None or int(form[1]) in {0, 9999}:
        raise ConfigurationError(f"{name!r} is no month", advice="expected a year and a month, such as 2026-10")
    year, number = int(form[1]), int(form[2])
    first = datetime(year, number, 1, tzinfo=zone)
    return first.astimezone(UTC), (first + timedelta(days=31)).replace(day=1).astimezone(UTC)


__all__ = ["AT_THE_BORDER", "Month", "month", "of"]
