"""The known traps of comparing money, one test each, and what fits two answers stays open."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from replicator.reconcile import matching, months
from replicator.reconcile.bridge import StepCode, bridge, is_open, is_whole
from replicator.reconcile.classes import CLASSES, Class, Note, Rule
from replicator.reconcile.lines import Line
from replicator.reconcile.sides import Item, OurCall, Terms

pytestmark = pytest.mark.pure

OCTOBER = months.month("2026-10", UTC)
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def call(
    number: int, cost: str | None = "0.10", *, start: datetime = NOON, seconds: int = 60, **others: object
) -> OurCall:
    made = OurCall(
        UUID(int=number), None if cost is None else Decimal(cost), "pending" if cost is None else "known", start, start,
        start + timedelta(seconds=seconds), seconds, "+4930100", f"+491700{number:06d}", "outbound",
    )  # fmt: skip
    return replace(made, **others)  # type: ignore[arg-type]


def line(ours: OurCall, number: int, amount: str | None, *, by_id: bool = True, **others: object) -> tuple[int, Line]:
    made = Line(
        number, f"L{number}", ours.id if by_id else None, None, ours.started_at, ours.duration_seconds, ours.from_number,
        ours.phone_number, ours.direction, None if amount is None else Decimal(amount),
    )  # fmt: skip
    return 1, replace(made, **others)  # type: ignore[arg-type]


def match(
    lines: list[tuple[int, Line]], calls: list[OurCall], month: months.Month = OCTOBER, **terms: object
) -> list[Item]:
    items = matching.in_order(matching.match(lines, calls, month, Terms(**terms)))  # type: ignore[arg-type]
    ours = sum((one.amount or Decimal(0) for one in calls if month.holds(one.billed_at)), Decimal(0))
    assert is_whole(bridge(items, ours, len(calls)))
    return items


def kinds(items: list[Item]) -> Counter[Class]:
    return Counter(item.kind for item in items)


def test_a_list_price_and_a_discount_add_up_to_the_price_paid() -> None:
    """The lines are dearer than our costs, the discount is no call, and the bridge ends at the sum of both."""
    calls = [call(n) for n in range(10)]
    lines = [line(one, n, "0.20") for n, one in enumerate(calls)]
    lines.append((1, Line(99, amount=Decimal("-1.00"), kind="discount")))
    items = match(lines, calls)
    assert kinds(items) == {Class.RATE_DIFFERS: 10, Class.NOT_A_CALL: 1}
    steps = {step.code: step for step in bridge(items, Decimal("1.00"), 10)}
    assert (steps[StepCode.RATE].amount, steps[StepCode.NOT_A_CALL].amount) == (Decimal("1.00"), Decimal("-1.00"))
    assert steps[StepCode.STATEMENT_TOTAL].amount == Decimal("1.00")


def test_the_legs_of_a_transferred_call_are_parts_of_it() -> None:
    """Two lines that together are the call's cost are no duplicates; a leg without a price yet waits."""
    ours = call(1, "0.30")
    items = match([line(ours, 2, "0.20"), line(ours, 3, "0.10", duration_seconds=20)], [ours])
    assert [(item.kind, item.note) for item in items] == [(Class.EXACT, Note.PART_OF_CALL)] * 2
    assert sum(item.ours for item in items) == Decimal("0.30")
    (waits,) = match([line(ours, 2, None)], [ours])
    assert (waits.kind, waits.note, waits.delta) == (Class.COST_PENDING, Note.NOT_PRICED, Decimal("-0.30"))


def test_a_deleted_call_is_billed_and_keeps_its_cost() -> None:
    """Deletion takes nothing back: with the right amount it is a class of its own, with a wrong one it is disputed."""
    gone = call(1, is_deleted=True)
    assert kinds(match([line(gone, 2, "0.10")], [gone])) == {Class.DELETED_BUT_BILLED: 1}
    (wrong,) = match([line(gone, 2, "0.50")], [gone])
    assert (wrong.kind, wrong.note) == (Class.RATE_DIFFERS, Note.DELETED)


def test_a_month_is_half_open() -> None:
    """A call that ends at the first instant of November is November's, one a microsecond before is October's."""
    first, last = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    assert [OCTOBER.holds(at) for at in (first, first - timedelta(microseconds=1), last, last - timedelta(microseconds=1))] == [
        True, False, False, True,
    ]  # fmt: skip
    ends = call(1, start=last - timedelta(seconds=60))
    assert kinds(match([line(ends, 2, "0.10")], [ends])) == {Class.PERIOD_BOUNDARY: 1}
    assert match([], [ends]) == []


def test_the_statement_has_a_zone_of_its_own() -> None:
    """A call on our last evening of October is November's in Auckland: no line is expected for it, and it is not lost."""
    month = months.month("2026-10", UTC, ZoneInfo("Pacific/Auckland"))
    evening = call(1, start=datetime(2026, 10, 31, 20, tzinfo=UTC))
    assert kinds(match([], [evening], month)) == {Class.PERIOD_BOUNDARY: 1}
    assert kinds(match([], [evening])) == {Class.ONLY_IN_REPLICA: 1}


def test_credits_with_a_changing_value_are_never_added_to_dollars() -> None:
    """The line finds its call, and counts for nothing in the statement's sum."""
    ours = call(1)
    (item,) = match([line(ours, 2, "10", currency="CRD")], [ours])
    assert (item.kind, item.call, item.theirs) == (Class.OTHER_CURRENCY, ours.id, 0)


def test_many_small_amounts_do_not_drift() -> None:
    """Ten thousand times a tenth of a cent is ten dollars, not 9.999999999999831."""
    calls = [call(n, "0.001") for n in range(10_000)]
    items = match([line(one, n, "0.001") for n, one in enumerate(calls)], calls)
    assert bridge(items, Decimal("10.000"), 10_000)[-1].amount == Decimal(10)


def test_a_free_test_call_is_shown_and_not_taken_for_an_unbilled_one() -> None:
    """It connected and costs nothing: neither an error of the statement nor exact."""
    free = call(1, "0")
    assert kinds(match([], [free])) == {Class.ZERO_COST_CONNECTED: 1}


def test_a_call_is_billed_by_one_month_only() -> None:
    """A line about a call that another month's statement bills already is billed again."""
    ours = call(1, start=datetime(2026, 9, 30, 23, tzinfo=UTC), billed_in="2026-09")
    (item,) = match([line(ours, 2, "0.10")], [ours])
    assert (item.kind, item.note, item.delta) == (Class.DUPLICATE_LINE, Note.BILLED_BEFORE, Decimal("0.10"))


@pytest.mark.parametrize(
    ("amount", "kind"),
    [("-0.02", Class.LATE_ADJUSTMENT), ("0.03", Class.LATE_ADJUSTMENT), ("0.10", Class.DUPLICATE_LINE), ("0.50", Class.DUPLICATE_LINE)],
)  # fmt: skip
def test_a_correction_of_the_last_month_is_no_second_bill(amount: str, kind: Class) -> None:
    """A line for a call that September bills asks for it again only where it asks for its cost, or for more."""
    ours = call(1, start=datetime(2026, 9, 10, tzinfo=UTC), billed_in="2026-09")
    (item,) = match([line(ours, 2, amount)], [ours])
    assert (item.kind, item.note) == (kind, Note.BILLED_BEFORE)
    assert is_open(item.kind, item.note) is (kind is Class.DUPLICATE_LINE)


def test_a_call_of_another_month_that_no_statement_bills_waits_for_a_person() -> None:
    """Nobody knows whether it was billed before; in two parts that are its cost, it is the same."""
    ours = call(1, start=datetime(2026, 8, 10, tzinfo=UTC))
    for lines in ([line(ours, 2, "0.10")], [line(ours, 2, "0.04"), line(ours, 3, "0.06")]):
        items = match(lines, [ours])
        assert {(item.kind, item.note) for item in items} == {(Class.LATE_ADJUSTMENT, Note.ANOTHER_MONTH)}
        assert all(is_open(item.kind, item.note) for item in items)
    before = replace(ours, billed_in="2026-08")
    again = match([line(before, 2, "0.04"), line(before, 3, "0.06")], [before])
    assert kinds(again) == {Class.DUPLICATE_LINE: 2}


def test_a_cost_that_was_given_up_is_not_waited_for() -> None:
    """Billed, it is an open difference; not billed, nothing is left to do."""
    ours = call(1, None, cost_state="given_up")
    (billed,) = match([line(ours, 2, "0.10")], [ours])
    assert (billed.kind, billed.note) == (Class.RATE_DIFFERS, Note.GIVEN_UP)
    (alone,) = match([], [ours])
    assert (alone.kind, alone.note) == (Class.EXACT, Note.GIVEN_UP)


def test_what_fits_two_calls_stays_open_with_its_candidates() -> None:
    """Two calls to the same number a minute apart, and one line between them: a person decides."""
    near = [
        call(n, start=NOON + timedelta(seconds=n * 60), phone_number="+4915", amount=Decimal("0.10")) for n in range(2)
    ]
    stated = line(near[0], 2, "0.10", by_id=False, started_at=NOON + timedelta(seconds=30))
    items = match([stated], near)
    assert kinds(items) == {Class.ONLY_ON_STATEMENT: 1, Class.ONLY_IN_REPLICA: 2}
    opened = items[0]
    assert (opened.note, set(opened.candidates)) == (Note.AMBIGUOUS, {str(one.id) for one in near})
    assert {item.candidates for item in items[1:]} == {("1:2",)}
    decided = matching.match([stated], near, OCTOBER, Terms(), {(1, 2): near[1].id})
    assert {(item.kind, item.rule) for item in decided} == {
        (Class.EXACT, Rule.ASSIGNED),
        (Class.ONLY_IN_REPLICA, Rule.NONE),
    }


def test_a_line_of_an_unknown_call_is_not_given_to_another_one() -> None:
    """It names a call that we do not have: the call that looks like it stays without a line."""
    ours = call(1)
    items = match([line(ours, 2, "0.10", call_id=UUID(int=99))], [ours])
    assert [(item.kind, item.note) for item in items] == [
        (Class.ONLY_ON_STATEMENT, Note.UNKNOWN_CALL), (Class.ONLY_IN_REPLICA, None),
    ]  # fmt: skip


def test_a_line_for_a_day_is_compared_with_the_sum_of_its_calls() -> None:
    """By agent where the description names one, and each call is in one sum only."""
    agents = [UUID(int=500 + n) for n in range(2)]
    calls = [
        call(n, start=NOON + timedelta(days=n % 3, minutes=n), agent_id=agents[n % 2]) for n in range(30)
    ]  # fmt: skip
    lines = []
    for day in range(3):
        for agent in agents:
            own = [one for n, one in enumerate(calls) if n % 3 == day and one.agent_id == agent]
            amount = sum((one.amount or Decimal(0) for one in own), Decimal(0)) + (Decimal("0.30") if day == 2 else 0)
            midnight = datetime(2026, 10, 5 + day, tzinfo=UTC)
            lines.append((1, Line(len(lines), started_at=midnight, amount=amount, description=f"Agent {agent}")))
    items = match(lines, calls)
    assert kinds(items) == {Class.EXACT: 4, Class.RATE_DIFFERS: 2}
    assert {item.rule for item in items} == {Rule.SUM_OF_DAY}
    assert sorted(one for item in items for one in item.calls) == sorted(one.id for one in calls)
    whole = [(1, Line(1, amount=Decimal("3.01"), description="Usage of October"))]
    (month,) = match(whole, calls)
    assert (month.kind, month.rule, len(month.calls)) == (Class.WITHIN_TOLERANCE, Rule.SUM_OF_PERIOD, 30)


def test_a_line_that_says_nothing_swallows_no_calls() -> None:
    """A rental or a platform fee that is called usage is no sum of calls without a line, however alike the amounts are."""
    open_call, billed = call(1), call(2, start=NOON + timedelta(days=1))
    items = match(
        [line(billed, 2, "0.10"), (1, Line(3, amount=Decimal("0.14"), description="Number rental"))],
        [open_call, billed],
    )
    assert kinds(items) == {Class.EXACT: 1, Class.ONLY_ON_STATEMENT: 1, Class.ONLY_IN_REPLICA: 1}
    calls = [call(n, start=NOON + timedelta(minutes=n)) for n in range(10, 130)]
    fee = (1, Line(3, amount=Decimal("19.00"), description="Platform"))
    items = match([line(billed, 2, "0.10"), fee], [billed, *calls])
    assert kinds(items) == {Class.EXACT: 1, Class.ONLY_ON_STATEMENT: 1, Class.ONLY_IN_REPLICA: 120}
    rest = (1, Line(3, amount=Decimal("12.00"), description="Other calls"))
    items = match([line(billed, 2, "0.10"), rest], [billed, *calls])
    assert kinds(items) == {Class.EXACT: 2}
    two = [line(billed, 2, "0.10"), rest, (1, Line(4, amount=Decimal("12.00"), description="Rental"))]
    assert kinds(match(two, [billed, *calls]))[Class.ONLY_IN_REPLICA] == 120
    # The whole month as one line is compared, whatever it asks for.
    assert kinds(match([fee], calls)) == {Class.RATE_DIFFERS: 1}


def test_a_line_with_another_number_is_not_this_call() -> None:
    """The same called number at the same time, and another caller: both sides say so, and nothing is matched. Where a side
    does not say it, the call is found.
    """
    ours = call(1)
    for other in ({"from_number": "+4930999"}, {"phone_number": "+49170777777"}):
        items = match([line(ours, 2, "0.30", by_id=False, **other)], [ours])
        assert kinds(items) == {Class.ONLY_ON_STATEMENT: 1, Class.ONLY_IN_REPLICA: 1}
    for other in ({"from_number": None}, {"phone_number": None}, {"from_number": "anonymous"}):
        (item,) = match([line(ours, 2, "0.10", by_id=False, **other)], [ours])
        assert (item.kind, item.rule) == (Class.EXACT, Rule.LOOSE)
    hidden = replace(ours, from_number=None)
    (item,) = match([line(ours, 2, "0.10", by_id=False)], [hidden])
    assert (item.kind, item.rule) == (Class.EXACT, Rule.LOOSE)


def test_a_total_beyond_the_lines_is_shown() -> None:
    """What the statement says of itself, and no line has, is a step."""
    ours = call(1)
    items = match([line(ours, 2, "0.10")], [ours])
    steps = {step.code: step for step in bridge(items, Decimal("0.10"), 1, Decimal("0.13"))}
    assert steps[StepCode.NOT_ON_LINES].amount == Decimal("0.03")
    assert steps[StepCode.STATEMENT_TOTAL].amount == Decimal("0.13")


def test_the_page_explains_each_class_in_the_programs_words() -> None:
    """docs/money.md has each class with its meaning and what to do."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "money.md").read_text(encoding="utf-8")
    assert set(CLASSES) == set(Class)
    for kind, about in CLASSES.items():
        assert f"| `{kind.value}` | {about.meaning} | {about.advice} |" in text
