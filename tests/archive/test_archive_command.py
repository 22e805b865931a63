"""The commands `replicator archive`, as real processes on a real database: from a replica without an archive to a verified one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fix_commands import run
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database


@pytest.mark.slow
def test_from_nothing_to_a_verified_archive(database: Database, database_url: str, tmp_path: Path) -> None:
    """Off it refuses to seal; on it seals what was stored, writes a head, verifies; and one changed byte is named."""
    off = {"DATABASE_URL": database_url, "REPLICATOR_DATA_DIR": str(tmp_path / "data")}
    on = {**off, "REPLICATOR_ARCHIVE": "on"}
    heads = str(tmp_path / "heads")
    with source(database, calls=40, now=datetime(2026, 11, 20, 12, tzinfo=UTC)) as there:
        there.sync()
        refused = run("archive", "run", cwd=tmp_path, **off)
        assert (refused.returncode, "REPLICATOR_ARCHIVE=on" in refused.stderr) == (2, True)
        unsealed = run("archive", "verify", cwd=tmp_path, **on)
        assert (unsealed.returncode, "have no record" in unsealed.stdout) == (1, True)
        assert "nothing is sealed yet" in run("archive", "status", cwd=tmp_path, **on).stdout
        assert "sealed late" in run("archive", "run", cwd=tmp_path, **on).stdout
        there.world.update(there.world.live_ids()[3], cost_usd=7.5)
        there.sync(seals=True)
    status = json.loads(run("archive", "status", "--json", cwd=tmp_path, **on).stdout)
    assert (status["is_on"], status["open_records"], status["anchored_block"]) == (True, status["records"], None)
    named = run("archive", "anchor", cwd=tmp_path, **on)
    assert (named.returncode, "REPLICATOR_ARCHIVE_ANCHOR_TO" in named.stderr) == (2, True)
    done = json.loads(run("archive", "anchor", "--to", heads, "--json", cwd=tmp_path, **on).stdout)
    assert done["last_sequence"] == status["records"]
    assert (tmp_path / "data" / "archive-signing-key").stat().st_mode & 0o777 == 0o600
    assert "open window    none" in run("archive", "status", cwd=tmp_path, **on).stdout
    whole = run("archive", "verify", "--anchors", heads, "--public-key", done["key"], cwd=tmp_path, **on)
    assert (whole.returncode, whole.stdout.startswith("whole: ")) == (0, True), whole.stdout + whole.stderr
    assert "compared with 1 heads outside" in whole.stdout
    (tmp_path / "typo").mkdir()
    nothing = run("archive", "verify", "--anchors", str(tmp_path / "typo"), cwd=tmp_path, **on)
    assert (nothing.returncode, "[no_head]" in nothing.stdout, "NOT whole" in nothing.stdout) == (1, True, True)
    waiting = run("archive", "anchor", "--to", heads, "--tsa", "http://127.0.0.1:9/", cwd=tmp_path, **on)
    assert (waiting.returncode, "wait for their time stamp" in waiting.stderr) == (1, True)
    assert "warning: 1 heads wait" in run("archive", "status", cwd=tmp_path, **on).stdout
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE truedy.calls SET cost_usd = cost_usd + 1 WHERE cost_usd = 7.5")
    broken = run("archive", "verify", "--anchors", heads, "--json", cwd=tmp_path, **on)
    facts = json.loads(broken.stdout)
    assert (broken.returncode, facts["is_whole"]) == (1, False)
    assert [(fault["code"], fault["sequence"] > 40) for fault in facts["faults"]] == [("call_changed", True)]
    renamed = run("accounts", "rename", "default", "other", cwd=tmp_path, **on)
    assert (renamed.returncode, "has records in the archive" in renamed.stderr) == (2, True)
