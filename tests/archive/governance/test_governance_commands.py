"""The commands of holds, retention, erasure and the log, as a person types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from replicator.cli import app
from tests.archive.fix_governance import CANARIES, NUMBER, Replica, archivist, plant, replica

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database


@pytest.fixture
def typed(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command of the archivist; return its facts as JSON, or its exit code where it fails."""
    for name, value in archivist(database_url, tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Any:
        done = CliRunner().invoke(app, [*words, "--json"])
        return json.loads(done.stdout) if done.exit_code == 0 else done.exit_code

    return run


def standing(typed: Any) -> tuple[Any, ...]:
    """What `archive status` says of holds, of what is due for disposal, and of erasures that wait."""
    facts = typed("archive", "status")
    return tuple(facts[name] for name in ("holds", "due_for_disposal", "erasures_waiting", "due_unknown"))


def test_what_is_due_is_not_known_without_the_secret(
    database: Database, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is shown all the same, and says why."""
    with database.transaction() as tx:
        tx.execute("INSERT INTO archive.suppressions (account, kind, key, key_id, added_at) "
                   "VALUES ('default', 'call', 'x', 'of another secret', now())")  # fmt: skip
    monkeypatch.delenv("REPLICATOR_PSEUDONYM_KEY")
    found = standing(typed)
    assert found[:3] == ([], None, None)
    assert "another secret" in found[3]


@pytest.mark.slow
def test_an_erasure_from_the_question_to_the_certificate(database: Database, tmp_path: Path, typed: Any) -> None:
    """A hold keeps one call, the dry run says what the run does, the certificate names it, and the log has all of it."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        held = str(there.ids["called"])
        assert typed("archive", "hold", "add", "case-1", "--call", held, "--reason", "a suit") == {
            "name": "case-1",
            "calls": 1,
        }
        assert typed("archive", "hold", "add", "case-1", "--call", held, "--reason", "again") == 2
        assert typed("archive", "hold", "add", "case-2", "--number", NUMBER, "--reason", f"about {NUMBER}") == 2
        kept = ("archive", "retention", "set", "law", "--keep", "6y", "--statutory", "--compliance")
        assert typed(*kept)["version"] == 1
        assert typed("archive", "retention", "set", "law", "--keep", "5y", "--statutory", "--compliance") == 2
        erase = ("archive", "erase", "--number", NUMBER, "--reason", "ticket 17")
        assert {one["reason"] for one in typed(*erase, "--dry-run")["calls"]} == {"held", "statutory_retention"}
        assert there.rows("SELECT count(*) FROM archive.erasures") == [(0,)]
        _free(there)
        typed("archive", "hold", "list")
        planned = typed(*erase, "--dry-run")
        done = typed(*erase, "--certificate", "certificate.json")
        assert done["calls"] == planned["calls"]
        certificate = json.loads((tmp_path / "certificate.json").read_text())
        assert {one["call_id"]: one["decision"] for one in certificate["calls"]} == {
            one["call_id"]: one["decision"] for one in done["calls"]
        }
        assert certificate["removed"]["audio files"] == 0
        text = (tmp_path / "certificate.txt").read_text()
        assert not any(canary in text or canary in json.dumps(certificate) for canary in CANARIES)
        assert standing(typed) == (["case-1"], 0, 1, None)
        assert typed("archive", "hold", "release", "case-1", "--reason", "settled") == {"released": "case-1"}
        assert standing(typed) == ([], 1, 0, None)
        said = CliRunner().invoke(app, ["archive", "status"]).stdout
        assert ("holds          none" in said, "disposal       1 calls are due" in said) == (True, True)
        assert typed("archive", "dispose", "--certificate", "second.json")["removed"]["audio files"] == 1
        assert standing(typed) == ([], 0, 0, None)
        assert there.places(*CANARIES) == set()
        log = typed("archive", "log")
        assert {one["kind"] for one in log} >= {"hold", "release", "configuration", "erasure"}
        assert {one["by"] for one in log if one["kind"] == "hold"} == {"ann"}
        assert {one["kind"] for one in typed("archive", "log", "--call", held)} >= {"hold", "erasure"}
        assert there.rows("SELECT calls_decided, calls_removed, calls_held FROM analytics.erasures ORDER BY erasure_id") == [
            (4, 3, 1), (1, 1, 0)
        ]  # fmt: skip
        assert there.rows("SELECT hold_name, is_in_force, named_calls FROM analytics.legal_holds") == [
            ("case-1", False, 1)
        ]


def _free(there: Replica) -> None:
    """Let the six years of the law be over, as an administrator could not."""
    with there.database.transaction() as tx:
        tx.execute("ALTER TABLE archive.retention_classes DISABLE TRIGGER ALL")
        tx.execute("DELETE FROM archive.retention_classes")
        for trigger in ("kept_rows", "kept_whole"):
            tx.execute(f"ALTER TABLE archive.retention_classes ENABLE ALWAYS TRIGGER {trigger}")


def test_reads_and_exports_leave_a_record(
    database: Database, tmp_path: Path, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to a recording and an export of transcripts say who and why; a view without personal data leaves none."""
    with replica(database, tmp_path, calls=20) as there:
        there.sync()
        monkeypatch.setenv("TRUEDY_API_KEY", "truedy_simulated")
        monkeypatch.setenv("TRUEDY_BASE_URL", there.there.base_url)
        call_id = str(there.rows("SELECT call_id FROM truedy.recordings WHERE state = 'present' LIMIT 1")[0][0])
        typed("recording", call_id, "--reason", "complaint 4")
        typed("export", "transcript_segments", "--output", "said.csv", "--reason", "an audit")
        typed("export", "calls", "--output", "calls.csv")
        found = [(one["kind"], one["reason"], one["by"], one["call_id"]) for one in typed("archive", "log")]
        assert ("read", "complaint 4", "ann", call_id) in found
        assert ("export", "an audit", "ann", None) in found
        assert sum(kind == "export" for kind, *_ in found) == 1
        there.erase(calls=(there.rows(f"SELECT id FROM truedy.calls WHERE id = '{call_id}'")[0][0],))
        assert typed("recording", call_id) == 1


def test_an_erasure_without_a_secret_is_refused(typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing could keep out what is erased."""
    monkeypatch.delenv("REPLICATOR_PSEUDONYM_KEY")
    assert typed("archive", "erase", "--number", NUMBER, "--reason", "ticket 17") == 2
    assert typed("archive", "erase", "--reason", "ticket 17") == 2


def test_a_hold_whose_days_are_reversed_is_refused(database: Database, typed: Any) -> None:
    """It would be placed, be listed, and protect nothing. One day is given twice."""
    add = ("archive", "hold", "add", "case-1", "--reason", "a suit")
    assert typed(*add, "--since", "2026-11-30", "--until", "2026-11-01") == 2
    assert typed("archive", "hold", "list") == []
    assert typed(*add, "--since", "2026-11-01", "--until", "2026-11-01") == {"name": "case-1", "calls": 0}


def test_the_list_of_holds_says_what_each_covers(database: Database, typed: Any) -> None:
    """Days in the reporting time zone and both included, the agent, and that it is by number, never the number."""
    with database.transaction() as tx:
        tx.execute("UPDATE replicator.reporting SET time_zone = 'America/New_York'")
    agent = "01234567-89ab-4cde-8f01-23456789abcd"
    add = ("archive", "hold", "add", "case-1", "--reason", "a suit", "--number", NUMBER, "--agent", agent)
    typed(*add, "--since", "2026-11-01", "--until", "2026-11-30")
    (found,) = typed("archive", "hold", "list")
    shown = ("first_day", "last_day", "agent_id", "is_by_number", "calls_named")
    assert [found[name] for name in shown] == ["2026-11-01", "2026-11-30", agent, True, 0]
    text = CliRunner().invoke(app, ["archive", "hold", "list"]).stdout
    assert all(one in text for one in (*shown, "2026-11-01", "2026-11-30", agent))
    assert NUMBER[1:] not in text


@pytest.mark.slow
def test_a_number_that_finds_nothing_is_said_loudly(database: Database, tmp_path: Path, typed: Any) -> None:
    """A national number is refused with how to write it; one with another country's code is warned of, and not repeated."""
    national, wrong, right = "(202) 555-0142", "+44 202 555 0142", "+1 202 555 0142"
    erase, hold = ("archive", "erase", "--reason", "x"), ("archive", "hold", "add", "--reason", "x")
    said = "no stored call is from or to"
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        for words in ((*erase, "--dry-run"), erase, (*hold, "case-0")):
            done = CliRunner().invoke(app, [*words, "--number", national])
            assert (done.exit_code, "+1 702 555 0100" in done.stderr) == (2, True)
            assert "0142" not in done.stdout + done.stderr
        for place, words in enumerate(((*erase, "--dry-run"), (*hold, "case-1"), ("archive", "export", "bag"))):
            done = CliRunner().invoke(app, [*words, "--number", wrong])
            assert (done.exit_code, f"{said} the number that you gave" in done.stderr) == (0, True), place
            assert "0142" not in done.stderr
        again = CliRunner().invoke(app, [*erase, "--dry-run", "--number", right, "--number", wrong])
        assert f"{said} number 2 of the 2 that you gave" in again.stderr
        for words in ((*erase, "--dry-run"), (*hold, "case-2"), ("archive", "export", "other")):
            done = CliRunner().invoke(app, [*words, "--number", right])
            assert (done.exit_code, said in done.stderr) == (0, False), done.stderr
