"""The front door: exit codes, and what is printed where.

Results go to standard output, progress and errors to standard error. Exit codes: 0 done, 1 an incomplete result or a
difference, 2 usage or configuration, 3 access refused by the source, 4 the database.
"""

from __future__ import annotations

import logging
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replicator import __version__, assembly
from replicator import settings as environment
from replicator.errors import ReplicatorError, SourceError
from replicator.report import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.settings import Settings

app = typer.Typer(
    help="Replicates Truedy voice-agent calls into PostgreSQL, proves what is complete, and ships the views to analyse them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]


def main() -> None:
    """Run the command line. A defect of ours shows where it happened, not the data it happened with."""
    assembly.open_standard_streams()
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the last door: what comes here is a defect
        typer.echo("".join(traceback.format_tb(error.__traceback__)), err=True, nl=False)
        typer.echo(
            f"a defect of the replicator: {type(error).__name__}; please report it with the lines above", err=True
        )
        sys.exit(1)


@contextmanager
def guarded(*, as_json: bool = False) -> Iterator[Settings]:
    """Give the settings; turn our errors into a message and an exit code."""
    try:
        yield environment.load()
    except ReplicatorError as error:
        if as_json:
            facts: dict[str, Any] = {"error": type(error).__name__, "message": error.message, "advice": error.hint}
            if isinstance(error, SourceError):
                facts |= {"status": error.status, "code": error.code}
            typer.echo(terminal.as_json(facts))
        typer.echo(error.explain(), err=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(1) from None


def _version(value: bool) -> None:
    if value:
        typer.echo(f"replicator {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    assembly.be_frugal()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    # Other people's loggers may name URLs and headers.
    for name in ("httpx", "httpcore", "sqlalchemy", "alembic", "uvicorn"):
        logging.getLogger(name).setLevel(logging.ERROR)
