"""What the archive costs a fresh sync in time and in WAL, with it off and on in turn; and how fast a chain is verified."""

from __future__ import annotations

import sys
import time
from statistics import median

import psycopg

from bench import common
from replicator.budget.durable import Limits
from replicator.source.client import Reader
from replicator.store.database import Database
from replicator.sync.run import Options, Run

CALLS, ROUNDS, WORKERS = 5_000, 5, 8
KEPT = ("records", "blocks")


def empty(url: str) -> None:
    """Empty everything, also what is sealed: its owner can, and verification would find it."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table in KEPT:
            connection.execute(f"ALTER TABLE archive.{table} DISABLE TRIGGER USER")
        connection.execute("TRUNCATE archive.records, archive.blocks, archive.chains, archive.heads")
        for table in KEPT:
            for trigger in ("kept_rows", "kept_whole"):
                connection.execute(f"ALTER TABLE archive.{table} ENABLE ALWAYS TRIGGER {trigger}")
    common.empty(url)


def sync(url: str, key: str, database_url: str, *, seals: bool) -> tuple[float, int]:
    """Return (seconds, bytes of WAL) of one fresh sync."""
    empty(database_url)
    with psycopg.connect(database_url) as connection:
        before = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
    database = Database(database_url)
    options = Options(base_url=url, workers=WORKERS, limits=Limits(None), seals=seals)
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
    with common.database() as database_url, common.source(CALLS) as (url, key):
        sync(url, key, database_url, seals=True)  # the source has cached its rows from here on
        for place in range(ROUNDS):
            for seals in (False, True) if place % 2 else (True, False):
                found[seals].append(sync(url, key, database_url, seals=seals))
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT count(*) FROM archive.records").fetchone()
    seconds = {seals: [one[0] for one in values] for seals, values in found.items()}
    wal = {seals: [one[1] for one in values] for seals, values in found.items()}
    return {
        "calls": CALLS,
        "records": row[0] if row else 0,
        "seconds_off": common.middle(seconds[False]),
        "seconds_on": common.middle(seconds[True]),
        "time_on_over_off": round(median(on / off for on, off in zip(seconds[True], seconds[False], strict=True)), 3),
        "wal_bytes_off": int(median(wal[False])),
        "wal_bytes_on": int(median(wal[True])),
        "wal_on_over_off": round(median(wal[True]) / median(wal[False]), 3),
        "rounds": ROUNDS,
    }


def main() -> None:
    """Measure, and write the result file."""
    result = {"what": "a fresh sync with the archive off and on, in turn in one run", **cost()}
    sys.stdout.write(f"{result}\n")
    common.write("archive", result)


if __name__ == "__main__":
    main()
