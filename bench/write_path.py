"""The write path beside a bare COPY of the same rows, in one run: records in memory to committed rows."""

from __future__ import annotations

import gc
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from bench import common
from replicator.errors import NotFound
from replicator.source.client import Reader
from replicator.store import lease, runs
from replicator.store.database import Database
from replicator.sync.commit import Committer
from replicator.sync.content.calls import Policy
from replicator.sync.coverage.ledger import Ledger
from replicator.sync.coverage.page import Lane
from replicator.sync.engine.engine import BATCH_SIZE
from replicator.sync.engine.position import Batch, Position, Source, committed
from replicator.sync.engine.state import State
from replicator.sync.protocol.requests import Detail, Outcome, Request

if TYPE_CHECKING:
    from replicator.records import Page, Recording, Transcript

CALLS, ROUNDS = 10_000, 7
PAGES_PER_BATCH = 10
"""Pages come in as fast as the source lists; a batch holds what came in while the one before was committed."""


def fetch() -> tuple[list[Page], list[tuple[Detail, Transcript | Recording]]]:
    pages: list[Page] = []
    details: list[tuple[Detail, Transcript | Recording]] = []
    with common.source(CALLS) as (url, key), Reader(url, key) as reader:
        pages += [reader.list_calls(limit=100, offset=offset) for offset in range(0, CALLS, 100)]
        for call in (call for page in pages for call in page.calls):
            if call.status not in {"completed", "voicemail"}:
                continue
            try:
                found = reader.get_transcript(call.id).value
                details.append((Detail("transcript", call.id, call.created_at, 0, call.created_at), found))
                if call.recording_url is None:
                    url_found = reader.get_recording(call.id).value
                    details.append((Detail("recording", call.id, call.created_at, 0, call.created_at), url_found))
            except NotFound:
                continue
    return pages, details


def ours(url: str, pages: list[Page], details: list[tuple[Detail, Any]]) -> float:
    """Commit everything as a run does: pages first, then details, in batches."""
    database = Database(url)
    now = datetime.now(UTC)
    held = lease.acquire(database, "bench", "bench")
    with database.transaction() as tx:
        run_id = runs.begin_run(tx, "default", "bench", "bench", held.holder, held.epoch)
    committer = Committer("default", held, run_id, Policy(), [], looks_since=now)
    position = Position(State(Ledger()), Ledger(), Source("bench"))
    later = now + timedelta(hours=1)
    outcomes = [Outcome(Request(Lane.BACKFILL, 0, later), now, now, page=page) for page in pages]
    batches = [outcomes[i : i + PAGES_PER_BATCH] for i in range(0, len(outcomes), PAGES_PER_BATCH)]
    found = [
        Outcome(Request(Lane.BACKLOG, 0, later, detail=detail), now, now, found=value) for detail, value in details
    ]
    batches += [found[i : i + BATCH_SIZE] for i in range(0, len(found), BATCH_SIZE)]
    begun = time.perf_counter()
    for batch in batches:
        with database.transaction() as tx:
            stored = committer.commit(tx, position, Batch(batch), now)
        committer.committed()
        position = committed(position, stored)
    seconds = time.perf_counter() - begun
    lease.release(database, held)
    database.close()
    return seconds


def bare(url: str, rows: dict[str, tuple[list[str], list[tuple[Any, ...]]]]) -> float:
    """COPY the same rows into the same tables, all of them in one transaction, and nothing that triggers do."""
    begun = time.perf_counter()
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        for table, (columns, values) in rows.items():
            with connection.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                for value in values:
                    copy.write_row(value)
    return time.perf_counter() - begun


def set_triggers(url: str, verb: str) -> None:
    """ENABLE or DISABLE what tells the roll-ups of each write."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("truedy.calls", "truedy.transcript_segments"):
            connection.execute(f"ALTER TABLE {table} {verb} TRIGGER USER")


def stored(url: str) -> dict[str, tuple[list[str], list[tuple[Any, ...]]]]:
    """Return the rows that are stored, JSON as text, as COPY will take them."""
    found = {}
    with psycopg.connect(url) as connection:
        for table in (
            "truedy.calls",
            "truedy.call_versions",
            "truedy.transcript_segments",
            "truedy.transcripts",
            "truedy.recordings",
        ):
            schema, name = table.split(".")
            columns = connection.execute(
                "SELECT attname, atttypid = 'jsonb'::regtype FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
                "AND NOT attisdropped ORDER BY attnum",
                [f"{schema}.{name}"],
            ).fetchall()
            chosen = ", ".join(f"{column}::text" if is_json else column for column, is_json in columns)
            found[table] = (
                [column for column, _ in columns],
                connection.execute(f"SELECT {chosen} FROM {table}").fetchall(),
            )
    return found


def main() -> None:
    pages, details = fetch()
    gc.collect()
    gc.freeze()  # what this measurement holds in memory is not what a run holds
    times: dict[str, list[float]] = {"ours": [], "bare": [], "untold": [], "own": [], "bare_own": []}
    with common.database() as url:
        common.empty(url)
        ours(url, pages, details)
        rows = stored(url)
        for _ in range(ROUNDS):
            common.empty(url)
            begun = time.process_time()
            times["bare"].append(bare(url, rows))
            times["bare_own"].append(time.process_time() - begun)
            common.empty(url)
            begun = time.process_time()
            times["ours"].append(ours(url, pages, details))
            times["own"].append(time.process_time() - begun)
            common.empty(url)
            set_triggers(url, "DISABLE")
            times["untold"].append(ours(url, pages, details))
            set_triggers(url, "ENABLE")
    counts = Counter({table.split(".")[1]: len(values) for table, (_, values) in rows.items()})
    ratios = [b / o for b, o in zip(times["bare"], times["ours"], strict=True)]
    untold = [b / o for b, o in zip(times["bare"], times["untold"], strict=True)]
    told = [o / u for o, u in zip(times["ours"], times["untold"], strict=True)]
    middle = common.middle(times["ours"])
    result = {
        "what": "parsed records to committed rows (durable), beside a bare COPY of the same rows in the same run",
        "rows": dict(counts),
        "seconds": middle,
        "bare_copy_seconds": common.middle(times["bare"]),
        "own_cpu_seconds": common.middle(times["own"]),
        "bare_own_cpu_seconds": common.middle(times["bare_own"]),
        "share_of_bare_copy": common.middle(ratios),
        "share_without_triggers": common.middle(untold),
        "time_with_triggers_over_without": common.middle(told),
        "shares": [round(ratio, 3) for ratio in ratios],
        "calls_per_second": round(counts["calls"] / middle),
        "segments_per_second": round(counts["transcript_segments"] / middle),
        "rounds": ROUNDS,
    }
    common.write("write_path", result)
    print(result)


if __name__ == "__main__":
    main()
