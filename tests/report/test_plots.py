"""Charts by their properties: whatever the numbers, nothing leaves the frame, nothing lies about its size."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.report import plots
from replicator.report.plots import TIME_STEPS, Canvas, Chart, Series

pytestmark = pytest.mark.pure


SIZES = st.sampled_from([plots.WIDE, plots.NARROW, Canvas(200, 90)])
VALUES = st.one_of(st.none(), st.floats(0, 1e12), st.integers(0, 10**6), st.sampled_from([0.0, 1e-9, 5e-324]))
TABLES = st.integers(0, 60).flatmap(
    lambda count: st.lists(st.lists(VALUES, min_size=count, max_size=count), min_size=1, max_size=4)
)
SVG = "{http://www.w3.org/2000/svg}"


def chart(values: list[list[float | None]], **more: object) -> Chart:
    count = len(values[0])
    return Chart(
        name="one", title="A title", description="What it says.", labels=[str(n) for n in range(count)],
        series=[Series(f"part {n}", f"s{n}", part) for n, part in enumerate(values)], tick=lambda value: f"{value:g}",
        tips=[f"tip {n}" for n in range(count)], **more,  # type: ignore[arg-type]
    )  # fmt: skip


@given(st.floats(0, 1e15), st.sampled_from([(), TIME_STEPS]))
def test_ticks_rise_evenly_from_zero_and_reach_the_top(high: float, steps: tuple[float, ...]) -> None:
    """At most a handful, evenly apart, the last at or above what is to be shown and not twice as far as needed."""
    ticks = plots.nice_ticks(high, steps=steps)
    assert ticks[0] == 0
    assert len(ticks) <= plots.MOST_TICKS + 2
    apart = [after - before for before, after in pairwise(ticks)]
    assert all(one == pytest.approx(apart[0], rel=1e-6) and one > 0 for one in apart)
    assert ticks[-1] >= high * (1 - 1e-9)
    assert high <= 0 or ticks[-1] - apart[0] < high * (1 + 1e-9) or len(ticks) == 2


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0, 0.0])
def test_ticks_of_nothing(wrong: float) -> None:
    """No number makes an axis without ticks."""
    assert plots.nice_ticks(wrong) == (0.0, 1.0)


@given(TABLES, SIZES)
def test_bars_stay_within_the_frame_and_are_as_high_as_their_numbers(
    values: list[list[float | None]], canvas: Canvas
) -> None:
    """Each part lies inside the axes, on top of the part below, and its height is its share of the axis."""
    high = plots.nice_ticks(plots.top_of(chart(values), is_stacked=True))[-1]
    rects = plots.stack(values, canvas, high)
    tops: dict[int, float] = {}
    for rect in rects:
        assert canvas.left - 1e-6 <= rect.x <= rect.x + rect.width <= canvas.width - canvas.right + 1e-6
        assert canvas.top - 1e-6 <= rect.y <= rect.y + rect.height <= canvas.base + 1e-6
        value = values[rect.part][rect.bar]
        assert value is not None
        assert rect.height == pytest.approx(canvas.inner_height * value / high, rel=1e-9)
        assert rect.y + rect.height == pytest.approx(tops.get(rect.bar, canvas.base), abs=1e-6)
        tops[rect.bar] = rect.y
    assert all(rect.width > 0 for rect in rects)
    shown = {(rect.bar, rect.part) for rect in rects}
    for part, series in enumerate(values):
        for bar, value in enumerate(series):
            assert ((bar, part) in shown) == bool(value and canvas.inner_height * value / high > 0)


@given(st.lists(VALUES, max_size=60), SIZES)
def test_bars_of_different_places_do_not_touch(values: list[float | None], canvas: Canvas) -> None:
    """A gap is between two bars, whatever their number."""
    rects = plots.stack([values], canvas, 1e12)
    for left, right in pairwise(rects):
        assert left.x + left.width < right.x


@given(st.lists(VALUES, max_size=60), SIZES)
def test_a_line_breaks_where_nothing_is_known(values: list[float | None], canvas: Canvas) -> None:
    """Each known value is a point inside the frame; between two stretches something is unknown, and nothing is invented."""
    stretches = plots.line(values, canvas, 1e12)
    assert sum(map(len, stretches)) == sum(value is not None for value in values)
    text = "".join("x" if value is not None else " " for value in values).split()
    assert [len(stretch) for stretch in stretches] == [len(word) for word in text]
    for x, y in (point for stretch in stretches for point in stretch):
        assert canvas.left <= x <= canvas.width - canvas.right
        assert canvas.top - 1e-6 <= y <= canvas.base + 1e-6


@given(st.integers(1, 24), st.integers(1, 24), SIZES)
def test_a_grid_fills_its_frame_without_overlap(rows: int, columns: int, canvas: Canvas) -> None:
    """The cells' areas add up to the frame's, and each is inside."""
    cells = plots.grid(rows, columns, canvas)
    assert sum(cell.width * cell.height for cell in cells) == pytest.approx(canvas.inner_width * canvas.inner_height)
    assert len({(cell.row, cell.column) for cell in cells}) == rows * columns
    assert all(
        canvas.left - 1e-6 <= cell.x and cell.x + cell.width <= canvas.width - canvas.right + 1e-6 for cell in cells
    )


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_heat_rises_with_the_number(low: int, high: int) -> None:
    """More is never lighter; nothing is a class of its own, and the most is the strongest."""
    low, high = sorted((low, high))
    assert plots.heat_class(low, high) <= plots.heat_class(high, high) == (5 if high else 0)
    assert (plots.heat_class(low, high) == 0) == (low == 0)


@given(TABLES)
def test_a_drawing_is_well_formed_and_has_no_nonsense_in_it(values: list[list[float | None]]) -> None:
    """Two drawings, each named and described, with no NaN, no infinity, no style and no doubled id."""
    for drawn in (plots.bars(chart(values)), plots.lines(chart(values))):
        assert not re.search(r"\b(nan|inf|None)\b", drawn.text.replace("part ", ""))
        assert "style=" not in drawn.text
        root = ET.fromstring(f"<g>{drawn.text}</g>")  # noqa: S314 - our own drawing
        assert [svg.get("class") for svg in root] == ["chart wide", "chart narrow"]
        ids = [one.get("id") for one in root.iter() if one.get("id")]
        assert len(ids) == len(set(ids))
        for svg in root:
            named = (svg.get("aria-labelledby") or "").split()
            texts = {one.get("id"): one.text for one in svg.iter()}
            assert [texts[name] for name in named] == ["A title", "What it says."]


def test_labels_never_run_into_one_another() -> None:
    """However many places there are, two labels are as far apart as a label is wide; the newest place is named."""
    for count in (1, 2, 7, 30, 92, 400):
        for text in plots.bars(chart([[1.0] * count])).text.split("<svg")[1:]:
            at = [float(x) for x in re.findall(r'<text x="([\d.]+)" y="[\d.]+" class="tick middle"', text)]
            assert all(after - before >= 55 for before, after in pairwise(at))
            assert f">{count - 1}</text>" in text


def test_names_of_lines_never_cover_one_another() -> None:
    """Three lines that end in the same point have three names apart."""
    drawn = plots.lines(chart([[5.0, 5.0]] * 3)).text.split("<svg")[1]
    at = sorted(float(y) for y in re.findall(r'y="([\d.]+)" class="name', drawn))
    assert len(at) == 3
    assert all(after - before >= 11.9 for before, after in pairwise(at))


def test_what_is_not_complete_is_hatched() -> None:
    """Hatching is on the bars that are not complete and on the parts that are not sure, and on no other."""
    drawn = plots.bars(chart([[1.0, 2.0, 3.0]], partial=frozenset({2}))).text
    assert drawn.count("url(#one-wide-hatch)") == 1
    drawn = plots.bars(chart([[1.0, 2.0], [3.0, 4.0]], hatched=frozenset({1}))).text
    assert drawn.count("url(#one-wide-hatch)") == 2


@given(st.one_of(st.none(), st.floats(-1, 2)))
def test_a_meter_is_at_most_full(part: float | None) -> None:
    """A share beyond one is a full bar, and it is hidden from readers, who have the number."""
    drawn = plots.meter(part).text
    assert all(0 <= float(width) <= 100 for width in re.findall(r' width="([^"]+)"', drawn))
    assert 'aria-hidden="true"' in drawn


@given(st.integers(1, 10**9 - 1))
def test_a_cell_holds_four_characters(value: int) -> None:
    """Whatever the number, it fits, and says the size."""
    shown = plots._fitting(value)
    assert len(shown) <= 4
    size = {"k": 1000, "M": 10**6}.get(shown[-1], 1)
    assert float(shown.rstrip("kM")) * size == pytest.approx(value, rel=0.1)


def test_a_heat_map_has_each_number_twice() -> None:
    """Once on the wide map and once on the narrow one, where rows are columns."""
    drawn = plots.heat("h", "t", "d", ("a", "b"), ("x", "y", "z"), [[1, 2, 3], [0, 5, 6]], [["."] * 3] * 2).text
    wide, narrow = drawn.split("<svg")[1:]
    for text in (wide, narrow):
        assert sorted(re.findall(r">(\d)</text>|>(\d)<title>", text)) == sorted(
            re.findall(r">(\d)</text>|>(\d)<title>", wide)
        )
        assert 'class="heat0"' in text
        assert 'class="heat5"' in text
