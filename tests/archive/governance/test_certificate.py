"""Nothing is erased where no certificate could be written, and no file is replaced by one."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from replicator import atomic_file
from replicator.archive.governance import certificate
from replicator.cli import app
from replicator.errors import ConfigurationError, OutputFailed
from replicator.store import rollups
from tests.archive.fix_governance import NUMBER, Replica, archivist, plant, replica

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.store.database import Database

ERASE = ("archive", "erase", "--number", NUMBER, "--reason", "ticket 17")
WHOLE = "SELECT count(*) FROM truedy.calls WHERE NOT raw ? '_erased'"


@pytest.fixture
def there(database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replica]:
    """A replica with the person in it, and the environment of the archivist's commands, whose folder is `here`."""
    for name, value in archivist(database_url, tmp_path).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with replica(database, tmp_path, calls=5) as found:
        plant(found)
        yield found


def typed(*words: str) -> Any:
    return CliRunner().invoke(app, words)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.slow
def test_the_file_is_tried_before_the_first_erasure(there: Replica, tmp_path: Path) -> None:
    """A folder that is not there, one that is gone, and files that exist: nothing is erased, and no file is touched."""
    here, before = tmp_path / "here", there.rows(WHOLE)
    (here / "my.csv").write_text("rows")
    (here / "my.txt").write_text("notes")
    (here / "folder").mkdir()
    kept = {"my.csv": "rows", "my.txt": "notes"}
    for name in ("/nonexist/c.json", "my.csv", "my.json", "my.txt", "folder", "."):
        for dry, code in ((("--dry-run",), 0), ((), 2)):
            done = typed(*ERASE, "--certificate", name, *dry)
            assert (done.exit_code, "nothing was done" in done.stderr) == (code, code == 2), (name, done.stderr)
    typed("archive", "retention", "set", "short", "--keep", "1d")
    dispose = typed("archive", "dispose", "--certificate", "my.csv")
    assert (dispose.exit_code, "nothing was done" in dispose.stderr) == (2, True)
    (here / "folder").rmdir()
    assert contents(here) == kept
    shutil.rmtree(here)  # the working folder takes no file; a test may run as root, whom no mode keeps out
    assert typed(*ERASE).exit_code == 2
    assert typed(*ERASE).exit_code == 2
    assert there.rows(WHOLE) == before
    assert there.rows("SELECT count(*) FROM archive.erasures") == [(0,)]


@pytest.mark.slow
def test_no_certificate_replaces_another(there: Replica, tmp_path: Path) -> None:
    """The same command again is refused with the same file, and goes with another; without a file each has its own name."""
    here = tmp_path / "here"
    assert typed(*ERASE, "--certificate", "c.txt").exit_code == 0
    first = contents(here)
    assert set(first) == {"c.json", "c.txt"}
    again = typed(*ERASE, "--certificate", "c.json")
    assert (again.exit_code, "c.json exists" in again.stderr, "another name" in again.stderr) == (2, True, True)
    assert contents(here) == first
    assert typed(*ERASE).exit_code == 0
    assert set(contents(here)) == {"c.json", "c.txt", "erasure-2.json", "erasure-2.txt"}
    assert contents(here) | first == contents(here)


@pytest.mark.slow
def test_a_certificate_that_fails_afterwards_can_be_had_later(
    there: Replica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a full disk the command says what was erased and how to get the certificate, which is as it would have been."""
    here = tmp_path / "here"

    def full(*_: object) -> Any:
        raise OutputFailed("the file could not be written: no space left on device")

    computed: list[object] = []
    with monkeypatch.context() as patched:
        patched.setattr(rollups, "refresh", lambda *given: computed.append(given))
        patched.setattr(atomic_file.Sink, "write", full)
        failed = typed(*ERASE, "--certificate", "c.json")
    assert failed.exit_code == 1
    assert "4 calls were erased or disposed of, 0 are kept" in failed.stderr
    assert "replicator archive certificate 1 --output FILE" in failed.stderr
    assert "no space left" in failed.stderr
    assert contents(here) == {}
    assert len(computed) == 1, "the roll-ups' touched days are computed all the same"
    later = typed("archive", "certificate", "1", "--output", "c.json", "--json")
    assert json.loads(later.stdout) == {"erasure": 1, "certificate": "c.json", "text": "c.txt"}
    found = json.loads((here / "c.json").read_text())
    assert (found["reason"], found["asked_by"], found["decisions"]) == ("ticket 17", "ann", {"erasure": 4})
    assert found["removed"]["calls"] == 4
    assert found["finished_at"] is not None
    assert typed("archive", "certificate", "1", "--output", "c.json").exit_code == 2
    assert typed("archive", "certificate", "1").exit_code == 0
    assert set(contents(here)) == {"c.json", "c.txt", "erasure-1.json", "erasure-1.txt"}
    unknown = typed("archive", "certificate", "7")
    assert (unknown.exit_code, "no erasure 7" in unknown.stderr) == (2, True)


@pytest.mark.slow
def test_what_was_interrupted_is_finished_by_the_same_command(
    there: Replica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It breaks off in the middle, says so, and leaves no file; the same command with the same file does the rest."""
    from replicator.archive.governance import erasure  # noqa: PLC0415 - it is changed here

    finish = erasure._finish

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(erasure, "_finish", broken)
    broke = typed(*ERASE, "--certificate", "c.json")
    assert broke.exit_code != 0
    assert "what was erased before this stays erased; the same command does the rest" in broke.stderr
    assert contents(tmp_path / "here") == {}
    monkeypatch.setattr(erasure, "_finish", finish)
    assert typed(*ERASE, "--certificate", "c.json").exit_code == 0
    found = json.loads((tmp_path / "here" / "c.json").read_text())
    assert (found["certificate"], found["decisions"]) == ("of erasure 1", {"erasure": 4})


def test_a_name_of_its_own_is_free(tmp_path: Path) -> None:
    """Two databases in one folder both have an erasure 3; a text without its JSON counts, and a link that leads nowhere."""
    assert certificate.free(tmp_path, "erasure", 3).name == "erasure-3.json"
    (tmp_path / "erasure-3.txt").touch()
    (tmp_path / "erasure-3-2.json").symlink_to("nowhere")
    path = certificate.free(tmp_path, "erasure", 3)
    assert path.name == "erasure-3-3.json"
    certificate.check(path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["erasure-3-2.json", "erasure-3.txt"]
    for name in ("erasure-3.json", "erasure-3.txt", "erasure-3-2.json", ".", "..", "/"):
        with pytest.raises(ConfigurationError):
            certificate.check(tmp_path / name)
