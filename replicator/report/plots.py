"""Draws charts as SVG from numbers: scales, ticks, bars, lines, heat maps. Pure; knows neither calls nor money.

The geometry is computed first, as plain values that tests can measure (`stack`, `line`, `grid`); drawing only writes
it. Each chart is drawn twice, for wide and for narrow screens, and the style sheet shows one of them, because text in a
scaled-down picture could not be read on a telephone. Colours are classes of the style sheet and never the only sign:
parts of a bar keep their order and a gap, lines have dashes and a name at their end, cells have their number,
unfinished parts are hatched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from replicator.report.markup import Markup, element, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUND_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
TIME_STEPS = (
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 21600.0, 43200.0,
    86400.0,
)  # fmt: skip
"""The allowed seconds between two ticks on an axis of durations."""
MOST_TICKS = 5
LABEL_WIDTH = 58.0
"""The width of a label on the horizontal axis, with the space around it."""
LEAST = 1e-9
"""Smaller sizes are not drawn."""
GAP = 1.0
"""The gap between two parts of one bar."""
HEAT_CLASSES = 5


@dataclass(frozen=True, slots=True)
class Canvas:
    """A drawing surface with its margins."""

    width: float
    height: float
    left: float = 46.0
    right: float = 26.0
    top: float = 10.0
    bottom: float = 24.0

    @property
    def inner_width(self) -> float:
        return self.width - self.left - self.right

    @property
    def inner_height(self) -> float:
        return self.height - self.top - self.bottom

    @property
    def base(self) -> float:
        """Return the vertical position of zero."""
        return self.height - self.bottom


WIDE, NARROW = Canvas(860, 240), Canvas(340, 220, left=40, right=22)


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle: part `part` of bar `bar`."""

    x: float
    y: float
    width: float
    height: float
    bar: int
    part: int


@dataclass(frozen=True, slots=True)
class Series:
    """One series of values over all places of the axis; None where there is no value."""

    name: str
    cls: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """The values and texts of a chart. `tips` are tooltips; `partial` are places that are not complete."""

    name: str
    title: str
    description: str
    labels: Sequence[str]
    series: Sequence[Series]
    tick: Callable[[float], str]
    tips: Sequence[str] = ()
    partial: frozenset[int] = frozenset()
    hatched: frozenset[int] = frozenset()
    """Series that are drawn hatched, because they are uncertain."""
    steps: Sequence[float] = ()
    is_edges: bool = False
    """Labels name the left edges of the bars, not the bars."""
    high: float | None = None
    """The end of the axis, if it is fixed."""
    wide: Canvas = field(default=WIDE)
    narrow: Canvas = field(default=NARROW)


def nice_ticks(high: float, *, most: int = MOST_TICKS, steps: Sequence[float] = ()) -> tuple[float, ...]:
    """Return rising ticks from 0 that end at or above `high`, at most `most` beside the zero."""
    if not math.isfinite(high) or high < LEAST:
        return (0.0, 1.0)
    rough = high / most
    step = next((one for one in steps if one >= rough), None)
    if step is None:
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(size * one for one in (*ROUND_STEPS, 20.0) if size * one >= rough * (1 - 1e-9))
    count = max(1, math.ceil(high / step - 1e-9))
    return tuple(step * number for number in range(count + 1))


def top_of(chart: Chart, *, is_stacked: bool) -> float:
    """Return the largest value that the chart has to show."""
    if chart.high is not None:
        return chart.high
    places = zip(*(series.values for series in chart.series), strict=True)
    if is_stacked:
        return max((sum(value or 0.0 for value in values) for values in places), default=0.0)
    return max((value or 0.0 for values in places for value in values), default=0.0)


def stack(
    values: Sequence[Sequence[float | None]], canvas: Canvas, high: float, *, is_touching: bool = False
) -> list[Rect]:
    """Return the parts of bars, stacked from the base: `values` holds one sequence for each part, the lowest first."""
    count = len(values[0]) if values else 0
    if not count:
        return []
    slot = canvas.inner_width / count
    width = slot if is_touching else max(min(slot * 0.8, 64.0), min(slot, 0.5))
    found = []
    for bar in range(count):
        x = canvas.left + slot * bar + (slot - width) / 2
        base = canvas.base
        for part, series in enumerate(values):
            value = series[bar] or 0.0
            height = canvas.inner_height * max(0.0, value) / high
            if height > 0:
                found.append(Rect(x, base - height, width, height, bar, part))
            base -= height
    return found


def line(values: Sequence[float | None], canvas: Canvas, high: float) -> list[list[tuple[float, float]]]:
    """Return the stretches of a line, broken where there is no value; places are the middles of bars."""
    slot = canvas.inner_width / max(1, len(values))
    found: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            found.append([])
        else:
            x = canvas.left + slot * (place + 0.5)
            found[-1].append((x, canvas.base - canvas.inner_height * min(max(value, 0.0), high) / high))
    return [stretch for stretch in found if stretch]


def heat_class(value: float, high: float) -> int:
    """Return the darkness of a cell: 0 for nothing, then 1 to 5."""
    if value <= 0 or high <= 0:
        return 0
    return max(1, min(HEAT_CLASSES, math.ceil(HEAT_CLASSES * value / high)))


def bars(chart: Chart) -> Markup:
    """Draw stacked bars."""
    return _both(chart, _bars)


def lines(chart: Chart) -> Markup:
    """Draw lines, each with its name at its end."""
    return _both(chart, _lines)


def _both(chart: Chart, draw: Callable[[Chart, Canvas, str], Markup]) -> Markup:
    return joined(draw(chart, chart.wide, "wide"), draw(chart, chart.narrow, "narrow"))


def _svg(chart: Chart, canvas: Canvas, size: str, *drawn: Markup) -> Markup:
    name = f"{chart.name}-{size}"
    return element(
        "svg",
        element("title", chart.title, id=f"{name}-title"),
        element("desc", chart.description, id=f"{name}-text"),
        *drawn,
        cls=f"chart {size}",
        viewBox=f"0 0 {canvas.width:g} {canvas.height:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-text",
    )


def _hatch(name: str) -> Markup:
    stripe = element("path", d="M3 0V6", cls="stripe")
    return element(
        "defs",
        element(
            "pattern", stripe, id=f"{name}-hatch", width=6, height=6, patternUnits="userSpaceOnUse",
            patternTransform="rotate(45)",
        ),
    )  # fmt: skip


def _axes(chart: Chart, canvas: Canvas, ticks: Sequence[float]) -> Markup:
    drawn = []
    for tick in ticks:
        y = canvas.base - canvas.inner_height * tick / ticks[-1]
        if tick:
            drawn.append(element("path", d=f"M{canvas.left:g} {y:.2f}H{canvas.width - canvas.right:g}", cls="grid"))
        drawn.append(element("text", chart.tick(tick), x=canvas.left - 6, y=y + 4, cls="tick end"))
    drawn.append(element("path", d=f"M{canvas.left:g} {canvas.base:.2f}H{canvas.width - canvas.right:g}", cls="axis"))
    return joined(*drawn, *_labels(chart, canvas))


def _labels(chart: Chart, canvas: Canvas) -> list[Markup]:
    count = len(chart.labels)
    if not count:
        return []
    slot = canvas.inner_width / count
    room = LABEL_WIDTH * 0.62 if chart.is_edges else LABEL_WIDTH
    every = max(1, math.ceil(room / slot))
    shift = 0.0 if chart.is_edges else 0.5
    # Counted from the end, so that the newest place always has a label.
    chosen = [place for place in range(count) if (count - 1 - place) % every == 0]
    return [
        element("text", chart.labels[place], x=canvas.left + slot * (place + shift), y=canvas.height - 7, cls="tick middle")
        for place in chosen
    ]  # fmt: skip


def _bars(chart: Chart, canvas: Canvas, size: str) -> Markup:
    high = top_of(chart, is_stacked=True)
    ticks = nice_ticks(high, steps=chart.steps)
    pattern = f"url(#{chart.name}-{size}-hatch)"
    drawn: list[Markup] = []
    rects = stack([series.values for series in chart.series], canvas, ticks[-1], is_touching=chart.is_edges)
    for rect in rects:
        # The gap is taken from the part, so that a bar is as high as its sum.
        height = rect.height - GAP if rect.height > 3 * GAP else rect.height
        width = rect.width - GAP if chart.is_edges else rect.width
        place = {"x": rect.x, "y": rect.y, "width": width, "height": height}
        tip = element("title", chart.tips[rect.bar]) if chart.tips else None
        drawn.append(element("rect", tip, cls=chart.series[rect.part].cls, **place))
        if rect.bar in chart.partial or rect.part in chart.hatched:
            drawn.append(element("rect", tip, fill=pattern, **place))
    return _svg(chart, canvas, size, _hatch(f"{chart.name}-{size}"), _axes(chart, canvas, ticks), *drawn)


def _lines(chart: Chart, canvas: Canvas, size: str) -> Markup:
    canvas = replace(canvas, right=canvas.right + 22)
    high = top_of(chart, is_stacked=False)
    ticks = nice_ticks(high, steps=chart.steps)
    drawn: list[Markup] = []
    taken: list[float] = []
    for series in chart.series:
        stretches = line(series.values, canvas, ticks[-1])
        for stretch in stretches:
            path = "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in stretch)
            drawn.append(element("path", d=path, cls=f"line {series.cls}"))
        for x, y in [point for stretch in stretches for point in stretch] if len(series.values) <= 45 else []:  # noqa: PLR2004 - more dots than that are a smear
            drawn.append(element("circle", cx=x, cy=y, r=2, cls=f"dot {series.cls}"))
        if stretches:
            x, y = stretches[-1][-1]
            y = next(spot for spot in (y, *_away(y)) if all(abs(spot - other) >= 12 for other in taken))  # noqa: PLR2004 - a line of text
            taken.append(y)
            drawn.append(element("text", series.name, x=x + 7, y=y + 4, cls=f"name {series.cls}"))
    slot = canvas.inner_width / max(1, len(chart.labels))
    for place, tip in enumerate(chart.tips):
        area = {"x": canvas.left + slot * place, "y": canvas.top, "width": slot, "height": canvas.inner_height}
        drawn.append(element("rect", element("title", tip), cls="sense", **area))
    return _svg(chart, canvas, size, _axes(chart, canvas, ticks), *drawn)


def _away(y: float) -> list[float]:
    """Return other heights for a name, the nearest first."""
    return [y + sign * 3.0 * number for number in range(1, 60) for sign in (-1, 1)]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a grid."""

    x: float
    y: float
    width: float
    height: float
    row: int
    column: int


def grid(rows: int, columns: int, canvas: Canvas) -> list[Cell]:
    """Return the cells of a grid that fills the canvas, row by row."""
    width, height = canvas.inner_width / columns, canvas.inner_height / rows
    return [
        Cell(canvas.left + width * column, canvas.top + height * row, width, height, row, column)
        for row in range(rows)
        for column in range(columns)
    ]


def heat(
    name: str, title: str, description: str, rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[int]],
    tips: Sequence[Sequence[str]],
) -> Markup:  # fmt: skip
    """Draw a heat map; on narrow screens its rows become columns, so that a number fits into each cell."""
    turned = ([*zip(*values, strict=True)], [*zip(*tips, strict=True)])
    wide = Canvas(860, 24.0 + 26.0 * len(rows), left=46, right=4, top=22, bottom=2)
    narrow = Canvas(340, 24.0 + 20.0 * len(columns), left=46, right=4, top=22, bottom=2)
    return joined(
        _heat(Chart(name, title, description, (), (), str), wide, "wide", rows, columns, values, tips),
        _heat(Chart(name, title, description, (), (), str), narrow, "narrow", columns, rows, *turned),
    )


def _heat(
    chart: Chart, canvas: Canvas, size: str, rows: Sequence[str], columns: Sequence[str],
    values: Sequence[Sequence[int]], tips: Sequence[Sequence[str]],
) -> Markup:  # fmt: skip
    high = max((value for row in values for value in row), default=0)
    drawn: list[Markup] = []
    for cell in grid(len(rows), len(columns), canvas):
        value = values[cell.row][cell.column]
        cls = heat_class(value, high)
        x, y = cell.x + cell.width / 2, cell.y + cell.height / 2 + 4
        if cell.row == 0:
            drawn.append(element("text", columns[cell.column], x=x, y=canvas.top - 8, cls="tick middle"))
        if cell.column == 0:
            drawn.append(element("text", rows[cell.row], x=canvas.left - 8, y=y, cls="tick end"))
        area = {"x": cell.x + GAP, "y": cell.y + GAP, "width": cell.width - 2 * GAP, "height": cell.height - 2 * GAP}
        tip = element("title", tips[cell.row][cell.column])
        drawn.append(element("rect", tip, cls=f"heat{cls}", rx=2, **area))
        if value:
            drawn.append(element("text", _fitting(value), tip, x=x, y=y, cls=f"on{cls} middle"))
    return _svg(chart, canvas, size, *drawn)


def _fitting(value: int) -> str:
    """Return a number in at most four characters."""
    for size, unit in ((1_000_000, "M"), (1000, "k")):
        if value >= size:
            return f"{value / size:.1f}{unit}" if value < 9.95 * size else f"{value // size}{unit}"
    return str(value)


def meter(part: float | None, cls: str = "s0") -> Markup:
    """Draw a share as a bar for a table's cell. The number must stand beside it, because the bar has no text."""
    width = 100 * min(max(part or 0.0, 0.0), 1.0)
    return element(
        "svg",
        element("rect", x=0, y=0, width=100, height=8, cls="rest"),
        element("rect", x=0, y=0, width=width, height=8, cls=cls) if width else None,
        cls="meter", viewBox="0 0 100 8", preserveAspectRatio="none", aria_hidden="true", focusable="false",
    )  # fmt: skip


__all__ = [
    "NARROW", "TIME_STEPS", "WIDE", "Canvas", "Cell", "Chart", "Rect", "Series", "bars", "grid", "heat", "heat_class",
    "line", "lines", "meter", "nice_ticks", "stack", "top_of",
]  # fmt: skip
