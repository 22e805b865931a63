"""Simulated webhook deliveries are signed as the facts page says."""

import hashlib
import hmac
import json

from replicator.simulator.webhooks import delivery
from tests.simulator.fix_client import NOW

CALL = "44ec8f61-6d9a-4553-a6ca-777f5f5ef95b"


def test_signature_is_over_timestamp_and_raw_body() -> None:
    """X-Truedy-Signature is the hex HMAC-SHA256 of timestamp, a dot and the body."""
    sent = delivery("call.ended", CALL, "whsec_x", NOW, event_id="e1")
    signed = sent.headers["X-Truedy-Timestamp"].encode() + b"." + sent.body
    assert sent.headers["X-Truedy-Signature"] == hmac.new(b"whsec_x", signed, hashlib.sha256).hexdigest()
    body = json.loads(sent.body)
    assert (body["event"], body["id"], body["data"]) == ("call.ended", "e1", {"call_id": CALL})


def test_identifier_can_be_in_each_place() -> None:
    """The identifier is found at data.call_id, data.callId, data.call.callId or data.call.id."""
    assert json.loads(delivery("call.billed", CALL, "s", NOW, id_place="data.call.id").body)["data"] == {
        "call": {"id": CALL}
    }
    assert json.loads(delivery("call.billed", CALL, "s", NOW, id_place="data.callId").body)["data"] == {"callId": CALL}


def test_older_deployment_names_and_signs_otherwise() -> None:
    """The older one: X-Trudy-*, sorted re-serialised JSON, provider ids, a naive timestamp."""
    sent = delivery("call.ended", CALL, "s", NOW, older=True)
    body = json.loads(sent.body)
    signed = json.dumps(body, sort_keys=True, separators=(",", ":"))
    message = f"{sent.headers['X-Trudy-Timestamp']}.{signed}".encode()
    assert sent.headers["X-Trudy-Signature"] == hmac.new(b"s", message, hashlib.sha256).hexdigest()
    assert body["data"]["call_id"].startswith("ultravox-")
    assert not body["timestamp"].endswith("Z")
