"""How fast the reports answer at 10,000,000 calls and 100,000,000 segments, and what keeping them costs.

The world is made by SQL, not by a sync, without the triggers; roll-ups are then filled as `replicator migrate` and a
sync fill them. Each question is asked as the reader's BI tool would, some times to warm up and then to measure: once
with every day kept, and once while today is touched, when its calls are counted anew for every question.

    python -m bench.reports [--calls N] [--days N] [--name NAME] [--folder FOLDER]
    python -m bench.reports --server debian --name reports_debian

A folder that already holds such a world is used again, so that views can be changed and measured in minutes. Debian's server
runs with the settings of its package, in a cluster that goes when the program ends.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psycopg

from bench import common
from replicator.store import embedded, migrate, rollups, schema_check
from replicator.store.database import Database
from tests import fix_servers

CALLS, SEGMENTS_A_CALL, DAYS, AGENTS, CAMPAIGNS, NUMBERS = 10_000_000, 10, 1096, 40, 6, 30
WARM_UPS, ROUNDS = 5, 40
STEP = 500_000
SETTINGS = {"maintenance_work_mem": "1GB", "max_wal_size": "16GB", "checkpoint_timeout": "30min"}

# Deterministic: hashint8 scatters the number of a call over its facts.
CALL = """
INSERT INTO truedy.calls (id, account, agent_id, phone_number, from_number, direction, status, started_at, ended_at,
    duration_seconds, cost_usd, context, created_at, updated_at, raw, fingerprint, version, observed_at, first_seen_at,
    changed_at)
SELECT
    lpad(to_hex(n), 32, '0')::uuid, 'default', lpad(to_hex((hashint8(n + 1) & 2147483647) %% {agents}), 32, 'a')::uuid,
    CASE WHEN outbound THEN theirs ELSE ours END, CASE WHEN outbound THEN ours ELSE theirs END,
    CASE WHEN outbound THEN 'outbound' ELSE 'inbound' END, status,
    CASE WHEN connected THEN created + ring END, CASE WHEN connected THEN created + ring + make_interval(secs => seconds) END,
    CASE WHEN connected THEN seconds END, CASE WHEN connected THEN round(seconds * 0.0015, 4) END,
    jsonb_build_object('campaign_id', 'campaign-' || (hashint8(n + 2) & 2147483647) %% {campaigns}),
    created, created + interval '1 hour',
    jsonb_build_object('id', n, 'status', status, 'note', repeat('x', 300)), decode(lpad(to_hex(n), 64, '0'), 'hex'), 1,
    created + interval '2 hours', created + interval '1 minute', created + interval '2 hours'
FROM (
    SELECT
        n, (hashint8(n + 3) & 2147483647) %% 10 < 7 AS outbound,
        '+1202555' || lpad(((hashint8(n + 4) & 2147483647) %% {numbers})::text, 4, '0') AS ours,
        '+1303' || lpad(((hashint8(n + 5) & 2147483647) %% 3000000)::text, 7, '0') AS theirs,
        (ARRAY['completed', 'completed', 'completed', 'completed', 'completed', 'voicemail', 'voicemail', 'no_answer',
            'no_answer', 'no_answer', 'busy', 'failed'])[1 + (hashint8(n + 6) & 2147483647) %% 12] AS status,
        (hashint8(n + 6) & 2147483647) %% 12 < 7 AS connected,
        make_interval(secs => (hashint8(n + 7) & 2147483647) %% 30) AS ring,
        (1 - 120 * ln((1 + (hashint8(n + 8) & 2147483647) %% 100000) / 100001.0))::integer AS seconds,
        date_trunc('day', now()) - make_interval(secs => 86400.0 * {days} * (1 - n::double precision / {calls}))
            + interval '18 hours' AS created
    FROM generate_series(%s::bigint, %s::bigint) n
) x
"""
SEGMENT = """
INSERT INTO truedy.transcript_segments (call_id, position, speaker, text, start_seconds, end_seconds, raw)
SELECT c.id, p, CASE p %% 2 WHEN 0 THEN 'agent' ELSE 'contact' END,
    'some words that somebody says in sentence number ' || p, round(p * c.duration_seconds / 20.0, 2),
    round((p + 0.8) * c.duration_seconds / 20.0, 2), '{{}}'
FROM truedy.calls c CROSS JOIN generate_series(0, {segments} - 1) p
WHERE c.created_at >= %s AND c.created_at < %s AND c.started_at IS NOT NULL
"""
DETAIL = """
INSERT INTO truedy.{table} (call_id, state, call_created_at, fetched_at{columns})
SELECT id, 'present', created_at, ended_at + interval '5 minutes'{values} FROM truedy.calls WHERE started_at IS NOT NULL
"""
# {today} is in the reporting time zone, which is UTC here.
QUESTIONS = {
    "duration by day and agent, 30 days": "SELECT day, agent_id, sum(calls), sum(duration_seconds), max(p95_seconds) "
    "FROM analytics.call_duration_daily WHERE day > current_date - 30 GROUP BY 1, 2",
    "duration by day and agent, 90 days": "SELECT day, agent_id, sum(calls), sum(duration_seconds), max(p95_seconds) "
    "FROM analytics.call_duration_daily WHERE day > current_date - 90 GROUP BY 1, 2",
    "histogram, 90 days": "SELECT lower_seconds, sum(calls) FROM analytics.call_duration_histogram_daily "
    "WHERE day > current_date - 90 GROUP BY 1",
    "funnel by day, 30 days": "SELECT day, sum(calls), sum(placed_calls), sum(answered_calls), sum(conversations) "
    "FROM analytics.status_funnel_daily WHERE day > current_date - 30 GROUP BY 1",
    "funnel by day, 90 days": "SELECT day, sum(calls), sum(placed_calls), sum(answered_calls), sum(conversations) "
    "FROM analytics.status_funnel_daily WHERE day > current_date - 90 GROUP BY 1",
    "funnel of one agent by campaign, 90 days": "SELECT campaign_id, sum(calls), sum(conversations) "
    "FROM analytics.status_funnel_daily WHERE day > current_date - 90 "
    "AND agent_id = (SELECT min(agent_id::text)::uuid FROM analytics.call_duration_daily WHERE day = current_date - 1) "
    "GROUP BY 1",
    "funnel of all time": "SELECT direction, sum(calls), sum(conversations) FROM analytics.status_funnel_total GROUP BY 1",
    "cost by day and agent, 30 days": "SELECT day, agent_id, cost_usd, cost_pending_calls FROM analytics.call_cost_daily "
    "WHERE day > current_date - 30",
    "cost this month": "SELECT sum(cost_usd), sum(cost_pending_calls), bool_and(is_final) FROM analytics.call_cost_daily "
    "WHERE day >= date_trunc('month', current_date)",
    "cost by month, 12 months": "SELECT month_on, sum(cost_usd) FROM analytics.call_cost_monthly "
    "WHERE month_on > current_date - 365 GROUP BY 1",
    "agent scorecard, 30 days": "SELECT * FROM analytics.agent_scorecard WHERE period_days = 30",
    "agent scorecard, all periods": "SELECT * FROM analytics.agent_scorecard",
    "conversations by day, 30 days": "SELECT day, sum(agent_seconds) / sum(speech_seconds) "
    "FROM analytics.conversation_daily WHERE day > current_date - 30 GROUP BY 1",
    "heat map, 90 days": "SELECT weekday, hour, sum(answered_calls), sum(placed_calls) FROM analytics.reach_by_hour "
    "WHERE day > current_date - 90 GROUP BY 1, 2",
    "campaigns of all time": "SELECT * FROM analytics.campaign_summary",
    "numbers, 8 weeks": "SELECT * FROM analytics.number_health WHERE week_on > current_date - 56",
    "one call": "SELECT * FROM analytics.calls WHERE call_id = lpad(to_hex(1234567), 32, '0')::uuid",
    "the newest 100 calls": "SELECT * FROM analytics.calls WHERE created_at > now() - interval '2 days' "
    "ORDER BY created_at DESC LIMIT 100",
    "freshness": "SELECT * FROM analytics.replication_freshness",
}


def build(url: str, calls: int, days: int) -> dict[str, float]:
    """Fill the tables; return seconds by step."""
    took: dict[str, float] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '1GB'; SET work_mem = '256MB'; SET synchronous_commit = off")
        indexes = connection.execute(
            "SELECT indexdef, format('%I.%I', schemaname, indexname) FROM pg_indexes WHERE schemaname = 'truedy' "
            "AND tablename = 'calls' AND indexname LIKE 'ix%%'",
        ).fetchall()
        for _, name in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("ALTER TABLE truedy.transcript_segments DROP CONSTRAINT pk_transcript_segments")
        began = time.monotonic()
        parts = {"agents": AGENTS, "campaigns": CAMPAIGNS, "numbers": NUMBERS, "days": days, "calls": calls}
        for first in range(1, calls + 1, STEP):
            connection.execute(CALL.format(**parts), [first, min(first + STEP - 1, calls)])
        for definition, _ in indexes:
            connection.execute(definition)
        connection.execute("ANALYZE truedy.calls")
        took["calls"] = time.monotonic() - began
        began = time.monotonic()
        segments = round(SEGMENTS_A_CALL * 12 / 7)
        span = connection.execute("SELECT min(created_at), max(created_at) FROM truedy.calls").fetchone()
        assert span is not None
        first, last = span
        steps = max(calls // STEP, 1)
        edges = [first + (last - first) * step / steps for step in range(steps)] + [None]
        for since, until in pairwise(edges):
            connection.execute(SEGMENT.format(segments=segments), [since, until or "infinity"])
        connection.execute(
            "ALTER TABLE truedy.transcript_segments ADD CONSTRAINT pk_transcript_segments PRIMARY KEY (call_id, position)"
        )
        took["segments"] = time.monotonic() - began
        connection.execute(DETAIL.format(table="transcripts", columns=", segment_count", values=f", {segments}"))
        connection.execute(DETAIL.format(table="recordings", columns="", values=""))
        connection.execute("INSERT INTO replicator.source_state (account, base_url) VALUES ('default', 'http://bench')")
        connection.execute(
            "INSERT INTO replicator.coverage (account, since, until, verified_at, is_proven) "
            "VALUES ('default', '-infinity', now(), now(), true)"
        )
        connection.execute("VACUUM ANALYZE")
    return took


def fill(url: str) -> dict[str, float]:
    """Fill the roll-ups as migrate and the refreshing of a sync do; return seconds by step, and days a second."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM replicator.views WHERE name = '(rollups)'")
    began = time.monotonic()
    migrate.migrate(url)
    took = {"migrate_with_conversations": time.monotonic() - began}
    began = time.monotonic()
    with closing(Database(url)) as database:
        days = rollups.refresh(database, rollups.kept(schema_check.bundled("sql")))
    took["days"] = days
    took["refresh_seconds_a_day"] = (time.monotonic() - began) / max(days, 1)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return took


def ask(url: str) -> list[dict[str, Any]]:
    """Time each question over one connection, as a BI tool keeps one."""
    table = []
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        for name, question in QUESTIONS.items():
            times = []
            for number in range(WARM_UPS + ROUNDS):
                began = time.perf_counter()
                connection.execute(question).fetchall()
                if number >= WARM_UPS:
                    times.append((time.perf_counter() - began) * 1000)
                if sum(times) > 20_000:
                    break
            p95 = quantiles(times, n=20)[18] if len(times) > 1 else times[0]
            row = {"question": name, "p50_ms": round(median(times), 1), "p95_ms": round(p95, 1), "rounds": len(times)}
            print(row, flush=True)
            table.append(row)
    return table


def difference(url: str, days: int = 5) -> int:
    """Return how many rows of the kept roll-ups differ from their definition, on some days over the whole span."""
    wrong = 0
    with psycopg.connect(url) as connection:
        chosen = connection.execute(
            "SELECT DISTINCT ON (ntile) account, day FROM (SELECT account, day, ntile(%s) OVER (ORDER BY day) "
            "FROM rollup.days WHERE day > '-infinity') d ORDER BY ntile, day",
            [days],
        ).fetchall()
        for name in (each.name for each in rollups.kept(schema_check.bundled("sql")) if each.kept != "call"):
            for account, day in chosen:
                kept = f"SELECT k::text FROM rollup.{name} k WHERE account = %(account)s AND day = %(day)s"
                plain = f"SELECT p::text FROM rollup.{name}_plain p WHERE account = %(account)s AND day = %(day)s"
                row = connection.execute(
                    f"SELECT count(*) FROM (({kept} EXCEPT ALL {plain}) UNION ALL ({plain} EXCEPT ALL {kept})) d",
                    {"account": account, "day": day},
                ).fetchone()
                wrong += row[0] if row else 0
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--name", default="reports", help="of the result file")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--server", choices=("embedded", "debian"), default="embedded")
    chosen = parser.parse_args()
    if chosen.server == "debian":
        with fix_servers.running("debian", Path(), {}) as server:
            common.write(chosen.name, measure(server.url, chosen.calls, chosen.days))
        return
    with tempfile.TemporaryDirectory() as temporary:
        Path(temporary).chmod(0o711)
        folder = chosen.folder or Path(temporary)
        with embedded.running(folder / "postgres", settings=SETTINGS) as server:
            common.write(chosen.name, measure(server.url, chosen.calls, chosen.days))


def measure(url: str, calls: int, days: int) -> dict[str, Any]:
    migrate.migrate(url)
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM truedy.transcripts").fetchone()
    built = build(url, calls, days) if row == (0,) else {}
    filled = fill(url)
    kept = ask(url)
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE truedy.calls SET version = version WHERE id = (SELECT id FROM truedy.calls ORDER BY created_at DESC "
            "LIMIT 1)"
        )
        sizes: dict[str, int] = dict(
            connection.execute(
                "SELECT n.nspname || '.' || c.relname, pg_total_relation_size(c.oid) / 1000000 FROM pg_class c "
                "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname IN ('truedy', 'rollup') "
                "AND pg_total_relation_size(c.oid) > 1000000 ORDER BY 2 DESC"
            ).fetchall()
        )
        today = connection.execute(
            "SELECT count(*) FROM truedy.calls WHERE created_at >= (SELECT max(day) FROM rollup.stale)"
        ).fetchone()
        segments = connection.execute("SELECT sum(segment_count)::bigint FROM truedy.transcripts").fetchone()
        version = connection.execute("SELECT current_setting('server_version'), current_setting('jit')").fetchone()
    touched = ask(url)
    return {
        "what": "milliseconds of a dashboard's questions, warm; with every day kept, and while today is touched",
        "server": "PostgreSQL {}, jit {}".format(*version or ()),
        "calls": calls,
        "days": days,
        "segments": segments[0] if segments else 0,
        "calls_of_today": today[0] if today else 0,
        "built_seconds": {name: round(value) for name, value in built.items()},
        "filled": {name: round(value, 3) for name, value in filled.items()},
        "rows_that_differ": difference(url),
        "megabytes": sizes,
        "kept": kept,
        "touched": touched,
    }


if __name__ == "__main__":
    main()
