"""Worlds of a few calls with parties of their own, and made-up ones that another hand counts again."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.sql import fix_small_world
from tests.sql.fix_small_world import Call, call_id

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Kiritimati")
ANNA, BEN, CARLA = "+12025550111", "+12025550122", "+12025550133"
OPEN, NOT_PLACED = {"queued", "ringing", "in_progress"}, {"failed", "cancelled"}


@dataclass(frozen=True)
class Contact(Call):
    """A call with a party of its own."""

    party: str | None = ANNA
    account: str = "main"

    @property
    def is_conversation(self) -> bool:
        return self.status == "completed" and self.start is not None and (self.duration is None or self.duration >= 1)

    @property
    def key(self) -> tuple[datetime, int]:
        assert self.created_at is not None
        return self.created_at, self.number


def empty(connection: Connection, time_zone: str = "UTC") -> None:
    """Take every call away: what follows is counted alone."""
    connection.execute("UPDATE replicator.reporting SET time_zone = %s", [time_zone])
    with fix_small_world.as_a_sync_writes(connection):
        for table in ("calls", "call_versions", "transcripts", "recordings", "transcript_segments"):
            connection.execute(f"DELETE FROM truedy.{table}")
        connection.execute("DELETE FROM replicator.cost_changes")


def add(connection: Connection, *calls: Contact) -> None:
    with fix_small_world.as_a_sync_writes(connection):
        for call in calls:
            fix_small_world.insert(connection, call)
            own = "from_number" if call.direction == "inbound" else "phone_number"
            connection.execute(
                f"UPDATE truedy.calls SET {own} = %s, account = %s WHERE id = %s",
                [call.party, call.account, call_id(call.number)],
            )
    if len(calls) > 1:
        fix_small_world.analyze(connection)


def made_up(seed: int, size: int, *, end: datetime, days: int) -> list[Contact]:
    """Calls of five parties in the days before `end`, many at the same instants, in every stage."""
    dice = random.Random(seed)
    found = []
    for number in range(100, 100 + size):
        created = end - timedelta(hours=dice.randrange(days * 24), minutes=30 * dice.randrange(2))
        status = dice.choice(("completed", "completed", "no_answer", "busy", "voicemail", "failed", "queued", "odd"))
        is_connected = status in {"completed", "voicemail"}
        found.append(
            Contact(
                number,
                created.astimezone(UTC).replace(tzinfo=None).isoformat(),
                status,
                dice.randrange(30) if is_connected else None,
                dice.choice((0, 5, 61)) if is_connected else None,
                dice.choice((None, "0.1", "0.02")),
                dice.choice(("outbound", "outbound", "inbound")),
                party=dice.choice((ANNA, BEN, CARLA, "+12025550144", None)),
                account=dice.choice(("main", "main", "other")),
            )
        )
    return found


def moved(call: Contact, **changes: Any) -> Contact:
    return replace(call, **changes)
