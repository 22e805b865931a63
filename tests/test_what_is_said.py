"""No part of a secret and no character that acts on a terminal in anything that any command says, whoever put it there.

Canaries are set as the key, as passwords and as the secret of the pseudonyms; a hostile source echoes the key wherever an
answer has room for it, and gives names that act on a terminal. Every command is run through every failure.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest

from replicator.safe_text import PART
from tests import fix_processes
from tests.fix_commands import environment
from tests.test_cli import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow  # each test starts processes

KEY = "truedy_KqZx9174vbNwq83rTyLpa"
PSEUDONYMS = "Vw7hQz2mXc9sKd4fGj6lPo1iUy3tRe5wAq8b"
PASSWORD = "Jx6Wm3Kz9Qv1Bt7Hd4Rs"
ACTING = "\x1b]0;owned\x07\x9b31m\u202eevil\u2066\u200b\u2028\x7f\r\nERROR forged"
ACCOUNT = f"acc{ACTING}"
CALL = "00000000-0000-4000-8000-000000000001"

COMMANDS = (
    ("sync",), ("sync", "--json"), ("verify",), ("verify", "--json"), ("recording", CALL), ("status",), ("status", "--json"),
    ("report", "--json"), ("deletions",), ("deletions", "--json"), ("quarantine", "list", "--all"), ("quarantine", "list", "--all", "--json"),
    ("quarantine", "replay"), ("quarantine", "--replay"), ("migrate",), ("roles", "--print"), ("doctor",), ("doctor", "--json"),
    ("export", "calls", "--output", "-"), ("export", f"no{ACTING}", "--output", "-"), ("psql", "-c", "SELECT 1"),
    ("export", "calls", "--output", f"/nowhere/{ACTING}"), ("report", "--output", f"/nowhere/{ACTING}"), (f"no{ACTING}",),
    ("status", f"--no{ACTING}"),
    ("accounts", "list"), ("accounts", "list", "--json"), ("names", "list"), ("names", "list", "--json"), ("names", "list", "--csv"),
    ("archive", "run", "--max-seconds", "1"), ("archive", "status"), ("archive", "status", "--json"), ("archive", "verify"), ("archive", "log"),
    ("archive", "hold", "add", f"case{ACTING}", "--call", CALL, "--reason", f"why{ACTING}"), ("archive", "hold", "list"),
    ("archive", "retention", "set", f"class{ACTING}", "--keep", "1y"), ("archive", "retention", "list"),
    ("archive", "dispose", "--dry-run"), ("archive", "export", "bag", "--reason", f"why{ACTING}"), ("archive", "log", "--json"),
    ("reconcile", "import", f"/nowhere/{ACTING}", "--period", "2026-10"), ("reconcile", "statements"),
    ("reconcile", "match", "--period", "2026-10"), ("reconcile", "show", "--period", "2026-10"),
    ("reconcile", "rates", "set", f"rule{ACTING}", "--price", "1", "--increment", "60", "--from", "2026-01-01"),
    ("reconcile", "rates", "list"), ("reconcile", "rates", "check"), ("reconcile", "budget", "set", "2026-12", "1", "--campaign", f"camp{ACTING}"),
    ("reconcile", "budget", "list"), ("reconcile", "close", "2026-10"),
)  # fmt: skip
EXACT = {"export"}
"""Commands whose standard output is the content itself."""


def parts(secret: str) -> set[str]:
    """Return what must not be seen of a secret: every six characters in a row that are no ordinary words."""
    return {secret[at : at + PART] for at in range(len(secret) - PART + 1)} - {"truedy", "ruedy_"}


def found(said: str, *secrets: str) -> list[str]:
    """Return the parts of the secrets that a text holds, in whatever case."""
    folded = said.casefold()
    return sorted(part for secret in secrets for part in parts(secret) if part.casefold() in folded)


def acting(said: str) -> list[str]:
    """Return the characters of a text that act on a terminal."""
    return sorted({f"U+{ord(c):04X}" for c in said if c != "\n" and not c.isprintable()})


class Hostile(http.server.BaseHTTPRequestHandler):
    """A source that echoes the key in every place of an answer. `answer` decides, by the path."""

    answer: Callable[[str], tuple[int, Any]]

    def do_GET(self) -> None:
        status, body = type(self).answer(self.path)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status, f"Nope {KEY}")
        for name in ("Location", "Retry-After", "X-RateLimit-Reset", "WWW-Authenticate", "Set-Cookie", "X-Request-Id"):
            self.send_header(name, f"http://{KEY}.example.net/{KEY}")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hostile(answer: Callable[[str], tuple[int, Any]]) -> Iterator[str]:
    """Give the base URL of a source that answers so."""
    kind = type("Kind", (Hostile,), {"answer": staticmethod(answer)})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api/public/v1"
    server.shutdown()
    server.server_close()


def refusing(status: int, shape: str) -> Callable[[str], tuple[int, Any]]:
    """Answer everything with an error that echoes the key, or a part of it, as its code and in its words."""
    code = {"whole": KEY, "part": KEY[3:17], "lower": KEY.lower(), "inside": f"e_{KEY[-9:].lower()}_x"}.get(shape, KEY)
    body: Any = {"error": {"code": code, "message": f"{KEY} {ACTING}", "details": {"limit": KEY, "reset_at": KEY}}}
    if shape == "detail":
        body = {"detail": [{"msg": KEY, "type": KEY, "loc": [KEY]}]}
    elif shape == "string":
        body = {"error": KEY[2:20].lower()}
    elif shape == "html":
        body = f"<html>{KEY}{ACTING}</html>".encode()
    elif shape == "cut":
        body = f'{{"data": [{{"{KEY}": "{KEY}'.encode()
    return lambda _path: (status, body)


def listing(path: str) -> tuple[int, Any]:
    """Answer as an account of one call does, whose every word acts on a terminal."""
    now = datetime.now(UTC) - timedelta(hours=2)
    call = {
        "id": CALL, "agent_id": str(uuid.UUID(int=7)), "phone_number": "+12025550123", "from_number": "+12025550124",
        "direction": f"out{ACTING}", "status": f"odd{ACTING}", "started_at": now.isoformat(), "ended_at": now.isoformat(),
        "duration_seconds": 1, "cost_usd": 0.1, "summary": ACTING, "recording_url": None,
        "context": {"campaign_id": f"camp{ACTING}", "error": ACTING}, "created_at": now.isoformat(),
        "updated_at": now.isoformat(), f"field{ACTING}": ACTING,
    }  # fmt: skip
    bad = {**call, "id": f"bad{ACTING}", "created_at": f"never{ACTING}"}
    meta = {"request_id": ACTING, "ts": datetime.now(UTC).isoformat()}
    parts_of_path = urlsplit(path).path.split("/calls")[1].strip("/").split("/")
    if parts_of_path == [""]:
        pages = {"total": 2, "limit": 100, "offset": 0, "has_more": False}
        rows = [call, bad] if "offset=0" in path else []
        return 200, {"data": rows, "pagination": pages, "meta": meta}
    if parts_of_path[-1] == "recording":
        return 200, {"data": {"recording_url": f"https://x/{ACTING}"}, "meta": meta}
    if parts_of_path[-1] == "transcript":
        return 200, {"data": [{"speaker": f"who{ACTING}", "text": ACTING}], "meta": meta}
    return 200, {"data": call, "meta": meta}


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fix_processes.Nursery]:
    folder = tmp_path_factory.mktemp("canaries")
    with fix_processes.running(folder, environment({})) as running:
        yield running


def say(children: fix_processes.Nursery, *arguments: str, **settings: str) -> tuple[int, str]:
    """Run a command to its end; return its exit code and everything that it said."""
    children.log.write_bytes(b"")
    code = children.wait(children.start(*arguments, environment=environment(settings)))
    return code, children.log.read_bytes().decode("utf-8", "surrogateescape")


def settings(base_url: str, database_url: str, **more: str) -> dict[str, str]:
    return {
        "TRUEDY_API_KEY": KEY, "TRUEDY_BASE_URL": base_url, "DATABASE_URL": database_url, "REPLICATOR_ACCOUNT": ACCOUNT,
        "REPLICATOR_PSEUDONYM_KEY": PSEUDONYMS, "REPLICATOR_DATABASE_PATIENCE_SECONDS": "0",
        "REPLICATOR_LOG_LEVEL": "DEBUG", "TRUEDY_REQUESTS_PER_MINUTE": "0", "PYTHONUTF8": "1", **more,
    }  # fmt: skip


def assert_clean(what: object, said: str, *more: str, is_exact: bool = False) -> None:
    assert found(said, KEY, PSEUDONYMS, PASSWORD, *more) == [], (what, said)
    assert "Traceback" not in said, (what, said)
    assert "a defect" not in said, (what, said)
    if not is_exact:
        assert acting(said) == [], (what, said)
        assert "\nERROR forged" not in said, (what, said)


def with_password(database_url: str) -> str:
    """Return the same database as a user of its own whose password is the canary."""
    name = f"canary_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
    return f"postgresql://{name}:{PASSWORD}@{database_url.partition('@')[2]}"


def test_every_command_with_names_that_act(children: fix_processes.Nursery, database_url: str, tmp_path: Path) -> None:
    """Words of a hostile account, stored and shown by every command, act on nothing; JSON keeps them exact."""
    with hostile(listing) as base_url:
        chosen = settings(
            base_url, with_password(database_url), REPLICATOR_ARCHIVE="on", REPLICATOR_DATA_DIR=str(tmp_path / "data")
        )
        assert say(children, "sync", **chosen)[0] == 0
        for command in COMMANDS:
            code, said = say(children, *command, **chosen)
            assert code in {0, 1, 2, 3, 4}
            assert_clean(command, said, is_exact=(command[0] in EXACT or "--csv" in command) and code == 0)
        code, said = say(children, "report", "--json", **chosen)
        assert code == 0
        assert json.loads(said[said.index("{\n") :])["account"] == ACCOUNT
        assert "camp\\u001b]0;owned\\u0007\\u009b31m\\u202eevil" in said
        page = tmp_path / "report.html"
        assert say(children, "report", "--output", str(page), **chosen)[0] == 0
        assert set(acting(page.read_text(encoding="utf-8"))) <= {"U+00A0"}


STATUSES = (200, 302, 400, 401, 402, 403, 404, 409, 422, 429, 500, 502, 503)
SHAPES = ("whole", "part", "lower", "inside", "detail", "string", "html", "cut")


@pytest.mark.parametrize("status", STATUSES)
def test_a_source_that_echoes_the_key(children: fix_processes.Nursery, database_url: str, status: int) -> None:
    """In code, message, details, headers, reason phrase and redirect, as a whole or in part, with any status: each with three of
    the shapes, so that each shape comes with four or five of them.
    """
    number = STATUSES.index(status)
    for shape in [SHAPES[(3 * number + step) % len(SHAPES)] for step in range(3)]:
        with hostile(refusing(status, shape)) as base_url:
            chosen = settings(base_url, database_url)
            for command in (
                ("sync", "--json", "--max-seconds", "1"),
                ("doctor",),
                ("verify", "--max-requests", "2"),
                ("recording", CALL),
            ):
                if command[0] == "verify" and status == 429:
                    continue  # it waits for the window's end
                code, said = say(children, *command, **chosen)
                assert code in {0, 1, 2, 3, 4}
                assert_clean((status, shape, command), said)


def test_the_log_of_the_service(children: fix_processes.Nursery, database_url: str) -> None:
    """The account's name, and what a source says while it fails, are one line each, and act on nothing."""
    with hostile(listing) as base_url:
        chosen = settings(base_url, with_password(database_url), REPLICATOR_POLL_SECONDS="1")
        children.log.write_bytes(b"")
        process = children.start("serve", environment=environment(chosen))
        wait_until(lambda: b"sync done" in children.log.read_bytes(), seconds=30)
        os.kill(process, signal.SIGTERM)
        children.wait(process)
        said = children.log.read_text(encoding="utf-8")
        assert "serving account acc\\x1b]0;owned" in said
        assert_clean("serve", said)
        assert all(line[:2] == "20" for line in said.splitlines()), said


URLS = {
    "wrong password": "postgresql://postgres:{secret}@127.0.0.1:{port}/x",
    "refused port": "postgresql://u:{secret}@127.0.0.1:{closed}/x",
    "another database": "mysql://u:{secret}@127.0.0.1/x",
    "no URL": "{secret}",
    "an @ in the password": "postgresql://u:abc@{secret}@127.0.0.1:{closed}/x",
    "an @ and a slash": "postgresql://u:{secret}/@{secret}@127.0.0.1:{closed}/x",
    "a % in the password": "postgresql://u:{secret}%zz@127.0.0.1:{closed}/x",
    "as a mode": "postgresql://u@127.0.0.1:{closed}/x?sslmode={secret}",
    "as a port": "postgresql://u@127.0.0.1:{secret}/x",
    "as an unknown parameter": "postgresql://u@127.0.0.1:{closed}/x?{secret}={secret}",
    "for a key": "postgresql://u@127.0.0.1:{closed}/x?sslpassword={secret}",
    "as keywords": "host=127.0.0.1 port={closed} user=u password='{secret}'",
    "as keywords that are wrong": "host=127.0.0.1 port={closed} password='{secret}",
    "with characters that act": "postgresql://u:{secret}@127.0.0.1:{closed}/x" + ACTING,
}


BY_URL = (("sync",), ("status", "--json"), ("migrate",), ("doctor",), ("roles", "--print"))


@pytest.mark.parametrize("kind", URLS)
def test_secrets_in_the_databases_url(children: fix_processes.Nursery, database_url: str, kind: str) -> None:
    """However DATABASE_URL is wrong, no command says a part of the password that stands in it, nor a character that acts."""
    url = URLS[kind].format(secret=PASSWORD, port=urlsplit(database_url).port, closed=free_port())
    with hostile(listing) as base_url:
        for command in BY_URL:
            code, said = say(children, *command, **settings(base_url, url))
            assert code != 0
            assert_clean((kind, command), said)


@pytest.mark.parametrize("kind", URLS)
def test_secrets_in_what_psql_says(children: fix_processes.Nursery, database_url: str, kind: str) -> None:
    """psql says its own words on its own; the password is not among them, and a tab acts on nothing."""
    url = URLS[kind].format(secret=PASSWORD, port=urlsplit(database_url).port, closed=free_port())
    code, said = say(children, "psql", "-c", "SELECT 1", **settings("http://127.0.0.1:9", url))
    assert code != 0
    assert_clean(kind, said.replace("\t", " "))


@pytest.mark.parametrize(
    "name",
    [
        "TRUEDY_API_KEY",
        "REPLICATOR_PSEUDONYM_KEY",
        "DATABASE_URL",
        "REPLICATOR_WORKERS",
        "REPLICATOR_RENEWAL",
        "REPLICATOR_DETAILS",
        "REPLICATOR_HTTP_NAMES",
        "REPLICATOR_ROLE_PREFIX",
        "REPLICATOR_LOG_LEVEL",
        "TRUEDY_BASE_URL",
        "TRUEDY_API_KEY_FILE",
        "REPLICATOR_REPORTING_TIME_ZONE",
    ],
)
def test_a_secret_in_the_wrong_place(children: fix_processes.Nursery, database_url: str, name: str) -> None:
    """A secret that was put into any other setting, or with characters that act, is not said by what refuses it."""
    with hostile(listing) as base_url:
        for value in (f"{PASSWORD}{ACTING}", PASSWORD[:8], f'"{PASSWORD}"'):
            for command in (("sync",), ("migrate",), ("doctor", "--no-source")):
                chosen = {**settings(base_url, database_url), name: value}
                if name == "TRUEDY_API_KEY_FILE":
                    del chosen["TRUEDY_API_KEY"]
                _, said = say(children, *command, **chosen)
                if name.endswith("_FILE"):  # a path is said: that is what the setting is for
                    assert acting(said) == []
                else:
                    assert_clean((name, command), said)


def test_the_process_list(database_url: str, tmp_path: Path) -> None:
    """While commands run, no argument of theirs or of a process that they start is a secret."""
    slow = threading.Event()

    def answer(path: str) -> tuple[int, Any]:
        slow.wait(20)
        return listing(path)

    with hostile(answer) as base_url:
        chosen = environment(settings(base_url, f"{with_password(database_url)}?sslpassword={PSEUDONYMS}"))
        chosen["TMPDIR"] = str(tmp_path)  # a psql that is killed leaves its service file
        for command in (["sync"], ["psql", "-c", "SELECT pg_sleep(20)"]):
            process = subprocess.Popen(
                [sys.executable, "-m", "replicator", *command], cwd=tmp_path, env=chosen, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            seen = ""
            until = time.monotonic() + 8
            while time.monotonic() < until:
                seen += "".join(
                    path.read_bytes().decode(errors="replace")
                    for path in Path("/proc").glob("[0-9]*/cmdline")
                    if _is_of(path.parent, process.pid)
                )
                time.sleep(0.2)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert "replicator" in seen
            assert found(seen, KEY, PASSWORD, PSEUDONYMS) == [], command
        slow.set()


def _is_of(process: Path, group: int) -> bool:
    """Say whether a process is one of a session."""
    try:
        return (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[3] == str(group)
    except OSError:
        return False
