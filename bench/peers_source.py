"""The source of bench/peers.py: our simulated one, in a process of its own that is told by lines of JSON what to change.

    python -m bench.peers_source --calls 20000 --limit 0

It writes a line with its address and key, then answers each line of standard input with one line: `{"change": 200,
"delete": 20, "create": 50}` changes the cost of calls of any age, deletes others, adds new ones, and names them; `{}`
only says how many requests came in and how many were refused since the last line.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from decimal import Decimal
from typing import Any

from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import ACTIVE, World

SECONDS_PER_SEGMENT = 5.6
"""About 20 segments in a transcript."""


def switches(limit: int, window_seconds: float) -> Switches:
    """Every recording is in its list row and nothing is late, so that all programs make the same requests."""
    return Switches(
        limit=limit or None,
        window_seconds=window_seconds,
        seconds_per_segment=SECONDS_PER_SEGMENT,
        transcript_missing_share=0.0,
        transcript_late_seconds=0.0,
        recording_missing_share=0.0,
        recording_cached_share=1.0,
    )


def change(world: World, wanted: dict[str, int], chance: random.Random) -> dict[str, Any]:
    """Change, delete and create calls; return which."""
    over = [call["id"] for call in world.calls if call["status"] not in ACTIVE]
    chosen = chance.sample(over, wanted.get("change", 0) + wanted.get("delete", 0))
    changed, deleted = chosen[: wanted.get("change", 0)], chosen[wanted.get("change", 0) :]
    costs = {}
    for call_id in changed:
        cost = Decimal(chance.randrange(1, 10**8)).scaleb(-6)
        world.update(call_id, cost_usd=cost)
        costs[call_id] = str(cost)
    for call_id in deleted:
        world.delete(call_id)
    created = [world.create(status="completed") for _ in range(wanted.get("create", 0))]
    return {"costs": costs, "deleted": deleted, "created": created}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--limit", type=int, default=0, help="requests per window; 0 is off")
    parser.add_argument("--window", type=float, default=60.0, help="seconds")
    given = parser.parse_args()
    api = Api(World(3, given.calls, switches=switches(given.limit, given.window)))
    chance = random.Random(7)
    with running(api) as url:
        print(json.dumps({"base_url": url, "key": KEY}), flush=True)
        for line in sys.stdin:
            counted = {"requests": api.log.requests, "refused": api.log.refused}
            api.log.clear()
            said = {**counted, **change(api.world, json.loads(line), chance)}
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
