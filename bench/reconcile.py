"""Statements of 10,000, 100,000 and 1,000,000 lines: lines per second imported, and the memory that it took."""

from __future__ import annotations

import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from bench import common
from replicator.reconcile import importing, mapping_file
from replicator.store.database import Database

SIZES = (10_000, 100_000, 1_000_000)
HEADER = (
    "line_id,call_id,started_at,duration_seconds,from_number,phone_number,direction,amount,currency,kind,description"
)


def write(path: Path, lines: int) -> None:
    """Write a statement as vendors write them: quoted texts, four decimals, some fees and credits."""
    chance, begin = random.Random(7), datetime(2026, 10, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(HEADER + "\r\n")
        writer = csv.writer(file)
        for number in range(lines):
            seconds = chance.randrange(1, 900)
            at = begin + timedelta(seconds=number * 2_600_000 / lines)
            writer.writerow([
                f"INV-{number:08}", uuid.UUID(int=chance.getrandbits(128), version=4), at.strftime("%Y-%m-%dT%H:%M:%SZ"), seconds,
                f"+1555{chance.randrange(10**7):07}", f"+1555{chance.randrange(10**7):07}", "outbound", f"{-(-seconds // 60) * 0.07:.4f}", "USD",
                "usage", "AI voice minutes, tier 2",
            ])  # fmt: skip


def import_one(url: str, path: str) -> dict[str, Any]:
    """Import a file, in a process of its own: its memory is that of the import."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    database, begun = Database(url), time.monotonic()
    done = importing.run(database, "bench", Path(path), mapping_file.load(None), period="2026-10", by="bench")
    seconds = time.monotonic() - begun
    database.close()
    return {
        "seconds": round(seconds, 2),
        "lines_per_second": round(done.statement.lines / seconds),
        "unreadable": done.statement.unreadable,
        "grown_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def measure() -> dict[str, Any]:
    found: dict[str, Any] = {}
    with common.database() as url, tempfile.TemporaryDirectory() as folder:
        for lines in SIZES:
            path = Path(folder) / f"{lines}.csv"
            write(path, lines)
            command = [sys.executable, "-m", "bench.reconcile", url, str(path)]
            out = subprocess.run(command, check=True, capture_output=True, text=True)
            found[str(lines)] = json.loads(out.stdout) | {"file_mb": round(path.stat().st_size / 1e6, 1)}
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("TRUNCATE billing.statements, billing.lines")
    return found


def main() -> None:
    """Write the figures of the import beside those that are there."""
    file = common.RESULTS / "reconcile.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    common.write("reconcile", before | {"import": measure()})


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(import_one(*sys.argv[1:])))
    else:
        main()
