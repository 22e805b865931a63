"""One answer that ends whoever reads it: after three deaths it alone is left out, and everything else goes on.

The killer is real: in the program and in each process that it starts, a parser aborts at one call, as a fault in C would.
It is planted from outside, by Python's own `sitecustomize`.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from replicator.simulator.switches import Switches
from replicator.sync.engine.position import STEPPED_OVER
from tests.fix_commands import TOP, run
from tests.sync.fix_source import Setting, source
from tests.sync.test_crash import settings

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

pytestmark = pytest.mark.slow

KILLER = """
import os, resource
from replicator.source import client, parsing

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
row, transcript = parsing.parse_row, client.Reader.get_transcript


def parse_row(raw):
    if b"{row}" in raw:
        os.abort()
    return row(raw)


def get_transcript(self, call_id):
    if str(call_id) == "{transcript}":
        os.abort()
    return transcript(self, call_id)


parsing.parse_row, client.Reader.get_transcript = parse_row, get_transcript
"""
MOST_STARTS = 8


class Supervisor:
    """Starts syncs as a supervisor does, with or without the killer."""

    def __init__(self, there: Setting, url: str, folder: Path, **killer: str) -> None:
        folder.mkdir()
        text = KILLER.replace("{row}", killer.get("row", "none")).replace(
            "{transcript}", killer.get("transcript", "none")
        )
        (folder / "sitecustomize.py").write_text(text, encoding="utf-8")
        self.chosen = settings(there, url)
        self.deadly = {**self.chosen, "PYTHONPATH": f"{folder}:{TOP}"}

    def omit_details(self) -> None:
        """Let the syncs be about the calls only."""
        for chosen in (self.chosen, self.deadly):
            chosen["REPLICATOR_DETAILS"] = "none"

    def deaths(self) -> int:
        """Start a sync again and again until one ends by itself; return how many died."""
        for number in range(MOST_STARTS):
            done = run("sync", "--quiet", cwd=TOP, **self.deadly)
            if done.returncode != -signal.SIGABRT:
                assert done.returncode == 0, done.stderr
                return number
        raise AssertionError("it dies on and on")


@pytest.mark.parametrize("place", [3, 120], ids=["among the newest", "in history"])
def test_a_row_that_ends_its_reader_is_left_out(
    database: Database, database_url: str, reachable_folder: Path, place: int
) -> None:
    """Three runs die of one row; the fourth stores all others, and says where the one is. Later runs do not die of it again,
    and a program that survives it reads it.
    """
    with source(database, calls=140, switches=Switches(limit=None)) as there:
        deadly = there.world.live_ids()[place]
        supervisor = Supervisor(there, database_url, reachable_folder / f"killer-{place}", row=deadly)
        supervisor.omit_details()
        assert supervisor.deaths() == 3
        assert there.differences(transcripts=False) == [f"{deadly} is missing"]
        assert there.rows("SELECT reason FROM replicator.quarantine WHERE resolved_at IS NULL") == [(STEPPED_OVER,)]
        new = there.world.create(status="completed")
        assert supervisor.deaths() == 0
        assert there.value(f"SELECT count(*) FROM truedy.calls WHERE id = '{new}'") == 1
        there.rows("UPDATE replicator.coverage SET verified_at = verified_at - interval '91 days' RETURNING 1")
        for _ in range(2):  # what is proven now is noted where the next run begins
            done = run("sync", "--quiet", cwd=TOP, **supervisor.chosen)
            assert done.returncode == 0, done.stderr
        assert there.differences(transcripts=False) == []
        assert there.rows("SELECT reason FROM replicator.quarantine WHERE resolved_at IS NULL") == []


def test_a_transcript_that_ends_its_reader_is_left_out(
    database: Database, database_url: str, reachable_folder: Path
) -> None:
    """Three runs die of one transcript; the fourth stores everything else, and keeps the one for later."""
    with source(database, calls=60, switches=Switches(limit=None)) as there:
        deadly = next(i for i in there.world.live_ids() if there.world.segments(i))
        supervisor = Supervisor(there, database_url, reachable_folder / "killer-transcript", transcript=deadly)
        assert supervisor.deaths() == 3
        assert there.differences() == [f"{deadly}: the transcript differs"]
        assert there.value(f"SELECT state FROM truedy.transcripts WHERE call_id = '{deadly}'") == "pending"
        there.rows("UPDATE truedy.transcripts SET due_at = now() WHERE due_at IS NOT NULL RETURNING 1")
        assert supervisor.deaths() == 0
        there.rows("UPDATE truedy.transcripts SET due_at = now() WHERE due_at IS NOT NULL RETURNING 1")
        assert run("sync", "--quiet", cwd=TOP, **supervisor.chosen).returncode == 0
        assert there.differences() == []


@pytest.mark.parametrize("outcomes", [("lost", "lost"), ("lost", "done", "lost", "lost")])
def test_only_three_deaths_in_a_row_count(database: Database, outcomes: tuple[str, ...]) -> None:
    """Two runs that died are no crash loop, nor are three with one between that ended."""
    with source(database, calls=20, switches=Switches(limit=None)) as there:
        there.sync()
        with there.database.connection() as connection:
            for outcome in outcomes:
                connection.execute(
                    "INSERT INTO replicator.runs (account, command, replicator_version, holder, epoch, outcome, finished_at) "
                    "VALUES ('default', 'sync', '', '', 1, %s, now())",
                    [outcome],
                )
        there.sync()
        assert there.value("SELECT reads_apart_until IS NULL FROM replicator.source_state")
