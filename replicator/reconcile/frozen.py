"""The canonical form of a closed month, its hash, and what an archive record of it says. Pure.

    truedy-month-close-1
    PERIOD NUMBER CALLS
    CALL AMOUNT STATE       one line for each call, in the order of the ids; an amount without trailing zeros, or -

Lines end with a line feed; the text is UTF-8. The account is not in it: it can get another name, and the ids are its own.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

HEAD = "truedy-month-close-1"


def plain(amount: Decimal | None) -> str:
    """Return an amount as digits without an exponent and without zeros at its end; - for one that is not known."""
    if amount is None:
        return "-"
    text = f"{amount:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def digest(period: str, number: int, amounts: Sequence[tuple[UUID, Decimal | None, str]]) -> str:
    """Return the SHA-256 of a close in hex; `amounts` are (call, amount, state of the cost) in the order of the ids."""
    made = hashlib.sha256(f"{HEAD}\n{period} {number} {len(amounts)}\n".encode())
    for call, amount, state in amounts:
        made.update(f"{call} {plain(amount)} {state}\n".encode())
    return made.hexdigest()


def record(
    account: str,
    period: str,
    number: int,
    sha256: str,
    our_sum: Decimal,
    statement: Decimal | None,
    at: datetime,
    by: str,
    reason: str,
) -> bytes:
    """Return the content of an archive record of a close: canonical JSON, which names the amounts by their hash."""
    content = {
        "account": account,
        "amounts_sha256": sha256,
        "by": by,
        "closed_at": at.isoformat(),
        "kind": "month_close",
        "number": number,
        "our_sum_usd": plain(our_sum),
        "period": period,
        "reason": reason,
        "statement_usd": plain(statement),
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


__all__ = ["digest", "plain", "record"]
