"""The keyed hashes by which what was erased is recognised, and the reduced form in which its rows stay. Pure.

A hash is an HMAC with a secret that is kept outside of the database, so the list says nothing about whom it is about: there
are few phone numbers, and a plain hash could be reversed by trying them all. The account is no part of it, so an account
can be renamed.

An erased call that is still at the source is stored in its reduced form: identity, agent, direction, status, times,
duration and cost. So counts, costs and the proof of coverage stay right. The reduced form is made from what was received
by one function, so each look at the unchanged call gives the same fingerprint.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from replicator.archive.spellings import plain
from replicator.source import jsontext
from replicator.source.jsontext import MalformedError

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from replicator.archive.spellings import Spelling
    from replicator.records import Call, Page

MARK = "_erased"
"""The member of a payload that says that it is a reduced one."""
CODE = re.compile(r"[A-Za-z][A-Za-z_.-]{0,63}\Z")
"""A word of the source that is no text of people: letters without spaces and digits."""
CODES = ("end_reason", "ended_reason", "error_code", "type")
"""Undocumented members of a payload whose codes stay: rules of the reports may read them."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Makes keyed hashes from a secret, as 32 hex digits."""

    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """An id of the secret: it changes when the secret changes, and does not reveal the secret."""
        return hmac.digest(self.secret, b"truedy-replicator suppression key id", "sha256").hex()[:16]

    def of_call(self, call_id: UUID) -> str:
        return self._of(b"call", call_id.bytes)

    def of_number(self, value: str) -> str:
        """Return the hash of a column's number, the same for each way of writing its digits."""
        return self._of(b"number", plain(value).encode(errors="surrogatepass"))

    def of_spelling(self, number: Spelling) -> list[str]:
        """Return the hashes of all forms in which a column may hold a number."""
        return [self.of_number(form) for form in number.forms]

    def of_payload(self, raw: bytes) -> str:
        """Return the hash of bytes that could not be read."""
        return self._of(b"payload", raw)

    def of_selection(self, *parts: str) -> str:
        """Return the hash of what an erasure was asked for, so that it is known again after a crash."""
        return self._of(b"selection", "\0".join(sorted(parts)).encode())

    def _of(self, kind: bytes, message: bytes) -> str:
        return hmac.digest(self.secret, b"truedy-replicator suppression\0" + kind + b"\0" + message, "sha256").hex()[
            :32
        ]


def reduced(call: Call) -> Call:
    """Return a call without the person: no number, text, link or context. What is counted and summed stays."""
    # The same amount has one form here, however many zeros it was received with.
    cost = None if call.cost_usd is None else Decimal(format(call.cost_usd.normalize(), "f"))
    kept: dict[str, Any] = {
        "id": str(call.id),
        "agent_id": None if call.agent_id is None else str(call.agent_id),
        "direction": call.direction,
        "status": call.status,
        "duration_seconds": call.duration_seconds,
        "cost_usd": cost,
        MARK: True,
    } | {name: _text(getattr(call, name)) for name in ("started_at", "ended_at", "created_at")}
    kept |= _codes(call.raw)
    return replace(
        call, phone_number=None, from_number=None, summary=None, recording_url=None,
        recording_expires_at=None, context=None, transcript=None, has_escapes=False, problems=(), set_aside=(),
        raw=jsontext.encode(kept | {"updated_at": _text(call.updated_at)}), fingerprint=sha256(jsontext.canonical(kept)).digest(),
    )  # fmt: skip


def as_stored(page: Page, erased: Collection[UUID]) -> Page:
    """Return a page with the erased calls in the reduced form in which they are stored."""
    if not erased:
        return page
    return replace(page, calls=tuple(reduced(call) if call.id in erased else call for call in page.calls))


def reduced_bytes(keys: Keys, raw: bytes) -> bytes:
    """Return what stands in quarantine instead of bytes that were erased: the same for the same bytes, and not more."""
    return jsontext.canonical({MARK: keys.of_payload(raw)})


def is_reduced(raw: str) -> bool:
    """Say whether a payload is a reduced one."""
    return f'"{MARK}"' in raw


def _codes(raw: str) -> dict[str, str]:
    try:
        row = jsontext.decode(raw.encode())
    except (MalformedError, UnicodeEncodeError):
        return {}
    found = {name: row.get(name) for name in CODES} if isinstance(row, dict) else {}
    return {name: value for name, value in found.items() if isinstance(value, str) and CODE.match(value)}


def _text(at: Any) -> str | None:
    return None if at is None else at.isoformat()
