"""A bag appears as a whole, or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from replicator.archive.production import bag_folder
from replicator.errors import ConfigurationError, OutputFailed
from tests import fix_commands

if TYPE_CHECKING:
    from pathlib import Path


def test_a_broken_export_leaves_nothing(tmp_path: Path) -> None:
    """An error in the middle removes all of it; the name was never there."""
    with pytest.raises(ZeroDivisionError), bag_folder.making(tmp_path / "bag") as folder:  # noqa: PT012
        folder.write("data/x.json", [b"{}"])
        folder.append("data/y.jsonl", b"1\n")
        assert not (tmp_path / "bag").exists()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_anything_is_refused(tmp_path: Path) -> None:
    """A file in it, a file or a link at its place, a folder that is missing above it: refused, and nothing is changed."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("full", "file", "link", "no/where"):
        with pytest.raises(ConfigurationError), bag_folder.making(tmp_path / name):
            pytest.fail("it was begun")
    (tmp_path / "empty").mkdir()
    with bag_folder.making(tmp_path / "empty") as folder:
        folder.finish()
    assert (tmp_path / "empty" / "manifest-sha256.txt").exists()
    assert (tmp_path / "full" / "mine").read_text() == "mine"


def test_a_folder_that_was_filled_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """Who came first keeps the place."""
    with pytest.raises(ConfigurationError), bag_folder.making(tmp_path / "bag"):  # noqa: PT012
        (tmp_path / "bag").mkdir()
        (tmp_path / "bag" / "mine").write_text("mine")
    assert [path.name for path in tmp_path.rglob("*")] == ["bag", "mine"]


def test_a_killed_export_is_removed_by_the_next_one(tmp_path: Path) -> None:
    """What SIGKILL leaves has another name; the next export removes it, but not one that still runs."""
    script = (
        "import os, pathlib, signal\nfrom replicator.archive.production import bag_folder\n"
        f"with bag_folder.making(pathlib.Path({str(tmp_path / 'bag')!r})) as folder:\n"
        "    folder.write('data/x.json', [b'{}'])\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script], env=fix_commands.environment({}), cwd=tmp_path, check=False)
    assert killed.returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".bag-")
    with bag_folder.making(tmp_path / "bag"):
        (running,) = tmp_path.iterdir()
        assert running != left
        with bag_folder.making(tmp_path / "other"):
            pass
        bag_folder._remove_abandoned(tmp_path / "bag")
        assert running.exists()


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's error is ours, and nothing is left."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutputFailed, match="No space"), bag_folder.making(tmp_path / "bag") as folder:  # noqa: PT012
        monkeypatch.setattr(bag_folder.Folder, "_open", full)
        folder.write("data/x.json", [b"{}"])
    assert list(tmp_path.iterdir()) == []
