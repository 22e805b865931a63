"""The report's sections about calls: how many, how they ended, when, by which agent, and what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.report import periods, plots, wording
from replicator.report.axis import labels, names, partial
from replicator.report.blocks import Column, empty, figure, folded, of, paragraph, section, table
from replicator.report.markup import Child, Markup, element, joined, source_text
from replicator.report.plots import Chart, Series
from replicator.report.wording import count, percent, plural, share

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from replicator.report.rows import Agent, Attempts, Figures
    from replicator.report.wording import Clock

HATCHED = ("s4", "not complete: cut off, or not over yet", True)
STAGES = {
    "open": "open", "answered": "answered", "machine": "answered by a machine", "not_answered": "not answered",
    "busy": "busy", "not_placed": "not placed", "cancelled": "cancelled", "unmapped": "unknown",
}  # fmt: skip


def day_of(row: Attempts) -> date:
    return row.day


def volume(figures: Figures) -> Markup:
    """Return how many calls were created, by direction."""
    size = figures.period.bucket
    rows, _ = periods.split(figures.attempts, figures.period, day_of)
    lead = f"Calls by {size} of creation and direction; a call is one attempt, not one person."
    if not rows:
        return section("volume", "Volume", lead, empty("No call was created in this period."))
    places = periods.buckets(figures.period, figures.facts.first_day)
    present = [one for one in periods.DIRECTIONS if any(row.direction == one for row in rows)]
    sums = {
        one: [sum(row.calls for row in periods.within(rows, place, day_of) if row.direction == one) for place in places]
        for one in present
    }
    totals = [sum(values) for values in zip(*sums.values(), strict=True)]
    full = names(places, size)
    chart = Chart(
        name="volume",
        title=f"Calls by {size}",
        description=f"Stacked bars, {wording.span(figures.period.since, figures.period.today)}: "
        f"{plural(sum(totals), 'call')}, at most {count(max(totals))} in a {size}.",
        labels=labels(places, size),
        series=[Series(one, f"s{periods.DIRECTIONS.index(one)}", sums[one]) for one in present],
        tick=wording.short,
        tips=[
            f"{full[n]}: {plural(totals[n], 'call')}: " + ", ".join(f"{one} {count(sums[one][n])}" for one in present)
            for n in range(len(places))
        ],
        partial=partial(places),
        steps=(1.0, 2.0) if max(totals) <= 10 else (),  # noqa: PLR2004 - whole calls
    )
    cells = [
        [full[n], *(count(sums[one][n]) for one in present), count(totals[n])] for n in reversed(range(len(places)))
    ]
    numbers = table(
        f"Calls by {size} of creation",
        [Column(size.title(), is_number=False), *(Column(one.title()) for one in present), Column("All")],
        cells,
        ["All", *(count(sum(sums[one])) for one in present), count(sum(totals))],
    )
    key = [(f"s{periods.DIRECTIONS.index(one)}", one, False) for one in present]
    hatched = [HATCHED] if partial(places) else []
    caption = "A hatched bar is not complete: today is not over, and a week or month may be cut off by the period."
    return section("volume", "Volume", lead, figure(plots.bars(chart), caption, numbers, [*key, *hatched]))


def funnel(figures: Figures) -> Markup:
    """Return the stages with their rates, each with its numerator and its denominator."""
    rows, _ = periods.split(figures.attempts, figures.period, day_of)
    lead = "Where calls end. Rates are of calls that are over with a known status: an open call is not a failure."
    if not rows:
        return section("funnel", "Status funnel", lead, empty("No call was created in this period."))
    all_ = periods.total_attempts(rows)
    stages: list[tuple[str, int, int | None, int]] = [
        ("All calls", all_.calls, None, 0),
        ("open, or going on", all_.open_calls, all_.calls, 1),
        ("with an unknown status", all_.unmapped_calls, all_.calls, 1),
        ("over", all_.terminal_calls, all_.calls, 1),
        ("not placed", all_.not_placed_calls, all_.terminal_calls, 2),
        ("cancelled", all_.cancelled_calls, all_.terminal_calls, 2),
        ("placed", all_.placed_calls, all_.terminal_calls, 2),
        ("busy", all_.busy_calls, all_.placed_calls, 3),
        ("not answered", all_.not_answered_calls, all_.placed_calls, 3),
        ("answered by a machine", all_.machine_calls, all_.placed_calls, 3),
        ("answered", all_.answered_calls, all_.placed_calls, 3),
        ("Conversations", all_.conversations, all_.terminal_calls, 0),
    ]
    cells: list[list[Child]] = []
    for name, calls, whole, depth in stages:
        part = share(calls, whole)
        bar = plots.meter(share(calls, all_.calls), "s2" if name in {"answered", "Conversations"} else "s0")
        label: Child = element("span", name, cls=f"d{depth}") if depth else name
        rate: Child = percent(part) if whole is not None else ""
        basis: Child = of(count(calls), count(whole)) if whole is not None else ""
        cells.append([label, count(calls), rate, basis, bar])
    columns = [
        Column("Stage", is_number=False),
        Column("Calls"),
        Column("Rate"),
        Column("Of", is_number=True),
        Column("Of all calls", is_number=False, cls="bar"),
    ]
    stale = (
        f"{plural(all_.stale_open_calls, 'call that is not over', 'calls that are not over')} began more than {figures.facts.stale_open_hours} h ago: the end was "
        "probably lost at the source. "
        if all_.stale_open_calls
        else ""
    )
    return section(
        "funnel",
        "Status funnel",
        lead,
        table("Stages, by day of creation", columns, cells),
        paragraph(f"{stale}A voicemail that was not recognised as one counts as answered.", cls="note"),
        _words(figures),
    )


def _words(figures: Figures) -> Markup:
    rows: list[list[Child]] = []
    for row in figures.statuses:
        name: Child = source_text(row.name) if row.members == 1 or row.name else f"{count(row.members)} others"
        stage = STAGES.get(row.stage or "", row.stage or "")
        rows.append([name, stage, count(row.calls)])
    numbers = table(
        "The source's status words, and the stages they count as",
        [Column("Word", is_number=False, cls="wrap"), Column("Counted as", is_number=False), Column("Calls")],
        rows,
        ["All", "", count(sum(row.calls for row in figures.statuses))],
    )
    return folded("The source's own status words", numbers)


def hours(figures: Figures) -> Markup:
    """Return when calls are created, as weekday by hour."""
    lead = f"Calls created, by weekday and hour in {figures.facts.time_zone}."
    if not figures.hours:
        return section("hours", "When", lead, empty("No call was created in this period."))
    found = {(row.weekday, row.hour): row for row in figures.hours}
    values = [[found[day, hour].calls if (day, hour) in found else 0 for hour in range(24)] for day in range(1, 8)]
    tips: list[list[str]] = []
    for day, weekday in enumerate(wording.WEEKDAYS, 1):
        tips.append([])
        for hour in range(24):
            row, when = found.get((day, hour)), f"{weekday} {hour:02d}:00 to {hour:02d}:59"
            answered = "" if row is None or not row.placed_calls else (
                f", {count(row.answered_calls)} of {count(row.placed_calls)} placed were answered"
            )  # fmt: skip
            tips[-1].append(f"{when}: {plural(row.calls if row else 0, 'call')}{answered}")
    busiest = max(figures.hours, key=lambda row: row.calls)
    title = "Calls by weekday and hour"
    chart = plots.heat(
        "hours", title,
        f"A grid of seven weekdays and 24 hours. The busiest is {wording.WEEKDAYS[busiest.weekday - 1]} {busiest.hour:02d}:00 "
        f"with {plural(busiest.calls, 'call')}.",
        wording.WEEKDAYS, [f"{hour:02d}" for hour in range(24)], values, tips,
    )  # fmt: skip
    cells: list[list[Child]] = [
        [f"{hour:02d}:00", *(count(values[day][hour]) for day in range(7)), count(sum(values[day][hour] for day in range(7)))]
        for hour in range(24)
    ]  # fmt: skip
    numbers = table(
        title,
        [Column("Hour", is_number=False), *(Column(day) for day in wording.WEEKDAYS), Column("All")],
        cells,
        ["All", *(count(sum(row)) for row in values), count(sum(map(sum, values)))],
    )
    caption = f"Sums over {plural(figures.period.days, 'day')}; some weekdays occur more often than others, and today is not over. A stronger colour means more calls."
    return section("hours", "When", lead, figure(chart, caption, numbers))


def agents(figures: Figures) -> Markup:
    """Return the busiest agents and campaigns. All others are one line, so that the sums are those of the page."""
    lead = "Attempts by day of creation, talk by day of the start, cost by day of the end: the totals match the sections above."
    if not figures.agents:
        return section("agents", "Agents and campaigns", lead, empty("No agent had a call in this period."))
    return section(
        "agents",
        "Agents and campaigns",
        lead,
        element("h3", "Agents"),
        _agents(figures.agents),
        element("h3", "Campaigns"),
        _campaigns(figures),
        paragraph(
            "The source names agents by their id only: `replicator names import` gives them names. A campaign is "
            "context.campaign_id; if a call's campaign changes, the call is counted under the new one.",
            cls="note",
        ),
    )


def _agents(rows: Sequence[Agent]) -> Markup:
    most = max((row.calls for row in rows), default=0)
    cells: list[list[Child]] = []
    for row in rows:
        name: Child = (
            element("span", source_text(row.title), title=row.name) if row.title
            else element("code", f"{row.name[:8]}…{row.name[-4:]}", title=row.name) if row.name
            else "no agent" if row.members == 1 else f"{count(row.members)} others"
        )  # fmt: skip
        cells.append([name, *_agent_cells(row), plots.meter(share(row.calls, most))])
    sums = {
        field: sum(getattr(row, field) for row in rows)
        for field in ("calls", "placed_calls", "answered_calls", "conversations", "duration_seconds", "pending_calls")
    }
    known = [row.cost_usd for row in rows if row.cost_usd is not None]
    cost = sum(known[1:], known[0]) if known else None
    foot: list[Child] = [
        "All",
        count(sums["calls"]),
        percent(share(sums["answered_calls"], sums["placed_calls"])),
        of(count(sums["answered_calls"]), count(sums["placed_calls"])),
        count(sums["conversations"]),
        wording.seconds(sums["duration_seconds"]),
        element("span", wording.money(cost), title=wording.exact(cost)),
        count(sums["pending_calls"]),
        "",
    ]
    columns = [
        Column("Agent", is_number=False), Column("Calls"), Column("Answered"), Column("of placed"), Column("Conversations"),
        Column("Talk"), Column("Known cost"), Column("Cost pending"), Column("Calls, compared", is_number=False, cls="bar"),
    ]  # fmt: skip
    return table("Agents, the busiest first", columns, cells, foot)


def _agent_cells(row: Agent) -> list[Child]:
    return [
        count(row.calls),
        percent(share(row.answered_calls, row.placed_calls)),
        of(count(row.answered_calls), count(row.placed_calls)),
        count(row.conversations),
        wording.seconds(row.duration_seconds) if row.measured_calls else wording.NOTHING,
        element("span", wording.money(row.cost_usd), title=wording.exact(row.cost_usd)),
        count(row.pending_calls),
    ]


def _campaigns(figures: Figures) -> Markup:
    rows = figures.campaigns
    most = max((row.calls for row in rows), default=0)
    cells: list[list[Child]] = []
    for row in rows:
        name: Child = (
            source_text(row.title or row.name, none="no campaign")
            if row.members == 1
            else f"{count(row.members)} others"
        )
        cells.append(
            [
                name, count(row.calls), percent(share(row.answered_calls, row.placed_calls)),
                of(count(row.answered_calls), count(row.placed_calls)), count(row.machine_calls), count(row.conversations),
                percent(share(row.conversations, row.terminal_calls)),
                element("span", wording.money(row.cost_usd), title=wording.exact(row.cost_usd)), count(row.pending_calls),
                plots.meter(share(row.calls, most)),
            ]
        )  # fmt: skip
    sums = {
        field: sum(getattr(row, field) for row in rows)
        for field in (
            "calls", "placed_calls", "answered_calls", "machine_calls", "conversations", "terminal_calls", "pending_calls",
        )
    }  # fmt: skip
    known = [row.cost_usd for row in rows if row.cost_usd is not None]
    cost = sum(known[1:], known[0]) if known else None
    foot: list[Child] = [
        "All", count(sums["calls"]), percent(share(sums["answered_calls"], sums["placed_calls"])),
        of(count(sums["answered_calls"]), count(sums["placed_calls"])), count(sums["machine_calls"]),
        count(sums["conversations"]), percent(share(sums["conversations"], sums["terminal_calls"])),
        element("span", wording.money(cost), title=wording.exact(cost)), count(sums["pending_calls"]), "",
    ]  # fmt: skip
    columns = [
        Column("Campaign", is_number=False, cls="wrap"), Column("Calls"), Column("Answered"), Column("of placed"),
        Column("Machine"), Column("Conversations"), Column("of calls that are over"),
        Column("Known cost"), Column("Cost pending"), Column("Calls, compared", is_number=False, cls="bar"),
    ]  # fmt: skip
    return table("Campaigns, the busiest first", columns, cells, foot)


def errors(figures: Figures, clock: Clock) -> Markup:
    """Return the error texts of the calls."""
    lead = "Error messages (context.last_error), most frequent first; digits, addresses and links are left out."
    if not figures.errors:
        return section("errors", "Errors", lead, empty("No call of this period has an error text."))
    cells: list[list[Child]] = [
        [
            source_text(row.name) if row.members == 1 else f"{count(row.members)} other texts",
            count(row.calls),
            joined(clock.instant(row.last_at)),
        ]
        for row in figures.errors
    ]
    columns = [Column("Text", is_number=False, cls="wrap"), Column("Calls"), Column("Last occurrence")]
    foot: list[Child] = ["All", count(sum(row.calls for row in figures.errors)), ""]
    return section("errors", "Errors", lead, table("Error texts, by day of creation", columns, cells, foot))


__all__ = ["agents", "day_of", "errors", "funnel", "hours", "volume"]
