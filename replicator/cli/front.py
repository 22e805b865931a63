"""The entry point of the command line, and its general options.

Results go to standard output, progress and errors to standard error. Exit codes: 0 done, 1 an incomplete result or a
difference, 2 usage or configuration, 3 access refused by the source, 4 the database.
"""

from __future__ import annotations

from typing import Annotated

import typer

from replicator import __version__
from replicator.cli import frame

app = typer.Typer(
    help="Copies Truedy voice-agent calls into PostgreSQL, proves what is complete, and has the views to analyse them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]


def main() -> None:
    """Run the command line."""
    frame.run(app)


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
    frame.be_frugal()
    frame.log_to_stderr()
