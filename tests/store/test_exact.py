"""What goes in comes out: every character, every digit, every instant and every version, through a real database."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from replicator.records import Call
from replicator.source.jsontext import unescape
from replicator.source.parsing import parse_row
from replicator.store import stored_calls
from replicator.sync.content.calls import Observation, settle

if TYPE_CHECKING:
    from replicator.store.database import Database

ID = UUID("44ec8f61-6d9a-4553-a6ca-777f5f5ef95b")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BLOCK = 0x4000


def observe(database: Database, *rows: bytes, first_minute: int = 0) -> None:
    """Store rows as if each had been seen a minute after the one before, in a transaction of its own."""
    for minute, raw in enumerate(rows, first_minute):
        call = parse_row(raw)
        assert isinstance(call, Call), call
        with database.transaction() as tx:
            seen = [Observation(call, NOON + timedelta(minutes=minute))]
            settled = settle(stored_calls.known_calls(tx, "default", [call.id]), seen)
            stored_calls.write_calls(tx, "default", settled.calls, settled.versions)


def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(statement).fetchall()


def payload(**fields: Any) -> bytes:
    return json.dumps({"id": str(ID), "created_at": NOON.isoformat(), **fields}).encode()


@pytest.mark.slow
@pytest.mark.parametrize("ascii_only", [True, False])
def test_every_character_of_unicode_comes_back(database: Database, ascii_only: bool) -> None:
    """All 1,114,112 code points, NUL and lone surrogates among them, as text, as a JSON value and as a key: what the
    database holds, unescaped, is what was sent. A flag says where something was escaped.
    """
    texts = ["".join(map(chr, range(start, start + BLOCK))) for start in range(0, sys.maxunicode + 1, BLOCK)]
    for number, text in enumerate(texts):
        # A low surrogate after a high one would be one character to JSON: order them so that none pairs up.
        sent = text[::-1] if "\ud800" in text else text
        if not ascii_only and any("\ud800" <= character <= "\udfff" for character in sent):
            continue  # a lone surrogate has no UTF-8
        row = {"id": str(UUID(int=number + 1)), "summary": sent, "context": {sent: sent}}
        observe(database, json.dumps(row, ensure_ascii=ascii_only).encode())
        ((summary, context, raw, has_escapes),) = rows(
            database, f"SELECT summary, context, raw, has_escapes FROM truedy.calls WHERE id = '{UUID(int=number + 1)}'"
        )
        assert unescape(summary) == sent
        assert {unescape(key): unescape(value) for key, value in context.items()} == {sent: sent}
        assert unescape(raw["summary"]) == sent
        assert has_escapes == any(c in "\x00\ue01b" or "\ud800" <= c <= "\udfff" for c in sent)


@pytest.mark.parametrize(
    "digits",
    ["0.00005", "0.1", "0.10", "0", "-0.3", "0.123456", "1000000.0001", "1234567890123456789", "0.1234567890123456789",
     "1234567890123456.789", "0.30000000000000004", "9999999999.9999"],
)  # fmt: skip
def test_money_comes_back_digit_by_digit(database: Database, digits: str) -> None:
    """As column, in raw, in the history and summed up: no digit is rounded, none is added, and the scale stays."""
    observe(database, payload()[:-1] + f', "cost_usd": {digits}, "context": {{"cost": {digits}}}}}'.encode())
    ((cost, text, raw, nested, total),) = rows(
        database,
        "SELECT cost_usd, cost_usd::text, raw->>'cost_usd', context->>'cost', (SELECT sum(cost_usd) FROM truedy.calls) "
        "FROM truedy.calls",
    )
    assert (str(cost), text, raw, nested, total) == (digits, digits, digits, digits, Decimal(digits))
    assert rows(database, "SELECT raw->>'cost_usd' FROM truedy.call_versions") == [(digits,)]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
def test_instants_come_back_wherever_the_session_is(database: Database, zone: str) -> None:
    """Z, z, an offset, no zone, 0 to 9 digits of a fraction: the same instant in UTC, whatever the session's time zone.
    Second 60 and nonsense are null, and kept in raw.
    """
    spelled = {
        "2026-03-29T01:30:00Z": "2026-03-29T01:30:00.000000Z",
        "2026-03-29t01:30:00z": "2026-03-29T01:30:00.000000Z",
        "2026-03-29T01:30:00": "2026-03-29T01:30:00.000000Z",
        "2026-03-29T07:00:00.5+05:30": "2026-03-29T01:30:00.500000Z",
        "2026-03-28T21:30:00.123456789-04:00": "2026-03-29T01:30:00.123456Z",
        "2026-12-31T23:59:60Z": "2027-01-01T00:00:00.000000Z",
        "soon": None,
    }
    for number, (text, expected) in enumerate(spelled.items()):
        call_id = UUID(int=number + 1)
        observe(database, json.dumps({"id": str(call_id), "ended_at": text}).encode())
        with database.transaction() as tx:
            tx.execute(f"SET LOCAL TIME ZONE '{zone}'")
            shown = tx.execute(
                "SELECT to_char(ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), raw->>'ended_at', problems "
                "FROM truedy.calls WHERE id = %s",
                [call_id],
            ).fetchall()
        assert shown == [(expected, text, [] if expected else ["ended_at"])]


def test_a_value_that_flips_back_unseen_is_no_change(database: Database) -> None:
    """A, then A again (B came and went between two looks): one version. A, B, A as seen: three."""
    one, other = payload(status="completed", updated_at=None), payload(status="failed", updated_at=None)
    observe(database, one, one)
    assert rows(database, "SELECT version FROM truedy.call_versions") == [(1,)]
    observe(database, other, one, first_minute=5)
    assert rows(database, "SELECT raw->>'status' FROM truedy.call_versions ORDER BY version") == [
        ("completed",),
        ("failed",),
        ("completed",),
    ]
    assert rows(database, "SELECT status, version FROM truedy.calls") == [("completed", 3)]


def test_a_context_that_shrinks_to_null_is_replaced_and_kept_in_the_history(database: Database) -> None:
    """The call shows what the source shows now; the version before has what was there."""
    observe(database, payload(context={"campaign_id": "spring", "note": "x"}), payload(context=None))
    assert rows(database, "SELECT context FROM truedy.calls") == [(None,)]
    assert rows(database, "SELECT raw->'context' FROM truedy.call_versions ORDER BY version") == [
        ({"campaign_id": "spring", "note": "x"},),
        (None,),
    ]
