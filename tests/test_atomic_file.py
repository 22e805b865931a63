"""A file appears whole or not at all, whatever happens to the disk, to the process or to the name."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from replicator import atomic_file
from replicator.errors import ConfigurationError, OutputFailed
from replicator.export import parquet
from replicator.store.catalogue import Column
from tests.fix_commands import environment


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def land(path: Path, content: bytes = b"new", *, may_replace: bool = False) -> atomic_file.Sink:
    with atomic_file.replacing(path, may_replace=may_replace) as sink:
        sink.write(content)
    return sink


def test_a_file_appears_at_the_end_and_is_its_owners(tmp_path: Path) -> None:
    """Until the block ends nobody sees the name; then it is there, mode 0600, counted and hashed."""
    path = tmp_path / "a.csv"
    before = os.umask(0)
    try:
        with atomic_file.replacing(path, may_replace=False) as sink:
            sink.write(b"one")
            sink.write(memoryview(b"two"))
            assert [name[:19] for name in names(tmp_path)] == [".replicator-export-"]
            assert stat.S_IMODE(next(tmp_path.iterdir()).stat().st_mode) == 0o600
    finally:
        os.umask(before)
    assert names(tmp_path) == ["a.csv"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (path.read_bytes(), sink.bytes, sink.sha256) == (b"onetwo", 6, hashlib.sha256(b"onetwo").hexdigest())


def test_a_file_is_replaced_only_where_that_is_allowed(tmp_path: Path) -> None:
    """Without leave the earlier file stays; with it the new one has the name, and its own mode."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"old")
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="exists"):
        land(path)
    assert path.read_bytes() == b"old"
    land(path, may_replace=True)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode), names(tmp_path)) == (b"new", 0o600, ["a.csv"])


def test_a_file_that_comes_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """Who wrote the name first keeps it, though it was free when the export began."""
    path = tmp_path / "a.csv"

    def race() -> None:
        with atomic_file.replacing(path, may_replace=False) as sink:
            sink.write(b"new")
            path.write_bytes(b"theirs")

    with pytest.raises(ConfigurationError, match="exists"):
        race()
    assert (path.read_bytes(), names(tmp_path)) == (b"theirs", ["a.csv"])


@pytest.mark.parametrize("may_replace", [False, True])
def test_an_error_leaves_what_was_there(tmp_path: Path, may_replace: bool) -> None:
    """An exception in the middle: the earlier file, if any, and nothing beside it."""
    path = tmp_path / "a.csv"
    if may_replace:
        path.write_bytes(b"old")
    with suppress(KeyboardInterrupt), atomic_file.replacing(path, may_replace=may_replace) as sink:
        sink.write(b"half")
        raise KeyboardInterrupt
    assert names(tmp_path) == (["a.csv"] if may_replace else [])
    assert not may_replace or path.read_bytes() == b"old"


@pytest.mark.parametrize("call", ["write", "fsync", "link", "rename"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_refuses_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """Full or broken, at whichever step: the error says so, the earlier file stays, nothing is beside it."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    path = tmp_path / "a.csv"
    if call == "rename":
        path.write_bytes(b"old")
    before = names(tmp_path)
    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OutputFailed, match=os.strerror(number)) as failed:
        land(path, may_replace=call == "rename")
    monkeypatch.undo()
    assert failed.value.exit_code == 1
    assert "no partial file is left" in failed.value.hint
    assert names(tmp_path) == before
    assert not before or path.read_bytes() == b"old"


def test_a_folder_that_is_not_flushed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there and whole; that its name may be lost with the power is an error, not a success."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "broken")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputFailed, match="did not confirm its name"):
        land(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == b"new"


def test_the_file_is_flushed_before_it_has_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the one order that survives a power cut."""
    seen: list[tuple[str, bool]] = []
    real = os.fsync
    path = tmp_path / "a.csv"

    def fsync(descriptor: int) -> None:
        seen.append(("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file", path.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    land(path)
    assert seen == [("file", False), ("folder", True)]


def test_a_file_system_without_links_does_with_a_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no hard link can be made the file lands all the same, and another one is still not overwritten."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    land(tmp_path / "a.csv")
    assert names(tmp_path) == ["a.csv"]
    with pytest.raises(ConfigurationError, match="exists"):
        with atomic_file.replacing(tmp_path / "b.csv", may_replace=False):
            (tmp_path / "b.csv").write_bytes(b"theirs")
    assert (tmp_path / "b.csv").read_bytes() == b"theirs"


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "hanging link"])
def test_what_is_no_ordinary_file_is_never_replaced(tmp_path: Path, kind: str) -> None:
    """Not even where replacing is allowed: root would put a file in place of /dev/null. (That device itself is only asked
    about: a test that fails must not have replaced it.)
    """
    path = tmp_path / "a.csv"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "link":
            (tmp_path / "b").write_bytes(b"old")
            path.symlink_to("b")
        case _:
            path.symlink_to("nowhere")
    with pytest.raises(ConfigurationError, match="no ordinary file"):
        land(path, may_replace=True)
    assert not stat.S_ISREG(path.lstat().st_mode)
    with pytest.raises(ConfigurationError, match="no ordinary file"):
        atomic_file.check(Path("/dev/null"), may_replace=True)


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    """No folder, a file in its place, a folder that refuses, a name that is too long: usage, with what to do."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "none" / "a.csv", tmp_path / "file" / "a.csv", tmp_path / ("x" * 300)):
        with pytest.raises(ConfigurationError, match="no file can be written") as refused:
            land(path)
        assert refused.value.exit_code == 2
        assert refused.value.hint
    if Path("/proc/self").is_dir():
        with pytest.raises(ConfigurationError, match="no file can be written"):
            land(Path("/proc/a.csv"))


def test_what_a_killed_export_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    """A hidden file of the same name that nobody holds goes; one that is being written stays, and another name's too."""
    path, other = tmp_path / "a.csv", tmp_path / "b.csv"
    killed = (
        "import os, pathlib, signal, sys; from replicator import atomic_file\n"
        "with atomic_file.replacing(pathlib.Path(sys.argv[1]), may_replace=False) as sink:\n"
        "    sink.write(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    for name in (path, other):
        done = subprocess.run([sys.executable, "-c", killed, str(name)], env=environment({}), check=False)
        assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    left = names(tmp_path)
    assert len(left) == 2
    with atomic_file.replacing(path, may_replace=False) as sink:
        sink.write(b"one")
        mine = set(names(tmp_path)) - set(left)
        assert len(mine) == 1
        land(path, b"two")
        assert mine < set(names(tmp_path))
        path.unlink()
    assert path.read_bytes() == b"one"
    rest = set(names(tmp_path)) - {"a.csv"}
    assert len(rest) == 1
    land(other)
    assert names(tmp_path) == ["a.csv", "b.csv"]


def test_a_name_taken_for_abandoned_too_early_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between making the hidden file and locking it another export may remove it; then another one is made."""
    real, removed = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        if not removed:
            removed.append(next(tmp_path.iterdir()))
            removed[0].unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    land(tmp_path / "a.csv")
    assert removed
    assert (tmp_path / "a.csv").read_bytes() == b"new"


def test_a_broken_parquet_file_gets_no_footer(tmp_path: Path) -> None:
    """What is left of a writer when a sink has ended writes nowhere: half a file must not look whole."""
    path = tmp_path / "a.parquet"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    sink = atomic_file.Sink(descriptor, is_hashed=False)
    writer = parquet.Writer(sink, (Column("a", "text"),), {})  # type: ignore[arg-type]
    writer.write(("x",))
    sink.end()
    os.close(descriptor)
    size = path.stat().st_size
    writer.finish()
    assert path.stat().st_size == size
    with pytest.raises(Exception, match=r"footer|magic"):
        pq.read_table(path)


def test_an_error_of_the_disk_comes_through_arrow(tmp_path: Path) -> None:
    """A full disk under a Parquet writer is the same error as under CSV."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    descriptor = os.open("/dev/full", os.O_WRONLY)
    sink = atomic_file.Sink(descriptor, is_hashed=False)
    with pytest.raises(OutputFailed, match="No space left"):
        parquet.Writer(sink, (Column("a", "text"),), {})  # type: ignore[arg-type]
    sink.end()
    os.close(descriptor)


def plant_everything(folder: Path, name: str, target: Path) -> list[str]:
    """Put what somebody else could put into a folder like /tmp: links and a pipe under all names that can be foreseen."""
    mark = f".replicator-export-{hashlib.sha256(name.encode()).hexdigest()[:12]}-"
    (folder / f"{mark}0{atomic_file.UNFINISHED}").symlink_to(target)
    (folder / f"{mark}1{atomic_file.UNFINISHED}").symlink_to(folder / "nowhere")
    os.mkfifo(folder / f"{mark}2{atomic_file.UNFINISHED}")
    (folder / f"{mark}3{atomic_file.UNFINISHED}").mkdir()
    os.link(target, folder / f"{mark}4{atomic_file.UNFINISHED}")
    return names(folder)


def test_what_others_planted_in_the_folder_is_not_written_through(tmp_path: Path) -> None:
    """Links, a pipe, a folder and a second name of a file of ours under names that we would use: the file lands beside
    them, none of them is written to, and nobody waits for the pipe's other end.
    """
    target, folder = tmp_path / "precious", tmp_path / "shared"
    target.write_bytes(b"precious")
    folder.mkdir(mode=0o777)
    plant_everything(folder, "a.csv", target)
    land(folder / "a.csv")
    assert (folder / "a.csv").read_bytes() == b"new"
    assert not (folder / "nowhere").exists()
    assert target.read_bytes() == b"precious"
    assert (folder / "a.csv").stat().st_ino != target.stat().st_ino


def test_a_link_that_comes_in_the_middle_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """While the file is written somebody makes its name a link: refused, or the link itself goes; its target never changes."""
    target, path = tmp_path / "precious", tmp_path / "a.csv"
    target.write_bytes(b"precious")
    for may_replace in (False, True):

        def race(*, may_replace: bool = may_replace) -> None:
            with atomic_file.replacing(path, may_replace=may_replace) as sink:
                sink.write(b"new")
                path.symlink_to(target)

        with pytest.raises(ConfigurationError, match=r"exists|no ordinary file"):
            race()
        assert target.read_bytes() == b"precious"
        path.unlink()
