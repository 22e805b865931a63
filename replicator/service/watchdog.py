"""Detects that the service hangs, and that the machine's clock was changed.

Pure. It counts turns of the watching thread instead of time. So a process that was stopped (SIGSTOP, a suspended
machine) does not count as hanging, because the watching thread was stopped as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

SET_BY = timedelta(seconds=1)
"""A larger jump than a gradual adjustment of the clock causes within one turn."""


@dataclass(slots=True)
class Watch:
    """Watches one service. `hang_seconds` is how long its work may give no sign of life."""

    hang_seconds: float
    turn_seconds: float
    signs: int = 0
    silent_turns: int = 0
    drift: timedelta = timedelta(0)

    def is_hung(self, signs: int, idle_seconds: float) -> bool:
        """Count one turn; say whether the service hangs.

        `signs` is the number of signs of life so far; `idle_seconds` is how much longer than `hang_seconds` there may
        be none.
        """
        self.silent_turns = 0 if signs != self.signs else self.silent_turns + 1
        self.signs = signs
        return self.silent_turns * self.turn_seconds > self.hang_seconds + idle_seconds

    def was_set(self, drift: timedelta) -> bool:
        """Say whether the clock was changed since the last turn. `drift` is its distance from a clock
        that runs evenly.
        """
        moved, self.drift = abs(drift - self.drift), drift
        return moved > SET_BY
