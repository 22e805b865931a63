"""What a run begins with: its row in our books, and where the runs before it left off. One transaction under the lease."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from replicator import __version__
from replicator.store import absences, accounts, lease, quarantine, runs, source_state, stages, stored_calls
from replicator.sync.commit import load_ledger, save_policy
from replicator.sync.content.stages import Stages
from replicator.sync.engine.position import start
from replicator.sync.replay import note_proven

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from replicator.sync.engine.position import Position
    from replicator.sync.options import Options


log = logging.getLogger("replicator.sync")

MOST_DEATHS = 3
"""Runs in a row that may die before the next one suspects an answer of it."""
APART_FOR = timedelta(days=7)
"""How long answers are read in a process apart, from the last death on: longer than what failed waits to be asked again."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """A run that is open in the books, and what it starts from."""

    run_id: int
    was_killed: bool
    """The process of the run before died, perhaps with requests on their way."""
    remembered: Sequence[UUID]
    """Some stored calls: one of them must be known to the source."""
    position: Position
    is_apart: bool
    """Answers are read in a process apart, one at a time."""
    stages: Stages
    """What statuses mean, as of now."""


def begin(
    tx: psycopg.Connection[Any], held: lease.Lease, options: Options, keys: Sequence[str], now: datetime
) -> Recovered:
    """Open a run and read what it needs. Doing it twice, because nobody knows whether the commit took, is harmless.

    `keys` are the ids of the keys that it may use. Raises AnotherAccount where one of them is another account's.
    """
    account = options.account
    lease.hold(tx, held)
    accounts.claim_keys(tx, account, options.base_url, keys, options.limits.window_seconds, now)
    was_killed = runs.has_lost_run(tx, account)
    deaths, apart_until = runs.deaths_in_a_row(tx, account), source_state.reads_apart_until(tx, account)
    run_id = runs.begin_run(tx, account, options.command, __version__, held.holder, held.epoch)
    save_policy(tx, account, options, keys=len(keys))
    ledger = load_ledger(tx, account)
    known = source_state.load_source(tx, account)
    remembered = stored_calls.some_calls(tx, account)
    note_proven(tx, account, ledger, now)
    position = start(
        options,
        ledger,
        now,
        live=stored_calls.count_live(tx, account) if known.live_calls is None else known.live_calls,
        oldest_known=stored_calls.oldest_live(tx, account),
        has_quarantine=quarantine.is_any_open(tx, account),
        has_absences=absences.has_open(tx, account),
        difference=known.difference,
        sliced_at=known.sliced_at,
    )
    if deaths >= MOST_DEATHS:
        apart_until = now + APART_FOR
        source_state.read_apart(tx, account, apart_until)
        log.warning("%d runs in a row died: for a week, answers are read one at a time in a process apart", deaths)
    is_apart = apart_until is not None and now < apart_until
    return Recovered(run_id, was_killed, remembered, position, is_apart, Stages.of_rows(stages.load(tx)))
