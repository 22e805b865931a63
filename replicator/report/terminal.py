"""Prints tables and summaries in a terminal, on standard output. Text of the source is never interpreted as markup.

Rich is imported where something is printed with it: results as JSON, and a sync without a terminal, need none of it.
"""

from __future__ import annotations

import shutil
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from replicator import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from replicator.store.status import Status

WIDE = 200
NARROW, WIDEST, LOW = 40, 1000, 10
DETAIL_COLUMNS = ("kind", "state", "details", "due", "later")
DAY_COLUMNS = ("day", "calls", "proven calls", "time proven", "never compared", "why unsure")
DELAY_COLUMNS = (
    "age of a call",
    "calls",
    "looked at every",
    "a change is seen within",
    "usually within",
    "oldest look",
)
FAR = (("since", "the beginning"), ("until", "the newest end"))
"""The bounds of a stretch, and what an open one is called."""
RUN_COLUMNS = (
    "id", "command", "started_at", "outcome", "requests", "calls_inserted", "calls_changed", "failures", "message",
)  # fmt: skip


def console(*, stderr: bool = False) -> Console:
    """Return the console for results, or for progress. In a pipe lines are not folded.

    Its size is set explicitly, because the variables COLUMNS and LINES may hold anything.
    """
    from rich.console import Console, ConsoleDimensions

    columns, lines = shutil.get_terminal_size()
    columns, lines = min(max(columns, NARROW), WIDEST), min(max(lines, LOW), WIDEST)
    made = Console(stderr=stderr, markup=False, highlight=False, width=columns, height=lines)
    if not made.is_terminal:
        made.size = ConsoleDimensions(WIDE, lines)
    return made


def as_json(value: Any) -> str:
    """Return facts as JSON: instants in ISO 8601, amounts as text with all their digits."""
    return safe_text.json_text(value, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise TypeError(type(value).__name__)


def show_table(out: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a title and a table that fits the terminal; numbers are aligned right and never shortened."""
    from rich.text import Text

    from replicator.report.tables import Heading, lay_out

    headings = [
        Heading(
            column,
            is_number=any(isinstance(row[index], int | float | Decimal) for row in rows),
            is_text=all(row[index] is None or isinstance(row[index], str) for row in rows),
        )
        for index, column in enumerate(columns)
    ]
    texts = [[cell(value) for value in row] for row in rows]
    is_plain = not (out.is_terminal and out.encoding.lower().replace("-", "") == "utf8")
    out.print()
    out.print(Text(title, style="bold"))
    for line in lay_out(headings, texts, out.width if out.is_terminal else None, plain=is_plain):
        out.print(Text(line), soft_wrap=True)


def cell(value: object) -> str:
    """Return one value as text for people."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return f"{value:,f}"
    return safe_text.visible(str(value))


def plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def show_status(
    status: Status, requests_per_minute: float | None, url: str | None = None, password: str | None = None
) -> None:
    """Print the status. `requests_per_minute` is what the budget allows, for the estimate of the backlog; `url` is what
    other tools connect to, without a password; `password` is the file that has the one of the embedded database.
    """
    from rich.text import Text

    out = console()
    out.print(f"replica of account {cell(status.account)} in {cell(status.place)}")
    if url is not None:
        out.print(Text(f"connect    {cell(url)}"), soft_wrap=True)
        if password is not None:
            kept = f"(while a command such as serve keeps it running; its password is in {cell(password)})"
            out.print(Text(f"           {kept}"), soft_wrap=True)
    _show_source(out, status.source)
    _show_calls(out, status)
    _show_backlog(out, status.details, requests_per_minute)
    if status.absences["suspected"]:
        suspected = plural(status.absences["suspected"], "call")
        out.print(f"absences   {suspected} suspected: see replicator deletions")
    if status.source is not None and status.source["party_key_id"] is None:
        out.print("parties    other_party_key and our_number_key are null: REPLICATOR_PSEUDONYM_KEY is not set")
    out.print(f"quarantine {status.quarantine['open']:,} open, {status.quarantine['ever']:,} ever")
    _show_budgets(out, status)
    _show_spending(out, status.spending)
    out.print(f"writer     {cell(status.lease['holder']) if status.lease else 'nobody at the moment'}")
    _show_days(out, status)
    _show_delays(out, status.delays)
    if status.details:
        rows = [[row[name] for name in DETAIL_COLUMNS] for row in status.details]
        show_table(out, "Details", DETAIL_COLUMNS, rows)
    if status.runs:
        rows = [[row[name] for name in RUN_COLUMNS] for row in status.runs]
        show_table(out, "Last runs", [name.replace("_", " ") for name in RUN_COLUMNS], rows)


def _show_source(out: Console, source: Mapping[str, Any] | None) -> None:
    if source is None or source["head_at"] is None:
        out.print("never synced: run `replicator sync`")
        return
    out.print(f"source     {cell(source['base_url'])}, {cell(source['total'])} calls by its own count")
    out.print(f"freshness  the newest end was read {_ago(source['lag_seconds'])} ago ({cell(source['head_at'])} UTC)")


def _show_calls(out: Console, status: Status) -> None:
    calls = status.calls
    out.print(
        f"calls      {calls['live']:,} live, {calls['deleted']:,} deleted; from {cell(calls['oldest'])} to {cell(calls['newest'])}"
    )
    out.print(f"coverage   {_coverage(status.coverage)}")
    for piece in status.unsure:
        since = cell(piece["since"]) if piece["since"] else "the beginning"
        stored = plural(piece["stored_calls"], "stored call")
        out.print(f"           unsure: {since} to {cell(piece['until'])}: {cell(piece['reason'])} ({stored})")
    for piece in status.failing:
        since, until = (cell(piece[name]) if piece[name] else where for name, where in FAR)
        stored = plural(piece["stored_calls"], "stored call")
        out.print(
            f"           failing: {since} to {until}: every page fails since {cell(piece['first_failed_at'])} "
            f"({stored} cannot be compared)"
        )
    for wave in status.waves:
        out.print(
            f"absent     far more {wave['kind']}s than usual of those that were first looked at since {cell(wave['since'])}: "
            "none of them counts as absent for a month"
        )


def _show_backlog(out: Console, details: Sequence[Mapping[str, Any]], requests_per_minute: float | None) -> None:
    due = sum(row["due"] for row in details)
    later = sum(row["later"] for row in details)
    eta = (
        f", about {_ago(60 * due / requests_per_minute)} at {requests_per_minute:g} requests a minute"
        if due and requests_per_minute
        else ""
    )
    out.print(f"backlog    {plural(due, 'detail')} due{eta}; {later:,} queued for later")


def _show_budgets(out: Console, status: Status) -> None:
    for budget in status.budgets:
        wait = (
            f"; refused until {cell(budget['not_before'])}"
            if budget["not_before"] and budget["not_before"] > status.now
            else ""
        )
        limit = f" (the source allows us {budget['learned_limit']})" if budget["learned_limit"] else ""
        out.print(
            f"budget     key {budget['key_id']}: {budget['charged']} requests in this window of {budget['window_seconds']:g} s{limit}{wait}"
        )


def _show_spending(out: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        of = f"{row['scope']} {cell(row['scope_value'])}".strip()
        if row["budget_state"] == "within":
            state = "within"
        else:
            state = "EXCEEDED" if row["budget_state"] == "passed" else "will be EXCEEDED"
        out.print(
            f"money      {row['period']}, {of}: {state}; {row['spent_usd']:,.2f} of {row['budget_usd']:,.2f} US dollars spent, "
            f"{row['forecast_usd']:,.2f} by the month's end",
            soft_wrap=True,
        )


def _show_days(out: Console, status: Status) -> None:
    if not status.days:
        return
    worst = [
        (
            day["day"], day["live_calls"], day["proven_calls"], percent(day["proven_time_share"]),
            percent(day["never_compared_time_share"]), day["unsure_reasons"],
        )
        for day in status.days
    ]  # fmt: skip
    show_table(out, f"Days that are not proven: {status.days_not_proven:,}, the worst of them", DAY_COLUMNS, worst)


def _show_delays(out: Console, delays: Sequence[Mapping[str, Any]]) -> None:
    if not delays:
        return
    ages = [
        (
            _ages(row), row["calls"], _ago(row["renewed_every_seconds"]),
            "no promise" if row["bound_seconds"] is None else _ago(row["bound_seconds"]),
            "-" if row["expected_seconds"] is None else _ago(row["expected_seconds"]),
            "-" if row["oldest_look_seconds"] is None else f"{_ago(row['oldest_look_seconds'])} ago",
        )
        for row in delays
    ]  # fmt: skip
    show_table(out, "Delay of updates", DELAY_COLUMNS, ages)


def show_absences(found: Mapping[str, Any]) -> None:
    """Print what is missing at the source."""
    out = console()
    state = "held: nothing is confirmed until they are released" if found["is_held"] else "being confirmed"
    out.print(f"{plural(found['suspected'], 'call')} suspected, {state if found['suspected'] else 'none waits'}")
    out.print(f"more than {found['cap']:,} at a time are held; released: {cell(found['released'])}")
    rows = found["absences"]
    if rows:
        columns = [name for name in rows[0] if name != "misses"]
        shown = [[row[name] for name in columns] for row in rows]
        show_table(out, "Absences", [name.replace("_", " ") for name in columns], shown)


def show_accounts(found: Sequence[Mapping[str, Any]]) -> None:
    """Print the accounts of a database."""
    columns = ("account", "calls", "at the source", "read up to", "requests a minute", "writer", "source")
    rows = [
        (
            row["account"], row["live_calls"], row["source_total"],
            "never" if row["lag_seconds"] is None else _ago(row["lag_seconds"]),
            row["requests_per_minute"], row["writer"] or "nobody", row["base_url"],
        )
        for row in found
    ]  # fmt: skip
    show_table(console(), "Accounts", columns, rows)


def show_names(found: Sequence[Mapping[str, Any]]) -> None:
    """Print agents and campaigns with their names."""
    columns = ("kind", "id", "name", "team", "calls")
    rows = [
        (
            "agent" if row["agent_id"] else "campaign",
            row["agent_id"] or row["campaign_id"],
            row["name"],
            row["team"],
            row["calls"],
        )
        for row in found
    ]
    show_table(console(), "Names", columns, rows)


def percent(share: float | None) -> str:
    """Return a share as text; never 100 % if something is missing, and never 0 % if something exists."""
    if share is None:
        return "-"
    return f"{min(99.9, max(0.1, 100 * share)):.1f} %" if 0 < share < 1 else f"{100 * share:.0f} %"


def _ages(row: Mapping[str, Any]) -> str:
    if row["max_age_seconds"] is None:
        return "older"
    return f"under {_ago(row['max_age_seconds'])}"


def _coverage(coverage: Mapping[str, Any]) -> str:
    if not coverage["intervals"]:
        return "nothing yet"
    since = "the beginning" if coverage["reaches_beginning"] else cell(coverage["since"])
    text = f"from {since} to {cell(coverage['until'])} UTC"
    gaps = [plural(coverage["holes"], "hole")] if coverage["holes"] else []
    if not coverage["reaches_beginning"]:
        gaps.append("older calls not read yet")
    if coverage["unsure"]:
        gaps.append(f"{plural(coverage['unsure'], 'stretch')} unsure")
    verdict = ", ".join(gaps) if gaps else "complete: every call of the list was compared, and it is proven"
    return f"{text}; {verdict}"


def _ago(seconds: float) -> str:
    for unit, size in (("days", 172800), ("h", 7200), ("min", 120)):
        if seconds >= size:
            return f"{seconds / {'days': 86400, 'h': 3600, 'min': 60}[unit]:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
