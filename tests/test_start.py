"""How the command line starts: what a command must not import, and what it tells a shell that completes its words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running as simulated
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from tests.fix_commands import environment

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = {"httpx", "pyreqwest", "replicator.source.client"}
REPORT = {"replicator.report.figures", "replicator.report.page", "replicator.service.web", "uvicorn", "asyncio.events"}
WORK = {"alembic", "apscheduler", "pyarrow", "replicator.demo", "replicator.simulator", "replicator.sync.run"}
MIGRATION = {"alembic", "sqlalchemy", "replicator.store.migrate", "replicator.store.schema"}
SERVER = {"platformdirs", "replicator.store.embedded", "replicator.store.server"}
DATABASE = {"psycopg", "sqlalchemy", "rich", "replicator.assembly", "replicator.settings"}

WATCHED = """
import atexit, json, os, sys
names = json.loads(sys.argv.pop(1))
atexit.register(lambda: os.write(9, json.dumps(sorted(set(names) & set(sys.modules))).encode()))
from replicator.__main__ import main
main()
"""
"""Runs the command line, and writes to descriptor 9 which of the modules it was given are loaded at its end."""


def loaded(names: set[str], arguments: list[str], cwd: Path, **settings: str) -> list[str]:
    """Run a command; return which of these modules it imported."""
    read, write = os.pipe()
    script = f"import os; os.dup2({write}, 9)\n{WATCHED}"
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(sorted(names)), *arguments], cwd=cwd, env=environment(settings),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, pass_fds=[write], timeout=60,
    )  # fmt: skip
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(said)
    return found


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (["--version"], {}),
        (["--help"], {}),
        (["status", "--help"], {}),
        (["export", "--help"], {}),
        (["quarantine", "--help"], {}),
        (["quarantine", "list", "--help"], {}),
        (["accounts", "--help"], {}),
        ([], {"_REPLICATOR_COMPLETE": "complete_bash", "COMP_WORDS": "replicator s", "COMP_CWORD": "1"}),
    ],
    ids=str,
)
def test_what_only_explains_loads_no_library_that_it_does_not_need(
    arguments: list[str], more: dict[str, str], tmp_path: Path
) -> None:
    """The version, the help and a completion load neither database nor settings nor terminal, and nothing of the work."""
    assert loaded(SOURCE | REPORT | WORK | DATABASE, arguments, tmp_path, **more) == []


READING = [["status"], ["status", "--json"], ["accounts", "list"], ["quarantine", "list"], ["deletions"]]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [*READING, ["migrate"]], ids=" ".join)
def test_what_needs_no_report_loads_none(arguments: list[str], database_url: str, tmp_path: Path) -> None:
    """Commands that read our books, and `migrate` where nothing is to be migrated, load neither report, source nor Alembic."""
    forbidden = SOURCE | WORK | SERVER | REPORT - {"asyncio.events"}  # psycopg imports asyncio
    assert loaded(forbidden, arguments, tmp_path, DATABASE_URL=database_url) == []


@pytest.mark.slow
@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_what_only_reads_loads_nothing_that_migrates(arguments: list[str], database_url: str, tmp_path: Path) -> None:
    """SQLAlchemy takes longer to load than all of ours; JSON needs nothing that draws tables."""
    forbidden = MIGRATION | ({"rich"} if "--json" in arguments else {"rich.progress"})
    assert loaded(forbidden, arguments, tmp_path, DATABASE_URL=database_url) == []


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["sync"], ["sync", "--quiet"], ["sync", "--json"]], ids=" ".join)
def test_a_sync_loads_what_it_works_with(arguments: list[str], database_url: str, tmp_path: Path) -> None:
    """Neither what migrates, nor the schedule, nor an embedded server, nor a page of a report, nor the command line of httpx."""
    with simulated(Api(World(1, 5, switches=Switches(limit=None)), keys=(KEY,))) as base_url:
        given = {"DATABASE_URL": database_url, "TRUEDY_API_KEY": KEY, "TRUEDY_BASE_URL": base_url}
        forbidden = MIGRATION | SERVER | REPORT - {"asyncio.events"} | WORK - {"replicator.sync.run"}
        forbidden |= {"replicator.service.schedule", "httpx._main"} | ({"rich"} if "--json" in arguments else set())
        assert loaded(forbidden, arguments, tmp_path, **given) == []


@pytest.mark.parametrize("is_quiet", [True, False])
def test_progress_without_a_terminal_loads_no_rich(is_quiet: bool) -> None:
    """A sync that ends before its first line of progress needs nothing that draws bars."""
    script = f"""
import sys
from replicator.report import progress, run_line, terminal
with progress.shown(is_quiet={is_quiet}):
    terminal.as_json({{}})
sys.exit(sorted(name for name in sys.modules if name.partition(".")[0] == "rich") or 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment({}), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_garbage_is_collected_once_a_command_is_loaded(database_url: str, tmp_path: Path) -> None:
    """Before, nothing is garbage. A command that works has a collector, which does not look at what was loaded."""
    script = """
import gc, sys
sys.argv = ["replicator", *sys.argv[1:]]
from replicator.__main__ import main
try:
    main()
finally:
    print(gc.isenabled(), gc.get_freeze_count() > 10_000)
"""
    for command in (["status"], ["doctor", "--no-source"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *command], cwd=tmp_path, env=environment({"DATABASE_URL": database_url}),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == "True True", done.stderr


def test_the_watch_sees_what_is_loaded(tmp_path: Path) -> None:
    """A module that a command does import is reported: the tests above can fail."""
    assert loaded({"typer", "httpx"}, ["--version"], tmp_path) == ["typer"]


def complete(shell: str, words: str, cwd: Path) -> str:
    """Return what a shell is told when it asks how `words` go on."""
    if shell == "bash":
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    else:
        asked = {"_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        [sys.executable, "-m", "replicator"], cwd=cwd,
        env=environment({**asked, "_REPLICATOR_COMPLETE": f"complete_{shell}"}),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_sub_commands_and_options(shell: str, tmp_path: Path) -> None:
    """What begins so is offered, and nothing else; the hidden command for old options is not."""
    commands = complete(shell, "replicator s", tmp_path)
    assert all(word in commands for word in ("sync", "serve", "status", "simulator"))
    assert "verify" not in commands
    parts = complete(shell, "replicator quarantine ", tmp_path)
    assert all(word in parts for word in ("list", "show", "save", "replay"))
    assert "by-options" not in parts
    options = complete(shell, "replicator sync --max", tmp_path)
    assert "--max-seconds" in options
    assert "--max-requests" in options
    assert "--quiet" not in options
    assert "--all" in complete(shell, "replicator quarantine list --a", tmp_path)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_is_installed_for_the_command(shell: str, tmp_path: Path) -> None:
    """--show-completion prints, and --install-completion writes, what completes `replicator`, however it was called."""
    asked = [sys.executable, "-m", "replicator"]
    home = {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    shown = subprocess.run(
        [*asked, "--show-completion", shell], cwd=tmp_path, env=environment(home), capture_output=True, text=True, check=True
    ).stdout  # fmt: skip
    assert "_REPLICATOR_COMPLETE=complete_" + shell in shown
    subprocess.run(
        [*asked, "--install-completion", shell], cwd=tmp_path, env=environment(home), capture_output=True, check=True
    )
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert shown.strip() in written


def test_ctrl_c_while_a_command_is_loaded_is_no_defect(tmp_path: Path) -> None:
    """Imports take a moment, and come before the command's own handling of signals: the program ends with 1, and says nothing."""
    script = "import typer\nfrom replicator.cli import frame\ndef app(**_):\n    raise typer.Abort\nframe.run(app)\n"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment({}), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
