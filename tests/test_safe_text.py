"""The door for text that is shown: nothing acts on a terminal or on its neighbours, and no known secret comes through."""

from __future__ import annotations

import json
import logging
import sys
import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator import safe_text
from replicator.errors import ConfigurationError, DatabaseUnavailable
from replicator.report import terminal

pytestmark = pytest.mark.pure


ACTING = [
    "\x00", "\x07", "\x08", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\u00ad", "\u034f", "\u061c", "\u115f", "\u200b",
    "\u200d", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202e", "\u2060", "\u2066", "\u2069", "\u3164", "\ufeff",
    "\ufff9", "\ud800", "\udcff", "\U000e0001", "\U000e0041", "\U000e0100", "\U0010ffff", "\ue000",
]  # fmt: skip


@pytest.mark.parametrize("character", ACTING, ids=lambda character: f"U+{ord(character):04X}")
def test_what_acts_is_an_escape(character: str) -> None:
    """Control, invisible, direction-changing and private characters and lone surrogates are shown as their numbers."""
    shown = safe_text.visible(f"a{character}b")
    assert character not in shown
    assert shown.isascii()
    assert shown.startswith("a\\")


@pytest.mark.parametrize("text", ["Zürich", "日本語", "😀", "عربي", "a\u00a0b", "❤\ufe0f", "é"])
def test_what_people_write_is_shown(text: str) -> None:
    """Letters of every script, emoji and spaces stay as they are."""
    assert safe_text.visible(text) == text


@given(st.text(alphabet=st.characters()))
def test_nothing_that_acts_comes_through(text: str) -> None:
    """Whatever the text, the result has no control or format character and no line end, and doing it twice changes nothing."""
    shown = safe_text.visible(text)
    assert {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp", "Co"} == set()
    assert safe_text.visible(shown) == shown


@given(st.text(alphabet=st.characters()))
def test_json_is_ascii_and_exact(text: str) -> None:
    """JSON has nothing but printable ASCII and line ends, and every value comes back as it was."""
    written = terminal.as_json({"text": text, "cost": Decimal("0.10")})
    assert json.loads(written)["text"] == text
    assert all(character == "\n" or " " <= character <= "~" for character in written)


def test_an_error_is_fit_to_be_shown_when_it_is_made() -> None:
    """Its message has one line and no character that acts; its advice has the lines that we gave it."""
    error = ConfigurationError("no \x1b[31mfile\nat fault: nobody", advice="run\nGRANT \u202e")
    assert error.explain().split("\n") == [
        "no \\x1b[31mfile\\nat fault: nobody",
        "at fault: the configuration; waiting does not help.",
        "what to do: run",
        "GRANT \\u202e",
    ]


def test_a_known_secret_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever put it into a text; an ordinary word that is somebody's password is not looked for."""
    monkeypatch.setattr(safe_text, "_secrets", set())
    safe_text.hide("a-very-secret-word", "postgres", "")
    assert DatabaseUnavailable("refused: a-very-secret-word! (postgres)").message == "refused: [secret]! (postgres)"


@pytest.mark.parametrize(
    ("text", "is_part"),
    [
        ("truedy_ab", True),
        ("xx_cdefghxx", True),
        ("CDEFGH", True),
        ("cdefg", False),
        ("rate_limit", False),
        ("", False),
    ],
)
def test_a_part_of_a_secret(text: str, is_part: bool) -> None:
    """Six characters in a row are a part, in whatever case."""
    assert safe_text.echoes(text, "truedy_abcdefghijkl") is is_part


def test_one_record_is_one_line() -> None:
    """A name with a line end makes no line of its own; only a traceback has lines, and they are indented."""
    formatter = safe_text.LogFormatter("%(levelname)s %(message)s")
    record = logging.LogRecord("x", logging.INFO, "", 0, "serving %s", ("a\nERROR forged \x1b[2J\u202e",), None)
    assert formatter.format(record) == "INFO serving a\\nERROR forged \\x1b[2J\\u202e"
    try:
        json.loads("x\nERROR forged \x9b")
    except ValueError:
        record.exc_info = sys.exc_info()
    first, *frames = formatter.format(record).split("\n")
    assert first.startswith("INFO serving")
    assert all(frame.startswith("    ") and "\x9b" not in frame for frame in frames)
    assert record.exc_info is not None  # another handler may want it
