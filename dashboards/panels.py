"""What the dashboards show: every query, once. A panel is some measures of one view, by nothing, by day or by columns.

Measures are sums divided by sums, so that a panel is right for any choice of days and accounts. Pure data: grafana.py and
superset.py turn it into files, and tests run what they wrote as a reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["number", "lines", "bars", "columns", "ranked", "heat", "table"]
"""bars: stacked, by day; columns: by a column in its order; ranked: by a column, the most first; heat: by two columns."""
Unit = Literal["count", "usd", "price", "share", "seconds", "decimal", "text"]
"""price: dollars with four digits, as a minute costs some cents."""
Order = Literal["most", "latest", "itself"]
"""Rows of a table: by the first measure downwards, by the first column downwards, or by it upwards."""


class Measure(NamedTuple):
    """Something that is shown: its name, and an SQL aggregate of the view's columns."""

    label: str
    sql: str
    unit: Unit = "count"


class Column(NamedTuple):
    """Something that measures are shown by."""

    label: str
    sql: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. `width` is in twelfths of the page's, `height` in the same cells."""

    title: str
    kind: Kind
    view: str
    measures: tuple[Measure, ...]
    by: tuple[Column, ...] = ()
    time: str | None = "day"
    """The column that the time range applies to; None: all that the view has, or as of now."""
    about: str = ""
    width: int = 4
    height: int = 4
    where: str = ""
    order: Order = "most"
    of_accounts: bool = True
    """The view has a column account."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page. `name` is in file names and addresses."""

    name: str
    title: str
    about: str
    panels: tuple[Panel, ...]


FUNNEL, COST, MONTHS, TALK = "status_funnel_daily", "call_cost_daily", "call_cost_monthly", "conversation_daily"
CARD, SLA, FRESH = "agent_scorecard", "sla_daily", "replication_freshness"


FEW = 10
"""A rate of fewer calls says nothing."""


def ratio(label: str, over: str, under: str, unit: Unit = "share") -> Measure:
    """Return the sum of one column over that of another."""
    return Measure(label, f"sum({over})::double precision / nullif(sum({under}), 0)::double precision", unit)


def enough(measure: Measure, under: str) -> Measure:
    """Return a ratio where there are at least FEW calls to divide by, and nothing elsewhere."""
    return measure._replace(sql=f"CASE WHEN sum({under}) >= {FEW} THEN {measure.sql} END")


def total(label: str, column: str, unit: Unit = "count") -> Measure:
    """Return the sum of a column."""
    return Measure(label, f"sum({column})", unit)


def latest(label: str, column: str) -> Measure:
    """Return a column of which there is one value, or of which the greatest is meant."""
    return Measure(label, f"max({column})::text", "text")


def instant(label: str, column: str) -> Measure:
    """Return the latest of a column of instants, to the minute."""
    return Measure(label, f"to_char(max({column}) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI \"UTC\"')", "text")


CALLS, CONVERSATIONS = total("calls", "calls"), total("conversations", "conversations")
CONVERSATION_RATE = ratio("conversation rate", "conversations", "terminal_calls")
ANSWER_RATE = ratio("answer rate", "answered_calls", "placed_calls")
HANG_UP_RATE = ratio("quick hang-ups", "quick_hang_ups", "conversations")
COST_USD, PENDING = total("known cost", "cost_usd", "usd"), total("cost to come", "cost_pending_calls")
PER_MINUTE = ratio("per minute", "timed_cost_usd", "timed_minutes", "price")
PER_CONVERSATION = ratio("per conversation", "cost_usd", "conversations", "price")
STAGES = tuple(
    total(stage.replace("_", " "), f"{stage}_calls")
    for stage in (
        "answered", "machine", "not_answered", "busy", "not_placed", "cancelled", "open", "unmapped",
    )
)  # fmt: skip
FINAL = Measure("state", "CASE WHEN bool_and(is_final) THEN 'final' ELSE 'may change' END", "text")

GOOD, NEUTRAL, DOUBTFUL, BAD, UNKNOWN = "#2a9d6f", "#5b8db8", "#e9a23b", "#cf4a4a", "#b4bac2"
COLOURS = {
    "answered": GOOD,
    "machine": "#8a79b5",
    "not answered": NEUTRAL,
    "busy": DOUBTFUL,
    "not placed": BAD,
    "cancelled": "#6b7280",
    "open": UNKNOWN,
    "unmapped": "#222222",
    "resolved": GOOD,
    "another followed": DOUBTFUL,
    "too young to tell": UNKNOWN,
    "party not known": "#6b7280",
    "proven": GOOD,
    "unsure": DOUBTFUL,
    "never compared": UNKNOWN,
    "cost to come": UNKNOWN,
    "implausible": BAD,
    "called": NEUTRAL,
    "reached": GOOD,
}
"""Of measures whose colour says something: light grey is what is not known yet."""

ACCOUNT = Column("account", "account")
AGENT = Column("agent", "coalesce(agent_name, left(agent_id::text, 8), 'none')")
AGENT_ID = Column("agent", "coalesce(left(agent_id::text, 8), 'none')")
CAMPAIGN = Column("campaign", "coalesce(campaign_id, 'none')")
DAY, MONTH = Column("day", "to_char(day, 'YYYY-MM-DD')"), Column("month", "to_char(month_on, 'YYYY-MM')")
DIRECTION = Column("direction", "coalesce(direction, 'not said')")
HOUR = Column("hour", "lpad(hour::text, 2, '0')")
WEEKDAY = Column("weekday", "(ARRAY['1 Mon', '2 Tue', '3 Wed', '4 Thu', '5 Fri', '6 Sat', '7 Sun'])[weekday]")


def number(title: str, view: str, measure: Measure, about: str, *, time: str | None = "day", where: str = "") -> Panel:
    """Return a number of the row that a dashboard begins with."""
    return Panel(title, "number", view, (measure,), time=time, about=about, width=2, height=2, where=where)


LAG = number(
    "Seconds behind", FRESH, Measure("lag", "max(lag_seconds)", "seconds"), "since the source was read", time=None
)
KNOWN_COST = number("Known cost", COST, COST_USD, "will grow: see beside")
TO_COME = number("Cost still to come", COST, PENDING, "calls whose cost is not known")

OVERVIEW = Dashboard(
    "overview",
    "Calls: overview",
    "How many calls, what becomes of them, what they cost, and as of when that is right.",
    (
        number("Calls created", FUNNEL, CALLS, "attempts, not people"),
        number("Conversations", FUNNEL, CONVERSATIONS, "a person answered and talked"),
        number("Conversation rate", FUNNEL, CONVERSATION_RATE, "of the calls that are over"),
        KNOWN_COST,
        TO_COME,
        LAG,
        Panel(
            "What became of each day's calls",
            "bars",
            FUNNEL,
            STAGES,
            width=8,
            about="Stages partition the calls of a day. Open calls are not failures: the last days still change.",
        ),
        Panel(
            "Known cost of each day, and what is to come",
            "table",
            COST,
            (COST_USD, PENDING, FINAL),
            by=(DAY,),
            order="latest",
            about="A day is final when it is over, its calls are settled, and no cost is outstanding.",
        ),
        Panel(
            "Campaigns: calls and how many became a conversation",
            "table",
            FUNNEL,
            (CALLS, CONVERSATIONS, ANSWER_RATE, CONVERSATION_RATE, total("open", "open_calls")),
            by=(CAMPAIGN,),
            width=6,
        ),
        Panel(
            "Contacts called each day, and reached that day",
            "lines",
            "contacts_daily",
            (total("called", "contacts"), total("reached", "reached_contacts")),
            width=6,
            about="Different numbers of a day: days do not add up, as the same contact is called on several.",
        ),
        Panel(
            "As of when, and whether anything is missing",
            "table",
            FRESH,
            (
                latest("completeness", "completeness"),
                instant("read until", "head_at"),
                total("calls here", "live_calls"),
                total("at the source, last said", "source_total"),
                latest("last run", "last_run_outcome"),
            ),
            by=(ACCOUNT,),
            time=None,
            width=12,
            height=2,
        ),
    ),
)

MONEY = Dashboard(
    "cost",
    "Calls: cost",
    "What calls cost, what a minute and a conversation cost, and how much of that is not known yet.",
    (
        KNOWN_COST,
        TO_COME,
        number("A minute", COST, PER_MINUTE, "of connected calls"),
        number(
            "A conversation",
            COST,
            ratio("direct", "conversation_cost_usd", "cost_known_conversations", "price"),
            "without other attempts",
        ),
        number("With all attempts", COST, PER_CONVERSATION, "for each conversation"),
        number("Led to nothing", COST, ratio("wasted", "wasted_cost_usd", "cost_usd"), "of the known cost"),
        Panel("Known cost of each day by direction", "bars", COST, (COST_USD,), by=(DIRECTION,), width=8),
        Panel(
            "Calls of each day whose cost is still to come",
            "bars",
            COST,
            (PENDING, total("implausible", "cost_implausible_calls")),
            about="What is missing in the sums beside. Implausible costs are in no sum.",
        ),
        Panel(
            "What a minute and a conversation cost, day by day",
            "lines",
            COST,
            (PER_MINUTE, PER_CONVERSATION),
            width=6,
            about="A conversation with all attempts that led to none.",
        ),
        Panel(
            "Known cost of each agent",
            "ranked",
            CARD,
            (COST_USD,),
            by=(AGENT,),
            time=None,
            where="period_days = 30",
            width=6,
            about="The last 30 days by creation, whatever the time range is.",
        ),
        Panel(
            "Months: known cost, and whether it may still change",
            "table",
            MONTHS,
            (COST_USD, CALLS, PENDING, PER_MINUTE, PER_CONVERSATION, FINAL),
            by=(MONTH,),
            time=None,
            width=6,
            height=3,
            order="latest",
            about="All months. Corrections of a final month are in the table beside.",
        ),
        Panel(
            "Months: how far known costs were corrected afterwards",
            "table",
            "cost_adjustments_monthly",
            (
                total("corrections", "adjustment_count"),
                total("up", "up_usd", "usd"),
                total("down", "down_usd", "usd"),
                total("net", "net_usd", "usd"),
                total("net, once settled", "late_net_usd", "usd"),
                total("known late", "late_first_known_count"),
            ),
            by=(MONTH,),
            time=None,
            width=6,
            height=3,
            order="latest",
            about="Changes that the replica saw. Once settled: a report of it may have been sent.",
        ),
    ),
)

BRIDGE, ITEMS, CLOSES = "reconciliation_bridge", "reconciliation_items", "month_closes"
SUMMARY, LATE = "reconciliation_summary", "month_close_changes"
PERIOD, PARTY, CLASS = Column("month", "period"), Column("statement of", "party"), Column("class", "class")
OPEN = "is_open AND NOT is_accepted"

RECONCILIATION = Dashboard(
    "reconciliation",
    "Calls: reconciliation",
    "The statements of the vendor and the carriers against our calls, what waits for a person, and closed months.",
    (
        number("Open items", ITEMS, Measure("open", "count(*)"), "wait for a person", time=None, where=OPEN),
        number(
            "Open, without signs",
            ITEMS,
            Measure("open", "coalesce(sum(abs(delta_usd)), 0)", "usd"),
            "in US dollars",
            time=None,
            where=OPEN,
        ),
        number("Months closed", CLOSES, Measure("months", "count(*)"), "frozen", time=None, where="is_newest"),
        number(
            "Late changes",
            CLOSES,
            Measure("late", "coalesce(sum(late_changes_usd), 0)", "usd"),
            "seen after closes",
            time=None,
            where="is_newest",
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
            order="latest",
            about="Open US dollars count each difference without its sign.",
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
            by=(Column("step", "lpad(step_number::text, 2, '0') || ' ' || replace(step, '_', ' ')"), ACCOUNT),
            time=None,
            where="party = 'vendor' AND (items > 0 OR is_sum) AND is_newest_period",
            width=6,
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
            about="docs/money.md says what each class means, and what to do.",
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
            by=(PERIOD, Column("close", "close_number::text"), ACCOUNT),
            time=None,
            width=6,
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
            width=6,
            order="latest",
        ),
    ),
)

AGENTS = Dashboard(
    "agents",
    "Calls: agents",
    "Agents side by side: reach, conversations, length, talk and cost.",
    (
        Panel(
            "Scorecard of the last 30 days",
            "table",
            CARD,
            (
                CALLS,
                ANSWER_RATE,
                CONVERSATION_RATE,
                HANG_UP_RATE,
                ratio("average seconds", "duration_seconds", "measured_calls", "seconds"),
                COST_USD,
                PENDING,
                PER_CONVERSATION,
                total("errors", "error_calls"),
            ),
            by=(AGENT, Column("id", "left(agent_id::text, 8)"), Column("team", "coalesce(team, 'none')")),
            time=None,
            where="period_days = 30",
            width=12,
            height=3,
            about="Today included, whatever the time range is. Names are those of replicator.agents.",
        ),
        Panel(
            "Conversations of each agent, last 30 days",
            "ranked",
            CARD,
            (CONVERSATIONS,),
            by=(AGENT,),
            time=None,
            where="period_days = 30",
            width=6,
        ),
        Panel(
            "Conversation rate of each agent, last 30 days",
            "ranked",
            CARD,
            (CONVERSATION_RATE,),
            by=(AGENT,),
            time=None,
            where="period_days = 30",
            width=6,
            about="Of the calls that are over. Agents with few calls vary by chance: look at the calls first.",
        ),
        Panel("Conversations of each day by agent", "bars", FUNNEL, (CONVERSATIONS,), by=(AGENT_ID,), width=6),
        Panel(
            "Average length of a call, day by day",
            "lines",
            "call_duration_daily",
            (ratio("average", "duration_seconds", "measured_calls", "seconds"),),
            by=(DIRECTION,),
            width=6,
            about="Of connected calls that are over.",
        ),
        Panel(
            "The agent's share of the words, day by day",
            "lines",
            TALK,
            (ratio("agent's words", "agent_words", "spoken_words"),),
            by=(AGENT_ID,),
            width=6,
            about="Of calls with a transcript. Where the source gives times, conversation_daily knows seconds and waits too.",
        ),
        Panel(
            "Calls in which the contact says no word, day by day",
            "lines",
            TALK,
            (ratio("no word", "silent_contact_calls", "transcribed_calls"),),
            by=(DIRECTION,),
            width=6,
            about="Of calls with a transcript.",
        ),
    ),
)

REACH = Dashboard(
    "reach",
    "Calls: reach",
    "When, at which attempt, from which number and in which campaign people are reached.",
    (
        number("Outbound calls", FUNNEL, CALLS, "attempts, not people", where="direction = 'outbound'"),
        number(
            "Placed",
            FUNNEL,
            ratio("placed", "placed_calls", "terminal_calls"),
            "of those that are over",
            where="direction = 'outbound'",
        ),
        number("Answered", FUNNEL, ANSWER_RATE, "by a person, of those placed", where="direction = 'outbound'"),
        number(
            "Machines",
            FUNNEL,
            ratio("machines", "machine_calls", "placed_calls"),
            "of those placed",
            where="direction = 'outbound'",
        ),
        number(
            "Contacts reached",
            "contacts_daily",
            ratio("reached", "reached_contacts", "tried_contacts"),
            "of those tried on a day",
        ),
        number(
            "Calls to a contact",
            "contacts_daily",
            ratio("calls", "party_calls", "contacts", "decimal"),
            "on one day, on average",
        ),
        Panel(
            "Answer rate of outbound calls by weekday and hour",
            "heat",
            "reach_by_hour",
            (enough(ANSWER_RATE, "placed_calls"),),
            by=(HOUR, WEEKDAY),
            where="direction = 'outbound'",
            width=7,
            about="Of the calls placed, in the reporting time zone. Cells of fewer than ten are empty.",
        ),
        Panel(
            "Conversation rate by attempt",
            "columns",
            "reach_by_attempt",
            (enough(CONVERSATION_RATE, "terminal_calls"),),
            by=(Column("attempt", "CASE WHEN attempt_number = 10 THEN '10+' ELSE lpad(attempt_number::text, 2) END"),),
            where="attempt_number IS NOT NULL",
            width=5,
            about="Of the attempts that are over, where there are ten. Without calls to an unknown party.",
        ),
        Panel(
            "Outbound calls of each hour, by weekday",
            "heat",
            "reach_by_hour",
            (CALLS,),
            by=(HOUR, WEEKDAY),
            where="direction = 'outbound'",
            width=7,
            about="How much each cell above rests on.",
        ),
        Panel(
            "Attempts made",
            "columns",
            "reach_by_attempt",
            (CALLS,),
            by=(Column("attempt", "CASE WHEN attempt_number = 10 THEN '10+' ELSE lpad(attempt_number::text, 2) END"),),
            where="attempt_number IS NOT NULL",
            width=5,
        ),
        Panel(
            "Our numbers: are they still answered?",
            "table",
            "number_health",
            (
                CALLS,
                ANSWER_RATE,
                Measure(
                    "last 2 weeks",
                    "sum(answered_calls) FILTER (WHERE week_on > current_date - 14)::double precision "
                    "/ nullif(sum(placed_calls) FILTER (WHERE week_on > current_date - 14), 0)::double precision",
                    "share",
                ),
                ratio("machines", "machine_calls", "placed_calls"),
                HANG_UP_RATE,
            ),
            by=(Column("number", "coalesce(our_number_masked || ' #' || number_rank, 'not known')"),),
            time="week_on",
            where="direction = 'outbound'",
            width=5,
            about="Outbound, whole weeks that begin in the time range. A rate that falls for one number alone: blocked?",
        ),
        Panel(
            "Campaigns over all days",
            "table",
            "campaign_summary",
            (
                CALLS,
                total("open", "open_calls"),
                CONVERSATION_RATE,
                COST_USD,
                PENDING,
                PER_CONVERSATION,
                latest("last call", "last_created_on"),
            ),
            by=(Column("campaign", "coalesce(campaign_name, campaign_id, 'none')"),),
            time=None,
            width=7,
            about="From the first call on, whatever the time range is.",
        ),
    ),
)

SERVICE = Dashboard(
    "service",
    "Calls: service",
    "Whether calls are answered, transcribed and priced in time, how many go on at once, what fails, who calls again.",
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
            about="Within replicator.reporting.answer_target_seconds of the creation: queue and ringing together.",
        ),
        Panel(
            "Most calls at once, by hour of the day",
            "columns",
            "concurrency_hourly",
            (Measure("peak", "max(peak_calls)"),),
            by=(HOUR,),
            width=6,
            about="Of one account: what the lines must carry. Several accounts do not add up, their peaks differ in time.",
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


def missing(view: str, what: str) -> Panel:
    """Return the panel of one of the two views of what should be there and is not."""
    return Panel(
        f"{what} that should be there and are not",
        "table",
        view,
        (
            Measure("calls", "count(*)"),
            Measure("conversations", "count(*) FILTER (WHERE is_conversation)"),
            latest("newest", "created_on"),
        ),
        by=(Column("why", "why"),),
        time="created_on",
        width=6,
        height=3,
    )


TRUST = Dashboard(
    "trust",
    "Calls: can the numbers be trusted?",
    "How fresh and how completely proven the replica is, and what in the data is doubtful.",
    (
        LAG,
        number("Calls proven", FRESH, ratio("proven", "proven_calls", "live_calls"), "of the calls here", time=None),
        number(
            "Details queued",
            FRESH,
            total("queued", "pending_transcripts + pending_recordings"),
            "transcripts, recordings",
            time=None,
        ),
        number("In quarantine", FRESH, total("rows", "quarantined_rows"), "rows that cannot be read", time=None),
        number("Unmapped calls", FUNNEL, total("unmapped", "unmapped_calls"), "of an unknown status"),
        number("Open for too long", FUNNEL, total("stale", "stale_open_calls"), "their end was probably lost"),
        Panel(
            "How much of each day is proven",
            "bars",
            "coverage_daily",
            (
                ratio("proven", "proven_seconds", "day_seconds"),
                ratio("unsure", "unsure_seconds", "day_seconds"),
                ratio("never compared", "never_compared_seconds", "day_seconds"),
            ),
            width=6,
            height=3,
            about="Of the day's time, that no call created in it is missing here.",
        ),
        Panel(
            "Days that are not proven complete, and why",
            "table",
            "coverage_daily",
            (
                total("calls", "live_calls"),
                total("proven", "proven_calls"),
                Measure("why", "coalesce(max(unsure_reasons), 'not all compared yet, or not over')", "text"),
            ),
            by=(DAY,),
            width=6,
            height=3,
            where="NOT is_complete_and_proven",
            order="latest",
            about="Today is always among them: it is not over.",
        ),
        Panel(
            "What the source says that contradicts itself",
            "table",
            "data_quality",
            (CALLS, latest("what is wrong", "what_is_wrong")),
            by=(Column("rule", "rule"),),
            time=None,
            width=12,
            height=3,
            where="calls > 0",
            about="Over all calls: what is wrong, and what the reports do with such calls.",
        ),
        missing("missing_transcripts", "Transcripts"),
        missing("missing_recordings", "Recordings"),
        Panel(
            "Runs of each day by how they ended",
            "table",
            "sync_runs",
            (
                Measure("runs", "count(*)"),
                total("requests", "requests"),
                total("new", "calls_inserted"),
                total("changed", "calls_changed"),
                total("refused", "refusals"),
                total("failed requests", "failures"),
            ),
            by=(Column("day", "to_char(started_at, 'YYYY-MM-DD')"), Column("outcome", "outcome")),
            time="started_at",
            width=6,
            height=3,
            order="latest",
        ),
        Panel(
            "Hours until a change is seen, by the age of the call",
            "table",
            "update_delay",
            (
                CALLS,
                Measure("at the worst", "max(bound_seconds) / 3600", "decimal"),
                Measure("oldest look", "max(oldest_look_seconds) / 3600", "decimal"),
                latest("within", "CASE is_within_bound WHEN true THEN 'yes' WHEN false THEN 'no' END"),
            ),
            by=(Column("class", "class_number"), Column("from days", "(min_age_seconds / 86400)::numeric(10, 2)")),
            time=None,
            width=6,
            height=3,
            order="itself",
            about="In hours, the worst account.",
        ),
        Panel(
            "Calls that the source has deleted, and what of them is kept",
            "table",
            "deleted_calls",
            (
                Measure("calls", "count(*)"),
                COST_USD,
                Measure("cost never known", "count(*) FILTER (WHERE cost_state = 'pending')"),
                instant("last confirmed", "deleted_at"),
            ),
            by=(Column("evidence", "coalesce(evidence, 'not kept')"),),
            time=None,
            width=6,
            height=3,
            about="They stay in every report, as their cost was billed.",
        ),
        Panel(
            "Fields that the source's contract does not name",
            "table",
            "schema_drift",
            (
                CALLS,
                ratio("of the calls", "calls", "examined_calls"),
                instant("last seen", "last_changed_at"),
            ),
            by=(Column("field", "field"), Column("type", "value_type")),
            time=None,
            width=6,
            height=3,
            about="Among the 10,000 calls of an account that changed last.",
        ),
        Panel(
            "What the metrics mean, and where they mislead",
            "table",
            "metric_definitions",
            (latest("definition", "definition"), latest("pitfalls", "pitfalls")),
            by=(Column("metric", "metric"),),
            time=None,
            width=12,
            order="itself",
            of_accounts=False,
        ),
    ),
)

DASHBOARDS = (OVERVIEW, MONEY, RECONCILIATION, AGENTS, REACH, SERVICE, TRUST)


def places(panels: tuple[Panel, ...]) -> list[list[Panel]]:
    """Lay panels out in rows of twelve twelfths, in their order."""
    rows: list[list[Panel]] = [[]]
    for panel in panels:
        if sum(one.width for one in rows[-1]) + panel.width > 12:
            rows.append([])
        rows[-1].append(panel)
    return rows
