"""What the service's main thread watches: that something moves, and that nobody has set the machine's clock.

Pure. It counts turns of the watching thread rather than time, so that a process that was stopped (SIGSTOP,
a suspended machine) is not taken for one that hangs, because the watcher was stopped as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

SET_BY = timedelta(seconds=1)
"""More than a clock is slewed within a turn."""


@dataclass(slots=True)
class Watch:
    """Watches one service. `hang_seconds` is how long its work may show no sign of life."""

    hang_seconds: float
    turn_seconds: float
    signs: int = 0
    silent_turns: int = 0
    drift: timedelta = timedelta(0)

    def is_hung(self, signs: int, idle_seconds: float) -> bool:
        """Take a turn: `signs` counts the signs of life so far, `idle_seconds` is how much longer there may be none."""
        self.silent_turns = 0 if signs != self.signs else self.silent_turns + 1
        self.signs = signs
        return self.silent_turns * self.turn_seconds > self.hang_seconds + idle_seconds

    def was_set(self, drift: timedelta) -> bool:
        """Say whether the clock was set since the last turn. `drift` is how far it is from one that goes on evenly."""
        moved, self.drift = abs(drift - self.drift), drift
        return moved > SET_BY
