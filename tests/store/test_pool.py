"""The pool of connections: which connection is lent, which is closed, and who waits for one."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pytest

from replicator.store import pool as room
from replicator.store.pool import MOST_MORE, NoneFreeError, Pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store.pool import Lent

pytestmark = pytest.mark.pure


class Server:
    """Opens what counts as connections, and knows which of them are open."""

    def __init__(self) -> None:
        self.opened: list[Connection] = []
        self.is_away = False

    def connect(self) -> psycopg.Connection[Any]:
        if self.is_away:
            raise psycopg.OperationalError
        self.opened.append(Connection())
        return cast("psycopg.Connection[Any]", self.opened[-1])

    @property
    def open(self) -> int:
        return sum(not one.is_closed for one in self.opened)


class Connection:
    """What the pool needs of a connection."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True
        raise psycopg.OperationalError  # the other side is gone already: nobody's error


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def pool(server: Server) -> Pool:
    return Pool(server.connect, size=2, most_age_seconds=600, patience_seconds=0.05)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The two clocks, monotonic and of the day, which the test sets."""
    now = [1000.0, 5000.0]
    monkeypatch.setattr(room, "_now", lambda: (now[0], now[1]))
    return now


def rested(pool: Pool) -> Lent:
    """Return a connection that has had a transaction, and rests."""
    lent = pool.lend()
    pool.take_back(lent, is_good=True)
    return lent


def test_a_connection_is_lent_again(pool: Pool, server: Server) -> None:
    """It is new for its first transaction only, and nobody else has it meanwhile."""
    first = pool.lend()
    assert first.is_new
    second = pool.lend()
    assert second.connection is not first.connection
    pool.take_back(first, is_good=True)
    again = pool.lend()
    assert again.connection is first.connection
    assert not again.is_new
    assert (len(server.opened), server.open) == (2, 2)


def test_those_at_rest_are_lent_in_turn(pool: Pool) -> None:
    """None rests for long while another works all the time: servers close what rests."""
    both = [pool.lend(), pool.lend()]
    for lent in both:
        pool.take_back(lent, is_good=True)
    assert [rested(pool).connection for _ in range(4)] == 2 * [lent.connection for lent in both]


def test_what_is_not_good_is_closed(pool: Pool, server: Server) -> None:
    """A connection in an unknown state is not lent again, and leaves its place to another."""
    for _ in range(2 * (2 + MOST_MORE)):
        pool.take_back(pool.lend(), is_good=False)
    assert server.open == 0


def test_no_connection_of_an_earlier_epoch_is_lent(pool: Pool, server: Server) -> None:
    """Neither one at rest nor one that is lent when the new epoch begins, nor one that was being opened then."""
    rested(pool)
    pool.renew()
    lent = pool.lend()
    assert lent.is_new
    pool.renew()
    pool.take_back(lent, is_good=True)
    assert server.open == 0

    opening = server.connect

    def slowly() -> psycopg.Connection[Any]:
        pool.renew()
        return opening()

    pool._connect = slowly
    rested(pool)
    assert server.open == 0


@pytest.mark.parametrize("clock_that_goes_on", [0, 1])
def test_a_connection_grows_old(pool: Pool, server: Server, clock: list[float], clock_that_goes_on: int) -> None:
    """By either clock: one stands still while the machine sleeps, and the other can be set back."""
    first = rested(pool)
    clock[clock_that_goes_on] += 600
    assert rested(pool).connection is first.connection
    clock[clock_that_goes_on] += 1
    clock[1 - clock_that_goes_on] -= 100
    assert rested(pool).is_new is False
    assert (len(server.opened), server.open) == (2, 1)


def test_more_are_opened_while_they_are_needed(pool: Pool, server: Server) -> None:
    """Up to a bound; then one waits for a while, and is told that none came free. Two remain at rest."""
    lent = [pool.lend() for _ in range(2 + MOST_MORE)]
    begun = time.monotonic()
    with pytest.raises(NoneFreeError):
        pool.lend()
    assert time.monotonic() - begun >= 0.05
    assert len(server.opened) == 2 + MOST_MORE
    for one in lent:
        pool.take_back(one, is_good=True)
    assert server.open == 2


def test_who_waits_gets_what_comes_back(server: Server) -> None:
    """A connection that comes back is lent to a thread that waits; one that is closed lets it open another."""
    pool = Pool(server.connect, size=1, most_age_seconds=600, patience_seconds=5)
    for is_good in (True, False):
        lent = [pool.lend() for _ in range(1 + MOST_MORE)]
        with ThreadPoolExecutor(1) as other:
            waits = other.submit(pool.lend)
            time.sleep(0.05)
            assert not waits.done()
            pool.take_back(lent[0], is_good=is_good)
            got = waits.result(10)
        assert (got.connection is lent[0].connection) is is_good
        for one in [got, *lent[1:]]:
            pool.take_back(one, is_good=True)


def test_what_cannot_be_opened_takes_no_place(pool: Pool, server: Server) -> None:
    """While the server is away each attempt fails with its error; when it is back, there is room for all."""
    server.is_away = True
    for _ in range(2 * (2 + MOST_MORE)):
        with pytest.raises(psycopg.OperationalError):
            pool.lend()
    server.is_away = False
    assert len({pool.lend().connection for _ in range(2 + MOST_MORE)}) == 2 + MOST_MORE


def test_closing_closes_all(pool: Pool, server: Server) -> None:
    """Those at rest at once, those that are lent when they come back. The pool can be used on."""
    lent = pool.lend()
    rested(pool)
    pool.close()
    assert server.open == 1
    pool.take_back(lent, is_good=True)
    assert server.open == 0
    rested(pool)
    assert server.open == 1


def test_many_threads_share_few_connections(server: Server) -> None:
    """No connection is lent twice at a time, and no more are open than may be."""
    pool = Pool(server.connect, size=2, most_age_seconds=600, patience_seconds=5)
    lent_now: set[int] = set()
    guard, wrong = threading.Lock(), list[str]()

    def work(number: int) -> None:
        for turn in range(100):
            lent = pool.lend()
            with guard:
                if id(lent.connection) in lent_now or server.open > 2 + MOST_MORE:
                    wrong.append(f"{number} {turn}")
                lent_now.add(id(lent.connection))
            if turn % 30 == 29:
                pool.renew()
            with guard:
                lent_now.discard(id(lent.connection))
            pool.take_back(lent, is_good=turn % 7 > 0)

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(work, range(20)))
    assert wrong == []
    assert server.open <= 2
