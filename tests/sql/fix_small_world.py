"""Twenty-nine calls that can be counted by hand: days on which clocks change, null costs, open and unknown calls.

Numbers are fictional (+1202555 01xx). Instants are in 2025, so that everything is older than any horizon; what must be
recent is made by the test that needs it. The tests' expectations were worked out from this table, not from the views.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from tests.sql import fix_small_money

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

AGENT_A = UUID("aaaaaaaa-0000-4000-8000-000000000000")
AGENT_B = UUID("bbbbbbbb-0000-4000-8000-000000000000")


def call_id(number: int) -> UUID:
    return UUID(int=number)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Call:
    """A call: `start` is seconds from the creation to the connection; the end is the start plus the duration."""

    number: int
    created: str | None
    status: str
    start: int | None = None
    duration: int | None = None
    cost: str | None = None
    direction: str | None = "outbound"
    agent: UUID | None = AGENT_A
    campaign: str | None = None
    is_deleted: bool = False

    @property
    def created_at(self) -> datetime | None:
        return at(self.created) if self.created else None

    @property
    def started_at(self) -> datetime | None:
        if self.created_at is None or self.start is None:
            return None
        return self.created_at + timedelta(seconds=self.start)

    @property
    def ended_at(self) -> datetime | None:
        if self.started_at is None or self.duration is None:
            return None
        return self.started_at + timedelta(seconds=self.duration)


CALLS = (
    # Berlin, the day of 23 hours: 30 March lasts from 23:00 UTC the evening before to 22:00 UTC. Outbound, agent A.
    Call(1, "2025-03-29T22:59:59", "completed", 10, 60, "0.1000", campaign="c1"),  # starts and ends the next day
    Call(2, "2025-03-29T23:00:00", "completed", 5, 120, "0.2000", campaign="c1"),
    Call(3, "2025-03-30T00:59:59.999999", "voicemail", 4, 30, "0.0500", campaign="c1"),
    Call(4, "2025-03-30T01:00:00", "no_answer", campaign="c1"),  # 03:00, one microsecond after 01:59:59.999999
    Call(5, "2025-03-30T21:59:59", "busy", campaign="c1"),
    Call(6, "2025-03-30T22:00:00", "failed", cost="0.0010", campaign="c1"),  # not placed, and charged
    Call(7, "2025-03-30T12:00:00", "failed", 2, 8, campaign="c1"),  # connected, broke off, cost to come
    Call(8, "2025-03-30T12:05:00", "cancelled", campaign="c2"),
    Call(9, "2025-03-30T12:10:00", "completed", 3, 0, "0", campaign="c2"),  # zero seconds, zero dollars: both known
    Call(10, "2025-03-30T12:15:00", "completed", 3, 300, campaign="c2"),  # cost to come
    Call(11, "2025-03-30T12:20:00", "in_progress", 3, campaign="c2"),
    Call(12, "2025-03-30T12:25:00", "transferring", campaign="c2"),  # unknown and not over
    Call(13, "2025-03-30T12:30:00", "transferred", 5, 45, "0.0700", campaign="c2"),  # unknown and over
    # Berlin, the day of 25 hours: 26 October lasts from 22:00 UTC the evening before to 23:00 UTC. Agent B.
    Call(14, "2025-10-26T00:30:00", "completed", 1, 61, "0.1234", "inbound", AGENT_B),  # 02:30, summer time
    Call(15, "2025-10-26T01:30:00", "completed", 1, 62, "0.1000", "inbound", AGENT_B),  # 02:30 again, winter time
    Call(16, "2025-10-25T22:00:00", "completed", 0, 63, "0.2000", "inbound", AGENT_B),
    Call(17, "2025-10-26T22:59:59", "completed", 0, 64, "0.2000", "inbound", AGENT_B),  # ends the next day
    Call(18, "2025-10-26T23:00:00", "completed", 0, 65, "0.0001", "inbound", AGENT_B),
    Call(19, "2025-10-26T10:00:00", "ended", None, 40, "0.0500", "webrtc", AGENT_B),  # no start, but a duration
    Call(20, "2025-10-26T11:00:00", "ended", None, None, None, "webrtc", AGENT_B),  # neither
    Call(21, "2025-10-26T12:00:00", "no_answer", 0, 20, None, "inbound", AGENT_B),  # its start stamps the dialling
    # New York, 2 November: from 04:00 UTC to 05:00 UTC the day after. Then 9 March: from 05:00 UTC to 04:00 UTC.
    Call(22, "2025-11-02T05:30:00", "completed", 0, 100, "0.3000", agent=AGENT_B),  # 01:30, summer time
    Call(23, "2025-11-02T06:30:00", "completed", 0, 200, "0.6000", agent=AGENT_B),  # 01:30 again, winter time
    Call(24, "2025-11-03T04:59:59", "completed", 0, 10, "0.0300", agent=AGENT_B),  # ends the next day
    Call(25, "2025-03-09T06:59:00", "no_answer", agent=AGENT_B),
    Call(26, "2025-03-09T07:00:00", "busy", agent=AGENT_B),  # 03:00
    Call(27, "2025-03-10T03:59:59", "queued", agent=AGENT_B),
    Call(28, "2025-03-09T12:00:00", "completed", 0, 20, "0.0200", agent=AGENT_B, is_deleted=True),
    Call(29, None, "completed", None, 5, "0.0050", None, None),  # nothing is known of when, who and which way
)

SEGMENTS = (
    (2, 0, "agent", "Hello there.", "0", "1.5"),
    (2, 1, "contact", "  two\n words ", "2", None),
    (2, 2, "tool", "", None, None),
    (14, 0, "contact", "Good morning", "0.25", "1.125"),
)
OURS, THEIRS = "+12025550100", "+12025550199"
KEYS = {OURS: "0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d", THEIRS: "f0e1d2c3b4a5f6e7d8c9b0a1f2e3d4c5"}


@contextmanager
def as_a_sync_writes(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Write without JIT, as each transaction of ours does: it would compile each trigger's queries anew for each row. What reads
    the world afterwards has the setting from before.
    """
    (before,) = connection.cursor(row_factory=tuple_row).execute("SHOW jit").fetchone() or ("on",)
    connection.execute("SET jit = off")
    yield
    connection.execute(f"SET jit = {before}")


def analyze(connection: psycopg.Connection[Any]) -> None:
    """Make the planner's statistics, as every sync does: without them a server with JIT compiles each query for seconds."""
    tables = connection.execute(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('truedy', 'replicator', 'rollup', 'archive')"
    ).fetchall()
    names = [sql.Identifier(*(row.values() if isinstance(row, dict) else row)) for row in tables]
    connection.execute(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(names)))


def build(connection: psycopg.Connection[Any], *, time_zone: str = "UTC") -> None:
    """Insert the small world into an empty, migrated database."""
    # A cost of 2025 that has not come is still expected, whatever the clock says; tests of giving up set this themselves.
    connection.execute("UPDATE replicator.reporting SET time_zone = %s, cost_give_up_days = 3650", [time_zone])
    for call in CALLS:
        insert(connection, call)
    with as_a_sync_writes(connection):
        _details(connection)
        _changes(connection)
    connection.cursor().executemany(
        "INSERT INTO replicator.coverage (account, since, until, verified_at, is_proven, reason) "
        "VALUES ('main', %s, %s, %s, %s, %s)",
        [
            ("-infinity", "2025-10-01Z", "2025-12-01Z", True, ""),
            ("2025-10-01Z", "2025-10-26T12:00Z", "2025-12-02Z", False, "ties wider than a page"),
            # A hole of ten hours, in which call 21 stands alone, at its very beginning.
            ("2025-10-26T22:00Z", "2025-12-03Z", "2025-12-03Z", True, ""),
        ],
    )
    connection.cursor().executemany(
        "INSERT INTO replicator.parties (account, number, party_key, key_id) VALUES ('main', %s, %s, 'a key')",
        list(KEYS.items()),
    )
    connection.execute(
        "INSERT INTO replicator.source_state VALUES ('main', 'http://source.test', now() - interval '90 s', 28, now())"
    )
    connection.execute(
        "INSERT INTO archive.holds (account, name, reason, placed_by, placed_at, since) "
        "VALUES ('main', 'case-1', 'a suit', 'ann', now(), now())"
    )
    connection.execute(
        "INSERT INTO archive.erasures (account, kind, selection, asked_by, asked_at, reason, numbers) "
        "VALUES ('main', 'erasure', 'a hash', 'ann', now(), 'ticket 17', 1)"
    )
    connection.execute(
        "INSERT INTO replicator.renewal_classes VALUES ('main', 1, 0, 86400, 3600), ('main', 2, 86400, NULL, 86400)"
    )
    connection.cursor().executemany(
        "INSERT INTO replicator.runs (account, command, replicator_version, holder, epoch, finished_at, outcome, message) "
        "VALUES (%s, 'sync', '0', 'test', 1, clock_timestamp(), %s, %s)",
        [("main", "done", None), ("main", "bounded", "stopped at its limit"), ("new", "failed", "BadKey: refused")],
    )
    connection.cursor().executemany(
        "INSERT INTO replicator.quarantine (account, request, reason, raw, raw_sha256, first_seen_at, last_seen_at, "
        "resolved_at) VALUES ('main', 'list', %s, '', '', now(), now(), %s)",
        [("no id", None), ("no id, once", at("2025-12-01T00:00:00"))],
    )
    fix_small_money.build(connection, time_zone, OURS, THEIRS)
    _archive(connection)
    connection.commit()
    analyze(connection)
    connection.commit()


def _archive(connection: psycopg.Connection[Any]) -> None:
    """Let the archive be on: a call of which one version is sealed, its recording waits, and payment data was taken out."""
    connection.execute("INSERT INTO archive.chains (account) VALUES ('main')")
    connection.execute(
        "INSERT INTO archive.records (account, sequence, kind, subject, observed_at, commitment, block) "
        "VALUES ('main', 1, 'call', %s, now(), '', 1)",
        [call_id(2)],
    )
    connection.execute(
        "INSERT INTO archive.objects (account, call_id, next_try_at) VALUES ('main', %s, now())", [call_id(2)]
    )
    connection.execute("INSERT INTO archive.disclosures VALUES (%s, 'main', 0, 'a rule')", [call_id(2)])
    connection.execute(
        "INSERT INTO archive.payment_findings (account, call_id, place, position, start_offset, end_offset, "
        "masked_end_offset, kind, rule) VALUES ('main', %s, 'summary', 0, 0, 0, 0, 'card_number', 'visa')",
        [call_id(2)],
    )


def insert_a_recent_one(connection: psycopg.Connection[Any]) -> None:
    """Insert a call of an hour ago, for what shows the last days only."""
    insert(connection, Call(99, None, "completed", None, 30, "0.0100"))
    connection.execute(
        "UPDATE truedy.calls SET created_at = now() - interval '1 hour', started_at = now() - interval '1 hour', "
        "ended_at = now() - interval '59 minutes' WHERE id = %s",
        [call_id(99)],
    )


def insert(connection: psycopg.Connection[Any], call: Call) -> None:
    """Insert one call and its version."""
    has_numbers = call.direction in {"inbound", "outbound"}
    called, caller = (OURS, THEIRS) if call.direction == "inbound" else (THEIRS, OURS)
    key, raw = hashlib.sha256(str(call.number).encode()).digest(), Jsonb({"id": str(call_id(call.number))})
    seen_at = at("2025-12-01T00:00:00")
    with as_a_sync_writes(connection):
        connection.execute(
            "INSERT INTO truedy.calls (id, account, agent_id, phone_number, from_number, direction, status, started_at, "
            "ended_at, duration_seconds, cost_usd, summary, context, created_at, updated_at, raw, fingerprint, version, "
            "observed_at, first_seen_at, changed_at, deleted_at) VALUES (%s, 'main', %s, %s, %s, %s, %s, %s, %s, %s, %s, "
            "%s, %s, %s, %s, %s, %s, 1, %s, %s, %s, %s)",
            [
                call_id(call.number), call.agent, called if has_numbers else None, caller if has_numbers else None,
                call.direction, call.status, call.started_at, call.ended_at, call.duration,
                None if call.cost is None else Decimal(call.cost), "Secret summary" if call.number == 2 else None,
                Jsonb({"campaign_id": call.campaign, "last_error": "Secret error"}), call.created_at, call.created_at, raw,
                key, seen_at, seen_at, seen_at, seen_at if call.is_deleted else None,
            ],
        )  # fmt: skip
        connection.execute(
            "INSERT INTO truedy.call_versions (call_id, version, observed_at, fingerprint, raw) VALUES (%s, 1, %s, %s, %s)",
            [call_id(call.number), seen_at, key, raw],
        )


def _details(connection: psycopg.Connection[Any]) -> None:
    seen_at = at("2025-12-01T00:00:00")
    for table, states in {
        "transcripts": {2: "present", 14: "present", 10: "pending", 22: "absent_final"},
        "recordings": {2: "present", 10: "pending"},
    }.items():
        for number, state in states.items():
            is_there = state == "present"
            connection.execute(
                f"INSERT INTO truedy.{table} (call_id, state, due_at, fetched_at) VALUES (%s, %s, %s, %s)",
                [call_id(number), state, seen_at if state == "pending" else None, seen_at if is_there else None],
            )
    connection.cursor().executemany(
        "INSERT INTO truedy.transcript_segments (call_id, position, speaker, text, start_seconds, end_seconds, raw) "
        "VALUES (%s, %s, %s, %s, %s, %s, '{}')",
        [(call_id(number), *rest) for number, *rest in SEGMENTS],
    )
    connection.execute(
        "UPDATE truedy.transcripts t SET segment_count = (SELECT count(*) FROM truedy.transcript_segments s "
        "WHERE s.call_id = t.call_id) WHERE state = 'present'"
    )


def _changes(connection: psycopg.Connection[Any]) -> None:
    """Of call 2 the cost came after it was first seen, and a field is there that the contract does not name."""
    connection.execute(
        "INSERT INTO replicator.cost_changes (call_id, old_usd, new_usd, observed_at) VALUES (%s, NULL, 0.2, %s)",
        [call_id(2), at("2025-12-01T00:00:00")],
    )
    for table, key in (("calls", "id"), ("call_versions", "call_id")):
        connection.execute(
            f"""UPDATE truedy.{table} SET raw = raw || '{{"end_reason": "hangup"}}' WHERE {key} = %s""", [call_id(2)]
        )
