"""The commands for the replica: the options of each, what it calls, and what it prints.

A command imports what it uses only when it is run, so that `--help`, shell completion and each command start quickly.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated
from uuid import UUID  # noqa: TC003 - typer reads the annotations at run time

import typer

from replicator import streams
from replicator.cli.frame import guarded, opened
from replicator.cli.front import Json, app
from replicator.report import DEFAULT_DAYS
from replicator.safe_text import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from replicator.store.lease import Lease
    from replicator.sync.run import Report

MOST_DAYS = 3660


@app.command()
def serve() -> None:
    """Sync on a schedule until SIGTERM or Ctrl-C."""
    from contextlib import ExitStack

    from replicator import assembly, guarding
    from replicator.cli import recordings
    from replicator.report import progress
    from replicator.service.rollup_refresh import refreshed
    from replicator.service.schedule import Service
    from replicator.sync.run import Run

    with guarded() as settings, assembly.stopping() as stop:
        logging.getLogger("replicator").setLevel(settings.replicator_log_level)
        options = assembly.options(settings, "serve", max_seconds=settings.replicator_sync_seconds)
        with assembly.readers(settings) as readers, assembly.opened(settings) as database:
            options = replace(options, pseudonyms=assembly.pseudonyms(settings), guard=guarding.guard(settings))

            def once(held: Lease, pulse: Callable[[], None]) -> Report:
                log = logging.getLogger("replicator.serve")
                return Run(
                    database, readers, options, stop=stop, pulse=pulse, on_progress=progress.logged(log)
                ).perform(held)

            logging.getLogger("replicator.serve").info(
                "serving account %s into %s, every %g s",
                options.account,
                database.place,
                settings.replicator_poll_seconds,
            )
            with ExitStack() as stack:
                if settings.replicator_http_port is not None:
                    url = stack.enter_context(assembly.live_page(settings, database, stop))
                    logging.getLogger("replicator.serve").info("the report is at %s", url)
                stack.enter_context(refreshed(database, stop))
                if settings.is_archived:
                    stack.enter_context(recordings.beside_syncs(settings, database, readers, stop))
                stack.enter_context(assembly.anchoring(settings, database, stop))
                Service(
                    database,
                    once,
                    account=options.account,
                    poll_seconds=settings.replicator_poll_seconds,
                    hang_seconds=settings.replicator_hang_seconds,
                    stop=stop,
                ).run()
            logging.getLogger("replicator.serve").info("stopped")


@app.command()
def status(as_json: Json = False) -> None:
    """Show freshness, coverage, backlog, budget, last runs, quarantine and what is not proven."""
    from replicator import assembly
    from replicator.report import terminal
    from replicator.store.status import read

    with opened(as_json=as_json) as (settings, database):
        found = read(database, settings.replicator_account)
        found = replace(found, waves=assembly.waves(settings, database))
        url = assembly.connection_url(settings)
        if as_json:
            typer.echo(terminal.as_json({**found.as_dict(), "connection_url": url}))
        else:
            per_window = settings.truedy_requests_per_minute * (1 - settings.replicator_headroom)
            keys = max(1, len(found.budgets))
            password = None if settings.names_a_database else str(assembly.data_dir(settings) / "password")
            terminal.show_status(found, keys * per_window * 60 / settings.truedy_window_seconds, url, password)
            from replicator.report import sparks

            sparks.show(terminal.console(), found.recent)


@app.command()
def report(
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write to this file, or to standard output with - (default: truedy-report-DATE.html here).",
            metavar="FILE",
        ),
    ] = None,
    days: Annotated[
        int,
        typer.Option(min=1, max=MOST_DAYS, help="Length of the period in days; today is the last day.", metavar="N"),
    ] = DEFAULT_DAYS,
    open_: Annotated[bool, typer.Option("--open", help="Open the file in the browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON, and write no file.")] = False,
) -> None:
    """Write the report as one HTML file: volume, funnel, durations, cost, and how reliable these numbers are."""
    import webbrowser

    from replicator import atomic_file
    from replicator.report import figures, page, terminal

    is_printed = output is not None and str(output) == "-"
    if open_ and (is_printed or as_json):
        raise typer.BadParameter("--open takes a file: it goes neither with --output - nor with --json")
    if as_json and output is not None and not is_printed:
        raise typer.BadParameter("--json writes no file: leave out --output, and send standard output to the file")
    with opened(as_json=as_json) as (settings, database):
        found = figures.read(database, settings.replicator_account, days)
        if as_json:
            typer.echo(terminal.as_json(asdict(found)))
            return
        text = page.render(found)
        if is_printed:
            streams.write_bytes(text.encode("utf-8", "backslashreplace"))
            return
        path = output or page.default_name(found.period.today)
        atomic_file.write(path, text)
        typer.echo(visible(str(path)))
        if open_ and not webbrowser.open(path.absolute().as_uri()):
            streams.say("no browser was found; open the file by hand", err=True)


@app.command()
def deletions(
    release: Annotated[
        int | None,
        typer.Option(min=1, help="Let at most N held deletions be confirmed.", metavar="N"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most N calls, newest first.", metavar="N")] = 50,
    as_json: Json = False,
) -> None:
    """Show calls that are missing at the source, suspected and confirmed, or release held ones."""
    from replicator import assembly
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        found = assembly.absences(database, settings.replicator_account, limit, release)
        if as_json:
            typer.echo(terminal.as_json(found))
        else:
            terminal.show_absences(found)


@app.command()
def verify(
    max_requests: Annotated[int, typer.Option(min=1, help="Send at most N requests.", metavar="N")] = 40,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Choose the same random pages again (default: other pages each time).", metavar="N"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the replica with the source: totals, ranks and random pages, field by field. Ends with 1 on a difference."""
    import secrets

    from replicator import assembly
    from replicator.report import progress, terminal
    from replicator.report.verification import show_verification
    from replicator.store import accounts, schema_check
    from replicator.verify.run import Verification

    with guarded(as_json=as_json) as settings, assembly.stopping() as stop:
        with (
            assembly.readers(settings) as readers,
            assembly.opened(settings) as database,
            progress.counted("requests") as show,
        ):
            schema_check.check(database)
            accounts.check_known(database, settings.replicator_account)
            found = Verification(
                database,
                readers,
                account=settings.replicator_account,
                base_url=settings.truedy_base_url,
                limits=assembly.limits(settings),
                max_requests=max_requests,
                seed=secrets.randbelow(2**31) if seed is None else seed,
                stop=stop,
                on_wait=lambda seconds: streams.say(f"waiting {seconds:.0f} s for the request budget", err=True),
                on_request=show,
            ).perform()
        if as_json:
            typer.echo(terminal.as_json(found.facts))
        else:
            show_verification(found)
        if not found.is_equal:
            raise typer.Exit(1)


@app.command()
def recording(
    call_id: Annotated[UUID, typer.Argument(help="The call's id.")],
    reason: Annotated[
        str | None,
        typer.Option(help="Why; sealed where the archive is on (default: REPLICATOR_REASON).", metavar="TEXT"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print a link to the recording of one call that works now. Everybody who has the link can listen."""
    from replicator import assembly, guarding
    from replicator.report import terminal
    from replicator.store.schema_check import check
    from replicator.sync.recording_link import link

    with guarded(as_json=as_json) as settings:
        limits = assembly.limits(settings)
        with assembly.readers(settings) as readers, assembly.opened(settings) as database:
            check(database)
            account, base_url = settings.replicator_account, settings.truedy_base_url
            guarding.refuse_erased(database, call_id)
            guarding.seal_read(settings, database, "recording", reason, call_id=call_id)
            found = link(database, readers, limits, account, call_id, base_url=base_url)
        if as_json:
            typer.echo(terminal.as_json({"call_id": call_id, **asdict(found)}))
        else:
            typer.echo(visible(found.recording_url))


@app.command()
def migrate(as_json: Json = False) -> None:
    """Bring the database's tables and views up to date."""
    from replicator import assembly
    from replicator.report import progress, terminal

    with guarded(as_json=as_json) as settings, assembly.place(settings) as where:
        with progress.steps() as begin:
            done = assembly.migrated(settings, where, is_asked_for=True, on_step=begin)
        if as_json:
            typer.echo(
                terminal.as_json(
                    {
                        "before": done.before,
                        "after": done.after,
                        "views": list(done.views),
                        "jit_turned_off": done.is_jit_turned_off,
                    }
                )
            )
        else:
            tables = f"schema {done.after}" + ("" if done.before == done.after else f" (was {done.before or 'none'})")
            streams.say(f"{tables}; {len(done.views)} views applied anew")
            if done.is_jit_turned_off:
                streams.say(
                    "JIT is off for new sessions of this database now: compiling a report takes longer than running it"
                )


@app.command()
def roles(
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the SQL that is to be run, and change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the database roles (owner, writer, reader, auditor, archivist) and give them their rights."""
    from replicator import assembly
    from replicator.report import terminal
    from replicator.store import naming
    from replicator.store.migrate import make_roles

    with guarded(as_json=as_json) as settings, assembly.place(settings) as where:
        prefix = settings.replicator_role_prefix
        names = naming.parse(settings.replicator_schemas)
        statements = make_roles(where.url, prefix, only_show=only_print, schemas=names)
        if as_json:
            typer.echo(terminal.as_json({"prefix": prefix, "is_done": not only_print, "statements": statements}))
        elif only_print:
            typer.echo("".join(f"{statement};\n" for statement in statements), nl=False)
        else:
            streams.say(f"roles {prefix}_*: {terminal.plural(len(statements), 'statement')} executed")
