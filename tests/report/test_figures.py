"""The figures against a world that can be counted by hand, and the queries against their dataclasses."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from replicator.errors import DatabaseError
from replicator.report import figures, periods
from replicator.store import rollups
from replicator.store.database import Database
from replicator.store.schema_check import bundled
from tests.report import fix_near_world
from tests.report.fix_near_world import ACCOUNT, AGENT_A, AGENT_B, read, today

if TYPE_CHECKING:
    from replicator.report.rows import Figures


def test_each_query_has_a_shape_and_its_columns_are_the_shape(database_url: str) -> None:
    """A query's columns are its dataclass's fields in their order, so that a source can be swapped without a surprise."""
    texts = figures.queries()
    assert set(texts) == set(figures.SHAPES)
    day = today()
    values = {"account": "x", "since": day, "before": day, "today": day, "bucket": "day", "most": 3}
    with psycopg.connect(database_url) as connection:
        for name, shape in figures.SHAPES.items():
            columns = [column.name for column in connection.execute(texts[name].encode(), values).description or ()]
            assert columns == [field.name for field in fields(shape)], name


def test_no_query_reads_what_is_personal() -> None:
    """Numbers, transcripts, summaries, URLs and payloads are not asked for; versions only for their cost."""
    for name, text in figures.queries().items():
        code = (
            "\n".join(line.split("--")[0] for line in text.splitlines())
            .replace("reconciliation_summary", "")
            .replace("archive_summary", "")
        )
        for word in (
            "phone_number",
            "from_number",
            "transcript_segments",
            "summary",
            "recording_url",
            "masked",
            "c.raw",
        ):
            assert word not in code, (name, word)


def test_attempts(found: Figures) -> None:
    """Nine calls in 30 days; three of the stages' identities; the unknown direction is `other`."""
    now, before = periods.split(found.attempts, found.period, lambda row: row.day)
    total = periods.total_attempts(now)
    assert (total.calls, total.open_calls, total.stale_open_calls, total.unmapped_calls) == (9, 1, 2, 1)
    assert (total.terminal_calls, total.placed_calls, total.not_placed_calls) == (7, 6, 1)
    assert (total.answered_calls, total.machine_calls, total.not_answered_calls, total.busy_calls) == (3, 1, 1, 1)
    assert total.conversations == 3
    assert {row.direction for row in now} == {"outbound", "inbound", "webrtc", "other"}
    assert periods.total_attempts(before).calls == 2


def test_durations(found: Figures) -> None:
    """Measured are 60, 120, 30 and 300 s; the period before has one of 100 s."""
    now, before = periods.durations_of(found)
    assert now is not None
    assert before is not None
    assert (now.measured_calls, now.duration_seconds, now.p50_seconds, now.longest_seconds) == (4, 510, 90.0, 300)
    assert (before.measured_calls, before.p50_seconds) == (1, 100.0)
    by_day = {row.bucket: row.p50_seconds for row in found.durations if row.bucket is not None}
    day = today()
    assert by_day == {day: 60.0, day - timedelta(days=9): 75.0, day - timedelta(days=10): 300.0}
    assert [(row.lower_seconds, row.calls) for row in found.histogram] == [(30, 1), (60, 1), (120, 1), (300, 1)]


def test_costs(found: Figures) -> None:
    """0.20 + 0.05 are known; calls 1, 7, 8 and 9 are pending; call 2 was adjusted by 0.05 downwards."""
    now, before = periods.split(found.costs, found.period, lambda row: row.day)
    total = periods.total_costs(now)
    assert (total.cost_usd, total.known_calls, total.pending_calls, total.not_expected_calls) == (
        Decimal("0.25"),
        2,
        4,
        3,
    )
    assert (total.timed_minutes, total.conversations, total.known_conversations) == (2.5, 3, 1)
    assert total.conversation_cost_usd == Decimal("0.2")
    assert not total.is_final
    assert periods.total_costs(before).cost_usd == Decimal("0.4")
    assert [(row.day, row.adjusted_calls, row.adjustment_usd) for row in found.adjustments] == [
        (today() - timedelta(days=9), 1, Decimal("-0.05"))
    ]


def test_agents_add_up_to_the_page(found: Figures) -> None:
    """The sums over the agents are the sums of the other sections, others and nobody included."""
    rows, _ = periods.split(found.attempts, found.period, lambda row: row.day)
    costs, _ = periods.split(found.costs, found.period, lambda row: row.day)
    assert sum(row.calls for row in found.agents) == periods.total_attempts(rows).calls
    assert sum((row.cost_usd or Decimal(0)) for row in found.agents) == periods.total_costs(costs).cost_usd
    assert [(row.name, row.calls) for row in found.agents] == [(str(AGENT_A), 5), (str(AGENT_B), 3), (None, 1)]
    assert sum(row.calls for row in found.campaigns) == 9
    assert sum(row.calls for row in found.statuses) == 9


def test_beyond_the_first_agents_there_are_others(near: psycopg.Connection[Any], database_url: str) -> None:
    """Thirty agents are twelve and one line for the rest, and nothing is lost; the same of campaigns and status words."""
    near.execute(
        "UPDATE truedy.calls SET agent_id = gen_random_uuid(), context = jsonb_build_object('campaign_id', id::text), "
        "status = 'word ' || id::text"
    )
    near.execute(
        "INSERT INTO truedy.calls (id, account, agent_id, direction, status, context, created_at, raw, fingerprint, version, "
        "observed_at, first_seen_at, changed_at) SELECT gen_random_uuid(), 'main', gen_random_uuid(), 'inbound', 'w' || n, "
        "jsonb_build_object('campaign_id', n), now(), '{}', '', 1, now(), now(), now() FROM generate_series(1, 21) n"
    )
    found = read(database_url)
    for rows, most in ((found.agents, 12), (found.campaigns, 10), (found.statuses, 10)):
        assert len(rows) == most + 1  # type: ignore[arg-type]
        assert (rows[-1].name, rows[-1].members) == (None, 30 - most)  # type: ignore[index]
        assert sum(row.calls for row in rows) == 30  # type: ignore[attr-defined]


def test_what_is_not_final_and_what_is_on_no_day(found: Figures) -> None:
    """Two calls are open for too long, one of them of unknown status; four without their cost, one without a date."""
    left = found.outstanding
    assert (left.open_calls, left.stale_open_calls, left.unmapped_calls) == (0, 2, 1)
    assert (left.pending_cost_calls, left.deleted_calls) == (4, 0)
    assert (found.facts.undated_calls, found.facts.future_calls, found.facts.stored_calls) == (1, 0, 12)
    assert found.facts.first_day == today() - timedelta(days=36)


def test_an_error_shows_no_number_and_no_address(found: Figures) -> None:
    """Digits and addresses of an error text become an ellipsis before it leaves the database."""
    (row,) = found.errors
    assert row.name is not None
    assert not any(character.isdigit() for character in row.name)
    assert "@" not in row.name
    assert row.name.startswith("SIP … to")


def test_coverage(found: Figures) -> None:
    """Of the tenth day before today 6 h are proven, 6 h unsure, and nothing later was compared."""
    days = {row.day: row for row in found.coverage}
    tenth = days[today() - timedelta(days=10)]
    assert (tenth.proven_seconds, tenth.unsure_seconds, tenth.never_compared_seconds) == (21600, 21600, 43200)
    assert days[today() - timedelta(days=9)].never_compared_seconds == 86400
    assert found.unsure[0].reason == "ties wider than a page"


def test_hours(found: Figures) -> None:
    """Call 1 is of the first hour; four of ten days ago and one of nine days ago are of ten o'clock."""
    by_hour: dict[int, int] = {}
    for row in found.hours:
        by_hour[row.hour] = by_hour.get(row.hour, 0) + row.calls
    assert by_hour == {0: 1, 10: 6, 11: 1, 12: 1}


def test_the_day_is_of_the_reporting_time_zone(near: psycopg.Connection[Any], database_url: str) -> None:
    """In Kiribati the first second of a UTC day lies in the afternoon, 14 hours later."""
    near.execute("UPDATE replicator.reporting SET time_zone = 'Pacific/Kiritimati'")
    found = read(database_url)
    assert {row.hour for row in found.hours} == {14, 0, 1, 2}


def test_another_account_is_another_page(near: psycopg.Connection[Any], database_url: str) -> None:
    """Nothing of one account is in the figures of another."""
    found = read(database_url, "other")
    assert (found.attempts, found.costs, found.agents, found.errors, found.coverage, found.runs) == ((),) * 6
    assert (found.facts.stored_calls, found.facts.head_at) == (0, None)


def test_the_pulse(near: psycopg.Connection[Any], database_url: str) -> None:
    """Nobody holds the lease; the newest end was read 90 s ago; of an unknown account nothing is known."""
    database = Database(database_url)
    found = figures.pulse(database, ACCOUNT)
    assert not found.is_lease_held
    assert found.lag_seconds == pytest.approx(90, abs=30)
    assert figures.pulse(database, "other").lag_seconds is None
    database.close()


def test_figures_are_read_only(
    near: psycopg.Connection[Any], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a query did, it could not write."""
    real = figures.queries()
    monkeypatch.setattr(figures, "queries", lambda: {**real, "facts": "DELETE FROM truedy.calls RETURNING 1"})
    with pytest.raises(DatabaseError):
        read(database_url)
    assert near.execute("SELECT count(*) FROM truedy.calls").fetchone() == (12,)


def test_buckets_by_length(near: psycopg.Connection[Any]) -> None:
    """Days up to 92, weeks up to 732, then months; near_world is one world at each."""
    assert fix_near_world.today() == today()
    assert [periods.last_days(today(), days).bucket for days in (1, 92, 93, 732, 733, 3660)] == [
        "day", "day", "week", "week", "month", "month",
    ]  # fmt: skip


@pytest.mark.parametrize("is_kept", [False, True], ids=["counted live", "kept"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati"])
def test_roll_ups_say_what_the_calls_say(
    near: psycopg.Connection[Any], database_url: str, zone: str, is_kept: bool
) -> None:
    """What a query reads from a roll-up is what counting the calls says, in any time zone, refreshed or not."""
    near.execute("UPDATE replicator.reporting SET time_zone = %s", [zone])
    near.execute(
        "INSERT INTO truedy.calls (id, account, direction, status, context, created_at, ended_at, deleted_at, raw, "
        "fingerprint, version, observed_at, first_seen_at, changed_at) SELECT gen_random_uuid(), 'main', 'inbound', "
        "(ARRAY['ringing', 'odd', 'completed', 'busy'])[1 + n %% 4], jsonb_build_object('last_error', 'e' || n %% 3), "
        "now() - n * interval '7 hours', CASE WHEN n %% 3 > 0 THEN now() - n * interval '7 hours' END, "
        "CASE WHEN n %% 11 = 0 THEN now() END, '{}', '', 1, now(), now(), now() FROM generate_series(-3, 120) n",
        [],
    )
    database = Database(database_url)
    if is_kept:
        rollups.refresh(database, rollups.kept(bundled("sql")))
        assert near.execute("SELECT count(*) FROM rollup.touched").fetchone() == (0,)
    found = figures.read(database, ACCOUNT, 30)
    database.close()
    values = {"since": found.period.since, "today": found.period.today}

    def counted(text: str) -> list[tuple[Any, ...]]:
        return near.execute(text.encode(), values).fetchall()

    of_period = "FROM analytics.calls WHERE account = 'main' AND created_on BETWEEN %(since)s AND %(today)s"
    assert counted(
        f"SELECT count(*) FILTER (WHERE is_open AND NOT is_stale_open), count(*) FILTER (WHERE is_stale_open), "
        f"count(*) FILTER (WHERE is_terminal AND NOT is_settled), count(*) FILTER (WHERE stage = 'unmapped'), "
        f"count(*) FILTER (WHERE is_deleted) {of_period}"
    ) == [
        (
            found.outstanding.open_calls,
            found.outstanding.stale_open_calls,
            found.outstanding.unsettled_calls,
            found.outstanding.unmapped_calls,
            found.outstanding.deleted_calls,
        )
    ]
    assert found.outstanding.open_calls > 0
    assert counted(f"SELECT created_weekday, created_hour, count(*) {of_period} GROUP BY 1, 2 ORDER BY 1, 2") == [
        (row.weekday, row.hour, row.calls) for row in found.hours
    ]
    assert counted(f"SELECT status, stage, count(*) {of_period} GROUP BY 1, 2, is_open ORDER BY 3 DESC, 1, 2")[:10] == [
        (row.name, row.stage, row.calls) for row in found.statuses[:10]
    ]
    assert sum(row.calls for row in found.statuses) == sum(row.calls for row in found.hours)
    assert counted(f"SELECT count(*) {of_period} AND error_class IS NOT NULL") == [
        (sum(row.calls for row in found.errors),)
    ]
    assert counted(
        "SELECT count(*), count(*) FILTER (WHERE created_at IS NULL), count(*) FILTER (WHERE created_on > %(today)s), "
        "(SELECT min(day) FROM analytics.coverage_daily WHERE account = 'main') FROM analytics.calls WHERE account = 'main'"
    ) == [(found.facts.stored_calls, found.facts.undated_calls, found.facts.future_calls, found.facts.first_day)]


def test_percentiles_are_within_their_band(near: psycopg.Connection[Any], database_url: str) -> None:
    """Estimates of skewed lengths lie in the band of the exact value or next to it; counts, sums, longest are exact."""
    near.execute(
        "INSERT INTO truedy.calls (id, account, agent_id, direction, status, created_at, started_at, ended_at, "
        "duration_seconds, raw, fingerprint, version, observed_at, first_seen_at, changed_at) "
        "SELECT gen_random_uuid(), 'main', gen_random_uuid(), 'inbound', 'completed', at, at, at, "
        "exp(random() * 9)::integer, '{}', '', 1, now(), now(), now() "
        "FROM generate_series(1, 900) n CROSS JOIN LATERAL (SELECT now() - n %% 40 * interval '1 day' AS at) a",
        [],
    )
    found = read(database_url)
    exact = near.execute(
        "SELECT b.is_before, b.bucket, count(*), sum(talk_seconds)::bigint, "
        "percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY talk_seconds), max(talk_seconds) "
        "FROM analytics.calls CROSS JOIN LATERAL (SELECT started_on < %(since)s AS is_before, "
        "CASE WHEN started_on >= %(since)s THEN started_on END AS bucket) b "
        "WHERE account = 'main' AND started_on BETWEEN %(before)s AND %(today)s AND talk_seconds IS NOT NULL "
        "GROUP BY GROUPING SETS ((b.is_before), (b.is_before, b.bucket)) "
        "HAVING grouping(b.bucket) = 1 OR b.bucket IS NOT NULL ORDER BY b.is_before, b.bucket",
        {"since": found.period.since, "before": found.period.before, "today": found.period.today},
    ).fetchall()
    assert len(exact) == len(found.durations) == 32
    edges = [*periods.EDGES, 10**6]
    for (is_before, bucket, calls, total, percentiles, longest), row in zip(exact, found.durations, strict=True):
        assert (is_before, bucket, calls, total, longest) == (
            row.is_before, row.bucket, row.measured_calls, row.duration_seconds, row.longest_seconds,
        )  # fmt: skip
        estimates = (row.p50_seconds, row.p90_seconds, row.p99_seconds)
        assert estimates == tuple(sorted(estimates))
        assert row.p99_seconds <= longest
        for true, estimate in zip(percentiles, estimates, strict=True):
            places = [max(n for n, edge in enumerate(edges) if edge <= value) for value in (true, estimate)]
            assert abs(places[0] - places[1]) <= 1, (bucket, true, estimate)
    whole = next(row for row in found.durations if row.bucket is None and not row.is_before)
    (p50, p90, _) = next(row[4] for row in exact if row[1] is None and not row[0])
    assert (whole.p50_seconds, whole.p90_seconds) == pytest.approx((p50, p90), rel=0.2)
