"""Requests that find all deletions, by the size of the account and their number, beside a full pass."""

from __future__ import annotations

import random
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from statistics import mean

from bench import common
from replicator.sync.coverage.ledger import prove
from replicator.sync.coverage.page import PAGE_LIMIT, Seen
from replicator.sync.deletions import bisect

SIZES, DELETIONS, SEEDS = (10_000, 100_000, 1_000_000), (0, 1, 2, 5, 10, 50), 5
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def at(one: int) -> datetime:
    return NOW - timedelta(days=400) + timedelta(seconds=one)


def requests(calls: int, gone: list[int]) -> tuple[int, int]:
    """Search once; return (requests, deleted calls that a page showed)."""
    missing = set(gone)
    listed = [one for one in range(calls) if one not in missing]
    search = bisect.begin(NOW, total=len(listed), surplus=len(gone))
    count, shown = 1, set()  # the first request told the total
    while not search.is_over:
        offset = bisect.next_offset(search, len(listed))
        high = len(listed) - offset
        rows = listed[max(0, high - PAGE_LIMIT) : max(0, high)][::-1]
        seen = Seen(tuple(at(one) for one in rows), offset, len(listed), NOW)
        count += 1
        marks = {mark: int((mark - at(0)).total_seconds()) for mark in bisect.marks(seen)}
        stored_before = {mark: bisect_left(range(calls), one) for mark, one in marks.items()}
        if proven := prove(seen.created, offset=offset, server_time=None):
            shown |= {one for one in missing if proven.since <= at(one) < proven.until}
        search = bisect.absorb(search, seen, stored_before)
    return count, len(shown)


def main() -> None:
    table = []
    for calls in SIZES:
        for deletions in DELETIONS:
            runs = []
            for seed in range(SEEDS):
                gone = random.Random(seed).sample(range(1, calls - 1), deletions)
                runs.append(requests(calls, gone))
                assert runs[-1][1] == deletions
            counts = [count for count, _ in runs]
            table.append({"calls": calls, "deletions": deletions, "mean": round(mean(counts), 1), "most": max(counts)})
    result = {
        "what": "list requests that find all deletions (each is then asked for twice by id), mean and worst of the seeds",
        "seeds": SEEDS,
        "page": PAGE_LIMIT,
        "table": table,
    }
    common.write("deletions", result)
    print(result)


if __name__ == "__main__":
    main()
