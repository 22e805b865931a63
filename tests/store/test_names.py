"""Names from a file, by the command: in the views at once, taken away again, and counted where no call has the id."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fix_commands import run
from tests.sql import fix_small_world
from tests.sql.fix_small_world import AGENT_A, AGENT_B

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_names_are_read_from_a_file(database_url: str, tmp_path: Path) -> None:
    """The list as CSV is what a person fills in; the views have the names at once; an empty name takes one away."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        fix_small_world.build(connection)
        settings = {"DATABASE_URL": database_url, "REPLICATOR_ACCOUNT": "main"}
        listed = run("names", "list", "--csv", cwd=tmp_path, **settings)
        assert listed.stdout.splitlines()[0] == "agent_id,campaign_id,name,team"
        assert f"{AGENT_A},,," in listed.stdout
        filled = listed.stdout.replace(f"{AGENT_A},,,", f"{AGENT_A},,Ann,Front desk").replace(",c1,,", ",c1,Spring,")
        (tmp_path / "names.csv").write_text(filled)
        done = run("names", "import", "names.csv", cwd=tmp_path, **settings)
        assert (done.returncode, done.stdout) == (0, "named: 2 agents, 2 campaigns\n")
        question = (
            "SELECT (SELECT name FROM replicator.agents WHERE agent_id = %s), "
            "(SELECT max(campaign_name) FROM analytics.campaign_cost_daily), (SELECT max(campaign_name) FROM analytics.campaign_summary)"
        )
        assert connection.execute(question, [AGENT_A]).fetchone() == ("Ann", "Spring", "Spring")
        (tmp_path / "less.csv").write_text("campaign_id,name\nc1,\nno-such-campaign,Nothing\n")
        done = run("names", "import", "less.csv", cwd=tmp_path, **settings)
        assert "1 of them belong to no stored call" in done.stderr
        assert connection.execute(question, [AGENT_A]).fetchone() == ("Ann", None, None)
        found = json.loads(run("names", "list", "--json", cwd=tmp_path, **settings).stdout)
        assert {row["agent_id"]: row["name"] for row in found if row["agent_id"]} == {
            str(AGENT_A): "Ann",
            str(AGENT_B): None,
        }


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Before any database is asked; the configuration is at fault."""
    done = run("names", "import", "nothing.csv", cwd=tmp_path, DATABASE_URL="postgresql://u:x@127.0.0.1:1/x")
    assert done.returncode == 2
    assert "the file nothing.csv cannot be read: No such file or directory" in done.stderr
    assert "at fault: the configuration; waiting does not help." in done.stderr
