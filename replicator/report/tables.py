"""Lays out tables for a terminal of any width. Pure: texts in, lines out.

A number, an instant or an id is never shortened or broken. Where the columns do not fit side by side, the words of the
headers stand below each other, then long texts are broken between their words. If that is not enough, each row becomes
a block with one line for each column. In a pipe nothing is broken: each row is one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GAP = "  "
LONGEST_WORD = 40
"""A longer word of a text may be broken; a number may not."""
LEAST_TEXT = 16
"""In a block, a text has at least this many columns beside the name."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's name. Numbers are aligned right; what is not `is_text` is never broken."""

    name: str
    is_number: bool = False
    is_text: bool = False


def lay_out(headings: Sequence[Heading], rows: Sequence[Sequence[str]], room: int | None, *, plain: bool) -> list[str]:
    """Return the lines of a table, at most `room` columns wide where that is possible; None is a pipe. `plain` keeps to
    ASCII.
    """
    rule = "-" if plain else "─"
    full = [max(map(cell_len, [one.name, *(row[n] for row in rows)])) for n, one in enumerate(headings)]
    if room is None or _wide(full) <= room:
        return _table(headings, rows, full, rule)
    least = [_least(one, [row[n] for row in rows]) for n, one in enumerate(headings)]
    if _wide(least) > room:
        return _blocks(headings, rows, room)
    return _table(headings, rows, _shared_out(headings, full, least, room), rule)


def _wide(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _least(heading: Heading, cells: Sequence[str]) -> int:
    """Return the width that a column needs: its longest cell, or its longest word; and the longest word of its name."""
    words = [word for text in cells for word in text.split()] if heading.is_text else list(cells)
    need = max(map(cell_len, words), default=0)
    name = max(map(cell_len, heading.name.split()), default=0)
    return max(min(need, LONGEST_WORD) if heading.is_text else need, name)


def _shared_out(headings: Sequence[Heading], full: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return widths that fill the room: what the least widths leave goes to texts first, then to names."""
    widths, left = list(least), room - _wide(least)
    for n in sorted(range(len(widths)), key=lambda n: (not headings[n].is_text, n)):
        more = min(full[n] - widths[n], left)
        widths[n], left = widths[n] + more, left - more
    return widths


def _table(headings: Sequence[Heading], rows: Sequence[Sequence[str]], widths: Sequence[int], rule: str) -> list[str]:
    lines = list(_row(headings, [one.name for one in headings], widths, is_head=True))
    lines.append(GAP.join(rule * width for width in widths))
    for row in rows:
        lines += _row(headings, row, widths)
    return lines


def _row(
    headings: Sequence[Heading], row: Sequence[str], widths: Sequence[int], *, is_head: bool = False
) -> Iterator[str]:
    """Yield the lines of a row. The names of the columns stand at the bottom of their row, cells at the top."""
    cells = [broken(text, width) for text, width in zip(row, widths, strict=True)]
    high = max(map(len, cells), default=0)
    for number in range(high):
        parts = []
        for heading, cell, width in zip(headings, cells, widths, strict=True):
            at = number - (high - len(cell) if is_head else 0)
            text = cell[at] if 0 <= at < len(cell) else ""
            fill = " " * (width - cell_len(text))
            parts.append(fill + text if heading.is_number else text + fill)
        yield GAP.join(parts).rstrip()


def _blocks(headings: Sequence[Heading], rows: Sequence[Sequence[str]], room: int) -> list[str]:
    """Return a block of lines for each row, and an empty line between two."""
    name = max(cell_len(one.name) for one in headings)
    width = max(LEAST_TEXT, room - name - len(GAP))
    lines: list[str] = []
    for row in rows:
        if lines:
            lines.append("")
        for heading, text in zip(headings, row, strict=True):
            first, *rest = broken(text, width) if heading.is_text else [text]
            lines.append((heading.name + " " * (name - cell_len(heading.name)) + GAP + first).rstrip())
            lines += [" " * (name + len(GAP)) + one for one in rest]
    return lines


def broken(text: str, width: int) -> list[str]:
    """Return a text as lines of at most that width, broken between words where that is possible."""
    if cell_len(text) <= width:
        return [text]
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
            continue
        parts = chop_cells(word, width)
        lines += parts if lines[-1] else []
        if not lines[0]:
            lines = parts
    return lines


__all__ = ["Heading", "broken", "lay_out"]
