"""A working directory that others can write to: nothing that they put there is run, by us or by a process of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from replicator import child
from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from replicator.source.isolated_reader import CarefulReader
from tests.fix_commands import TOP, environment

if TYPE_CHECKING:
    from pathlib import Path

MODULES = (
    "json", "typing", "pathlib", "logging", "pickle", "struct", "runpy", "pkgutil", "socket", "sitecustomize", "usercustomize",
    "httpx", "msgspec", "pyreqwest", "uvicorn", "psycopg", "sqlalchemy", "alembic", "typer", "pydantic", "uvloop", "env",
)  # fmt: skip
"""What our processes import, among others."""
SCRIPT = "import sys\nfrom replicator.cli import main\nsys.exit(main())\n"
"""What an installer writes as the `replicator` command."""


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder with modules, a package of our name, and migrations of somebody else; each says when it was run."""
    folder = tmp_path / "planted"
    for package in ("replicator", "migrations", "migrations/versions", "sql", "sql/views"):
        (folder / package).mkdir(parents=True)
    (folder / "sql/views/10_calls.sql").write_text("DROP SCHEMA truedy CASCADE;\n", encoding="utf-8")
    (folder / "alembic.ini").write_text(
        "[alembic]\nscript_location = migrations\nprepend_sys_path = .\n", encoding="utf-8"
    )
    said = folder / "said"
    was_run = f"open({str(said)!r}, 'a').write(__file__ + '\\n')\nraise SystemExit('planted')\n"
    for name in (*MODULES, "replicator/__init__", "replicator/__main__", "replicator/cli", "migrations/env"):
        (folder / f"{name}.py").write_text(was_run, encoding="utf-8")
    return folder


def what_was_run(planted: Path) -> str:
    said = planted / "said"
    return said.read_text(encoding="utf-8") if said.exists() else ""


def test_the_plants_would_grow(planted: Path) -> None:
    """The watch works: `python -m` runs what lies in the working directory, which is why nothing of ours begins so."""
    subprocess.run(
        [sys.executable, "-m", "replicator"], cwd=planted, env=environment({}), check=False, capture_output=True
    )
    assert what_was_run(planted)


def test_a_process_of_ours_finds_our_modules_only(planted: Path, tmp_path: Path) -> None:
    """Begun in such a folder it runs what we run, and has the folder nowhere in its path."""
    asked = child.command("replicator.simulator")
    begun = subprocess.Popen(
        [*asked, "--calls", "3", "--until-stdin-ends"], cwd=planted, env=environment({}), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert begun.stdout is not None
    said = begun.stdout.readline()  # before its input ends: it may be gone before it has said anything
    begun.communicate(timeout=60)
    assert json.loads(said)["base_url"].startswith("http://127.0.0.1:")
    assert what_was_run(planted) == ""


def test_it_runs_from_a_checkout_too(tmp_path: Path) -> None:
    """Without PYTHONPATH and without an installation: the package is found where its parent found it."""
    bare = {name: value for name, value in environment({}).items() if name != "PYTHONPATH"}
    code = (
        f"import sys; sys.path.insert(0, {str(TOP)!r}); import subprocess; from replicator import child;"
        "print(subprocess.run([*child.command('replicator.simulator'), '--help'], capture_output=True, text=True).stdout)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=bare, capture_output=True, text=True, check=True
    )
    assert "--until-stdin-ends" in done.stdout


def test_the_reader_apart_is_ours(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that is given the API key is begun from a folder of somebody else's, and reads."""
    monkeypatch.chdir(planted)
    with running(Api(World(1, 20, switches=Switches(limit=None)))) as base_url, CarefulReader(base_url, KEY) as reader:
        reader.is_apart = True
        assert reader.list_calls(limit=5).rows == 5
        assert reader.deaths == 0
    assert what_was_run(planted) == ""


def test_nothing_of_ours_is_begun_by_its_name() -> None:
    """No process is begun with `python -m`: replicator/child.py is the one door."""
    for path in (TOP / "replicator").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert '"-m"' not in text, path
        assert "sys.executable," not in text or path.name == "child.py", path


@pytest.mark.slow
def test_the_command_runs_nothing_from_there(planted: Path, tmp_path: Path, reachable_folder: Path) -> None:
    """The whole demo, with database, migrations, simulator and report, begun in such a folder as the installed command."""
    script = tmp_path / "bin" / "replicator"
    script.parent.mkdir()
    script.write_text(SCRIPT, encoding="utf-8")
    chosen: dict[str, Any] = {"REPLICATOR_DATA_DIR": str(reachable_folder / "planted-demo")}
    done = subprocess.run(
        [sys.executable, str(script), "demo", "--calls", "100"], cwd=planted, env=environment(chosen),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert what_was_run(planted) == ""
    assert sorted(path.name for path in planted.iterdir()) == sorted(
        [*(f"{name}.py" for name in MODULES), "alembic.ini", "migrations", "replicator", "sql"]
    )
