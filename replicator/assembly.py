"""Puts the rooms together as the settings say: a database, readers of the source, a run. Used by the commands only.

What only some commands need (the source, a run, the report) is imported in the function that uses it: `status` starts in half
the time so.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from replicator.errors import ConfigurationError
from replicator.store import embedded, migrate, naming
from replicator.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import FrameType

    from replicator.budget.durable import Limits
    from replicator.settings import Settings
    from replicator.source.isolated_reader import CarefulReader
    from replicator.store.rows import Kind
    from replicator.sync.content.calls import Policy
    from replicator.sync.pseudonyms import Pseudonyms
    from replicator.sync.run import Options

ABSENCE_COLUMNS = (
    "call_id", "created_at", "last_seen_at", "first_missing_at", "state", "misses", "confirmed_at", "ended_at",
)  # fmt: skip

MOST_PAGE_SECONDS = 60.0
"""A statement of the live page is given up after so long."""
LEAST_FRESH_SECONDS = 300.0
"""A service whose last look is at most so old is healthy, however often it is to look."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the database is: its URL, and the server of our own where it is one."""

    url: str
    server: embedded.Server | None = None


@contextmanager
def place(settings: Settings) -> Iterator[Place]:
    """Give the database of DATABASE_URL, or of libpq's own variables, or start the embedded one for the while."""
    if settings.database_url is not None:
        yield Place(settings.database_url.get_secret_value())
    elif settings.has_libpq_variables:
        yield Place("postgresql://")
    else:
        with own_place(settings) as where:
            yield where


@contextmanager
def own_place(settings: Settings) -> Iterator[Place]:
    """Give the embedded database, started for the while."""
    with embedded.running(data_dir(settings)) as server:
        yield Place(server.url, server)


def data_dir(settings: Settings) -> Path:
    """Return the folder of the embedded database. Files of settings know no shell, so a `~` is read here."""
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
    """Give the database, open. The embedded one is migrated without asking: nobody else looks after it."""
    with place(settings) as where:
        if where.server is not None:
            migrated(settings, where)
        with connected(where.url, naming.parse(settings.replicator_schemas)) as database:
            yield database


def migrated(settings: Settings, where: Place, *, is_asked_for: bool = False) -> migrate.Migrated:
    """Bring the database up to date. What the settings say of the reports is written where that `is_asked_for`, and into a
    new database: a command that reads changes no setting.
    """
    return migrate.migrate(
        where.url,
        time_zone=settings.replicator_reporting_time_zone,
        is_time_zone_for_new=not is_asked_for,
        role_prefix=settings.replicator_role_prefix,
        schemas=naming.parse(settings.replicator_schemas),
    )


@contextmanager
def connected(url: str, names: naming.Names = naming.THE_USUAL) -> Iterator[Database]:
    """Give a database, closed at the end."""
    database = Database(url, names=names)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def readers(settings: Settings) -> Iterator[Sequence[tuple[str, CarefulReader]]]:
    """Give one reader for each key, with its key."""
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
    """Return what names parties: the key of the settings, or the one beside the embedded database, which is there by now."""
    from replicator.sync.pseudonyms import Pseudonyms

    key = settings.pseudonym_key()
    if key is None and settings.database_url is None and not settings.has_libpq_variables:
        key = own_key(settings)
    return None if key is None else Pseudonyms(key)


def own_key(settings: Settings) -> bytes:
    """Return the key for pseudonyms that lies beside the embedded database."""
    return embedded.kept_secret(data_dir(settings), "pseudonym-key")


def options(
    settings: Settings, command: str, *, max_seconds: float | None = None, max_requests: int | None = None
) -> Options:
    """Return what the settings say about a run."""
    from replicator.sync.run import Options

    return Options(
        account=settings.replicator_account,
        base_url=settings.truedy_base_url,
        command=command,
        workers=settings.replicator_workers,
        poll_every=timedelta(seconds=settings.replicator_poll_seconds),
        renewal=settings.renewal,
        details=details(settings),
        limits=limits(settings),
        confirm_after=timedelta(seconds=settings.replicator_confirm_seconds),
        database_patience_seconds=settings.replicator_database_patience_seconds,
        max_seconds=max_seconds,
        max_requests=max_requests,
    )


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
    """Return what is missing at the source, and whether it is held; first release that many, where a number is given."""
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


def live_page(settings: Settings, database: Database, stop: threading.Event) -> AbstractContextManager[str]:
    """Return what serves the live page of the database, and gives its URL."""
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
        names=web.names_of(host, settings.replicator_http_names),
        keep_seconds=refresh / 2,
        fresh_seconds=max(LEAST_FRESH_SECONDS, 3 * settings.replicator_poll_seconds),
    )
    return web.serving(site, host=host, port=settings.replicator_http_port or 0, stop=stop)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and Ctrl-C set; a second Ctrl-C does not wait any longer."""
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
def interruptible() -> Iterator[None]:
    """Let SIGTERM and a closed terminal interrupt as Ctrl-C does: at once, with what is half done cleaned up."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def program() -> str:
    """Return how this program can be called from where the user is."""
    called = Path(sys.argv[0])
    if called.name != "replicator":
        return f"{sys.executable} -m replicator"
    if shutil.which("replicator") == str(called.absolute()):
        return "replicator"
    return str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else str(called)


def psql(where: Place, arguments: Sequence[str]) -> int:
    """Run psql on the database; return its exit code. Nothing of DATABASE_URL stands in its arguments."""
    from replicator.store.psql import run as run_psql

    server = where.server
    return run_psql(
        where.url,
        arguments,
        os.environ,
        packaged=embedded.find_binaries if server is None else lambda: server.bin_dir,
        is_own_server=server is not None,
    )


__all__ = [
    "Place",
    "absences",
    "connected",
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
    "stopping",
]
