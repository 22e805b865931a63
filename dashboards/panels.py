"""What a dashboard is made of: a panel is some measures of one view, by nothing, by day or by columns. The boards are in boards/.

Measures are sums divided by sums, so that a panel is right for any choice of days and accounts. Pure data: grafana.py and
superset.py turn it into files, and tests run what they wrote as a reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["number", "lines", "bars", "columns", "ranked", "heat", "table"]
"""bars: stacked, by day; columns: by a column in its order; ranked: by a column, the most first; heat: by two columns."""
Unit = Literal["count", "usd", "price", "share", "seconds", "decimal", "bytes", "text"]
"""price: dollars with four digits, as a minute costs some cents."""
Order = Literal["most", "latest", "itself"]
"""Rows of a table: by the first measure downwards, by the columns (which are texts) downwards, or by them upwards."""


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
    is_to_one: bool = False
    """The axis of shares goes from nothing to all of it: left alone, tools draw 120 %."""


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
    "stored": GOOD,
    "waiting": UNKNOWN,
    "missing": BAD,
    "refused": DOUBTFUL,
    "removed": "#6b7280",
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


def number(
    title: str, view: str, measure: Measure, about: str, *, time: str | None = "day", where: str = "", width: int = 2
) -> Panel:
    """Return a number of the row that a dashboard begins with. In two twelfths, some 24 letters of `about` can be read."""
    return Panel(title, "number", view, (measure,), time=time, about=about, width=width, height=2, where=where)


LAG = number(
    "Seconds behind", FRESH, Measure("lag", "max(lag_seconds)", "seconds"), "since the source was read", time=None
)
KNOWN_COST = number("Known cost", COST, COST_USD, "will grow: see beside")
TO_COME = number("Cost still to come", COST, PENDING, "calls whose cost is not known")


def places(panels: tuple[Panel, ...]) -> list[list[Panel]]:
    """Lay panels out in rows of twelve twelfths, in their order."""
    rows: list[list[Panel]] = [[]]
    for panel in panels:
        if sum(one.width for one in rows[-1]) + panel.width > 12:
            rows.append([])
        rows[-1].append(panel)
    return rows
