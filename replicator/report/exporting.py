"""Shows an export in a terminal: its progress on standard error, and its result."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from replicator import safe_text
from replicator.report import terminal
from replicator.report.progress import QUIET_SECONDS, Pace
from replicator.report.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from rich.console import Console

MEGABYTE = 10**6


@contextmanager
def shown(*, is_wanted: bool | None) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows rows and bytes so far: always in a terminal; in a pipe one line a minute, and if it is
    wanted every few seconds.
    """
    console = terminal.console(stderr=True)
    if is_wanted is False:
        yield lambda _rows, _bytes: None
        return
    started = time.monotonic()
    if not console.is_terminal:
        pace = Pace(started, every=QUIET_SECONDS) if is_wanted else Pace(started)
        yield _lines(console, started, pace)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, refresh_per_second=10) as bar:
        task = bar.add_task("waiting for the first row", total=None)
        yield lambda rows, size: bar.update(task, description=line(rows, size, time.monotonic() - started))


def _lines(console: Console, started: float, pace: Pace) -> Callable[[int, int], None]:
    def show(rows: int, size: int) -> None:
        now = time.monotonic()
        if pace.is_due(now):
            console.print(line(rows, size, now - started), soft_wrap=True)

    return show


def line(rows: int, size: int, seconds: float) -> str:
    """Return the progress as one line of text."""
    return f"{plural(rows, 'row')}, {size / MEGABYTE:,.1f} MB, {rows / max(seconds, 0.001):,.0f} rows a second"


def describe(view: str, file: str, rows: int, size: int, sha256: str, snapshot_at: datetime) -> str:
    """Return a description of what was written, on two lines."""
    return (
        f"{plural(rows, 'row')} of {safe_text.shown(view)} as of {snapshot_at:%Y-%m-%d %H:%M:%S} UTC, {size / MEGABYTE:,.1f} MB: {safe_text.shown(file)}\n"
        f"sha256 {sha256}"
    )
