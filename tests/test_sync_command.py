"""`replicator sync` as its users meet it: what it is asked to compare, its last line, and its exit code."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from replicator.sync.coverage.ledger import HEAD_MARGIN
from tests.fix_commands import run
from tests.test_cli import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow  # each test starts processes


@pytest.fixture
def api() -> Iterator[tuple[Api, str]]:
    world = World(1, 500, switches=Switches(limit=None))
    moment = world.now
    api = Api(world, clock=lambda: moment, keys=(KEY,))
    with running(api) as base_url:
        yield api, base_url


def test_the_last_line_says_whether_the_replica_is_complete(
    api: tuple[Api, str], database_url: str, tmp_path: Path
) -> None:
    """Cut short, it names what is missing, and with --require-complete the exit code is 1; complete, it says as of when."""
    of = settings(api[1], database_url)
    began = (datetime.now(UTC) - HEAD_MARGIN).isoformat()
    cut = run("sync", "--quiet", "--max-requests", "3", "--require-complete", cwd=tmp_path, **of)
    assert cut.returncode == 1, cut.stderr
    assert cut.stdout.splitlines()[-1].startswith("not complete: calls created before ")
    assert "not asked for yet" in cut.stdout
    facts = json.loads(run("sync", "--json", "--max-requests", "1", cwd=tmp_path, **of).stdout)
    assert (facts["is_complete"], facts["proven_at"]) == (False, None)
    assert "not_listed" in {gap["code"] for gap in facts["gaps"]}
    whole = run("sync", "--quiet", "--require-complete", cwd=tmp_path, **of)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert whole.stdout.splitlines()[-1].startswith("complete and proven as of 20")
    facts = json.loads(run("sync", "--json", "--require-complete", cwd=tmp_path, **of).stdout)
    assert (facts["is_complete"], facts["gaps"]) == (True, [])
    # A slow machine has earned the credit to look at everything again: then the oldest look is younger than the proof.
    assert began < min(facts["oldest_look_at"], facts["proven_at"])
    assert max(facts["oldest_look_at"], facts["proven_at"]) < datetime.now(UTC).isoformat()


def test_sync_full_stores_every_change(api: tuple[Api, str], database_url: str, tmp_path: Path) -> None:
    """Right after another sync; --since and --until do so for a stretch."""
    there, base_url = api
    of = settings(base_url, database_url)
    run("sync", "--quiet", cwd=tmp_path, **of)
    for call_id in there.world.live_ids():
        there.world.update(call_id, cost_usd=77.25)

    def stored() -> int:
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT count(*) FROM truedy.calls WHERE cost_usd = 77.25").fetchone()
        return int(row[0]) if row else 0

    with psycopg.connect(database_url) as connection:
        days = connection.execute(
            "SELECT (created_at AT TIME ZONE time_zone)::date::text, count(*) FROM truedy.calls, replicator.reporting "
            "GROUP BY 1 ORDER BY 1"
        ).fetchall()
    (day, many) = days[len(days) // 2]
    one_day = run("sync", "--quiet", "--since", day, "--until", day, cwd=tmp_path, **of)
    assert one_day.returncode == 0, one_day.stderr
    assert many <= stored() < 500
    full = run("sync", "--quiet", "--full", "--details", cwd=tmp_path, **of)
    assert full.returncode == 0, full.stderr
    assert stored() == 500
    assert full.stdout.splitlines()[-1].startswith("complete and proven")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--full", "--since", "2026-01-01"), "give one or the other"),
        (("--since", "2026-02-01", "--until", "2026-01-31"), "a later day"),
        (("--details",), "which calls?"),
        (("--since", "yesterday"), "yesterday"),
        (("--until", "2026-02-30"), "2026-02-30"),
    ],
)
def test_contradicting_options_are_a_usage_error(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """Before anything is read or asked."""
    done = run("sync", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_days_at_the_ends_of_the_calendar(api: tuple[Api, str], database_url: str, tmp_path: Path) -> None:
    """A day of the year 1 or 9999 is a bound like any other."""
    of = settings(api[1], database_url)
    for option, day in (
        ("--since", "0001-01-01"),
        ("--until", "9999-12-31"),
        ("--since", "9999-12-31"),
        ("--until", "0001-01-01"),
    ):
        done = run("sync", "--quiet", option, day, cwd=tmp_path, **of)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1].startswith("complete and proven")


def test_status_names_what_fails_and_a_wave_of_absences(
    api: tuple[Api, str], database_url: str, tmp_path: Path
) -> None:
    """With the calls that are stored there; in words and as JSON."""
    of = settings(api[1], database_url, TRUEDY_REQUESTS_PER_MINUTE="60000")
    run("sync", "--quiet", cwd=tmp_path, **of)
    quiet = run("status", cwd=tmp_path, **of)
    assert "failing" not in quiet.stdout
    assert "far more" not in quiet.stdout
    facts = json.loads(run("status", "--json", cwd=tmp_path, **of).stdout)
    assert (facts["failing"], facts["waves"]) == ([], [])
    assert all(row["expected_seconds"] < 300 for row in facts["delays"])
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO replicator.failing_stretches VALUES ('default', 'infinity', '-infinity', now(), now())"
        )
        connection.execute("DELETE FROM replicator.detail_habits")
        connection.execute(
            "INSERT INTO replicator.detail_habits VALUES ('default', 'transcript', now() - interval '9 days', 60, 0), "
            "('default', 'transcript', now() - interval '2 days', 0, 40)"
        )
    shown = run("status", cwd=tmp_path, **of)
    assert "failing: the beginning to the newest end: every page fails" in shown.stdout
    assert "(500 stored calls cannot be compared)" in shown.stdout
    assert "far more transcripts than usual" in shown.stdout
    facts = json.loads(run("status", "--json", cwd=tmp_path, **of).stdout)
    assert facts["failing"][0]["stored_calls"] == 500
    assert [wave["kind"] for wave in facts["waves"]] == ["transcript"]
