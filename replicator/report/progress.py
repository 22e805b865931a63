"""Shows the progress of long work on standard error: bars in a terminal; in a pipe or a log one line a minute, the first
after a few seconds.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from replicator.report import terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from logging import Logger

    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from replicator.sync.run import Progress

QUIET_SECONDS = 5.0
"""Until the first line in a pipe: what takes less says nothing."""
LINE_SECONDS = 60.0
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


class Pace:
    """Says when a line is due: the first after `first` seconds, then one every `every` seconds."""

    def __init__(self, now: float, *, first: float = QUIET_SECONDS, every: float = LINE_SECONDS) -> None:
        self._next, self._every = now + first, every

    def is_due(self, now: float) -> bool:
        """Say whether a line is due now; if it is, the next one is due later."""
        if now < self._next:
            return False
        self._next = now + self._every
        return True


def _lines() -> Callable[[Progress], None]:
    pace = Pace(time.monotonic())

    def show(progress: Progress) -> None:
        if pace.is_due(time.monotonic()):
            terminal.console(stderr=True).print(line(progress), soft_wrap=True)

    return show


def logged(log: Logger) -> Callable[[Progress], None]:
    """Return a function that logs a run's progress, one line a minute. A short run logs none."""
    pace = Pace(time.monotonic(), first=LINE_SECONDS)

    def show(progress: Progress) -> None:
        if pace.is_due(time.monotonic()):
            log.info("syncing: %s", line(progress))

    return show


@contextmanager
def counted(what: str, *, is_quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how much of `what` is done: it is given the number that is done, and of how many."""
    console = terminal.console(stderr=True)
    if is_quiet:
        yield lambda _done, _of: None
    elif not console.is_terminal:
        pace = Pace(time.monotonic())

        def show(done: int, of: int) -> None:
            if pace.is_due(time.monotonic()):
                console.print(f"{what}: {done:,} of at most {of:,}", soft_wrap=True)

        yield show
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Bars(*columns, console=console, refresh_per_second=10, transient=True) as bars:
            task = bars.add_task(what, total=None)
            yield lambda done, of: bars.update(task, completed=done, total=of)


@contextmanager
def steps(*, is_quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Yield a function that is told each step of work as it begins. A step may take long without any further sign, so
    the step and its minutes are shown by a thread.
    """
    console = terminal.console(stderr=True)
    if is_quiet:
        yield lambda _step: None
    elif console.is_terminal:
        from rich.progress import Progress as Bars
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Bars(*columns, console=console, refresh_per_second=10, transient=True) as bars:
            task = bars.add_task("beginning", total=None)
            yield lambda step: bars.reset(task, description=step)
    else:
        with _beating(lambda text: console.print(text, soft_wrap=True)) as begin:
            yield begin


@contextmanager
def _beating(say: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """Yield a function that is told each step; a thread says once a minute which one goes on, and since when."""
    over, current = threading.Event(), ["beginning"]
    since = [time.monotonic()]

    def beat() -> None:
        pace = Pace(time.monotonic())
        while not over.wait(0.2):
            now = time.monotonic()
            if pace.is_due(now):
                say(f"{current[0]}, for {now - since[0]:.0f} s now")

    def begin(step: str) -> None:
        current[0], since[0] = step, time.monotonic()

    thread = threading.Thread(target=beat, name="progress", daemon=True)
    thread.start()
    try:
        yield begin
    finally:
        over.set()
        thread.join()


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
