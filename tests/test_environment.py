"""Real processes in every environment that surrounds them: variables, locales, working directories, standard streams."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from tests.fix_commands import TOP, environment, run
from tests.test_settings_secret_files import is_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow  # each test starts processes

NAME = "Zürich \U0001f600 \x1b[31m\u202e"
"""An account whose name has what some encodings cannot say, and what acts on a terminal."""


@pytest.fixture(scope="module")
def source() -> Iterator[tuple[Api, str]]:
    api = Api(World(1, 20, switches=Switches(limit=None)), keys=(KEY,))
    with running(api) as base_url:
        yield api, base_url


def shell(command: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a shell, in which `$R` is the program."""
    return subprocess.run(
        ["sh", "-c", command.replace("$R", f"'{sys.executable}' -m replicator")],
        cwd=cwd,
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )


def is_clean(text: bytes) -> bool:
    """Say whether nothing but line ends acts on a terminal, and there is no traceback."""
    said = text.decode("utf-8", "replace")
    return "Traceback" not in said and 'File "' not in said and all(c == "\n" or c.isprintable() for c in said)


@pytest.mark.parametrize(
    "surroundings",
    [
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""},
        {"LANG": "nonsense", "LC_ALL": "xx_YY.nonsense", "TZ": "Nowhere/Nothing"},
        {"PYTHONIOENCODING": "cp1252", "TZ": "<+25>-25"},
        {"PYTHONIOENCODING": "latin-1:strict", "NO_COLOR": "1", "FORCE_COLOR": "1"},
        {"COLUMNS": "0", "LINES": "0", "TERM": "dumb"},
        {"COLUMNS": "²", "LINES": "²", "TERMINAL_WIDTH": "x", "UNICODE_VERSION": "x"},
        {"COLUMNS": "1", "TERM": "nonsense", "HOME": "/nowhere"},
        {"SSL_CERT_FILE": "/nowhere", "REQUESTS_CA_BUNDLE": "/nowhere", "SSLKEYLOGFILE": "/nowhere/keys"},
    ],
    ids="-".join,
)
def test_whatever_the_variables_say(database_url: str, tmp_path: Path, surroundings: dict[str, str]) -> None:
    """Locales, encodings, time zones and terminal sizes of every kind change how things look, and end no command."""
    given = {"DATABASE_URL": database_url, "REPLICATOR_ACCOUNT": NAME, **surroundings}
    done = shell("$R status && $R report --json >/dev/null && $R report --output r.html", tmp_path, **given)
    assert done.returncode == 0, done.stderr
    assert is_clean(done.stdout)
    assert is_clean(done.stderr)
    assert b"\\x1b[31m" in done.stdout
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_an_encoding_that_cannot_say_it(database_url: str, tmp_path: Path) -> None:
    """JSON is ASCII and exact, and a page on standard output is UTF-8 as it says of itself, whatever the encoding is."""
    given = {"DATABASE_URL": database_url, "REPLICATOR_ACCOUNT": NAME, "PYTHONIOENCODING": "ascii"}
    facts = json.loads(shell("$R status --json", tmp_path, **given).stdout.decode("ascii"))
    assert facts["account"] == NAME
    assert "Zürich" in shell("$R report --output -", tmp_path, **given).stdout.decode()


def test_names_that_paths_can_have(database_url: str, tmp_path: Path) -> None:
    """Spaces, `%`, braces, non-ASCII characters and bytes that are no UTF-8 in paths are paths; in messages they are escaped."""
    folder = tmp_path / "a b%20{x}ü[red]\x1b"
    folder.mkdir()
    (folder / "key").write_text(KEY, encoding="utf-8")
    (folder / ".env").write_text(f"DATABASE_URL={database_url}\nTRUEDY_API_KEY_FILE='{folder / 'nothing'}'\n", "utf-8")
    done = shell("$R report; $R sync", folder)
    assert done.returncode == 2
    assert is_clean(done.stdout)
    assert is_clean(done.stderr)
    assert b"[red]\\x1b" in done.stderr
    done = shell("$R report --output \"$(printf 'r\\377\\033.html')\"", folder, DATABASE_URL=database_url)
    assert (done.returncode, done.stdout) == (0, b"r\\xff\\x1b.html\n")
    assert "r\udcff\x1b.html" in [path.name for path in folder.iterdir()]


def test_standard_streams_of_every_kind(database_url: str, tmp_path: Path) -> None:
    """A closed or full output is an error that says so, once; a reader that has gone, a closed input or error, all three closed are none."""
    for command, code, says in (
        ("$R status >&-", 1, b"standard output takes no more: bad file descriptor"),
        ("$R status --json >/dev/full", 1, b"standard output takes no more: no space left on device"),
        ("$R report --output - >/dev/full", 1, b"standard output takes no more"),
        ("$R status <&- 2>&-", 0, b""),
        ("$R status <&- >&- 2>&-", 0, b""),
        ("$R nonsense 2>/dev/full", 2, b""),
        ("{ $R status; echo $? >&2; } | true", 0, b"1\n"),
        ("{ $R report --output -; echo $? >&2; } | true", 0, b"1\n"),
    ):
        done = shell(command, tmp_path, DATABASE_URL=database_url)
        assert done.returncode == code, (command, done)
        assert done.stderr.count(says or b"at fault") == bool(says), (command, done.stderr)
        assert b"Exception ignored" not in done.stderr
        assert is_clean(done.stderr), done.stderr
    # What reads the answer of the database gets no message of ours: descriptor 1 and 2 are taken from the start.
    opened = shell(
        f"'{sys.executable}' -c 'from replicator import streams; streams.prepare(); import os; print(os.open(\"/\", 0), file=__import__(\"sys\").stderr)' "
        "<&- >&- 2>err", tmp_path, PYTHONPATH=str(TOP),
    )  # fmt: skip
    assert opened.returncode in {0, 1, 120}
    assert int((tmp_path / "err").read_text(encoding="utf-8").splitlines()[0]) > 2


def test_in_a_terminal_of_no_size(database_url: str, tmp_path: Path) -> None:
    """A real terminal that says that it has no columns, with a name that would colour it: nothing acts on it but colours of ours."""
    main, terminal = pty.openpty()
    given = {"DATABASE_URL": database_url, "REPLICATOR_ACCOUNT": NAME, "COLUMNS": "0", "LINES": "1", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "replicator", "status"],
        cwd=tmp_path, env=environment(given), stdin=terminal, stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    said = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:
            break
        if not part:
            break
        said += part
    os.close(main)
    assert process.wait(30) == 0
    assert b"replica of account" in said
    assert b"\x1b[31m" not in said
    assert "\u202e".encode() not in said


def test_a_working_directory_that_is_gone(database_url: str, tmp_path: Path) -> None:
    """Commands that need no working directory work without one; what needs one says so."""
    folder = tmp_path / "gone"
    folder.mkdir()
    done = shell(
        f"rmdir '{folder}'; $R status && $R doctor --no-source; $R report",
        folder,
        DATABASE_URL=database_url,
        PYTHONPATH=str(TOP),
    )
    assert b"replica of account" in done.stdout
    assert b"the working directory does not exist any more" in done.stdout
    assert done.returncode == 2
    assert is_clean(done.stderr), done.stderr


@is_root
def test_a_foreign_file_takes_no_key(source: tuple[Api, str], database_url: str, reachable_folder: Path) -> None:
    """The attack: a `.env` of another user in the working directory, the key in root's environment. Nothing is sent anywhere."""
    api, base_url = source
    before = api.log.requests
    folder = reachable_folder / "planted"
    folder.mkdir(mode=0o755)
    planted = folder / ".env"
    planted.write_text(f"TRUEDY_BASE_URL={base_url}\n", encoding="utf-8")
    for mode, owner in ((0o666, "nobody"), (0o600, "nobody"), (0o666, "root")):
        planted.chmod(mode)
        shutil.chown(planted, owner)
        done = run("sync", cwd=folder, TRUEDY_API_KEY=KEY, DATABASE_URL=database_url)
        assert done.returncode == 2
        assert str(planted) in done.stderr
    planted.chmod(0o600)
    done = run("sync", cwd=folder, TRUEDY_API_KEY=KEY, DATABASE_URL=database_url)
    assert done.returncode == 2
    assert "TRUEDY_BASE_URL from the file .env" in done.stderr
    assert api.log.requests == before
    planted.write_text(f"TRUEDY_BASE_URL={base_url}\nTRUEDY_API_KEY={KEY}\n", encoding="utf-8")
    assert run("sync", cwd=folder, DATABASE_URL=database_url).returncode == 0
    assert api.log.requests > before


def test_proxies_get_no_key(source: tuple[Api, str], database_url: str, tmp_path: Path) -> None:
    """No variable that names a proxy is followed: the source is reached although each names a port where nobody listens."""
    names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    proxies = dict.fromkeys(names, "http://127.0.0.1:9")
    chosen = {"TRUEDY_API_KEY": KEY, "TRUEDY_BASE_URL": source[1], "TRUEDY_REQUESTS_PER_MINUTE": "0"}
    done = run("sync", cwd=tmp_path, DATABASE_URL=database_url, **chosen, **proxies)
    assert done.returncode == 0, done.stderr


def test_misspelt_settings_are_warned_about_once(database_url: str, tmp_path: Path) -> None:
    """One line on standard error, with the name that is meant; standard output stays what it is, and debugging says origins."""
    given = {"DATABASE_URL": database_url, "REPLICATOR_POL_SECONDS": "5", "REPLICATOR_LOG_LEVEL": "debug"}
    done = run("status", "--json", cwd=tmp_path, **given)
    warning, debug = done.stderr.splitlines()
    assert warning == (
        "warning: unknown setting REPLICATOR_POL_SECONDS in the environment; did you mean REPLICATOR_POLL_SECONDS?"
    )
    assert debug.endswith("from the environment: DATABASE_URL, REPLICATOR_LOG_LEVEL")
    assert json.loads(done.stdout)["account"] == "default"


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hidden-word@127.0.0.1/api",
        "https://127.0.0.1/api?key=hidden-word",
        "https://hidden word/",
        "hidden-word",
        "https://127.0.0.1/#hidden-word",
        "https://127.0.0.1:hidden-word/",
    ],
)
def test_a_base_url_that_cannot_be_right(url: str, database_url: str, tmp_path: Path) -> None:
    """A user, a password, a query, spaces: refused before anything is sent, without an echo."""
    done = run("sync", cwd=tmp_path, TRUEDY_API_KEY=KEY, TRUEDY_BASE_URL=url, DATABASE_URL=database_url)
    assert done.returncode == 2
    assert "TRUEDY_BASE_URL" in done.stderr
    assert "hidden" not in done.stderr + done.stdout
