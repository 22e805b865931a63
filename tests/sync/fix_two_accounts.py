"""Two accounts in one database, and each alone in one of its own: the same histories, and all that is stored, side by side.

Time is virtual and one request is under way at a time, so a history is the same whoever shares the database. What differs
between any two databases (numbers that a sequence gives, the database's own clock, what a view computes from the time of
the question) is named in VOLATILE and left out.
"""

from __future__ import annotations

import json
import random
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from replicator.budget.durable import Limits
from replicator.errors import DatabaseUnavailable
from replicator.simulator.api import KEY, Api
from replicator.simulator.conversations import Segment
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from replicator.source.client import Reader
from replicator.store import rollups
from replicator.store.database import Database
from replicator.store.schema_check import bundled
from replicator.sync import replay
from replicator.sync.content.calls import Policy
from replicator.sync.pseudonyms import Pseudonyms
from replicator.sync.run import Options, Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ACCOUNTS = ("a", "b")
SECRET = Pseudonyms(b"two accounts" * 4)

OF_THE_DATABASE = frozenset({
    "replicator.agents", "replicator.campaigns", "replicator.error_classes", "replicator.locks", "replicator.objects",
    "replicator.reporting", "replicator.schema_version", "replicator.stage_rules", "replicator.status_stages",
    "replicator.views", "analytics.metric_definitions",
})  # fmt: skip
"""Tables and views that are of no account: everything else has a column `account` or `call_id`."""

NUMBERS = frozenset({"id", "run_id", "change_id"})
OUR_CLOCK = frozenset({
    "acquired_at", "expires_at", "recorded_at", "refreshed_at", "replaced_at", "released_at", "holder", "last_run_started_at",
    "last_run_finished_at",
})  # fmt: skip
ASKED = frozenset({"lag_seconds", "age_seconds", "oldest_look_seconds"})
VOLATILE: Mapping[str, frozenset[str]] = {
    "truedy.calls": frozenset(),
    "replicator.runs": NUMBERS | OUR_CLOCK | {"started_at", "finished_at"},
    # The day of the question is not over.
    "analytics.coverage_daily": frozenset({"day_seconds", "never_compared_seconds"}),
    "analytics.sync_runs": NUMBERS | OUR_CLOCK | {"started_at", "finished_at", "seconds"},
}
"""What is left out of a relation; of one that is not named, NUMBERS, OUR_CLOCK and ASKED."""

RELATIONS = """
SELECT format('%I.%I', n.nspname, c.relname), array_agg(a.attname::text)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE (n.nspname IN ('truedy', 'replicator', 'rollup') AND c.relkind = 'r') OR (n.nspname = 'analytics' AND c.relkind = 'v')
GROUP BY 1 ORDER BY 1
"""


def stored(url: str, account: str) -> dict[str, list[str]]:
    """Return what every table and view says of an account, row by row."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for name, columns in connection.execute(RELATIONS).fetchall():
            if name in OF_THE_DATABASE:
                continue
            if "account" in columns:
                where = "t.account = %(account)s"
            else:
                assert "call_id" in columns, f"of which account are the rows of {name}?"
                where = "t.call_id IN (SELECT c.id FROM truedy.calls c WHERE c.account = %(account)s)"
            left_out = VOLATILE.get(name, NUMBERS | OUR_CLOCK | ASKED)
            rows = connection.execute(
                f"SELECT to_jsonb(t) - %(left_out)s::text[] FROM {name} t WHERE {where}",
                {"account": account, "left_out": sorted(left_out)},
            )
            found[name] = sorted(json.dumps(_plain(row), sort_keys=True) for (row,) in rows.fetchall())
    return found


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without the last digits of what is no exact number: they depend on the order in which it was added up."""
    return {name: float(f"{value:.9g}") if isinstance(value, float) else value for name, value in row.items()}


def differences(one: Mapping[str, Sequence[str]], other: Mapping[str, Sequence[str]]) -> list[str]:
    """Name each row that only one of two has."""
    said = [f"{name} is in one only" for name in one.keys() ^ other.keys()]
    for name in one.keys() & other.keys():
        ours, theirs = list(one[name]), list(other[name])
        for row in one[name]:
            if row in theirs:
                theirs.remove(row)
                ours.remove(row)
        said += [f"{name}, together: {row}" for row in ours] + [f"{name}, alone: {row}" for row in theirs]
    return said


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens, so many minutes after the one before. `draw` says to which calls, or when."""

    minutes: int
    accounts: tuple[str, ...]
    """Whom it concerns; both: at the same time."""
    what: str
    draw: float


HAPPENINGS = ("create", "change", "delete", "respeak", "sync", "sync", "sync", "bounded", "kill", "kill", "roll up", "replay",
              "release", "verify nothing")  # fmt: skip


def history(seed: int, steps: int = 12) -> list[Step]:
    """Draw a history. It ends calmly: two syncs of each, at a time when what is missing can be confirmed."""
    rng = random.Random(seed)
    drawn = [
        Step(
            rng.randint(1, 25),
            rng.choice([("a",), ("b",), ("a", "b"), ("b", "a")]),
            rng.choice(HAPPENINGS),
            rng.random(),
        )
        for _ in range(steps)
    ]
    return [*drawn, *(Step(15, ACCOUNTS, what, 0.0) for what in ("sync", "sync", "replay", "sync", "roll up"))]


class MortalDatabase(Database):
    """A database that is away for good after so many transactions: what a process leaves that is killed there."""

    transactions_left: int | None = None

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        if self.transactions_left is not None:
            self.transactions_left -= 1
            if self.transactions_left < 0:
                raise DatabaseUnavailable("killed", advice="nothing")
        with super().transaction() as tx:
            yield tx

    connection = transaction


@dataclass
class Living:
    """An account's source, the database that it is copied to, and what happens to it."""

    account: str
    url: str
    world: World
    base_url: str
    clock: list[datetime]
    errors: list[BaseException] = field(default_factory=list)

    def happen(self, step: Step) -> None:
        """Let a step happen; an error is kept, as a thread would lose it."""
        try:
            self._happen(step.what, random.Random(f"{self.account} {step.draw}"))
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits for the thread
            self.errors.append(error)

    def _happen(self, what: str, rng: random.Random) -> None:
        world = self.world
        if what == "create":
            for _ in range(rng.randint(1, 8)):
                world.create(**rng.choice([{}, {"status": "completed"}]))
        elif what in {"change", "delete", "respeak"}:
            live = world.live_ids()
            for call_id in rng.sample(live, min(len(live), rng.randint(1, 3))):
                if what == "change":
                    world.update(call_id, summary=f"changed {rng.random()}", cost_usd=round(rng.random(), 4))
                elif what == "delete":
                    world.delete(call_id)
                else:
                    world.replace_transcript(call_id, [Segment("agent", f"again {rng.random()}", None, None)])
        elif what == "kill":
            self._sync(transactions=rng.randint(2, 40))
        elif what == "bounded":
            self._sync(max_requests=rng.randint(1, 30))
        elif what == "sync":
            self._sync()
        else:
            self._look_after(what)

    def _look_after(self, what: str) -> None:
        with _open(self.url) as database:
            if what == "roll up":
                rollups.refresh(database, rollups.kept(bundled("sql")))
            elif what == "replay":
                replay.replay(database, self.account, Policy(), None, SECRET, lambda: self.clock[0])
            elif what == "release":
                with database.transaction() as tx:
                    tx.execute(
                        "UPDATE replicator.source_state SET released_deletions = 5 WHERE account = %s", [self.account]
                    )

    def _sync(self, *, transactions: int | None = None, **more: int) -> None:
        options = Options(
            account=self.account, base_url=f"https://{self.account}.example", workers=1, limits=Limits(None, 60, 0.0),
            database_patience_seconds=60 if transactions is None else 0, pseudonyms=SECRET, **more,  # type: ignore[arg-type]
        )  # fmt: skip
        with Reader(self.base_url, KEY, timeout_seconds=10) as reader, _open(self.url) as database:
            database.transactions_left = transactions
            run = Run(database, [(KEY, reader)], options, clock=lambda: self.clock[0])
            with suppress(DatabaseUnavailable) if transactions is not None else ExitStack():
                run.perform()


@contextmanager
def _open(url: str) -> Iterator[MortalDatabase]:
    database = MortalDatabase(url)
    try:
        yield database
    finally:
        database.close()


def live(seed: int, start: datetime, steps: Sequence[Step], urls: Mapping[str, str]) -> None:
    """Live a history: each account of `urls` is copied into the database there, at the times that the steps say."""
    rng = random.Random(seed)
    shapes = {account: (rng.choice([0.0, 0.1]), rng.choice([3, 40, 120])) for account in ACCOUNTS}
    clock = [start]
    with ExitStack() as stack:
        lives = {}
        for number, account in enumerate(ACCOUNTS):
            if account not in urls:
                continue
            bad, calls = shapes[account]
            world = World(2 * seed + number, calls, now=start, days=5, switches=Switches(limit=None, bad_row_share=bad))
            base_url = stack.enter_context(running(Api(world, clock=lambda: clock[0])))
            lives[account] = Living(account, urls[account], world, base_url, clock)
        for step in steps:
            clock[0] += timedelta(minutes=step.minutes)
            for each in lives.values():
                each.world.advance(clock[0])
            threads = [
                threading.Thread(target=lives[account].happen, args=(step,))
                for account in step.accounts
                if account in lives
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for each in lives.values():
                if each.errors:
                    raise each.errors[0]
