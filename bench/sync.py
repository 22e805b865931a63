"""A whole fresh sync beside a bare client that makes the same requests and parses them, in one run, alternating."""

from __future__ import annotations

import queue
import threading
import time

from bench import common
from replicator.errors import NotFound
from replicator.source.client import Reader
from replicator.store.database import Database
from replicator.sync.run import Options, Report, Run
from replicator.sync.spending import Limits

CALLS, ROUNDS, WORKERS = 5_000, 5, 8


def ours(url: str, key: str, database_url: str) -> tuple[float, Report]:
    database = Database(database_url)
    with Reader(url, key) as reader:
        begun = time.perf_counter()
        report = Run(database, [(key, reader)], Options(base_url=url, workers=WORKERS, limits=Limits(None))).perform()
        seconds = time.perf_counter() - begun
    database.close()
    return seconds, report


def bare(url: str, key: str) -> tuple[float, int]:
    """List everything, then ask for the same details on as many threads; keep nothing."""
    todo: queue.SimpleQueue[tuple[object, object]] = queue.SimpleQueue()
    with Reader(url, key) as reader:

        def work() -> None:
            while True:
                try:
                    get, call_id = todo.get_nowait()
                except queue.Empty:
                    return
                try:
                    get(call_id)  # type: ignore[operator]
                except NotFound:
                    continue

        begun = time.perf_counter()
        requests = 0
        for offset in range(0, CALLS, 100):
            requests += 1
            for call in reader.list_calls(limit=100, offset=offset).calls:
                if call.status in {"completed", "voicemail"}:
                    todo.put((reader.get_transcript, call.id))
                    if call.recording_url is None:
                        todo.put((reader.get_recording, call.id))
        requests += todo.qsize()
        threads = [threading.Thread(target=work) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begun, requests


def main() -> None:
    mine, theirs, counts = [], [], []
    with common.database() as database_url, common.source(CALLS) as (url, key):
        ours(url, key, database_url)  # the source has cached its rows, and the recordings are on them, from here on
        for _ in range(ROUNDS):
            common.empty(database_url)
            seconds, requests = bare(url, key)
            theirs.append(seconds)
            taken, report = ours(url, key, database_url)
            mine.append(taken)
            counts.append((requests, report.counters.requests))
    ratios = [m / t for m, t in zip(mine, theirs, strict=True)]
    result = {
        "what": "a fresh sync (calls, versions, transcripts, coverage, budget) over a bare client of the same requests",
        "calls": CALLS,
        "segments": report.counters.segments_stored,
        "requests": report.counters.requests,
        "bare_requests": counts[-1][0],
        "seconds": common.middle(mine),
        "bare_seconds": common.middle(theirs),
        "ratio": common.middle(ratios),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "requests_per_second": round(report.counters.requests / common.middle(mine)),
        "workers": WORKERS,
        "rounds": ROUNDS,
    }
    common.write("sync", result)
    print(result)


if __name__ == "__main__":
    main()
