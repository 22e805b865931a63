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
    from replicator.simulator.switches import Switches


@dataclass(frozen=True, slots=True)
class Segment:
    """One utterance; `speaker` is agent or contact, times are seconds from the start of the call."""

    speaker: str
    text: str
    start_seconds: float
    end_seconds: float


def conversation(seed: int, life: Life, switches: Switches, edition: int = 0) -> tuple[Segment, ...]:
    """Return the segments of a call in an edition: one for each `seconds_per_segment`."""
    random = Random(int.from_bytes(digest(seed, life.index)[8:16]))  # noqa: S311 - a simulation
    seconds = float(life.duration_seconds or 0)
    count = max(1, round(seconds / switches.seconds_per_segment)) if life.outcome != "voicemail" else 1
    if edition:
        count = count + 3 if switches.transcript_replaced == "longer" else max(1, count - 2)
    step = seconds / count if count else 0.0
    spoken = []
    for number in range(count):
        start = round(number * step + random.random() * step / 4, 2)
        end = round(min(start + step * 0.7, (number + 1) * step), 2)
        of_agent = number % 2 == 0
        if switches.lifelike_turns:
            start, end = _lifelike(random, life.agent, number, count, step)
        text = texts.line(random, of_agent=of_agent, topic=life.topic)
        spoken.append(Segment("agent" if of_agent else "contact", text, start, max(start, end)))
    return tuple(spoken)


def _lifelike(random: Random, agent: int, number: int, count: int, step: float) -> tuple[float, float]:
    """Return when a turn begins and ends. Agents talk 45 to 69 % of a pair of turns, the contact most of the rest; what is
    left are pauses. One turn of twelve begins before the other's end.
    """
    share = 0.45 + 0.06 * (agent % 5) + random.uniform(-0.04, 0.04)
    pair = 2 * step
    begin = (number // 2) * pair
    if number % 2 == 0:
        start, end = begin, begin + pair * share
    else:
        pause = -0.6 if random.random() < 1 / 12 else min(0.4 + random.random(), pair * 0.1)
        start, end = max(begin, begin + pair * share + pause), begin + pair * 0.97
    last = count * step
    return round(min(start, last), 2), round(min(max(start, end), last), 2)


def summary(life: Life, edition: int = 0) -> str:
    """Return the summary that a machine might have written."""
    again = " (revised)" if edition else ""
    return f"A simulated conversation about {life.topic} that lasted {life.duration_seconds or 0} seconds{again}."
