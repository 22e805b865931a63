"""Secrets are planted wherever there can be one, and looked for in everything that comes out: results, errors, logs, files."""

from __future__ import annotations

import re
import signal
import socket
import time
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from psycopg.types.json import Jsonb

from replicator.simulator.api import KEY
from replicator.simulator.switches import Switches
from replicator.store import schema_check
from replicator.store.database import Database
from tests.fix_commands import run, start
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "kanarienvogel"
PSEUDONYM_KEY = "cHNldWRvbnltLWNhbmFyeS1mb3ItdGVzdHMtb25seSEh"
PASSWORD = "p4ssw0rd-canary"
NUMBER = "+12025550147"
SECRETS = (CANARY, KEY, PSEUDONYM_KEY, PASSWORD, NUMBER[4:])
PLANT = (
    "UPDATE truedy.calls SET phone_number = %(n)s, from_number = %(n)s, summary = %(t)s, recording_url = %(u)s, context = %(c)s, "
    "raw = raw || %(c)s"
)


@pytest.fixture
def replica(database: Database, database_url: str) -> Iterator[dict[str, str]]:
    """A synced replica with a secret in every text that is not for everybody, and the settings that lead to it."""
    with source(database, calls=40, switches=Switches(limit=None)) as there:
        there.sync()
        with database.connection() as connection:
            facts = {
                "c": Jsonb({"note": CANARY, "last_error": f"no route to {NUMBER}"}),
                "n": NUMBER,
                "t": f"text {CANARY}",
            }
            connection.execute(PLANT, {**facts, "u": f"https://audio.example/?Signature={CANARY}"})
            connection.execute("UPDATE truedy.transcript_segments SET text = %(t)s, raw = %(c)s", facts)
            connection.execute("UPDATE truedy.transcripts SET summary = %(t)s, raw = %(c)s", facts)
            connection.execute(
                "INSERT INTO replicator.quarantine (account, request, reason, raw, raw_sha256, first_seen_at, last_seen_at) "
                "VALUES ('default', 'list', 'no id', %s, '', now(), now())",
                [f'{{"phone_number": "{NUMBER}", "summary": "{CANARY}"}}'.encode()],
            )
        yield {
            "DATABASE_URL": database_url, "TRUEDY_API_KEY": KEY, "TRUEDY_BASE_URL": there.base_url,
            "REPLICATOR_PSEUDONYM_KEY": PSEUDONYM_KEY, "REPLICATOR_LOG_LEVEL": "DEBUG",
        }  # fmt: skip


def held(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text or secret in text.replace("\n", "")]


QUIET = [
    ["--version"], ["--help"], ["status"], ["status", "--json"], ["sync"], ["sync", "--json"], ["report", "--output", "a.html"],
    ["report", "--json"], ["report", "--output", "-"], ["deletions"], ["deletions", "--json"], ["quarantine"], ["quarantine", "list", "--json"],
    ["quarantine", "list", "--all"], ["quarantine", "show", "1"], ["quarantine", "replay"], ["verify"], ["verify", "--json"], ["migrate"], ["migrate", "--json"],
    ["roles", "--print"], ["export", "calls", "--output", "a.csv"], ["export", "daily", "--output", "-"],
    ["export", "agent_scorecard", "--output", "b.csv"], ["export", "errors_daily", "--output", "c.csv"], ["export", "nothing", "--output", "d.csv"],
    ["recording", "00000000-0000-0000-0000-000000000000"], ["psql", "-c", "\\conninfo"], ["psql", "-c", "SELECT nonsense"],
]  # fmt: skip
"""Commands whose output is for whoever runs the service: no number, no text, no secret."""


@pytest.mark.slow
def test_no_command_shows_a_secret(replica: dict[str, str], tmp_path: Path) -> None:
    """Each command's results, errors and files; those that show personal data on purpose are not among them."""
    for arguments in QUIET:
        done = run(*arguments, cwd=tmp_path, **replica)
        assert held(done.stdout + done.stderr) == [], arguments
        assert "Traceback" not in done.stderr, (arguments, done.stderr)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"a.html", "a.csv", "b.csv", "c.csv"}
    for path in files:
        assert held(path.read_text(encoding="utf-8", errors="replace")) == [], path


@pytest.mark.slow
def test_no_failure_shows_a_secret(replica: dict[str, str], tmp_path: Path) -> None:
    """Nor does what goes wrong: a wrong key, a wrong password, no server, no schema, no rights, settings that are none."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    here = replica["DATABASE_URL"]
    elsewhere = {
        "a wrong key": {"TRUEDY_API_KEY": f"truedy_{CANARY}"},
        "a key that is none": {"TRUEDY_API_KEY": f"{CANARY} {CANARY}"},
        "no source": {"TRUEDY_BASE_URL": f"http://127.0.0.1:{port}/v1"},
        "an address with a secret": {"TRUEDY_BASE_URL": f"https://user:{CANARY}@127.0.0.1/v1"},
        "a wrong password": {"DATABASE_URL": re.sub(r"://[^@]*@", f"://nobody:{PASSWORD}@", here)},
        "no server": {"DATABASE_URL": f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/x"},
        "no database": {"DATABASE_URL": re.sub(r"/[^/]*$", "/nowhere", here)},
        "a pseudonym key that is none": {"REPLICATOR_PSEUDONYM_KEY": CANARY},
        "a number that is none": {"REPLICATOR_WORKERS": CANARY},
    }
    for name, wrong in elsewhere.items():
        asked = {**replica, "REPLICATOR_DATABASE_PATIENCE_SECONDS": "1", **wrong}
        done = run("sync", "--json", "--max-seconds", "1", cwd=tmp_path, **asked)
        if name != "a number that is none":  # it is no secret, and its message may quote it
            assert held(done.stdout + done.stderr) == [], (name, done.stderr)
        assert "Traceback" not in done.stderr, (name, done.stderr)


@pytest.mark.slow
def test_the_service_logs_and_shows_no_secret(replica: dict[str, str], tmp_path: Path) -> None:
    """`serve` at its most talkative, with its page and its health."""
    with start("serve", cwd=tmp_path, **replica, REPLICATOR_HTTP_PORT="0", REPLICATOR_POLL_SECONDS="1") as process:
        assert process.stderr is not None
        said, address = "", ""
        until = time.monotonic() + 60
        while not address and time.monotonic() < until:
            line = process.stderr.readline()
            said += line
            found = re.search(r"http://127\.0\.0\.1:\d+/(?![a-z])", line)
            address = found[0] if found else ""
        assert address, said
        for place in ("", "health", "nowhere", "?days=7"):
            try:
                with urllib.request.urlopen(address + place, timeout=60) as answer:  # noqa: S310 - ours
                    text = answer.read().decode() + str(answer.headers)
            except urllib.error.HTTPError as refused:
                text = refused.read().decode() + str(refused.headers)
            assert held(text) == [], place
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert held(said + out + err) == []


def test_the_watch_finds_what_is_there(replica: dict[str, str], tmp_path: Path, database_url: str) -> None:
    """What shows personal data on purpose shows the canaries: the search is no blind one."""
    with closing(Database(database_url)) as database:
        schema_check.check(database)
    done = run("export", "call_texts", "--output", "-", cwd=tmp_path, **replica)
    assert CANARY in held(done.stdout)
    assert NUMBER[4:] in held(run("export", "call_numbers", "--output", "-", cwd=tmp_path, **replica).stdout)
    assert "personal data" in done.stderr
