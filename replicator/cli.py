"""The front door: commands, exit codes, and what is printed where.

Results go to standard output, progress and errors to standard error. Exit codes: 0 done, 1 an incomplete result or a
difference, 2 usage or configuration, 3 access refused by the source, 4 the database. Nothing imports this module.
"""

from __future__ import annotations

import logging
import sys
import traceback
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID  # noqa: TC003 - typer reads the annotations at run time

import typer

from replicator import __version__, assembly
from replicator import settings as environment
from replicator.errors import ReplicatorError, SourceError
from replicator.report import progress, terminal
from replicator.store import migrate as schema
from replicator.store import status as books
from replicator.sync.linking import link
from replicator.sync.run import Report, Run
from replicator.sync.schedule import Service, describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.settings import Settings
    from replicator.store.lease import Lease

app = typer.Typer(
    help="Replicates Truedy voice-agent calls into PostgreSQL, proves what is complete, and ships the views to analyse them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def main() -> None:
    """Run the command line. A defect of ours shows where it happened, not the data it happened with."""
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
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    # Other people's loggers may name URLs and headers.
    for name in ("httpx", "httpcore", "sqlalchemy", "alembic", "uvicorn"):
        logging.getLogger(name).setLevel(logging.ERROR)


@app.command()
def sync(
    max_seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after so many seconds.")] = None,
    max_requests: Annotated[int | None, typer.Option(min=1, help="Stop after so many requests.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    as_json: Json = False,
) -> None:
    """Bring the replica up to date once: the newest calls, what is due, history, transcripts and recordings."""
    with guarded(as_json=as_json) as settings, assembly.stopping() as stop:
        options = assembly.options(settings, "sync", max_seconds=max_seconds, max_requests=max_requests)
        with assembly.readers(settings) as readers, assembly.opened(settings) as database:
            with progress.shown(is_quiet=quiet) as show:
                report = Run(database, readers, options, stop=stop, on_progress=show).perform()
        typer.echo(terminal.as_json(_facts(report)) if as_json else describe(report))
        if report.result == "bounded":
            typer.echo(f"stopped at the bound; what is done is kept. Left: {_left(report)}", err=True)
        if report.result == "stopped":
            typer.echo("stopped by a signal; what is done is kept, and the next sync goes on from there", err=True)
            raise typer.Exit(1)


@app.command()
def serve() -> None:
    """Sync on a schedule until SIGTERM or Ctrl-C."""
    with guarded() as settings, assembly.stopping() as stop:
        logging.getLogger("replicator").setLevel(settings.replicator_log_level)
        options = assembly.options(settings, "serve", max_seconds=settings.replicator_sync_seconds)
        with assembly.readers(settings) as readers, assembly.opened(settings) as database:
            schema.check(database)

            def once(held: Lease) -> Report:
                return Run(database, readers, options, stop=stop).perform(held)

            logging.getLogger("replicator.serve").info(
                "serving account %s into %s, every %g s",
                options.account,
                database.place,
                settings.replicator_poll_seconds,
            )
            Service(database, once, poll_seconds=settings.replicator_poll_seconds, stop=stop).run()
            logging.getLogger("replicator.serve").info("stopped")


@app.command()
def status(as_json: Json = False) -> None:
    """Show freshness, coverage, backlog, budget, last runs, quarantine and what is unsure."""
    with guarded(as_json=as_json) as settings, assembly.opened(settings) as database:
        schema.check(database)
        found = books.read(database, settings.replicator_account)
        if as_json:
            typer.echo(terminal.as_json(dict(found.as_dict())))
        else:
            per_window = settings.truedy_requests_per_minute * (1 - settings.replicator_headroom)
            keys = max(1, len(found.budgets))
            terminal.show_status(found, keys * per_window * 60 / settings.truedy_window_seconds)


@app.command()
def recording(
    call_id: Annotated[UUID, typer.Argument(help="The call's id.")],
    as_json: Json = False,
) -> None:
    """Print a link to the recording of one call that works now; whoever has it can listen."""
    with guarded(as_json=as_json) as settings:
        limits = assembly.options(settings, "recording").limits
        with assembly.readers(settings) as readers, assembly.opened(settings) as database:
            schema.check(database)
            found = link(database, readers, limits, call_id)
        if as_json:
            typer.echo(terminal.as_json({"call_id": call_id, **asdict(found)}))
        else:
            typer.echo(found.recording_url)


@app.command()
def migrate(as_json: Json = False) -> None:
    """Bring the database's tables and views up to date."""
    with guarded(as_json=as_json) as settings, assembly.place(settings) as where:
        done = schema.migrate(where.url, time_zone=settings.replicator_reporting_time_zone)
        if as_json:
            typer.echo(terminal.as_json({"before": done.before, "after": done.after, "views": list(done.views)}))
        else:
            tables = f"schema {done.after}" + ("" if done.before == done.after else f" (was {done.before or 'none'})")
            typer.echo(f"{tables}; {len(done.views)} views applied anew")


@app.command()
def demo(
    calls: Annotated[int, typer.Option(min=1, max=1_000_000, help="Calls of the simulated account.")] = 5000,
    seed: Annotated[int, typer.Option(help="Another seed, other calls.")] = 1,
    stay: Annotated[
        bool | None,
        typer.Option("--stay/--no-stay", help="Keep the database up until Ctrl-C (default: in a terminal)."),
    ] = None,
) -> None:
    """Show everything on this machine: a database, a simulated source, a complete sync, the reports."""
    from replicator import demo as room  # noqa: PLC0415 - the simulator is loaded only where it is used

    with guarded() as settings:
        room.show(settings, calls=calls, seed=seed, stay=stay)


@app.command(context_settings={**PASS_ON, "help_option_names": []})
def simulator(context: typer.Context) -> None:
    """Run the simulated Truedy API on this machine (--help lists its options)."""
    from replicator.simulator.__main__ import main as simulate  # noqa: PLC0415 - see demo

    with guarded():
        raise typer.Exit(simulate(context.args))


@app.command(context_settings={**PASS_ON, "help_option_names": []})
def psql(
    context: typer.Context,
    of_demo: Annotated[bool, typer.Option("--demo", help="Open the demo's database.")] = False,
) -> None:
    """Open psql on the replica's database, which is started for it where it is the embedded one."""
    with guarded() as settings:
        if of_demo:
            from replicator import demo as room  # noqa: PLC0415 - see demo

            with assembly.own_place(room.its(settings)) as where:
                raise typer.Exit(assembly.psql(where, context.args))
        with assembly.place(settings) as where:
            raise typer.Exit(assembly.psql(where, context.args))


def _facts(report: Report) -> dict[str, Any]:
    return {
        "result": report.result,
        "seconds": round(report.seconds, 3),
        **report.counters.as_dict(),
        "details_due": report.details_due,
        "details_waiting": report.details_waiting,
        "is_listing_complete": report.is_listing_complete,
        "next_due_at": report.next_due_at,
    }


def _left(report: Report) -> str:
    listing = "" if report.is_listing_complete else "calls not listed yet, "
    return f"{listing}{terminal.plural(report.details_due, 'detail')} due, {report.details_waiting} queued for later"


__all__ = ["app", "main"]
