"""A service with the archive on stops in time, whatever it waits for: storage or an authority that never answers."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from replicator.simulator.api import KEY
from tests.archive import fix_queue, fix_storage
from tests.fix_commands import start
from tests.sync.fix_source import source

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from replicator.store.database import Database

STOP_SECONDS = 10
"""What docs/commands.md says of `serve`; Docker kills after the same time."""


@pytest.mark.slow
@pytest.mark.parametrize("who", ["storage", "authority", "authority at the end"])
def test_a_stop_is_over_in_time(database: Database, database_url: str, tmp_path: Path, who: str) -> None:
    """SIGTERM while downloads, or the time stamp of the last head, are waited for."""
    over = threading.Event()

    def silent(_head: bytes, _connection: socket.socket) -> None:
        over.wait(60)

    def there_is_a_record() -> bool:
        with database.connection() as connection:
            return connection.execute("SELECT 1 FROM archive.records LIMIT 1").fetchone() is not None

    with source(database, calls=40) as there, fix_storage.serving(silent) as place:
        settings = {
            "DATABASE_URL": database_url, "TRUEDY_API_KEY": KEY, "TRUEDY_BASE_URL": there.base_url,
            "TRUEDY_REQUESTS_PER_MINUTE": "0", "REPLICATOR_POLL_SECONDS": "1", "REPLICATOR_ARCHIVE": "on",
            "REPLICATOR_DATA_DIR": str(tmp_path / "data"), "REPLICATOR_ARCHIVE_ALLOW_HOSTS": "127.0.0.1",
        }  # fmt: skip
        if who == "storage":
            fix_queue.add_calls(database, [f"{place.url}/a.wav"] * 4)
        else:
            settings |= {
                "REPLICATOR_ARCHIVE_ANCHOR_TO": str(tmp_path / "heads"),
                "REPLICATOR_ARCHIVE_TSA": place.url,
                "REPLICATOR_ARCHIVE_ANCHOR_SECONDS": "1" if who == "authority" else "3600",
            }
        process = start("serve", cwd=tmp_path, **settings)
        try:
            is_begun = there_is_a_record if who == "authority at the end" else lambda: bool(place.requests)
            until = time.monotonic() + 30
            while not is_begun():
                assert time.monotonic() < until
                time.sleep(0.05)
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=90)
            seconds = time.monotonic() - begun
        finally:
            process.kill()
            process.communicate()
            over.set()
    assert process.returncode == 0, said
    assert seconds < STOP_SECONDS
