"""Seals what people do: holds, releases, erasures, reads, exports, changes of settings. Who and why are part of each.

The record is sealed in the transaction that does the thing, so neither is there without the other.
"""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

from replicator.archive import chain, sealing
from replicator.archive.kinds import Kind
from replicator.archive.sealing import Entry
from replicator.errors import ConfigurationError
from replicator.safe_text import shown
from replicator.store import governance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from replicator.archive.governance.spellings import Spelling

LONGEST = 1000


def actor(named: str | None) -> str:
    """Return who acts: the name of the setting, or the user of the operating system."""
    if named and named.strip():
        return shown(named.strip())[:LONGEST]
    try:
        return shown(getpass.getuser())
    except (KeyError, OSError):
        return "unknown"


def reason_of(text: str | None, numbers: tuple[Spelling, ...] = ()) -> str:
    """Return a reason as it is written down.

    Raises ConfigurationError where it is empty or too long, or holds one of the numbers: a reason stays when they go.
    """
    found = shown((text or "").strip())
    if not found or len(found) > LONGEST:
        raise ConfigurationError(f"a reason is needed, of at most {LONGEST} characters", advice="give it with --reason")
    if any(number.is_in_text(found) for number in numbers):
        raise ConfigurationError(
            "the reason holds the number itself",
            advice="name a case or a ticket: the reason is kept when the number is erased",
        )
    return found


def seal(
    tx: psycopg.Connection[Any],
    account: str,
    kind: Kind,
    at: datetime,
    *,
    by: str,
    reason: str,
    subject: UUID | None = None,
    besides: Sequence[Entry] = (),
    **more: Any,
) -> int:
    """Seal one deed in the caller's transaction, and `besides` after it in the same block; return the deed's sequence.

    `more` is JSON, with instants and ids as texts.
    """
    content = {"kind": kind.value, "account": account, "by": by, "reason": reason, **more}
    if subject is not None:
        content["call_id"] = str(subject)
    return sealing.append(tx, account, [Entry(kind, subject, at, chain.canonical(content)), *besides], at).first


def note_settings(
    tx: psycopg.Connection[Any], account: str, facts: Mapping[str, Any], at: datetime, *, by: str
) -> int | None:
    """Seal the archive's settings where they are others than at the last start; return the record's sequence, if any.

    Where the archive is off and never was on, nothing is sealed.
    """
    before = governance.settings_seen(tx, account)
    if before == facts or (before is None and facts.get("archive") != "on"):
        return None
    governance.see_settings(tx, account, facts, at)
    reason = "first seen" if before is None else "changed"
    return seal(tx, account, Kind.CONFIGURATION, at, by=by, reason=reason, settings=dict(facts), before=before)


__all__ = ["actor", "note_settings", "reason_of", "seal"]
