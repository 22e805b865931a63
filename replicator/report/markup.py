"""Builds HTML and SVG elements from values, and escapes every text. No other module makes markup.

A page shows words chosen by strangers: campaign ids, status words, error texts. So there are no templates in which an
escape could be forgotten: a `str` is always text, only `Markup` is markup, and only this module makes it. Attributes
that could run or load something cannot be written at all. Characters that affect their neighbours (control characters,
bidirectional overrides, many accents) are neutralised, and long texts are cut.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MOST_CHARACTERS = 120
"""The most characters of a source's text that are shown."""
MOST_MARKS = 2
"""The most combining marks on one letter: more would cover their neighbours."""
VOID = frozenset({"meta", "br", "hr", "col"})
ELEMENT_NAME = re.compile(r"[a-z][a-zA-Z0-9]*\Z")
ATTRIBUTE_NAME = re.compile(r"(?!on|style|src|action)[a-z][a-zA-Z-]*\Z")
OWN_PLACE = re.compile(r"(#|\?days=)[a-z0-9-]+\Z")
"""The allowed targets of a link: a place in this page, or the same page over other days."""
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


@dataclass(frozen=True, slots=True)
class Markup:
    """Text that is markup. Only `element`, `joined` and `raw_style` make it."""

    text: str

    def __str__(self) -> str:
        return self.text


Child = Markup | str | None
Value = str | int | float | bool | None


def visible(text: str) -> str:
    """Return text without characters that affect a terminal or their neighbours: each becomes a dot."""
    shown: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Mc", "Me"} else 0
        if character in "\n\r\t":
            shown.append(" ")
        elif marks > MOST_MARKS:
            shown.append("·")
        else:
            shown.append(character if character.isprintable() or category == "Zs" else "·")
    return "".join(shown)


def escape(text: str) -> str:
    """Return text for the inside of an element or of a quoted attribute."""
    return visible(text).translate(_ESCAPES)


def element(name: str, /, *children: Child, **attributes: Value) -> Markup:
    """Return an element. `cls` is class, and `_` in an attribute's name is `-`.

    None and False leave an attribute out, True sets it without a value. Raises ValueError for an unsafe name or
    attribute.
    """
    if not ELEMENT_NAME.match(name) or name in {"script", "iframe", "object", "embed", "base", "form", "input"}:
        raise ValueError(f"the element {name!r} has no place here")
    words = [name]
    for key, value in attributes.items():
        attribute = "class" if key == "cls" else key.rstrip("_").replace("_", "-")
        if not ATTRIBUTE_NAME.match(attribute) or (attribute == "href" and not OWN_PLACE.match(str(value))):
            raise ValueError(f"the attribute {attribute!r} cannot be written like that")
        if value is None or value is False:
            continue
        words.append(attribute if value is True else f'{attribute}="{escape(_plain(value))}"')
    head = f"<{' '.join(words)}>"
    return Markup(head) if name in VOID else Markup(f"{head}{joined(*children)}</{name}>")


def joined(*children: Child) -> Markup:
    """Return the children one after the other: markup as it is, text escaped, None as nothing."""
    return Markup(
        "".join(
            child.text if isinstance(child, Markup) else escape(child)
            for child in children
            if child is not None and child != ""
        )
    )


def source_text(text: str | None, *, none: str = "none") -> Markup:
    """Return a text of the source, cut and isolated from the text direction around it."""
    if text is None or not text.strip():
        return element("span", none, cls="quiet")
    short = text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
    return element("bdi", short)


def raw_style(text: str) -> Markup:
    """Return the style sheet, a constant of ours. Raises ValueError where it could end its element
    or load something.
    """
    if "<" in text or "@import" in text or "http" in text:
        raise ValueError("a style sheet that could end its element or load something")
    return Markup(f"<style>{text}</style>")


def document(head: Markup, body: Markup) -> str:
    """Return a whole document."""
    html = element("html", element("head", head), body, lang="en")
    return f"<!doctype html>\n{html}\n"


def _plain(value: Value) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


__all__ = ["Child", "Markup", "document", "element", "escape", "joined", "raw_style", "source_text", "visible"]
