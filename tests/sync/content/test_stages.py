"""What statuses mean: the rows decide everywhere, in every spelling, for the engine and the views alike."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replicator.errors import DatabaseError
from replicator.records import Call
from replicator.simulator.switches import Switches
from replicator.source.parsing import parse_row
from replicator.store import stages, stored_calls
from replicator.store.schema_check import bundled
from replicator.sync.content.calls import Observation, settle
from replicator.sync.content.stages import Stages, key
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from replicator.store.database import Database

SLOW = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
PLAIN = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])


def loaded(database: Database) -> Stages:
    with database.connection() as connection:
        return Stages.of_rows(stages.load(connection))


def call(status: str | None, **more: Any) -> Call:
    found = parse_row(json.dumps({"id": str(UUID(int=7)), "status": status, **more}).encode())
    assert isinstance(found, Call)
    return found


@SLOW
@given(st.text(PLAIN, max_size=20))
def test_a_word_has_the_same_key_in_python_and_in_sql(database: Database, word: str) -> None:
    """ASCII letters in lower case, no other ASCII character but digits, everything else as it is."""
    with database.connection() as connection:
        said = connection.execute(
            f"SELECT {stages.KEY.format(word='x.w')} FROM (SELECT %s::text AS w) x", [word]
        ).fetchall()
    assert said == [(key(word),)]


def test_the_views_and_the_migration_say_the_same_key() -> None:
    """One definition: the text in the facts and in the generated column is the store's."""
    facts = (bundled("sql") / "rollups" / "10_facts.sql").read_text(encoding="utf-8")
    assert stages.KEY.format(word="c.status") in facts
    (migration,) = (bundled("migrations") / "versions").glob("0007_*.py")
    assert stages.KEY.format(word="status") in migration.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("stage", "is_terminal", "words"),
    [
        ("not_answered", True, "no-answer noanswer no_answer NO_ANSWER No+Answer noAnswer unanswered not_answered missed timeout declined rejected"),
        ("busy", True, "busy user_busy USER_BUSY line_busy Line-Busy"),
        ("cancelled", True, "canceled cancelled CANCELLED cancel aborted"),
        ("answered", True, "completed complete ended done finished success successful hangup hang_up Hang+Up call_ended"),
        ("open", False, "in_progress in-progress inprogress IN_PROGRESS in+progress inProgress active ongoing answered connected live ringing "
                        "initiated dialing dialling calling queued scheduled pending created bridged registered forwarding"),
        ("not_placed", True, "failed error errored failure call_failed Call-Failed FAILED"),
        ("machine", True, "voicemail machine answering_machine amd_machine machine_detected left_voicemail machine_end_beep voice_mail"),
    ],
)  # fmt: skip
def test_usual_spellings_are_shipped(database: Database, stage: str, is_terminal: bool, words: str) -> None:
    """Hyphens, blanks, capitals and the words of telephony and voice providers have a stage; `+` stands for a blank here."""
    known = loaded(database)
    for word in words.replace("+", "\u0000").split():
        found = known.of(word.replace("\u0000", " "))
        assert found is not None, word
        assert (found.name, found.is_terminal) == (stage, is_terminal), word


def store(database: Database, *calls: Call) -> None:
    with database.transaction() as tx:
        settled = settle({}, [Observation(one, one.created_at) for one in calls if one.created_at])
        stored_calls.write_calls(tx, "default", settled.calls, settled.versions)


STATUSES = [
    "no-answer",
    "NO_ANSWER",
    "noAnswer",
    "In Progress",
    "user busy",
    "odd word",
    "",
    "завершён",
    "Завершён",
    "_",
    "Hang-Up",
]


def test_views_and_engine_agree(database: Database) -> None:
    """For every spelling the stage and whether the call is open are the same in analytics.calls, in the engine and in its queue."""
    with database.transaction() as tx:
        tx.execute("INSERT INTO replicator.status_stages VALUES ('завершён', 'answered', true)")
    made = [
        call(status, id=str(UUID(int=n + 1)), created_at=f"2026-03-01T12:00:{n:02}Z")
        for n, status in enumerate(STATUSES)
    ]
    store(database, *made)
    known = loaded(database)
    with database.connection() as connection:
        found_rows = connection.execute("SELECT call_id, stage, is_open FROM analytics.calls").fetchall()
        rows = {row[0]: row[1:] for row in found_rows}
        still_open = set(stored_calls.open_calls(connection, "default", made[0].created_at))  # type: ignore[arg-type]
    for one in made:
        found = known.of(one.status)
        assert rows[one.id] == (found.name if found else "unmapped", not known.is_over(one)), one.status
        assert (one.created_at in still_open) is (not known.is_over(one))
    assert rows[made[7].id][0] == "answered"
    assert rows[made[8].id][0] == "unmapped"


def test_the_very_word_goes_before_its_key(database: Database) -> None:
    """A row of the user's for one spelling decides that spelling, and no other; a row of his is never changed by ours."""
    with database.transaction() as tx:
        tx.execute("INSERT INTO replicator.status_stages VALUES ('No Answer', 'machine', true)")
        tx.execute("UPDATE replicator.status_stages SET stage = 'cancelled' WHERE status = 'no_answer'")
    known = loaded(database)
    assert [known.of(word).name for word in ("No Answer", "no_answer")] == ["machine", "cancelled"]  # type: ignore[union-attr]
    store(database, call("No Answer", created_at="2026-03-01T12:00:00Z"))
    with database.connection() as connection:
        assert connection.execute("SELECT stage FROM analytics.calls").fetchall() == [("machine",)]


def test_no_detail_is_asked_for_of_calls_that_never_connected(database: Database) -> None:
    """100 calls in a spelling of `no_answer` that has no row of its own: two list requests and not one more."""
    with source(database, calls=40, switches=Switches(limit=None)) as there:
        for index in range(40):
            there.world.change(
                index,
                {"status": "No-Answer", "started_at": None, "duration_seconds": None, "transcript": None},
                moves_updated_at=False,
            )
        report = there.sync()
        assert report.counters.requests == report.counters.pages
        assert there.value("SELECT count(*) FROM truedy.transcripts") == 0


def test_a_row_that_is_added_later_counts_at_the_next_look(database: Database) -> None:
    """A status that nobody knew gets its row: the calls that have it are asked for their details when they are seen again."""
    with source(database, calls=5, switches=Switches(limit=None)) as there:
        for index in range(5):
            there.world.change(
                index,
                {"status": "wrapped up", "started_at": None, "duration_seconds": None, "transcript": None},
                moves_updated_at=False,
            )
        there.sync()
        assert there.value("SELECT count(*) FROM truedy.transcripts") == 0
        with database.transaction() as tx:
            tx.execute("INSERT INTO replicator.status_stages VALUES ('wrapped_up', 'answered', true)")
        there.sync()
        assert there.value("SELECT count(*) FROM truedy.transcripts") == 5


def test_no_status_stands_in_the_code() -> None:
    """Words for statuses are rows: beside the contract's list and the simulations' defaults no module of the engine names one."""
    words = re.compile(
        r"[\"'](?:no_answer|in_progress|in-progress|voicemail|cancelled|canceled|completed|ringing)[\"']"
    )
    named = {
        path.relative_to(bundled("sql").parent).as_posix()
        for folder in ("source", "sync", "store")
        for path in (bundled("sql").parent / "replicator" / folder).rglob("*.py")
        if words.search(path.read_text(encoding="utf-8"))
    }
    assert named <= {"replicator/sync/content/stages.py", "replicator/store/tables/rules.py"}


def test_a_user_may_not_contradict_himself(database: Database) -> None:
    """The key is made by the database: nobody can write another one."""
    with pytest.raises(DatabaseError, match="GeneratedAlways"), database.transaction() as tx:
        tx.execute("INSERT INTO replicator.status_stages VALUES ('x', 'open', false, 'y')")
