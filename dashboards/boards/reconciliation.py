"""Statements against our calls, and closed months."""

from __future__ import annotations

from dashboards.panels import ACCOUNT, Column, Dashboard, Measure, Panel, number, total

BRIDGE, ITEMS, CLOSES = "reconciliation_bridge", "reconciliation_items", "month_closes"
SUMMARY, LATE = "reconciliation_summary", "month_close_changes"
PERIOD, PARTY, CLASS = Column("month", "period"), Column("statement of", "party"), Column("class", "class")
OPEN = "is_open AND NOT is_accepted"

RECONCILIATION = Dashboard(
    "reconciliation",
    "Calls: reconciliation",
    "The statements of the vendor and the carriers against our calls, open items, and closed months.",
    (
        number("Open items", ITEMS, Measure("open", "count(*)"), "wait for a person", time=None, where=OPEN, width=3),
        number(
            "Open, without signs",
            ITEMS,
            Measure("open", "coalesce(sum(abs(delta_usd)), 0)", "usd"),
            "in US dollars",
            time=None,
            where=OPEN,
            width=3,
        ),
        number("Months closed", CLOSES, Measure("months", "count(*)"), "frozen", time=None, where="is_newest", width=3),
        number(
            "Late changes",
            CLOSES,
            Measure("late", "coalesce(sum(late_changes_usd), 0)", "usd"),
            "seen after closes",
            time=None,
            where="is_newest",
            width=3,
        ),
        Panel(
            "The vendor's newest month: from our sum to the statement's total",
            "table",
            BRIDGE,
            (
                total("lines and calls", "items"),
                total("amount", "amount_usd", "usd"),
                total("sum after it", "running_usd", "usd"),
            ),
            by=(ACCOUNT, Column("step", "lpad(step_number::text, 2, '0') || ' ' || replace(step, '_', ' ')")),
            time=None,
            where="party = 'vendor' AND (items > 0 OR is_sum) AND is_newest_period",
            width=6,
            height=5,
            order="itself",
            about="The steps add up exactly; what is within the tolerances is the residue.",
        ),
        Panel(
            "Differences by class, all months",
            "table",
            SUMMARY,
            (
                total("lines and calls", "items"),
                total("ours", "ours_usd", "usd"),
                total("theirs", "theirs_usd", "usd"),
                total("difference", "delta_usd", "usd"),
            ),
            by=(CLASS, PARTY),
            time=None,
            width=6,
            height=5,
            about="docs/money.md says what each class means, and what to do.",
        ),
        Panel(
            "What is open in each month",
            "table",
            SUMMARY,
            (
                total("lines and calls", "items"),
                total("open", "open_items"),
                total("open US dollars", "open_usd", "usd"),
                total("difference", "delta_usd", "usd"),
            ),
            by=(PERIOD, PARTY),
            time=None,
            width=6,
            height=3,
            order="latest",
            about="Open US dollars count each difference without its sign.",
        ),
        Panel(
            "Closed months",
            "table",
            CLOSES,
            (
                total("calls", "calls"),
                total("frozen", "our_sum_usd", "usd"),
                total("statement", "statement_usd", "usd"),
                total("changed since", "late_changes_usd", "usd"),
            ),
            by=(PERIOD, ACCOUNT, Column("close", "lpad(close_number::text, 2)")),
            time=None,
            width=6,
            height=3,
            order="latest",
            about="A close is never changed. A month that was closed again has several.",
        ),
        Panel(
            "Corrections of closed months, by the month in which they were seen",
            "table",
            LATE,
            (Measure("changes", "count(*)"), total("difference", "delta_usd", "usd")),
            by=(Column("seen in", "seen_period"), Column("of month", "period"), Column("change", "change")),
            time=None,
            width=12,
            height=3,
            order="latest",
        ),
    ),
)
