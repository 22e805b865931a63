"""What the archive costs a fresh sync in time and in WAL, with it off and on in turn; and how fast a chain is verified."""

from __future__ import annotations

import os
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles

import psycopg

from bench import common
from replicator.archive import late
from replicator.archive.verification import inspection
from replicator.budget.durable import Limits
from replicator.source.client import Reader
from replicator.store import rollups, statistics
from replicator.store.database import Database
from replicator.store.schema_check import bundled
from replicator.sync.run import Options, Run

CALLS, ROUNDS, WORKERS = 5_000, 15, 8
RECORDS = 1_000_000
LIMITED_CALLS, LIMITED_REQUESTS, LIMITED_ROUNDS = 1_500, 100, 3
VIEWED_CALLS, TIMES = 20_000, 20
NO_LIMIT = Limits(None)
KEPT = ("records", "blocks")


def empty(url: str) -> None:
    """Empty everything, also what is sealed: its owner can, and verification would find it."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table in KEPT:
            connection.execute(f"ALTER TABLE archive.{table} DISABLE TRIGGER USER")
        connection.execute("TRUNCATE archive.records, archive.blocks, archive.chains, archive.heads, archive.objects")
        for table in KEPT:
            for trigger in ("kept_rows", "kept_whole"):
                connection.execute(f"ALTER TABLE archive.{table} ENABLE ALWAYS TRIGGER {trigger}")
    common.empty(url)


def sync(
    url: str,
    key: str,
    database_url: str,
    *,
    seals: bool,
    limits: Limits = NO_LIMIT,
    vendor_keeps: timedelta | None = None,
) -> tuple[float, int]:
    """Return (seconds, bytes of WAL) of one fresh sync."""
    empty(database_url)
    with psycopg.connect(database_url) as connection:
        before = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
    database = Database(database_url)
    options = Options(base_url=url, workers=WORKERS, limits=limits, seals=seals, vendor_keeps=vendor_keeps)
    with Reader(url, key) as reader:
        begun = time.perf_counter()
        Run(database, [(key, reader)], options).perform()
        seconds = time.perf_counter() - begun
    database.close()
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", before).fetchone()
    assert row is not None
    return seconds, int(row[0])


def cost() -> dict[str, object]:
    """Measure a sync with the archive off and on, in turn; the order changes each time."""
    found: dict[bool, list[tuple[float, int]]] = {False: [], True: []}
    records = 0
    with common.database() as database_url, common.source(CALLS) as (url, key):
        sync(url, key, database_url, seals=True)  # the source has cached its rows from here on
        for place in range(ROUNDS):
            for seals in (False, True) if place % 2 else (True, False):
                found[seals].append(sync(url, key, database_url, seals=seals))
                with psycopg.connect(database_url) as connection:
                    row = connection.execute("SELECT count(*) FROM archive.records").fetchone()
                records = max(records, row[0] if row else 0)
    seconds = {seals: [one[0] for one in values] for seals, values in found.items()}
    wal = {seals: [one[1] for one in values] for seals, values in found.items()}
    return {
        "calls": CALLS,
        "records": records,
        "seconds_off": common.middle(seconds[False]),
        "seconds_on": common.middle(seconds[True]),
        "time_on_over_off": round(median(on / off for on, off in zip(seconds[True], seconds[False], strict=True)), 3),
        "wal_bytes_off": int(median(wal[False])),
        "wal_bytes_on": int(median(wal[True])),
        "wal_on_over_off": round(median(wal[True]) / median(wal[False]), 3),
        "rounds": ROUNDS,
    }


def at_a_limit() -> dict[str, object]:
    """Measure the same where the source has a limit, off and on in turn: sixty times the limit that it really has."""
    found: dict[bool, list[float]] = {False: [], True: []}
    with common.database() as database_url, common.source(LIMITED_CALLS) as (url, key):
        sync(url, key, database_url, seals=True)
        for place in range(LIMITED_ROUNDS):
            for seals in (False, True) if place % 2 else (True, False):
                limits = Limits(LIMITED_REQUESTS, window_seconds=1.0, headroom=0)
                found[seals].append(sync(url, key, database_url, seals=seals, limits=limits)[0])
    ratios = [on / off for on, off in zip(found[True], found[False], strict=True)]
    return {
        "limited_calls": LIMITED_CALLS,
        "limited_requests_a_second": LIMITED_REQUESTS,
        "limited_seconds_off": common.middle(found[False]),
        "limited_seconds_on": common.middle(found[True]),
        "limited_time_on_over_off": round(median(ratios), 3),
    }


VIEWS = {
    "archive_daily": "SELECT * FROM analytics.archive_daily",
    "archive_objects": "SELECT object_state, object_reason, count(*), max(tried_at) FROM analytics.archive_objects GROUP BY 1, 2",
    "archive_summary": "SELECT * FROM analytics.archive_summary",
    "missing_recordings": "SELECT * FROM analytics.missing_recordings",
    "legal_holds": "SELECT * FROM analytics.legal_holds",
    "erasures": "SELECT * FROM analytics.erasures",
}
"""What a dashboard asks of each view."""


def views() -> dict[str, object]:
    """Measure the archive's views right after a first sync: milliseconds, the 95th percentile of each."""
    taken: dict[str, float] = {}
    with common.database() as database_url, common.source(VIEWED_CALLS) as (url, key):
        sync(url, key, database_url, seals=True, vendor_keeps=timedelta(days=30))
        database = Database(database_url)
        rollups.refresh(database, rollups.kept(bundled("sql")))
        statistics.refresh(database)
        database.close()
        with psycopg.connect(database_url, autocommit=True, prepare_threshold=None) as analyst:
            for name, question in VIEWS.items():
                each = []
                for _ in range(TIMES):
                    begun = time.perf_counter()
                    analyst.execute(question.encode()).fetchall()
                    each.append(1000 * (time.perf_counter() - begun))
                taken[name] = round(quantiles(each, n=20, method="inclusive")[-1], 1)
    return {"viewed_calls": VIEWED_CALLS, "views_p95_ms": taken}


MADE = """
INSERT INTO truedy.calls (id, account, status, direction, cost_usd, created_at, updated_at, raw, fingerprint, version, observed_at,
    first_seen_at, changed_at)
SELECT i, 'default', 'completed', 'outbound', 0.05, t, t, jsonb_build_object('id', i, 'status', 'completed', 'direction', 'outbound',
    'cost_usd', 0.05, 'created_at', t, 'updated_at', t, 'phone_number', '+15550100000', 'summary', repeat('a word ', 40),
    'context', jsonb_build_object('customer', n, 'plan', repeat('x', 100))), sha256(n::text::bytea), 1, t, t, t
FROM (SELECT n, md5(n::text)::uuid AS i, timestamptz '2026-01-01' + n * interval '1 s' AS t FROM generate_series(1, %(calls)s) n) s;
INSERT INTO truedy.call_versions (call_id, version, updated_at, observed_at, fingerprint, raw)
SELECT id, 1, updated_at, observed_at, fingerprint, raw FROM truedy.calls;
INSERT INTO truedy.transcripts (call_id, account, state, call_created_at, asked_at, fetched_at, raw, summary, segment_count, fingerprint)
SELECT id, account, 'present', created_at, created_at, created_at, '{}', 'in short', %(segments)s, fingerprint
FROM truedy.calls ORDER BY id LIMIT %(transcripts)s;
INSERT INTO truedy.transcript_segments (call_id, position, speaker, text, start_seconds)
SELECT t.call_id, p, 'agent', 'what somebody said at ' || p || repeat(' and so on', 5), p * 1.5
FROM truedy.transcripts t CROSS JOIN generate_series(0, %(segments)s - 1) p
"""


def verification(records: int) -> dict[str, object]:
    """Measure how long so many records take to be verified, and with how much memory: 58 of 100 are versions of calls, the
    others transcripts of nine segments.
    """
    calls = records * 58 // 100
    with common.database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for table in ("calls", "transcript_segments"):
                connection.execute(f"ALTER TABLE truedy.{table} DISABLE TRIGGER USER")
            given = {"calls": calls, "transcripts": records - calls, "segments": 9}
            for statement in MADE.split(";"):
                connection.execute(psycopg.ClientCursor(connection).mogrify(statement, given))
            connection.execute("VACUUM ANALYZE")
        database = Database(url)
        begun = time.perf_counter()
        late.seal(database, "default", lambda: datetime.now(UTC))
        sealed = time.perf_counter()
        own = time.process_time()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = inspection.verify(database, "default")
        seconds, own = time.perf_counter() - sealed, time.process_time() - own
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        database.close()
    assert found.is_whole
    assert found.records == records
    return {
        "verified_records": records,
        "seal_late_seconds": round(sealed - begun, 1),
        "verify_seconds": round(seconds, 1),
        "verify_own_cpu_seconds": round(own, 1),
        "verify_memory_growth_mib": round((after - before) / 1024, 1),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Measure, and write the result file. The argument is how many records are verified."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    result = {
        "what": "a fresh sync with the archive off and on, in turn in one run",
        **cost(),
        **at_a_limit(),
        **views(),
        **verification(records),
    }
    sys.stdout.write(f"{result}\n")
    common.write("archive", result)


if __name__ == "__main__":
    main()
