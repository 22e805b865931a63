"""Removes fields that cannot be stored from a call's row, so that the rest of the call is kept. Pure: bytes in, bytes
out.

A field that is not JSON, is nested too deep, holds a number that is too long, or makes the row too large is set aside
with its bytes. A note with the number and the hash of its bytes takes its place, so a change of the field still changes
the row. In an object such as the context, only the faulty member is removed. If a quote or a bracket does not match,
the end of a field is not known: then nothing is removed, and the whole row is unreadable.
"""

from __future__ import annotations

import re
from contextlib import suppress
from hashlib import sha256

import msgspec

from replicator.records import SetAside
from replicator.source import jsontext
from replicator.source.jsontext import MalformedError
from replicator.source.limits import MAX_BODY_BYTES, MAX_ROW_BYTES

OTHER = "other field"
"""The name used for a field whose own name is not a plain word."""
_LEVELS = 2
"""The row, and the objects in it."""
_LARGEST_INSIDE = 256 * 1024
"""The size of an object in a row, in bytes, up to which its members are still separated by brackets if it is not valid
JSON.
"""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
TOO_LARGE = f"with it the row is larger than {MAX_ROW_BYTES >> 20} MiB"


def salvage(raw: bytes) -> tuple[bytes, tuple[SetAside, ...]] | None:
    """Return (a row that can be stored, what was removed); None where the row cannot be divided with certainty."""
    members = _members(raw)
    if members is None:
        return None
    found: list[SetAside] = []
    rest = _without_faults(members, "", 1, found)
    if _size(rest) > MAX_ROW_BYTES:
        rest = _without_weight(rest, "", _size(rest) - MAX_ROW_BYTES, found)
    return _joined(rest), tuple(found)


def _members(raw: bytes, most_bytes: int = MAX_BODY_BYTES) -> dict[str, bytes] | None:
    """Divide an object into its members; None where a member may hold a part of its neighbour."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {name: bytes(value) for name, value in _MEMBERS.decode(raw).items()}
    if not raw.startswith(b"{") or len(raw) > most_bytes:
        return None
    try:
        return jsontext.members_for_certain(raw)
    except MalformedError:
        return None


def _without_faults(members: dict[str, bytes], path: str, level: int, found: list[SetAside]) -> dict[str, bytes]:
    rest: dict[str, bytes] = {}
    for name, value in members.items():
        rest[name] = value
        if (reason := _fault(value, level)) is None:
            continue
        field = _label(path, name)
        inner = _members(value, _LARGEST_INSIDE) if level < _LEVELS else None
        if inner:
            rest[name] = _joined(_without_faults(inner, f"{field}.", level + 1, found))
        else:
            rest[name] = _taken_out(field, value, reason, found)
    return rest


def _without_weight(members: dict[str, bytes], path: str, surplus: int, found: list[SetAside]) -> dict[str, bytes]:
    """Remove the largest members until `surplus` bytes are saved."""
    rest = dict(members)
    for name in sorted(members, key=lambda one: -len(members[one])):
        if surplus <= 0:
            break
        value, field = members[name], _label(path, name)
        inner = _members(value, _LARGEST_INSIDE) if not path else None
        if inner:
            rest[name] = _joined(_without_weight(inner, f"{field}.", surplus, found))
        else:
            rest[name] = _taken_out(field, value, TOO_LARGE, found)
        surplus -= len(value) - len(rest[name])
    return rest


def _fault(value: bytes, level: int) -> str | None:
    try:
        stored = jsontext.storable(value)[0]
        stored.decode()
        jsontext.decode(stored, inside=level)
    except UnicodeDecodeError:
        return "not UTF-8"
    except MalformedError as error:
        return str(error)
    return None


def _label(path: str, name: str) -> str:
    return path + (name if _NAME.fullmatch(name) else OTHER)


def _taken_out(field: str, value: bytes, reason: str, found: list[SetAside]) -> bytes:
    if len(value) > MAX_ROW_BYTES:
        reason += f" ({len(value):,} bytes): only its beginning is kept"
    found.append(SetAside(field, value[:MAX_ROW_BYTES], reason))
    note = {"set_aside": reason, "bytes": len(value), "sha256": sha256(value).hexdigest()}
    return msgspec.json.encode(note)


def _size(members: dict[str, bytes]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in members.items())


def _joined(members: dict[str, bytes]) -> bytes:
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + value for name, value in members.items()) + b"}"
