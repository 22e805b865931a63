"""A person's decisions: which call a line bills, and which difference is accepted. They are kept with who and why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from replicator.errors import ConfigurationError, UnknownCall
from replicator.store import comparisons, matchings

if TYPE_CHECKING:
    from replicator.store.database import Database

PLACE = re.compile(r"(\d{1,18}):(\d{1,9})\Z", re.ASCII)
NO_CALL = "none"


def place(text: str) -> tuple[int, int]:
    """Return a line's place from STATEMENT:NUMBER. Raises ConfigurationError for another form."""
    found = PLACE.match(text.strip())
    if found is None:
        raise ConfigurationError(
            f"{text!r} is no line",
            advice="expected STATEMENT:NUMBER, such as 3:17, as `replicator reconcile show` writes it",
        )
    return int(found[1]), int(found[2])


def assign(database: Database, account: str, line: str, call: str, reason: str, by: str) -> dict[str, Any]:
    """Keep the decision that a line bills this call, or none of ours; the next matching follows it."""
    key, chosen, why = place(line), _call(call), _reason(reason)
    with database.transaction() as tx:
        found = comparisons.line(tx, account, key)
        if found is None or found["kind"] != "usage":
            raise ConfigurationError(
                f"there is no line {line} that bills a call", advice="`replicator reconcile show` lists them"
            )
        if found["replaced_by"] is not None:
            raise ConfigurationError(
                f"the statement of line {line} was replaced", advice=f"look at statement {found['replaced_by']}"
            )
        if chosen is not None and not comparisons.has_call(tx, account, chosen):
            raise UnknownCall(f"the call {chosen} is not stored")
        decision = {
            "account": account, "party": found["party"], "period": found["period"], "kind": "assign", "statement": key[0],
            "line": key[1], "call_id": chosen, "class": None, "delta_usd": None, "reason": why, "made_by": by,
        }  # fmt: skip
        matchings.decide(tx, decision)
    return decision


def accept(
    database: Database,
    account: str,
    item: str,
    reason: str,
    by: str,
    *,
    period: str | None = None,
    party: str | None = None,
) -> dict[str, Any]:
    """Keep the decision that an item's difference is accepted, as long as its class and its difference stay as they are."""
    why = _reason(reason)
    key = place(item) if ":" in item else _call(item)
    if key is None:
        raise ConfigurationError(f"{item!r} is no item", advice="`replicator reconcile show` lists them")
    with database.transaction() as tx:
        found = comparisons.items(tx, account, key, period, party)
        if not found:
            raise ConfigurationError(
                f"no newest matching has an item {item}",
                advice="`replicator reconcile show` lists them; match again if it is old",
            )
        if len(found) > 1:
            places = ", ".join(f"{one['party']} {one['period']}" for one in found)
            raise ConfigurationError(f"{item} is an item of {places}", advice="say which: --period, --party")
        one = found[0]
        if not one["is_open"]:
            raise ConfigurationError(
                f"{item} is {one['class']}, which waits for no decision", advice="nothing is to be done"
            )
        decision = {
            "account": account, "party": one["party"], "period": one["period"], "kind": "accept", "statement": one["statement"],
            "line": one["line"], "call_id": one["call_id"], "class": one["class"], "delta_usd": one["delta_usd"], "reason": why,
            "made_by": by,
        }  # fmt: skip
        matchings.decide(tx, decision)
    return decision


def _call(text: str) -> UUID | None:
    if text.strip().lower() == NO_CALL:
        return None
    try:
        return UUID(text.strip())
    except ValueError:
        raise ConfigurationError(f"{text!r} is no id of a call", advice=f"expected a UUID, or {NO_CALL}") from None


def _reason(text: str) -> str:
    if not text.strip():
        raise ConfigurationError("a decision needs a reason", advice="say it with --reason; it is kept")
    return text.strip()


__all__ = ["NO_CALL", "accept", "assign", "place"]
