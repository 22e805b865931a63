"""What each command shows in a real terminal of 80 columns, on a replica that has everything: nothing is cut, and no table is
wider than the terminal.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest
import typer.main
from rich.cells import cell_len

from replicator.cli.front import app
from replicator.simulator.api import KEY
from tests.fix_commands import environment
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.store.database import Database

pytestmark = pytest.mark.slow

COLUMNS = 80
LONG_WORD = 60
"""A path or a URL of this length is not broken, so that it can be copied."""
VERBATIM = {"roles"}
"""Commands that write statements to be run."""
STATEMENT = """line_id,call_id,started_at,duration_seconds,phone_number,amount,kind,description
L1,{one},2026-10-05T10:00:00Z,60,+15550000001,1234567.0900,usage,a line whose text is so long that it does not fit into eighty columns
L2,00000000-0000-4000-8000-00000000abcd,2026-10-06T12:00:00Z,60,+15550000004,0.0700,usage,of no call
L3,,,,,7654321.00,fee,rental
"""
SET_ASIDE = """
INSERT INTO replicator.quarantine (account, raw_sha256, request, reason, raw, first_seen_at, last_seen_at, attempts)
VALUES ('default', 'x', 'list', 'the call cannot be read: its id is no UUID, and that is said in many words', '{}', now(), now(), 1234567)
"""
ELSEWHERE = {
    "serve": "runs until it is stopped: tests/service", "demo": "tests/test_start.py", "simulator": "runs until it is stopped",
    "psql": "is another program", "quarantine by-options": "is the former spelling",
}  # fmt: skip
"""Commands that are not run here, with the reason."""


def in_terminal(*arguments: str, cwd: Path, **settings: str) -> tuple[int, str]:
    """Run a command in a terminal; return its exit code and what it shows, without colours."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "replicator", *arguments], cwd=cwd, stdin=slave, stdout=slave, stderr=slave,
        env={**environment(settings), "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    os.close(slave)
    shown = b""
    while True:
        try:
            some = os.read(master, 65536)
        except OSError:  # Linux says so when the last writer has closed
            break
        if not some:
            break
        shown += some
    code = process.wait(60)
    os.close(master)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\][^\x07]*\x07", "", shown.decode())
    return code, text.replace("\r\n", "\n")


def is_cut(line: str) -> bool:
    """Say whether a line was shortened, or is wider than the terminal although it could have been broken."""
    longest = max(map(cell_len, line.split()), default=0)
    return "…" in line or (cell_len(line) > COLUMNS and longest < LONG_WORD)


def commands() -> Iterator[str]:
    """Yield all commands."""

    def walk(command: object, path: tuple[str, ...]) -> Iterator[str]:
        for name, one in command.commands.items():  # type: ignore[attr-defined]
            if hasattr(one, "commands"):
                yield from walk(one, (*path, name))
            else:
                yield " ".join((*path, name))

    yield from walk(typer.main.get_command(app), ())


def test_every_command_is_shown_or_named() -> None:
    """A new command is run here, or has a reason why not."""
    assert {line.split(" --")[0].split(" @")[0] for line, _ in SHOWN} | set(ELSEWHERE) == set(commands())


SHOWN: tuple[tuple[str, int], ...] = (
    ("status", 0), ("migrate", 0), ("roles --print", 0), ("sync --max-seconds 9", 0), ("verify", 0), ("doctor", 0),
    ("deletions", 0), ("recording @call", 0), ("report --output r.html", 0), ("export @view --output x.csv", 0), ("accounts list", 0),
    ("quarantine list", 0), ("quarantine show @1", 0), ("quarantine save @1 @bytes", 0), ("quarantine replay", 1),
    ("names list", 0), ("names import @names.csv", 0),
    ("reconcile import @october.csv --period 2026-10", 0), ("reconcile statements", 0), ("reconcile match --period 2026-10", 0),
    ("reconcile show --period 2026-10", 1), ("reconcile assign @1:2 @none --reason x", 0),
    ("reconcile accept @1:3 --reason x", 0), ("reconcile disputes --period 2026-10 --output d.csv", 0),
    ("reconcile close @2026-10", 1), ("reconcile close @2026-10 --anyway x", 0),
    ("reconcile rates set @a-rule --price 12345.678 --increment 60 --from 2026-01-01", 0), ("reconcile rates list", 0),
    ("reconcile rates check --period 2026-10", 0), ("reconcile rates learn", 0),
    ("reconcile rates remove @a-rule", 0), ("reconcile budget set @2026-10 @1234567.89", 0), ("reconcile budget list", 0),
    ("reconcile budget remove @2026-10", 0),
    ("archive status", 0), ("archive run --max-seconds 2", 0), ("archive anchor --to heads", 0), ("archive verify", 0),
    ("archive export @bag --reason x", 0), ("archive retention set @law --keep 6y --statutory --compliance", 0),
    ("archive retention list", 0), ("archive hold add @case-of-a-long-name --call @call --reason x", 0), ("archive hold list", 0),
    ("archive hold release @case-of-a-long-name --reason x", 0), ("archive dispose --dry-run", 0),
    ("archive erase --call @call --reason x", 0), ("archive certificate @1", 0), ("archive reapply", 0), ("archive log", 0),
    ("archive verify", 0), ("accounts rename @default @other", 2),
)  # fmt: skip
"""Each command in turn, with its exit code. A word with @ is an argument."""


def test_nothing_is_cut(database: Database, database_url: str, tmp_path: Path) -> None:
    with source(database, calls=60, now=datetime(2026, 10, 20, 12, tzinfo=UTC)) as there:
        there.sync(seals=True)
        call = str(there.world.live_ids()[3])
        settings = {
            "DATABASE_URL": database_url, "REPLICATOR_DATA_DIR": str(tmp_path / "data"), "REPLICATOR_ARCHIVE": "on",
            "REPLICATOR_PSEUDONYM_KEY": "0123456789abcdef0123456789abcdef", "TRUEDY_API_KEY": KEY,
            "TRUEDY_BASE_URL": there.base_url, "TRUEDY_REQUESTS_PER_MINUTE": "0",
        }  # fmt: skip
        (tmp_path / "october.csv").write_text(STATEMENT.format(one=call), encoding="utf-8")
        agent = there.value("SELECT agent_id FROM truedy.calls WHERE agent_id IS NOT NULL LIMIT 1")
        (tmp_path / "names.csv").write_text(
            f"agent_id,name\n{agent},A name of an agent that is rather long\n", encoding="utf-8"
        )
        with psycopg.connect(database_url) as connection:
            connection.execute(SET_ASIDE)
        wrong = []
        for line, expected in SHOWN:
            words = [
                {"call": call, "view": "call_cost_daily"}.get(w[1:], w[1:]) if w[0] == "@" else w for w in line.split()
            ]
            code, shown = in_terminal(*words, cwd=tmp_path, **settings)
            if code != expected:
                wrong.append(f"{line} ended with {code}")
            wrong += [f"{line}: {text}" for text in shown.splitlines() if is_cut(text) and words[0] not in VERBATIM]
        assert not wrong, "\n".join(wrong)
        # What all these commands sealed was verified by the last one.
        sealed = {kind for (kind,) in there.rows("SELECT DISTINCT kind FROM archive.records")}
        assert {"hold", "release", "erasure", "read", "export", "configuration", "month_close"} <= sealed
