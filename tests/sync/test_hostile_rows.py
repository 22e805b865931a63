"""One hostile row among a hundred, over real HTTP into a real database: its bad field is set aside, and the page is proven."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from replicator.simulator import wire
from replicator.simulator.switches import Switches
from replicator.source.limits import MAX_DEPTH
from replicator.sync.content.calls import Policy
from replicator.sync.coverage.ledger import RenewalPolicy, RenewalRule
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from collections.abc import Callable

    from replicator.store.database import Database

    Spoil = Callable[[bytes], bytes]
    Spoiling = Callable[[Setting, str, Spoil], None]

CALLS = 100
FREE = Switches(limit=None)
LIST_ONLY = {"details": Policy(kinds=())}
AT_ONCE = RenewalPolicy((RenewalRule(timedelta(days=36500), timedelta(0)),))


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Spoiling:
    """Make the source show one call's row as other bytes, in its lists and by itself."""
    spoiled: dict[str, Spoil] = {}
    sound = wire.call_bytes

    def call_bytes(row: Any, *arguments: Any, **options: Any) -> bytes:
        return spoiled.get(row["id"], bytes)(sound(row, *arguments, **options))

    monkeypatch.setattr(wire, "call_bytes", call_bytes)

    def now(there: Setting, call_id: str, how: Spoil) -> None:
        spoiled[call_id] = how
        there.world.change(there.world.index_of(call_id) or 0, {}, moves_updated_at=False)

    return now


def with_value(name: str, value: bytes) -> Spoil:
    """Return what puts `value` in the place of a field."""

    def spoil(row: bytes) -> bytes:
        fields = {key: json.dumps(field).encode() for key, field in json.loads(row).items()} | {name: value}
        return b"{" + b",".join(b'"%b":%b' % (key.encode(), field) for key, field in fields.items()) + b"}"

    return spoil


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def shout_id(row: bytes) -> bytes:
    return re.sub(rb'"id":"[^"]+"', lambda match: match[0].upper().replace(b'"ID"', b'"id"'), row)


FIELD_ASIDE: dict[str, tuple[Spoil, str, str]] = {
    "200 deep and the row": (with_value("context", nested(MAX_DEPTH)), "context", "nested"),
    "5,000 deep": (with_value("context", nested(5_000)), "context", "nested"),
    "100,000 deep": (with_value("context", nested(100_000)), "context", "nested"),
    "100,000 objects deep": (with_value("context", b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "context", "nested"),
    "5,000 digits in context": (with_value("context", b'{"n":%b}' % (b"1" * 5_000)), "context.n", "range"),
    "5,000 digits in cost": (with_value("cost_usd", b"1" * 5_000), "cost_usd", "range"),
    "1,001 digits in cost": (with_value("cost_usd", b"0." + b"1" * 1_000), "cost_usd", "digits"),
    "1e200000 in cost": (with_value("cost_usd", b"1e200000"), "cost_usd", "exponent"),
    "1e200000 in context": (with_value("context", b"[1e200000]"), "context", "exponent"),
    "1e-200000 in context": (with_value("context", b"[1e-200000]"), "context", "exponent"),
    "1e99999999999999999999": (with_value("context", b"[1e99999999999999999999]"), "context", "range"),
    "NaN in cost": (with_value("cost_usd", b"NaN"), "cost_usd", "malformed"),
    "NaN in context": (with_value("context", b'{"campaign_id":"c1","score":NaN}'), "context.score", "malformed"),
    "Infinity in context": (with_value("context", b"[-Infinity]"), "context", "malformed"),
    "invalid UTF-8": (with_value("summary", b'"caf\xe9"'), "summary", "UTF-8"),
    "an encoded surrogate": (with_value("summary", b'"\xed\xa0\x80"'), "summary", "UTF-8"),
    "a control character": (with_value("summary", b'"a\x01b"'), "summary", "malformed"),
    "9 MB of summary": (with_value("summary", b'"%b"' % (b"x" * 9_000_000)), "summary", "larger than 8 MiB"),
    "9 MB in context": (
        with_value("context", b'{"campaign_id":"c1","note":"%b"}' % (b"x" * 9_000_000)), "context.note", "larger than 8 MiB",
    ),
    "an unknown field": (with_value("odd name\u202e", b"NaN"), "other field", "malformed"),
}  # fmt: skip
"""What is done to the row, the field that is set aside, and a word of the reason."""


@pytest.mark.parametrize("name", FIELD_ASIDE)
def test_a_field_that_cannot_be_stored_is_set_aside_alone(database: Database, spoil: Spoiling, name: str) -> None:
    """All 100 calls are stored and the list is proven. The field's bytes are in quarantine with its name, the reason and the
    request, `problems` names it, every other field of the call counts; when it can be read, the call and the books say so.
    """
    how, field, reason = FIELD_ASIDE[name]
    column = field.partition(".")[0]
    with source(database, calls=CALLS, switches=FREE) as there:
        victim = there.world.live_ids()[40]
        spoil(there, victim, how)
        report = there.sync(**LIST_ONLY)
        assert (report.result, report.counters.rows_quarantined, report.counters.failures) == ("done", 1, 0)
        assert there.value("SELECT count(*) FROM truedy.calls") == CALLS
        assert [line for line in there.differences(transcripts=False) if f".{column}:" not in line] == []
        ((raw, why, request, aside, call_id),) = there.rows(
            "SELECT raw, reason, request, field, call_id::text FROM replicator.quarantine"
        )
        assert raw in how(b'{"id":"x"}')
        assert reason in why
        assert (aside, call_id) == (field, victim)
        assert request.startswith("GET /calls?limit=100")
        assert there.value("SELECT bool_and(is_proven) FROM replicator.coverage")
        assert there.rows(f"SELECT problems FROM truedy.calls WHERE id = '{victim}'") == [([column],)]
        if "." in field:
            assert there.value(
                f"SELECT context ? 'note' OR context ? 'score' OR context ? 'n' FROM truedy.calls WHERE id = '{victim}'"
            )
        assert there.value("SELECT quarantined_rows FROM analytics.replication_freshness") == 0
        spoil(there, victim, bytes)
        there.sync(**LIST_ONLY, renewal=AT_ONCE)
        assert there.differences(transcripts=False) == []
        assert there.value("SELECT count(*) FROM replicator.quarantine WHERE resolved_at IS NULL") == 0
        assert there.rows(f"SELECT problems, version FROM truedy.calls WHERE id = '{victim}'") == [([], 2)]


def test_two_calls_with_the_same_bytes_are_set_aside_by_themselves(database: Database, spoil: Spoiling) -> None:
    """Each has its own row in quarantine, and one of them resolved leaves the other."""
    with source(database, calls=CALLS, switches=FREE) as there:
        one, other = there.world.live_ids()[40:42]
        for victim in (one, other):
            spoil(there, victim, with_value("context", nested(300)))
        there.sync(**LIST_ONLY)
        spoil(there, one, bytes)
        there.sync(**LIST_ONLY, renewal=AT_ONCE)
        there.sync(**LIST_ONLY, renewal=AT_ONCE)
        assert there.rows("SELECT call_id::text, resolved_at IS NULL FROM replicator.quarantine ORDER BY 2") == [
            (one, False), (other, True),
        ]  # fmt: skip


ROW_ASIDE: dict[str, tuple[Spoil, str]] = {
    "no id": (lambda row: re.sub(rb'"id":"[^"]+",', b"", row), "no valid id"),
    "no UUID": (with_value("id", b'"call-17"'), "no valid id"),
    "a number for an id": (with_value("id", b"17"), "no valid id"),
    "the nil UUID": (with_value("id", b'"00000000-0000-0000-0000-000000000000"'), "no valid id"),
    "NaN for an id": (with_value("id", b"NaN"), "malformed"),
    "a string": (lambda _: b'"a string in place of a call"', "not an object"),
    "null": (lambda _: b"null", "not an object"),
    "an array": (lambda row: b"[" + row + b"]", "not an object"),
    "a word": (lambda _: b"oops", "malformed"),
    "a key that is none": (lambda row: row.replace(b'"summary"', b"summary"), "malformed"),
}


@pytest.mark.parametrize("name", ROW_ASIDE)
def test_a_row_without_an_identity_is_set_aside_alone(database: Database, spoil: Spoiling, name: str) -> None:
    """The other 99 are stored, the row's bytes are in quarantine with the reason and the request, the list is proven."""
    how, reason = ROW_ASIDE[name]
    with source(database, calls=CALLS, switches=FREE) as there:
        victim = there.world.live_ids()[40]
        bad = b""

        def remember(row: bytes) -> bytes:
            nonlocal bad
            bad = how(row)
            return bad

        spoil(there, victim, remember)
        report = there.sync(**LIST_ONLY)
        assert (report.result, report.counters.rows_quarantined, report.counters.failures) == ("done", 1, 0)
        assert there.value("SELECT count(*) FROM truedy.calls") == CALLS - 1
        assert [line for line in there.differences(transcripts=False) if victim not in line] == []
        ((raw, why, request, field),) = there.rows("SELECT raw, reason, request, field FROM replicator.quarantine")
        assert (raw, field) == (bad, None)
        assert reason in why
        assert request.startswith("GET /calls?limit=100")
        assert there.value("SELECT bool_and(is_proven) FROM replicator.coverage")


def five_megabytes(row: bytes) -> bytes:
    return with_value("context", b'{"note":"%b"}' % (b"x" * 5_000_000))(row)


STORED: dict[str, tuple[Spoil, str, Any]] = {
    "199 deep and the row": (with_value("context", nested(MAX_DEPTH - 1)), "context::text", "[" * 199 + "]" * 199),
    "1e400 in cost": (with_value("cost_usd", b"1e400"), "cost_usd = ('1' || repeat('0', 400))::numeric", True),
    "1e400 in context": (with_value("context", b"[1e400]"), "context->>0 = '1' || repeat('0', 400)", True),
    "1e-400 in cost": (with_value("cost_usd", b"1e-400"), "cost_usd > 0 AND cost_usd < 1e-399", True),
    "5 MB of context": (five_megabytes, "length(context->>'note')", 5_000_000),
    "an upper-case id": (shout_id, "id = lower(raw->>'id')::uuid AND raw->>'id' <> id::text", True),
    "duplicate keys": (lambda row: b'{"summary":"first",' + row[1:-1] + b',"summary":"last"}', "summary", "last"),
    "a duplicate id": (lambda row: b'{"id":"17",' + row[1:], "id::text <> '17'", True),
}


@pytest.mark.parametrize("name", STORED)
def test_an_odd_row_that_can_be_stored_is_stored(database: Database, spoil: Spoiling, name: str) -> None:
    """Within the limits nothing is refused: it is stored under its canonical id, exactly, beside the other 99."""
    how, shown, expected = STORED[name]
    with source(database, calls=CALLS, switches=FREE) as there:
        victim = there.world.live_ids()[40]
        spoil(there, victim, how)
        report = there.sync(**LIST_ONLY)
        assert (report.result, report.counters.rows_quarantined) == ("done", 0)
        assert there.value("SELECT count(*) FROM truedy.calls") == CALLS
        assert there.value(f"SELECT {shown} FROM truedy.calls WHERE id = '{UUID(victim)}'") == expected
        assert [line for line in there.differences(transcripts=False) if victim not in line] == []


BREAKING: dict[str, dict[int, Spoil]] = {
    "cut in a string": {40: lambda row: row[: row.index(b'"created_at"') - 3]},
    "cut behind a bracket": {40: lambda row: row[:-1]},
    "one bracket too many": {40: lambda row: row + b"]"},
    "a quote too many": {40: with_value("summary", b'"5" tall"')},
    "two rows with a quote too many": {
        40: with_value("summary", b'"5" tall"'),
        60: with_value("summary", b'"6" tall"'),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BREAKING)
def test_a_row_that_breaks_its_page_is_narrowed_down(database: Database, spoil: Spoiling, name: str) -> None:
    """Brackets or quotes that do not match make the whole page unreadable. It is narrowed down to the row, every other
    row is stored, the row's place is unsure and in the books, and the run ends.
    """
    with source(database, calls=250, switches=FREE) as there:
        ids = there.world.live_ids()
        for index, how in BREAKING[name].items():
            spoil(there, ids[index], how)
        report = there.sync(**LIST_ONLY)
        assert report.result == "done"
        assert report.counters.requests < 100 * len(BREAKING[name])
        missing = {ids[index] for index in BREAKING[name]}
        found = there.differences(transcripts=False)
        assert {line.split()[0] for line in found if line.endswith("is missing")} == missing
        assert len(found) == len(missing)
        assert report.is_listing_complete
        for victim in missing:
            at = there.world.row(victim)["created_at"]
            assert there.rows(
                f"SELECT is_proven, reason FROM replicator.coverage WHERE since <= '{at}' AND until > '{at}'"
            ) == [(False, "a call that cannot be read")]
        assert there.value("SELECT count(*) FROM replicator.quarantine WHERE resolved_at IS NULL") == len(missing)


def test_a_page_that_is_cut_is_asked_again(database: Database) -> None:
    """A body that ends in the middle proves nothing and costs nothing but requests: in the end all calls are there."""
    with source(database, calls=250, switches=replace(FREE, truncated_body_rate=0.4)) as there:
        there.sync(**LIST_ONLY)
        assert there.differences(transcripts=False) == []
