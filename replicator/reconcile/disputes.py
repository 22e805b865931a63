"""Makes the lines of a dispute: what the party's line says, what our call says, and why we do not agree. Pure.

Of persons it has only what the party's own line has: its numbers and its description. Of our call it has ids, times, seconds,
cost and what was seen of them when; no number, transcript, summary or context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replicator.reconcile.classes import CLASSES, Class

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS = (
    "statement", "line", "line_id", "reason", "their_amount", "currency", "our_amount_usd", "difference_usd", "their_call_id",
    "their_provider_id", "their_start", "their_seconds", "from_number", "phone_number", "description", "our_call_id", "our_status",
    "our_start", "our_end", "our_seconds", "our_cost_usd", "deleted_at", "seen",
)  # fmt: skip
"""The header. Times are UTC."""
NUMBERS = frozenset(
    {"line", "their_amount", "our_amount_usd", "difference_usd", "their_seconds", "our_seconds", "our_cost_usd"}
)
"""Columns whose cells are numbers, and need no quotes."""


def row(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of one line by column, as texts; empty where there is nothing."""
    values = {
        "statement": found["statement_name"], "line": found["line_number"], "line_id": found["line_id"], "reason": reason(found),
        "their_amount": found["amount"], "currency": found["currency"], "our_amount_usd": found["ours_usd"],
        "difference_usd": found["delta_usd"], "their_call_id": found["stated_call_id"], "their_provider_id": found["provider_id"],
        "their_start": found["stated_start"], "their_seconds": found["stated_seconds"], "from_number": found["from_number"],
        "phone_number": found["phone_number"], "description": found["description"], "our_call_id": found["call_id"],
        "our_status": found["status"], "our_start": found["started_at"], "our_end": found["ended_at"],
        "our_seconds": found["duration_seconds"], "our_cost_usd": found["cost_usd"], "deleted_at": found["deleted_at"],
        "seen": _seen(found),
    }  # fmt: skip
    return {name: _text(values[name]) for name in COLUMNS}


def reason(found: Mapping[str, Any]) -> str:
    """Return why we do not agree, in one sentence, with the class's code."""
    return f"{found['class']}: {CLASSES[Class(found['class'])].meaning}"


def _seen(found: Mapping[str, Any]) -> str | None:
    seen = found["seen"]
    if not seen:
        return None
    left_out = found["versions"] - len(seen)
    return "; ".join([*([f"{left_out} earlier ones"] if left_out else []), *seen])


def _text(value: Any) -> str:
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return f"{value:f}" if hasattr(value, "as_tuple") else str(value)
