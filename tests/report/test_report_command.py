"""`replicator report`, the live page of `serve`, and the plots of `status` and `demo`, as their users meet them."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator import atomic_file
from replicator.errors import ConfigurationError, OutputFailed
from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from tests.fix_commands import TOP, run, start
from tests.test_cli import free_port, processes, settings, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = "evil\x1b]0;title\x07\x1b[2J\r\u202ecod.exe"

slow = pytest.mark.slow


@pytest.fixture
def api() -> Iterator[tuple[Api, str]]:
    api = Api(World(1, 120, switches=Switches(limit=None)), keys=(KEY,))
    with running(api) as base_url:
        yield api, base_url


@slow
def test_a_report_is_one_private_file(api: tuple[Api, str], database_url: str, tmp_path: Path) -> None:
    """Its name is printed, its date is today's, nobody else can read it, and a second one takes its place."""
    chosen = settings(api[1], database_url)
    assert run("sync", cwd=tmp_path, **chosen).returncode == 0
    done = run("report", cwd=tmp_path, DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"truedy-report-\d{4}-\d\d-\d\d\.html\n", done.stdout)
    path = tmp_path / done.stdout.strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "Complete and proven" in text
    assert "http" not in re.sub(r'http-equiv|"http-equiv"', "", text).replace("https", "http")
    assert "+1" not in re.sub(r"\+1[\d,.]*.%|\+1\.\d.points", "", text)
    path.chmod(0o644)
    assert run("report", "--days", "90", cwd=tmp_path, DATABASE_URL=database_url).returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "The last 90 days" in path.read_text(encoding="utf-8")
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@slow
def test_a_report_goes_where_it_is_told(database_url: str, tmp_path: Path) -> None:
    """A file, standard output, JSON; and a place that cannot be written is a matter of usage."""
    there = run("report", "--output", str(tmp_path / "x.html"), cwd=tmp_path, DATABASE_URL=database_url)
    assert (there.returncode, there.stdout) == (0, f"{tmp_path}/x.html\n")
    printed = run("report", "--output", "-", cwd=tmp_path, DATABASE_URL=database_url)
    assert printed.stdout.rstrip().endswith("</html>")
    assert "Nothing was synced yet" in printed.stdout
    facts = json.loads(run("report", "--json", cwd=tmp_path, DATABASE_URL=database_url).stdout)
    assert (facts["period"]["days"], facts["attempts"]) == (30, [])
    wrong = run("report", "--output", "/nowhere/x.html", cwd=tmp_path, DATABASE_URL=database_url)
    assert (wrong.returncode, "no file can be written" in wrong.stderr) == (2, True)
    assert run("report", "--output", "-", "--open", cwd=tmp_path, DATABASE_URL=database_url).returncode == 2
    both = run("report", "--json", "--output", "x.json", cwd=tmp_path, DATABASE_URL=database_url)
    assert (both.returncode, "--json writes no file" in both.stderr, both.stdout) == (2, True, "")
    piped = run("report", "--json", "--output", "-", cwd=tmp_path, DATABASE_URL=database_url)
    assert json.loads(piped.stdout)["period"] == facts["period"]
    assert run("report", "--days", "0", cwd=tmp_path, DATABASE_URL=database_url).returncode == 2


@slow
def test_open_shows_it(database_url: str, tmp_path: Path) -> None:
    """--open hands the file to the browser that the user has."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n', encoding="utf-8")
    browser.chmod(0o755)
    done = run("report", "--open", cwd=tmp_path, DATABASE_URL=database_url, BROWSER=str(browser))
    assert done.returncode == 0
    wait_until((tmp_path / "opened").exists)
    assert (tmp_path / "opened").read_text(encoding="utf-8").strip() == f"file://{tmp_path / done.stdout.strip()}"


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong while it is written, the old one stays and nothing is left beside it."""
    path = tmp_path / "x.html"
    atomic_file.write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        atomic_file.write(path, "new \ud800")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OutputFailed, match="No space left"):
        atomic_file.write(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["x.html"]


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    """A pipe, a device or a folder in the file's place is refused: root would replace /dev/null. A link is neither followed
    nor replaced.
    """
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ConfigurationError, match="no ordinary file"):
            atomic_file.write(tmp_path / name, "x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    (tmp_path / "other").write_text("kept", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    with pytest.raises(ConfigurationError, match="no ordinary file"):
        atomic_file.write(tmp_path / "link", "x")
    assert (tmp_path / "other").read_text(encoding="utf-8") == "kept"


def fetch(port: int, path: str, host: str = "localhost") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def answers(port: int, path: str) -> int:
    try:
        return fetch(port, path)[0]
    except OSError:
        return 0


@slow
def test_serve_shows_the_page_and_stops_in_time(api: tuple[Api, str], database_url: str, tmp_path: Path) -> None:
    """With a port: healthy after the first sync, the page under known names only, sick when the writer is gone; a clean stop."""
    port = free_port()
    chosen = settings(api[1], database_url, REPLICATOR_HTTP_PORT=str(port), REPLICATOR_HTTP_NAMES="calls.example.net")
    service = start("serve", cwd=tmp_path, **chosen)
    try:
        wait_until(lambda: answers(port, "/health") == 200)
        status, text = fetch(port, "/")
        assert status == 200
        assert '<meta http-equiv="refresh" content="60">' in text
        assert fetch(port, "/", "calls.example.net")[0] == 200
        assert fetch(port, "/", "evil.example")[0] == 421
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("UPDATE replicator.source_state SET head_at = now() - interval '1 h'")
        wait_until(lambda: answers(port, "/health") == 503)
        begun = time.monotonic()
        service.send_signal(signal.SIGTERM)
        _, said = service.communicate(timeout=20)
        assert time.monotonic() - begun < 10
        assert service.returncode == 0, said
        assert f"the report is at http://127.0.0.1:{port}/" in said
    finally:
        service.kill()
        service.communicate()


@slow
def test_serve_listens_to_nothing_unless_told(api: tuple[Api, str], database_url: str, tmp_path: Path) -> None:
    """Without a port nothing listens; a taken one ends the service before it begins."""
    service = start("serve", cwd=tmp_path, **settings(api[1], database_url))
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            wait_until(lambda: connection.execute("SELECT count(*) FROM truedy.calls").fetchall() == [(120,)])
        assert listening(service.pid) == []
    finally:
        service.terminate()
        service.communicate()
    taken = int(api[1].split(":")[2].split("/")[0])
    done = run("serve", cwd=tmp_path, **settings(api[1], database_url, REPLICATOR_HTTP_PORT=str(taken)))
    assert (done.returncode, "cannot listen" in done.stderr) == (2, True)


def listening(pid: int) -> list[str]:
    """Return the listening sockets of a process, by their inode."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    inodes = {line.split()[9] for line in lines if line.split()[3] == "0A"}
    held = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
    return [one for one in held if one.startswith("socket:") and one[8:-1] in inodes]


@slow
def test_status_shows_plots_that_a_pipe_can_carry(api: tuple[Api, str], database_url: str, tmp_path: Path) -> None:
    """The last thirty days, at most 80 columns each, in ASCII; and in --json as numbers."""
    chosen = settings(api[1], database_url)
    run("sync", cwd=tmp_path, **chosen)
    shown = run("status", cwd=tmp_path, **chosen).stdout
    plots = shown.partition("The last 30 days")[2].splitlines()[1:]
    assert [line.split()[0] for line in plots if "|" in line][:2] == ["calls", "placed"]
    assert all(len(line) <= 80 and line.isascii() for line in plots)
    facts = json.loads(run("status", "--json", cwd=tmp_path, **chosen).stdout)
    assert len(facts["recent"]) == 30
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE replicator.coverage SET is_proven = false, reason = %s", [HOSTILE])
        connection.execute("UPDATE replicator.runs SET message = %s", [HOSTILE])
        connection.execute("UPDATE replicator.source_state SET base_url = %s", [HOSTILE])
        connection.execute("UPDATE truedy.calls SET status = %s, direction = %s", [HOSTILE, HOSTILE])
    shown = run("status", cwd=tmp_path, **chosen).stdout
    assert shown.count("evil") >= 3
    assert not set("\x1b\r\u202e\x07") & set(shown)


@slow
def test_the_demo_writes_the_report(reachable_folder: Path) -> None:
    """The demo shows the plots, writes the page beside its database and says where."""
    folder = reachable_folder / "demo-report"
    done = run("demo", "--calls", "300", cwd=TOP, timeout=120, REPLICATOR_DATA_DIR=str(folder))
    assert done.returncode == 0, done.stderr
    assert "coverage   |" in done.stdout
    (path,) = re.findall(r"one HTML page: (.+)$", done.stdout, re.MULTILINE)
    assert path == str(folder / "demo-report.html")
    text = (folder / "demo-report.html").read_text(encoding="utf-8")
    assert "Complete and proven" in text
    assert processes(str(folder)) == []


@slow
def test_status_says_below_the_address_what_it_takes(reachable_folder: Path, tmp_path: Path) -> None:
    """How long the embedded database can be reached, and where its password is, is said below its address."""
    chosen = {"REPLICATOR_DATA_DIR": str(reachable_folder / "status")}
    assert run("migrate", cwd=tmp_path, **chosen).returncode == 0
    lines = run("status", cwd=tmp_path, **chosen).stdout.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("connect "))
    assert lines[at + 1].strip().startswith("(while a command such as serve keeps it running; its password is in ")
    assert str(reachable_folder / "status" / "password") in lines[at + 1]


@slow
def test_who_may_make_a_report(logins: dict[str, str], tmp_path: Path) -> None:
    """A member of the writer; a reader is told which right is missing and who has it, and exports views instead. README and
    operations.md say the same.
    """
    assert run("report", "--json", cwd=tmp_path, DATABASE_URL=logins["writer"]).returncode == 0
    for command in (["report"], ["status"]):
        refused = run(*command, cwd=tmp_path, DATABASE_URL=logins["reader"])
        assert refused.returncode == 4
        assert "refuses this user the schema replicator (42501)" in refused.stderr
        assert "truedy_writer for sync, status, report" in refused.stderr
    exported = run("export", "calls", "--output", "calls.csv", cwd=tmp_path, DATABASE_URL=logins["reader"])
    assert exported.returncode == 0, exported.stderr
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## For analysts")[2].partition("\n## ")[0]
    assert "`replicator report`, which needs the rights of `truedy_writer`" in " ".join(section.split())
