"""The one door to HTML: a string is text, whatever is in it."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.report import blocks, markup
from replicator.report.markup import element, escape, joined, raw_style, source_text, visible
from tests.report.fix_attacks import PAYLOADS

pytestmark = pytest.mark.pure


ROOM = Path(markup.__file__).parent


@given(st.text())
def test_text_stays_text(text: str) -> None:
    """Whatever is put in comes out as the same visible text, and as no markup."""
    made = element("p", text, title=text).text
    assert re.fullmatch(r'<p(?: title="[^"<>]*")>[^<>]*</p>', made)
    assert unescape(made.removesuffix("</p>").split(">", 1)[1]) == visible(text)


@given(st.text())
def test_nothing_acts_on_its_neighbours(text: str) -> None:
    """No control character, no bidirectional override, no lone surrogate and no pile of accents is left."""
    shown = visible(text)
    assert all(character.isprintable() or character.isspace() for character in shown)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]", shown)
    assert len(shown) == len(text)
    shown.encode()


def test_a_pile_of_accents_is_cut() -> None:
    """A letter keeps two marks; a tower of them would cover other lines."""
    assert visible("a" + "\u0301" * 50).count("\u0301") == 2
    assert visible("naïve 東京 🎈 é") == "naïve 東京 🎈 é"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_is_shown_and_is_nothing_else(payload: str) -> None:
    """No angle bracket and no quote of a payload survives, in an element or in an attribute."""
    inside = source_text(payload).text.removeprefix("<bdi>").removesuffix("</bdi>")
    if payload.strip():
        assert not set("<>\"'") & set(inside)
    assert not set("<>\"'\n") & set(escape(payload))


@pytest.mark.parametrize(
    "wrong",
    [
        {"onclick": "x"}, {"onload": "x"}, {"style": "x"}, {"src": "x"}, {"srcdoc": "x"}, {"action": "x"}, {"formaction": "x", "href": "x"},
        {"href": "javascript:alert(1)"}, {"href": "//example.net"}, {"href": "https://example.net"}, {"href": "?next=x"},
        {"xlink:href": "x"}, {"a b": "x"}, {'a"': "x"}, {"href": "#a b"}, {"href": "#ok\n"},
    ],
)  # fmt: skip
def test_what_could_run_or_load_cannot_be_written(wrong: dict[str, str]) -> None:
    """Attributes that run, load or lead elsewhere are refused, not escaped."""
    with pytest.raises(ValueError, match="cannot be written"):
        element("a", "x", **wrong)


@pytest.mark.parametrize(
    "name", ["script", "iframe", "object", "embed", "base", "form", "input", "p onclick=x", "", "A"]
)
def test_some_elements_have_no_place(name: str) -> None:
    """Nor elements."""
    with pytest.raises(ValueError, match="no place"):
        element(name)


def test_a_style_sheet_cannot_end_itself() -> None:
    """The style sheet is ours; still, it can neither end its element nor load anything."""
    for wrong in ("</style><script>", "@import url(x)", "a { background: url(https://example.net) }"):
        with pytest.raises(ValueError, match="style sheet"):
            raw_style(wrong)


def test_nothing_but_the_door_makes_markup() -> None:
    """No other module of the room calls Markup(...), so that no text gets around the escape."""
    for path in ROOM.glob("*.py"):
        if path.name != "markup.py":
            assert not re.search(r"\bMarkup\(", path.read_text(encoding="utf-8")), path.name


def test_none_is_nothing_and_false_leaves_out() -> None:
    """Absent children and attributes leave no trace."""
    assert element("p", None, "", "x", cls=None, hidden=False, open=True).text == "<p open>x</p>"
    assert joined("a", element("br"), None).text == "a<br>"


def test_a_table_has_headers_for_columns_and_rows() -> None:
    """Each column and each row is named, and a wide table is reached by keys."""
    made = blocks.table(
        "Caption", [blocks.Column("A", is_number=False), blocks.Column("B")], [["x", "1"]], ["All", "1"]
    ).text
    assert made.count('scope="col"') == 2
    assert made.count('scope="row"') == 2
    assert "<caption>Caption</caption>" in made
    assert 'tabindex="0"' in made
