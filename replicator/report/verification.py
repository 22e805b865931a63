"""Prints the result of a verification: the verdict, its basis, and each difference.

Names of fields and ids of calls are shown. Of the values, only the status of an open call is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from replicator.report.terminal import cell, console, plural
from replicator.safe_text import visible

if TYPE_CHECKING:
    from replicator.verify.compare import Difference
    from replicator.verify.findings import Verified

MOST_SHOWN = 50
"""The most differences that are printed; --json has all of them."""


def show_verification(found: Verified) -> None:
    """Print the result."""
    out, facts = console(), found.facts
    differing = [one for one in facts["totals"] if not one["is_equal"]]
    verdict = "no difference in what was compared" if found.is_equal else plural(len(found.differences), "difference")
    if found.is_equal and facts["is_complete"]:
        verdict = "equal"
    lines = [
        ("result", verdict),
        ("source", f"{cell(facts['calls_in_source'])} calls by its own count"),
        ("replica", f"{cell(facts['calls_in_replica'])} live calls, last synced {cell(facts['last_sync_at'])} UTC"),
        ("newer", f"{plural(facts['newer_than_last_sync'], 'call')} newer than the last sync: not compared"),
        ("totals", f"{len(facts['totals']) - len(differing)} of {len(facts['totals'])} are equal"),
        ("compared", f"{plural(facts['calls_compared'], 'call')} in {plural(facts['pages_compared'], 'page')}"),
        ("says", facts["statement"]),
        ("requests", f"{facts['requests']} of {facts['max_requests']}"),
        ("seed", f"{facts['seed']}"),
    ]
    for count, what in (
        ("moved_by_our_reading", "changed at the source only because we read their details"),
        ("seen_after_the_request", "read by a sync meanwhile: not compared"),
    ):
        if facts[count]:
            lines.append(("note", f"{plural(facts[count], 'call')} {what}"))
    if facts["known_unreadable"]:
        lines.append(("note", f"{plural(facts['known_unreadable'], 'row')} known to be unreadable: in quarantine"))
    lines += [("note", note) for note in facts["notes"]]
    for name, text in lines:
        out.print(Text(f"{name:<10} {visible(text)}"))
    if found.differences:
        out.print()
    for one in found.differences[:MOST_SHOWN]:
        out.print(Text(_line(one)))
    if len(found.differences) > MOST_SHOWN:
        out.print(Text(f"... and {len(found.differences) - MOST_SHOWN:,} more: --json names all"))


def _line(one: Difference) -> str:
    """Return one difference on one line."""
    if one.kind == "total":
        what = f"{cell(one.what)}: source {cell(one.source)}, replica {cell(one.replica)}"
    elif one.kind == "shifted":
        calls = one.calls or 0
        where = f"created up to {cell(one.until)}" + (f" and after {cell(one.since)}" if one.since else "")
        what = f"the source has {plural(abs(calls), 'call')} {'more' if calls > 0 else 'fewer'} {where} UTC"
    else:
        what = f"{one.call_id or 'a call without a readable id'}, created {cell(one.created_at)} UTC"
    parts = [what]
    if one.fields:
        parts.append(f"differs in {cell(', '.join(one.fields))}")
    if one.reason:
        parts.append(cell(one.reason))
    if one.looked_at is not None:
        status = f" (then {cell(one.open_status)})" if one.open_status else ""
        parts.append(f"last looked at {cell(one.looked_at)}{status}")
    if not one.is_confirmed:
        parts.append("not confirmed by a second request")
    return f"{one.kind:<10} {'; '.join(parts)}"


__all__ = ["show_verification"]
