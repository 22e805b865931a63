"""Builds the objects that the commands need from the settings: a database, readers of the source, a run.

Modules that only some commands need (the source, a run, the report) are imported in the function that uses them: so
`status` starts in half the time.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from replicator.errors import ConfigurationError
from replicator.store import naming
from replicator.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import FrameType

    from replicator.budget.durable import Limits
    from replicator.settings import Settings
    from replicator.source.isolated_reader import CarefulReader
    from replicator.store.embedded import Server
    from replicator.store.migrate import Migrated
    from replicator.store.rows import Kind
    from replicator.sync.content.calls import Policy
    from replicator.sync.pseudonyms import Pseudonyms
    from replicator.sync.run import Options

ABSENCE_COLUMNS = (
    "call_id", "created_at", "last_seen_at", "first_missing_at", "state", "misses", "confirmed_at", "ended_at",
)  # fmt: skip

MOST_PAGE_SECONDS = 60.0
"""The time limit of a statement for the live page."""
LEAST_FRESH_SECONDS = 300.0
"""A service counts as fresh if its last look is at most this old, even if it is to look more often."""


@dataclass(frozen=True, slots=True)
class Place:
    """The address of the database: its URL, and the embedded server where it is one."""

    url: str
    server: Server | None = None


@contextmanager
def place(settings: Settings) -> Iterator[Place]:
    """Yield the database of DATABASE_URL or of libpq's own variables, or start the embedded one inside the block."""
    if settings.database_url is not None:
        yield Place(settings.database_url.get_secret_value())
    elif settings.has_libpq_variables:
        yield Place("postgresql://")
    else:
        with own_place(settings) as where:
            yield where


@contextmanager
def own_place(settings: Settings) -> Iterator[Place]:
    """Yield the embedded database, started inside the block. A command that has no other answer to SIGTERM or a closed
    terminal ends as by Ctrl-C, so that the server is stopped, too.
    """
    from replicator.store import embedded

    with interruptible(is_default=True), embedded.running(data_dir(settings)) as server:
        yield Place(server.url, server)


def data_dir(settings: Settings) -> Path:
    """Return the folder of the embedded database. A `~` is expanded here, because no shell expands it in a settings
    file.
    """
    from replicator.store import embedded

    chosen = settings.replicator_data_dir
    if chosen is None:
        return embedded.default_data_dir()
    try:
        return chosen.expanduser()
    except RuntimeError:
        raise ConfigurationError(
            "REPLICATOR_DATA_DIR begins with ~, and no such home folder is known", advice="write the path out"
        ) from None


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """Yield the open database. The embedded one is migrated automatically, because it has no administrator."""
    with place(settings) as where:
        if where.server is not None:
            migrated(settings, where)
        with connected(where.url, naming.parse(settings.replicator_schemas)) as database:
            yield database


def connection_url(settings: Settings) -> str:
    """Return what other tools connect to, without a password; where it is the embedded database, it must be running."""
    from replicator.store import connection_url

    if settings.database_url is not None:
        return connection_url.shareable(settings.database_url.get_secret_value())
    if settings.has_libpq_variables:
        return connection_url.shareable("postgresql://")
    from replicator.store import embedded

    with embedded.running(data_dir(settings)) as server:
        return connection_url.shareable(server.tcp_url, {})


def migrated(
    settings: Settings, where: Place, *, is_asked_for: bool = False, on_step: Callable[[str], None] = lambda _step: None
) -> Migrated:
    """Bring the database up to date. The report settings are written if `is_asked_for`, and into a new database.

    So a command that only reads changes no setting. `on_step` is told each step as it begins.
    """
    from replicator.store import migrate

    return migrate.migrate(
        where.url,
        time_zone=settings.replicator_reporting_time_zone,
        cost_give_up_days=settings.replicator_cost_give_up_days,
        is_asked_for=is_asked_for,
        role_prefix=settings.replicator_role_prefix,
        schemas=naming.parse(settings.replicator_schemas),
        on_step=on_step,
    )


@contextmanager
def connected(url: str, names: naming.Names = naming.THE_USUAL) -> Iterator[Database]:
    """Yield a database, which is closed at the end."""
    database = Database(url, names=names)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def readers(settings: Settings) -> Iterator[Sequence[tuple[str, CarefulReader]]]:
    """Yield (key, reader) for each key."""
    from replicator.source.isolated_reader import CarefulReader

    with ExitStack() as stack:
        yield [
            (
                key,
                stack.enter_context(
                    CarefulReader(
                        settings.truedy_base_url, key, timeout_seconds=settings.replicator_request_timeout_seconds
                    )
                ),
            )
            for key in settings.api_keys()
        ]


def pseudonyms(settings: Settings) -> Pseudonyms | None:
    """Return the maker of pseudonyms: with the key of the settings, or the one beside the embedded database, which
    exists by now.
    """
    from replicator.sync.pseudonyms import Pseudonyms

    key = settings.pseudonym_key()
    if key is None and settings.database_url is None and not settings.has_libpq_variables:
        key = own_key(settings)
    return None if key is None else Pseudonyms(key)


def own_key(settings: Settings) -> bytes:
    """Return the pseudonym key that is stored beside the embedded database."""
    from replicator.store import embedded

    return embedded.kept_secret(data_dir(settings), "pseudonym-key")


def options(
    settings: Settings, command: str, *, max_seconds: float | None = None, max_requests: int | None = None
) -> Options:
    """Return a run's options from the settings."""
    from replicator.archive.payment.payment_rules import PaymentData
    from replicator.sync.run import Options

    return Options(
        account=settings.replicator_account,
        base_url=settings.truedy_base_url,
        command=command,
        workers=settings.replicator_workers,
        poll_every=timedelta(seconds=settings.replicator_poll_seconds),
        renewal=settings.renewal,
        renewal_share=settings.replicator_renewal_share,
        details=details(settings),
        limits=limits(settings),
        payment_data=PaymentData(settings.replicator_archive_payment_data),
        confirm_after=timedelta(seconds=settings.replicator_confirm_seconds),
        database_patience_seconds=settings.replicator_database_patience_seconds,
        vendor_keeps=timedelta(days=settings.replicator_archive_vendor_keeps_days) if settings.is_archived else None,
        seals=settings.is_archived,
        max_seconds=max_seconds,
        max_requests=max_requests,
    )


def signing_key(settings: Settings) -> Path:
    """Return the file of the key that signs the archive's heads."""
    chosen = settings.replicator_archive_key_file
    return data_dir(settings) / "archive-signing-key" if chosen is None else chosen


def anchoring(settings: Settings, database: Database, stop: threading.Event) -> AbstractContextManager[None]:
    """Return a context manager inside which the archive's heads are written outside, where the settings say so."""
    to = settings.replicator_archive_anchor_to
    if to is None or not settings.is_archived:
        return nullcontext()
    from replicator.archive.heads import signing
    from replicator.service import anchoring

    schedule = anchoring.Schedule(to, settings.replicator_archive_anchor_seconds, settings.replicator_archive_tsa)
    signer = signing.load(signing_key(settings))
    return anchoring.anchored(database, settings.replicator_account, signer, schedule, stop)


def details(settings: Settings) -> Policy:
    """Return which transcripts and recordings are asked for, and for how long."""
    from replicator.sync.content.calls import Policy

    kinds = cast("tuple[Kind, ...]", settings.replicator_details)
    return Policy(kinds, timedelta(days=settings.replicator_give_up_days))


def limits(settings: Settings) -> Limits:
    """Return how many requests each key may send."""
    from replicator.budget.durable import Limits

    most = settings.truedy_requests_per_minute or None
    return Limits(most, settings.truedy_window_seconds, settings.replicator_headroom)


def absences(database: Database, account: str, limit: int, release: int | None) -> dict[str, Any]:
    """Return the calls missing at the source, and whether they are held; first release `release` of them, if given."""
    from replicator.store import absences, source_state
    from replicator.sync.deletions.rules import cap, is_held

    with database.transaction() as tx:
        if release is not None:
            absences.release(tx, account, release)
        suspected, kept = absences.suspected(tx, account), source_state.load_source(tx, account)
        live = kept.live_calls or 0
        return {
            "suspected": suspected,
            "is_held": is_held(suspected, live, kept.released_deletions),
            "cap": cap(live),
            "released": kept.released_deletions,
            "absences": [dict(zip(ABSENCE_COLUMNS, row, strict=True)) for row in absences.listed(tx, account, limit)],
        }


def waves(settings: Settings, database: Database) -> list[dict[str, Any]]:
    """Return the kinds of details of which far more are absent than usual, each with `kind` and `since`."""
    from datetime import UTC, datetime

    from replicator.sync.replica import waves_of

    with database.connection() as connection:
        found = waves_of(connection, settings.replicator_account, settings.replicator_details, datetime.now(UTC))
    return [{"kind": kind, "since": since} for kind, since in found.items()]


def live_page(settings: Settings, database: Database, stop: threading.Event) -> AbstractContextManager[str]:
    """Return a context manager that serves the live page and yields its URL."""
    from replicator.report import figures, page
    from replicator.service import web

    account, refresh = settings.replicator_account, settings.replicator_http_refresh_seconds
    host = settings.replicator_http_host

    def make(days: int) -> str:
        return page.render(
            figures.read(database, account, days, most_seconds=MOST_PAGE_SECONDS), refresh_seconds=refresh
        )

    site = web.Site(
        make,
        lambda: figures.pulse(database, account),
        lambda: figures.measures(database, account),
        account=account,
        names=web.names_of(host, settings.replicator_http_names),
        keep_seconds=refresh / 2,
        fresh_seconds=max(LEAST_FRESH_SECONDS, 3 * settings.replicator_poll_seconds),
    )
    return web.serving(site, host=host, port=settings.replicator_http_port or 0, stop=stop)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and Ctrl-C set; a second Ctrl-C interrupts at once."""
    stop = threading.Event()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interruptible(*, is_default: bool = False) -> Iterator[None]:
    """Let SIGTERM and a closed terminal interrupt like Ctrl-C: at once, and with clean-up. `is_default`: only where the
    program has not said otherwise yet.
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def is_ours(number: signal.Signals) -> bool:
        now = signal.getsignal(number)
        return now is signal.SIG_DFL if is_default else now is not signal.SIG_IGN

    is_main = threading.current_thread() is threading.main_thread()  # handlers can be set only there
    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if is_main and is_ours(number)]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def program() -> str:
    """Return the command with which this program can be called from the user's working directory."""
    called = Path(sys.argv[0])
    if called.name != "replicator":
        return f"{sys.executable} -m replicator"
    if shutil.which("replicator") == str(called.absolute()):
        return "replicator"
    return str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else str(called)


def psql(where: Place, arguments: Sequence[str]) -> int:
    """Run psql on the database; return its exit code. Its arguments hold nothing of DATABASE_URL."""
    from replicator.store.psql import run as run_psql
    from replicator.store.server.binaries import find_binaries

    server = where.server
    return run_psql(
        where.url,
        arguments,
        os.environ,
        packaged=find_binaries if server is None else lambda: server.bin_dir,
        is_own_server=server is not None,
    )


__all__ = [
    "Place",
    "absences",
    "anchoring",
    "connected",
    "connection_url",
    "data_dir",
    "details",
    "interruptible",
    "limits",
    "live_page",
    "migrated",
    "opened",
    "options",
    "own_key",
    "own_place",
    "place",
    "program",
    "pseudonyms",
    "psql",
    "readers",
    "signing_key",
    "stopping",
]
