"""`python -m replicator.simulator`: a Truedy API of its own process. One JSON line on stdout when it is ready."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from contextlib import nullcontext

from replicator.errors import ConfigurationError
from replicator.simulator.api import KEY, Api
from replicator.simulator.server import serve, storing
from replicator.simulator.switches import PRESETS
from replicator.simulator.world import World


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m replicator.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 is any free port")
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--days", type=float, default=90.0, help="how far back the first call lies")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, default=100, help="requests per window and key; 0 is off")
    parser.add_argument("--window", type=float, default=60.0, help="seconds")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="contract")
    parser.add_argument("--churn", type=float, default=0.0, help="changes per minute")
    parser.add_argument("--key", action="append", help=f"may be repeated; default {KEY}")
    parser.add_argument(
        "--recordings",
        default="",
        help="base URL of the recordings; 'self' is this server, and what the observed preset does; 'other' is another "
        "port of this process, as storage is another host",
    )
    parser.add_argument("--until-stdin-ends", action="store_true", help="end when standard input does, with the parent")
    chosen = parser.parse_args(arguments)
    switches = PRESETS[chosen.preset]().but(limit=chosen.limit or None, window_seconds=chosen.window)
    own_recordings = chosen.recordings == "self" or (chosen.preset == "observed" and not chosen.recordings)
    if chosen.recordings not in {"", "self", "other"}:
        switches = switches.but(recording_base_url=chosen.recordings)
    keys = chosen.key or [KEY]
    world = World(chosen.seed, chosen.calls, days=chosen.days, churn_per_minute=chosen.churn, switches=switches)
    api = Api(world, keys=keys)

    def ready(base_url: str) -> None:
        if own_recordings:
            api.switches = switches.but(recording_base_url=base_url.partition("/api/")[0])
        sys.stdout.write(json.dumps({"base_url": base_url, "key": keys[0]}) + "\n")
        sys.stdout.flush()

    if chosen.until_stdin_ends:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        with storing(api, host=chosen.host) if chosen.recordings == "other" else nullcontext():
            serve(api, host=chosen.host, port=chosen.port, ready=ready)
    except ConfigurationError as error:
        sys.stderr.write(error.explain() + "\n")
        return error.exit_code
    return 0


def _end_with_stdin() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
