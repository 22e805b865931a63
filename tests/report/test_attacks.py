"""The page by attack in a real browser: every text that can stand on it is a payload, in the file and on the live page."""

from __future__ import annotations

import dataclasses
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from replicator.report import page
from replicator.report.rows import Pulse
from replicator.service import web
from tests.report import fix_browser
from tests.report.fix_attacks import PAYLOADS
from tests.report.test_browser import ATTRIBUTES, COUNTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.report.fix_browser import Browser

pytestmark = pytest.mark.slow

CLOSED = {"stage", "bucket", "direction"}
"""Words of ours: the report's SQL makes them, whatever the source says (tests/report/test_browser.py plants it there)."""
TEXTS = """(() => {
    const walk = document.createTreeWalker(document, NodeFilter.SHOW_TEXT), found = [];
    while (walk.nextNode()) found.push(walk.currentNode.data);
    for (const e of document.querySelectorAll('*')) for (const a of e.attributes) found.push(a.value);
    return found.join(' ');
})()"""
RAN = "[...document.scripts].length + [...document.querySelectorAll('iframe, object, embed, form, base, img, link')].length"


def poisoned(thing: Any, payload: str, name: str = "") -> Any:
    """Return the figures with this payload in the place of every text: account, time zone, agents, campaigns, words, reasons."""
    if isinstance(thing, str):
        return thing if name in CLOSED else payload
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return dataclasses.replace(
            thing,
            **{
                field.name: poisoned(getattr(thing, field.name), payload, field.name)
                for field in dataclasses.fields(thing)
                if field.init
            },
        )
    if isinstance(thing, tuple):
        return tuple(poisoned(one, payload, name) for one in thing)
    return thing


def places(thing: Any, name: str = "") -> set[str]:
    """Return the fields of the figures that hold text."""
    if isinstance(thing, str):
        return {name}
    if dataclasses.is_dataclass(thing):
        return {
            found for field in dataclasses.fields(thing) for found in places(getattr(thing, field.name), field.name)
        }
    return {found for one in thing for found in places(one, name)} if isinstance(thing, tuple) else set()


@pytest.fixture
def html() -> list[str]:
    """What the live page says, to be changed."""
    return [""]


@pytest.fixture
def live(html: list[str]) -> Iterator[str]:
    """The live page's address, on the real server, under the header's policy."""
    site = web.Site(
        lambda _: html[0], lambda: Pulse(is_lease_held=True, lag_seconds=1.0), lambda: (), account="main",
        names=web.names_of("127.0.0.1", ()), keep_seconds=0, fresh_seconds=9,
    )  # fmt: skip
    with web.serving(site, host="127.0.0.1", port=0, stop=threading.Event()) as url:
        yield url


def test_every_text_of_the_figures_is_tried(found: Any) -> None:
    """Those that people or the source choose are among them."""
    assert places(found) >= {"account", "time_zone", "name", "direction", "reason"}
    assert len(PAYLOADS) >= 100


def attacked(chromium: Browser, address: str) -> fix_browser.Seen:
    """Open a page, and do with it what a reader does: walk through it by keys, and pass over its charts with the mouse."""
    seen = chromium.open(address)
    for _ in range(15):
        chromium.press("Tab")
    boxes = json.loads(
        chromium.value(
            "JSON.stringify([...document.querySelectorAll('svg, a, summary, bdi')].slice(0, 25).map(e => e.getBoundingClientRect())"
            ".map(b => [b.x + b.width / 2, b.y + b.height / 2]))"
        )
    )
    for x, y in boxes:
        chromium.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    chromium.rest(0.1)
    return seen


def test_a_payload_in_every_place_at_once_is_text(
    found: Any, chromium: Browser, html: list[str], live: str, tmp_path: Path
) -> None:
    """On the live page and in the file: no dialog, no request but the page's own, no message on the console, not an element
    more than with a harmless word, and the title is the payload as text.
    """
    plain: dict[str, int] = {}
    for number, payload in enumerate(["harmless", *PAYLOADS]):
        figures = poisoned(found, payload)
        html[0] = page.render(figures, refresh_seconds=3600)
        seen = attacked(chromium, live) if number % 8 == 0 else chromium.open(live)
        assert seen == fix_browser.Seen(), payload
        assert chromium.value(RAN) == 0, payload
        assert chromium.value(ATTRIBUTES) == 0, payload
        counts = chromium.value(COUNTS)
        plain = plain or counts
        assert counts == plain, payload
        if number % 8 == 0:
            path = tmp_path / f"{number}.html"
            path.write_text(page.render(figures), encoding="utf-8")
            assert chromium.open(path.as_uri()) == fix_browser.Seen(), payload
            assert chromium.value(RAN) == 0, payload
    chromium.call("Page.navigate", url="about:blank")


def test_the_payloads_are_really_shown(found: Any, chromium: Browser, html: list[str], live: str) -> None:
    """Title, headings and tables hold the word, so that the test above tries them."""
    html[0] = page.render(poisoned(found, "<b>POISON</b>"), refresh_seconds=3600)
    chromium.open(live)
    assert chromium.value("document.title").startswith("Calls of <b>POISON</b>")
    shown = chromium.value(TEXTS)
    assert shown.count("<b>POISON</b>") >= 20
    in_charts = "[...document.querySelectorAll('svg *')].filter(e => e.textContent.includes('POISON')).length"
    assert chromium.value(in_charts) == 0  # a chart says no word that others chose: days, hours and our own classes
    assert "POISON" not in chromium.value(
        "[...document.querySelectorAll('b')].filter(e => e.textContent == 'POISON').map(String).join()"
    )
    chromium.call("Page.navigate", url="about:blank")


def test_the_header_stops_what_the_escape_would_let_through(
    found: Any, chromium: Browser, html: list[str], live: str
) -> None:
    """Were every payload markup, the live page's policy would stop it: no dialog, and no request to another place."""
    text = page.render(found, refresh_seconds=3600)
    for payload in PAYLOADS:
        if "http-equiv=refresh" in payload:  # a refresh is no load: no policy speaks of it, the escape alone does
            continue
        html[0] = text.replace("<main", f"<div>{payload}</div><main".replace("\x00", ""), 1)
        seen = chromium.open(live)
        assert seen.dialogs == [], payload
        sent = [request for request in seen.requests if not request.startswith(("data:", live, "about:"))]
        blocked = [text for text in seen.console if "Content Security Policy" in text or "violates" in text]
        assert not sent or blocked, payload
    chromium.call("Page.navigate", url="about:blank")


def test_nobody_may_frame_the_live_page(
    found: Any, chromium: Browser, html: list[str], live: str, tmp_path: Path
) -> None:
    """A page of somebody else's shows an error in the frame, not the figures (clickjacking)."""
    html[0] = page.render(found, refresh_seconds=3600)
    path = tmp_path / "frame.html"
    path.write_text(f"<iframe src='{live}'></iframe>", encoding="utf-8")
    chromium.open(path.as_uri())
    chromium.rest(1)
    assert any("frame-ancestors" in text for text in chromium.seen.console), chromium.seen


def test_a_foreign_page_cannot_read_the_live_one(
    found: Any, chromium: Browser, html: list[str], live: str, tmp_path: Path
) -> None:
    """A script elsewhere that asks for the page, or for its health, gets nothing that it could read."""
    html[0] = page.render(found, refresh_seconds=3600)
    path = tmp_path / "foreign.html"
    path.write_text("<p>elsewhere</p>", encoding="utf-8")
    chromium.open(path.as_uri())
    for place in ("", "health"):
        for mode in ("cors", "no-cors"):
            answer = chromium.call(
                "Runtime.evaluate", awaitPromise=True, returnByValue=True,
                expression=f"fetch('{live}{place}', {{mode: '{mode}'}}).then(r => r.text()).catch(e => 'refused ' + e.name)",
            )  # fmt: skip
            assert answer["result"]["value"] in {"refused TypeError", ""}, (place, mode)
