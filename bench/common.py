"""Shared by the measurements: a database, a simulated source in a process of its own, results as files."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import psycopg

from replicator.store import embedded, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parent / "results"
TABLES = "truedy.calls, truedy.call_versions, truedy.transcript_segments, truedy.transcripts, truedy.transcript_versions, truedy.recordings, rollup.touched, rollup.days, rollup.call_conversations, rollup.call_conversations_touched"
BOOKS = "replicator.coverage, replicator.runs, replicator.quarantine, replicator.source_state, replicator.budgets, replicator.budget_windows"


@contextmanager
def database() -> Iterator[str]:
    """Give the URL of a migrated, empty database in an embedded server with its default settings (durable)."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with embedded.running(Path(folder) / "postgres") as server:
            migrate.migrate(server.url)
            yield server.url


def empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES}, {BOOKS}")
        connection.execute("CHECKPOINT")


@contextmanager
def source(calls: int) -> Iterator[tuple[str, str]]:
    """Give (base URL, key) of a simulated source without a limit, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "replicator.simulator",
        "--calls",
        str(calls),
        "--limit",
        "0",
        "--until-stdin-ends",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield ready["base_url"], ready["key"]
        assert process.stdin is not None
        process.stdin.close()


def write(name: str, result: dict[str, Any]) -> None:
    machine = {"python": platform.python_version(), "cores": len(os.sched_getaffinity(0))}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps({**result, **machine}, indent=2) + "\n", encoding="utf-8")


def middle(values: list[float]) -> float:
    return round(median(values), 3)
