"""How many detail requests a second the simulated API answers on one core.

Run: `python bench/simulator.py`. The server is a process of its own, pinned to one core; `wrk` (or, without it, a
client in Python, which measures itself more than the server) asks for 1,000 transcripts in turn from another core.
Writes bench/results/simulator.json.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

CALLS, SECONDS, ROUNDS, CONNECTIONS = 20_000, 5, 3, 32
RESULT = Path(__file__).parent / "results" / "simulator.json"
LUA = """
local paths = {%s}
local turn = 0
request = function()
  turn = turn %% #paths + 1
  return wrk.format("GET", paths[turn], {["Authorization"] = "Bearer %s"})
end
"""


def pinned(core: int) -> list[str]:
    many = shutil.which("taskset") and len(os.sched_getaffinity(0)) > 1
    return ["taskset", "-c", str(sorted(os.sched_getaffinity(0))[core])] if many else []


def transcript_paths(base_url: str, key: str, count: int = 1000) -> list[str]:
    parts = urlsplit(base_url)
    connection = HTTPConnection(parts.hostname or "", parts.port)
    paths: list[str] = []
    while len(paths) < count:
        query = f"status=completed&limit=100&offset={200 + len(paths)}"
        connection.request("GET", f"{parts.path}/calls?{query}", headers={"Authorization": f"Bearer {key}"})
        rows = json.loads(connection.getresponse().read())["data"]
        paths += [f"{parts.path}/calls/{row['id']}/transcript" for row in rows]
    connection.close()
    return paths


def with_wrk(base_url: str, key: str, paths: list[str]) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA % (",".join(f'"{path}"' for path in paths), key))
        script.flush()
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", script.name]
        done = subprocess.run([*pinned(1), "wrk", *options, base_url], capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    if found is None:
        raise RuntimeError("wrk does not say how many requests a second were answered")
    return float(found[1])


def with_python(base_url: str, key: str, paths: list[str]) -> float:
    parts = urlsplit(base_url)
    until, counts = time.monotonic() + SECONDS, []

    def ask() -> None:
        connection, count = HTTPConnection(parts.hostname or "", parts.port), 0
        while time.monotonic() < until:
            connection.request("GET", paths[count % len(paths)], headers={"Authorization": f"Bearer {key}"})
            connection.getresponse().read()
            count += 1
        counts.append(count)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


def main() -> None:
    command = [sys.executable, "-m", "replicator.simulator", "--calls", str(CALLS), "--limit", "0"]
    with subprocess.Popen([*pinned(0), *command], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            ready = json.loads(server.stdout.readline())
            paths = transcript_paths(ready["base_url"], ready["key"])
            measure = with_wrk if shutil.which("wrk") else with_python
            rounds = [round(measure(ready["base_url"], ready["key"], paths)) for _ in range(ROUNDS)]
        finally:
            server.terminate()
    result = {
        "what": "transcript requests answered per second, server on one core",
        "requests_per_second": max(rounds),
        "rounds": rounds,
        "client": measure.__name__.removeprefix("with_"),
        "calls": CALLS,
        "connections": CONNECTIONS,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(
        f"simulator: {max(rounds):,} transcript requests per second on one core ({result['client']}; rounds {rounds})"
    )


if __name__ == "__main__":
    main()
