"""analytics.calls and analytics.transcript_segments: what each column means, on the small world."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.sql import fix_small_world
from tests.sql.fix_small_world import Call, at, call_id

Connection = psycopg.Connection[Any]


def numbers(small: Connection, condition: str) -> set[int]:
    """Return the numbers of the calls for which a condition on analytics.calls is true."""
    rows = small.execute(f"SELECT call_id FROM analytics.calls WHERE {condition}").fetchall()
    return {row["call_id"].int for row in rows}


def one(small: Connection, number: int, columns: str = "*") -> dict[str, Any]:
    row: dict[str, Any] | None = small.execute(
        f"SELECT {columns} FROM analytics.calls WHERE call_id = %s", [call_id(number)]
    ).fetchone()
    assert row is not None
    return row


def test_every_call_is_there_once(small: Connection) -> None:
    """All 29 calls are shown: the deleted one flagged, the one without instants and the ones of unknown status too."""
    assert numbers(small, "true") == {call.number for call in fix_small_world.CALLS}
    assert numbers(small, "is_deleted") == {28}
    assert len(small.execute("SELECT FROM analytics.calls").fetchall()) == 29


def test_stages(small: Connection) -> None:
    """A status maps to its stage; an unknown one is visible as unmapped, raw beside it."""
    stages = {
        "answered": {1, 2, 9, 10, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 28, 29},
        "machine": {3},
        "not_answered": {4, 21, 25},
        "busy": {5, 26},
        "not_placed": {6, 7},
        "cancelled": {8},
        "open": {11, 27},
        "unmapped": {12, 13},
    }
    for stage, expected in stages.items():
        assert numbers(small, f"stage = '{stage}'") == expected, stage
    assert one(small, 12)["status"] == "transferring"


def test_open_and_over(small: Connection) -> None:
    """Open and over exclude each other and leave nothing out; an unknown status is over once it has an end."""
    assert numbers(small, "is_open") == {11, 12, 27}
    assert numbers(small, "is_open = is_terminal OR is_open IS NULL") == set()


def test_connected(small: Connection) -> None:
    """A start connects, and so does a duration where it ended normally; never where nobody answered or it was busy."""
    assert numbers(small, "is_connected") == {
        1, 2, 3, 7, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 22, 23, 24, 28, 29,
    }  # fmt: skip
    assert numbers(small, "is_conversation") == {1, 2, 10, 14, 15, 16, 17, 18, 19, 22, 23, 24, 28, 29}


@pytest.mark.parametrize(
    ("status", "with_start_and_duration", "with_start", "with_duration", "with_nothing"),
    [
        ("completed", True, True, True, False),
        ("voicemail", True, True, True, False),
        ("in_progress", True, True, False, False),
        ("failed", True, True, False, False),
        ("cancelled", True, True, False, False),
        ("transferred", True, True, False, False),
        ("no_answer", False, False, False, False),
        ("busy", False, False, False, False),
    ],
)
def test_three_witnesses_of_a_connection(
    small: Connection,
    status: str,
    with_start_and_duration: bool,
    with_start: bool,
    with_duration: bool,
    with_nothing: bool,
) -> None:
    """The status is believed first, then the start, then the duration; that one only where the call ended normally."""
    for number, (start, duration) in enumerate([(3, 20), (3, None), (None, 20), (None, None), (None, 0)], start=100):
        fix_small_world.insert(small, Call(number, "2025-05-05T05:05:05", status, start, duration))
    expected = (with_start_and_duration, with_start, with_duration, with_nothing, with_nothing)
    assert tuple(one(small, number)["is_connected"] for number in range(100, 105)) == expected


@pytest.mark.parametrize(
    ("cost", "state"),
    [
        ("999999.999999", "known"), ("1000000", "implausible"), ("-0.5", "known"), ("-1000000", "implausible"),
        ("0", "known"), ("NaN", "implausible"),
    ],
)  # fmt: skip
def test_a_cost_that_cannot_be_believed(small: Connection, cost: str, state: str) -> None:
    """A million dollars, up or down, is in no sum; less is believed, a refund too."""
    small.execute("UPDATE truedy.calls SET cost_usd = %s WHERE id = %s", [Decimal(cost), call_id(2)])
    expected = Decimal(cost) if state == "known" else None
    assert one(small, 2, "cost_state, cost_usd") == {"cost_state": state, "cost_usd": expected}


def test_a_conversation_of_unknown_length_is_one(small: Connection) -> None:
    """A duration that is not known is not zero: it does not take the conversation away; zero and less do."""
    for duration, is_conversation in ((None, True), (1, True), (0, False), (-1, False)):
        small.execute("UPDATE truedy.calls SET duration_seconds = %s WHERE id = %s", [duration, call_id(2)])
        assert one(small, 2)["is_conversation"] is is_conversation, duration


def test_an_open_call_is_not_measured(small: Connection) -> None:
    """A duration that grows while the call goes on is shown as the source's, and in no report on durations."""
    small.execute("UPDATE truedy.calls SET duration_seconds = 17 WHERE id = %s", [call_id(11)])
    assert one(small, 11, "duration_seconds, talk_seconds") == {"duration_seconds": 17, "talk_seconds": None}


def test_talk_is_of_connected_calls_that_are_over(small: Connection) -> None:
    """talk_seconds is the duration of connected calls that are over, zero included; ringing is not talk (21)."""
    rows = small.execute("SELECT call_id, talk_seconds FROM analytics.calls WHERE talk_seconds IS NOT NULL").fetchall()
    assert {row["call_id"].int: row["talk_seconds"] for row in rows} == {
        1: 60, 2: 120, 3: 30, 7: 8, 9: 0, 10: 300, 13: 45, 14: 61, 15: 62, 16: 63, 17: 64, 18: 65, 19: 40, 22: 100,
        23: 200, 24: 10, 28: 20, 29: 5,
    }  # fmt: skip
    assert one(small, 21)["duration_seconds"] == 20


def test_cost_states(small: Connection) -> None:
    """A cost is known (zero is), to come, or not expected; what is not known is null, never zero."""
    assert numbers(small, "cost_state = 'known'") == {1, 2, 3, 6, 9, 13, 14, 15, 16, 17, 18, 19, 22, 23, 24, 28, 29}
    assert numbers(small, "cost_state = 'pending'") == {7, 10, 11, 12, 20, 27}
    assert numbers(small, "cost_state = 'not_expected'") == {4, 5, 8, 21, 25, 26}
    assert (
        numbers(small, "is_cost_known")
        == numbers(small, "cost_usd IS NOT NULL")
        == numbers(small, "cost_state = 'known'")
    )
    assert numbers(small, "NOT is_cost_expected") == {4, 5, 8, 21, 25, 26}
    assert one(small, 9)["cost_usd"] == Decimal(0)


def test_seconds_to_answer_and_between_start_and_end(small: Connection) -> None:
    """Both are differences of instants in seconds; a start before the creation gives none."""
    assert one(small, 1, "time_to_answer_seconds, span_seconds") == {"time_to_answer_seconds": 10, "span_seconds": 60}
    assert one(small, 4, "time_to_answer_seconds, span_seconds") == {
        "time_to_answer_seconds": None,
        "span_seconds": None,
    }
    fix_small_world.insert(small, Call(30, "2025-05-05T05:05:05", "completed", -3, 9))
    assert one(small, 30, "time_to_answer_seconds, span_seconds") == {"time_to_answer_seconds": None, "span_seconds": 9}
    small.execute("UPDATE truedy.calls SET ended_at = started_at - interval '1 us' WHERE id = %s", [call_id(30)])
    assert one(small, 30)["span_seconds"] is None


def test_numbers_are_masked_by_role(small: Connection) -> None:
    """The other party is the called number outbound and the caller inbound; a web call has none."""
    other, ours = "+1…99", "+1…00"
    for number in (1, 14):
        assert one(small, number, "other_party_masked, our_number_masked") == {
            "other_party_masked": other,
            "our_number_masked": ours,
        }
    assert one(small, 19, "other_party_masked, our_number_masked") == {
        "other_party_masked": None,
        "our_number_masked": None,
    }
    small.execute("UPDATE truedy.calls SET phone_number = '110', from_number = '' WHERE id = %s", [call_id(1)])
    assert one(small, 1, "other_party_masked, our_number_masked") == {
        "other_party_masked": "…",
        "our_number_masked": "…",
    }


@pytest.mark.parametrize(
    ("number", "mask"), [("+12025", "…"), ("+120255", "+1…55"), ("110", "…"), ("", "…"), (None, None)]
)
def test_short_numbers_are_masked_whole(small: Connection, number: str | None, mask: str | None) -> None:
    """Four characters of less than seven would tell too much."""
    small.execute("UPDATE truedy.calls SET phone_number = %(n)s, from_number = %(n)s", {"n": number})
    for call in (1, 14):
        shown = one(small, call, "other_party_masked, our_number_masked")
        assert shown == {"other_party_masked": mask, "our_number_masked": mask}


def test_details_of_a_call(small: Connection) -> None:
    """ "None yet", "none for good" and "none expected" are three things."""
    names = "transcript_state, has_transcript, segment_count, recording_state, has_summary"
    shown = {number: tuple(one(small, number, names).values()) for number in (2, 10, 22, 5)}
    assert shown == {
        2: ("present", True, 3, "present", True),
        10: ("pending", False, None, "pending", False),
        22: ("absent_final", False, None, "not_expected", False),
        5: ("not_expected", False, None, "not_expected", False),
    }


@pytest.mark.parametrize(
    ("of_call", "of_transcript", "has_summary"),
    [
        (None, None, False), ("", None, False), (" \n", "", False), ("Text", None, True), (None, "Text", True),
        ("", "Text", True), (" ", "Text", True),
    ],
)  # fmt: skip
def test_a_summary_of_either_kind(
    small: Connection, of_call: str | None, of_transcript: str | None, *, has_summary: bool
) -> None:
    """An empty summary is none, and does not hide the other one."""
    small.execute("UPDATE truedy.calls SET summary = %s WHERE id = %s", [of_call, call_id(14)])
    small.execute("UPDATE truedy.transcripts SET summary = %s WHERE call_id = %s", [of_transcript, call_id(14)])
    assert one(small, 14)["has_summary"] is has_summary


def test_what_the_source_and_the_replica_say_is_passed_on(small: Connection) -> None:
    """Instants, words and ids of a row are shown as they are stored, each under its own name."""
    small.execute(
        "UPDATE truedy.calls SET account = 'acme', updated_at = '2025-04-01Z', version = 7, first_seen_at = '2025-04-02Z', "
        "changed_at = '2025-04-03Z', observed_at = '2025-04-04Z' WHERE id = %s",
        [call_id(3)],
    )
    names = (
        "call_id, account, agent_id, campaign_id, direction, status, created_at, started_at, ended_at, updated_at, "
        "duration_seconds, version, first_seen_at, changed_at, is_deleted, created_weekday, reporting_time_zone"
    )
    assert list(one(small, 3, names).values()) == [
        call_id(3), "acme", fix_small_world.AGENT_A, "c1", "outbound", "voicemail", at("2025-03-30T00:59:59.999999"),
        at("2025-03-30T01:00:03.999999"), at("2025-03-30T01:00:33.999999"), at("2025-04-01T00:00:00"), 30, 7,
        at("2025-04-02T00:00:00"), at("2025-04-03T00:00:00"), False, 7, "UTC",
    ]  # fmt: skip


def test_as_of_when_a_call_is_right(small: Connection) -> None:
    """A call is verified by the interval that contains it: `since` belongs to it, `until` does not; a hole verifies nothing."""
    unsure = {14, 15, 16, 19, 20}
    assert numbers(small, "verified_at IS NULL") == {21, 29}
    assert numbers(small, "NOT is_proven") == unsure | {21, 29}
    assert numbers(small, "verified_at = '2025-12-02Z'") == unsure
    assert numbers(small, "verified_at = '2025-12-03Z'") == {17, 18, 22, 23, 24}
    small.execute("UPDATE replicator.coverage SET is_proven = true")
    assert numbers(small, "NOT is_proven") == {21, 29}
    small.execute("UPDATE truedy.calls SET created_at = '2025-10-26 22:00Z' WHERE id = %s", [call_id(21)])
    assert one(small, 21)["verified_at"] == at("2025-12-03T00:00:00")
    small.execute("UPDATE truedy.calls SET account = 'other'")
    assert numbers(small, "verified_at IS NOT NULL OR is_proven") == set()


@pytest.mark.parametrize(("hours", "is_settled"), [(71, False), (73, True)])
def test_settled_is_the_age_of_the_end(small: Connection, hours: int, *, is_settled: bool) -> None:
    """A call that is over is settled when its end is older than settle_hours (72), whatever its cost."""
    small.execute(
        "UPDATE truedy.calls SET ended_at = now() - make_interval(hours => %s) WHERE id = %s", [hours, call_id(10)]
    )
    assert one(small, 10)["is_settled"] is is_settled
    assert numbers(small, "is_settled AND is_open") == set()
    assert 29 in numbers(small, "is_settled")


@pytest.mark.parametrize(("hours", "is_stale"), [(5, False), (7, True)])
def test_open_for_too_long_is_stale(small: Connection, hours: int, *, is_stale: bool) -> None:
    """An open call older than stale_open_hours (6) is stale; one that is over never is."""
    small.execute(
        "UPDATE truedy.calls SET created_at = now() - make_interval(hours => %s) WHERE id = %s", [hours, call_id(11)]
    )
    assert one(small, 11)["is_stale_open"] is is_stale
    assert numbers(small, "is_stale_open") == {12, 27} | ({11} if is_stale else set())


@pytest.mark.parametrize(
    ("context", "campaign"),
    [
        ('{"campaign_id": "spring"}', "spring"),
        ('{"campaign_id": 42}', "42"),
        ('{"campaign_id": {"a": 1}}', None),
        ('{"campaign_id": null}', None),
        ('["campaign_id"]', None),
        ('"campaign_id"', None),
    ],
)
def test_campaign_of_any_context(small: Connection, context: str, campaign: str | None) -> None:
    """A context can be anything; a campaign is a text or a number in an object."""
    small.execute("UPDATE truedy.calls SET context = %s WHERE id = %s", [context, call_id(1)])
    assert one(small, 1)["campaign_id"] == campaign


def test_transcript_segments(small: Connection) -> None:
    """One row per segment in order, with its length, its words, and the call's day."""
    small.execute("UPDATE replicator.reporting SET time_zone = 'Europe/Berlin'")
    rows = small.execute(
        "SELECT position, speaker, text, start_seconds, end_seconds, seconds, characters, words, created_on::text, "
        "direction, agent_id FROM analytics.transcript_segments ORDER BY call_id, position"
    ).fetchall()
    spring = ("2025-03-30", "outbound", fix_small_world.AGENT_A)
    assert [tuple(row.values()) for row in rows] == [
        (0, "agent", "Hello there.", 0, 1.5, 1.5, 12, 2, *spring),
        (1, "contact", "  two\n words ", 2, None, None, 13, 2, *spring),
        (2, "tool", "", None, None, None, 0, 0, *spring),
        (0, "contact", "Good morning", 0.25, 1.125, 0.875, 12, 2, "2025-10-26", "inbound", fix_small_world.AGENT_B),
    ]


def test_views_survive_absurd_numbers(small: Connection) -> None:
    """Numbers that fit no type of a view are null there and named implausible; every view can still be read."""
    for number, cost in ((1, "1e300"), (2, "-1e7"), (14, "NaN"), (15, "1e-300")):
        small.execute("UPDATE truedy.calls SET cost_usd = %s WHERE id = %s", [Decimal(cost), call_id(number)])
    small.execute("UPDATE truedy.calls SET duration_seconds = -2147483648 WHERE id = %s", [call_id(22)])
    small.execute(
        "UPDATE truedy.transcript_segments SET start_seconds = 1e-400, end_seconds = 1e999 WHERE position = 0"
    )
    small.execute(
        "UPDATE truedy.calls SET created_at = '1970-01-01Z', ended_at = '9998-12-31Z' WHERE id = %s", [call_id(23)]
    )
    assert numbers(small, "cost_state = 'implausible'") == {1, 2, 14}
    assert one(small, 15)["cost_usd"] == 0
    assert one(small, 22)["talk_seconds"] is None
    for row in small.execute("SELECT viewname FROM pg_views WHERE schemaname = 'analytics'").fetchall():
        assert small.execute(f"SELECT * FROM analytics.{row['viewname']}").fetchall()
    segment = small.execute("SELECT * FROM analytics.transcript_segments WHERE position = 0").fetchone()
    assert segment is not None
    assert (segment["start_seconds"], segment["end_seconds"], segment["seconds"]) == (0, None, None)


@pytest.mark.parametrize(("hours", "is_stale"), [(5, False), (7, True)])
def test_an_open_call_without_instants_can_be_stale(small: Connection, hours: int, *, is_stale: bool) -> None:
    """Its age, too, counts from when it was first seen."""
    small.execute(
        "UPDATE truedy.calls SET created_at = NULL, first_seen_at = now() - make_interval(hours => %s) WHERE id = %s",
        [hours, call_id(11)],
    )
    assert one(small, 11)["is_stale_open"] is is_stale


def test_a_call_seen_just_now_is_not_settled(small: Connection) -> None:
    """Without any instant of the source, a call's age counts from when it was first seen."""
    small.execute("UPDATE truedy.calls SET first_seen_at = now() - %s WHERE id = %s", [timedelta(hours=1), call_id(29)])
    assert 29 not in numbers(small, "is_settled")
