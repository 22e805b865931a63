"""The merge against PostgreSQL: in whatever order and however often observations arrive, the same replica results."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replicator.records import Call
from replicator.source.parsing import parse_row
from replicator.store import stored_calls
from replicator.sync.content.calls import Observation, settle

if TYPE_CHECKING:
    from replicator.store.database import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SLOW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Sight:
    """One call as one response showed it, as the strategies make it."""

    call: int
    content: int
    updated: int | None
    asked: int

    def observation(self) -> Observation:
        payload = {
            "id": str(UUID(int=self.call + 1)),
            "status": "completed",
            "cost_usd": f"0.{self.content:04d}",
            "created_at": NOON.isoformat(),
            "updated_at": None if self.updated is None else (NOON + timedelta(seconds=self.updated)).isoformat(),
        }
        call = parse_row(json.dumps(payload).encode())
        assert isinstance(call, Call)
        return Observation(call, NOON + timedelta(seconds=self.asked))


@st.composite
def histories(draw: st.DrawFn) -> list[Sight]:
    """What one source can have shown: contents follow each other, updated_at never runs backwards, some rows lack it."""
    sights = []
    asked = iter(range(1, 1000))
    for call in range(draw(st.integers(1, 3))):
        content, updated = 0, draw(st.one_of(st.none(), st.just(0)))
        for _ in range(draw(st.integers(1, 5))):
            change = draw(st.sampled_from(["same", "content", "touch"]))
            content += change == "content"
            if updated is not None and change != "same":
                updated += 1
            sights.append(Sight(call, content, updated, next(asked)))
    return sights


def clear(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute("TRUNCATE truedy.calls, truedy.call_versions")


def write(database: Database, sights: list[Sight]) -> None:
    seen = [sight.observation() for sight in sights]
    with database.transaction() as tx:
        settled = settle(stored_calls.known_calls(tx, "default", [one.call.id for one in seen]), seen)
        stored_calls.write_calls(tx, "default", settled.calls, settled.versions)


def state(database: Database) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(
            "SELECT id, cost_usd, updated_at, fingerprint FROM truedy.calls ORDER BY id"
        ).fetchall()


@pytest.mark.slow
@SLOW
@given(histories(), st.randoms(use_true_random=False), st.integers(1, 4))
def test_order_and_repetition_do_not_matter(database: Database, sights: list[Sight], random: Any, size: int) -> None:
    """Shuffled, repeated and cut into any batches, what was seen last is what is stored, and no content is lost."""
    latest = {sight.call: sight for sight in sights}
    shuffled = sights + random.choices(sights, k=len(sights) // 2)
    random.shuffle(shuffled)
    clear(database)
    for first in range(0, len(shuffled), size):
        write(database, shuffled[first : first + size])
    found = state(database)
    assert [(row[0].int - 1, str(row[1])) for row in found] == [
        (call, f"0.{sight.content:04d}") for call, sight in sorted(latest.items())
    ]
    with database.connection() as connection:
        kept = connection.execute("SELECT DISTINCT call_id, raw->>'cost_usd' FROM truedy.call_versions").fetchall()
        doubled = connection.execute(
            "SELECT 1 FROM truedy.call_versions v JOIN truedy.calls c ON c.id = v.call_id WHERE v.version > c.version"
        ).fetchall()
    assert {(call.int - 1, cost) for call, cost in kept} == {(sight.call, f"0.{sight.content:04d}") for sight in sights}
    assert doubled == []


@pytest.mark.slow
@SLOW
@given(histories())
def test_the_same_again_writes_nothing(database: Database, sights: list[Sight]) -> None:
    """Repeating a batch changes no row, no version and no place on disk."""
    clear(database)
    write(database, sights)
    look = "SELECT id::text, xmin::text, ctid::text FROM truedy.calls UNION ALL SELECT call_id || '/' || version, xmin::text, ctid::text FROM truedy.call_versions ORDER BY 1"
    with database.connection() as connection:
        before = connection.execute(look).fetchall()
    latest = list({sight.call: sight for sight in sights}.values())
    write(database, latest)
    with database.connection() as connection:
        assert connection.execute(look).fetchall() == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.decimals(allow_nan=False, allow_infinity=False).map(str)
    | st.text(st.characters(codec=None, exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec=None, exclude_categories=()), max_size=6), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@SLOW
@given(JSON, st.text(st.characters(codec=None, exclude_categories=())))
def test_whatever_a_row_holds_is_stored(database: Database, context: Any, summary: str) -> None:
    """NUL, lone surrogates, any nesting and any number: jsonb and text take every row that parses."""
    clear(database)
    payload = {
        "id": str(UUID(int=7)),
        "created_at": NOON.isoformat(),
        "context": context,
        "summary": summary,
        "\x00": 1,
    }
    call = parse_row(json.dumps(payload).encode())
    assert isinstance(call, Call), call
    with database.transaction() as tx:
        settled = settle({}, [Observation(call, NOON)])
        stored_calls.write_calls(tx, "default", settled.calls, settled.versions)
        stored = tx.execute(
            "SELECT raw = %s::jsonb, summary IS NOT DISTINCT FROM %s FROM truedy.calls", [call.raw, call.summary]
        ).fetchone()
    assert stored == (True, True)


def test_cost_keeps_every_digit(database: Database) -> None:
    """Money goes from the JSON digits to numeric without passing through binary floating point."""
    row = parse_row(b'{"id": "00000000-0000-0000-0000-000000000009", "cost_usd": 0.1000000000000000055511151231257827}')
    assert isinstance(row, Call)
    with database.transaction() as tx:
        settled = settle({}, [Observation(row, NOON)])
        stored_calls.write_calls(tx, "default", settled.calls, settled.versions)
        assert (
            str(tx.execute("SELECT cost_usd FROM truedy.calls").fetchall()[0][0])
            == "0.1000000000000000055511151231257827"
        )


def test_a_tombstone_is_lifted_when_the_call_is_seen_again(database: Database) -> None:
    """A call that was found deleted and is listed again is live again."""
    write(database, [Sight(1, 0, 0, 1)])
    with database.transaction() as tx:
        tx.execute("UPDATE truedy.calls SET deleted_at = now()")
    write(database, [Sight(1, 0, 0, 2)])
    with database.connection() as connection:
        assert connection.execute("SELECT deleted_at FROM truedy.calls").fetchall() == [(None,)]


def test_a_first_version_is_what_was_seen_first(database: Database) -> None:
    """A new call that one batch shows twice, the second time with a later stamp only: the version has the instants of
    the first look, the call those of the second. With other content the second time, each look has its version.
    """
    for second, versions in ((Sight(0, 0, 9, 2), [(1, 0, 1)]), (Sight(0, 5, 9, 2), [(1, 0, 1), (2, 9, 2)])):
        clear(database)
        write(database, [Sight(0, 0, 0, 1), second])
        with database.transaction() as tx:
            found = tx.execute(
                "SELECT version, extract(epoch FROM updated_at - %(noon)s)::int, extract(epoch FROM observed_at - %(noon)s)::int "
                "FROM truedy.call_versions ORDER BY version",
                {"noon": NOON},
            ).fetchall()
            same = tx.execute(
                "SELECT c.raw = v.raw, c.observed_at FROM truedy.calls c JOIN truedy.call_versions v ON v.call_id = c.id "
                "ORDER BY v.version DESC LIMIT 1"
            ).fetchone()
        assert found == versions
        assert same is not None
        assert same[1] == NOON + timedelta(seconds=2)
        assert same[0] is (len(versions) == 2)  # the row's own JSON has the later stamp
