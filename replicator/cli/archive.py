"""The commands `replicator archive`: the compliance archive."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from replicator.cli.frame import guarded
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time
from replicator.errors import ConfigurationError

app = typer.Typer(help="Keep recordings, seal what was observed, and prove that it is unchanged.", no_args_is_help=True)


@app.command()
def run(
    max_seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after so many seconds.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Try once more what is refused or missing.")] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare all files of the store with the database now, not once a day.")
    ] = False,
    fetch_lost: Annotated[
        bool,
        typer.Option("--fetch-lost", help="Fetch files again that are gone from the store, however many they are."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Download the recordings that are due, and bring files and rows together after a crash."""
    from replicator import assembly
    from replicator.cli import recordings
    from replicator.report import terminal
    from replicator.store import archived
    from replicator.store.schema_check import check

    with guarded(as_json=as_json) as settings, assembly.stopping() as stop:
        if not settings.has_archive:
            raise ConfigurationError("the archive is off", advice="set REPLICATOR_ARCHIVE=on")
        with assembly.readers(settings) as readers, assembly.opened(settings) as database:
            check(database)
            requeued = 0
            if again:
                from datetime import UTC, datetime

                with database.transaction() as tx:
                    requeued = archived.try_again(tx, settings.replicator_account, datetime.now(UTC))
            with recordings.runner(
                settings, database, readers, stop, compares_now=compare, fetches_lost=fetch_lost
            ) as lane:
                report = lane.perform(max_seconds)
        report = replace(report, queued=report.queued + requeued)
        if as_json:
            typer.echo(terminal.as_json(recordings.facts(report)))
        else:
            recordings.say(report)
        if stop.is_set():
            raise typer.Exit(1)


__all__ = ["app"]
