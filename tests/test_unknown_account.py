"""An account that the database does not have: an empty answer would look like a good one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fix_commands import run

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (
    "verify", "status", "report --output -", "deletions", "names list", "quarantine list", "quarantine replay",
    "archive status", "archive verify", "archive run", "archive anchor --to heads", "archive export bag", "archive log",
    "archive hold list", "archive retention list", "archive dispose --dry-run", "archive reapply",
    "reconcile import s.csv --period 2026-10", "reconcile match --period 2026-10", "reconcile show --period 2026-10",
    "reconcile close 2026-10 --anyway x", "reconcile statements", "reconcile budget list", "reconcile rates list",
)  # fmt: skip


@pytest.mark.slow
def test_it_is_named_with_those_that_are_there(database_url: str, tmp_path: Path) -> None:
    """A misspelt REPLICATOR_ACCOUNT verifies no archive and closes no month; before the first sync there is nothing to compare it with."""
    (tmp_path / "s.csv").write_text("line_id,amount,kind\n1,5.00,fee\n", encoding="utf-8")
    settings = {
        "DATABASE_URL": database_url,
        "TRUEDY_API_KEY": "k" * 20,
        "REPLICATOR_ARCHIVE": "on",
        "REPLICATOR_DATA_DIR": str(tmp_path / "data"),
    }
    assert run("reconcile", "statements", cwd=tmp_path, **settings).returncode == 0
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO replicator.source_state (account, base_url) VALUES ('north', 'https://a.example'), ('south', 'https://b.example')"
        )
    for command in COMMANDS:
        done = run(*command.split(), cwd=tmp_path, **settings, REPLICATOR_ACCOUNT="nroth")
        assert done.returncode == 2, (command, done.stdout)
        assert "this database has no account nroth; it has north, south" in done.stderr
        assert "REPLICATOR_ACCOUNT" in done.stderr
    done = run("export", "calls", "--output", "calls.csv", "--account", "nroth", cwd=tmp_path, **settings)
    assert (done.returncode, (tmp_path / "calls.csv").exists()) == (2, False)
    assert "this database has no account nroth; it has north, south" in done.stderr
    assert not (tmp_path / "bag").exists() or not any((tmp_path / "bag").iterdir())
    assert run("reconcile", "statements", cwd=tmp_path, **settings, REPLICATOR_ACCOUNT="north").returncode == 0
