"""What the dashboards show: every query, once. A panel is some measures of one view, by nothing, by day or by columns.

Measures are sums divided by sums, so that a panel is right for any choice of days and accounts. Pure data: grafana.py and
superset.py turn it into files, and tests run what they wrote as a reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "lines", "bars", "table"]
Unit = Literal["count", "usd", "share", "seconds", ""]


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. `measures` are (label, SQL aggregate); `width` and `height` in twelfths of the page's width."""

    title: str
    kind: Kind
    view: str
    measures: tuple[tuple[str, str], ...]
    by: tuple[str, ...] = ()
    time: str | None = "day"
    """The column that the time range applies to; None: the view tells of now."""
    unit: Unit = "count"
    about: str = ""
    width: int = 4
    height: int = 3
    where: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page. `name` is in file names and addresses."""

    name: str
    title: str
    about: str
    panels: tuple[Panel, ...]


FUNNEL, COST, DURATION = "status_funnel_daily", "call_cost_daily", "call_duration_daily"
FRESH, COVERAGE, DELAY = "replication_freshness", "coverage_daily", "update_delay"

CALLS = ("calls", "sum(calls)")
CONVERSATIONS = ("conversations", "sum(conversations)")
CONVERSATION_RATE = (
    "conversation rate",
    "sum(conversations)::double precision / nullif(sum(terminal_calls), 0)::double precision",
)
ANSWER_RATE = ("answer rate", "sum(answered_calls)::double precision / nullif(sum(placed_calls), 0)::double precision")
COST_USD = ("cost", "sum(cost_usd)")
PENDING = ("cost not known yet", "sum(cost_pending_calls)")
PER_MINUTE = ("per minute", "sum(timed_cost_usd) / nullif(sum(timed_minutes), 0)::numeric")
PER_CONVERSATION = ("per conversation", "sum(cost_usd) / nullif(sum(conversations), 0)")
AVERAGE = ("average", "sum(duration_seconds)::double precision / nullif(sum(measured_calls), 0)::double precision")
STAGES = (
    ("answered", "sum(answered_calls)"),
    ("machine", "sum(machine_calls)"),
    ("not answered", "sum(not_answered_calls)"),
    ("busy", "sum(busy_calls)"),
    ("not placed", "sum(not_placed_calls)"),
    ("cancelled", "sum(cancelled_calls)"),
    ("open", "sum(open_calls)"),
    ("unmapped", "sum(unmapped_calls)"),
)
LAG = Panel(
    "Behind the source",
    "number",
    FRESH,
    (("lag", "max(lag_seconds)"),),
    time=None,
    unit="seconds",
    width=2,
    about="Seconds since the newest end of the source's list was read, the worst account.",
)

DASHBOARDS = (
    Dashboard(
        "overview",
        "Calls: overview",
        "How many calls, what becomes of them, what they cost, and as of when that is right.",
        (
            Panel("Calls", "number", FUNNEL, (CALLS,), width=2, about="Calls created: attempts, not people."),
            Panel("Conversations", "number", FUNNEL, (CONVERSATIONS,), width=2),
            Panel(
                "Conversation rate",
                "number",
                FUNNEL,
                (CONVERSATION_RATE,),
                unit="share",
                width=2,
                about="Conversations over calls that are over with a known status.",
            ),
            Panel("Cost", "number", COST, (COST_USD,), unit="usd", width=2, about="Known costs only."),
            Panel("Cost not known yet", "number", COST, (PENDING,), width=2, about="Calls: the sum beside will grow."),
            LAG,
            Panel(
                "What becomes of calls",
                "bars",
                FUNNEL,
                STAGES,
                width=8,
                height=4,
                about="Stages partition the calls of a day; open ones are not failures.",
            ),
            Panel("Cost by day", "lines", COST, (COST_USD,), unit="usd", height=4),
            Panel(
                "By campaign",
                "table",
                FUNNEL,
                (CALLS, CONVERSATIONS, ANSWER_RATE, CONVERSATION_RATE),
                by=("campaign_id",),
                unit="",
                width=6,
                height=4,
            ),
            Panel(
                "As of when",
                "table",
                FRESH,
                (
                    ("completeness", "max(completeness)"),
                    ("read until", "max(head_at)"),
                    ("calls", "sum(live_calls)"),
                    ("calls at the source", "sum(source_total)"),
                ),
                by=("account",),
                time=None,
                unit="",
                width=6,
                height=4,
            ),
        ),
    ),
    Dashboard(
        "cost",
        "Calls: cost",
        "What calls cost, what a minute and a conversation cost, and how much of that is not known yet.",
        (
            Panel("Cost", "number", COST, (COST_USD,), unit="usd", width=3),
            Panel("Per minute", "number", COST, (PER_MINUTE,), unit="usd", width=3, about="Of calls with a duration."),
            Panel(
                "Per conversation",
                "number",
                COST,
                (PER_CONVERSATION,),
                unit="usd",
                width=3,
                about="With all attempts that led to none.",
            ),
            Panel("Cost not known yet", "number", COST, (PENDING,), width=3),
            Panel("Cost by direction", "bars", COST, (COST_USD,), by=("direction",), unit="usd", width=6, height=4),
            Panel("Per minute and conversation", "lines", COST, (PER_MINUTE, PER_CONVERSATION), unit="usd", width=6, height=4),
            Panel(
                "Days that may still change",
                "table",
                COST,
                (COST_USD, PENDING, ("calls", "sum(calls)"), ("implausible", "sum(cost_implausible_calls)")),
                by=("day",),
                unit="",
                width=6,
                height=4,
                where="NOT is_final",
            ),
            Panel(
                "Cost by agent",
                "table",
                COST,
                (COST_USD, ("calls", "sum(calls)"), PER_MINUTE, PER_CONVERSATION),
                by=("agent_id",),
                unit="",
                width=6,
                height=4,
            ),
        ),
    ),
    Dashboard(
        "agents",
        "Calls: agents",
        "Agents side by side: reach, conversations, length and cost.",
        (
            Panel(
                "Reach",
                "table",
                FUNNEL,
                (CALLS, ("placed", "sum(placed_calls)"), ANSWER_RATE, CONVERSATIONS, CONVERSATION_RATE),
                by=("agent_id",),
                unit="",
                width=12,
                height=4,
            ),
            Panel("Conversations by day", "lines", FUNNEL, (CONVERSATIONS,), by=("agent_id",), width=6, height=4),
            Panel("Answer rate by day", "lines", FUNNEL, (ANSWER_RATE,), by=("agent_id",), unit="share", width=6, height=4),
            Panel(
                "Length",
                "table",
                DURATION,
                (
                    ("measured calls", "sum(measured_calls)"),
                    AVERAGE,
                    ("shortest", "min(shortest_seconds)"),
                    ("longest", "max(longest_seconds)"),
                ),
                by=("agent_id",),
                unit="",
                width=6,
                height=4,
                about="Seconds, of connected calls that are over.",
            ),
            Panel("Average length by day", "lines", DURATION, (AVERAGE,), by=("agent_id",), unit="seconds", width=6, height=4),
        ),
    ),
    Dashboard(
        "trust",
        "Calls: can the numbers be trusted?",
        "How fresh and how completely proven the replica is, and what in the data is doubtful.",
        (
            LAG,
            Panel(
                "Calls proven",
                "number",
                FRESH,
                (("proven", "sum(proven_calls)::double precision / nullif(sum(live_calls), 0)::double precision"),),
                time=None,
                unit="share",
                width=2,
                about="Calls in stretches of the list of which it is proven that nothing is missing.",
            ),
            Panel("Details queued", "number", FRESH, (("queued", "sum(pending_transcripts + pending_recordings)"),),
                  time=None, width=2, about="Transcripts and recordings that are asked for."),
            Panel("In quarantine", "number", FRESH, (("rows", "sum(quarantined_rows)"),), time=None, width=2,
                  about="Rows of the source that could not be read."),
            Panel("Unmapped calls", "number", FUNNEL, (("unmapped", "sum(unmapped_calls)"),), width=2,
                  about="Calls with a status that replicator.status_stages does not know."),
            Panel("Open for too long", "number", FUNNEL, (("stale", "sum(stale_open_calls)"),), width=2,
                  about="Their end was probably lost at the source."),
            Panel(
                "How much of each day is proven",
                "lines",
                COVERAGE,
                (
                    ("proven", "sum(proven_seconds) / nullif(sum(day_seconds), 0)"),
                    ("unsure", "sum(unsure_seconds) / nullif(sum(day_seconds), 0)"),
                    ("never compared", "sum(never_compared_seconds) / nullif(sum(day_seconds), 0)"),
                ),
                unit="share",
                width=8,
                height=4,
            ),
            Panel(
                "Accounts",
                "table",
                FRESH,
                (
                    ("completeness", "max(completeness)"),
                    ("holes", "sum(holes)"),
                    ("unsure", "sum(unsure_intervals)"),
                    ("last run", "max(last_run_outcome)"),
                ),
                by=("account",),
                time=None,
                unit="",
                height=4,
            ),
            Panel(
                "Days that are not proven",
                "table",
                COVERAGE,
                (("calls", "sum(live_calls)"), ("proven", "sum(proven_calls)"), ("why", "max(unsure_reasons)")),
                by=("day",),
                unit="",
                width=6,
                height=4,
                where="NOT is_complete_and_proven",
            ),
            Panel(
                "How late a change is seen",
                "table",
                DELAY,
                (
                    ("from age", "max(min_age_seconds)"),
                    ("calls", "sum(calls)"),
                    ("at the worst", "max(bound_seconds)"),
                    ("oldest look", "max(oldest_look_seconds)"),
                ),
                by=("account", "class_number"),
                time=None,
                unit="",
                width=6,
                height=4,
                about="Seconds, by the age of the calls.",
            ),
        ),
    ),
)  # fmt: skip


def places(panels: tuple[Panel, ...]) -> list[list[Panel]]:
    """Lay panels out in rows of twelve twelfths, in their order."""
    rows: list[list[Panel]] = [[]]
    for panel in panels:
        if sum(one.width for one in rows[-1]) + panel.width > 12:
            rows.append([])
        rows[-1].append(panel)
    return rows
