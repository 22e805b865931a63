"""Numbers as people read them: rounded for the eye, never into a lie."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replicator.report import wording

pytestmark = pytest.mark.pure


N = wording.KEPT


@pytest.mark.parametrize(
    ("amount", "shown", "exact"),
    [
        (None, "—", "not known"),
        (Decimal(0), "$0.00", "0 US dollars"),
        (Decimal("0.0219"), "$0.0219", "0.0219 US dollars"),
        (Decimal("0.00004"), "under $0.0001", "0.00004 US dollars"),
        (Decimal("-0.0073"), "-$0.0073", "-0.0073 US dollars"),
        (Decimal("1234567.891234"), "$1,234,567.89", "1,234,567.891234 US dollars"),
        (Decimal("100.000000"), "$100.00", "100 US dollars"),
    ],
)
def test_money(amount: Decimal | None, shown: str, exact: str) -> None:
    """The short form has the digits that matter, the exact one has all; unknown is not zero, and small is not nothing."""
    assert (wording.money(amount), wording.exact(amount)) == (shown, exact)


@example(Decimal("123456789012.123457"))
@given(st.decimals(min_value=-(10**12), max_value=10**12, places=6))
def test_exact_money_is_exact(amount: Decimal) -> None:
    """No digit is lost on the way to the table."""
    assert Decimal(wording.exact(amount).removesuffix(" US dollars").replace(",", "")) == amount


@pytest.mark.parametrize(
    ("seconds", "shown", "rough"),
    [
        (None, "—", "—"), (0, "0 s", "0 s"), (59.4, "59 s", "59 s"), (59.6, "1 min", "60 s"), (60, "1 min", "1 min"), (90, "1 min 30 s", "90 s"),
        (102, "1 min 42 s", "102 s"), (3600, "1 h", "1 h"), (3725, "1 h 02 min", "62 min"), (86400, "24 h", "24 h"),
        (400000, "4.6 days", "4.6 days"), (604800, "7.0 days", "7 days"), (670, "11 min 10 s", "11 min"),
    ],
)  # fmt: skip
def test_durations(seconds: float | None, shown: str, rough: str) -> None:
    """Two units where both say something; for axes and ages one."""
    assert wording.seconds(seconds).replace(N, " ") == shown
    assert wording.roughly(seconds).replace(N, " ") == rough


@example(999_999, 10**6)
@example(1, 10**6)
@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_share_is_whole_only_where_it_is(part: int, whole: int) -> None:
    """100 % is said of everything only, and 0 % of nothing only."""
    part = min(part, whole)
    shown = float(wording.percent(wording.share(part, whole)).removesuffix(f"{N}%"))
    assert (shown == 100) == (part == whole)
    assert (shown == 0) == (part == 0)


def test_comparisons() -> None:
    """Relative where there is something to relate to, points between shares, and nothing made up."""
    assert wording.change(105.0, 100.0) == f"+5.0{N}%"
    assert wording.change(95.0, 100.0) == f"\u22125.0{N}%"
    assert wording.change(100.01, 100.0) == "unchanged"
    assert wording.change(300.0, 100.0) == f"+200{N}%"
    assert wording.change(-1.0, -2.0) == f"+50.0{N}%"
    assert (wording.change(1.0, 0.0), wording.change(1.0, None), wording.change(None, 1.0)) == (None, None, None)
    assert wording.points(0.65, 0.6) == f"+5.0{N}points"
    assert (wording.points(0.6, 0.6), wording.points(None, 0.6)) == ("unchanged", None)
    assert (wording.share(1, 0), wording.share(None, 1), wording.share(1, 4)) == (None, None, 0.25)


def test_instants_are_those_of_the_zone() -> None:
    """An instant is shown in the reporting time zone; a zone that Python does not know is UTC, and named so."""
    at = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert wording.clock("Europe/Berlin").instant(at).replace(N, " ") == "29 Mar 2026, 03:30"
    assert wording.clock("Nowhere/Land").name == "UTC"
    assert wording.clock("../etc/passwd").name == "UTC"
    assert wording.clock("UTC").instant(None) == "—"


def test_days_and_axes() -> None:
    """Spans name a year once where one is enough."""
    assert wording.span(date(2026, 10, 26), date(2026, 11, 24)).replace(N, " ") == "26 Oct to 24 Nov 2026"
    assert wording.span(date(2025, 12, 26), date(2026, 1, 24)).replace(N, " ") == "26 Dec 2025 to 24 Jan 2026"
    assert [wording.short(value) for value in (0, 950, 1500, 20000, 3e6, 2.5)] == [
        "0",
        "950",
        "1.5k",
        "20k",
        "3M",
        "2.5",
    ]
    assert wording.dollars(1500) == "$1.5k"
    assert wording.plural(1, "call") == "1 call"
    assert wording.plural(2000, "stretch", "stretches") == "2,000 stretches"
