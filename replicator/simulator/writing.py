"""Answers the writing requests: creates, updates and deletes calls, as the contract says."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from replicator.simulator.births import agent_number
from replicator.simulator.exchange import ApiError, Request, validation
from replicator.simulator.reading import call_data, existing
from replicator.simulator.wire import to_json
from replicator.simulator.world import ACTIVE

if TYPE_CHECKING:
    from datetime import datetime

    from replicator.simulator.deployment import Deployment

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_SETTINGS = {
    "recording_enabled": bool,
    "transcription_enabled": bool,
    "greeting": str,
    "max_duration": str,
    "join_timeout": str,
}


def create_call(deployment: Deployment, request: Request, key: str, now: datetime) -> bytes:
    """Answer POST /calls with the new call's data, or with the earlier one's for the same X-Idempotency-Key."""
    token = request.headers.get("x-idempotency-key")
    earlier = deployment.idempotent.get((key, token)) if token else None
    if earlier is not None and deployment.world.index_of(deployment.world.id_of(earlier)) is not None:
        return call_data(deployment, earlier)
    wanted = _object(request)
    agent, phone = wanted.get("agent_id"), wanted.get("phone_number")
    if not isinstance(agent, str):
        raise validation("agent_id is missing", {"field": "agent_id"})
    if agent not in deployment.world.agents:
        raise validation("agent_id is no agent of this account", {"field": "agent_id"})
    if not isinstance(phone, str) or not _E164.fullmatch(phone):
        raise validation("phone_number is missing or not E.164", {"field": "phone_number"})
    settings = _settings(wanted)
    variables = wanted.get("variables", {})
    if not isinstance(variables, dict):
        raise validation("variables must be an object", {"field": "variables"})
    from_number = _from_number(deployment, agent, wanted.get("from_number"))
    down = deployment.switches.provider_down_until
    if down is not None and now < down:
        raise ApiError(502, "provider_error", "the telephony provider misbehaves")
    context = {"variables": {name: str(value) for name, value in variables.items()}} if variables else {}
    call_id = deployment.world.create(
        settings=settings,
        agent_id=agent,
        phone_number=phone,
        from_number=from_number,
        direction="outbound",
        context=context,
    )
    index = existing(deployment, call_id)
    if token:
        deployment.idempotent[key, token] = index
    return call_data(deployment, index)


def _from_number(deployment: Deployment, agent: str, wanted: Any) -> str:
    """Return the caller id: the last agent has no number of its own."""
    number = deployment.world.agent_ids.index(agent)
    assigned = agent_number(number) if number < len(deployment.world.agent_ids) - 1 else None
    if wanted is None:
        if assigned is None:
            raise validation("no outbound number is assigned to the agent", {"field": "from_number"})
        return assigned
    if not isinstance(wanted, str) or not _E164.fullmatch(wanted) or (assigned is not None and wanted != assigned):
        raise validation("from_number is not assigned to this agent", {"field": "from_number"})
    return wanted


def update_call(deployment: Deployment, request: Request, call_id: str) -> bytes:
    """Answer PATCH /calls/{id}: only context and call_settings, only what is included."""
    index = existing(deployment, call_id)
    wanted = _object(request)
    if "context" not in wanted and "call_settings" not in wanted:
        raise validation("only context and call_settings can be updated")
    fields: dict[str, Any] = {}
    if "context" in wanted:
        if not isinstance(wanted["context"], dict):
            raise validation("context must be an object", {"field": "context"})
        fields["context"] = wanted["context"]
    if "call_settings" in wanted:
        deployment.world.settings[index] = {**deployment.world.settings.get(index, {}), **_settings(wanted)}
    deployment.world.change(index, fields)
    return call_data(deployment, index)


def delete_call(deployment: Deployment, call_id: str) -> bytes:
    """Answer DELETE /calls/{id}; active calls are refused."""
    index = existing(deployment, call_id)
    if deployment.world.row_at(index)["status"] in ACTIVE:
        status = deployment.switches.delete_active_status
        code = "validation_error" if status == 422 else "conflict"  # noqa: PLR2004 - the HTTP status
        raise ApiError(status, code, "active calls cannot be deleted")
    deployment.world.delete(call_id)
    deployment.poisoned.discard(index)
    return to_json({"id": call_id, "deleted": True})


def bulk_delete(deployment: Deployment, request: Request) -> bytes:
    """Answer POST /calls/bulk-delete; active and unknown calls are counted as failed."""
    wanted = _object(request).get("ids")
    if not isinstance(wanted, list) or not wanted:
        raise validation("ids must be an array of call UUIDs", {"field": "ids"})
    for one in wanted:
        try:
            UUID(one if isinstance(one, str) else "")
        except ValueError:
            raise validation("ids must be an array of call UUIDs", {"field": "ids"}) from None
    deleted, failed = [], []
    for one in wanted:
        try:
            delete_call(deployment, one)
        except ApiError:
            failed.append(one)
        else:
            deleted.append(one)
    counts = {"deleted_count": len(deleted), "failed_count": len(failed)}
    return to_json({**counts, "deleted_ids": deleted, "failed_ids": failed})


def _object(request: Request) -> dict[str, Any]:
    try:
        wanted = json.loads(request.body)
    except ValueError:
        raise ApiError(400, "bad_request", "the body is not JSON") from None
    if not isinstance(wanted, dict):
        raise validation("the body must be an object")
    return wanted


def _settings(wanted: dict[str, Any]) -> dict[str, Any]:
    settings = wanted.get("call_settings", {})
    if not isinstance(settings, dict):
        raise validation("call_settings must be an object", {"field": "call_settings"})
    for name, value in settings.items():
        if name in _SETTINGS and not isinstance(value, _SETTINGS[name]):
            raise validation(f"call_settings.{name} has the wrong type", {"field": f"call_settings.{name}"})
    return settings
