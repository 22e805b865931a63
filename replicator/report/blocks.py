"""Builds the parts of report sections: cards, tables, charts with legend and table, dated notes. Knows no figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replicator.report.markup import Child, Markup, element, joined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from replicator.report.wording import Clock


MANY, WIDE, WIDEST = 4, 7, 11
"""A table with so many columns is wider than a telephone, than a tablet, than the page. A narrower one may say so too."""


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column; numbers are aligned right."""

    title: str
    is_number: bool = True
    cls: str = ""

    @property
    def classes(self) -> str | None:
        return " ".join(word for word in ("n" if self.is_number else "", self.cls) if word) or None


def table(
    caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Child]], foot: Sequence[Child] | None = None
) -> Markup:
    """Return a table with a caption and headers for its columns and rows. A table that is too wide scrolls, also by
    keyboard; one of many columns says so on a narrow screen.
    """
    head = element("tr", *(element("th", column.title, scope="col", cls=column.classes) for column in columns))

    def row(cells: Sequence[Child]) -> Markup:
        made = []
        for number, (cell, column) in enumerate(zip(cells, columns, strict=True)):
            if number:
                made.append(element("td", cell, cls=column.classes))
            else:
                made.append(element("th", cell, scope="row", cls=column.classes))
        return element("tr", *made)

    made = element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", *(row(cells) for cells in rows)),
        element("tfoot", row(foot)) if foot is not None else None,
    )
    scrolled = element("div", made, cls="scroll", tabindex=0, role="region", aria_label=caption)
    if len(columns) < MANY:
        return scrolled
    cls = "hint widest" if len(columns) >= WIDEST else "hint wide" if len(columns) >= WIDE else "hint"
    return joined(element("p", "If columns are cut off, scroll the table sideways \u2192", cls=cls), scrolled)


def folded(summary: str, content: Markup) -> Markup:
    """Return content that a click or a key opens."""
    return element("details", element("summary", summary), content)


def figure(chart: Markup, caption: Child, numbers: Markup, key: Sequence[tuple[str, str, bool]] = ()) -> Markup:
    """Return a chart with its legend, its caption, and its numbers as a table. `key` is (class, name, is hatched)."""
    entries = [element("li", swatch(cls, is_hatched=is_hatched), name) for cls, name, is_hatched in key]
    return element(
        "figure",
        element("ul", *entries, cls="key") if entries else None,
        chart,
        element("figcaption", caption),
        folded("The numbers as a table", numbers),
    )


def swatch(cls: str, *, is_hatched: bool = False) -> Markup:
    """Return a sample of a colour for a legend."""
    return element(
        "svg",
        element("rect", width=12, height=12, cls=cls),
        element("path", d="M-3 9L9 -3M0 12L12 0M3 15L15 3", cls="stripe thin") if is_hatched else None,
        viewBox="0 0 12 12",
        aria_hidden="true",
        focusable="false",
    )


def card(name: str, big: Child, *lines: Child, title: str | None = None) -> Markup:
    """Return a headline number: its name, the number, and lines about what it does not include."""
    return element(
        "div",
        element("dt", name),
        element("dd", big, cls="big", title=title),
        *(element("dd", line, cls="line") for line in lines if line),
        cls="card",
    )


def section(name: str, title: str, lead: Child, *content: Child) -> Markup:
    """Return a section that can be linked to."""
    return element(
        "section",
        element("h2", title, id=f"{name}-title"),
        element("p", lead, cls="quiet") if lead else None,
        *content,
        id=name,
        aria_labelledby=f"{name}-title",
    )


def paragraph(*words: Child, cls: str | None = None) -> Markup:
    return element("p", *words, cls=cls)


def empty(text: str) -> Markup:
    """Return the text that is shown where there is nothing to show yet."""
    return element("p", text, cls="empty")


def moment(at: datetime | None, clock: Clock) -> Markup:
    """Return an instant in the reporting time zone, also in a machine-readable form."""
    if at is None:
        return joined("never")
    return element("time", clock.instant(at), datetime=at.isoformat(timespec="seconds"))


def strong(text: str) -> Markup:
    return element("b", text)


def of(part: str, whole: str) -> Markup:
    """Return a numerator and its denominator."""
    return element("span", f"{part} of {whole}", cls="of")


__all__ = [
    "Column", "card", "empty", "figure", "folded", "moment", "of", "paragraph", "section", "strong", "swatch", "table",
]  # fmt: skip
