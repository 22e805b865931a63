"""What a person reads of a transcript, whatever strangers said in it."""

from __future__ import annotations

import json
import uuid
from html.parser import HTMLParser

import pytest

from replicator.archive.production import readable
from tests.archive.fix_texts import HOSTILE

pytestmark = pytest.mark.pure
CALL = uuid.UUID(int=7)


class Page(HTMLParser):
    """Collects a page's elements, attributes and texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def shown(text: str) -> tuple[str, Page]:
    sealed = {"segments": [{"speaker": text, "text": text, "timestamp": text}]}
    words, page = readable.transcript(CALL, 12, readable.read_json(json.dumps(sealed).encode()))
    return words, Page(page)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_gets_out_of_its_place(text: str) -> None:
    """A page has its own elements only, whatever was said; a text file has one line that begins as an utterance."""
    words, page = shown(text)
    assert page.elements == [
        "html", "head", "meta", "meta", "title", "style", "body", "h1", "p", "p", "table", *("tr", "th", "th", "th"),
        *("tr", "td", "td", "td", "bdi"),
    ]  # fmt: skip
    assert {name for name, _ in page.attributes} == {"lang", "charset", "http-equiv", "content"}
    said = words.split("\n")[4:]
    assert [line.startswith("    ") for line in said] == [False] + [True] * (len(said) - 2) + [False]
    assert not any(letter < " " or letter in "\x7f\x1b\u202e\u2028\ufeff" for letter in words.replace("\n", ""))


def test_the_page_loads_and_runs_nothing() -> None:
    """Its policy allows its own style and nothing else."""
    _, page = shown("x")
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


def test_numbers_keep_their_digits() -> None:
    """What was 12.50 is 12.50, and a number that no float holds is whole."""
    assert readable.value_text(readable.read_json(b"12.50")) == "12.50"
    assert readable.value_text(readable.read_json(b"[1.10, 9007199254740993]")) == '["1.10","9007199254740993"]'


def test_what_is_no_transcript_is_an_empty_one() -> None:
    """Segments that are no list, or no objects, are left out; the JSON beside has them."""
    for sealed in (None, [], {"segments": "x"}, {"segments": [1, None, "x"]}):
        assert readable.transcript(CALL, 1, sealed)[0].endswith("exact text.\n\n")
