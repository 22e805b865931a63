"""Short ways to ask a simulated API, used by this folder's tests."""

from contextlib import contextmanager
from datetime import UTC, datetime

import httpx

from replicator.simulator.api import BASE, KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.transport import SimulatedTransport, VirtualClock
from replicator.simulator.world import World

NOW = datetime(2026, 3, 2, 12, 0, 0, 500_000, tzinfo=UTC)
AUTH = {"Authorization": f"Bearer {KEY}"}


def make(calls=300, seed=7, keys=(KEY,), churn_per_minute=0.0, **switches):
    """Return an Api over a small world at NOW whose time stands still."""
    world = World(seed, calls, now=NOW, days=10, churn_per_minute=churn_per_minute, switches=Switches(**switches))
    return Api(world, keys=keys, clock=lambda: NOW)


class Asking(httpx.Client):
    """A client of one Api, in-process, with a clock of its own."""

    def __init__(self, api):
        self.clock = VirtualClock(NOW)
        super().__init__(
            transport=SimulatedTransport(api, self.clock),
            base_url="http://truedy.test" + BASE,
            headers=AUTH,
            timeout=60,
        )

    def rows(self, **params):
        answer = self.get("/calls", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


def asking(calls=300, seed=7, **switches):
    """Return a client and its Api, with these switches."""
    api = make(calls, seed, **switches)
    return Asking(api), api


@contextmanager
def over_http(api):
    """Serve an Api on a socket and yield a client for it."""
    with running(api) as base_url, httpx.Client(base_url=base_url, headers=AUTH, timeout=10) as client:
        yield client


def settled(api, *statuses):
    """Return the identifiers of calls with one of these statuses, newest first."""
    return [row["id"] for row in api.world.calls if row["status"] in statuses]
