"""The demo's world: every report has something to say of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import pytest

from replicator.simulator.switches import Switches
from replicator.simulator.world import World

pytestmark = pytest.mark.pure


def test_the_demo_has_short_conversations_voicemail_and_agents_that_talk_their_own_share() -> None:
    """Answered calls that are over at once, goals, voicemail; each turn has an end; shares of agents differ, and turns
    never end before they begin or after the call.
    """
    world = World(1, 1500, now=datetime(2026, 11, 30, tzinfo=UTC), switches=Switches.lifelike())
    calls = [row for row in world.calls if row["ended_at"] is not None]
    answered = [row for row in calls if row["status"] == "completed"]
    short = [row for row in answered if row["duration_seconds"] < 10]
    assert 0.08 < len(short) / len(answered) < 0.16
    assert sum(row["duration_seconds"] == 0 for row in short) > 10
    assert {"voicemail", "busy", "no_answer", "failed"} <= {row["status"] for row in calls}
    assert {row["context"].get("outcome") for row in answered} == {None, "booked", "call back", "no interest"}
    talk: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    interruptions = 0
    for row in answered:
        last = 0.0
        for segment in world.segments(row["id"]) or ():
            assert 0 <= segment.start_seconds <= segment.end_seconds <= row["duration_seconds"]
            talk[row["agent_id"]][segment.speaker == "contact"] += segment.end_seconds - segment.start_seconds
            interruptions += segment.start_seconds < last - 0.3
            last = segment.end_seconds
    shares = sorted(agent / (agent + contact) for agent, contact in talk.values())
    assert len(shares) == 5
    assert shares[0] > 0.4
    assert shares[-1] < 0.85
    assert shares[-1] - shares[0] > 0.15
    assert interruptions > 20


def test_the_contract_s_world_is_as_before() -> None:
    """The switches change nothing where they are off: other tests count on its calls."""
    world = World(1, 300, now=datetime(2026, 11, 30, tzinfo=UTC))
    assert min(row["duration_seconds"] for row in world.calls if row["duration_seconds"] is not None) >= 3
    assert all("outcome" not in row["context"] for row in world.calls)


def test_each_of_these_switches_works_alone() -> None:
    """short_share ends answered calls early, outcomes says how calls went, lifelike_turns gives each turn an end."""

    def completed(**switches: object) -> tuple[World, list[dict[str, object]]]:
        world = World(1, 400, now=datetime(2026, 11, 30, tzinfo=UTC), switches=Switches(**switches))
        return world, [row for row in world.calls if row["status"] == "completed"]

    plain, calls = completed()
    assert all("outcome" not in row["context"] for row in calls)
    _, short = completed(short_share=0.5)
    assert 0.4 < sum(row["duration_seconds"] < 10 for row in short) / len(short) < 0.6
    _, said = completed(outcomes=True)
    assert any(row["context"].get("outcome") == "booked" for row in said)
    lifelike, talked = completed(lifelike_turns=True)
    ends = [one.end_seconds for row in talked for one in lifelike.segments(row["id"]) or ()]
    assert ends
    assert None not in ends
    assert ends != [one.end_seconds for row in calls for one in plain.segments(row["id"]) or ()]
