"""The report's headline numbers: each with what it does not include, and with the previous period where comparable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.report import calls, costs, periods, wording
from replicator.report.blocks import card, section, strong
from replicator.report.markup import Child, Markup, element, joined
from replicator.report.wording import count, percent, plural, share

if TYPE_CHECKING:
    from collections.abc import Callable

    from replicator.report.periods import Average
    from replicator.report.rows import Figures


def glance(figures: Figures) -> Markup:
    """Return the cards."""
    period = figures.period
    lead = joined(
        f"The last {plural(period.days, 'day')}, {wording.span(period.since, period.today)}, including today so far. "
        if period.days > 1
        else f"Today so far, {wording.day(period.today, with_year=True)}. ",
        "Counts and sums are compared per full day, rates directly, with ",
        f"the {plural(period.days, 'day')} before." if period.days > 1 else "the day before.",
    )
    cards = element("dl", *_calls(figures), *_durations(figures), *_costs(figures), cls="cards")
    return section("glance", "At a glance", lead, cards)


def _against(averages: tuple[Average, Average], show: Callable[[float], str]) -> Child:
    """Return the comparison of the complete days with those of the previous period."""
    now, before = averages
    if now.per_day is None:
        return "no day is complete yet"
    text = joined(show(now.per_day), " a day")
    if before.per_day is None:
        return joined(text, "; too little before to compare with")
    change = wording.change(now.per_day, before.per_day)
    days = "" if before.days == figures_days(now, before) else f" over {plural(before.days, 'day')}"
    if change is None:
        return joined(text, f"; {show(before.per_day)} before{days}")
    return joined(text, ", ", strong(change), f" from {show(before.per_day)}{days}")


def figures_days(now: Average, before: Average) -> int:
    """Return how many complete days the period before has when nothing of it is missing."""
    return now.days + 1 if before.days > now.days else now.days


def _points(now: float | None, before: float | None) -> Child:
    difference = wording.points(now, before)
    if difference is None:
        return "too little before to compare with"
    return joined(strong(difference), f" from {percent(before)}")


def _calls(figures: Figures) -> list[Markup]:
    rows, earlier = periods.split(figures.attempts, figures.period, calls.day_of)
    now, before = (
        periods.total_attempts(rows),
        periods.total_attempts(earlier if periods.is_comparable(figures) else ()),
    )
    today = sum(row.calls for row in rows if row.day == figures.period.today)
    unsettled = [f"{count(today)} so far today"]
    if now.open_calls:
        unsettled.append(f"{count(now.open_calls)} open")
    if now.unmapped_calls:
        unsettled.append(f"{count(now.unmapped_calls)} of unknown status")
    rate, rate_before = share(now.answered_calls, now.placed_calls), share(before.answered_calls, before.placed_calls)
    talk, talk_before = (
        share(now.conversations, now.terminal_calls),
        share(before.conversations, before.terminal_calls),
    )
    return [
        card(
            "Calls",
            count(now.calls),
            _against(
                periods.averages(figures, figures.attempts, calls.day_of, lambda row: row.calls),
                lambda value: f"{value:,.1f}" if value < 10 else count(value),  # noqa: PLR2004 - small averages need a digit
            ),
            ", ".join(unsettled),
        ),
        card(
            "Answer rate",
            percent(rate),
            _points(rate, rate_before),
            f"{count(now.answered_calls)} answered of {count(now.placed_calls)} placed" if now.placed_calls else None,
            "machines do not count as answered" if now.machine_calls else None,
        ),
        card(
            "Conversations",
            count(now.conversations),
            joined(f"{percent(talk)} of {count(now.terminal_calls)} over, ", _points(talk, talk_before))
            if talk is not None
            else "no call is over yet",
        ),
    ]


def _durations(figures: Figures) -> list[Markup]:
    now, before = periods.durations_of(figures)
    if now is None:
        return [card("Median duration", wording.NOTHING, "nothing measured yet")]
    change = wording.change(now.p50_seconds, before.p50_seconds) if before else None
    return [
        card(
            "Median duration",
            wording.seconds(now.p50_seconds),
            joined(strong(change), f" from {wording.seconds(before.p50_seconds)}")
            if change and before
            else "too little before to compare with",
            f"estimate; one in ten is longer than about {wording.seconds(now.p90_seconds)}; {plural(now.measured_calls, 'call')} measured",
        )
    ]


def _costs(figures: Figures) -> list[Markup]:
    rows, earlier = periods.split(figures.costs, figures.period, costs.day_of)
    now, before = periods.total_costs(rows), periods.total_costs(earlier if periods.is_comparable(figures) else ())
    pending = (
        f"{plural(now.pending_calls, 'call')} {'has' if now.pending_calls == 1 else 'have'} no cost yet; the total will probably rise" if now.pending_calls else f"of {plural(now.known_calls, 'call')}" if now.calls else ""
    )  # fmt: skip
    if now.given_up_calls:
        pending += f"; {plural(now.given_up_calls, 'cost')} never came"
    if now.implausible_calls:
        pending += f"; {count(now.implausible_calls)} implausible, left out"
    minute, minute_before = (costs.ratio(one.timed_cost_usd, one.timed_minutes) for one in (now, before))
    loaded, loaded_before = (costs.ratio(one.cost_usd, one.conversations) for one in (now, before))
    direct = costs.ratio(now.conversation_cost_usd, now.known_conversations)
    state = "" if now.is_final or not rows else "; not final"
    return [
        card(
            "Known cost",
            wording.money(now.cost_usd),
            _against(
                periods.averages(figures, figures.costs, costs.day_of, lambda row: float(row.cost_usd or 0)),
                lambda value: f"${value:,.2f}",
            ),
            f"{pending}{state}" or None,
            title=wording.exact(now.cost_usd),
        ),
        card(
            "Cost per minute",
            wording.money(minute),
            _ratio(minute, minute_before),
            f"over {now.timed_minutes:,.0f} min of calls whose cost is known" if now.timed_minutes else None,
            title=wording.exact(minute),
        ),
        card(
            "Cost per conversation",
            wording.money(loaded),
            _ratio(loaded, loaded_before),
            joined(
                "including failed attempts; ",
                element("span", wording.money(direct), title=wording.exact(direct)),
                " without them",
            )
            if loaded is not None
            else None,
            title=wording.exact(loaded),
        ),
        _month(figures),
    ]  # fmt: skip


def _ratio(now: object, before: object) -> Child:
    if now is None:
        return "no cost is known yet"
    if before is None:
        return "too little before to compare with"
    change = wording.change(float(str(now)), float(str(before)))
    return joined(strong(change or "—"), f" from {wording.money(before)}") if change else None  # type: ignore[arg-type]


def _month(figures: Figures) -> Markup:
    today = figures.period.today
    this = next((row for row in figures.months if row.month == today.replace(day=1)), None)
    last = next((row for row in figures.months if row.month != today.replace(day=1)), None)
    name = f"{today:%B} so far"
    if this is None:
        return card(name, wording.NOTHING, "no call ended this month yet")
    comparison = (
        f"{wording.money(last.cost_to_this_day_usd)} by day {today.day} of {last.month:%B}, {wording.money(last.cost_usd)} in all of it"
        if last
        else "too little before to compare with"
    )  # fmt: skip
    pending = f"{plural(this.pending_calls, 'cost')} not known yet; " if this.pending_calls else ""
    return card(
        name, wording.money(this.cost_usd), comparison, f"{pending}the month is not over", title=wording.exact(this.cost_usd)
    )  # fmt: skip


__all__ = ["glance"]
