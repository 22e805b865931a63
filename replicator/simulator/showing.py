"""Shows a call at an instant of its life, as the contract's call object. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replicator.simulator.births import from_us
from replicator.simulator.conversations import summary
from replicator.simulator.recordings import recording_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from replicator.simulator.births import Life
    from replicator.simulator.switches import Switches

Row = dict[str, Any]


def row_of(
    life: Life,
    at: int,
    switches: Switches,
    *,
    agent_id: str,
    updated_us: int | None,
    has_recording: bool,
    context: Mapping[str, Any],
) -> Row:
    """Return the call object's fields at `at` (µs), as Python values."""
    edition = edition_at(life, at)
    has_ended = life.ended_us is not None and life.ended_us <= at
    # Of the calls that were never answered, every second one has no end either.
    shows_end = life.started_us is not None or life.index % 2 == 1
    is_cached = has_recording and life.cached_us is not None and life.cached_us <= at
    shown = {**context}
    if "last_error" in life.context:
        shown["last_error"] = life.context["last_error"]
        if not has_ended:
            del shown["last_error"]
    return {
        "id": life.call_id,
        "agent_id": agent_id,
        "phone_number": life.phone_number,
        "from_number": life.from_number,
        "direction": life.direction,
        "status": status_at(life, at, switches),
        "started_at": _seen(life.started_us, at),
        "ended_at": _seen(life.ended_us, at) if shows_end else None,
        "duration_seconds": life.duration_seconds if has_ended else None,
        "cost_usd": _latest(at, (life.billed_us, life.cost_usd), (life.corrected_us, life.corrected_usd)),
        "summary": None if edition is None else summary(life, edition),
        "recording_url": recording_url(switches, life.call_id, life.cached_us or 0, 0) if is_cached else None,
        "context": shown,
        "created_at": from_us(life.created_us),
        "updated_at": None if updated_us is None else from_us(updated_us),
    }


def status_at(life: Life, at: int, switches: Switches) -> str:
    """Return the status at an instant, in the deployment's spelling."""
    if life.ended_us is not None and at >= life.ended_us:
        return life.outcome
    if life.started_us is not None and at >= life.started_us:
        return "in-progress" if switches.status_spellings else "in_progress"
    return "ringing" if at >= life.ringing_us else "queued"


def edition_at(life: Life, at: int) -> int | None:
    """Return which transcript exists at an instant: none, the first (0) or the one that replaced it (1)."""
    if life.transcript_us is None or at < life.transcript_us:
        return None
    return int(life.replaced_us is not None and at >= life.replaced_us)


def _seen(us: int | None, at: int) -> datetime | None:
    return from_us(us) if us is not None and us <= at else None


def _latest(at: int, *values: tuple[int | None, Any]) -> Any:
    seen = [value for since, value in values if since is not None and since <= at]
    return seen[-1] if seen else None
