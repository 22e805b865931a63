"""A proxy cuts the connections to the database and to the source, many times, at any byte: nothing is lost."""

from __future__ import annotations

import random
import threading
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from replicator.budget.durable import Limits
from replicator.errors import SourceUnavailable
from replicator.simulator.switches import Switches
from replicator.store.database import Database
from tests import fix_proxy
from tests.fix_proxy import COMMIT, Toxic
from tests.sync.fix_source import Setting, source
from tests.sync.test_kills import assert_nothing_is_lost_or_doubled, change

if TYPE_CHECKING:
    from collections.abc import Callable

    from replicator.sync.run import Report

CUTS = 30
"""Cuts of each kind, at least."""
# Offsets of all sizes: what is cut again and again at every few bytes never gets through, whoever writes it.
KINDS: dict[str, Callable[[random.Random], Toxic]] = {
    "before the commit": lambda rng: Toxic("reset", message=COMMIT, nth=rng.randint(1, 5)),
    "in the commit": lambda rng: Toxic("close", message=COMMIT, nth=rng.randint(1, 5), offset=rng.randint(1, 11)),
    "with the commit": lambda rng: Toxic("reset", message=COMMIT, nth=rng.randint(1, 5), offset=len(COMMIT)),
    "before the commit's answer": lambda rng: Toxic(
        "reset", message=COMMIT, nth=rng.randint(1, 5), offset=len(COMMIT), answer=True
    ),
    "any byte up": lambda rng: Toxic("reset", offset=int(10 ** rng.uniform(1, 6.3))),
    "any byte down": lambda rng: Toxic("close", way="down", offset=int(10 ** rng.uniform(1, 5.5))),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_cut_database_connections_lose_nothing(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Every sync goes on through cuts before, in and after a COMMIT and at any other byte, also where it begins; nothing is
    lost and no version is doubled, although nobody can know which of the commits took.
    """
    real = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: real(seconds / 50))  # the back-off, in the test's own time
    rng = random.Random(kind)
    port = sa.make_url(database_url).port
    assert port is not None
    with (
        source(database, calls=500, switches=Switches(limit=None, latency_seconds=0.001)) as there,
        fix_proxy.running(port, rearm=lambda: KINDS[kind](rng)) as between,
    ):
        url = sa.make_url(database_url).set(port=between.port).render_as_string(hide_password=False)
        with closing(Database(url)) as cut:
            through = replace(there, database=cut)
            for _ in range(10 * CUTS):
                if between.acts >= CUTS:
                    break
                through.sync()
                change(there, rng)
            assert between.acts >= CUTS
            between.arm(None)
        there.sync()
        assert_nothing_is_lost_or_doubled(there)


HTTP: dict[str, Callable[[random.Random], Toxic]] = {
    "reset in the request": lambda rng: Toxic("reset", offset=rng.randint(0, 4_000)),
    "closed in the request": lambda rng: Toxic("close", offset=rng.randint(0, 4_000)),
    "reset in the answer": lambda rng: Toxic("reset", way="down", offset=rng.randint(0, 120_000)),
    "cut in the answer": lambda rng: Toxic("close", way="down", offset=rng.randint(0, 120_000)),
    "answer dropped": lambda rng: Toxic("reset", offset=rng.randint(200, 4_000), answer=True),
    "stalled": lambda rng: Toxic("freeze", way="down", offset=rng.randint(0, 400_000)),
    "dripping": lambda rng: Toxic("drip", way="down", offset=rng.randint(0, 400_000)),
}
DEADLINE_SECONDS = 0.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", HTTP)
def test_a_cut_source_loses_nothing(database: Database, kind: str) -> None:
    """Whatever the network does to requests and answers, and wherever in them: a sync completes, every deadline holds,
    and the books of the budget have charged at least what the source counted.
    """
    rng = random.Random(kind)
    with source(database, calls=400) as there:
        port = sa.make_url(there.base_url).port
        assert port is not None
        with fix_proxy.running(port, rearm=lambda: HTTP[kind](rng), latency_seconds=0.001) as between:
            far = replace(
                there, base_url=there.base_url.replace(str(port), str(between.port)), timeout_seconds=DEADLINE_SECONDS
            )
            limits = Limits(100_000, 60.0, 0.0)
            report: Report | None = None
            for _ in range(12):
                try:
                    report = far.sync(limits=limits)
                except SourceUnavailable:
                    continue  # not one answer in three tries: by design that is not waited for
                if report.details_due == report.details_waiting == 0:
                    break
                there.rows("UPDATE truedy.transcripts SET due_at = now() WHERE due_at IS NOT NULL RETURNING 1")
                there.rows("UPDATE truedy.recordings SET due_at = now() WHERE due_at IS NOT NULL RETURNING 1")
            assert between.acts >= 3
            counted = there.api.log.requests
            charged = there.value("SELECT sum(charged) FROM replicator.budget_windows")
            assert charged >= counted
            assert there.value("SELECT sum(requests) FROM replicator.runs") >= counted
        assert there.differences() == []
        assert there.value("SELECT bool_and(is_proven) FROM replicator.coverage")


@pytest.mark.slow
def test_a_source_that_drips_for_ever_is_left_at_the_deadline(database: Database) -> None:
    """Slow-loris: every answer drips, so the run ends with its error after three deadlines, not after three answers."""
    always: Any = lambda: Toxic("drip", way="down", offset=1)  # noqa: E731 - a name for what is armed again and again
    with source(database, calls=50) as there:
        port = sa.make_url(there.base_url).port
        assert port is not None
        with fix_proxy.running(port, rearm=always) as between:
            far: Setting = replace(
                there, base_url=there.base_url.replace(str(port), str(between.port)), timeout_seconds=DEADLINE_SECONDS
            )
            ending = threading.Event()
            began = time.monotonic()
            threading.Timer(8 * DEADLINE_SECONDS, ending.set).start()
            with pytest.raises(Exception, match="no answer in time"):
                far.sync(stop=ending)
            assert time.monotonic() - began < 30
