"""analytics.update_delay: the delays by age, worked out by hand, and the same as the pure function says."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from replicator.sync.engine.credit import NEW_ROWS_A_PAGE
from replicator.sync.engine.freshness import RENEWAL_SHARE, credit_pass_seconds, delays
from tests.sql.fix_small_world import call_id

Connection = psycopg.Connection[Any]

NAMES = ("list_requests", "needed_requests_a_minute", "available_requests_a_minute", "bound_seconds")


def rows(small: Connection) -> list[dict[str, Any]]:
    found = small.execute(
        "SELECT * FROM analytics.update_delay WHERE account = 'main' ORDER BY class_number"
    ).fetchall()
    return [dict(row) for row in found]


def fill(
    small: Connection,
    *,
    a_minute: float | None,
    ages: list[tuple[float, float | None, float, int]],
    share: float | None = None,
) -> None:
    """Put so many calls into each class: (least age, greatest age, period, calls), all in seconds."""
    for table in ("truedy.calls", "replicator.renewal_classes", "replicator.coverage"):
        small.execute(f"DELETE FROM {table}")
    small.execute("UPDATE replicator.source_state SET requests_per_minute = %s, renewal_share = %s", [a_minute, share])
    for number, (least, greatest, every, calls) in enumerate(ages, 1):
        small.execute(
            "INSERT INTO replicator.renewal_classes VALUES ('main', %s, %s, %s, %s)", [number, least, greatest, every]
        )
        small.execute(
            "INSERT INTO truedy.calls (id, account, created_at, raw, fingerprint, version, observed_at, first_seen_at, "
            "changed_at) SELECT gen_random_uuid(), 'main', now() - make_interval(secs => %s), '{}', '', 1, now(), now(), now() "
            "FROM generate_series(1, %s)",
            [least + 1, calls],
        )


def test_two_classes_by_hand(small: Connection) -> None:
    """100 requests a minute leave renewal 9. 480 calls hourly are 5 requests, 1/12 a minute, and a pass of 33 1/3 s;
    9,600 calls daily are 100 requests at 8.9167 a minute, the 5 in between.
    """
    fill(small, a_minute=100, ages=[(0, 86400, 3600, 480), (86400, None, 86400, 9600)])
    young, old = rows(small)
    assert (young["calls"], young["list_requests"], young["needed_requests_a_minute"]) == (480, 5, 5 / 60)
    assert (young["available_requests_a_minute"], young["bound_seconds"]) == (9, pytest.approx(3600 + 100 / 3 + 120))
    assert (old["calls"], old["list_requests"]) == (9600, 100)
    assert old["available_requests_a_minute"] == pytest.approx(8.91667, abs=1e-5)
    assert old["bound_seconds"] == pytest.approx(86400 + 60 * 105 / 8.9166667 + 120, abs=0.01)
    assert (young["min_age_seconds"], young["max_age_seconds"], old["max_age_seconds"]) == (0, 86400, None)


def test_a_class_that_falls_behind(small: Connection) -> None:
    """At 1.8 a minute for renewal, 100 requests take 3,333 s: longer than the period, so two passes count. Nothing is left
    for older ones, and nothing is promised.
    """
    fill(small, a_minute=20, ages=[(0, 86400, 600, 9600), (86400, None, 86400, 10)])
    young, old = rows(small)
    assert young["bound_seconds"] == pytest.approx(600 + 2 * 6000 / 1.8 + 120)
    assert (old["available_requests_a_minute"], old["bound_seconds"]) == (0, None)


def test_without_a_limit_nothing_is_computed(small: Connection) -> None:
    """The source's own speed is not known to the books."""
    fill(small, a_minute=None, ages=[(0, None, 600, 10)])
    (only,) = rows(small)
    assert (only["list_requests"], only["bound_seconds"], only["available_requests_a_minute"]) == (1, None, None)


@pytest.mark.parametrize(
    ("a_minute", "classes"),
    [
        (95.0, [(600, 720), (3600, 2160), (86400, 17000)]),
        (95.0, [(600, 0), (3600, 96), (86400, 97)]),
        (10.0, [(600, 300), (3600, 900), (86400, 5000)]),
        (None, [(600, 1), (3600, 0), (86400, 4)]),
    ],
)
def test_the_view_says_what_the_function_says(
    small: Connection, a_minute: float | None, classes: list[tuple[float, int]]
) -> None:
    """The same numbers give the same delays in SQL and in Python."""
    edges = [0.0, 21600.0, 86400.0, None]
    fill(
        small,
        a_minute=a_minute,
        ages=[(edges[i] or 0.0, edges[i + 1], every, calls) for i, (every, calls) in enumerate(classes)],
    )
    shown = [tuple(row[name] for name in NAMES) for row in rows(small)]
    computed = [
        (one.list_requests, one.needed_a_minute, one.available_a_minute, one.bound_seconds)
        for one in delays(classes, a_minute)
    ]
    assert shown == [pytest.approx(one) for one in computed]


@pytest.mark.parametrize(("a_minute", "share"), [(95.0, 0.3), (95.0, 0.0), (None, 0.3), (10.0, 1.0)])
def test_credit_makes_it_sooner(small: Connection, a_minute: float | None, share: float) -> None:
    """All classes are re-read in one pass: 9,696 calls are 101 pages and 50 requests more, at 0.3 of 95 a minute 5.3 minutes."""
    fill(small, a_minute=a_minute, share=share, ages=[(0, 86400, 3600, 96), (86400, None, 86400, 9600)])
    expected = credit_pass_seconds(9696, a_minute, share)
    for row in rows(small):
        assert row["credit_pass_seconds"] == (None if expected is None else pytest.approx(expected))
        known = [one for one in (row["bound_seconds"], expected and expected + 120) if one]
        assert row["expected_seconds"] == (pytest.approx(min(known)) if known else None)
    if (a_minute, share) == (95.0, 0.3):
        assert expected == pytest.approx(60 * 151 / 28.5)


def test_the_numbers_of_the_planner_are_those_of_the_view() -> None:
    """The view cannot read Python: its 0.09 and its 96 are checked here."""
    assert (pytest.approx(0.09), 96) == (RENEWAL_SHARE, NEW_ROWS_A_PAGE)


def test_what_was_achieved(small: Connection) -> None:
    """The oldest look at a stretch that touches the class; a late call, and one created after now, are of the youngest."""
    fill(small, a_minute=100, ages=[(0, 3600, 600, 3), (3600, None, 86400, 2)])
    small.execute(
        "UPDATE truedy.calls SET created_at = now() + interval '1 h' WHERE id IN (SELECT id FROM truedy.calls WHERE created_at > now() - interval '2 s' LIMIT 1)"
    )
    for since, until, looked in (
        ("'-infinity'", "now() - interval '2 h'", "9 h"),
        ("now() - interval '2 h'", "now()", "5 min"),
    ):
        small.execute(
            f"INSERT INTO replicator.coverage VALUES ('main', {since}, {until}, now() - interval '{looked}', true, '')"
        )
    young, old = rows(small)
    assert (young["calls"], young["oldest_look_seconds"], young["is_within_bound"]) == (3, 300, True)
    assert (old["calls"], old["oldest_look_seconds"], old["is_within_bound"]) == (2, 32400, True)
    small.execute("UPDATE replicator.coverage SET verified_at = now() - interval '3 days'")
    assert [row["is_within_bound"] for row in rows(small)] == [False, False]
    small.execute("DELETE FROM replicator.coverage")
    assert [(row["oldest_look_seconds"], row["is_within_bound"]) for row in rows(small)] == [(None, None)] * 2


def test_deleted_calls_need_no_look(small: Connection) -> None:
    """28 of the 29 calls of the small world have an age and 27 of them live; all are older than a day."""
    assert [row["calls"] for row in rows(small)] == [0, 27]
    small.execute("UPDATE truedy.calls SET deleted_at = now() WHERE id = %s", [call_id(2)])
    assert rows(small)[1]["calls"] == 26
