"""Makes webhook deliveries like the vendor's, for tests to post to a receiver. Pure: nothing is sent from here.

They follow the pages beside the contract: `X-Truedy-Timestamp`, and `X-Truedy-Signature` = hex HMAC-SHA256 of
"{timestamp}.{body}". `older` is the observed deployment: `X-Trudy-*`, signed over sorted re-serialised JSON, provider
ids only, a timestamp without a zone.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

IdPlace = Literal["data.call_id", "data.callId", "data.call.callId", "data.call.id"]
EVENTS = ("call.started", "call.joined", "call.ended", "call.completed", "call.billed", "call.failed", "call.analyzed")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST to the receiver."""

    headers: Mapping[str, str]
    body: bytes


def delivery(
    event: str,
    call_id: str,
    secret: str,
    at: datetime,
    *,
    id_place: IdPlace = "data.call_id",
    event_id: str | None = None,
    older: bool = False,
) -> Delivery:
    """Return the delivery of `event` about a call; a test may deliver it twice, late or not at all."""
    told = provider_id(call_id) if older else call_id
    data: Any = told
    for name in reversed(id_place.split(".")[1:]):
        data = {name: data}
    stamp = at.replace(tzinfo=None).isoformat() + ("" if older else "Z")
    message = {"event": event, "timestamp": stamp, "data": data}
    if event_id is not None:
        message["id"] = event_id
    body = json.dumps(message).encode()
    signed = json.dumps(message, sort_keys=True, separators=(",", ":")).encode() if older else body
    seconds = str(int(at.timestamp()))
    signature = hmac.new(secret.encode(), f"{seconds}.".encode() + signed, hashlib.sha256).hexdigest()
    name = "X-Trudy" if older else "X-Truedy"
    headers = {"content-type": "application/json", f"{name}-Timestamp": seconds, f"{name}-Signature": signature}
    return Delivery(headers, body)


def provider_id(call_id: str) -> str:
    """Return the voice provider's identifier of a call, as `ultravox_call_id` has it."""
    return "ultravox-" + call_id[::-1][:12]
