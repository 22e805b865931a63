"""Draws small plots for a terminal: a line of bars, shares, and a strip of days, within 80 columns.

They use block characters in a terminal that can show them, and plain ASCII in a pipe or an encoding without blocks. The
plots are made only from numbers, so no text of the source can reach the terminal through them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from replicator.report.terminal import percent, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

BLOCKS, ASCII = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
"""From empty to the highest step; only zero is shown as empty."""
DAYS = {"proven": "█#", "partly": "▒+", "never": "░.", "none": "  "}
BAR_WIDTH = 30
STAGES = (
    ("placed", "placed_calls", "terminal_calls"),
    ("answered", "answered_calls", "placed_calls"),
    ("machine", "machine_calls", "placed_calls"),
    ("no answer", "not_answered_calls", "placed_calls"),
    ("busy", "busy_calls", "placed_calls"),
)


def is_plain(console: Console) -> bool:
    """Say whether block characters must be avoided."""
    return not (console.is_terminal and console.encoding.lower().replace("-", "") == "utf8")


def sparkline(values: Sequence[float], *, plain: bool) -> str:
    """Return one character for each value, the highest for the largest; zero alone is blank."""
    steps = ASCII if plain else BLOCKS
    high = max(values, default=0)
    if high <= 0:
        return " " * len(values)
    top = len(steps) - 1
    return "".join(steps[0 if value <= 0 else max(1, min(top, round(top * value / high)))] for value in values)


def bar(share: float | None, *, plain: bool, width: int = BAR_WIDTH) -> str:
    """Return a share as a bar of that width. A share above 0 is never shown as empty, and one below 1 never as full."""
    full, empty = ("#", ".") if plain else ("█", "░")
    filled = round(width * min(max(share or 0.0, 0.0), 1.0))
    if share and 0 < share < 1:
        filled = min(width - 1, max(1, filled))
    return full * filled + empty * (width - filled)


def strip(days: Sequence[Mapping[str, Any]], *, plain: bool) -> str:
    """Return one character per day: proven, partly proven, not compared, or before the first known call."""
    last = len(days) - 1
    states = [_state(day, is_today=number == last) for number, day in enumerate(days)]
    return "".join(DAYS[state][1 if plain else 0] for state in states)


def _state(day: Mapping[str, Any], *, is_today: bool) -> str:
    proven, never = day["proven_time_share"], day["never_compared_time_share"]
    if proven is None:
        return "none"
    if never == 1:
        return "never"
    # Today's last seconds are never read yet, so what was read of today counts as all.
    return "proven" if proven + (never if is_today else 0) > 1 - 1e-9 else "partly"


def lines(days: Sequence[Mapping[str, Any]], *, plain: bool) -> list[str]:
    """Return the plots of the last days, as lines of at most 80 columns."""
    if not any(day["calls"] for day in days):
        return []
    calls = [day["calls"] for day in days]
    high, total = max(calls), sum(calls)
    made = [
        f"calls      |{sparkline(calls, plain=plain)}| {plural(total, 'call')} in {len(days)} days,",
        f"{'':12}at most {high:,} a day, {calls[-1]:,} so far today",
    ]
    sums = {name: sum(day[name] for day in days) for name in (*(stage[1] for stage in STAGES), "terminal_calls")}
    for name, part, whole in STAGES:
        share = sums[part] / sums[whole] if sums[whole] else None
        made.append(f"{name:<11}|{bar(share, plain=plain)}| {percent(share):>6}  {sums[part]:,} of {sums[whole]:,}")
    full, some, never = (DAYS[kind][1 if plain else 0] for kind in ("proven", "partly", "never"))
    made.append(f"coverage   |{strip(days, plain=plain)}| {full} proven  {some} in part  {never} never read")
    return made


def show(out: Console, days: Sequence[Mapping[str, Any]]) -> None:
    """Print the plots of the last days, where there is anything to show."""
    found = lines(days, plain=is_plain(out))
    if found:
        out.print()
        out.print(Text(f"The last {len(days)} days", style="bold"))
        for one in found:
            out.print(Text(one), soft_wrap=True)


__all__ = ["bar", "is_plain", "lines", "show", "sparkline", "strip"]
