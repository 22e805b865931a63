"""Stores rate cards (schema billing): rows that say what calls should cost, and from when until when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

if TYPE_CHECKING:
    from datetime import date, datetime
    from decimal import Decimal
    from uuid import UUID

    import psycopg

_MOST_SAMPLED = 2_000


@dataclass(frozen=True, slots=True)
class Rate:
    """One rule of the rate card. What is None holds for every call."""

    account: str
    name: str
    direction: str | None
    destination_prefix: str | None
    agent_id: UUID | None
    campaign: str | None
    minimum_seconds: int
    increment_seconds: int
    price_per_minute: Decimal
    valid_from: datetime
    valid_until: datetime | None


def put(tx: psycopg.Connection[Any], rate: dict[str, Any]) -> None:
    """Store a rule. `valid_from` and `valid_until` are days in the reporting time zone, the latter not included.

    A rule of the same name and first day is replaced; an older one of the name without an end, or with a later one, ends
    where the new one begins.
    """
    tx.execute(
        "UPDATE billing.rate_cards c SET valid_until = %(from)s::date::timestamp AT TIME ZONE r.time_zone "
        "FROM replicator.reporting r WHERE c.account = %(account)s AND c.name = %(name)s "
        "AND c.valid_from < %(from)s::date::timestamp AT TIME ZONE r.time_zone "
        "AND (c.valid_until IS NULL OR c.valid_until > %(from)s::date::timestamp AT TIME ZONE r.time_zone)",
        rate,
    )
    tx.execute(
        "INSERT INTO billing.rate_cards AS c (account, name, direction, destination_prefix, agent_id, campaign, minimum_seconds, "
        "increment_seconds, price_per_minute, valid_from, valid_until) "
        "SELECT %(account)s, %(name)s, %(direction)s, %(prefix)s, %(agent)s, %(campaign)s, %(minimum)s, %(increment)s, %(price)s, "
        "%(from)s::date::timestamp AT TIME ZONE r.time_zone, %(until)s::date::timestamp AT TIME ZONE r.time_zone "
        "FROM replicator.reporting r "
        "ON CONFLICT (account, name, valid_from) DO UPDATE SET direction = excluded.direction, "
        "destination_prefix = excluded.destination_prefix, agent_id = excluded.agent_id, campaign = excluded.campaign, "
        "minimum_seconds = excluded.minimum_seconds, increment_seconds = excluded.increment_seconds, "
        "price_per_minute = excluded.price_per_minute, valid_until = excluded.valid_until",
        rate,
    )


def remove(tx: psycopg.Connection[Any], account: str, name: str) -> int:
    """Remove the rules of a name; return how many there were."""
    return tx.execute("DELETE FROM billing.rate_cards WHERE account = %s AND name = %s", [account, name]).rowcount


def listed(connection: psycopg.Connection[Any], account: str) -> list[Rate]:
    """Return an account's rules by name, oldest first."""
    return (
        connection.cursor(row_factory=class_row(Rate))
        .execute(
            "SELECT account, name, direction, destination_prefix, agent_id, campaign, minimum_seconds, increment_seconds, "
            "price_per_minute, valid_from, valid_until FROM billing.rate_cards WHERE account = %s ORDER BY name, valid_from",
            [account],
        )
        .fetchall()
    )


def checked(connection: psycopg.Connection[Any], account: str, period: str | None) -> list[dict[str, Any]]:
    """Return the rows of analytics.rate_check_monthly: of one month, if given."""
    return (
        connection.cursor(row_factory=dict_row)
        .execute(
            "SELECT * FROM analytics.rate_check_monthly WHERE account = %s AND (%s::text IS NULL OR period = %s) "
            "ORDER BY period, rate_name, rate_state",
            [account, period, period],
        )
        .fetchall()
    )


def samples(
    connection: psycopg.Connection[Any], account: str, since: date | None
) -> dict[str, list[tuple[int, Decimal]]]:
    """Return (seconds, cost) of the newest calls with a cost, by direction; at most 2,000."""
    rows = connection.execute(
        "SELECT coalesce(direction, ''), duration_seconds, cost_usd FROM rollup.facts WHERE account = %s AND cost_usd > 0 "
        "AND duration_seconds > 0 AND (%s::date IS NULL OR cost_on >= %s) ORDER BY created_at DESC NULLS LAST LIMIT %s",
        [account, since, since, _MOST_SAMPLED],
    ).fetchall()
    found: dict[str, list[tuple[int, Decimal]]] = {}
    for direction, seconds, cost in rows:
        found.setdefault(direction, []).append((seconds, cost))
    return found
