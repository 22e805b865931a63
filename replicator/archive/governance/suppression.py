"""The keyed hashes by which what was erased is recognised, and the reduced form in which its rows stay. Pure.

A hash is an HMAC with a secret that is kept outside of the database, so the list says nothing about whom it is about: there
are few phone numbers, and a plain hash could be reversed by trying them all. The account is no part of it. (`accounts rename`
refuses an account with such a list all the same: its rows would stay with the old name.)

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

from replicator.archive.governance.spellings import plain
from replicator.source import jsontext
from replicator.source.jsontext import MalformedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from replicator.archive.governance.spellings import Spelling
    from replicator.records import Call

MARK = "_erased"
"""The member of a payload that says that it is a reduced one."""
LABEL = re.compile(r"[A-Za-z0-9_.:/-]{1,64}\Z")
"""A campaign's id that is no text of people: without spaces."""
IDENTIFIER = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE)
MOST_DIGITS = 6
"""A label with more digits, that is no UUID, may hold a phone number, and does not stay."""
OTHER_ERROR = "-"
"""Stands for the text of an error that no rule of the reports knows."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the reports count of a payload, by their rules. It stays where it is a label or a word of a rule, and no text."""

    campaign_path: tuple[str, ...] = ()
    goal_path: tuple[str, ...] = ()
    goal_values: frozenset[str] = frozenset()
    errors: tuple[str, ...] = ()
    """What the rules of error classes look for, in their order."""
    stages: tuple[tuple[tuple[str, ...], str], ...] = ()
    """Paths of the payload, and the value at each that is a rule's."""

    def of_context(self, context: str | None) -> dict[str, Any]:
        """Return the part of a context that stays."""
        found = _decoded(context)
        kept: dict[str, Any] = {}
        campaign = _at(found, self.campaign_path)
        if self.campaign_path and _is_label(campaign):
            _put(kept, self.campaign_path, campaign)
        goal = _at(found, self.goal_path)
        if self.goal_path and (_word(goal) or "").lower() in self.goal_values:
            _put(kept, self.goal_path, goal)
        error = found.get("last_error") if isinstance(found, dict) else None
        if isinstance(error, str) and error.strip():
            known = (word for word in self.errors if word.lower() in error[:1000].lower())
            kept["last_error"] = next(known, OTHER_ERROR)
        return kept

    def of_payload(self, raw: str) -> dict[str, Any]:
        """Return the words of a payload by which rules set the stage of a call."""
        found = _decoded(raw) if self.stages else None
        kept: dict[str, Any] = {}
        for path, value in self.stages:
            if path and path[0] not in KEPT_MEMBERS and _word(_at(found, path)) == value:
                _put(kept, path, _at(found, path))
        return kept


KEPT_MEMBERS = ("id", "context", "phone_number", "from_number", "to", "from", "summary", "transcript", "recording_url")
"""Members of a payload of which no rule keeps anything here."""


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


def reduced(call: Call, counted: Counted = Counted()) -> Call:
    """Return a call without the person: no number, text or link. What is counted and summed stays."""
    # The same amount has one form here, however many zeros it was received with.
    cost = None if call.cost_usd is None else Decimal(format(call.cost_usd.normalize(), "f"))
    context = counted.of_context(call.context)
    kept: dict[str, Any] = counted.of_payload(call.raw) | {
        "id": str(call.id),
        "agent_id": None if call.agent_id is None else str(call.agent_id),
        "direction": call.direction,
        "status": call.status,
        "duration_seconds": call.duration_seconds,
        "cost_usd": cost,
        "context": context or None,
        MARK: True,
    }
    kept |= {name: _text(getattr(call, name)) for name in ("started_at", "ended_at", "created_at")}
    return replace(
        call, phone_number=None, from_number=None, summary=None, recording_url=None, recording_expires_at=None,
        context=jsontext.encode(context) if context else None, transcript=None, has_escapes=False, problems=(), set_aside=(),
        raw=jsontext.encode(kept | {"updated_at": _text(call.updated_at)}), fingerprint=sha256(jsontext.canonical(kept)).digest(),
    )  # fmt: skip


def reduced_bytes(keys: Keys, raw: bytes) -> bytes:
    """Return what stands in quarantine instead of bytes that were erased: the same for the same bytes, and not more."""
    return jsontext.canonical({MARK: keys.of_payload(raw)})


def is_reduced(raw: str) -> bool:
    """Say whether a payload is a reduced one."""
    return f'"{MARK}"' in raw


def word_at(context: str | None, path: Sequence[str]) -> str | None:
    """Return the campaign of a context as the views read it: at most 200 characters."""
    word = _word(_at(_decoded(context), path)) if path else None
    return None if word is None else word[:200]


def _decoded(text: str | None) -> Any:
    try:
        return None if text is None else jsontext.decode(text.encode())
    except (MalformedError, UnicodeEncodeError):
        return None


def _at(value: Any, path: Sequence[str]) -> Any:
    """Return what stands at a path of members, or None."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _put(into: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for step in path[:-1]:
        inner = into.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        into = inner
    into[path[-1]] = value


def _word(value: Any) -> str | None:
    """Return a value as PostgreSQL's #>> shows it; None for what is no single value."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | Decimal) else None


def _is_label(value: Any) -> bool:
    word = None if isinstance(value, bool) else _word(value)
    if word is None or not LABEL.match(word):
        return False
    return bool(IDENTIFIER.match(word)) or sum(one.isdigit() for one in word) <= MOST_DIGITS


def _text(at: Any) -> str | None:
    return None if at is None else at.isoformat()
