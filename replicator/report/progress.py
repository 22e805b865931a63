"""Shows a sync's progress on standard error: bars in a terminal, occasional lines in a pipe."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from replicator.report import terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from replicator.sync.run import Progress

QUIET_SECONDS = 5.0
REDRAW_SECONDS = 0.1


@contextmanager
def shown(*, is_quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """Yield a function that shows a run's progress. Rich is loaded only where something is shown."""
    if is_quiet:
        yield lambda _progress: None
    elif sys.stderr.isatty() and (console := terminal.console(stderr=True)).is_terminal:
        with _bars(console) as show:
            yield show
    else:
        yield _lines()


@contextmanager
def _bars(console: Console) -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
    )
    with Bars(*columns, console=console, refresh_per_second=10) as bars:
        calls = bars.add_task("calls", total=None, note="")
        details = bars.add_task("details", total=None, note="")
        last = 0.0

        def show(progress: Progress) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < REDRAW_SECONDS:
                return
            last = now
            _update(bars, calls, details, progress)

        last_progress: list[Progress] = []

        def remember(progress: Progress) -> None:
            last_progress[:] = [progress]
            show(progress)

        yield remember
        if last_progress:
            _update(bars, calls, details, last_progress[0])


def _update(bars: Bars, calls: TaskID, details: TaskID, progress: Progress) -> None:
    counters = progress.counters
    seen = counters.calls_inserted + counters.calls_changed + counters.calls_unchanged
    note = f"{counters.requests} requests"
    if progress.waits_until is not None:
        note += f" · waiting until {progress.waits_until.astimezone():%H:%M:%S}: {progress.why}"
    total = None if progress.total is None else max(progress.total, seen)
    bars.update(calls, completed=seen, total=total, note=note)
    done = counters.transcripts_stored + counters.recordings_stored + counters.details_absent
    left = progress.due_details + progress.requests_in_flight
    bars.update(details, completed=done, total=done + left or None, note="transcripts and recordings")


def _lines() -> Callable[[Progress], None]:
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < QUIET_SECONDS:
            return
        last = now
        terminal.console(stderr=True).print(line(progress), soft_wrap=True)

    return show


def line(progress: Progress) -> str:
    """Return the progress as one line of text."""
    counters = progress.counters
    seen = counters.calls_inserted + counters.calls_changed + counters.calls_unchanged
    text = (
        f"{counters.requests} requests: {seen}{'' if progress.total is None else f' of {progress.total}'} calls, "
        f"{counters.transcripts_stored} transcripts, {counters.recordings_stored} recordings"
    )
    if progress.waits_until is not None:
        text += f"; waiting until {progress.waits_until.astimezone():%H:%M:%S}, because {progress.why}"
    return text
