"""Known bugs, to be planted one at a time: the suite must go red for each (tests/test_planted.py runs them).

As a pytest plugin (`-p tests.fix_planted_bugs` with PLANT=name) it plants the bug before any test is imported.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from replicator.archive.verification import verification
from replicator.budget import run_bound
from replicator.errors import LeaseHeld, NotFound, SourceError, SourceUnavailable
from replicator.source import client, jsontext, parsing, transcripts
from replicator.store import lease, stored_coverage
from replicator.sync import commit, run, workers
from replicator.sync.content import calls, habit, missing, stages
from replicator.sync.coverage import advance, list_end
from replicator.sync.coverage.ledger import END, EVERYTHING, TICK, Interval, Piece, difference
from replicator.sync.coverage.walk import Advance, CheckingEnd
from replicator.sync.deletions import probes, rules
from replicator.sync.engine import answers, planner, position

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from replicator.sync.coverage.page import Seen
    from replicator.sync.coverage.walk import Walk
    from replicator.sync.protocol.requests import Outcome, Request


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug, how it is planted, and the tests that must catch it."""

    name: str
    plant: Callable[[], None]
    tests: tuple[str, ...]


def naive(begun: Walk, seen: Seen, **_: object) -> Advance:
    """Page as everybody does: the next page begins behind this one, and what lies between is believed to be read."""
    known = [at for at in seen.created if at is not None]
    hole = begun.hole
    if not known:
        rest = (Piece(hole.since, hole.until, seen.asked_at),) if hole.until < END else ()
        return Advance(rest, None)
    until = hole.until if hole.until < END else known[0] + TICK
    piece = Piece(known[-1], max(until, known[-1] + TICK), seen.asked_at)
    left = replace(begun, offset=seen.behind, hole=Interval(hole.since, known[-1]))
    return Advance((piece,), left)


def naive_pager() -> None:
    answers.advance = naive  # type: ignore[assignment]


def checkpoint_before_rows() -> None:
    """What a batch proves is committed first, and its rows a moment later."""
    whole = commit.Committer.commit

    def early(self: commit.Committer, tx: psycopg.Connection[Any], where: Any, batch: Any) -> Any:
        removed, added = difference(where.stored, where.state.ledger)
        with self.key_budgets[0]._database.transaction() as first:
            rows = (map(commit._row, removed), map(commit._row, added))
            stored_coverage.save_coverage(first, self.account, *rows)
        time.sleep(0.1)
        return whole(self, tx, replace(where, stored=where.state.ledger), batch)

    commit.Committer.commit = early  # type: ignore[method-assign]


def total_only_completeness() -> None:
    """Where as many rows were passed as `total` says, the list's end is believed without a look behind it."""

    def believed(begun: Walk, seen: Seen, pieces: tuple[Piece, ...]) -> Advance:
        end = list_end.at_the_end(replace(begun, mode=CheckingEnd(seen)), seen, None)
        whole = Piece(begun.hole.since, begun.hole.until, seen.asked_at)
        return Advance((*pieces, *end.pieces, *((whole,) if begun.hole.until < END else ())), None)

    advance.check_the_end = believed


def any_known_id_anchor() -> None:
    """A page joins the one before by any row that both know, also inside a group of equal times."""
    prove = advance.prove

    def closed(*arguments: Any, **options: Any) -> Interval | None:
        proven = prove(*arguments, **options)
        if proven is None or proven.since.year == 1:
            return proven
        return replace(proven, since=proven.since - TICK)

    advance.prove = closed


def delete_on_first_absence() -> None:
    """One 404 by id is enough, without a control."""
    completed = probes.Prober.completed

    def hasty(self: probes.Prober, probe: probes.Probe, outcome: Any) -> list[rules.Absence]:
        if probe.absence is None or not isinstance(outcome.error, NotFound):
            return completed(self, probe, outcome)
        at = outcome.sent_at
        return [replace(probe.absence, misses=2, missed_at=at, due_at=None, state="deleted", confirmed_at=at)]

    probes.Prober.completed = hasty  # type: ignore[method-assign]


def delete_from_a_resumed_walk() -> None:
    """At the end of the list all that this process has not seen is taken for gone, also what was read before a restart."""
    seen: list[Any] = []

    def careless(page: Any, _pieces: Any, asked: Any, asked_at: Any) -> list[rules.Claim]:
        if page.offset == 0:
            seen.clear()  # a run begins here, in whichever process
        seen.extend(call.id for call in page.calls)
        return [rules.Claim(EVERYTHING, tuple(seen), asked_at)] if not page.rows and asked.ending else []

    position.claims = careless


def unconditional_overwrite() -> None:
    """Whatever comes in last is stored, also when it is older."""
    compare = calls.compare

    def careless(*arguments: Any) -> calls.Change:
        change = compare(*arguments)
        return calls.Change.CHANGED if change is calls.Change.LATE else change

    calls.compare = careless


def retry_not_counted() -> None:
    """A request whose connection broke is sent again at once, without a charge."""
    perform = workers.WorkerPool._perform

    def eager(self: workers.WorkerPool, request: Request) -> Outcome:
        outcome = perform(self, request)
        return perform(self, request) if isinstance(outcome.error, SourceUnavailable) else outcome

    workers.WorkerPool._perform = eager  # type: ignore[method-assign]


def float_money() -> None:
    """Numbers pass through binary floating point."""
    number = jsontext._number
    jsontext._DECODER = msgspec.json.Decoder(float_hook=lambda digits: number(repr(float(digits))))


def no_epoch() -> None:
    """A leader proves nothing when it writes."""

    def trusting(tx: psycopg.Connection[Any], held: lease.Lease) -> None:
        tx.execute("UPDATE replicator.lease SET expires_at = clock_timestamp() + interval '30 s'")

    lease.hold = commit.hold = trusting


def advisory_lock_leader() -> None:
    """The leader is who has a session's advisory lock."""

    def locked(database: Any, account: str, command: str) -> lease.Lease:
        with database.connection() as connection:
            if not connection.execute("SELECT pg_try_advisory_lock(42)").fetchone()[0]:
                raise LeaseHeld("another session has the lock", advice="wait")
        return lease.Lease(account, 1, command)

    lease.acquire = locked


def one_lease_for_all_accounts() -> None:
    """Whoever writes for one account keeps all others waiting."""
    acquire = lease.acquire
    lease.acquire = lambda database, _account, command: acquire(database, "all", command)


def log_that_prints_the_key() -> None:
    """An error says with which key it came about."""
    send = client.Reader._send

    def telling(self: client.Reader, *arguments: Any, **options: Any) -> Any:
        try:
            return send(self, *arguments, **options)
        except SourceError as error:
            error.message += f" ({self._headers['Authorization']})"
            error.args = (error.message,)
            raise

    client.Reader._send = telling  # type: ignore[method-assign]


def row_falls_with_its_field() -> None:
    """One field that cannot be stored costs the whole call."""
    parsing.salvage = lambda _: None  # type: ignore[attr-defined]


def stamps_are_believed() -> None:
    """The source's `updated_at` orders contents, whatever it says."""
    calls.is_in_the_future = lambda *_: False  # type: ignore[assignment]


def statuses_by_the_letter() -> None:
    """A status means something only in the very spelling of its row."""
    stages.Stages.of = lambda self, status: self.by_word.get(status)  # type: ignore[method-assign,assignment,arg-type]


def placeholder_is_a_transcript() -> None:
    """Segments without a word are what was said."""
    transcripts._says_something = lambda _: True  # type: ignore[assignment]


def bound_by_the_sources_word() -> None:
    """How much a run may ask for is what the list says that it holds."""
    run_bound.Bound.calls = property(lambda self: self.claimed or 0)  # type: ignore[assignment,method-assign]


def wave_is_believed() -> None:
    """Whatever else is absent, an absence is believed."""
    habit.Habit.is_wave = lambda *_: False  # type: ignore[method-assign]


def absence_is_believed_at_once() -> None:
    """One 404, or one empty transcript, past the deadline is a fact."""
    missing.BELIEVED_LOOKS, missing.BELIEVED_AFTER = 1, timedelta(0)


def credit_without_rest() -> None:
    """Whatever was compared before this moment may be re-read."""
    planner.stale_before = lambda now, *_: now  # type: ignore[assignment]


def complete_whatever_is_missing() -> None:
    """Nothing is ever missing."""
    run.gaps = lambda *_: ()  # type: ignore[assignment]


def chain_without_anchor() -> None:
    """Verify the chain by itself, and let the heads that lie outside be."""
    real = verification.check
    verification.check = lambda account, blocks, records, _heads=(), seen=None: real(account, blocks, records, (), seen)


def commitments_unchecked() -> None:
    """Believe that a record's content is what its commitment says."""
    verification._check_record = lambda *_: iter(())


BUGS = (
    Bug("naive pager", naive_pager, ("tests/sync/engine/test_list_histories.py::test_some_histories_lose_nothing",)),
    Bug(
        "checkpoint before rows",
        checkpoint_before_rows,
        ("tests/sync/test_kills.py::test_hundreds_of_kills_lose_nothing[0]",),
    ),
    Bug(
        "total-only completeness",
        total_only_completeness,
        tuple(
            f"tests/sync/engine/test_list_histories.py::test_many_histories_lose_nothing[{part}]"
            for part in (2, 0, 1, 3)
        ),
    ),
    Bug(
        "any-known-id anchor",
        any_known_id_anchor,
        (
            "tests/sync/engine/test_list_histories.py::test_a_tie_group_about_as_large_as_a_page_loses_nothing",
            "tests/sync/coverage/test_ledger.py",
        ),
    ),
    Bug(
        "delete on first absence",
        delete_on_first_absence,
        ("tests/sync/deletions/test_deletions.py::test_a_single_absence_is_not_believed",),
    ),
    Bug(
        "delete from a resumed walk",
        delete_from_a_resumed_walk,
        ("tests/sync/deletions/test_deletions.py::test_a_resumed_walk_says_nothing_of_what_it_did_not_walk",),
    ),
    Bug("unconditional overwrite", unconditional_overwrite, ("tests/store/test_order.py",)),
    Bug(
        "retry not counted against the budget",
        retry_not_counted,
        ("tests/sync/test_cuts.py::test_a_cut_source_loses_nothing[answer dropped]",),
    ),
    Bug(
        "a row falls with its field",
        row_falls_with_its_field,
        ("tests/sync/test_hostile_rows.py::test_a_field_that_cannot_be_stored_is_set_aside_alone[NaN in cost]",),
    ),
    Bug(
        "stamps are believed",
        stamps_are_believed,
        ("tests/sync/content/test_stamps.py::test_a_stamp_of_the_future_freezes_nothing",),
    ),
    Bug(
        "statuses by the letter",
        statuses_by_the_letter,
        ("tests/sync/content/test_stages.py::test_views_and_engine_agree",),
    ),
    Bug(
        "a placeholder is a transcript",
        placeholder_is_a_transcript,
        ("tests/source/test_transcripts.py::test_segments_without_a_word_are_no_transcript",),
    ),
    Bug(
        "bound by the source's word",
        bound_by_the_sources_word,
        ("tests/budget/test_run_bound.py::test_the_bound_is_raised_by_new_calls_only",),
    ),
    Bug("float money", float_money, ("tests/store/test_order.py::test_cost_keeps_every_digit",)),
    Bug(
        "leader without an epoch",
        no_epoch,
        ("tests/store/test_pooler.py::test_a_lost_lease_is_found_in_every_transaction",),
    ),
    Bug(
        "advisory-lock leader through a pooler",
        advisory_lock_leader,
        ("tests/store/test_pooler.py::test_a_lease_behind_a_pooler_is_had_by_one",),
    ),
    Bug(
        "one lease for all accounts",
        one_lease_for_all_accounts,
        ("tests/store/test_accounts_apart.py::test_each_account_has_a_lease_of_its_own",),
    ),
    Bug(
        "a wave of absences is believed",
        wave_is_believed,
        ("tests/sync/test_absent_details.py::test_a_wave_of_absences_makes_nothing_final",),
    ),
    Bug(
        "an absence is believed at the first look",
        absence_is_believed_at_once,
        ("tests/sync/test_absent_details.py::test_an_outage_during_the_first_sync_loses_nothing",),
    ),
    Bug(
        "what was just compared is read again on credit",
        credit_without_rest,
        ("tests/sync/test_comparing.py::test_a_second_sync_at_once_asks_for_two_pages_at_most",),
    ),
    Bug(
        "complete whatever is missing",
        complete_whatever_is_missing,
        ("tests/budget/test_run_bound.py::test_a_stretch_that_always_fails_is_left_and_said",),
    ),
    Bug(
        "log that prints the key",
        log_that_prints_the_key,
        ("tests/source/test_client.py::test_the_key_is_in_no_message_repr_or_log",),
    ),
    Bug(
        "chain without anchor",
        chain_without_anchor,
        (
            "tests/archive/verification/test_verification.py::test_what_was_computed_anew_is_found_by_a_head_outside[cut_tail]",
        ),
    ),
    Bug(
        "contents that nobody compares with their commitments",
        commitments_unchecked,
        (
            "tests/archive/verification/test_verification.py::test_what_does_not_fit_is_found_without_a_head[flip_record]",
        ),
    ),
)

NOT_YET = {
    "view without barrier": "no view hides rows by role yet",
    "erase without suppression": "there is no erasure yet",
}
"""Faults of rooms that are not built: each moves into BUGS with its room."""


def plant(name: str) -> None:
    """Plant the bug of this name."""
    next(bug for bug in BUGS if bug.name == name).plant()


def pytest_configure() -> None:
    """Plant what PLANT names, if anything."""
    if os.environ.get("PLANT"):
        plant(os.environ["PLANT"])
