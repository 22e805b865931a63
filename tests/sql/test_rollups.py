"""Roll-ups: whatever is written in whatever order, what reports read is what counting the calls anew says."""

from __future__ import annotations

import threading
from contextlib import closing
from random import Random
from typing import Any

import psycopg
import pytest

from replicator.errors import DatabaseError
from replicator.store import locks, migrate, rollups, schema_check
from replicator.store.database import Database
from tests.sql import fix_small_world
from tests.sql.fix_small_world import AGENT_A, AGENT_B, Call, call_id

Connection = psycopg.Connection[Any]

KEPT = rollups.kept(schema_check.bundled("sql"))
CURRENTS = [each.name for each in KEPT if each.kept != "call"]
BY_CALL = [each.name for each in KEPT if each.kept == "call"]
ZONES = ("UTC", "Europe/Berlin", "America/Havana", "Atlantic/Azores", "Pacific/Kiritimati", "Australia/Lord_Howe")


def differ(connection: Connection, one: str, other: str) -> bool:
    """Say whether two queries return other rows, or the same ones in other numbers."""
    row = connection.execute(
        f"SELECT count(*) FROM ((({one}) EXCEPT ALL ({other})) UNION ALL (({other}) EXCEPT ALL ({one}))) d"
    ).fetchone()
    return row != (0,)


def differences(connection: Connection) -> list[str]:
    """Return the roll-ups whose current view is not what the definition says of all days, undated ones included."""
    wrong = [
        name
        for name in BY_CALL
        if differ(connection, f"SELECT * FROM rollup.{name}_current", f"SELECT * FROM rollup.{name}_plain")
    ]
    for name in CURRENTS:
        columns = ", ".join(
            row[0]
            for row in connection.execute(
                "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
                "AND attname NOT IN ('account', 'day') ORDER BY attnum",
                [f"rollup.{name}"],
            )
        )
        current = f"SELECT account, day, {columns} FROM rollup.{name}_current"
        plain = f"SELECT account, nullif(day, '-infinity'), {columns} FROM rollup.{name}_plain"
        if differ(connection, current, plain):
            wrong.append(name)
    for name in ("funnel", "costs"):
        measures = "sum(calls)" if name == "funnel" else "sum(cost_usd)"
        by_month = (
            f"SELECT date_trunc('month', day)::date AS month, campaign_id, {measures} FROM rollup.{name}_current GROUP BY 1, 2",
            f"SELECT month, campaign_id, {measures} FROM rollup.{name}_months_current GROUP BY 1, 2",
        )
        by_agent = (
            f"SELECT day, agent_id, {measures} FROM rollup.{name}_current GROUP BY 1, 2",
            f"SELECT day, agent_id, {measures} FROM rollup.{name}_agents_current GROUP BY 1, 2",
        )
        for what, (parts, kept) in {"months": by_month, "agents": by_agent}.items():
            if differ(connection, parts, kept):
                wrong.append(f"{name}_{what}")
    return wrong


PARTS = {
    "funnel": ("calls", "calls open_calls terminal_calls placed_calls answered_calls machine_calls conversations quick_hang_ups goal_calls error_calls"),
    "durations": ("measured_calls", "measured_calls duration_seconds longest_seconds"),
    "costs": (
        "cost_known_calls + cost_pending_calls + cost_given_up_calls",
        "cost_known_calls cost_pending_calls cost_given_up_calls cost_usd timed_cost_usd timed_seconds conversation_cost_usd cost_known_conversations wasted_cost_usd",
    ),
    "conversations": (
        "transcribed_calls",
        "transcribed_calls agent_seconds contact_seconds agent_interruptions contact_interruptions response_seconds response_count",
    ),
}  # fmt: skip
"""What the scorecard takes of each roll-up, and what is not zero where a roll-up has something to say."""


def scorecard_differences(connection: Connection) -> list[str]:
    """Return the roll-ups of which the scorecard counts something else on the days that are not up to date."""
    wrong = []
    for name, (count, columns) in PARTS.items():
        measures = columns.split()
        sums = ", ".join(f"{'max' if each == 'longest_seconds' else 'sum'}({each})::float8" for each in measures)
        parts = (
            f"SELECT account, day, agent_id, {sums} FROM rollup.{name}_live GROUP BY 1, 2, 3 HAVING sum({count}) > 0",
            f"SELECT account, day, agent_id, {', '.join(f'{each}::float8' for each in measures)} "
            f"FROM rollup.scorecard_live WHERE {count} > 0",
        )
        if differ(connection, *parts):
            wrong.append(f"scorecard of {name}")
    return wrong


def test_an_independent_count_agrees(database_url: str) -> None:
    """The definitions themselves, compared with grouping the calls' view by its own days."""
    with psycopg.connect(database_url) as connection:
        for zone in ZONES:
            small_world_in(connection, zone)
            for name, day, measures, counted in (
                ("funnel", "created_on", "sum(calls), sum(conversations)", "count(*), count(*) FILTER (WHERE is_conversation)"),
                ("durations", "started_on", "sum(calls), sum(duration_seconds)", "count(*), coalesce(sum(talk_seconds), 0)"),
                ("costs", "cost_on", "sum(calls), sum(cost_usd)", "count(*), sum(cost_usd)"),
            ):  # fmt: skip
                found = connection.execute(
                    f"SELECT day, direction, agent_id, {measures} FROM rollup.{name}_current GROUP BY 1, 2, 3"
                ).fetchall()
                wanted = connection.execute(
                    f"SELECT {day}, direction, agent_id, {counted} FROM analytics.calls GROUP BY 1, 2, 3"
                ).fetchall()
                assert sorted(found, key=str) == sorted(wanted, key=str), (name, zone)
            connection.rollback()


def small_world_in(connection: Connection, zone: str) -> None:
    connection.execute("UPDATE replicator.reporting SET time_zone = %s", [zone])
    for call in fix_small_world.CALLS:
        fix_small_world.insert(connection, call)


class History:
    """A seeded series of writes and refreshes, on a database of its own."""

    def __init__(self, url: str, seed: int) -> None:
        self._random = Random(seed)
        self._url = url
        self._number = 1000

    def run(self, steps: int) -> list[str]:
        """Return what was wrong after some step, with the steps until then."""
        done: list[str] = []
        with psycopg.connect(self._url, autocommit=True) as connection, closing(Database(self._url)) as database:
            fix_small_world.build(connection)
            for _ in range(steps):
                step = self._random.choice(
                    ["insert", "update", "move", "delete", "segments", "zone", "rule", "refresh", "refresh", "refresh"]
                )
                done.append(step)
                if step == "refresh":
                    rollups.refresh(database, KEPT, most=self._random.choice([1, 3, 100]))
                else:
                    with fix_small_world.as_a_sync_writes(connection):
                        getattr(self, step)(connection)
                if wrong := differences(connection) + scorecard_differences(connection):
                    return [*done, *wrong]
        return []

    def insert(self, connection: Connection) -> None:
        self._number += 1
        day = self._random.randrange(1, 28)
        created = None if self._random.random() < 0.1 else f"2025-{self._random.choice(['03', '10'])}-{day:02}T23:59:50"
        fix_small_world.insert(
            connection,
            Call(
                self._number, created, self._random.choice(["completed", "failed", "queued", "voicemail"]), 5,
                self._random.randrange(100), "0.0123", agent=self._random.choice([AGENT_A, AGENT_B, None]),
                campaign=self._random.choice(["c1", "c2", None]),
            ),
        )  # fmt: skip

    def update(self, connection: Connection) -> None:
        change = self._random.choice(["cost_usd = 1.5", "status = 'busy'", "duration_seconds = 7", "agent_id = NULL"])
        connection.execute(f"UPDATE truedy.calls SET {change} WHERE id = %s", [self._some(connection)])

    def move(self, connection: Connection) -> None:
        by = self._random.choice(["created_at", "started_at", "ended_at"])
        connection.execute(
            f"UPDATE truedy.calls SET {by} = {by} + interval '1 day' * %s WHERE id = %s",
            [self._random.randrange(-40, 40), self._some(connection)],
        )

    def touch(self, connection: Connection) -> None:
        connection.execute("UPDATE truedy.calls SET cost_usd = cost_usd WHERE id = %s", [self._some(connection)])

    def delete(self, connection: Connection) -> None:
        connection.execute("DELETE FROM truedy.calls WHERE id = %s", [self._some(connection)])

    def segments(self, connection: Connection) -> None:
        some = self._some(connection)
        connection.execute("DELETE FROM truedy.transcript_segments WHERE call_id = %s", [some])
        for position in range(self._random.randrange(4)):
            connection.execute(
                "INSERT INTO truedy.transcript_segments (call_id, position, speaker, text, start_seconds, end_seconds, "
                "raw) VALUES (%s, %s, %s, 'some words', %s, %s, '{}')",
                [some, position, self._random.choice(["agent", "contact", "tool"]), position * 2, position * 2 + 1.5],
            )

    def zone(self, connection: Connection) -> None:
        connection.execute("UPDATE replicator.reporting SET time_zone = %s", [self._random.choice(ZONES)])

    def rule(self, connection: Connection) -> None:
        connection.execute(
            self._random.choice(
                [
                    "UPDATE replicator.reporting SET quick_hang_up_seconds = 20 - quick_hang_up_seconds",
                    "UPDATE replicator.status_stages SET stage = 'machine' WHERE status = 'completed'",
                    "INSERT INTO replicator.stage_rules VALUES (1, '{id}', 'x', 'busy') ON CONFLICT DO NOTHING",
                    "DELETE FROM replicator.stage_rules",
                ]
            )
        )

    def _some(self, connection: Connection) -> Any:
        ids = [row[0] for row in connection.execute("SELECT id FROM truedy.calls ORDER BY id")]
        return self._random.choice(ids)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_reports_are_right_after_every_step(database_url: str, seed: int) -> None:
    """Inserted, changed, moved, deleted calls, replaced transcripts, other rules and zones, refreshed or not."""
    assert History(database_url, seed).run(25) == []


def test_what_is_written_during_a_refresh_stays_touched(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of a day that is just being computed is changed, by somebody else, before the refresh takes out its touches:
    the refresh has not seen that one, so it stays, and the day is counted live until it is refreshed again.
    """
    replace, written = rollups._replace, []

    def write_between(*arguments: Any) -> None:
        replace(*arguments)
        if not written:
            written.append(1)
            other.execute("UPDATE truedy.calls SET status = 'busy' WHERE id = %s", [call_id(2)])

    with closing(Database(database_url)) as database, psycopg.connect(database_url, autocommit=True) as other:
        fix_small_world.build(other)
        monkeypatch.setattr(rollups, "_replace", write_between)
        assert rollups.refresh(database, KEPT, most=100) > 0
        assert other.execute("SELECT count(*) FROM rollup.stale").fetchone() == (1,)
        assert differences(other) == []


BOOKED = {
    f"{each.name}{part}"
    for each in KEPT
    for part in ("", *(("_agents", "_months") if each.kept == "day, agent and month" else ()))
}


def versions(connection: Connection) -> dict[str, set[tuple[str, str]]]:
    """Return for each table of roll-ups by day where each row lies, and which transaction wrote it."""
    return {
        name: set(connection.execute(f"SELECT ctid::text, xmin::text FROM rollup.{name}").fetchall()) for name in BOOKED
    }


def test_a_refresh_writes_only_what_differs(database_url: str) -> None:
    """Of a day in which one call cost more, the rows of its costs are written, and no other; of a day in which nothing
    changed, none at all. Rows that somebody added or changed by hand are put right.
    """
    with closing(Database(database_url)) as database, psycopg.connect(database_url, autocommit=True) as other:
        fix_small_world.build(other)
        other.execute("ALTER TABLE rollup.funnel ADD COLUMN theirs text DEFAULT 'new'")
        rollups.refresh(database, KEPT)
        other.execute("UPDATE rollup.funnel SET theirs = 'kept'")
        before = versions(other)
        other.execute("INSERT INTO rollup.touched (account, day) SELECT account, day FROM rollup.days")
        assert rollups.refresh(database, KEPT) > 1
        assert versions(other) == before
        # A user's own key, which the old and the new row of a group share: the old one must go first.
        other.execute(
            "CREATE UNIQUE INDEX ON rollup.costs (account, day, direction, agent_id, campaign_id) NULLS NOT DISTINCT"
        )
        other.execute("UPDATE truedy.calls SET cost_usd = 77 WHERE id = %s", [call_id(2)])
        # One note for each day: old and new ones are the same.
        assert other.execute(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM rollup.touched GROUP BY day) t"
        ).fetchone() == (1,)
        rollups.refresh(database, KEPT)
        after = versions(other)
        written = {name: len(after[name] - before[name]) for name in BOOKED if after[name] != before[name]}
        assert written == {"costs": 1, "costs_agents": 1, "costs_months": 1, "numbers": 1}
        assert other.execute("SELECT DISTINCT theirs FROM rollup.funnel").fetchall() == [("kept",)]
        other.execute("ALTER TABLE rollup.funnel DROP COLUMN theirs")
        other.execute("INSERT INTO rollup.funnel TABLE rollup.funnel")
        other.execute("UPDATE rollup.costs SET calls = calls + 1")
        other.execute("DELETE FROM rollup.hours")
        other.execute("INSERT INTO rollup.touched (account, day) SELECT account, day FROM rollup.days")
        rollups.refresh(database, KEPT)
        assert differences(other) == []
        assert {name: len(rows) for name, rows in versions(other).items()} == {
            name: len(rows) for name, rows in before.items()
        }


def test_two_refreshes_at_once_do_the_work_once(database_url: str) -> None:
    """The second one leaves it to the first, and neither waits."""
    with closing(Database(database_url)) as database, psycopg.connect(database_url) as other:
        fix_small_world.build(other)
        with database.transaction() as tx:
            assert locks.take(tx, "roll-ups")
            assert rollups.refresh(database, KEPT) == 0
        assert rollups.refresh(database, KEPT) > 0


def test_a_refresh_that_breaks_changes_nothing(database_url: str) -> None:
    """What was kept stays, what was touched stays touched; the error names the database's reason."""
    with closing(Database(database_url)) as database, psycopg.connect(database_url, autocommit=True) as other:
        fix_small_world.build(other)
        other.execute("ALTER TABLE rollup.numbers ADD CONSTRAINT none CHECK (calls < 0)")
        before = other.execute("SELECT count(*) FROM rollup.stale").fetchone()
        with pytest.raises(DatabaseError, match=r"a constraint \(23514\)"):
            rollups.refresh(database, KEPT)
        assert other.execute("SELECT count(*) FROM rollup.stale").fetchone() == before
        assert differences(other) == []


@pytest.mark.slow
def test_an_open_call_becomes_stale_by_itself(database_url: str) -> None:
    """Nothing is written when its hours are over, and yet the kept day says so."""
    with closing(Database(database_url)) as database, psycopg.connect(database_url, autocommit=True) as other:
        fix_small_world.insert(other, Call(1, "2025-03-30T12:00:00", "queued"))
        other.execute(
            "UPDATE truedy.calls SET created_at = now() - interval '6 hours' + interval '1.5 seconds' WHERE id = %s",
            [call_id(1)],
        )
        rollups.refresh(database, KEPT)
        question = "SELECT sum(stale_open_calls)::int FROM analytics.status_funnel_daily"
        assert other.execute(question).fetchone() == (0,)
        threading.Event().wait(2)
        assert other.execute(question).fetchone() == (1,)


def test_a_changed_definition_is_computed_anew(database_url: str) -> None:
    """After a migration that changed a roll-up, nothing that was kept before is read, and grants are kept."""
    with closing(Database(database_url)) as database, psycopg.connect(database_url, autocommit=True) as other:
        fix_small_world.build(other)
        rollups.refresh(database, KEPT)
        other.execute("UPDATE rollup.funnel SET calls = calls + 1")
        other.execute("UPDATE replicator.views SET sha256 = '' WHERE name = '(rollups)'")
        assert len(migrate.migrate(database_url).views) > 0
        assert differences(other) == []
        rollups.refresh(database, KEPT)
        assert differences(other) == []


def test_these_tests_can_fail(database_url: str) -> None:
    """A kept row that is wrong is seen by `differences`."""
    with closing(Database(database_url)) as database, psycopg.connect(database_url, autocommit=True) as other:
        fix_small_world.build(other)
        rollups.refresh(database, KEPT)
        other.execute("UPDATE rollup.funnel SET calls = calls + 1 WHERE day = '2025-03-30'")
        assert differences(other) == ["funnel", "funnel_months", "funnel_agents"]


def test_the_scorecard_is_the_same_counted_kept_and_mixed(database_url: str) -> None:
    """Every column of it, over calls of the last hundred days: with no day kept, with all, and with some."""
    with psycopg.connect(database_url, autocommit=True) as connection, closing(Database(database_url)) as database:
        fix_small_world.build(connection)
        history = History(database_url, 7)
        for _ in range(120):
            history.insert(connection)
            history.segments(connection)
        connection.execute(
            "UPDATE truedy.calls SET created_at = at, started_at = at + interval '1 day' * (n % 3), "
            "ended_at = at + interval '1 day' * (n % 4) + interval '1 minute', cost_usd = nullif(n % 6, 0), "
            "context = coalesce(context, '{}') || jsonb_build_object('goal', n % 5) FROM (SELECT id, row_number() "
            "OVER () AS n, now() - interval '19 hours' * row_number() OVER () AS at FROM truedy.calls) x WHERE calls.id = x.id"
        )

        connection.execute("UPDATE truedy.transcript_segments SET start_seconds = start_seconds - 1 WHERE position > 0")
        connection.execute(
            "UPDATE replicator.reporting SET goal_path = '{goal}', goal_values = '{1}', cost_give_up_days = 30"
        )
        connection.execute("INSERT INTO replicator.agents VALUES (%s, 'Ann', 'South')", [AGENT_A])

        def scorecard() -> list[tuple[Any, ...]]:
            return connection.execute(
                "SELECT * FROM analytics.agent_scorecard ORDER BY agent_id, period_days"
            ).fetchall()

        counted = scorecard()
        assert len(counted) > 5
        names = [each.name for each in connection.execute("SELECT * FROM analytics.agent_scorecard").description or ()]
        assert {name for place, name in enumerate(names) if not any(row[place] for row in counted)} == set()
        rollups.refresh(database, KEPT)
        assert _near(scorecard(), counted)
        for _ in range(12):
            history.touch(connection)
        assert connection.execute("SELECT count(*) > 5 FROM rollup.stale").fetchone() == (True,)
        assert _near(scorecard(), counted)


def _near(some: list[tuple[Any, ...]], others: list[tuple[Any, ...]]) -> bool:
    """Say whether rows are equal, but for the order in which binary fractions were added."""
    return all(
        a == pytest.approx(b) if isinstance(a, float) else a == b
        for row, other in zip(some, others, strict=True)
        for a, b in zip(row, other, strict=True)
    )
