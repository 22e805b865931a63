"""Makes the segments of a conversation on demand, from (seed, index, edition). Pure.

Edition 0 is the first transcript, 1 the one that replaced it.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from replicator.simulator import texts
from replicator.simulator.births import digest

if TYPE_CHECKING:
    from replicator.simulator.births import Life


@dataclass(frozen=True, slots=True)
class Segment:
    """One utterance; `speaker` is agent or contact, times are seconds from the start of the call."""

    speaker: str
    text: str
    start_seconds: float
    end_seconds: float


def conversation(
    seed: int, life: Life, edition: int = 0, replaced: str = "", seconds_each: float = 8.5
) -> tuple[Segment, ...]:
    """Return the segments of a call in an edition: one for each `seconds_each`."""
    random = Random(int.from_bytes(digest(seed, life.index)[8:16]))  # noqa: S311 - a simulation
    seconds = float(life.duration_seconds or 0)
    count = max(1, round(seconds / seconds_each)) if life.outcome != "voicemail" else 1
    if edition:
        count = count + 3 if replaced == "longer" else max(1, count - 2)
    step = seconds / count if count else 0.0
    spoken = []
    for number in range(count):
        start = round(number * step + random.random() * step / 4, 2)
        end = round(min(start + step * 0.7, (number + 1) * step), 2)
        of_agent = number % 2 == 0
        text = texts.line(random, of_agent=of_agent, topic=life.topic)
        spoken.append(Segment("agent" if of_agent else "contact", text, start, max(start, end)))
    return tuple(spoken)


def summary(life: Life, edition: int = 0) -> str:
    """Return the summary that a machine might have written."""
    again = " (revised)" if edition else ""
    return f"A simulated conversation about {life.topic} that lasted {life.duration_seconds or 0} seconds{again}."
