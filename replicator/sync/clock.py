"""The clock of a run: it starts at the time of day and then runs evenly, even if the machine's clock is changed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def steady_clock() -> Callable[[], datetime]:
    """Return a clock that starts at the present time of day (UTC) and then counts elapsed time only.

    Time during which the machine sleeps is counted too, where the system has CLOCK_BOOTTIME.
    """
    ticks = partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
    began, first = datetime.now(UTC), ticks()
    return lambda: began + timedelta(seconds=ticks() - first)
