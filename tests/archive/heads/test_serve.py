"""A service with the archive on: what it stores is sealed, and its heads lie outside, also the last one."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from replicator.archive.heads import anchor_places, anchors
from replicator.archive.verification import inspection
from replicator.simulator.api import KEY
from tests.fix_commands import start
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database


@pytest.mark.slow
def test_a_service_seals_and_anchors(database: Database, database_url: str, tmp_path: Path) -> None:
    """Stopped by a signal, it leaves no open window."""
    heads = tmp_path / "heads"
    with source(database, calls=40) as there:
        settings = {
            "DATABASE_URL": database_url, "TRUEDY_API_KEY": KEY, "TRUEDY_BASE_URL": there.base_url,
            "TRUEDY_REQUESTS_PER_MINUTE": "0", "REPLICATOR_POLL_SECONDS": "1", "REPLICATOR_ARCHIVE": "on",
            "REPLICATOR_ARCHIVE_ANCHOR_TO": str(heads), "REPLICATOR_ARCHIVE_ANCHOR_SECONDS": "1",
            "REPLICATOR_ARCHIVE_KEY_FILE": str(tmp_path / "key"),
        }  # fmt: skip
        with start("serve", cwd=tmp_path, **settings) as process:
            until = time.monotonic() + 50
            while time.monotonic() < until and not (heads.is_dir() and list(heads.glob("*.head.json"))):
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    found = anchors.find("default", anchor_places.Folder(heads))
    verdict = inspection.verify(database, "default", found.heads)
    assert verdict.is_whole, verdict.faults[:3]
    assert verdict.records > 40
    assert found.heads[-1].last == verdict.records
