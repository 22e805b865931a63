"""What a hostile or a heavy source can make a whole `replicator sync` process hold: little, whatever it sends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from replicator.simulator import wire
from replicator.simulator.api import KEY
from replicator.simulator.switches import Switches
from tests.fix_memory import measure
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

pytestmark = pytest.mark.slow
FREE = Switches(limit=None)


def settings(there: Setting, database_url: str, **more: str) -> dict[str, str]:
    return {
        "TRUEDY_API_KEY": KEY,
        "TRUEDY_BASE_URL": there.base_url,
        "TRUEDY_REQUESTS_PER_MINUTE": "0",
        "DATABASE_URL": database_url,
        **more,
    }


def test_gzip_bombs(database: Database, database_url: str, tmp_path: Path) -> None:
    """A source whose every list answer is a megabyte that would become a gibibyte: the sync ends with 1, says what is wrong
    and what to do, and never holds more than 300 MB.
    """
    with source(database, calls=300, switches=replace(FREE, gzip_bomb_bytes=2**30)) as there:
        done = measure("sync", cwd=tmp_path, **settings(there, database_url))
    assert done.returncode == 1
    assert "the answer (200) is larger than 64 MiB" in done.stderr
    assert "what to do:" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.peak_megabytes < 300, done.peak_megabytes


def test_pages_of_five_megabytes(database: Database, database_url: str, tmp_path: Path) -> None:
    """500 calls in pages of 4.6 MB, as was observed: all are stored, in less than 250 MB."""
    heavy = replace(FREE, transcript_in_rows="array", page_bytes=4_600_000)
    with source(database, calls=500, switches=heavy) as there:
        done = measure("sync", "--json", cwd=tmp_path, **settings(there, database_url))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["calls_inserted"] == 500
        assert there.value("SELECT count(*) FROM truedy.calls") == 500
    assert done.peak_megabytes < 250, done.peak_megabytes


@pytest.mark.parametrize("letter", ["x", "😀"])
def test_pages_as_large_as_is_allowed(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, letter: str
) -> None:
    """Calls of 600 KB, 60 MB a page, with nothing wrong: all are stored, in less than 700 MB."""
    context = letter * (600_000 // len(letter.encode()))
    shown = wire.to_json({"note": context})
    sound = wire.call_bytes

    def call_bytes(*arguments: Any, **options: Any) -> bytes:
        return b'{"context":' + shown + b"," + sound(*arguments, **options).replace(b'"context":', b'"was":')[1:]

    monkeypatch.setattr(wire, "call_bytes", call_bytes)
    with source(database, calls=150, switches=FREE) as there:
        done = measure("sync", "--json", cwd=tmp_path, **settings(there, database_url, REPLICATOR_DETAILS=""))
        assert done.returncode == 0, done.stderr
        assert there.value("SELECT count(*) FROM truedy.calls") == 150
    assert done.peak_megabytes < 700, done.peak_megabytes
