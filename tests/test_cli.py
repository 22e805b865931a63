"""The command line as its users meet it: real processes, exit codes, what is printed where."""

from __future__ import annotations

import http.server
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator import __version__, demo
from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from tests.fix_commands import TOP, environment, run, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "truedy_very_secret_key"

pytestmark = pytest.mark.slow  # each test starts processes


@pytest.fixture
def api() -> Iterator[tuple[Api, str]]:
    api = Api(World(1, 120, switches=Switches(limit=None)), keys=(KEY,))
    with running(api) as base_url:
        yield api, base_url


def settings(base_url: str, database_url: str, **more: str) -> dict[str, str]:
    return {
        "TRUEDY_API_KEY": KEY,
        "TRUEDY_BASE_URL": base_url,
        "TRUEDY_REQUESTS_PER_MINUTE": "0",
        "DATABASE_URL": database_url,
        "REPLICATOR_DATABASE_PATIENCE_SECONDS": "1",
        **more,
    }


def test_version(tmp_path: Path) -> None:
    """--version prints the version."""
    assert run("--version", cwd=tmp_path).stdout.strip() == f"replicator {__version__}"


def test_no_command_shows_the_commands(tmp_path: Path) -> None:
    """Without a command the help is shown."""
    done = run(cwd=tmp_path)
    assert "sync" in done.stdout + done.stderr


def test_an_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    """A wrong option ends with 2."""
    assert run("sync", "--nonsense", cwd=tmp_path).returncode == 2


def test_sync_from_nothing_to_reports(api: tuple[Api, str], empty_database: str, tmp_path: Path) -> None:
    """migrate, sync and status, as the README says; facts as JSON on standard output alone."""
    chosen = settings(api[1], empty_database)
    assert run("migrate", cwd=tmp_path, **chosen).returncode == 0
    synced = run("sync", "--json", cwd=tmp_path, **chosen)
    assert synced.returncode == 0, synced.stderr
    assert json.loads(synced.stdout)["calls_inserted"] == 120
    shown = run("status", "--json", cwd=tmp_path, **chosen)
    facts = json.loads(shown.stdout)
    assert facts["calls"]["live"] == 120
    assert facts["coverage"]["reaches_beginning"] is True
    assert facts["coverage"]["unsure"] == 0
    assert (facts["days"], facts["days_not_proven"]) == ([], 0)
    assert [row["renewed_every_seconds"] for row in facts["delays"]][:2] == [600, 3600]
    assert sum(row["calls"] for row in facts["delays"]) == 120
    assert all(row["oldest_look_seconds"] is not None for row in facts["delays"])
    people = run("status", cwd=tmp_path, **chosen)
    assert "it is proven" in people.stdout
    assert "Delay of updates" in people.stdout
    with psycopg.connect(empty_database) as connection:
        connection.execute("DELETE FROM replicator.coverage WHERE since = '-infinity'")
    people = run("status", cwd=tmp_path, **chosen)
    assert "Days that are not proven" in people.stdout
    assert people.stderr == ""


def test_settings_may_stand_in_a_file(api: tuple[Api, str], database_url: str, tmp_path: Path) -> None:
    """A .env file carries the same names, and TRUEDY_API_KEY_FILE names a file with the key."""
    (tmp_path / "key").write_text(f"{KEY}\n", encoding="utf-8")
    chosen = settings(api[1], database_url, TRUEDY_API_KEY_FILE=str(tmp_path / "key"))
    del chosen["TRUEDY_API_KEY"]
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in chosen.items()), encoding="utf-8")
    assert run("sync", cwd=tmp_path).returncode == 0


def test_bounds(api: tuple[Api, str], database_url: str, tmp_path: Path) -> None:
    """A bounded sync ends with 0 and says what is left."""
    done = run("sync", "--max-requests", "3", cwd=tmp_path, **settings(api[1], database_url))
    assert done.returncode == 0
    assert api[0].log.requests <= 3
    assert "Left:" in done.stderr


class Page(http.server.BaseHTTPRequestHandler):
    """A web server that is not the API."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><html><body>Welcome</body></html>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web_page() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api/public/v1"
    server.shutdown()
    server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("wrong", "code", "says"),
    [
        ({"TRUEDY_API_KEY": ""}, 2, "no API key"),
        ({"TRUEDY_API_KEY_FILE": "/nowhere", "TRUEDY_API_KEY": ""}, 2, "cannot be read"),
        ({"TRUEDY_API_KEY": SECRET}, 3, "401"),
        ({"TRUEDY_BASE_URL": f"http://127.0.0.1:{free_port()}/api/public/v1"}, 1, "connect"),
        ({"TRUEDY_BASE_URL": "web page"}, 2, "not the"),
        ({"TRUEDY_BASE_URL": "ftp://example.net"}, 2, "TRUEDY_BASE_URL"),
        ({"DATABASE_URL": "mysql://root@localhost/x"}, 2, "PostgreSQL"),
        ({"DATABASE_URL": f"postgresql://u:{SECRET}@127.0.0.1:{free_port()}/x"}, 4, "cannot be reached"),
        ({"REPLICATOR_WORKERS": "many"}, 2, "REPLICATOR_WORKERS"),
        ({"REPLICATOR_RENEWAL": "soon"}, 2, "REPLICATOR_RENEWAL"),
        ({"REPLICATOR_DETAILS": "everything"}, 2, "REPLICATOR_DETAILS"),
    ],
)
def test_bad_input_is_explained(
    api: tuple[Api, str], database_url: str, web_page: str, tmp_path: Path, wrong: dict[str, str], code: int, says: str
) -> None:
    """Each wrong setting ends with its exit code and says what to do; no traceback, no secret."""
    if wrong.get("TRUEDY_BASE_URL") == "web page":
        wrong = {"TRUEDY_BASE_URL": web_page}
    done = run("sync", cwd=tmp_path, **{**settings(api[1], database_url), **wrong})
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "what to do:" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert SECRET not in done.stderr + done.stdout


def test_errors_are_json_where_asked(database_url: str, tmp_path: Path) -> None:
    """With --json the error is JSON on standard output."""
    done = run("sync", "--json", cwd=tmp_path, DATABASE_URL=database_url)
    assert json.loads(done.stdout)["error"] == "ConfigurationError"


def test_a_schema_that_does_not_fit(api: tuple[Api, str], empty_database: str, tmp_path: Path) -> None:
    """No schema, or a newer one, is code 4 with the remedy; the source is not asked."""
    chosen = settings(api[1], empty_database)
    done = run("sync", cwd=tmp_path, **chosen)
    assert (done.returncode, "replicator migrate" in done.stderr) == (4, True)
    run("migrate", cwd=tmp_path, **chosen)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("UPDATE replicator.schema_version SET version_num = '9999'")
    for command in ("sync", "serve", "status", "migrate"):
        done = run(command, cwd=tmp_path, **chosen)
        assert (done.returncode, "newer release" in done.stderr) == (4, True), command
    assert api[0].log.requests == 0


def test_a_port_in_use(tmp_path: Path) -> None:
    """The simulator says that its port is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("simulator", "--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot listen" in done.stderr


def test_serve_syncs_until_sigterm(api: tuple[Api, str], database_url: str, tmp_path: Path) -> None:
    """serve brings new calls by itself, refuses a second writer by name, and stops within ten seconds of SIGTERM."""
    chosen = settings(api[1], database_url, REPLICATOR_POLL_SECONDS="1")
    service = start("serve", cwd=tmp_path, **chosen)
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            wait_until(lambda: connection.execute("SELECT count(*) FROM truedy.calls").fetchall() == [(120,)])
            api[0].world.create(status="completed")
            wait_until(lambda: connection.execute("SELECT count(*) FROM truedy.calls").fetchall() == [(121,)])
        second = run("sync", cwd=tmp_path, **chosen)
        assert second.returncode == 1
        assert "serve (process" in second.stderr
        begun = time.monotonic()
        service.send_signal(signal.SIGTERM)
        _, said = service.communicate(timeout=20)
        assert time.monotonic() - begun < 10
        assert service.returncode == 0, said
        assert "stopped" in said
        assert KEY not in said
        assert "+1202555" not in said
    finally:
        service.kill()
        service.communicate()
    assert run("sync", cwd=tmp_path, **chosen).returncode == 0


def test_serve_stops_in_the_middle_of_a_slow_source(database_url: str, tmp_path: Path) -> None:
    """SIGTERM while requests hang ends the service within ten seconds, and the lease is free."""
    api = Api(World(1, 500, switches=Switches(limit=None, latency_seconds=30)))
    with running(api) as base_url:
        service = start("serve", cwd=tmp_path, **settings(base_url, database_url))
        wait_until(lambda: api.log.by_window)
        begun = time.monotonic()
        service.send_signal(signal.SIGTERM)
        _, said = service.communicate(timeout=20)
        assert time.monotonic() - begun < 10
        assert service.returncode == 0, said
    with psycopg.connect(database_url) as connection:
        assert connection.execute(
            "SELECT expires_at <= clock_timestamp() FROM replicator.lease WHERE account = 'default'"
        ).fetchone() == (True,)


def test_serve_survives_a_source_that_fails_for_a_while(
    api: tuple[Api, str], database_url: str, tmp_path: Path
) -> None:
    """402 after the first sync is logged and tried again; when it ends, the replica catches up."""
    service = start("serve", cwd=tmp_path, **settings(api[1], database_url, REPLICATOR_POLL_SECONDS="1"))
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            wait_until(lambda: connection.execute("SELECT count(*) FROM truedy.calls").fetchall() == [(120,)])
            api[0].switches = api[0].switches.but(payment_required=True)
            api[0].world.create(status="completed")
            wait_until(
                lambda: connection.execute("SELECT count(*) FROM replicator.runs WHERE outcome = 'failed'").fetchall()[
                    0
                ][0]
            )
            api[0].switches = api[0].switches.but(payment_required=False)
            wait_until(lambda: connection.execute("SELECT count(*) FROM truedy.calls").fetchall() == [(121,)])
        assert service.poll() is None
    finally:
        service.terminate()
        service.communicate()


def test_serve_ends_with_what_no_waiting_changes(api: tuple[Api, str], database_url: str, tmp_path: Path) -> None:
    """A wrong key at the first sync ends the service with code 3."""
    done = run("serve", cwd=tmp_path, **{**settings(api[1], database_url), "TRUEDY_API_KEY": SECRET})
    assert done.returncode == 3
    assert SECRET not in done.stderr


def test_ctrl_c_ends_a_sync(database_url: str, tmp_path: Path) -> None:
    """SIGINT ends a sync with 1; what was committed stays."""
    api = Api(World(1, 5000, switches=Switches(limit=None, latency_seconds=0.01)))
    with running(api) as base_url:
        process = start("sync", cwd=tmp_path, **settings(base_url, database_url))
        with psycopg.connect(database_url, autocommit=True) as connection:
            wait_until(lambda: connection.execute("SELECT count(*) FROM truedy.calls").fetchall()[0][0])
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "continues from there" in said
    assert "Traceback" not in said


def test_the_demo_works_twice_and_leaves_nothing_running(reachable_folder: Path) -> None:
    """In a pipe the demo ends by itself; it shows the views and how to connect; psql opens its database afterwards."""
    folder = reachable_folder / "demo"
    elsewhere = {
        "PGHOST": "192.0.2.1", "PGHOSTADDR": "192.0.2.1", "PGSSLMODE": "verify-full", "PGSERVICE": "nowhere",
        "PGREQUIREAUTH": "none", "PGOPTIONS": "-c default_transaction_read_only=on", "PGTARGETSESSIONATTRS": "standby",
        "DATABASE_URL": "postgresql://nobody@192.0.2.1/nowhere",
    }  # fmt: skip
    for variables in ({}, elsewhere):  # the demo's database is its own, whatever other one the environment names
        chosen = {"REPLICATOR_DATA_DIR": str(folder), **variables}
        done = run("demo", "--calls", "300", cwd=TOP, timeout=120, **chosen)
        assert done.returncode == 0, done.stderr
        for view in ("call_duration_daily", "call_cost_daily", "status_funnel_daily", "replication_freshness"):
            assert f"analytics.{view}" in done.stdout
        assert "complete and proven" in done.stdout
        assert "psql" in done.stdout
        assert "rate limit is generous" in done.stderr
    asked = run("psql", "--demo", "-tAc", "SELECT count(*) FROM truedy.calls", cwd=TOP, **chosen)
    assert asked.stdout.strip() == "300", asked.stderr
    assert processes(str(folder)) == []


def test_the_demo_runs_nothing_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that somebody put there, under the names of ours and of Python's, are not loaded by the simulated source."""
    for name in ("replicator/__init__.py", "replicator/simulator/__init__.py", "json.py", "uvicorn.py"):
        planted = tmp_path / name
        planted.parent.mkdir(parents=True, exist_ok=True)
        planted.write_text("raise SystemExit('planted')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with demo._simulator(5, 1) as source:
        assert source["base_url"].startswith("http://127.0.0.1:")


def test_closed_standard_streams_are_no_obstacle(reachable_folder: Path) -> None:
    """With all three closed, as some supervisors start programs, files and locks take none of their numbers."""
    command = f"{shlex.quote(sys.executable)} -m replicator migrate <&- >&- 2>&-"
    chosen = environment({"REPLICATOR_DATA_DIR": str(reachable_folder / "closed")})
    for _ in range(2):
        assert subprocess.run(["sh", "-c", command], cwd=TOP, env=chosen, check=False, timeout=120).returncode == 0
    assert processes(str(reachable_folder / "closed")) == []


def test_ctrl_c_cleans_up_after_the_demo(reachable_folder: Path) -> None:
    """SIGINT to the whole foreground group, as a terminal sends it, leaves neither a database nor a simulator."""
    folder = reachable_folder / "demo-interrupted"
    process = subprocess.Popen(
        [sys.executable, "-m", "replicator", "demo", "--calls", "20000"],
        cwd=TOP,
        env=environment({"REPLICATOR_DATA_DIR": str(folder)}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: processes(str(folder)), seconds=30)
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1, said
    assert "Traceback" not in said
    assert processes(str(folder)) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    "words",
    [("psql", "-c", "SELECT pg_sleep(60)"), ("sync",), ("verify",), ("report", "--output", "-")],
    ids=lambda words: words[0],
)
def test_a_command_that_is_ended_stops_its_own_database(
    reachable_folder: Path, words: tuple[str, ...], number: int
) -> None:
    """Whatever it does with the embedded PostgreSQL: ended by a supervisor or with its terminal, it leaves none running, and no psql.
    The source does not answer, so that the commands that ask it are under way.
    """
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("whoever runs the tests ignores this signal, as under nohup, and so does every child")
    folder = reachable_folder / f"ended-{words[0]}-{number}"
    chosen = {
        "REPLICATOR_DATA_DIR": str(folder),
        "TRUEDY_API_KEY": "truedy_x",
        "TRUEDY_BASE_URL": "http://10.255.255.1/api/public/v1",
    }
    assert run("migrate", cwd=TOP, **chosen).returncode == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "replicator", *words], cwd=TOP, env=environment(chosen), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: processes(str(folder)) or process.poll() is not None, seconds=30)
    time.sleep(1.0)
    process.send_signal(number)
    try:
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert "Traceback" not in said
    assert processes(str(folder)) == []
    assert processes("pg_sleep(60)") == []


def test_the_demo_works_as_an_ordinary_user(reachable_folder: Path) -> None:
    """An unprivileged account with a home of its own can run the demo."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else; the other demo test ran as an ordinary user")
    python = next((path for path in (sys.executable, "/usr/bin/python3") if can_run(path)), None)
    if python is None:
        pytest.skip("no Python 3.11 that another account may run, with these packages: root's home holds them")
    home = reachable_folder / "home"
    home.mkdir()
    shutil.chown(home, "nobody")
    done = as_nobody([python, "-m", "replicator", "demo", "--calls", "200"], home)
    assert done.returncode == 0, done.stderr
    assert "complete and proven" in done.stdout


def can_run(python: str) -> bool:
    return (
        as_nobody([python, "-c", "import replicator, psycopg, pyreqwest, msgspec, typer"], TOP.parent).returncode == 0
    )


def as_nobody(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    """Run as an unprivileged account, with the packages of the running interpreter."""
    packages = os.pathsep.join([str(TOP), *(path for path in sys.path if path.endswith("site-packages"))])
    try:
        return subprocess.run(
            command,
            cwd=home,
            env={**environment({}), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": packages},
            user="nobody",
            group="nogroup",
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 126, "", str(error))


def processes(mark: str) -> list[str]:
    """Return the command lines that name this folder, but for our own."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line for line in listed if mark in line and "ps -ww" not in line and "pytest" not in line]


def wait_until(condition: object, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > until:
            raise AssertionError("it did not come about in time")
        time.sleep(0.05)


def test_a_recording_link(api: tuple[Api, str], database_url: str, tmp_path: Path) -> None:
    """The link alone goes to standard output, nothing to standard error; an unknown call ends with 1."""
    chosen = settings(api[1], database_url)
    assert run("sync", cwd=tmp_path, **chosen).returncode == 0
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT call_id, recording_url FROM truedy.recordings WHERE state = 'present'"
        ).fetchone()
    assert row is not None
    shown = run("recording", str(row[0]), cwd=tmp_path, **chosen)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, f"{row[1]}\n", "")
    facts = json.loads(run("recording", str(row[0]), "--json", cwd=tmp_path, **chosen).stdout)
    assert facts == {"call_id": str(row[0]), "recording_url": row[1], "url_expires_at": None, "is_fresh": False}
    unknown = run("recording", "00000000-0000-4000-8000-000000000000", cwd=tmp_path, **chosen)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "not in the replica" in unknown.stderr
