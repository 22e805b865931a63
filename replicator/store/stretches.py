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
        # At the ends of the calendar there is no bound: an instant before or behind it could not be read.
        "SELECT CASE WHEN %(since)s::date > '0001-01-02' THEN %(since)s::date::timestamp AT TIME ZONE time_zone END, "
        "CASE WHEN %(until)s::date < '9999-12-30' THEN (%(until)s::date + 1)::timestamp AT TIME ZONE time_zone END "
        "FROM replicator.reporting",
        {"since": since, "until": until},
    ).fetchone()
    return (None, None) if row is None else (row[0], row[1])


def days_of(
    connection: psycopg.Connection[Any], since: datetime | None, until: datetime | None
) -> tuple[date | None, date | None]:
    """Return the first and the last day, both included, of a time in the reporting time zone; `until` is not included."""
    row = connection.execute(
        "SELECT (%(since)s::timestamptz AT TIME ZONE time_zone)::date, "
        "((%(until)s::timestamptz - interval '1 microsecond') AT TIME ZONE time_zone)::date FROM replicator.reporting",
        {"since": since, "until": until},
    ).fetchone()
    return (None, None) if row is None else (row[0], row[1])
