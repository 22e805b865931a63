"""The colours, computed: readable by AA in light, dark and print, and told apart by those who see fewer of them."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from replicator.report.page import style

pytestmark = pytest.mark.pure


Colour = tuple[float, float, float]
THEMES = ("light", "dark", "print")

# Machado, Oliveira and Fernandes (2009), severity 1: what is seen of linear red, green and blue.
BLINDNESS = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def palette(theme: str) -> dict[str, Colour]:
    blocks = re.findall(r":root \{(.*?)\}", style(), re.DOTALL)
    assert len(blocks) == 3
    found = dict(re.findall(r"--(\w+): #([0-9a-f]{6})", blocks[THEMES.index(theme)]))
    return {name: linear(value) for name, value in found.items()}


def linear(text: str) -> Colour:
    parts = [int(text[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return red, green, blue


def luminance(colour: Colour) -> float:
    red, green, blue = colour
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lab(colour: Colour) -> Colour:
    red, green, blue = (max(0.0, one) for one in colour)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (one ** (1 / 3) if one > 0.008856 else 7.787 * one + 16 / 116 for one in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def distance(one: Colour, other: Colour) -> float:
    return sum((a - b) ** 2 for a, b in zip(lab(one), lab(other), strict=True)) ** 0.5


@pytest.mark.parametrize("theme", THEMES)
def test_text_is_readable(theme: str) -> None:
    """Text has 4.5 to 1 on page and card, line names too."""
    colours = palette(theme)
    for name in ("ink", "quiet", "link", "good", "warn", "bad", "s0", "s1", "s2"):
        for ground in ("paper", "card"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


@pytest.mark.parametrize("theme", THEMES)
def test_shapes_are_visible(theme: str) -> None:
    """What carries meaning has 3 to 1 on the page."""
    colours = palette(theme)
    for name in ("s0", "s1", "s2", "s3", "s4"):
        assert contrast(colours[name], colours["paper"]) >= 3, name


@pytest.mark.parametrize("theme", THEMES)
def test_numbers_on_the_heat_map_are_readable(theme: str) -> None:
    """Each class has its text colour, 4.5 to 1; stronger classes lie further from the page."""
    colours = palette(theme)
    for number in range(6):
        assert contrast(colours[f"on{number}"], colours[f"heat{number}"]) >= 4.5, number
    away = [contrast(colours[f"heat{number}"], colours["paper"]) for number in range(6)]
    assert away == sorted(away)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("kind", ["all", *BLINDNESS])
def test_series_are_told_apart(theme: str, kind: str) -> None:
    """Of the series that share a chart any two differ clearly, also for those who see fewer colours."""
    colours = palette(theme)
    for one, other in combinations(("s0", "s1", "s2"), 2):
        pair = [colours[one], colours[other]]
        if kind != "all":
            pair = [tuple(sum(row[n] * colour[n] for n in range(3)) for row in BLINDNESS[kind]) for colour in pair]  # type: ignore[misc]
        assert distance(pair[0], pair[1]) >= 18, (one, other)


def test_the_page_names_no_colour_beside_its_palette() -> None:
    """Every colour is one of the palette, so that what is proven here is true of all."""
    rules = re.sub(r":root \{.*?\}", "", style(), flags=re.DOTALL)
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", rules)
