"""The report's section about cost: what is known, what is still expected, what changed later, and the current month.

Sums are exact decimals; floats are used for pixels only. An unknown cost is never zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.report import periods, plots, wording
from replicator.report.axis import labels, names
from replicator.report.blocks import Column, empty, figure, paragraph, section, strong, table
from replicator.report.markup import Child, Markup, element, joined
from replicator.report.plots import Canvas, Chart, Series
from replicator.report.wording import count, percent, plural, share

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from decimal import Decimal

    from replicator.report.money_rows import BudgetLine
    from replicator.report.rows import Adjustment, Costs, Figures, Month


def day_of(row: Costs) -> date:
    return row.day


def amount(value: Decimal | None) -> Markup:
    """Return an amount; its tooltip has all digits."""
    return element("span", wording.money(value), title=wording.exact(value))


def ratio(numerator: Decimal | None, denominator: float) -> Decimal | None:
    """Return dollars per something, or None where there is nothing to divide by."""
    return None if numerator is None or not denominator else numerator / type(numerator)(str(denominator))


def expected(row: Costs) -> int:
    """Return the calls that have a cost, or should get one."""
    return row.known_calls + row.pending_calls + row.implausible_calls


def cost(figures: Figures) -> Markup:
    """Return the cost by day of the end."""
    size = figures.period.bucket
    lead = f"In US dollars, by {size} of a call's end. Calls of every status can have a cost; costs that are not known yet are counted, never taken as zero."
    rows, _ = periods.split(figures.costs, figures.period, day_of)
    if not rows:
        return section("cost", "Cost", lead, empty("No call ended in this period."))
    places = periods.buckets(figures.period, figures.facts.first_day)
    sums = [periods.total_costs(periods.within(rows, place, day_of)) for place in places]
    full, all_ = names(places, size), periods.total_costs(rows)
    unfinished = frozenset(n for n, row in enumerate(sums) if row.calls and not row.is_final)
    shown = [float(row.cost_usd or 0) for row in sums]
    chart = Chart(
        name="cost",
        title=f"Known cost by {size}",
        description=f"Bars; {wording.money(all_.cost_usd)} are known over the period, and the cost of "
        f"{plural(all_.pending_calls, 'call')} is still to come.",
        labels=labels(places, size),
        series=[Series("known cost", "s0", shown)],
        tick=wording.dollars,
        tips=[_tip(full[n], row) for n, row in enumerate(sums)],
        partial=unfinished,
        wide=Canvas(860, 220),
    )
    key = [("s0", "known cost, final", False), ("s0", "known cost, not final", True)]
    caption = (
        "Hatched: not final, because the day is not over, calls are open or not settled "
        f"({figures.facts.settle_hours} h after their end), or a cost is still expected (until {figures.facts.cost_give_up_days} "
        "days after the end)."
    )
    numbers = _table(figures, places, sums, full)
    return section(
        "cost",
        "Cost",
        lead,
        figure(plots.bars(chart), caption, numbers, key if unfinished else ()),
        _pending(figures, sums, full, labels(places, size)),
        element("h3", "By month"),
        _months(figures.months, figures),
        _adjusted(figures.adjustments),
        _budgets(figures.budgets),
    )


def _tip(name: str, row: Costs) -> str:
    state = "final" if row.is_final else "not final"
    if not row.calls:
        return f"{name}: no call ended"
    return (
        f"{name}: {wording.exact(row.cost_usd)} of {plural(row.known_calls, 'call')}, {count(row.pending_calls)} pending, {state}"
    )  # fmt: skip


def _pending(figures: Figures, sums: Sequence[Costs], full: Sequence[str], below: Sequence[str]) -> Markup | None:
    if not any(row.pending_calls for row in sums):
        return paragraph("No cost of this period is pending.", cls="note")
    size = figures.period.bucket
    shares = [share(row.pending_calls, expected(row)) for row in sums]
    total = sum(row.pending_calls for row in sums)
    whole = sum(expected(row) for row in sums)
    chart = Chart(
        name="pending",
        title=f"Share of costs that are pending, by {size}",
        description=f"Bars; {count(total)} of {plural(whole, 'call')} that should have a cost have none yet.",
        labels=below,
        series=[Series("pending", "s1", [100 * (value or 0.0) for value in shares])],
        tick=lambda value: f"{value:g} %",
        tips=[
            f"{full[n]}: {count(row.pending_calls)} of {count(expected(row))} pending ({percent(shares[n])})"
            for n, row in enumerate(sums)
        ],
        wide=Canvas(860, 120),
        narrow=Canvas(340, 120, left=40, right=22),
    )
    cells: list[list[Child]] = [
        [full[n], count(row.pending_calls), count(expected(row)), percent(shares[n])]
        for n, row in reversed([*enumerate(sums)])
        if row.calls
    ]
    numbers = table(
        f"Pending costs by {size}",
        [Column(size.title(), is_number=False), Column("Pending"), Column("Calls with a cost expected"), Column("Share")],
        cells,
        ["All", count(total), count(whole), percent(share(total, whole))],
    )  # fmt: skip
    caption = (
        f"{count(total)} of {plural(whole, 'call')} that should have a cost have none yet. A cost that is not there "
        f'{figures.facts.cost_give_up_days} days after the end counts as "never came" and no longer keeps its day from being final.'
    )
    return joined(element("h3", "Costs that are pending"), figure(plots.bars(chart), caption, numbers))


def _table(
    figures: Figures, places: Sequence[periods.Bucket], sums: Sequence[Costs], full: Sequence[str]
) -> Markup:  # fmt: skip
    size = figures.period.bucket
    cells: list[list[Child]] = []
    for number, row in reversed([*enumerate(sums)]):
        if row.calls:
            since, until = places[number].since, places[number].until
            moved = [one for one in figures.adjustments if since <= one.day <= until]
            cells.append([full[number], *_cells(row, moved)])
    all_ = periods.total_costs(sums)
    columns = [
        Column(size.title(), is_number=False), Column("Calls"), Column("Cost known"), Column("Pending"),
        Column("Never came"), Column("None expected"), Column("Implausible"), Column("Known cost"), Column("Per minute"),
        Column("Per conversation, alone"), Column("with failed attempts"), Column("Adjusted"), Column("State", is_number=False),
    ]  # fmt: skip
    return table(f"Cost by {size} of the end", columns, cells, ["All", *_cells(all_, figures.adjustments)])


def _cells(row: Costs, moved: Sequence[Adjustment]) -> list[Child]:
    adjusted = sum(one.adjusted_calls for one in moved)
    difference = sum((one.adjustment_usd for one in moved[1:]), moved[0].adjustment_usd) if moved else None
    return [
        count(row.calls),
        count(row.known_calls),
        count(row.pending_calls),
        count(row.given_up_calls),
        count(row.not_expected_calls),
        count(row.implausible_calls),
        # In the table the exact amount can be read without a pointer.
        wording.exact(row.cost_usd).removesuffix(" US dollars"),
        amount(ratio(row.timed_cost_usd, row.timed_minutes)),
        amount(ratio(row.conversation_cost_usd, row.known_conversations)),
        amount(ratio(row.cost_usd, row.conversations)),
        joined(f"{count(adjusted)}: ", amount(difference)) if adjusted else wording.NOTHING,
        "final" if row.is_final else "not final",
    ]


def _months(rows: Sequence[Month], figures: Figures) -> Markup:
    today, closed = figures.period.today, {row.period for row in figures.closes}
    cells: list[list[Child]] = []
    for row in rows:
        is_this = (row.month.year, row.month.month) == (today.year, today.month)
        cells.append(
            [
                f"{row.month:%B %Y}" + (f", to {wording.day(today)}" if is_this else ""),
                count(row.calls),
                count(row.known_calls),
                count(row.pending_calls),
                count(row.given_up_calls),
                amount(row.cost_usd),
                amount(row.cost_to_this_day_usd),
                "closed" if f"{row.month:%Y-%m}" in closed else "final" if row.is_final else "not final",
            ]
        )
    columns = [
        Column("Month", is_number=False), Column("Calls"), Column("Cost known"), Column("Pending"), Column("Never came"),
        Column("Known cost"),
        Column(f"Up to day {today.day}"), Column("State", is_number=False),
    ]  # fmt: skip
    return table("Cost by the month in which calls ended", columns, cells)


def _adjusted(rows: Sequence[Adjustment]) -> Markup:
    if not rows:
        return paragraph(
            "No known cost of this period was seen to change. Several changes between two checks may be recorded as one.",
            cls="note",
        )
    total = sum((row.adjustment_usd for row in rows[1:]), rows[0].adjustment_usd)
    return paragraph(
        f"The cost of {plural(sum(row.adjusted_calls for row in rows), 'call')} of this period changed after it was known, by ",
        amount(total),
        " in all; the sums above include this.",
        cls="note",
    )


def _budgets(rows: Sequence[BudgetLine]) -> Markup | None:
    """Return the budgets that run, if there are any, with those that are or will be exceeded."""
    if not rows:
        return None
    words = {"passed": "exceeded", "will_be_passed": "will be exceeded", "within": "within"}
    cells: list[list[Child]] = [
        [
            row.period,
            f"{row.scope} {row.scope_value}".strip(),
            amount(row.budget_usd),
            amount(row.spent_usd),
            amount(row.forecast_usd),
            strong(words[row.state]) if row.state != "within" else words[row.state],
        ]
        for row in rows
    ]
    columns = [
        Column("Month", is_number=False), Column("For", is_number=False), Column("Budget"), Column("Known cost so far"),
        Column("Forecast for the month"), Column("State", is_number=False),
    ]  # fmt: skip
    return joined(element("h3", "Budgets"), table("Budgets of this and later months", columns, cells))


__all__ = ["amount", "cost", "ratio"]
