"""Runs every command: reads its settings, sets up its log, and turns errors into messages and exit codes.

Our errors are explained on standard error, and determine the exit code. A defect shows where in the code it happened,
not the data that caused it. All text for the user goes through safe_text.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import platform
import sys
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer

from replicator import streams
from replicator.errors import ReplicatorError, SourceError
from replicator.safe_text import LogFormatter, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replicator.settings import Settings
    from replicator.store.database import Database

Usage: type[Any] = typer.BadParameter.__mro__[1]
"""The error for a wrong command line (click's UsageError, which typer contains)."""
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3
"""Constants of malloc.h."""


def run(app: Callable[..., Any]) -> None:
    """Run the command line and end the process. A defect shows where in the code it happened, not the data that caused
    it.
    """
    streams.prepare()
    code = 1
    try:
        code = app(standalone_mode=False, prog_name="replicator") or 0
        streams.finish()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BrokenPipeError:
        streams.give_up()  # the reader of the output wants no more
        code = 1
    except Usage as error:
        # The words of the command line may come from a stranger.
        from replicator.cli import usage

        parameter = getattr(error, "param", None)
        error.message = usage.plain(shown(error.message), getattr(parameter, "name", None))
        error.show()
        code = error.exit_code
    except ReplicatorError as error:
        streams.say(error.explain(), err=True)
        code = error.exit_code
    except typer.Abort:
        code = 1  # Ctrl-C while a command was still being loaded
    except Exception as error:  # noqa: BLE001 - the last door: what comes here is a defect
        typer.echo("".join(traceback.format_tb(error.__traceback__)), err=True, nl=False)
        streams.say(
            f"a defect of the replicator: {type(error).__name__}; please report it with the lines above", err=True
        )
    with suppress(ReplicatorError, BrokenPipeError):
        streams.finish()
    sys.exit(code)


@contextmanager
def guarded(*, as_json: bool = False) -> Iterator[Settings]:
    """Yield the settings, and print warnings about them; turn our errors into a message and an exit code."""
    from replicator.settings import load

    loaded()
    try:
        settings = load()
        for odd in settings.warnings():
            streams.say(f"warning: {shown(odd)}", err=True)
        if settings.replicator_log_level == "DEBUG":
            logging.getLogger("replicator").setLevel("DEBUG")
            logging.getLogger("replicator.settings").debug("%s", settings.described())
        yield settings
    except ReplicatorError as error:
        if as_json:
            from replicator.report import terminal

            facts: dict[str, Any] = {"error": type(error).__name__, "message": error.message, "advice": error.hint}
            if isinstance(error, SourceError):
                facts |= {"status": error.status, "code": error.code}
            typer.echo(terminal.as_json(facts))
        streams.say(error.explain(), err=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(1) from None


@contextmanager
def opened(*, as_json: bool = False) -> Iterator[tuple[Settings, Database]]:
    """Yield the settings and the database, after checking that its schema fits and that it has the account.

    Raises ConfigurationError where it has other accounts only: what is asked of no call at all looks like a good answer.
    """
    from replicator import assembly
    from replicator.store import accounts, schema_check

    with guarded(as_json=as_json) as settings, assembly.opened(settings) as database:
        schema_check.check(database)
        accounts.check_known(database, settings.replicator_account)
        yield settings, database


def loaded() -> None:
    """Let the garbage collector run, which the entry point stopped; it never looks at what is loaded by now."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def be_frugal() -> None:
    """Let glibc return memory that large answers used. By default it keeps one heap per thread, as large as it ever
    was: eight workers that each received one large answer kept eight times its size.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_ARENA_MAX, 1)
        libc.mallopt(M_MMAP_THRESHOLD, 256 * 1024)


def log_to_stderr() -> None:
    """Log warnings and errors of this program; other libraries' loggers are silent, because they may name URLs and
    headers.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    for name in ("httpx", "httpcore", "sqlalchemy", "alembic", "uvicorn"):
        logging.getLogger(name).setLevel(logging.ERROR)


__all__ = ["be_frugal", "guarded", "loaded", "log_to_stderr", "opened", "run"]
