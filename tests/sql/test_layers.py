"""Conversations, months, totals, scorecards, numbers, hours and the rules: worked out by hand on the small world."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.sql import fix_small_world
from tests.sql.fix_small_world import AGENT_A, AGENT_B, Call, call_id

Connection = psycopg.Connection[Any]

SPRING = date(2025, 3, 30)


def one(connection: Connection, query: str, *values: object) -> dict[str, Any]:
    found = connection.execute(query, values).fetchall()
    assert len(found) == 1
    return dict(found[0])


def say(connection: Connection, number: int, *segments: tuple[str, str, float | None, float | None]) -> None:
    """Give the call these segments: (speaker, text, start, end)."""
    connection.execute("DELETE FROM truedy.transcript_segments WHERE call_id = %s", [call_id(number)])
    connection.cursor().executemany(
        "INSERT INTO truedy.transcript_segments (call_id, position, speaker, text, start_seconds, end_seconds, raw) "
        "VALUES (%s, %s, %s, %s, %s, %s, '{}')",
        [(call_id(number), position, *segment) for position, segment in enumerate(segments)],
    )


def test_a_conversation_in_numbers(berlin: Connection) -> None:
    """Call 2 lasts 120 s. Agent 0-2, agent 2-5 (one turn of 5 s), contact 6-10 (1 s later), agent 9-12 (cuts in by 1 s),

    contact 12.5-14.5, agent 16-17 (answers after 1.5 s). Agent speaks 2+3+3+1 = 9 s, contact 4+2 = 6 s, 105 s nobody.
    """
    say(
        berlin,
        2,
        ("agent", "Hello there friend", 0, 2),
        ("agent", "how are you", 2, 5),
        ("tool", "lookup", None, None),
        ("contact", "fine thanks", 6, 10),
        ("agent", "good", 9, 12),
        ("contact", "yes", 12.5, 14.5),
        ("agent", "bye", 16, 17),
    )
    row = one(berlin, "SELECT * FROM analytics.call_conversations WHERE call_id = %s", call_id(2))
    expected = {
        "first_speaker": "agent", "agent_turns": 3, "contact_turns": 2, "agent_segments": 4, "contact_segments": 2,
        "agent_words": 8, "contact_words": 3, "spoken_words": 11, "agent_word_share": 8 / 11, "is_timed": True,
        "agent_seconds": 9.0, "contact_seconds": 6.0, "speech_seconds": 15.0, "agent_talk_share": 0.6,
        "silence_seconds": 105.0, "talk_seconds": 120, "longest_turn_seconds": 5.0, "agent_interruptions": 1,
        "contact_interruptions": 0, "response_count": 1, "response_seconds": 1.5, "average_response_seconds": 1.5,
        "longest_response_seconds": 1.5, "started_on": SPRING,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_what_has_no_times_has_words(berlin: Connection) -> None:
    """One spoken segment without an end: seconds, interruptions and the longest turn are null, not guessed."""
    say(berlin, 2, ("contact", "Hello", 0, None), ("agent", "Good day to you", 1, 2))
    row = one(berlin, "SELECT * FROM analytics.call_conversations WHERE call_id = %s", call_id(2))
    assert (row["is_timed"], row["agent_words"], row["contact_words"], row["first_speaker"]) == (False, 4, 1, "contact")
    nulls = ["agent_seconds", "speech_seconds", "agent_talk_share", "silence_seconds", "longest_turn_seconds"]
    assert [row[name] for name in [*nulls, "agent_interruptions", "average_response_seconds"]] == [None] * 7


@pytest.mark.parametrize("start", ["1e400", "-1e400", "NaN", "1e-400", "99999999999999999999"])
def test_impossible_times_do_not_break_the_view(berlin: Connection, start: str) -> None:
    """A time that double precision cannot hold is as good as none."""
    say(berlin, 2, ("agent", "Hello", 0, 1))
    berlin.execute("UPDATE truedy.transcript_segments SET start_seconds = %s WHERE call_id = %s", [start, call_id(2)])
    row = one(berlin, "SELECT * FROM analytics.call_conversations WHERE call_id = %s", call_id(2))
    assert row["is_timed"] is (start == "1e-400")


def test_a_transcript_of_tools_only_is_no_conversation(berlin: Connection) -> None:
    """Nobody speaks: no row, and the call is missing from nothing else."""
    say(berlin, 2, ("tool", "lookup", None, None), ("system", "note", 0, 1))
    assert (
        berlin.execute("SELECT 1 FROM analytics.call_conversations WHERE call_id = %s", [call_id(2)]).fetchall() == []
    )


def test_conversations_of_a_day(berlin: Connection) -> None:
    """Calls 2 and 3 (both agent A, 30 March): talk 6 of 10 s; average waits of 1 and 3 s, so 2 and 2.9 in the middle."""
    say(berlin, 2, ("agent", "one two", 0, 2), ("contact", "three", 2, 4), ("agent", "four", 5, 6))
    say(berlin, 3, ("agent", "a b", 0, 2), ("contact", "", 2, 4), ("agent", "c", 7, 8))
    row = one(
        berlin,
        "SELECT * FROM analytics.conversation_daily WHERE day = %s AND direction = 'outbound' AND agent_id = %s",
        SPRING,
        AGENT_A,
    )
    expected = {
        "transcribed_calls": 2, "silent_contact_calls": 1, "silent_contact_rate": 0.5, "agent_turns": 4,
        "contact_turns": 2, "agent_words": 6, "contact_words": 1, "timed_calls": 2, "agent_seconds": 6.0,
        "contact_seconds": 4.0, "agent_talk_share": 0.6, "response_count": 2, "response_seconds": 4.0,
        "average_response_seconds": 2.0, "p50_response_seconds": 2.0, "p95_response_seconds": 2.9,
        "agent_interruptions": 0, "longest_turn_seconds": 2.0,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_cost_of_a_month(berlin: Connection) -> None:
    """March, campaign c1, outbound, agent A: calls 1-7. 0.1 + 0.2 + 0.05 + 0.001 known, call 7 to come, 4 and 5 free.

    Wasted is what led to no conversation: 0.05 (a machine), 0.001 (not placed); calls 3, 4, 5, 6 and 7.
    """
    row = one(
        berlin,
        "SELECT * FROM analytics.call_cost_monthly WHERE month_on = '2025-03-01' AND campaign_id = 'c1' "
        "AND agent_id = %s AND direction = 'outbound'",
        AGENT_A,
    )
    expected = {
        "calls": 7, "cost_known_calls": 4, "cost_pending_calls": 1, "cost_not_expected_calls": 2,
        "cost_usd": Decimal("0.351"), "conversations": 2, "conversation_cost_usd": Decimal("0.3"),
        "direct_cost_per_conversation_usd": Decimal("0.15"), "loaded_cost_per_conversation_usd": Decimal("0.1755"),
        "wasted_calls": 5, "wasted_cost_usd": Decimal("0.051"), "timed_minutes": 3.5, "billed_minutes": 4.0,
        "cost_per_minute_usd": Decimal("0.1"), "is_final": False,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_a_month_that_is_over_and_settled_is_final(berlin: Connection) -> None:
    """October's inbound calls have all their costs; one correction that is awaited makes the month open again."""
    query = (
        "SELECT bool_and(is_final) AS is_final, sum(cost_usd) AS cost_usd FROM analytics.call_cost_monthly "
        "WHERE month_on = '2025-10-01' AND direction = 'inbound'"
    )
    assert one(berlin, query) == {"is_final": True, "cost_usd": Decimal("0.6235")}
    berlin.execute("UPDATE truedy.calls SET cost_usd = NULL WHERE id = %s", [call_id(14)])
    assert one(berlin, query)["is_final"] is False


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
def test_months_and_totals_add_up_in_every_zone(small: Connection, zone: str) -> None:
    """Days, months, campaigns and the total are of the same calls and the same dollars, whatever the days are."""
    small.execute("UPDATE replicator.reporting SET time_zone = %s", [zone])
    for query in (
        "SELECT sum(calls)::int FROM analytics.status_funnel_daily",
        "SELECT sum(calls)::int FROM analytics.status_funnel_total",
        "SELECT sum(calls)::int FROM analytics.campaign_summary",
        "SELECT sum(calls)::int FROM analytics.call_cost_daily",
        "SELECT sum(calls)::int FROM analytics.call_cost_monthly",
        "SELECT sum(calls)::int FROM analytics.reach_by_hour",
        "SELECT sum(calls)::int FROM analytics.number_health",
    ):
        assert list(one(small, query).values()) == [29], query
    for view in ("call_cost_daily", "call_cost_monthly", "campaign_summary"):
        assert one(small, f"SELECT sum(cost_usd) AS usd FROM analytics.{view}")["usd"] == Decimal("2.0495"), view


def test_the_funnel_of_all_days(small: Connection) -> None:
    """Outbound, agent A, campaign c2: calls 8-13. Two conversations at most: 9 is of zero length, so one."""
    row = one(
        small,
        "SELECT * FROM analytics.status_funnel_total WHERE campaign_id = 'c2' AND direction = 'outbound' AND agent_id = %s",
        AGENT_A,
    )
    expected = {
        "calls": 6, "open_calls": 1, "terminal_calls": 3, "cancelled_calls": 1, "placed_calls": 2, "answered_calls": 2,
        "unmapped_calls": 2, "conversations": 1, "placed_rate": 2 / 3, "answer_rate": 1.0, "conversation_rate": 1 / 3,
        "first_created_on": SPRING, "last_created_on": SPRING,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_a_campaign_with_its_name_goals_and_cost(small: Connection) -> None:
    """c1: calls 1-7, two conversations, one of which reached the goal; everything spent, for each goal: 0.351."""
    small.execute("INSERT INTO replicator.campaigns VALUES ('c1', 'First round')")
    small.execute("UPDATE replicator.reporting SET goal_path = '{outcome,booked}'")
    small.execute(
        'UPDATE truedy.calls SET context = context || \'{"outcome": {"booked": true}}\' WHERE id = %s', [call_id(2)]
    )
    row = one(small, "SELECT * FROM analytics.campaign_summary WHERE campaign_id = 'c1'")
    expected = {
        "campaign_name": "First round", "calls": 7, "conversations": 2, "goal_calls": 1, "goal_rate": 0.5,
        "cost_usd": Decimal("0.351"), "loaded_cost_per_goal_usd": Decimal("0.351"), "wasted_cost_usd": Decimal("0.051"),
        "loaded_cost_per_conversation_usd": Decimal("0.1755"), "cost_pending_calls": 1,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_the_scorecard_counts_the_last_days(small: Connection) -> None:
    """Agent B has one call in each period, agent A none in 7 days; each rate has what it divides beside it."""
    small.execute("INSERT INTO replicator.agents VALUES (%s, 'Bea', 'North')", [AGENT_B])
    for number, days in ((201, 3), (202, 20), (203, 60), (204, 89), (205, 90)):
        fix_small_world.insert(small, Call(number, "2025-01-01T12:00:00", "completed", 5, 60, "0.2000", agent=AGENT_B))
        small.execute(
            "UPDATE truedy.calls SET created_at = at, started_at = at, ended_at = at + interval '1 minute' FROM "
            "(SELECT date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - make_interval(days => %s) AS at) x "
            "WHERE id = %s",
            [days, call_id(number)],
        )
    rows = small.execute("SELECT * FROM analytics.agent_scorecard ORDER BY period_days").fetchall()
    found = [
        (row["period_days"], row["agent_name"], row["team"], row["calls"], row["conversations"], row["duration_seconds"],
         row["cost_usd"], row["cost_per_minute_usd"], row["answer_rate"], row["cost_pending_calls"])
        for row in rows
    ]  # fmt: skip
    price, none = Decimal("0.2"), 0
    assert found == [
        (7, "Bea", "North", 1, 1, 60, price, price, 1.0, none),
        (30, "Bea", "North", 2, 2, 120, 2 * price, price, 1.0, none),
        (90, "Bea", "North", 4, 4, 240, 4 * price, price, 1.0, none),
    ]


def test_the_scorecard_joins_what_only_one_part_knows(small: Connection) -> None:
    """A call of nobody's, created long ago, that ended today: its cost is today's, and no other measure has it."""
    small.execute("UPDATE truedy.calls SET agent_id = NULL, ended_at = now() WHERE id = %s", [call_id(2)])
    row = one(small, "SELECT * FROM analytics.agent_scorecard WHERE period_days = 7")
    assert (row["agent_id"], row["calls"], row["measured_calls"], row["cost_usd"]) == (None, 0, 0, Decimal("0.2"))


def test_the_health_of_a_number(berlin: Connection) -> None:
    """Our number, outbound, the week from Monday 24 March in Berlin: calls 1-5 and 7-13, created until Sunday night."""
    row = one(berlin, "SELECT * FROM analytics.number_health WHERE week_on = '2025-03-24' AND direction = 'outbound'")
    expected = {
        "our_number_masked": "+1…00", "number_rank": 1, "calls": 12, "terminal_calls": 9, "placed_calls": 7,
        "answered_calls": 4, "machine_calls": 1, "not_answered_calls": 1, "busy_calls": 1, "not_placed_calls": 1,
        "conversations": 3, "quick_hang_ups": 0, "answer_rate": 4 / 7, "measured_calls": 7, "duration_seconds": 563,
        "cost_usd": Decimal("0.42"), "cost_pending_calls": 4,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_reach_by_hour_of_the_day_that_repeats_an_hour(berlin: Connection) -> None:
    """26 October is a Sunday; 02:30 comes twice, and both calls are in hour 2."""
    row = one(
        berlin,
        "SELECT * FROM analytics.reach_by_hour WHERE day = '2025-10-26' AND hour = 2 AND direction = 'inbound'",
    )
    assert (row["weekday"], row["calls"], row["answered_calls"], row["answer_rate"]) == (7, 2, 2, 1.0)


def test_a_quick_hang_up_is_a_setting(small: Connection) -> None:
    """Outbound call 24 lasted ten seconds: not quick by the default of ten, quick by eleven."""
    query = "SELECT is_quick_hang_up FROM analytics.calls WHERE call_id = %s"
    assert one(small, query, call_id(24)) == {"is_quick_hang_up": False}
    small.execute("UPDATE replicator.reporting SET quick_hang_up_seconds = 11")
    assert one(small, query, call_id(24)) == {"is_quick_hang_up": True}
    assert one(small, "SELECT sum(quick_hang_ups)::int AS n FROM analytics.status_funnel_daily") == {"n": 2}


def test_the_shortest_conversation_is_a_setting(small: Connection) -> None:
    """From 61 seconds on: call 1 with 60 is none, call 14 with 61 is one, call 20 with an unknown length stays as it was."""
    small.execute("UPDATE replicator.reporting SET conversation_seconds = 61")
    rows = small.execute("SELECT call_id FROM analytics.calls WHERE is_conversation").fetchall()
    assert {row["call_id"].int for row in rows} == {2, 10, 14, 15, 16, 17, 18, 22, 23}


@pytest.mark.parametrize(
    ("increment", "minimum", "seconds", "minutes"),
    [(60, 0, 61, 2.0), (60, 0, 60, 1.0), (1, 0, 61, 61 / 60), (6, 30, 5, 0.5), (60, 0, 0, None)],
)
def test_billed_minutes_follow_the_increment(
    small: Connection, increment: int, minimum: int, seconds: int, minutes: float | None
) -> None:
    """Rounded up to the increment, at least the minimum; a call of zero seconds is not billed."""
    small.execute(
        "UPDATE replicator.reporting SET billing_increment_seconds = %s, billing_minimum_seconds = %s",
        [increment, minimum],
    )
    small.execute("UPDATE truedy.calls SET duration_seconds = %s WHERE id = %s", [seconds, call_id(2)])
    row = one(small, "SELECT billed_minutes_estimate AS m FROM analytics.calls WHERE call_id = %s", call_id(2))
    assert row["m"] == (minutes if minutes is None else pytest.approx(minutes))


def test_a_rule_about_the_payload_is_believed_over_the_status(small: Connection) -> None:
    """The lower position wins; where none fits, the status decides."""
    small.execute(
        'UPDATE truedy.calls SET raw = raw || \'{"end_reason": "voicemail_detected"}\' WHERE id = %s', [call_id(2)]
    )
    small.execute("INSERT INTO replicator.stage_rules VALUES (2, '{end_reason}', 'voicemail_detected', 'busy')")
    small.execute("INSERT INTO replicator.stage_rules VALUES (1, '{end_reason}', 'voicemail_detected', 'machine')")
    rows = small.execute(
        "SELECT stage, is_conversation FROM analytics.calls WHERE call_id = ANY(%s) ORDER BY call_id",
        [[call_id(1), call_id(2)]],
    ).fetchall()
    assert [tuple(row.values()) for row in rows] == [("answered", True), ("machine", False)]
    row = one(small, "SELECT sum(machine_calls)::int AS n FROM analytics.status_funnel_daily")
    assert row == {"n": 2}


@pytest.mark.parametrize(
    ("context", "path", "campaign"),
    [
        ('{"crm": {"list": "autumn"}}', "{crm,list}", "autumn"),
        ('{"crm": {"list": 12}}', "{crm,list}", "12"),
        ('{"crm": {"list": ["a"]}}', "{crm,list}", None),
        ('{"crm": "x"}', "{crm,list}", None),
        ('["a"]', "{0}", "a"),
    ],
)
def test_the_campaign_is_where_the_user_says(small: Connection, context: str, path: str, campaign: str | None) -> None:
    """Any path of the context; what is there must be a text or a number."""
    small.execute("UPDATE replicator.reporting SET campaign_path = %s::text[]", [path])
    small.execute("UPDATE truedy.calls SET context = %s::jsonb WHERE id = %s", [context, call_id(2)])
    row = one(small, "SELECT campaign_id FROM analytics.calls WHERE call_id = %s", call_id(2))
    assert row == {"campaign_id": campaign}


@pytest.mark.parametrize(
    ("text", "error_class"),
    [
        ("Number NOT in service", "invalid number"),
        ("carrier rejected the call", "rejected"),
        ("boom", "other"),
        (" ", None),
    ],
)
def test_errors_have_classes(small: Connection, text: str, error_class: str | None) -> None:
    """The first rule whose words are contained; an error that no rule knows is other, none is null."""
    small.execute(
        "UPDATE truedy.calls SET context = jsonb_build_object('last_error', %s::text) WHERE id = %s", [text, call_id(2)]
    )
    row = one(small, "SELECT error_class FROM analytics.calls WHERE call_id = %s", call_id(2))
    assert row == {"error_class": error_class}


def test_goals_are_null_until_somebody_says_where_they_are(small: Connection) -> None:
    """No path, no claim; with one, a call without a value there has not reached it."""
    assert one(small, "SELECT is_goal FROM analytics.calls WHERE call_id = %s", call_id(2)) == {"is_goal": None}
    small.execute("UPDATE replicator.reporting SET goal_path = '{booked}'")
    small.execute('UPDATE truedy.calls SET context = \'{"booked": "YES"}\' WHERE id = %s', [call_id(2)])
    rows = small.execute(
        "SELECT is_goal FROM analytics.calls WHERE call_id = ANY(%s) ORDER BY call_id", [[call_id(1), call_id(2)]]
    ).fetchall()
    assert [row["is_goal"] for row in rows] == [False, True]


def test_a_changed_cost_is_written_down(small: Connection) -> None:
    """Each change with what was and what is; an update that leaves the cost alone writes nothing."""
    small.execute("DELETE FROM replicator.cost_changes")
    small.execute("UPDATE truedy.calls SET cost_usd = 0.25, observed_at = '2025-12-05Z' WHERE id = %s", [call_id(2)])
    small.execute("UPDATE truedy.calls SET status = 'completed', cost_usd = 0.250 WHERE id = %s", [call_id(2)])
    small.execute("UPDATE truedy.calls SET cost_usd = 0.0700 WHERE id = %s", [call_id(10)])
    rows = small.execute("SELECT call_id, old_usd, new_usd FROM replicator.cost_changes ORDER BY id").fetchall()
    assert [tuple(row.values()) for row in rows] == [
        (call_id(2), Decimal("0.2"), Decimal("0.25")),
        (call_id(10), None, Decimal("0.07")),
    ]
