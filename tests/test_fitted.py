"""Lines for people: broken between words in a terminal, whole elsewhere."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from replicator.safe_text import fitted

pytestmark = pytest.mark.pure


def test_elsewhere_a_line_stays_a_line() -> None:
    """grep and awk find it whole."""
    assert fitted("word " * 100, None) == "word " * 100


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three four five six", ["one two three four", "five six"]),
        ("head  one two three four", ["head  one two three", "      four"]),
        ("  one two three four five", ["  one two three four", "  five"]),
        ("run `a b c d e` now and then", ["run `a b c d e` now", "and then"]),
        ("see `replicator sync --x`, then", ["see", "`replicator sync --x`,", "then"]),
        ("at http://example.net/a/long/path here", ["at", "http://example.net/a/long/path", "here"]),
        ("日本語 日本語 日本語 日本語", ["日本語 日本語 日本語", "日本語"]),
        ("short", ["short"]), ("", [""]),
        ("a\nb c d e f g h i j k l m", ["a", "b c d e f g h i j k", "l m"]),
    ],
)  # fmt: skip
def test_a_terminal_gets_whole_words(text: str, lines: list[str]) -> None:
    """At 20 columns. What is quoted to be typed, and what has no blank, is not broken; nothing is lost."""
    found = fitted(text, 20)
    assert found.split("\n") == lines
    assert found.split() == text.split()
    assert all(cell_len(line) <= 20 or " " not in line.strip(" `") or "`" in line for line in found.split("\n"))
