"""A whole fresh sync beside bare clients that make the same requests, parse them and keep nothing; in one run, alternating.

Two bare clients: one over our own transport and parsing, and plain httpx with json, as one would write it.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from bench import common
from replicator.budget.durable import Limits
from replicator.errors import NotFound
from replicator.source.client import Reader
from replicator.store.database import Database
from replicator.sync.run import Options, Report, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    """List everything, then ask for the same details on as many threads, with our own client."""
    with Reader(url, key) as reader:

        def page(offset: int) -> list[tuple[str, Any, bool]]:
            calls = reader.list_calls(limit=100, offset=offset).calls
            return [(call.status or "", call.id, call.recording_url is not None) for call in calls]

        return timed(page, {"transcript": reader.get_transcript, "recording": reader.get_recording})


def plain(url: str, key: str) -> tuple[float, int]:
    """The same with httpx as it comes, and json."""
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}) as client:

        def get(path: str) -> Any:
            answer = client.get(f"{url}/calls{path}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise NotFound("not there")
            return json.loads(answer.content)

        def page(offset: int) -> list[tuple[str, Any, bool]]:
            rows = get(f"?limit=100&offset={offset}")["data"]
            return [(row["status"], row["id"], row["recording_url"] is not None) for row in rows]

        def detail(kind: str, call_id: Any) -> Any:
            return get(f"/{call_id}/{kind}")

        return timed(page, {kind: partial(detail, kind) for kind in ("transcript", "recording")})


def timed(
    page: Callable[[int], list[tuple[str, Any, bool]]], get: Mapping[str, Callable[[Any], Any]]
) -> tuple[float, int]:
    todo: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def work() -> None:
        while True:
            try:
                kind, call_id = todo.get_nowait()
            except queue.Empty:
                return
            try:
                get[kind](call_id)
            except NotFound:
                continue

    begun = time.perf_counter()
    requests = 0
    for offset in range(0, CALLS, 100):
        requests += 1
        for status, call_id, has_recording in page(offset):
            if status in {"completed", "voicemail"}:
                todo.put(("transcript", call_id))
                if not has_recording:
                    todo.put(("recording", call_id))
    requests += todo.qsize()
    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun, requests


def main() -> None:
    mine, theirs, plains, counts = [], [], [], []
    with common.database() as database_url, common.source(CALLS) as (url, key):
        ours(url, key, database_url)  # the source has cached its rows, and the recordings are on them, from here on
        for _ in range(ROUNDS):
            common.empty(database_url)
            seconds, requests = bare(url, key)
            theirs.append(seconds)
            plains.append(plain(url, key)[0])
            taken, report = ours(url, key, database_url)
            mine.append(taken)
            counts.append((requests, report.counters.requests))
    ratios = [m / t for m, t in zip(mine, theirs, strict=True)]
    plain_ratios = [m / t for m, t in zip(mine, plains, strict=True)]
    result = {
        "what": "a fresh sync (calls, versions, transcripts, coverage, budget) over a bare client of the same requests",
        "calls": CALLS,
        "segments": report.counters.segments_stored,
        "requests": report.counters.requests,
        "bare_requests": counts[-1][0],
        "seconds": common.middle(mine),
        "bare_seconds": common.middle(theirs),
        "plain_httpx_seconds": common.middle(plains),
        "ratio_to_plain_httpx": common.middle(plain_ratios),
        "ratios_to_plain_httpx": [round(ratio, 3) for ratio in plain_ratios],
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
