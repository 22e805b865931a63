"""The archive's lane for recordings in the commands `archive run`, `sync` and `serve`."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replicator import streams

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from threading import Event

    from replicator.archive.recordings.objects import StoreFailed
    from replicator.archive.recordings.renewing import Readers
    from replicator.archive.recordings.running import Report, Runner
    from replicator.settings import Settings
    from replicator.store.database import Database

Again = Annotated[bool, typer.Option("--again", help="Try refused and missing recordings once more.")]
Compare = Annotated[
    bool, typer.Option("--compare", help="Compare all files of the store with the database now (otherwise once a day).")
]
FetchLost = Annotated[
    bool, typer.Option("--fetch-lost", help="Download files again that are gone from the store, however many they are.")
]


@contextmanager
def runner(
    settings: Settings,
    database: Database,
    readers: Readers,
    stop: Event,
    *,
    most_requests: int | None = None,
    compares_now: bool = False,
    fetches_lost: bool = False,
) -> Iterator[Runner]:
    """Yield what downloads the account's recordings into the store that the settings name.

    Without readers no link is renewed. `most_requests` is how many links may be asked for.
    """
    from replicator import assembly
    from replicator.archive.recordings import stores
    from replicator.archive.recordings.renewing import Renewer
    from replicator.archive.recordings.running import Runner
    from replicator.sync.clock import steady_clock

    clock = steady_clock()
    renewer = None
    if readers:
        renewer = Renewer(
            database, readers, assembly.limits(settings), settings.replicator_account,
            base_url=settings.truedy_base_url, clock=clock, stop=stop, most=most_requests,
        )  # fmt: skip
    plan = _plan(settings, compares_now=compares_now, fetches_lost=fetches_lost)
    data_dir = assembly.data_dir(settings)
    with stores.opened(
        settings.replicator_archive_store, data_dir, lock_days=settings.replicator_archive_lock_days
    ) as store:
        yield Runner(database, store, renewer, plan, stop=stop, clock=clock)


def _plan(settings: Settings, *, compares_now: bool, fetches_lost: bool) -> Any:
    from replicator.archive.recordings.addresses import parse_allowed
    from replicator.archive.recordings.connection import Times
    from replicator.archive.recordings.fetch import Limits
    from replicator.archive.recordings.running import Plan

    return Plan(
        account=settings.replicator_account,
        vendor_keeps=timedelta(days=settings.replicator_archive_vendor_keeps_days),
        downloads=settings.replicator_archive_downloads,
        bytes_per_second=settings.replicator_archive_bytes_per_second or None,
        limits=Limits(
            parse_allowed(settings.replicator_archive_allow_hosts),
            Times(total=settings.replicator_archive_download_seconds),
            settings.replicator_archive_most_bytes,
        ),
        compare_every_seconds=0.0 if compares_now or fetches_lost else Plan().compare_every_seconds,
        is_loss_accepted=fetches_lost,
    )


def after_sync(
    settings: Settings,
    database: Database,
    readers: Readers,
    stop: Event,
    *,
    seconds: float | None,
    requests: int | None,
) -> tuple[Report | None, StoreFailed | None]:
    """Download what is due after a sync, within what is left of its bounds. Return what was done (None where the archive
    is off or no time is left), and the error of a store that takes no more: the sync itself succeeded.
    """
    from replicator.archive.recordings.objects import StoreFailed

    if not settings.is_archived or stop.is_set() or (seconds is not None and seconds <= 0):
        return None, None
    try:
        with runner(settings, database, readers, stop, most_requests=requests) as lane:
            return lane.perform(seconds), None
    except StoreFailed as error:
        return None, error


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `archive run` is asked to do. `until` is when it must end (monotonic seconds)."""

    until: float | None = None
    is_again: bool = False
    compares_now: bool = False
    fetches_lost: bool = False


def run(settings: Settings, database: Database, wanted: Wanted, *, is_told: bool) -> dict[str, Any]:
    """Do the lane's part of `archive run`; return its facts, and say them where `is_told`.

    Without an API key no link is renewed, and what has a link that is still good is downloaded.
    """
    from replicator import assembly
    from replicator.store import archived

    with ExitStack() as stack:
        stop = stack.enter_context(assembly.stopping())
        readers = stack.enter_context(assembly.readers(settings)) if settings.has_api_key else ()
        requeued = 0
        if wanted.is_again:
            with database.transaction() as tx:
                requeued = archived.try_again(tx, settings.replicator_account, datetime.now(UTC))
        lane = stack.enter_context(
            runner(
                settings, database, readers, stop,
                compares_now=wanted.compares_now, fetches_lost=wanted.fetches_lost,
            )
        )  # fmt: skip
        report = lane.perform(None if wanted.until is None else max(0.0, wanted.until - time.monotonic()))
        report.queued += requeued
        if is_told:
            say(report)
        if stop.is_set():
            raise typer.Exit(1)
        return facts(report)


def beside_syncs(settings: Settings, database: Database, readers: Readers, stop: Event) -> AbstractContextManager[None]:
    """Return a context manager that downloads in a thread of its own while the body runs."""
    from replicator.service.recording_lane import beside

    def once(seconds: float) -> Report:
        with runner(settings, database, readers, stop) as lane:
            return lane.perform(seconds)

    return beside(once, stop, every_seconds=settings.replicator_poll_seconds, lines=lines)


def say(report: Report, *, err: bool = False) -> None:
    """Write what a run of the lane did, and what the operator should know, in a few lines."""
    from replicator.report.recording_lines import describe, warnings

    streams.say(describe(report), err=err)
    for line in warnings(report):
        streams.say(line, err=True)


def lines(report: Report) -> Iterator[str]:
    """Yield what the log of `serve` says about a run: nothing, where it did nothing."""
    from replicator.report.recording_lines import describe, warnings

    if report.stored or report.reasons or report.lost:
        yield describe(report)
    yield from warnings(report)


def standing(settings: Settings, database: Database) -> dict[str, Any]:
    """Return how many of the account's recordings are stored, wait or are given up, and why, as JSON shows it."""
    from replicator.archive.recordings.queue_rules import WARN_BEFORE
    from replicator.store import archived

    now = datetime.now(UTC)
    with database.connection() as connection:
        counts = archived.counts(connection, settings.replicator_account, now, WARN_BEFORE)
        reasons = archived.reasons(connection, settings.replicator_account)
    return asdict(counts) | {
        "reasons": [dict(zip(("state", "reason", "recordings"), row, strict=True)) for row in reasons]
    }


def standing_lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the same for a terminal."""
    from replicator.report.recording_lines import WORDS, deadlines, size
    from replicator.store.archived import Counts

    counts = Counts(**{name: value for name, value in found.items() if name != "reasons"})
    yield (
        f"recordings     {counts.stored:,} stored ({size(counts.bytes)}), {counts.pending:,} waiting, {counts.missing:,} missing, "
        f"{counts.refused:,} refused"
    )
    for row in found["reasons"]:
        yield f"               {row['recordings']:,} {row['state']}: {WORDS.get(row['reason'], row['reason'])}"
    yield from deadlines(counts)


def facts(report: Report) -> dict[str, Any]:
    """Return a run of the lane as JSON shows it."""
    return asdict(report)


__all__ = [
    "Again",
    "Compare",
    "FetchLost",
    "Wanted",
    "after_sync",
    "beside_syncs",
    "facts",
    "lines",
    "run",
    "runner",
    "say",
    "standing",
    "standing_lines",
]
