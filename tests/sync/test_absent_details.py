"""Absent transcripts and recordings are believed slowly: a provider that is down answers 404, or nothing, for everything."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from replicator.sync.options import Asked
from tests.sync.test_details import BEGIN, HOUR, NO_TRANSCRIPTS, STILL, TRANSCRIPTS, source

if TYPE_CHECKING:
    from replicator.store.database import Database
    from tests.sync.test_details import There

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
WITH = STILL
ALL = "SELECT state, count(*) FROM truedy.transcripts GROUP BY 1 ORDER BY 1"
STORED = "SELECT count(DISTINCT call_id) FROM truedy.transcript_segments"


def until_final(there: There) -> int:
    """Let four days pass in which no call has a transcript; return how many are absent for good."""
    there.wait(30 * DAY)
    for _ in range(8):
        there.sync(DAY / 2, details=TRANSCRIPTS)
    absent = wanted(there)
    assert there.rows(ALL) == [("absent_final", absent)]
    return absent


def wanted(there: There) -> int:
    return int(there.rows("SELECT count(*) FROM truedy.transcripts")[0][0])


@pytest.mark.parametrize("outage", [{"transcript_missing_share": 1.0}, {"transcript_empty_in_detail": True}])
def test_an_outage_during_the_first_sync_loses_nothing(database: Database, outage: dict[str, Any]) -> None:
    """An hour in which the provider says of the calls of years that they have no transcript, or an empty one: a day later
    all of them are stored, with at most one more request for each.
    """
    with source(database, 60, replace(WITH, **outage)) as there:
        there.wait(DAY)
        there.sync(details=TRANSCRIPTS)
        queued, stored = wanted(there), there.rows(STORED)[0][0]
        lost = queued - stored
        assert lost > 20
        assert dict(there.rows(ALL))["pending"] == lost
        assert there.asked("transcript") == queued
        there.api.switches = WITH
        report = there.sync(HOUR, details=TRANSCRIPTS)
        assert there.asked("transcript") == 0
        assert report.is_complete
        there.sync(DAY, details=TRANSCRIPTS)
        assert there.rows(ALL) == [("present", queued)]
        assert there.rows(STORED) == [(queued,)]
        assert there.asked("transcript") == lost


def test_what_is_never_there_costs_three_requests(database: Database) -> None:
    """Three looks over two days, old calls included; then it is final, and not asked for again until somebody asks."""
    with source(database, 60, NO_TRANSCRIPTS) as there:
        absent = until_final(there)
        assert there.asked("transcript") == 3 * absent
        there.sync(30 * DAY, details=TRANSCRIPTS)
        assert there.asked("transcript") == 0
        there.api.switches = WITH
        there.sync(details=TRANSCRIPTS, asked=Asked(with_details=True))
        assert there.rows(ALL) == [("present", absent)]
        assert there.asked("transcript") == absent


def test_what_was_final_is_final_again_after_one_more_answer(database: Database) -> None:
    """`sync --full --details` costs one request for each detail that is still not there."""
    with source(database, 60, NO_TRANSCRIPTS) as there:
        absent = until_final(there)
        there.asked("transcript")
        there.sync(DAY, details=TRANSCRIPTS, asked=Asked(with_details=True))
        assert there.rows(ALL) == [("absent_final", absent)]
        assert there.asked("transcript") == absent


def test_a_wave_of_absences_makes_nothing_final(database: Database) -> None:
    """An account that has its transcripts: for a week of an outage nothing is believed, and the sync says so. When the
    provider is back, everything is stored and the wave is over.
    """
    with source(database, 150, WITH) as there:
        there.wait(DAY)
        there.sync(details=TRANSCRIPTS)
        before = wanted(there)
        assert before > 60
        there.api.switches = NO_TRANSCRIPTS
        for number in range(60):
            there.world.create(status="completed", at=there.now - 20 * DAY + timedelta(minutes=number))
        report = there.sync(HOUR, details=TRANSCRIPTS, asked=Asked())
        for _ in range(7):
            report = there.sync(DAY, details=TRANSCRIPTS)
        assert there.rows(ALL) == [("pending", 60), ("present", before)]
        assert [gap.code for gap in report.gaps] == ["wave_of_absences"]
        assert "far more transcripts are missing" in report.last_line
        assert there.asked("transcript") <= 2 * before + 60 * 5  # what is stored is asked for once more: its rows moved
        there.api.switches = WITH
        for _ in range(5):
            report = there.sync(4 * DAY, details=TRANSCRIPTS)
        assert there.rows(ALL) == [("present", before + 60)]
        assert report.is_complete


def test_an_empty_answer_replaces_nothing(database: Database) -> None:
    """What was stored once stays, however often the source says now that nobody spoke."""
    with source(database, 40, WITH) as there:
        there.wait(DAY)
        there.sync(details=TRANSCRIPTS)
        stored = there.rows(STORED)
        there.api.switches = replace(WITH, transcript_empty_in_detail=True)
        for call_id in there.world.live_ids():
            there.world.update(call_id, summary="moved")
        for _ in range(4):
            there.sync(DAY, details=TRANSCRIPTS)
        assert there.asked("transcript") > stored[0][0]
        assert there.rows(STORED) == stored
        assert there.now > BEGIN
