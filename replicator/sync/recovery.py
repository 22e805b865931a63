"""Opens a run: writes its row and reads the state that earlier runs left. One transaction under the lease."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from replicator import __version__
from replicator.store import (
    absences,
    accounts,
    detail_habits,
    lease,
    quarantine,
    runs,
    source_state,
    stages,
    stored_calls,
    stored_coverage,
    stored_details,
    stretches,
)
from replicator.sync.commit import load_ledger, save_policy
from replicator.sync.content.habit import KEPT
from replicator.sync.content.stages import Stages
from replicator.sync.coverage.ledger import BEGINNING, END, Interval
from replicator.sync.engine.answers import LEFT_FOR
from replicator.sync.engine.credit import Credit, Rest
from replicator.sync.engine.position import start
from replicator.sync.engine.state import Left
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
"""After this many runs in a row have died, the next run assumes that an answer of the source kills them."""
APART_FOR = timedelta(days=7)
"""How long after the last death answers are read in a separate process: longer than failed requests are put off."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """A run whose row is written, and the state from which it starts."""

    run_id: int
    was_killed: bool
    """The process of the previous run died, perhaps while requests were under way."""
    remembered: Sequence[UUID]
    """Ids of some stored calls: the source must know at least one of them."""
    position: Position
    is_apart: bool
    """Answers are read in a separate process, one at a time."""
    stages: Stages
    """What statuses mean, as stored at present."""


def _rest(known: source_state.SourceRow, options: Options) -> Rest | None:
    if known.run_begun_at is None or known.run_seen_at is None:
        return None
    return Rest(known.run_begun_at, known.run_seen_at + options.poll_every)


def _left(failing: Sequence[stored_coverage.Stretch], options: Options, now: datetime) -> dict[datetime, Left]:
    """Return the stretches that failed in earlier runs. The short runs of a service leave them alone for a while; who
    starts a `sync` wants them to be tried. No look counts as later than now, whatever an earlier clock said.
    """
    rest = timedelta(0) if options.command == "sync" else LEFT_FOR
    holes = [
        (Interval(since or BEGINNING, until or END), first, min(last, now)) for since, until, first, last in failing
    ]
    return {hole.until: Left(hole, last, last + rest, first) for hole, first, last in holes}


def _stretch(bounds: tuple[datetime | None, datetime | None]) -> Interval:
    since, until = bounds
    return Interval(since or BEGINNING, until or END)


def begin(
    tx: psycopg.Connection[Any], held: lease.Lease, options: Options, keys: Sequence[str], now: datetime
) -> Recovered:
    """Open a run and read what it needs. It can safely be done again if it is not known whether the commit succeeded.

    `keys` are the ids of the keys that the run may use. Raises AnotherAccount where a key belongs to another account.
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
    detail_habits.forget(tx, account, now - KEPT)
    asked = None
    if options.asked is not None:
        asked = _stretch(stretches.of_days(tx, options.asked.since, options.asked.until))
        if options.asked.with_details:
            stored_details.ask_again(tx, account, options.details.kinds, asked.since, asked.until, now)
    position = start(
        options,
        ledger,
        now,
        live=stored_calls.count_live(tx, account) if known.live_calls is None else known.live_calls,
        oldest_known=stored_calls.oldest_live(tx, account),
        has_quarantine=quarantine.is_any_open(tx, account),
        has_absences=absences.has_open(tx, account),
        left=_left(stored_coverage.load_failing(tx, account), options, now),
        difference=known.difference,
        sliced_at=known.sliced_at,
        credit=Credit(requests=known.renewal_credit, at=known.renewal_credit_at),
        rest=_rest(known, options),
        asked=asked,
        capped_at=known.capped_at,
    )
    if deaths >= MOST_DEATHS:
        apart_until = now + APART_FOR
        source_state.read_apart(tx, account, apart_until)
        log.warning("%d runs in a row died: for a week, answers are read one at a time in a separate process", deaths)
    is_apart = apart_until is not None and now < apart_until
    return Recovered(run_id, was_killed, remembered, position, is_apart, Stages.of_rows(stages.load(tx)))
