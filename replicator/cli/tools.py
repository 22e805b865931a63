"""The other commands: doctor, export, demo, simulator and psql. Each imports what it uses only when it is run."""

from __future__ import annotations

import sys
from datetime import datetime  # noqa: TC003 - typer reads the annotations
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from replicator import streams
from replicator.cli.frame import guarded, loaded
from replicator.cli.front import Json, app
from replicator.safe_text import shown

if TYPE_CHECKING:
    from replicator.export.question import Asked
    from replicator.settings import Settings
    from replicator.store.catalogue import Choice
    from replicator.store.database import Database

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command()
def doctor(
    no_source: Annotated[bool, typer.Option("--no-source", help="Send no request to the source.")] = False,
    as_json: Json = False,
) -> None:
    """Examine settings, files, machine, database and source, and say what is wrong and what to do."""
    from replicator.doctor import examination, findings
    from replicator.report import terminal

    loaded()
    examined = examination.examine(with_source=not no_source)
    if as_json:
        typer.echo(terminal.as_json(examined.as_dict()))
    else:
        for line in findings.lines(examined.found):
            streams.say(shown(line))
    raise typer.Exit(examined.exit_code)


Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="csv, spreadsheet, xlsx or parquet (default: by the file's ending; csv for -).",
    ),
]


@app.command()
def export(
    view: Annotated[
        str, typer.Argument(metavar="VIEW", help="A view of schema analytics, with the schema or without.")
    ],
    output: Annotated[str, typer.Option(help="A new file, or - for standard output.", metavar="FILE")],
    chosen: Format = None,
    columns: Annotated[str | None, typer.Option(help="Only these, in this order: a,b", metavar="A,B")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="The first day, included.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="The last day, included.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Only the rows of this account.", metavar="NAME")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
    progress: Annotated[
        bool | None, typer.Option("--progress/--no-progress", help="Show progress (default: in a terminal).")
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(help="Why; sealed if the archive is on (default: REPLICATOR_REASON).", metavar="TEXT"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a view into a file: CSV, CSV that is safe in spreadsheets, an Excel workbook, or Parquet. The file appears when it is complete."""
    from replicator import assembly
    from replicator.export import question, running
    from replicator.report import exporting, terminal
    from replicator.store import accounts, schema_check

    if as_json and output == question.STDOUT:
        raise typer.BadParameter("--json goes with a file: standard output holds the rows")
    with guarded(as_json=as_json) as settings, assembly.interruptible():
        target = running.Target(output, question.format_of(output, chosen), overwrite)
        asked = question.Asked(
            view, question.read_columns(columns), since and since.date(), until and until.date(), account
        )
        running.check(target, is_terminal=sys.stdout.isatty())
        try:
            with assembly.opened(settings) as database, exporting.shown(is_wanted=progress) as show:
                if account is not None:
                    schema_check.check(database)
                    accounts.check_known(database, account)
                seen = partial(_note_personal_data, settings, database, reason, asked)
                done = running.export(database, asked, target, on_choice=seen, on_progress=show)
        except KeyboardInterrupt:
            streams.say("stopped by a signal; nothing was kept" if target.is_file else "stopped by a signal", err=True)
            raise
        if as_json:
            typer.echo(terminal.as_json(done.as_dict()))
        elif done.file is not None:
            streams.say(
                exporting.describe(done.view, done.file, done.rows, done.bytes, done.sha256 or "", done.snapshot_at)
            )
            if done.numbers_as_text:
                streams.say(
                    f"{terminal.plural(done.numbers_as_text, 'number')} with more than 15 digits, or without a value, "
                    "are written as text: Excel would round them",
                    err=True,
                )


@app.command()
def demo(
    calls: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Calls of the simulated account.", metavar="N")
    ] = 5000,
    seed: Annotated[int, typer.Option(help="Another seed makes other calls.", metavar="N")] = 1,
    stay: Annotated[
        bool | None,
        typer.Option("--stay/--no-stay", help="Keep the database up until Ctrl-C (default: in a terminal)."),
    ] = None,
) -> None:
    """Show everything on this machine: a database, a simulated source, a complete sync, the reports, the archive."""
    from replicator.demo import show

    with guarded() as settings:
        show(settings, calls=calls, seed=seed, stay=stay)


@app.command(context_settings={**PASS_ON, "help_option_names": []})
def simulator(context: typer.Context) -> None:
    """Run the simulated Truedy API on this machine (--help lists its options)."""
    from replicator.simulator.__main__ import main as simulate

    with guarded():
        raise typer.Exit(simulate(context.args))


@app.command(context_settings={**PASS_ON, "help_option_names": []})
def psql(
    context: typer.Context,
    of_demo: Annotated[bool, typer.Option("--demo", help="Open the demo's database.")] = False,
) -> None:
    """Open psql on the replica's database. The embedded database is started if necessary."""
    from replicator import assembly

    with guarded() as settings:
        if of_demo:
            from replicator.demo import its

            with assembly.own_place(its(settings)) as where:
                raise typer.Exit(assembly.psql(where, context.args))
        with assembly.place(settings) as where:
            raise typer.Exit(assembly.psql(where, context.args))


def _note_personal_data(
    settings: Settings, database: Database, reason: str | None, asked: Asked, choice: Choice
) -> None:
    """Warn of personal data, and seal its export where the archive is on."""
    from replicator import guarding
    from replicator.export import question

    if not question.is_personal(choice):
        return
    name = choice.view.full_name
    streams.say(f"{shown(name)} holds personal data: protect the export accordingly", err=True)
    about = {
        "view": name, "columns": [column.name for column in choice.columns], "only": asked.account,
        "since": f"{asked.since:%F}" if asked.since else None, "until": f"{asked.until:%F}" if asked.until else None,
    }  # fmt: skip
    guarding.seal_read(settings, database, "export", reason, about=about)
