"""Matching a month's lines with its calls: seconds and memory, without the database. python -m bench.reconcile_match

Half of the statements have the calls' ids, half have numbers and times only, which is the slowest rung that matches all.
One line in a hundred has a fault. Each size is measured in a process of its own.
"""

from __future__ import annotations

import gc
import json
import random
import resource
import subprocess
import sys
import time
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from replicator.reconcile import bridge, matching, months
from replicator.reconcile.lines import Line
from replicator.reconcile.sides import OurCall, StatedLine, Terms

RESULT = Path(__file__).with_name("results") / "reconcile_match.json"
SIZES = (10_000, 100_000, 1_000_000)
MONTH = months.month("2026-10", UTC)
SECONDS = 31 * 86400


def sides(size: int, *, by_id: bool, seed: int = 1) -> tuple[list[StatedLine], list[OurCall]]:
    """Return a month of calls, and lines that bill them, in another order and with a fault here and there."""
    chance = random.Random(seed)
    lines: list[StatedLine] = []
    calls: list[OurCall] = []
    for n in range(size):
        start = MONTH.since + timedelta(seconds=n * (SECONDS - 4000) / size)
        seconds = chance.randrange(1, 3600)
        call = OurCall(
            UUID(int=chance.getrandbits(128)), Decimal(seconds * 7) / 10_000, "known", start, start,
            start + timedelta(seconds=seconds), seconds, "+4930123456", f"+49170{chance.randrange(10**7):07d}", "outbound",
        )  # fmt: skip
        calls.append(call)
        if chance.random() < 0.005:
            continue
        amount = call.amount if chance.random() > 0.005 else Decimal(1)
        lines.append(
            (1, Line(
                0, f"L{n}", call.id if by_id else None, None, start + timedelta(seconds=chance.randrange(60)), seconds,
                "+4930123456", call.phone_number, "outbound", amount,
            ))
        )  # fmt: skip
    chance.shuffle(lines)
    return lines, calls


def measure(size: int, *, by_id: bool) -> dict[str, float]:
    """Match once, and return the seconds and the bytes for each line with its call."""
    lines, calls = sides(size, by_id=by_id)
    lines = [
        (1, Line(n, *(getattr(line, name) for name in Line.__slots__[1:])))
        for n, (_, line) in enumerate(lines, start=2)
    ]
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gc.disable()
    began, cpu = time.perf_counter(), time.process_time()
    items = matching.in_order(matching.match(lines, calls, MONTH, Terms()))
    matched, cpu = time.perf_counter() - began, time.process_time() - cpu
    total = sum((call.amount or Decimal(0) for call in calls), Decimal(0))
    assert bridge.is_whole(bridge.bridge(items, total, len(calls)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": round(matched, 2),
        "cpu_seconds": round(cpu, 2),
        "lines_per_second": round(len(lines) / matched),
        "megabytes_of_both_sides": round(held / 1024),
        "megabytes_at_the_peak": round(peak / 1024),
        "items": len(items),
    }


def main() -> None:
    """Measure each size, and write the result."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in ("by_id", "by_numbers_and_times"):
        for size in SIZES:
            words = [sys.executable, "-m", "bench.reconcile_match", name, str(size)]
            out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
            found.setdefault(name, {})[str(size)] = json.loads(out)
            print(name, size, out.strip(), file=sys.stderr)
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[2]), by_id=sys.argv[1] == "by_id")))
    else:
        main()
