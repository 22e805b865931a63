"""The page in a real browser: attacks are text, nothing is loaded, and people who see, hear or type differently can use it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb

from replicator.report import page
from replicator.report.rows import Pulse
from replicator.service import web
from tests.report import fix_browser, fix_near_world
from tests.report.fix_attacks import PAYLOADS
from tests.report.fix_near_world import read
from tests.sql.fix_small_world import Call, call_id, insert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import psycopg

    from tests.report.fix_browser import Browser

pytestmark = pytest.mark.slow

#: What PostgreSQL's text cannot hold, and the replicator stores escaped.
UNSTORABLE = str.maketrans({"\x00": None})


TOGETHER = 8
"""Payloads on one page: each table of words shows at least so many."""


def plant(connection: psycopg.Connection[Any], payloads: Sequence[str]) -> None:
    """Put each payload into every text that the source, the network or an operator can set: a call and a row for each."""
    for name in (
        "truedy.calls", "truedy.call_versions", "truedy.transcripts", "truedy.transcript_segments", "replicator.coverage",
        "replicator.runs", "replicator.quarantine",
    ):  # fmt: skip
        connection.execute(f"DELETE FROM {name}")
    for number, payload in enumerate(payloads, 1):
        text = f"{payload.translate(UNSTORABLE)} {chr(96 + number)}"
        insert(connection, Call(number, fix_near_world.before(number), "completed", 5, 60, "0.1"))
        connection.execute(
            "UPDATE truedy.calls SET status = %(t)s, direction = %(t)s, summary = %(t)s, phone_number = %(t)s, "
            "from_number = %(t)s, recording_url = %(t)s, context = %(c)s, raw = %(c)s WHERE id = %(id)s",
            {
                "t": text,
                "c": Jsonb({"campaign_id": text, "last_error": text, "agent_name": text, text: text}),
                "id": call_id(number),
            },
        )
        connection.execute(
            "INSERT INTO truedy.transcripts (call_id, state, summary, segment_count) VALUES (%s, 'present', %s, 1)",
            [call_id(number), text],
        )
        connection.execute(
            "INSERT INTO truedy.transcript_segments (call_id, position, speaker, text, raw) VALUES (%s, 0, %s, %s, %s)",
            [call_id(number), text, text, Jsonb({"text": text})],
        )
        connection.execute(
            "INSERT INTO replicator.coverage (account, since, until, verified_at, is_proven, reason) "
            "VALUES ('main', %s, %s, now(), false, %s)",
            [fix_near_world.before(number), fix_near_world.before(number, "11:00:00"), text],
        )
        connection.execute(
            "INSERT INTO replicator.runs (account, command, replicator_version, holder, epoch, outcome, message) "
            "VALUES ('main', %s, '0', 'test', 1, 'done', %s)",
            [text, text],
        )
        connection.execute(
            "INSERT INTO replicator.quarantine (account, request, reason, raw, raw_sha256, first_seen_at, last_seen_at) "
            "VALUES ('main', %s, %s, %s, '', now(), now())",
            [text, text, text.encode("utf-8", "surrogatepass")],
        )


COUNTS = """(() => {
    const n = {};
    for (const e of document.querySelectorAll('*')) n[e.localName] = (n[e.localName] || 0) + 1;
    return n;
})()"""
ATTRIBUTES = """[...document.querySelectorAll('*')].flatMap(e => [...e.attributes])
    .filter(a => a.name.startsWith('on') || ['style', 'src', 'action'].includes(a.name)).length"""


def test_attacks_are_text(near: psycopg.Connection[Any], database_url: str, chromium: Browser, tmp_path: Path) -> None:
    """Every payload in every text field, all of them rendered: no dialog, no request, no message, no element of theirs."""
    assert len(PAYLOADS) >= 40
    pages = [["harmless"] * TOGETHER]
    pages += [list(PAYLOADS[at : at + TOGETHER]) for at in range(0, len(PAYLOADS), TOGETHER)]
    plain: dict[str, int] | None = None
    for number, some in enumerate(pages):
        payloads = [*some, *["harmless"] * (TOGETHER - len(some))]
        plant(near, payloads)
        path = tmp_path / f"{number}.html"
        path.write_text(page.render(read(database_url)), encoding="utf-8")
        seen = chromium.open(path.as_uri())
        assert seen == fix_browser.Seen(), payloads
        counts = chromium.value(COUNTS)
        plain = plain or counts
        assert counts == plain, payloads
        assert chromium.value(ATTRIBUTES) == 0


def test_the_corpus_is_really_shown(
    near: psycopg.Connection[Any], database_url: str, chromium: Browser, tmp_path: Path
) -> None:
    """The payload is on the page, as text, in five places: campaign, status, error, reason and run. Summaries are not."""
    plant(near, ["<b>MARK</b>"])
    path = tmp_path / "page.html"
    path.write_text(page.render(read(database_url)), encoding="utf-8")
    chromium.open(path.as_uri())
    assert chromium.value("document.body.textContent.split('<b>MARK</b>').length - 1") >= 7
    assert chromium.value("document.querySelectorAll('b:not(.verdict b)').length") == chromium.value(
        "[...document.querySelectorAll('b:not(.verdict b)')].filter(e => e.textContent != 'MARK').length"
    )
    plant(near, ["only of people"])
    near.execute("UPDATE truedy.calls SET status = 'completed', direction = 'outbound', context = NULL")
    near.execute("UPDATE replicator.coverage SET reason = ''")
    near.execute("UPDATE replicator.runs SET message = NULL, command = 'sync'")
    near.execute("DELETE FROM replicator.quarantine")
    assert "only of people" not in page.render(read(database_url))


def test_a_script_would_be_noticed(chromium: Browser, tmp_path: Path) -> None:
    """The watch works: without the escape and the policy the same payloads open dialogs and send requests."""
    path = tmp_path / "page.html"
    path.write_text(
        "<img src=http://127.0.0.1:9/x><script>alert(1)</script><script>console.log('x')</script>", encoding="utf-8"
    )
    seen = chromium.open(path.as_uri())
    assert seen.dialogs == ["1"]
    assert "http://127.0.0.1:9/x" in seen.requests
    assert seen.console


def heard(trap: socket.socket) -> bytes:
    """Return what was sent to the trap. Chromium connects ahead for a frame before its policy is asked, and says nothing."""
    said = b""
    trap.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while True:
            with trap.accept()[0] as connection:
                connection.settimeout(0.5)
                said += connection.recv(1000)
    return said


def test_the_policy_stands_where_the_escape_would_fail(found: Any, chromium: Browser, tmp_path: Path) -> None:
    """Were a payload let through as markup, the document's own policy would stop it: no dialog, no request."""
    path = tmp_path / "page.html"
    with socket.create_server(("127.0.0.1", 0)) as trap:
        where = f"http://127.0.0.1:{trap.getsockname()[1]}/"
        attacks = (
            f"<img src={where} onerror=alert(1)><script>alert(1)</script><style>body {{ background: url({where}) }}</style>"
            f"<link rel=stylesheet href={where}><iframe src={where}></iframe><video src={where}></video>"
            f"<script src={where}></script><object data={where}></object><p style='background:url({where})'>x</p>"
        )
        path.write_text(page.render(found).replace("<main", f"{attacks}<main"), encoding="utf-8")
        seen = chromium.open(path.as_uri())
        assert heard(trap) == b""
    assert seen.dialogs == []
    assert sum("Content Security Policy" in text for text in seen.console) >= 5


@pytest.fixture
def opened(found: Any, chromium: Browser, tmp_path: Path) -> Browser:
    """The near world's page in the browser."""
    path = tmp_path / "page.html"
    path.write_text(page.render(found), encoding="utf-8")
    assert chromium.open(path.as_uri()) == fix_browser.Seen()
    return chromium


def test_headings_and_landmarks(opened: Browser) -> None:
    """One h1, no level left out, one main, named regions, a language, a title, and a link past the navigation."""
    levels = opened.value("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(e => +e.localName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert opened.value("document.documentElement.lang") == "en"
    assert opened.value("document.title").startswith("Calls of main")
    assert opened.value(
        "['header','main','footer','nav'].map(n => document.querySelectorAll('body > ' + n).length)"
    ) == [1, 1, 1, 1]
    assert opened.value(
        "[...document.querySelectorAll('section')].every(s => document.getElementById(s.getAttribute('aria-labelledby')))"
    )
    assert opened.value("document.querySelector('a').getAttribute('href')") == "#content"


def test_every_id_is_there_once_and_every_reference_leads_somewhere(opened: Browser) -> None:
    """Links, labels and descriptions have their target."""
    assert (
        opened.value(
            "(() => { const i = [...document.querySelectorAll('[id]')].map(e => e.id); return i.length - new Set(i).size })()"
        )
        == 0
    )
    assert opened.value("[...document.querySelectorAll('a')].every(a => document.getElementById(a.hash.slice(1)))")
    assert opened.value(
        "[...document.querySelectorAll('[aria-labelledby]')].every(e => e.getAttribute('aria-labelledby').split(' ').every(i => document.getElementById(i)))"
    )
    assert opened.value(
        "[...document.querySelectorAll('[fill]')].every(e => document.querySelector(e.getAttribute('fill').slice(4, -1)))"
    )


def test_every_picture_is_named_and_has_its_numbers_as_a_table(opened: Browser) -> None:
    """Each chart has a title and a description that differ, and a table in the same figure; ornaments are hidden."""
    facts = opened.value(
        "[...document.querySelectorAll('svg')].map(s => [s.getAttribute('role'), s.getAttribute('aria-hidden'), "
        "s.querySelector(':scope > title')?.textContent, s.querySelector(':scope > desc')?.textContent, "
        "!!s.closest('figure')?.querySelector('details table')])"
    )
    charts = [row for row in facts if row[0] == "img"]
    assert len(charts) == 14
    for _, _, title, text, has_table in charts:
        assert title
        assert len(text) > 20
        assert has_table
    assert all(row[1] == "true" for row in facts if row[0] != "img")


def test_what_a_screen_reader_hears(opened: Browser) -> None:
    """In the browser's own accessibility tree every image, table, region and link has a name, and one of each pair of charts is there."""
    nodes = opened.call("Accessibility.getFullAXTree")["nodes"]
    heard: dict[str, list[str]] = {}
    for node in nodes:
        if not node.get("ignored"):
            heard.setdefault(node.get("role", {}).get("value", ""), []).append(node.get("name", {}).get("value", ""))
    for role in ("image", "table", "region", "link", "heading", "navigation", "DisclosureTriangle"):
        assert heard.get(role), (role, sorted(heard))
        assert all(heard[role]), role
    assert len(heard["image"]) == 7


def test_tables(opened: Browser) -> None:
    """Every table has a caption, every header a scope, every row as many cells as the head, and a header of its own."""
    assert opened.value("[...document.querySelectorAll('table')].every(t => t.caption && t.tHead)")
    assert opened.value("[...document.querySelectorAll('th')].every(h => ['col', 'row'].includes(h.scope))")
    assert opened.value(
        "[...document.querySelectorAll('table')].every(t => [...t.rows].every(r => r.cells.length == t.tHead.rows[0].cells.length))"
    )
    assert opened.value("[...document.querySelectorAll('tbody tr, tfoot tr')].every(r => r.cells[0].localName == 'th')")


def test_the_keyboard_reaches_everything_in_reading_order(opened: Browser) -> None:
    """Tab goes to the skip link first, then down the page; each stop is visible, named, and nothing jumps the queue."""
    assert opened.value("[...document.querySelectorAll('[tabindex]')].every(e => e.tabIndex == 0)")
    opened.value("document.activeElement.blur()")
    opened.press("Tab")
    assert opened.value("document.activeElement.textContent") == "To the content"
    assert opened.value("document.activeElement.getBoundingClientRect().left") >= 0
    order = [0]
    for _ in range(60):
        opened.press("Tab")
        place = opened.value("[...document.querySelectorAll('*')].indexOf(document.activeElement)")
        if place <= order[-1]:
            break
        order.append(place)
        assert opened.value("getComputedStyle(document.activeElement).outlineStyle") != "none"
    stops = opened.value("document.querySelectorAll('a, summary').length")
    assert len(order) >= stops


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_is_wider_than_the_screen(opened: Browser, width: int) -> None:
    """On a telephone the page does not scroll sideways, and letters of a chart are at least 9 pixels high."""
    opened.look(width)
    assert opened.value("document.documentElement.scrollWidth") <= width
    small = opened.value(
        "[...document.querySelectorAll('.chart text')].filter(t => t.getBoundingClientRect().width)"
        ".map(t => t.getBoundingClientRect().height).reduce((a, b) => Math.min(a, b), 99)"
    )
    assert small >= 9
    assert (
        opened.value(
            "[...document.querySelectorAll('.chart')].filter(s => getComputedStyle(s).display != 'none').length"
        )
        == 7
    )


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_a_table_fits_or_says_that_it_scrolls(opened: Browser, width: int) -> None:
    """Whatever table is wider than its place has a visible line above it that says so, tables in folded parts too."""
    opened.look(width)
    opened.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    silent = opened.value(
        "[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > one.clientWidth + 1 && "
        "!(one.previousElementSibling?.classList.contains('hint') && "
        "getComputedStyle(one.previousElementSibling).display !== 'none')).map(one => one.ariaLabel)"
    )
    opened.value("document.querySelectorAll('details').forEach(one => one.open = false)")
    assert silent == []


def test_printed_tables_fit_the_paper(opened: Browser) -> None:
    """On A4 nothing scrolls: no table that is printed goes over the right edge."""
    opened.look(688)
    opened.call("Emulation.setEmulatedMedia", media="print", features=[])
    wide = opened.value(
        "[...document.querySelectorAll('.scroll table')].filter(one => one.checkVisibility() && "
        "one.getBoundingClientRect().right > 689).map(one => one.caption.innerText)"
    )
    opened.look(1280)
    assert wide == []


def test_the_labels_of_a_chart_do_not_cover_one_another(opened: Browser) -> None:
    """In the browser's own measure, at both sizes."""
    for width in (360, 1280):
        opened.look(width)
        boxes = json.loads(
            opened.value(
                "JSON.stringify([...document.querySelectorAll('.chart')].map(s => [...s.querySelectorAll('.tick, .name')]"
                ".map(t => t.getBoundingClientRect()).filter(b => b.width).map(b => [b.left, b.top, b.right, b.bottom])))"
            )
        )
        for chart in boxes:
            for number, one in enumerate(chart):
                for other in chart[number + 1 :]:
                    overlap = (
                        min(one[2], other[2]) - max(one[0], other[0]),
                        min(one[3], other[3]) - max(one[1], other[1]),
                    )
                    assert overlap[0] <= 0.5 or overlap[1] <= 3, (width, one, other)


def test_it_prints(opened: Browser, tmp_path: Path) -> None:
    """On paper: a few pages, and the links and folded tables are left out."""
    opened.pdf(tmp_path / "page.pdf")
    raw = (tmp_path / "page.pdf").read_bytes()
    assert raw.startswith(b"%PDF")
    assert 2 <= raw.count(b"/Type /Page\n") <= 12


def test_the_live_page_refreshes_and_loads_nothing(found: Any, chromium: Browser) -> None:
    """From the real server, under the header's policy: no message, no request but its own, a refresh and the periods."""
    site = web.Site(
        lambda _: page.render(found, refresh_seconds=60), lambda: Pulse(is_lease_held=True, lag_seconds=1.0),
        lambda: (), account="main", names=web.names_of("127.0.0.1", ()), keep_seconds=1, fresh_seconds=9,
    )  # fmt: skip
    with web.serving(site, host="127.0.0.1", port=0, stop=threading.Event()) as url:
        seen = chromium.open(url)
        assert seen == fix_browser.Seen()
        assert chromium.value("document.querySelector('meta[http-equiv=refresh]').content") == "60"
        assert chromium.value(
            "[...document.querySelectorAll('nav a')].slice(0, 5).map(a => a.getAttribute('href'))"
        ) == [f"?days={days}" for days in page.SPANS]
        assert chromium.value("document.querySelectorAll('[aria-current]').length") == 1
        chromium.call("Page.navigate", url="about:blank")


def test_pages_of_nothing_one_call_and_years(
    near: psycopg.Connection[Any], database_url: str, chromium: Browser, tmp_path: Path
) -> None:
    """An empty replica, one call, one day and ten years load without a message and fit a telephone."""
    pages = {
        "nobody": read(database_url, "nobody"),
        "one day": read(database_url, days=1),
        "three years": read(database_url, days=1095),
        "ten years": read(database_url, days=3660),
    }
    near.execute("DELETE FROM truedy.calls WHERE id <> %s", [call_id(1)])
    near.execute("DELETE FROM replicator.coverage")
    pages["one call"] = read(database_url)
    for name, figures in pages.items():
        path = tmp_path / f"{name.replace(' ', '-')}.html"
        html = page.render(figures)
        path.write_text(html, encoding="utf-8")
        assert chromium.open(path.as_uri(), width=360) == fix_browser.Seen(), name
        assert chromium.value("document.documentElement.scrollWidth") <= 360, name
        assert "nan" not in html.lower().replace("finance", ""), name
        assert "None" not in html.replace("None expected", ""), name


def test_near_world_is_of_today() -> None:
    """The world's own calendar."""
    assert fix_near_world.before(0) > fix_near_world.before(1)
