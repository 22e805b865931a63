"""Peak memory of `replicator sync` for accounts of two sizes, and what they cost in requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from bench import common

SIZES = (10_000, 100_000)
REQUESTS_PER_MINUTE = 95
"""What the default limit of 100 leaves with the default headroom."""


def peak(calls: int) -> dict[str, float]:
    with common.database() as database_url, common.source(calls) as (url, key):
        settings = {
            "TRUEDY_API_KEY": key, "TRUEDY_BASE_URL": url, "DATABASE_URL": database_url, "TRUEDY_REQUESTS_PER_MINUTE": "0",
        }  # fmt: skip
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        command = [sys.executable, "-m", "replicator", "sync", "--quiet", "--json"]
        with subprocess.Popen(command, env={**kept, **settings}, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said = process.stdout.read()
            _, code, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(code)
    facts = json.loads(said)
    requests = facts["requests"]
    return {
        "calls": facts["calls_inserted"],
        "segments": facts["segments_stored"],
        "seconds": facts["seconds"],
        "peak_megabytes": round(usage.ru_maxrss / 1024, 1),
        "requests": requests,
        "list_requests": facts["pages"],
        "requests_per_call": round(requests / facts["calls_inserted"], 4),
        "list_requests_per_call": round(facts["pages"] / facts["calls_inserted"], 5),
        "hours_at_100_per_minute": round(requests / REQUESTS_PER_MINUTE / 60, 1),
    }


def main() -> None:
    result = {
        "what": "peak resident memory of one `replicator sync` process",
        "sizes": [peak(calls) for calls in SIZES],
    }
    common.write("memory", result)
    print(result)


if __name__ == "__main__":
    main()
