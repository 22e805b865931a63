"""`replicator verify` as its users meet it: real processes, exit codes, what is printed where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from tests.fix_commands import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # each test starts processes


def test_equal_and_not_equal(database_url: str, tmp_path: Path) -> None:
    """Nothing synced is 1 with the remedy, equal is 0, a difference is 1 and named; no number or URL is ever shown."""
    world = World(1, 150, switches=Switches(limit=None))
    moment = world.now
    api = Api(world, clock=lambda: moment)
    with running(api) as base_url:
        chosen = {
            "TRUEDY_API_KEY": KEY,
            "TRUEDY_BASE_URL": base_url,
            "TRUEDY_REQUESTS_PER_MINUTE": "0",
            "DATABASE_URL": database_url,
        }
        never = run("verify", cwd=tmp_path, **chosen)
        assert (never.returncode, "run: replicator sync" in never.stderr) == (1, True)
        assert run("sync", "--quiet", cwd=tmp_path, **chosen).returncode == 0

        equal = run("verify", cwd=tmp_path, **chosen)
        assert equal.returncode == 0, equal.stdout + equal.stderr
        assert "complete: every page of the list was compared" in equal.stdout
        assert equal.stderr == ""
        facts = json.loads(run("verify", "--json", "--seed", "4", cwd=tmp_path, **chosen).stdout)
        assert (facts["is_equal"], facts["seed"], facts["differences"]) == (True, 4, [])

        gone, changed = world.live_ids()[70], world.live_ids()[90]
        world.delete(gone)
        world.update(changed, phone_number="+12025550000", summary="secret words")
        api.log.clear()
        differs = run("verify", "--max-requests", "9", cwd=tmp_path, **chosen)
        assert differs.returncode == 1, differs.stderr
        assert api.log.requests <= 9
        lines = {line.split()[1].strip(";,"): line for line in differs.stdout.splitlines() if line.split()}
        assert lines[gone].startswith("extra")
        assert lines[changed].startswith("stale")
        assert "phone_number, summary, updated_at" in lines[changed]
        said = run("verify", "--json", cwd=tmp_path, **chosen)
        assert said.returncode == 1
        facts = json.loads(said.stdout)
        found = {one["call_id"]: one for one in facts["differences"]}
        assert found[changed]["fields"] == ["phone_number", "summary", "updated_at"]
        assert (found[gone]["kind"], found[gone]["is_confirmed"]) == ("extra", True)
        for output in (differs.stdout, said.stdout):
            assert "+1202555" not in output
            assert "secret words" not in output
            assert "https://" not in output

        assert run("verify", "--max-requests", "0", cwd=tmp_path, **chosen).returncode == 2
