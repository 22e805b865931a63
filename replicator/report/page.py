"""The report as one HTML document: no script, nothing is loaded, and one style sheet that the policy allows by its
hash.

The same document is a file (`replicator report`) and a live page (`replicator serve`); only the live page refreshes
itself and links to other periods. The HTTP header adds what a policy in a `meta` element cannot say: who may frame the
page.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from replicator import __version__
from replicator.report import calls, costs, data_quality, durations, headlines, reconciliation, wording
from replicator.report.blocks import moment
from replicator.report.markup import Markup, document, element, joined, raw_style, source_text

if TYPE_CHECKING:
    from datetime import date

    from replicator.report.rows import Figures

SPANS = (7, 30, 90, 365, 1095)
"""The numbers of days that the live page can show."""
SECTIONS = (
    ("glance", "At a glance"), ("volume", "Volume"), ("funnel", "Funnel"), ("durations", "Duration"), ("cost", "Cost"),
    ("statements", "Reconciliation"),
    ("hours", "When"), ("agents", "Agents"), ("errors", "Errors"), ("final", "Not final"), ("coverage", "Coverage"),
    ("aside", "Quarantine"), ("reading", "How to read"),
)  # fmt: skip


@cache
def style() -> str:
    """Return the style sheet."""
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")


@cache
def policy() -> str:
    """Return the content security policy that the document itself carries: nothing may be loaded, sent or run."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'none'; base-uri 'none'; form-action 'none'"


def header_policy() -> str:
    """Return the policy for the HTTP header, which also forbids framing the page."""
    return f"{policy()}; frame-ancestors 'none'"


def default_name(today: date) -> Path:
    """Return the default file name."""
    return Path(f"truedy-report-{today.isoformat()}.html")


def render(figures: Figures, *, refresh_seconds: int | None = None) -> str:
    """Return the page. With `refresh_seconds` it is the live page: it refreshes itself and links to other periods."""
    clock = wording.clock(figures.facts.time_zone)
    is_live = refresh_seconds is not None
    head = joined(
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy()),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="robots", content="noindex"),
        element("meta", http_equiv="refresh", content=refresh_seconds) if is_live else None,
        element("title", f"Calls of {figures.account}, {wording.span(figures.period.since, figures.period.today)}"),
        raw_style(style()),
    )
    body = element(
        "body",
        element("a", "To the content", href="#content", cls="skip"),
        _header(figures, clock),
        _navigation(figures, is_live=is_live),
        element(
            "main",
            headlines.glance(figures),
            calls.volume(figures),
            calls.funnel(figures),
            durations.durations(figures),
            costs.cost(figures),
            reconciliation.reconciliation(figures, clock),
            calls.hours(figures),
            calls.agents(figures),
            calls.errors(figures, clock),
            data_quality.outstanding(figures),
            data_quality.coverage(figures, clock),
            data_quality.aside(figures, clock),
            data_quality.definitions(),
            id="content",
        ),
        _footer(figures, clock, refresh_seconds),
    )
    return document(head, body)


def _header(figures: Figures, clock: wording.Clock) -> Markup:
    facts, period = figures.facts, figures.period
    return element(
        "header",
        element("h1", "Calls"),
        element(
            "p", "Account ", element("b", source_text(figures.account)), f", {wording.span(period.since, period.today)}", cls="lead"
        ),
        element(
            "p", *(("Data as of ", moment(facts.head_at, clock), ". ") if facts.head_at else ("No data yet. ",)), "Generated ", moment(facts.now_at, clock),
            f". Days and times are those of {facts.time_zone}" + ("" if clock.name == facts.time_zone else "; times are shown in UTC") + ".",
            cls="note",
        ),
        data_quality.verdict(figures, clock),
    )  # fmt: skip


def _navigation(figures: Figures, *, is_live: bool) -> Markup:
    links = [element("li", element("a", title, href=f"#{name}")) for name, title in SECTIONS]
    if not is_live:
        return element("nav", element("ul", *links), aria_label="Sections")
    spans = [
        element(
            "li",
            element("a", f"{days:,} days", href=f"?days={days}", aria_current="page" if days == figures.period.days else None),
        )
        for days in SPANS
    ]  # fmt: skip
    return joined(
        element("nav", element("ul", *spans), aria_label="Period"), element("nav", element("ul", *links), aria_label="Sections")
    )  # fmt: skip


def _footer(figures: Figures, clock: wording.Clock, refresh_seconds: int | None) -> Markup:
    live = "" if refresh_seconds is None else f" This page refreshes itself every {wording.roughly(refresh_seconds)}."
    return element(
        "footer",
        element(
            "p",
            f"Truedy replicator {__version__}; generated ",
            moment(figures.facts.now_at, clock),
            ". Phone numbers, transcripts and summaries are not read for this page; no script runs on it and nothing is loaded.",
            live,
        ),
    )


__all__ = ["SPANS", "header_policy", "policy", "render", "style"]
