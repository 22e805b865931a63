"""Turns days of the reporting time zone into instants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date, datetime

    import psycopg


def of_days(
    connection: psycopg.Connection[Any], since: date | None, until: date | None
) -> tuple[datetime | None, datetime | None]:
    """Return the instants at which the day `since` begins and the day `until` ends; None for a bound that is not given."""
    row = connection.execute(
        "SELECT %(since)s::date::timestamp AT TIME ZONE time_zone, (%(until)s::date + 1)::timestamp AT TIME ZONE time_zone "
        "FROM replicator.reporting",
        {"since": since, "until": until},
    ).fetchone()
    return (None, None) if row is None else (row[0], row[1])
