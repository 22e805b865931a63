"""Attempts, contacts, repeat callers and first-call resolution: by hand, and against another hand on made-up worlds."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.sql import fix_small_world
from tests.sql.fix_small_world import AGENT_A, AGENT_B, call_id
from tests.sql.fix_worlds import BEN, CARLA, NOT_PLACED, OPEN, ZONES, Contact, add, empty, made_up

Connection = psycopg.Connection[Any]

ATTEMPTS = (
    Contact(1, "2025-07-01T10:00:00", "no_answer"),
    Contact(2, "2025-07-01T12:00:00", "busy"),
    Contact(3, "2025-07-02T12:00:00", "completed", 5, 60),
    Contact(4, "2025-07-03T12:00:00", "no_answer"),
    Contact(5, "2025-07-03T12:00:00", "no_answer"),
    Contact(6, "2025-08-02T12:00:00", "no_answer"),  # 30 days of 24 hours after 4 and 5, 31 after the conversation
    Contact(7, "2025-09-01T12:00:00.000001", "no_answer"),  # a microsecond more than 30 days after 6
    Contact(8, "2025-07-01T11:00:00", "completed", 5, 60, party=BEN),
    Contact(9, "2025-07-01T11:30:00", "completed", 5, 60, direction="inbound"),
    Contact(10, "2025-07-01T11:45:00", "no_answer", account="other"),
    Contact(11, "2025-07-01T11:50:00", "no_answer", party=None),
    Contact(12, None, "no_answer"),
)


def one(connection: Connection, query: str, *values: object) -> dict[str, Any]:
    row: dict[str, Any] | None = connection.execute(query, values).fetchone()
    assert row is not None
    return row


def test_attempts_by_hand(small: Connection) -> None:
    """Anna is called twice in vain, then reached: the next call is a first one again, and so is one after 30 idle days.

    4 and 5 are of the same instant, in the order of their ids. 6 sees them, 30 days ago to the microsecond, and no longer
    the conversation. Ben, the inbound call and the other account are of no concern; without number or instant no number.
    """
    empty(small)
    add(small, *ATTEMPTS)
    found = small.execute("SELECT * FROM analytics.call_attempts ORDER BY call_id").fetchall()
    shown = {
        row["call_id"].int: (
            row["attempt_number"], row["attempt_count"], row["is_first"], row["is_after_conversation"], row["gap_hours"],
            row["has_next_attempt"],
        )
        for row in found
    }  # fmt: skip
    assert shown == {
        1: (1, 1, True, False, None, True),
        2: (2, 2, False, False, 2.0, True),
        3: (3, 3, False, False, 24.0, True),
        4: (1, 4, True, True, 24.0, True),
        5: (2, 5, False, True, 0.0, True),
        6: (3, 3, False, False, 720.0, False),
        7: (1, 1, True, False, None, False),
        8: (1, 1, True, False, None, False),
        10: (1, 1, True, False, None, False),
        11: (None,) * 6,
        12: (None,) * 6,
    }
    assert {row["other_party_masked"] for row in found} == {"+1…11", "+1…22", None}
    assert found[3]["previous_attempt_at"] == datetime(2025, 7, 2, 12, tzinfo=UTC)
    assert [row["created_on"] for row in found[-2:]] == [date(2025, 7, 1), None]


@pytest.mark.parametrize("word", ["anonymous", "Restricted", " unknown ", "", "unavailable", "PRIVATE"])
def test_withheld_numbers_are_nobody(small: Connection, word: str) -> None:
    """Two calls with a word in place of a number are not of one person: no attempt, no contact, no repeat, no resolution."""
    empty(small)
    for number, direction in ((1, "outbound"), (2, "outbound"), (3, "inbound"), (4, "inbound")):
        add(small, Contact(number, f"2025-07-01T12:0{number}:00", "completed", 0, 60, direction=direction, party=word))
    assert [row["attempt_number"] for row in small.execute("SELECT * FROM analytics.call_attempts").fetchall()] == [
        None
    ] * 2
    for view, names in (
        ("contacts_daily", ("unknown_party_calls", "contacts")),
        ("contacts_monthly", ("unknown_party_calls", "contacts")),
        ("repeat_callers_daily", ("unknown_caller_calls", "callers")),
    ):
        row = one(small, f"SELECT * FROM analytics.{view}")
        assert (row["calls"], *(row[name] for name in names)) == (2, 2, 0), view
    found = small.execute("SELECT unknown_party_conversations FROM analytics.first_call_resolution_daily").fetchall()
    assert [row["unknown_party_conversations"] for row in found] == [2, 2]


def test_the_window_is_a_setting(small: Connection) -> None:
    """With one day, 3 sees what is exactly a day before; with none, only what is of the same instant."""
    empty(small)
    add(small, *ATTEMPTS)
    numbers = "SELECT array_agg(attempt_number ORDER BY call_id) AS n FROM analytics.call_attempts WHERE call_id < %s"
    small.execute("UPDATE replicator.reporting SET attempt_days = 1")
    assert one(small, numbers, call_id(6))["n"] == [1, 2, 2, 1, 2]
    small.execute("UPDATE replicator.reporting SET attempt_days = 0")
    assert one(small, numbers, call_id(6))["n"] == [1, 1, 1, 1, 2]
    small.execute("UPDATE replicator.reporting SET attempt_days = 2147483647")
    assert one(small, numbers, call_id(8))["n"] == [1, 2, 3, 1, 2, 3, 4]


def test_a_day_of_the_window_has_24_hours_in_every_session(small: Connection) -> None:
    """Over the night on which clocks change, 24 hours are 24 hours, whatever the client's time zone is."""
    empty(small)
    small.execute("UPDATE replicator.reporting SET attempt_days = 1")
    add(
        small,
        Contact(1, "2025-03-29T12:00:00", "busy"),
        Contact(2, "2025-03-30T11:59:59", "busy"),
        Contact(3, "2025-10-25T12:00:00", "busy", party=BEN),
        Contact(4, "2025-10-26T12:00:01", "busy", party=BEN),
    )
    for zone in ("UTC", "Europe/Berlin"):
        small.execute(f"SET LOCAL TIME ZONE '{zone}'")
        rows = small.execute("SELECT attempt_number FROM analytics.call_attempts ORDER BY call_id").fetchall()
        assert [row["attempt_number"] for row in rows] == [1, 2, 1, 1], zone


def earlier(call: Contact, calls: list[Contact], span: timedelta, direction: str = "outbound") -> list[Contact]:
    """The party's calls before this one, by looking at every call."""
    assert call.created_at is not None
    return sorted(
        (
            x
            for x in calls
            if x.party is not None and (x.party, x.account, x.direction) == (call.party, call.account, direction)
            and x.key < call.key and call.created_at - x.key[0] <= span
        ),
        key=lambda x: x.key,
    )  # fmt: skip


def attempt_number(call: Contact, calls: list[Contact], days: int) -> int | None:
    if call.party is None:
        return None
    number = 1
    for before in earlier(call, calls, timedelta(days=days)):
        number = 1 if before.is_conversation else number + 1
    return number


@pytest.mark.parametrize("zone", ZONES)
def test_reach_agrees_with_another_hand(small: Connection, zone: str) -> None:
    """Attempts of 150 made-up calls in a window of 3 days, counted call by call in Python, by day and number."""
    empty(small, zone)
    small.execute("UPDATE replicator.reporting SET attempt_days = 3")
    calls = made_up(7, 150, end=datetime(2025, 10, 28, tzinfo=UTC), days=6)
    add(small, *calls)
    expected: dict[Any, Counter[str]] = defaultdict(Counter)
    for call in calls:
        if call.direction == "outbound":
            number = attempt_number(call, calls, 3)
            day = call.key[0].astimezone(ZoneInfo(zone)).date()
            row = expected[day, call.account, None if number is None else min(number, 10)]
            row["calls"] += 1
            row["open_calls"] += call.status in OPEN
            row["terminal_calls"] += call.status not in OPEN | {"odd"}
            row["placed_calls"] += call.status not in OPEN | NOT_PLACED | {"odd"}
            row["answered_calls"] += call.status == "completed"
            row["machine_calls"] += call.status == "voicemail"
            row["conversations"] += call.is_conversation
    found = small.execute("SELECT * FROM analytics.reach_by_attempt").fetchall()
    assert {(row["day"], row["account"], row["attempt_number"]) for row in found} == set(expected)
    assert max(number or 0 for _, _, number in expected) == 10
    for row in found:
        wanted = expected[row["day"], row["account"], row["attempt_number"]]
        assert {name: row[name] for name in wanted} == dict(wanted)
        if wanted["terminal_calls"]:
            assert row["conversation_rate"] == wanted["conversations"] / wanted["terminal_calls"]
        if wanted["placed_calls"]:
            assert row["answer_rate"] == wanted["answered_calls"] / wanted["placed_calls"]


def test_attempts_of_a_day_by_hand(small: Connection) -> None:
    """1 July: first attempts are 1, 8 and, of the other account, 10; the second is 2. Without a number one is left over."""
    empty(small)
    add(small, *ATTEMPTS)
    found = small.execute(
        "SELECT account, attempt_number, calls, placed_calls, answered_calls, conversations, answer_rate, placed_rate "
        "FROM analytics.reach_by_attempt WHERE day = '2025-07-01' ORDER BY 1, 2"
    ).fetchall()
    assert [tuple(row.values()) for row in found] == [
        ("main", 1, 2, 2, 1, 1, 0.5, 1.0),
        ("main", 2, 1, 1, 0, 0, 0.0, 1.0),
        ("main", None, 1, 1, 0, 0, 0.0, 1.0),
        ("other", 1, 1, 1, 0, 0, 0.0, 1.0),
    ]


CONTACTS = (
    Contact(1, "2025-07-01T10:00:00", "no_answer"),
    Contact(2, "2025-07-01T12:00:00", "completed", 5, 60),
    Contact(3, "2025-07-01T13:00:00", "completed", 5, 60),
    Contact(4, "2025-07-01T13:00:00", "voicemail", 5, 60, party=BEN),
    Contact(5, "2025-07-01T14:00:00", "ringing", party=CARLA),
    Contact(6, "2025-07-01T15:00:00", "busy", party=None),
    Contact(7, "2025-07-01T16:00:00", "completed", 5, 60, direction="inbound", party=CARLA),
    Contact(8, "2025-07-31T23:30:00", "completed", 5, 60, party=BEN),
    Contact(9, None, "completed", None, 5, party=BEN),
)


def test_contacts_by_hand(small: Connection) -> None:
    """1 July: Anna (three calls, reached), Ben (a machine), Carla (still ringing: not in the rate), one without a number.

    In July they stay three, and Ben is reached, too. In Berlin the last call is one of August.
    """
    empty(small)
    add(small, *CONTACTS)
    names = "calls, unknown_party_calls, party_calls, contacts, tried_contacts, reached_contacts, calls_per_contact, reach_rate"
    days = small.execute(f"SELECT day, {names} FROM analytics.contacts_daily ORDER BY day").fetchall()
    assert [tuple(row.values()) for row in days] == [
        (date(2025, 7, 1), 6, 1, 5, 3, 2, 1, 5 / 3, 0.5),
        (date(2025, 7, 31), 1, 0, 1, 1, 1, 1, 1.0, 1.0),
        (None, 1, 0, 1, 1, 1, 1, 1.0, 1.0),
    ]
    months = small.execute(f"SELECT month_on, {names} FROM analytics.contacts_monthly ORDER BY month_on").fetchall()
    assert [tuple(row.values()) for row in months] == [
        (date(2025, 7, 1), 7, 1, 6, 3, 2, 2, 2.0, 1.0),
        (None, 1, 0, 1, 1, 1, 1, 1.0, 1.0),
    ]
    small.execute("UPDATE replicator.reporting SET time_zone = 'Europe/Berlin'")
    months = small.execute("SELECT month_on, contacts FROM analytics.contacts_monthly ORDER BY month_on").fetchall()
    assert [row["month_on"] for row in months] == [date(2025, 7, 1), date(2025, 8, 1), None]


@pytest.mark.parametrize("zone", ZONES)
def test_contacts_agree_with_another_hand(small: Connection, zone: str) -> None:
    """Different numbers of each day and of each month, as Python's sets count them."""
    empty(small, zone)
    calls = made_up(11, 120, end=datetime(2025, 11, 3, tzinfo=UTC), days=9)
    add(small, *calls)
    mine = [call for call in calls if call.direction == "outbound"]
    for view, column in (("contacts_daily", "day"), ("contacts_monthly", "month_on")):
        found = small.execute(f"SELECT * FROM analytics.{view}").fetchall()
        assert sum(row["calls"] for row in found) == len(mine)
        for row in found:
            those = []
            for call in mine:
                day = call.key[0].astimezone(ZoneInfo(zone)).date()
                if call.account == row["account"] and (day if column == "day" else day.replace(day=1)) == row[column]:
                    those.append(call)
            assert row["contacts"] == len({call.party for call in those} - {None})
            assert row["reached_contacts"] == len({call.party for call in those if call.is_conversation} - {None})
            over = {call.party for call in those if call.status not in OPEN | {"odd"}} - {None}
            assert row["tried_contacts"] == len(over)


CALLERS = (
    Contact(1, "2025-07-01T12:00:00", "no_answer", direction="inbound"),
    Contact(2, "2025-07-02T12:00:00", "completed", 0, 9, direction="inbound"),  # 24 hours later
    Contact(3, "2025-07-09T12:00:00", "completed", 0, 9, direction="inbound"),  # 7 days later
    Contact(4, "2025-07-16T12:00:00.000001", "completed", 0, 9, direction="inbound"),  # a microsecond more
    Contact(5, "2025-07-02T12:00:00", "completed", 0, 9, direction="inbound", party=BEN),
    Contact(6, "2025-07-02T12:00:00", "completed", 0, 9, direction="inbound", party=BEN),  # the same instant
    Contact(7, "2025-07-02T11:00:00", "completed", 0, 9, party=CARLA),  # we called her
    Contact(8, "2025-07-02T12:00:00", "completed", 0, 9, direction="inbound", party=CARLA),
    Contact(9, "2025-07-02T12:00:00", "completed", 0, 9, direction="inbound", party=None),
    Contact(10, "2025-07-02T13:00:00", "completed", 0, 9, direction="inbound", account="other"),
)


def test_repeat_callers_by_hand(small: Connection) -> None:
    """2 July: Anna again after 24 hours, Ben twice at the same instant, Carla whom we had called: two repeats of four."""
    empty(small)
    add(small, *CALLERS)
    found = small.execute(
        "SELECT day, account, calls, unknown_caller_calls, caller_calls, repeat_24h_calls, repeat_7d_calls, repeat_24h_rate, "
        "repeat_7d_rate, callers, repeat_24h_callers, repeat_7d_callers FROM analytics.repeat_callers_daily ORDER BY 1, 2"
    ).fetchall()
    july = {day: date(2025, 7, day) for day in (1, 2, 9, 16)}
    assert [tuple(row.values()) for row in found] == [
        (july[1], "main", 1, 0, 1, 0, 0, 0.0, 0.0, 1, 0, 0),
        (july[2], "main", 5, 1, 4, 2, 2, 0.5, 0.5, 3, 2, 2),
        (july[2], "other", 1, 0, 1, 0, 0, 0.0, 0.0, 1, 0, 0),
        (july[9], "main", 1, 0, 1, 0, 1, 0.0, 1.0, 1, 0, 1),
        (july[16], "main", 1, 0, 1, 0, 0, 0.0, 0.0, 1, 0, 0),
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_repeat_callers_agree_with_another_hand(small: Connection, zone: str) -> None:
    """Repeats of made-up inbound calls, looked for call by call in Python; the days add up to all of them."""
    empty(small, zone)
    calls = made_up(13, 150, end=datetime(2025, 3, 12, tzinfo=UTC), days=12)
    add(small, *calls)
    expected: dict[Any, Counter[str]] = defaultdict(Counter)
    for call in calls:
        if call.direction == "inbound":
            row = expected[call.key[0].astimezone(ZoneInfo(zone)).date(), call.account]
            row["calls"] += 1
            row["repeat_24h_calls"] += bool(earlier(call, calls, timedelta(hours=24), "inbound"))
            row["repeat_7d_calls"] += bool(earlier(call, calls, timedelta(days=7), "inbound"))
    found = small.execute("SELECT * FROM analytics.repeat_callers_daily").fetchall()
    shown = {
        (row["day"], row["account"]): {
            name: row[name] for name in ("calls", "repeat_24h_calls", "repeat_7d_calls")
        } for row in found
    }  # fmt: skip
    assert shown == {key: dict(value) for key, value in expected.items()}
    assert sum(row["repeat_24h_calls"] for row in found) < sum(row["repeat_7d_calls"] for row in found)


def test_resolution_by_hand(small: Connection) -> None:
    """Seven days after: Anna spoke, was called in vain (which is no further contact) and called on the eighth: resolved.

    Ben called back, though nobody answered; Carla spoke again, when we called her. Anna's last call is too young, and
    one is of nobody known.
    """
    empty(small)
    add(
        small,
        Contact(1, "2025-07-01T12:00:00", "completed", 0, 60),
        Contact(2, "2025-07-05T12:00:00", "no_answer"),
        Contact(3, "2025-07-08T12:00:00.000001", "no_answer", direction="inbound"),
        Contact(4, "2025-07-01T12:00:00", "completed", 0, 60, party=BEN),
        Contact(5, "2025-07-08T12:00:00", "no_answer", direction="inbound", party=BEN),
        Contact(6, "2025-07-01T12:00:00", "completed", 0, 60, direction="inbound", agent=AGENT_B, party=CARLA),
        Contact(7, "2025-07-02T12:00:00", "completed", 0, 60, party=CARLA),
        Contact(8, "2025-07-01T13:00:00", "completed", 0, 60, party=None),
        Contact(9, "2025-07-01T13:00:00", "voicemail", 0, 60),
    )
    names = (
        "conversations, unknown_party_conversations, young_conversations, judged_conversations, resolved_conversations, "
        "resolution_rate"
    )
    query = f"SELECT day, direction, agent_id, {names} FROM analytics.first_call_resolution_daily ORDER BY 1, 2"
    first, second = date(2025, 7, 1), date(2025, 7, 2)
    assert [tuple(row.values()) for row in small.execute(query).fetchall()] == [
        (first, "inbound", AGENT_B, 1, 0, 0, 1, 0, 0.0),
        (first, "outbound", AGENT_A, 3, 1, 0, 2, 1, 0.5),
        (second, "outbound", AGENT_A, 1, 0, 0, 1, 1, 1.0),
    ]
    # As of 8 July, 12:00, the first of July can just be judged, the second not: also where the replica stopped then.
    small.execute("UPDATE replicator.source_state SET head_at = '2025-07-08 12:00Z'")
    assert [tuple(row.values())[3:] for row in small.execute(query).fetchall()] == [
        (1, 0, 0, 1, 0, 0.0),
        (3, 1, 0, 2, 1, 0.5),
        (1, 0, 1, 0, 0, None),
    ]


def test_young_conversations_are_in_no_rate(small: Connection) -> None:
    """A conversation of six days ago is not judged, though the party called again: only the unresolved are known early."""
    empty(small)
    add(small, Contact(1, "2025-07-01T12:00:00", "completed", 0, 60), Contact(2, "2025-07-01T13:00:00", "no_answer"))
    small.execute("UPDATE truedy.calls SET created_at = now() - interval '143 hours' WHERE id = %s", [call_id(1)])
    small.execute(
        "UPDATE truedy.calls SET created_at = now() - interval '1 hour', direction = 'inbound', from_number = phone_number "
        "WHERE id = %s",
        [call_id(2)],
    )
    row = one(small, "SELECT * FROM analytics.first_call_resolution_daily")
    assert (row["conversations"], row["young_conversations"], row["judged_conversations"]) == (1, 1, 0)
    assert row["resolution_rate"] is None


@pytest.mark.parametrize("zone", ZONES)
def test_resolution_agrees_with_another_hand(small: Connection, zone: str) -> None:
    """Conversations of 20 days until now, looked after call by call in Python, with 3 days to come back in."""
    empty(small, zone)
    small.execute("UPDATE replicator.reporting SET resolution_days = 3")
    small.execute("UPDATE replicator.source_state SET head_at = now() - interval '5 hours'")
    now = one(small, "SELECT now() AS now")["now"]
    calls = made_up(17, 150, end=now.replace(minute=0, second=0, microsecond=0), days=20)
    add(small, *calls)
    expected: dict[Any, Counter[str]] = defaultdict(Counter)
    for call in (call for call in calls if call.is_conversation):
        row = expected[call.key[0].astimezone(ZoneInfo(zone)).date(), call.account, call.direction]
        # Only the account main has a head: of the other one all is known until now.
        known_until = now - timedelta(hours=5) if call.account == "main" else now
        is_judged = call.party is not None and call.key[0] + timedelta(days=3) <= known_until
        row["conversations"] += 1
        row["unknown_party_conversations"] += call.party is None
        row["young_conversations"] += call.party is not None and not is_judged
        row["judged_conversations"] += is_judged
        row["resolved_conversations"] += is_judged and not any(
            (x.party, x.account) == (call.party, call.account)
            and call.key < x.key
            and x.key[0] - call.key[0] <= timedelta(days=3)
            and (x.direction == "inbound" or x.is_conversation)
            for x in calls
        )
    found = small.execute("SELECT * FROM analytics.first_call_resolution_daily").fetchall()
    shown = {(row["day"], row["account"], row["direction"]): row for row in found}
    assert set(shown) == set(expected)
    for key, wanted in expected.items():
        assert {name: shown[key][name] for name in wanted} == dict(wanted)
    assert sum(row["young_conversations"] for row in found) > 0
    assert 0 < sum(row["resolved_conversations"] for row in found) < sum(row["judged_conversations"] for row in found)


@pytest.mark.parametrize(
    ("view", "condition", "first"),
    [
        ("call_attempts", "call_id = '00000000-0000-0000-0000-000000000001'", "pk_calls"),
        ("call_attempts", "created_on = '2025-03-30'", "ix_calls_created_day"),
        ("reach_by_attempt", "day = '2025-03-30'", "ix_calls_created_day"),
        ("repeat_callers_daily", "day = '2025-03-30'", "ix_calls_created_day"),
    ],
)
def test_a_filter_and_a_partys_calls_reach_an_index(small: Connection, view: str, condition: str, first: str) -> None:
    """The views say the expression of the index: where the table is not worth reading whole, it is not read."""
    # A new file for the table, in which the calls lie by time, as a sync writes them. In the holes that other tests' rows have
    # left, they would lie in any order, and reading them through an index would cost more than reading all.
    small.execute("TRUNCATE truedy.calls CASCADE")
    with fix_small_world.as_a_sync_writes(small):
        small.execute(
            "INSERT INTO truedy.calls (id, account, direction, phone_number, from_number, status, created_at, raw, fingerprint, "
            "version, observed_at, first_seen_at, changed_at) SELECT gen_random_uuid(), 'main', CASE n % 2 WHEN 0 THEN 'inbound' "
            "ELSE 'outbound' END, '+1' || n % 3997, '+1' || n % 3997, 'busy', '2025-03-01'::date + n * interval '11 minutes', "
            "'{}', '', 1, now(), now(), now() FROM generate_series(1, 20000) n"
        )
    # One row for each touched day: what other tests of this database have left there would change how many the planner expects.
    small.execute(
        "DELETE FROM rollup.touched t USING rollup.touched o WHERE (t.account, t.day) = (o.account, o.day) AND t.ctid > o.ctid"
    )
    fix_small_world.analyze(small)
    plan = small.execute(f"EXPLAIN SELECT * FROM analytics.{view} WHERE {condition}").fetchall()
    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert first in text, text
    assert "ix_calls_other_party" in text
    assert "Seq Scan on calls" not in text
