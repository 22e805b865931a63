"""Progress: bars in a terminal, one line a minute in a pipe and in the log, and nothing for short work."""

from __future__ import annotations

import io
import logging
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from replicator.report import exporting, progress, terminal
from replicator.report.progress import Pace

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress.time, "monotonic", made.monotonic)
    return made


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    out = io.StringIO()
    monkeypatch.setattr(terminal, "console", lambda **_how: Console(file=out, force_terminal=False, width=200))
    return out


def a_progress() -> Any:
    counters = SimpleNamespace(
        calls_inserted=7, calls_changed=2, calls_unchanged=1, requests=20, transcripts_stored=3, recordings_stored=4
    )
    return SimpleNamespace(counters=counters, total=100, waits_until=None, why="")


@pytest.mark.pure
def test_a_line_after_five_seconds_and_then_one_a_minute() -> None:
    """In 125 seconds, asked every second: after 5, 65 and 125."""
    pace = Pace(0.0)
    assert [now for now in range(126) if pace.is_due(float(now))] == [5, 65, 125]


@pytest.mark.pure
def test_a_first_sync_of_serve_logs_a_line_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Thirteen minutes are thirteen lines, with what is done and of how many; a sync of seconds logs none."""
    log = logging.getLogger("test")
    with caplog.at_level("INFO"):
        show = progress.logged(log)
        for _ in range(13 * 60):
            clock.now += 1
            show(cast("Any", a_progress()))
    assert len(caplog.messages) == 13
    assert caplog.messages[0] == "syncing: 20 requests: 10 of 100 calls, 3 transcripts, 4 recordings"


@pytest.mark.pure
def test_verify_and_export_say_a_line_a_minute_in_a_pipe(clock: Clock, pipe: io.StringIO) -> None:
    """Also without --progress; with it, an export says one every five seconds; with --no-progress, none."""

    def lines(show: Callable[[int, int], None]) -> int:
        pipe.seek(0)
        pipe.truncate()
        for number in range(120):
            clock.now += 1
            show(number, 1_000_000)
        return len(pipe.getvalue().splitlines())

    with progress.counted("requests") as show:
        assert lines(show) == 2
        assert pipe.getvalue().startswith("requests: 4 of at most 1,000,000")
    for wanted, expected in ((None, 2), (True, 24), (False, 0)):
        with exporting.shown(is_wanted=wanted) as show:
            assert lines(show) == expected


def test_a_long_step_says_that_it_goes_on(pipe: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """One statement of a migration may take an hour: a thread says which step goes on. It ends with the work."""
    monkeypatch.setattr(progress.Pace.__init__, "__kwdefaults__", {"first": 0.3, "every": 60.0})
    with progress.steps() as begin:
        begin("making roll-ups")
        time.sleep(1)
    assert pipe.getvalue().startswith("making roll-ups, for ")
    assert len(pipe.getvalue().splitlines()) == 1
