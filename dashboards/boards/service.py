"""How well calls are served."""

from __future__ import annotations

from dashboards.panels import (
    CALLS,
    COST_USD,
    DIRECTION,
    HOUR,
    PENDING,
    SLA,
    Column,
    Dashboard,
    Measure,
    Panel,
    number,
    ratio,
    total,
)

SERVICE = Dashboard(
    "service",
    "Calls: service",
    "Whether calls are answered, transcribed and priced in time, how many run at once, what fails, who calls again.",
    (
        number("Answered in time", SLA, ratio("rate", "answered_in_time_calls", "timed_calls"), "queue and ringing"),
        number(
            "Transcribed in time",
            SLA,
            ratio("rate", "transcript_in_time_calls", "transcript_judged_calls"),
            "of calls seen in time",
        ),
        number(
            "Priced in time", SLA, ratio("rate", "cost_in_time_calls", "cost_judged_calls"), "of calls seen in time"
        ),
        number("Most calls at once", "concurrency_hourly", Measure("peak", "max(peak_calls)"), "of one account"),
        number(
            "Resolved at once",
            "first_call_resolution_daily",
            ratio("rate", "resolved_conversations", "judged_conversations"),
            "of those old enough: a proxy",
        ),
        number(
            "Called again in 24 h",
            "repeat_callers_daily",
            ratio("rate", "repeat_24h_calls", "caller_calls"),
            "of inbound calls",
        ),
        Panel(
            "Share of calls answered in time, day by day",
            "lines",
            SLA,
            (ratio("answered in time", "answered_in_time_calls", "timed_calls"),),
            by=(DIRECTION,),
            width=6,
            is_to_one=True,
            about="Within replicator.reporting.answer_target_seconds of the creation: queue and ringing together.",
        ),
        Panel(
            "Most calls at once, by hour of the day",
            "columns",
            "concurrency_hourly",
            (Measure("peak", "max(peak_calls)"),),
            by=(HOUR,),
            width=6,
            about="Of one account. Peaks of several accounts cannot be added up, because they occur at different times.",
        ),
        Panel(
            "Calls with an error each day, by class",
            "bars",
            "errors_daily",
            (CALLS,),
            by=(Column("error", "error_class"),),
            width=6,
        ),
        Panel(
            "Errors: what became of the calls, and what they cost",
            "table",
            "errors_daily",
            (
                CALLS,
                total("not placed", "not_placed_calls"),
                total("connected", "connected_calls"),
                total("open", "open_calls"),
                COST_USD,
                PENDING,
            ),
            by=(Column("error", "error_class"),),
            width=6,
            about="Connected: broke off, or an earlier error stayed in the context.",
        ),
        Panel(
            "Conversations: resolved, followed by another, not old enough to tell",
            "bars",
            "first_call_resolution_daily",
            (
                total("resolved", "resolved_conversations"),
                Measure("another followed", "sum(judged_conversations - resolved_conversations)"),
                total("too young to tell", "young_conversations"),
                total("party not known", "unknown_party_conversations"),
            ),
            width=6,
            about="No further conversation or inbound call of the party within replicator.reporting.resolution_days.",
        ),
        Panel(
            "Inbound calls of somebody who had called before",
            "lines",
            "repeat_callers_daily",
            (
                ratio("within 24 hours", "repeat_24h_calls", "caller_calls"),
                ratio("within 7 days of that", "repeat_7d_calls", "caller_calls"),
            ),
            width=6,
            about="Of inbound calls whose caller is known.",
        ),
    ),
)
