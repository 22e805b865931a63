"""psql is run on the database that this program reaches, and nobody on the machine can read how."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from replicator.errors import ConfigurationError
from replicator.store import embedded, psql
from tests.fix_commands import environment as process_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECRET = "Hush7Canary"
SHOW = "SELECT current_database(), current_setting('application_name'), current_setting('DateStyle')"

SPY = """#!/bin/sh
{ echo "--- arguments"; tr '\\0' '\\n' < /proc/$$/cmdline
  echo "--- mode"; [ -z "$PGSERVICEFILE" ] || stat -Lc %a "$PGSERVICEFILE"
  echo "--- file"; [ -z "$PGSERVICEFILE" ] || cat "$PGSERVICEFILE"
  echo "--- environment"; env | grep ^PG | sort; } > "$SPY"
"""


@pytest.fixture
def spied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A psql first on PATH that writes down what it was given; the file that it writes."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "psql"
    program.write_text(SPY, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SPY", str(tmp_path / "said"))
    return tmp_path / "said"


def sections(said: Path) -> dict[str, str]:
    parts = said.read_text(encoding="utf-8").split("--- ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def run(conninfo: str, *arguments: str, is_own_server: bool = False) -> int:
    return psql.run(conninfo, arguments, os.environ, packaged=embedded.find_binaries, is_own_server=is_own_server)


@pytest.mark.parametrize("is_in_memory", [True, False], ids=["in memory", "on disk"])
def test_nothing_of_the_database_stands_in_the_arguments(
    spied: Path, monkeypatch: pytest.MonkeyPatch, is_in_memory: bool
) -> None:
    """Whatever DATABASE_URL holds goes through the environment, or a file for its owner only that is gone afterwards: in
    memory, so that nothing is left of a program that is killed, or where the system has no such file, on disk.
    """
    if not is_in_memory:
        monkeypatch.delattr(os, "memfd_create")
    conninfo = (
        f"postgresql://ann:{SECRET}@h1,h2:5433/calls?sslpassword={SECRET}&options=-c%20a.b%3D{SECRET}"
        f"&keepalives_idle=7&sslkey=/{SECRET}&target_session_attrs=read-write"
    )
    before = set(Path(tempfile.gettempdir()).glob("replicator-*.conf"))
    assert run(conninfo, "-c", "select 1") == 0
    found = sections(spied)
    assert found["arguments"].splitlines()[-2:] == ["-c", "select 1"]
    for hidden in (SECRET, "ann", "h1", "calls"):
        assert hidden not in found["arguments"].replace(str(spied.parent), "")
    variables = dict(line.partition("=")[::2] for line in found["environment"].splitlines())
    assert (variables["PGPASSWORD"], variables["PGHOST"], variables["PGPORT"]) == (SECRET, "h1,h2", ",5433")
    assert (variables["PGDATABASE"], variables["PGUSER"]) == ("calls", "ann")
    assert variables["PGOPTIONS"] == f"-c a.b={SECRET}"
    assert found["mode"].strip() == "600"
    assert found["file"].splitlines() == ["[replicator]", "keepalives_idle=7", f"sslpassword={SECRET}"]
    assert variables["PGSERVICEFILE"].startswith("/proc/self/fd/" if is_in_memory else tempfile.gettempdir())
    assert set(Path(tempfile.gettempdir()).glob("replicator-*.conf")) == before


def test_the_users_variables_count_where_they_count_for_us(
    spied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service of the environment fills what DATABASE_URL leaves out, and overrides nothing; one that it names does, too."""
    services = tmp_path / "services"
    services.write_text("[a]\nhost=ahost\nuser=auser\nport=6001\n[b]\nhost=bhost\n", encoding="utf-8")
    for name, value in {
        "PGSERVICEFILE": str(services),
        "PGSERVICE": "a",
        "PGUSER": "envuser",
        "PGCLUSTER": "9/none",
    }.items():
        monkeypatch.setenv(name, value)
    run("postgresql://urlhost/d")
    assert variables(spied) == {"PGHOST": "urlhost", "PGDATABASE": "d", "PGUSER": "auser", "PGPORT": "6001"}
    run("service=b dbname=d")
    assert variables(spied) == {"PGHOST": "bhost", "PGDATABASE": "d", "PGUSER": "envuser"}
    assert os.environ["PGSERVICE"] == "a"


def variables(said: Path) -> Mapping[str, str]:
    lines = sections(said)["environment"].splitlines()
    return dict(line.partition("=")[::2] for line in lines if not line.startswith(("PGOPTIONS", "PGSSL")))


def test_a_value_that_no_file_can_hold_is_refused() -> None:
    """A line break in a parameter that has no variable would be another parameter."""
    with pytest.raises(ConfigurationError, match="cannot be given to psql"):
        run("host=h sslpassword='a\nhost=evil'")


def clients() -> Iterator[Path]:
    """The psql of PATH, and the packaged one."""
    on_path = shutil.which("psql")
    if on_path is not None:
        yield Path(on_path)
    yield embedded.find_binaries() / "psql"


@contextmanager
def only(program: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[pytest.MonkeyPatch]:
    """Let PATH name this psql and no other; give what may change the environment meanwhile."""
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(folder))
        if not (folder / "psql").exists():
            (folder / "psql").write_text(f'#!/bin/sh\nPATH=/usr/bin:/bin exec {program} "$@"\n', encoding="utf-8")
            (folder / "psql").chmod(0o755)
        yield patch


@pytest.mark.parametrize("program", list(clients()), ids=str)
def test_each_psql_reaches_the_database(
    program: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Debian's and the packaged one, with parameters that have a variable and others; and our own server although every
    variable of the user's points elsewhere.
    """
    parts = conninfo_to_dict(database_url)
    conninfo = make_conninfo("", **parts, keepalives_idle="30", options="-c DateStyle=German")
    elsewhere = {
        "PGHOST": "192.0.2.1", "PGHOSTADDR": "192.0.2.1", "PGSERVICE": "nowhere", "PGSSLMODE": "verify-full",
        "PGOPTIONS": "-c DateStyle=German", "PGCHANNELBINDING": "require", "PGREQUIREAUTH": "none",
        "PGTARGETSESSIONATTRS": "standby", "PGDATESTYLE": "German", "PGPASSWORD": "x", "PGCLUSTER": "9/none",
    }  # fmt: skip
    with only(program, monkeypatch, tmp_path) as patch:
        assert run(conninfo, "-XAtc", SHOW) == 0
        assert capfd.readouterr().out.strip() == f"{parts['dbname']}|psql|German, DMY"
        for name, value in elsewhere.items():
            patch.setenv(name, value)
        assert run(database_url, "-XAtc", SHOW, is_own_server=True) == 0
        assert capfd.readouterr().out.strip() == f"{parts['dbname']}|psql|ISO, MDY"


@pytest.mark.slow
def test_the_process_list_shows_nothing(database_url: str, tmp_path: Path) -> None:
    """While psql of the command line runs, no process of the machine has the password among its arguments."""
    parts = conninfo_to_dict(database_url)
    url = f"{database_url}?sslpassword={SECRET}"
    process = subprocess.Popen(
        [sys.executable, "-m", "replicator", "psql", "-XAtc", "SELECT 'there', pg_sleep(3)"],
        cwd=tmp_path, env=process_environment({"DATABASE_URL": url}), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    seen = ""
    while process.poll() is None:
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = file.read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "there" in words:
                seen += words
    assert process.communicate()[0].startswith("there|")
    assert "psql" in seen
    assert SECRET not in seen
    assert str(parts["password"]) not in seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trap", "number", "code"),
    [
        ("", signal.SIGTERM, 143),
        ("", signal.SIGHUP, 143),
        ("trap '' HUP; ", signal.SIGHUP, 0),
        ("trap '' HUP; ", signal.SIGTERM, 143),
    ],
    ids=["SIGTERM", "SIGHUP", "SIGHUP under nohup", "SIGTERM under nohup"],
)
def test_it_is_ended_with_this_program(database_url: str, tmp_path: Path, trap: str, number: int, code: int) -> None:
    """Unless this program was started to ignore the signal: then psql goes on to its end, too."""
    if code and signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("whoever runs the tests ignores this signal, as under nohup, and so does every child")
    script = f"{trap}exec {sys.executable} -m replicator psql -c 'SELECT pg_sleep(4)'"
    chosen = process_environment({"DATABASE_URL": database_url})
    process = subprocess.Popen(["sh", "-c", script], cwd=tmp_path, env=chosen, stdout=subprocess.DEVNULL)
    with psycopg.connect(database_url, autocommit=True) as connection:
        until = time.monotonic() + 20
        sleeping = "SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(4)%'"
        while connection.execute(sleeping).fetchone() is None and time.monotonic() < until:
            time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(20) == code
