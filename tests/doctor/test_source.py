"""What `doctor` asks of the source with each key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from replicator.budget.durable import Limits
from replicator.doctor.source import ask, of_source
from replicator.errors import AnotherSource, BadKey
from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from replicator.source.client import Reader

if TYPE_CHECKING:
    from replicator.store.database import Database

SECOND = "truedy_second"
FREE = Switches(limit=None)


def test_each_key_is_asked_once_and_charged(database: Database) -> None:
    """The first one for the newest call, the other one for that call."""
    api = Api(World(1, 20, switches=FREE), keys=(KEY, SECOND))
    with running(api) as url, Reader(url, KEY) as one, Reader(url, SECOND) as other:
        asked = ask([(KEY, one), (SECOND, other)], Limits(100, 60.0, 0.0), database, "default", url)
    assert (asked.total, asked.failure, asked.is_charged) == (20, None, True)
    found = [one.what for one in of_source(asked, None, base_url=url, configured_limit=None)]
    assert found[0] == f"{url} answers, accepts the 2 keys and lists 20 calls"
    assert api.log.by_kind == {"list": 1, "call": 1}
    with database.connection() as connection:
        charged = connection.execute("SELECT count(DISTINCT key_id) FROM replicator.budget_windows").fetchone()
    assert charged == (2,)


@pytest.mark.parametrize(("first", "second", "is_told"), [(20, 20, True), (0, 20, True), (20, 0, True), (0, 0, False)])
def test_keys_of_two_accounts_are_told(first: int, second: int, *, is_told: bool) -> None:
    """The second one does not know a call that the first one lists, or lists calls where the first one lists none."""
    with (
        running(Api(World(1, first, switches=FREE))) as url,
        running(Api(World(77, second, switches=FREE))) as strange,
        Reader(url, KEY) as one,
        Reader(strange, KEY) as other,
    ):
        asked = ask([(KEY, one), (SECOND, other)], Limits(None), None, "default", url)
    assert asked.total == first
    assert isinstance(asked.failure, AnotherSource) == is_told
    if asked.failure is not None:
        differs = "does not know a call that another one lists" if first else "lists calls, and number 1 lists none"
        assert f"of the 2 keys in TRUEDY_API_KEY, number 2 {differs}" in asked.failure.message


def test_a_second_key_that_is_refused_is_told() -> None:
    """As it is with one key."""
    api = Api(World(1, 20, switches=FREE), keys=(KEY,))
    with running(api) as url, Reader(url, KEY) as one, Reader(url, SECOND) as other:
        asked = ask([(KEY, one), (SECOND, other)], Limits(None), None, "default", url)
    assert isinstance(asked.failure, BadKey)
