"""The report's section about durations: percentiles over time, estimated from the histogram, and the histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.report import periods, plots, wording
from replicator.report.axis import labels, names
from replicator.report.blocks import Column, empty, figure, section, table
from replicator.report.markup import Child, Markup, element
from replicator.report.plots import Canvas, Chart, Series
from replicator.report.wording import count, percent, plural, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.report.rows import Durations, Figures


def durations(figures: Figures) -> Markup:
    """Return percentiles over time, and the histogram."""
    lead = "Of connected calls that are over and have a duration, by day of their start. A duration of zero counts; an unknown one does not."
    whole, _ = periods.durations_of(figures)
    if whole is None:
        return section("durations", "Duration", lead, empty("No call of this period has a duration yet."))
    size, places = figures.period.bucket, periods.buckets(figures.period, figures.facts.first_day)
    by_start = {row.bucket: row for row in figures.durations if row.bucket is not None}
    found = [by_start.get(place.start) for place in places]
    full = names(places, size)
    chart = _percentiles_chart(size, labels(places, size), full, found, whole)
    numbers = _percentiles_table(size, full, found, whole)
    caption = f"{plural(whole.measured_calls, 'measured call')}, {wording.seconds(whole.duration_seconds)} of talk in all. Percentiles are estimates from the histogram below, exact to the band; counts, sums and the longest call are exact. A {size} with few calls can jump; the table has the number of calls."
    return section(
        "durations",
        "Duration",
        lead,
        element("h3", f"Percentiles by {size}, estimated"),
        figure(plots.lines(chart), caption, numbers),
        element("h3", "How long calls are"),
        _histogram(figures),
    )


def _percentiles_chart(
    size: str, below: Sequence[str], full: Sequence[str], found: Sequence[Durations | None], whole: Durations
) -> Chart:
    kinds = (
        ("p50", "s0", [None if row is None else row.p50_seconds for row in found]),
        ("p90", "s1", [None if row is None else row.p90_seconds for row in found]),
        ("p99", "s2", [None if row is None else row.p99_seconds for row in found]),
    )
    return Chart(
        name="percentiles",
        title=f"Duration percentiles by {size}, estimated",
        description=f"Three lines: half of the calls are shorter than p50, 90 % than p90, 99 % than p99. Estimated over the period: "
        f"{wording.seconds(whole.p50_seconds)}, {wording.seconds(whole.p90_seconds)} and {wording.seconds(whole.p99_seconds)}.",
        labels=below,
        series=[Series(name, cls, values) for name, cls, values in kinds],
        tick=wording.roughly,
        tips=[
            f"{full[n]}: " + (
                "nothing measured" if row is None else
                f"p50 {wording.seconds(row.p50_seconds)}, p90 {wording.seconds(row.p90_seconds)}, "
                f"p99 {wording.seconds(row.p99_seconds)} of {plural(row.measured_calls, 'call')}"
            )
            for n, row in enumerate(found)
        ],
        steps=plots.TIME_STEPS,
        wide=Canvas(860, 240, left=52),
        narrow=Canvas(340, 220, left=46, right=20),
    )  # fmt: skip


def _percentiles_table(size: str, full: Sequence[str], found: Sequence[Durations | None], whole: Durations) -> Markup:
    cells = [
        [
            full[n], count(row.measured_calls), wording.seconds(row.p50_seconds), wording.seconds(row.p90_seconds),
            wording.seconds(row.p99_seconds), wording.seconds(row.longest_seconds),
        ]
        for n, row in reversed([*enumerate(found)]) if row is not None
    ]  # fmt: skip
    return table(
        f"Duration by {size} of the start",
        [Column(size.title(), is_number=False), Column("Measured calls"), Column("p50, estimated"), Column("p90, estimated"), Column("p99, estimated"), Column("Longest")],
        cells,
        [
            "All", count(whole.measured_calls), wording.seconds(whole.p50_seconds), wording.seconds(whole.p90_seconds),
            wording.seconds(whole.p99_seconds), wording.seconds(whole.longest_seconds),
        ],
    )  # fmt: skip


def _histogram(figures: Figures) -> Markup:
    edges = sorted({*periods.EDGES, *(row.lower_seconds for row in figures.histogram)})
    calls = {row.lower_seconds: row.calls for row in figures.histogram}
    last = max(edges)
    values = [calls.get(edge, 0) for edge in edges]
    total = sum(values)

    def name(number: int) -> str:
        low = wording.roughly(edges[number])
        return f"{low} and longer" if edges[number] == last else f"{low} to {wording.roughly(edges[number + 1])}"

    chart = Chart(
        name="histogram",
        title="Calls by duration",
        description=f"Bars of {plural(total, 'measured call')}; most last {name(values.index(max(values)))}. "
        "The buckets are not equally wide.",
        labels=[wording.roughly(edge) if edge else "0" for edge in edges],
        series=[Series("calls", "s0", values)],
        tick=wording.short,
        tips=[f"{name(n)}: {plural(values[n], 'call')}, {percent(share(values[n], total))}" for n in range(len(edges))],
        is_edges=True,
        wide=Canvas(860, 200),
        narrow=Canvas(340, 180, left=40, right=12),
    )
    running = 0
    cells: list[list[Child]] = []
    for number, value in enumerate(values):
        running += value
        cells.append([name(number), count(value), percent(share(value, total)), percent(share(running, total))])
    numbers = table(
        "Calls by duration",
        [Column("Duration", is_number=False), Column("Calls"), Column("Share"), Column("Cumulative share")],
        cells,
        ["All", count(total), percent(share(total, total)), ""],
    )
    caption = (
        "A bucket includes its lower edge. Buckets are not equally wide, so compare their numbers, not their areas."
    )
    return figure(plots.bars(chart), caption, numbers)


__all__ = ["durations"]
