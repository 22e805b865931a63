"""The PostgreSQL of our own: where it lies, who reaches it, what it logs, and how it ends. Attacks on root are in
test_embedded_as_root.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from replicator import assembly, settings
from replicator.errors import ConfigurationError, DatabaseError
from replicator.store import embedded
from replicator.store.database import Database
from replicator.store.server import account as accounts
from replicator.store.server import address
from replicator.store.server import folder as folders
from tests.fix_commands import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
NUMBER = "+12025550199"
NASTY = {
    "PGAPPNAME": "x", "PGCHANNELBINDING": "require", "PGCLIENTENCODING": "LATIN1", "PGCONNECT_TIMEOUT": "nonsense",
    "PGDATABASE": "nowhere", "PGDATESTYLE": "German", "PGGSSENCMODE": "require", "PGHOST": "192.0.2.1",
    "PGHOSTADDR": "192.0.2.1", "PGOPTIONS": "-c default_transaction_read_only=on", "PGPASSFILE": "/nonexistent",
    "PGPASSWORD": "wrong", "PGPORT": "1", "PGREQUIREAUTH": "none", "PGSERVICE": "nowhere", "PGSERVICEFILE": "/nonexistent",
    "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "system", "PGSYSCONFDIR": "/nonexistent", "PGTARGETSESSIONATTRS": "standby",
    "PGTZ": "Nonsense", "PGUSER": "nobody",
}  # fmt: skip
"""What keeps libpq, or psql, from a server that it was not meant for."""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that the server's account can pass through, with a short name."""
    folder = Path(
        subprocess.run(
            ["mktemp", "-d", "/tmp/embedded-XXXXXX"], check=True, capture_output=True, text=True
        ).stdout.strip()
    )
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def made(place: Path) -> Path:
    """The folder of a database that was made and stopped."""
    with embedded.running(place / "made", settings=QUICK):
        pass
    return place / "made"


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def postmaster(folder: Path) -> int:
    return int((folder / "cluster" / "data" / "postmaster.pid").read_text().splitlines()[0])


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


# How it is reached --------------------------------------------------------------------------------------------------


def test_its_urls_are_read_alike_by_libpq_sqlalchemy_and_psql(postgres_server: embedded.Server) -> None:
    """The socket's URL and the port's lead to one server, by whoever reads them; the port that is shown is the server's."""
    asked = "SELECT pg_postmaster_start_time()::text || ' ' || current_setting('port')"
    answers = set()
    for url in (postgres_server.url, postgres_server.tcp_url):
        with psycopg.connect(url) as connection:
            row = connection.execute(asked).fetchone()
            assert row is not None
            answers.add(row[0])
        engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
        with engine.connect() as through:
            answers.add(through.execute(sa.text(asked.replace(":", r"\:"))).scalar_one())
        engine.dispose()
        with closing(Database(url)) as database, database.connection() as ours:
            assert ours.execute("SELECT current_user").fetchone() == (embedded.USER,)
        for program in {shutil.which("psql"), str(postgres_server.bin_dir / "psql")} - {None}:
            said = subprocess.run([str(program), "-XtAc", asked, url], capture_output=True, text=True, check=True)
            answers.add(said.stdout.strip())
    assert len(answers) == 1
    assert answers.pop().endswith(f" {postgres_server.port}")
    assert postgres_server.password not in repr(postgres_server)


def test_only_the_server_and_root_reach_its_socket(postgres_server: embedded.Server) -> None:
    """Our own connections go through a socket in a folder that belongs to the server's account and is closed to others."""
    with psycopg.connect(postgres_server.url) as connection:
        assert connection.execute("SELECT inet_server_addr() IS NULL").fetchone() == (True,)
    facts = postgres_server.sockets.lstat()
    assert (facts.st_uid, stat.S_IMODE(facts.st_mode)) == (postgres_server.account.uid, 0o700)


def test_nothing_of_libpqs_environment_reaches_it(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With variables that are meant for another server it is found, used by psql too, and they are there again afterwards."""
    for name, value in NASTY.items():
        monkeypatch.setenv(name, value)
    with embedded.running(made, settings=QUICK) as server:
        with psycopg.connect(server.url) as connection:
            row = connection.execute(
                "SELECT current_setting('DateStyle'), current_setting('transaction_read_only')"
            ).fetchone()
            assert row == ("ISO, MDY", "off")
        where = assembly.Place(server.url, server)
        assert assembly.psql(where, ["-XqAtc", "SELECT 1", "-o", "/dev/null"]) == 0
    assert {name: os.environ.get(name) for name in NASTY} == NASTY


def test_every_variable_that_libpq_reads_begins_alike() -> None:
    """What is taken out of the environment is what libpq knows, in the release that is installed here too."""
    known = [option.envvar.decode() for option in psycopg.pq.Conninfo.get_defaults() if option.envvar]
    assert len(known) > 20
    assert [name for name in known if not name.startswith("PG")] == []


class Listener(threading.Thread):
    """Somebody else on the server's port, who asks whoever comes for the password in clear."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.heard: list[bytes] = []
        self.socket = socket.create_server(("127.0.0.1", port))

    def run(self) -> None:
        with suppress(OSError):
            while True:
                wire, _ = self.socket.accept()
                with wire:
                    wire.settimeout(2)
                    with suppress(OSError):
                        first = wire.recv(1000)
                        if first[4:8] == b"\x04\xd2\x16\x2f":  # TLS? no
                            wire.sendall(b"N")
                            first = wire.recv(1000)
                        wire.sendall(b"R\0\0\0\x08\0\0\0\x03")  # AuthenticationCleartextPassword
                        self.heard += [first, wire.recv(1000)]


@pytest.mark.parametrize("is_seen", [True, False])
def test_a_listener_on_its_port_gets_no_password(made: Path, is_seen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever listens on the port before the server starts is never spoken to, and another port is shown; also where the
    listener came a moment after the port was seen to be free.
    """
    with embedded.running(made, settings=QUICK) as server:
        before = server.port
    listener = Listener(before)
    listener.start()
    if not is_seen:
        ports = iter([before, address.free_port(0)])
        monkeypatch.setattr(address, "free_port", lambda _wanted: next(ports))
    try:
        with embedded.running(made, settings=QUICK) as server:
            assert server.port != before
            assert int((made / "port").read_text()) == server.port
            with psycopg.connect(server.tcp_url) as connection:
                assert connection.execute("SELECT current_setting('data_directory')").fetchone() == (
                    str(made / "cluster" / "data"),
                )
    finally:
        listener.socket.close()
    assert listener.heard == []


# What it logs -------------------------------------------------------------------------------------------------------


def test_its_log_holds_nothing_of_a_row(made: Path) -> None:
    """A violated constraint, a value that cannot be read, a failing function: neither values nor statements are logged."""
    with embedded.running(made, settings=QUICK) as server, psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE people (number text PRIMARY KEY CHECK (number <> ''), age int)")
        for statement, values in (
            ("INSERT INTO people VALUES (%s), (%s)", [NUMBER, NUMBER]),
            ("INSERT INTO people VALUES (%s, %s)", [NUMBER, NUMBER]),
            (f"SELECT '{NUMBER}-'::int", []),
            (f"DO $$ BEGIN RAISE WARNING '{NUMBER}'; RAISE EXCEPTION '{NUMBER}'; END $$", []),
            (f"SELECT nonsense('{NUMBER}')", []),
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(statement, values)
        connection.execute("DROP TABLE people")
    log = (made / "cluster" / "server.log").read_text(encoding="utf-8")
    assert "ready to accept connections" in log
    for word in (NUMBER, NUMBER[2:], "INSERT", "SELECT", "people"):
        assert word not in log


# Where it lies ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["a b", "100%20 sure", 'it\'s "so"', "a,b", "@dätä", "-rf", "$HOME;x", "x" * 120, f"{'y' * 90}/{'z' * 90}"],
    ids=range(9),
)
def test_its_folder_may_have_any_name(made: Path, place: Path, name: str) -> None:
    """Spaces, quotes, commas, letters of other alphabets, and more than fit into a socket's path; and moved, it works on."""
    folder = place / name
    folder.parent.mkdir(exist_ok=True)
    made.rename(folder)
    try:
        with embedded.running(folder, settings=QUICK) as server:
            with psycopg.connect(server.url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            sockets = server.sockets
        assert sockets.is_relative_to(folder) or not sockets.exists()
    finally:
        folder.rename(made)


def test_its_folder_may_be_named_from_here_and_by_a_link(
    made: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path from the working directory, a link and the folder's own path lead to one server."""
    link = place / "link"
    link.symlink_to(made)
    monkeypatch.chdir(place)
    with embedded.running(made, settings=QUICK) as first, embedded.running(Path("link")) as second:
        assert (first.url, first.data_dir) == (second.url, second.data_dir)
    link.unlink()


@pytest.mark.parametrize("name", ["control\x1b[31m", "line\nfeed", "latin\udce4", "x" * 300, "file/below"])
def test_a_folder_that_cannot_be_is_refused(place: Path, name: str) -> None:
    """It is said what is wrong, and what a terminal would take for an order is not echoed."""
    (place / "file").touch()
    with pytest.raises(ConfigurationError) as refused, embedded.running(place / name):
        pass
    assert "\x1b" not in refused.value.explain()
    assert "REPLICATOR_DATA_DIR" in refused.value.explain()


def test_a_working_directory_that_is_gone_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is named from it cannot be found; nothing else is made instead."""
    (place / "gone").mkdir()
    monkeypatch.chdir(place / "gone")
    (place / "gone").rmdir()
    with pytest.raises(ConfigurationError, match="working directory"), embedded.running(Path("data")):
        pass


def test_without_a_home_it_is_said_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without HOME and without an entry in /etc/passwd, and a HOME that is no absolute path: no folder is invented."""

    def unknown(_uid: int) -> object:
        raise KeyError

    monkeypatch.setattr("os.geteuid", lambda: 12345)
    monkeypatch.setattr("os.getuid", lambda: 12345)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    for home in (None, "somewhere"):
        monkeypatch.delenv("HOME", raising=False)
        if home is not None:
            monkeypatch.setenv("HOME", home)
        with pytest.raises(ConfigurationError, match="no home folder"):
            embedded.default_data_dir()
    with pytest.raises(ConfigurationError, match="no such home"):
        assembly.data_dir(settings.load(replicator_data_dir=Path("~nobody-of-that-name/data")))


@pytest.mark.slow
@pytest.mark.parametrize("mask", [0o000, 0o027, 0o077])
def test_modes_do_not_follow_the_umask(place: Path, mask: int) -> None:
    """What is ours is closed to others and what the server needs is open to it, in a new folder below new folders."""
    folder = place / f"umask-{mask:03o}" / "below" / "data"
    with umask(mask), embedded.running(folder, settings=QUICK):
        assert embedded.kept_secret(folder, "pseudonym-key")
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert found.pop("cluster") == 0o700
    # A copy of the programs is there where the server's user cannot reach the checkout: below a private home.
    assert found.pop("postgresql", 0o755) == 0o755
    assert stat.S_IMODE((folder / "cluster" / "server.log").stat().st_mode) == 0o600
    assert found == dict.fromkeys(
        ("lock", "users", "running", "password", "port", "server.json", "pseudonym-key"), 0o600
    )
    is_root = os.geteuid() == 0
    assert stat.S_IMODE(folder.stat().st_mode) == (0o711 if is_root else 0o700)
    assert stat.S_IMODE(folder.parent.stat().st_mode) == (0o755 if is_root else 0o700)
    loose = [path for path in (folder / "cluster").rglob("*") if path.lstat().st_mode & 0o077]
    assert loose == []


def test_a_folder_that_others_may_write_to_is_closed_or_refused(place: Path) -> None:
    """One that is empty, or holds only what is ours, is closed to them; one with other things in it stays as it is."""
    ours, shared = place / "ours", place / "shared"
    for folder in (ours, shared):
        folder.mkdir()
        folder.chmod(0o777)
    (ours / "port").write_text("1")
    (ours / "port").chmod(0o666)
    with folders.Folder(ours) as opened:
        assert opened.read("port") == "1"
    assert not stat.S_IMODE(ours.stat().st_mode) & 0o022
    assert stat.S_IMODE((ours / "port").stat().st_mode) == 0o600
    (shared / "letter").touch()
    with pytest.raises(ConfigurationError, match="others may write"), folders.Folder(shared):
        pass
    assert stat.S_IMODE(shared.stat().st_mode) == 0o777


def test_what_is_no_file_of_ours_is_refused_and_not_waited_for(place: Path) -> None:
    """A link or a pipe under one of our names is named, and nothing is read from it or written through it."""
    folder, secret = place / "planted", place / "secret"
    secret.write_text("not for others")
    for name in ("password", "lock", "users", "running", "server.json"):
        for plant in (lambda path: path.symlink_to(secret), os.mkfifo):
            folder.mkdir()
            plant(folder / name)
            with pytest.raises(ConfigurationError, match="not a file of this user's own"), embedded.running(folder):
                pass
            shutil.rmtree(folder)
    assert secret.read_text() == "not for others"


def test_an_empty_secret_is_not_replaced(place: Path) -> None:
    """A password that is lost is said: a new one would be none that the server knows."""
    folder = place / "empty-secret"
    folder.mkdir()
    (folder / "password").touch()
    with pytest.raises(ConfigurationError, match="is empty"):
        embedded.kept_secret(folder, "password")


@pytest.mark.slow
def test_data_that_are_not_whole_are_never_removed(place: Path) -> None:
    """A data folder without its version, of a copy that was cut short, is refused and left as it is."""
    with embedded.running(place / "whole", settings=QUICK) as server:
        account = server.account
    data = place / "whole" / "cluster" / "data"
    (data / "PG_VERSION").rename(data / "PG_VERSION.away")
    with pytest.raises(ConfigurationError, match="no whole database"), embedded.running(place / "whole"):
        pass
    assert (data / "base").is_dir()
    (data / "PG_VERSION").write_text("9\n")
    os.chown(data / "PG_VERSION", account.uid, account.gid)
    with pytest.raises(ConfigurationError, match="is of PostgreSQL 9"), embedded.running(place / "whole"):
        pass


# How it lives and ends ----------------------------------------------------------------------------------------------

USING = """
import sys, time
from pathlib import Path
from replicator.store import embedded
with embedded.running(Path(sys.argv[1])) as server:
    print(server.port, flush=True)
    time.sleep(600)
"""


@contextmanager
def user_of(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Give another process that uses the database."""
    with subprocess.Popen(
        [sys.executable, "-c", USING, str(folder)], env=environment({}), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip()
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_it_ends_with_its_last_user_however_others_ended(made: Path) -> None:
    """A server that a killed user left behind is found by the next one, and stopped when that one leaves."""
    with user_of(made) as first:
        pid = postmaster(made)
        with embedded.running(made):
            first.kill()
            first.wait()
            assert postmaster(made) == pid
            assert is_alive(pid)
    assert not is_alive(pid)


@pytest.mark.slow
def test_who_started_the_server_may_leave_first(made: Path) -> None:
    """Others still use it, so it goes on; and the process that started it says nothing of that at its end."""
    asking = USING.replace("time.sleep(600)", "sys.stdin.read()")
    with subprocess.Popen(
        [sys.executable, "-Walways", "-c", asking, str(made)], env=environment({}), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as first:  # fmt: skip
        assert first.stdout is not None
        assert first.stdout.readline().strip()
        with embedded.running(made) as server:
            said = first.communicate(timeout=60)
            assert (first.returncode, *said) == (0, "", "")
            with psycopg.connect(server.url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.slow
def test_a_killed_server_is_started_again_whatever_its_files_say(made: Path) -> None:
    """Its process id is somebody else's by now, in the pid file and beside the socket: in a container that is the rule."""
    with embedded.running(made, settings=QUICK) as server:
        os.kill(postmaster(made), signal.SIGKILL)
        account, data = server.account, made / "cluster" / "data"
        until = time.monotonic() + 20
        while time.monotonic() < until:  # until its orphans are gone, nothing is to be tried
            with folders.Folder(made) as folder:
                descriptor = folder.lock_file("running")
                is_free = folder.take(descriptor)
                os.close(descriptor)
            if is_free:
                break
            time.sleep(0.05)
        with subprocess.Popen(["sleep", "60"], **account.popen) as other:
            lines = (data / "postmaster.pid").read_text().splitlines()
            (data / "postmaster.pid").write_text("\n".join([str(other.pid), *lines[1:]]))
            (server.sockets / f".s.PGSQL.{server.port}.lock").write_text("\n".join([str(other.pid), *lines[1:]]))
            with embedded.running(made, settings=QUICK) as again, psycopg.connect(again.url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
                assert again.url == server.url
            assert other.poll() is None
            other.kill()


@pytest.mark.slow
def test_many_who_come_at_once_make_one_server(place: Path) -> None:
    """Six processes find an empty folder: one makes the database, all use it, and the last one stops it."""
    folder = place / "many"
    asking = USING.replace("time.sleep(600)", "print(__import__('psycopg').connect(server.url).info.backend_pid > 0)")
    crowd = [
        subprocess.Popen([sys.executable, "-c", asking, str(folder)], env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(6)
    ]  # fmt: skip
    said = [process.communicate(timeout=120) for process in crowd]
    assert [out.split()[1] for out, _ in said] == ["True"] * 6, said
    assert not (folder / "cluster" / "data" / "postmaster.pid").exists()


def test_a_server_that_does_not_start_says_why_and_is_not_left_running(made: Path) -> None:
    """A setting that PostgreSQL does not know ends with its words; nothing runs afterwards, and the folder is free."""
    with pytest.raises(DatabaseError, match="unrecognized configuration parameter"):
        with embedded.running(made, settings={"no_such_setting": "1"}):
            pass
    with embedded.running(made, settings=QUICK):
        pass


@pytest.mark.slow
def test_a_password_that_is_not_the_servers_is_said_at_once(made: Path) -> None:
    """A folder that was restored in part; the server that was started for the try is stopped again."""
    kept = (made / "password").read_text()
    (made / "password").write_text("another")
    try:
        with pytest.raises(DatabaseError, match="is not the server's"), embedded.running(made, settings=QUICK):
            pass
        assert not (made / "cluster" / "data" / "postmaster.pid").exists()
    finally:
        (made / "password").write_text(kept)


def test_a_server_of_an_earlier_release_is_stopped_first(made: Path) -> None:
    """One that was started without the lock, and that nobody uses: two servers on one folder would destroy it."""
    (made / "server.json").unlink()
    account, data = accounts.chosen(None), made / "cluster" / "data"
    # Where the server's user cannot reach the checkout's programs, it has a copy of them.
    programs = next(made.glob("postgresql/**/bin"), embedded.find_binaries())
    earlier = subprocess.Popen(
        [programs / "postgres", "-D", data, "-p", str(address.free_port(0)), "-k", ""],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/", **account.popen,
    )  # fmt: skip
    until = time.monotonic() + 20
    while "ready" not in _text(data / "postmaster.pid") and time.monotonic() < until:
        time.sleep(0.05)
    assert earlier.poll() is None
    with embedded.running(made, settings=QUICK):
        assert earlier.wait(20) == 0
        assert postmaster(made) != earlier.pid
