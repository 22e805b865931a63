"""Transcripts and recordings that come late, never, changed, or from a provider that is down, in virtual time."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from replicator.budget.durable import Limits
from replicator.errors import NotFound, SourceUnavailable, UnknownCall
from replicator.records import Recording
from replicator.simulator.api import KEY, Api
from replicator.simulator.conversations import Segment
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from replicator.source.client import Reader
from replicator.sync.content.calls import REREAD_AFTER, Policy
from replicator.sync.coverage.page import Lane
from replicator.sync.engine.failures import Judge, Verdict
from replicator.sync.protocol.requests import Detail, Outcome, Request
from replicator.sync.recording_link import Link, link
from replicator.sync.run import Options, Report, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store.database import Database
    from replicator.sync.options import Asked

pytestmark = pytest.mark.slow

BEGIN = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STILL = Switches(limit=None, correction_share=0.0, transcript_missing_share=0.0)
"""A source on which nothing happens but what the test does."""
NO_TRANSCRIPTS = replace(STILL, transcript_missing_share=1.0)
TRANSCRIPTS = Policy(("transcript",))


@dataclass
class There:
    """A source and a replica on one clock, which only the test moves."""

    api: Api
    base_url: str
    database: Database
    now: datetime = BEGIN

    @property
    def world(self) -> World:
        return self.api.world

    def sync(
        self, after: timedelta = timedelta(0), *, details: Policy | None = None, asked: Asked | None = None
    ) -> Report:
        """Let so much time pass and run one sync."""
        self.wait(after)
        options = Options(base_url=self.base_url, limits=Limits(None), details=details or Policy(), asked=asked)
        with Reader(self.base_url, KEY) as reader:
            return Run(self.database, [(KEY, reader)], options, clock=lambda: self.now).perform()

    def wait(self, for_: timedelta) -> None:
        self.now += for_
        self.world.advance(self.now)

    def link(self, call_id: str, limits: Limits | None = None) -> Link:
        with Reader(self.base_url, KEY) as reader:
            return link(
                self.database, [(KEY, reader)], limits or Limits(None), "default", UUID(call_id), base_url=self.base_url,
                clock=lambda: self.now,
            )  # fmt: skip

    def asked(self, kind: str) -> int:
        """Return how many requests of a kind were made since the last time, and begin to count anew."""
        count = self.api.log.by_kind[kind]
        self.api.log.clear()
        return count

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return connection.execute(statement, list(values)).fetchall()

    def state(self, kind: str, call_id: str) -> tuple[Any, ...]:
        return self.rows(f"SELECT state, due_at IS NOT NULL FROM truedy.{kind}s WHERE call_id = %s", call_id)[0]

    def texts(self, call_id: str) -> list[str]:
        return [
            text
            for (text,) in self.rows(
                "SELECT text FROM truedy.transcript_segments WHERE call_id = %s ORDER BY position", call_id
            )
        ]


@contextmanager
def source(database: Database, calls: int, switches: Switches) -> Iterator[There]:
    api = Api(World(1, calls, now=BEGIN, switches=switches))
    with running(api) as base_url:
        there = There(api, base_url, database)
        api.clock = lambda: there.now
        yield there


def talk(count: int) -> tuple[Segment, ...]:
    return tuple(Segment("agent", f"line {number} of {count}", number, number + 0.5) for number in range(count))


def test_a_late_transcript_comes_soon_after_it_is_there(database: Database) -> None:
    """Not there for 40 minutes: asked for about every minute, then every five, and stored within five of its coming."""
    with source(database, 3, NO_TRANSCRIPTS) as there:
        there.sync(details=TRANSCRIPTS)
        there.wait(HOUR)
        call_id = there.world.create(status="completed", at=there.now - 5 * MINUTE)
        there.asked("transcript")
        for _ in range(40):
            there.sync(MINUTE, details=TRANSCRIPTS)
        assert there.texts(call_id) == []
        there.world.replace_transcript(call_id, talk(12))
        for _ in range(6):
            there.sync(MINUTE, details=TRANSCRIPTS)
        assert len(there.texts(call_id)) == 12
        assert there.state("transcript", call_id) == ("present", False)
        # Ten in the first minutes, then each fifth minute; the three calls of the history twice each at most.
        assert there.asked("transcript") <= 10 + 9 + 6


def test_a_transcript_that_never_comes_is_given_up(database: Database) -> None:
    """A bounded number of requests, a final state that says that there is none, and no request after that; until the row
    moves: then once more.
    """
    with source(database, 0, NO_TRANSCRIPTS) as there:
        call_id = there.world.create(status="completed", at=there.now - 5 * MINUTE)
        report = there.sync(details=TRANSCRIPTS)
        assert there.state("transcript", call_id) == ("pending", True)
        while report.next_due_at is not None:
            report = there.sync(report.next_due_at - there.now, details=TRANSCRIPTS)
        assert there.state("transcript", call_id) == ("absent_final", False)
        assert timedelta(days=6) < there.now - BEGIN < timedelta(days=9)
        assert 20 < there.asked("transcript") < 60
        for _ in range(5):
            there.sync(DAY, details=TRANSCRIPTS)
        assert there.asked("transcript") == 0
        there.world.replace_transcript(call_id, talk(4))
        there.sync(details=TRANSCRIPTS)
        there.sync(REREAD_AFTER, details=TRANSCRIPTS)
        assert len(there.texts(call_id)) == 4
        assert there.asked("transcript") == 1


def test_a_shorter_transcript_replaces_the_whole(database: Database) -> None:
    """Only updated_at moves. Exactly the new segments are there afterwards, the old ones are kept as a version, one
    request was made, and none after that.
    """
    with source(database, 8, STILL) as there:
        call_id = there.world.create(status="completed", at=there.now - DAY)
        there.world.replace_transcript(call_id, talk(12))
        there.sync()
        assert len(there.texts(call_id)) == 12
        there.wait(HOUR)
        there.world.replace_transcript(call_id, talk(5))
        there.asked("transcript")
        there.sync()
        assert there.state("transcript", call_id) == ("present", True)
        there.sync(REREAD_AFTER)
        assert there.texts(call_id) == [segment.text for segment in talk(5)]
        ((kept,),) = there.rows("SELECT segments FROM truedy.transcript_versions WHERE call_id = %s", call_id)
        # As the source sent them, though no JSON of the contract's segments is stored.
        assert kept == [{"speaker": s.speaker, "text": s.text, "timestamp": s.start_seconds} for s in talk(12)]
        assert there.asked("transcript") == 1
        for _ in range(5):
            there.sync(6 * HOUR)
        assert there.asked("transcript") == 0


def test_our_own_reading_is_no_reason_to_read_again(database: Database) -> None:
    """Reading a transcript moves the row, and asking for a recording puts its URL on it: neither is asked for again."""
    switches = replace(STILL, reading_moves_updated_at=True, recording_cached_share=0.0, recording_missing_share=0.0)
    with source(database, 60, switches) as there:
        there.wait(DAY)
        there.sync()
        assert there.asked("transcript") > 20
        for after in (MINUTE, 10 * MINUTE, 2 * HOUR, DAY, 8 * DAY):
            there.sync(after)
        assert there.asked("transcript") == 0


def test_a_row_that_moves_with_every_look_is_not_read_for_ever(database: Database) -> None:
    """A source whose clock is ten minutes ahead seems to change every transcript after our look: each is looked at less
    and less often.
    """
    with source(database, 0, STILL) as there:
        call_id = there.world.create(status="completed", at=there.now - DAY)
        there.sync(details=TRANSCRIPTS)
        there.asked("transcript")
        for _ in range(60):
            there.world.advance(there.now + 10 * MINUTE)
            there.world.update(call_id)
            there.sync(12 * HOUR, details=TRANSCRIPTS)
        assert 3 <= there.asked("transcript") <= 8


def test_a_provider_that_is_down_for_a_day_stops_nothing_else(database: Database) -> None:
    """502 for every recording: calls and transcripts come as ever, requests stay bounded, and the recordings follow when
    the provider is back.
    """
    switches = replace(
        STILL, provider_down_until=BEGIN + DAY, recording_cached_share=0.0, recording_missing_share=0.0,
    )  # fmt: skip
    with source(database, 40, switches) as there:
        report = there.sync()
        assert report.result == "done"
        wanted = there.rows("SELECT count(*) FROM truedy.recordings")[0][0]
        assert wanted > 15
        assert there.rows("SELECT DISTINCT state FROM truedy.transcripts") == [("present",)]
        assert there.asked("recording") <= wanted
        new = ""
        for number in range(47):
            if number == 20:
                new = there.world.create(status="completed", at=there.now)
            report = there.sync(30 * MINUTE)
            assert report.result == "done"
        assert there.state("transcript", new) == ("present", False)
        assert there.state("recording", new) == ("pending", True)
        assert there.asked("recording") <= 15 * wanted
        while report.next_due_at is not None and there.now < BEGIN + 4 * DAY:
            report = there.sync(max(MINUTE, report.next_due_at - there.now))
        assert there.rows("SELECT state, count(*) FROM truedy.recordings GROUP BY 1") == [("present", wanted + 1)]


def test_a_provider_that_fails_in_a_row_is_left_alone() -> None:
    """Five faults, and recordings are not worth a request for half a minute; longer after each further one, and at once
    again after one that was found. Neither transcripts nor the run are held up.
    """
    judge, asked = Judge(), Request(Lane.BACKLOG, 0, BEGIN, detail=Detail("recording", uuid4(), BEGIN, 0, None))
    fault = Outcome(asked, BEGIN, BEGIN, error=SourceUnavailable("x", status=502, code="provider_error"))
    for _ in range(4):
        assert judge.judge(fault, BEGIN) is Verdict.TAKEN
    assert judge.is_open("recording", BEGIN)
    judge.judge(fault, BEGIN)
    assert not judge.is_open("recording", BEGIN + timedelta(seconds=29))
    assert judge.is_open("recording", BEGIN + timedelta(seconds=30))
    judge.judge(fault, BEGIN)
    assert not judge.is_open("recording", BEGIN + timedelta(seconds=59))
    for _ in range(100):
        judge.judge(fault, BEGIN)
    assert judge.is_open("recording", BEGIN + timedelta(minutes=30))
    assert judge.is_open("transcript", BEGIN)
    assert judge.resume_at is None
    found = Outcome(asked, BEGIN, BEGIN, found=Recording("https://recordings.example.net", None, "{}"))
    judge.judge(found, BEGIN)
    judge.judge(fault, BEGIN)
    assert judge.provider_faults["recording"] == 1


def test_transcripts_in_the_rows_are_not_asked_for(database: Database) -> None:
    """What a list row carries is used: no request, the same segments, and a replaced one is replaced."""
    with source(database, 60, replace(STILL, transcript_in_rows="array")) as there:
        there.wait(DAY)
        there.sync()
        assert there.asked("transcript") == 0
        stored = there.rows("SELECT call_id FROM truedy.transcripts WHERE state = 'present'")
        assert len(stored) > 20
        call_id = str(stored[0][0])
        assert there.texts(call_id) == [segment.text for segment in there.world.segments(call_id) or ()]
        there.wait(HOUR)
        there.world.replace_transcript(call_id, talk(2))
        there.sync()
        assert there.texts(call_id) == [segment.text for segment in talk(2)]
        assert there.asked("transcript") == 0


EXPIRING = replace(STILL, recording_signed_expiring=True, recording_missing_share=0.0, recording_cached_share=0.0)


def test_a_link_is_renewed_when_it_is_wanted(database: Database) -> None:
    """While the stored link is good it is given without a request; expired or about to, the source is asked once."""
    with source(database, 0, EXPIRING) as there:
        call_id = there.world.create(status="completed", at=there.now - DAY)
        there.sync()
        stored = "SELECT recording_url, url_expires_at FROM truedy.recordings"
        ((first, expires_at),) = there.rows(stored)
        assert expires_at == BEGIN + timedelta(seconds=900)
        there.asked("recording")
        assert there.link(call_id) == Link(first, expires_at, is_fresh=False)
        assert there.asked("recording") == 0
        there.wait(14 * MINUTE)
        found = there.link(call_id)
        assert found.is_fresh
        assert found.recording_url != first
        assert found.url_expires_at == there.now + timedelta(seconds=900)
        assert there.rows(stored) == [(found.recording_url, found.url_expires_at)]
        assert there.asked("recording") == 1
        assert not there.link(call_id).is_fresh


def test_a_link_is_charged_to_the_budget(database: Database) -> None:
    """The request stands in the same books as those of a sync."""
    with source(database, 0, EXPIRING) as there:
        call_id = there.world.create(status="completed", at=there.now - DAY)
        there.sync()
        there.wait(HOUR)
        there.link(call_id, Limits(100, 60.0, 0.05))
        assert there.rows("SELECT max(charged) FROM replicator.budget_windows") == [(1,)]


def test_a_link_that_cannot_be_had(database: Database) -> None:
    """A call that is not stored costs no request; a recording that is not there is said in as many words."""
    with source(database, 0, replace(EXPIRING, recording_missing_share=1.0)) as there:
        call_id = there.world.create(status="completed", at=there.now - DAY)
        there.sync()
        there.asked("recording")
        with pytest.raises(UnknownCall):
            there.link(str(uuid4()))
        assert there.asked("recording") == 0
        with pytest.raises(NotFound, match="no recording"):
            there.link(call_id)
