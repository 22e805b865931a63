"""A month made by hand in a real database: calls, and the vendor's statement of October 2026 as a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from replicator.reconcile import importing
from replicator.reconcile.mapping import Format, Mapping

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

ACCOUNT = "default"
OURS = "+12025550100"
SEEN = datetime(2026, 11, 2, tzinfo=UTC)


def call_id(number: int) -> UUID:
    return UUID(int=number)


def theirs(number: int) -> str:
    return f"+1202555{1000 + number:04d}"


@dataclass(frozen=True, slots=True)
class Made:
    """A call that started at `start` (UTC) and took so many seconds; a `status` other than completed did not connect."""

    number: int
    start: str
    seconds: int
    cost: str | None
    status: str = "completed"
    is_deleted: bool = False
    raw: dict[str, Any] | None = None


def insert(url: str, calls: list[Made], account: str = ACCOUNT) -> None:
    """Store calls as a sync would."""
    with psycopg.connect(url) as connection:
        for call in calls:
            start = datetime.fromisoformat(call.start).replace(tzinfo=UTC)
            is_connected = call.status == "completed"
            end = start + timedelta(seconds=call.seconds)
            connection.execute(
                "INSERT INTO truedy.calls (id, account, phone_number, from_number, direction, status, started_at, ended_at, "
                "duration_seconds, cost_usd, created_at, updated_at, raw, fingerprint, version, observed_at, first_seen_at, changed_at, "
                "deleted_at) VALUES (%s, %s, %s, %s, 'outbound', %s, %s, %s, %s, %s, %s, %s, %s, %s, 1, %s, %s, %s, %s)",
                [
                    call_id(call.number), account, theirs(call.number), OURS, call.status, start if is_connected else None, end,
                    call.seconds, None if call.cost is None else Decimal(call.cost), start - timedelta(seconds=5), end,
                    Jsonb(call.raw or {}), hashlib.sha256(str(call.number).encode()).digest(), SEEN, SEEN, SEEN,
                    SEEN if call.is_deleted else None,
                ],
            )  # fmt: skip


def change(url: str, number: int, new: str) -> None:
    """Give a call another cost, as a sync that sees it would; a trigger keeps the old one."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE truedy.calls SET cost_usd = %s, changed_at = clock_timestamp(), version = version + 1 WHERE id = %s",
            [Decimal(new), call_id(number)],
        )


def prove(url: str, account: str = ACCOUNT) -> None:
    """Prove the coverage of everything up to the end of 2026."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO replicator.coverage (account, since, until, verified_at, is_proven) "
            "VALUES (%s, '-infinity', '2026-12-31Z', '2026-12-31Z', true)",
            [account],
        )


def in_berlin(url: str) -> None:
    """Report by days of Berlin, bill 30 seconds at least, and wait for costs whatever the day of the test."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE replicator.reporting SET time_zone = 'Europe/Berlin', billing_minimum_seconds = 30, cost_give_up_days = 30000"
        )


def bring(
    database: Database,
    path: Path,
    text: str,
    *,
    party: str = "vendor",
    period: str = "2026-10",
    name: str | None = None,
) -> int:
    """Import a statement whose times are UTC; return its id."""
    path.write_text(text, encoding="utf-8")
    mapping = Mapping(party=party, format=Format(time_zone="UTC"))
    return importing.run(database, ACCOUNT, path, mapping, period=period, by="ann", name=name).statement.id
