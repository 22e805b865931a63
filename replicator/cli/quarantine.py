"""The commands `replicator quarantine`: list, show, save and read again what could not be read.

Earlier releases had one command with options (`quarantine --replay`), which still works: words that do not begin with a
sub-command go to the hidden command OLD, which prints the new form on standard error.
"""

from __future__ import annotations

import shlex
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from replicator import streams
from replicator.cli.frame import opened
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time
from replicator.errors import ConfigurationError
from replicator.safe_text import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replicator.settings import Settings
    from replicator.store.database import Database

OLD = "by-options"
LISTED = 100
"""How many rows `list` shows unless told otherwise."""

RowId = Annotated[int, typer.Argument(metavar="ID", help="The row's number in the list.")]
All = Annotated[bool, typer.Option("--all", help="List resolved rows too.")]
Limit = Annotated[int, typer.Option(min=1, help="List at most N rows.", metavar="N")]
Raw = Annotated[bool, typer.Option("--raw", help="Show its bytes too, escaped: they may be personal data.")]


class Group(TyperGroup):
    """Sends the options of earlier releases to the command OLD."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put OLD before words that do not begin with a sub-command, except while a shell asks for completions."""
        is_old = not args or args[0].isdigit() or (args[0].startswith("-") and args[0] != "--help")
        return super().parse_args(ctx, [OLD, *args] if is_old and not ctx.resilient_parsing else args)


app = typer.Typer(help="Rows of the source that could not be read: list, show, save, or read them again.", cls=Group)


@app.command("list")
def show_list(with_resolved: All = False, limit: Limit = LISTED, as_json: Json = False) -> None:
    """List the rows, newest first."""
    with opened(as_json=as_json) as (settings, database):
        _list(settings, database, with_resolved=with_resolved, limit=limit, as_json=as_json)


@app.command("show")
def show_row(number: RowId, raw: Raw = False, as_json: Json = False) -> None:
    """Show one row's facts."""
    with opened(as_json=as_json) as (settings, database):
        _show(settings, database, number, raw=raw, output=None, as_json=as_json)


@app.command()
def save(
    number: RowId,
    output: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    as_json: Json = False,
) -> None:
    """Write the exact bytes of one row into a new file that only its owner can read, and show the row's facts."""
    with opened(as_json=as_json) as (settings, database):
        _show(settings, database, number, raw=False, output=output, as_json=as_json)


@app.command()
def replay(
    number: Annotated[int | None, typer.Argument(metavar="[ID]", help="One row (default: all open rows).")] = None,
    as_json: Json = False,
) -> None:
    """Read the kept bytes again: those of all open rows, or of one row. Exit code 1 if rows stay."""
    with opened(as_json=as_json) as (settings, database):
        _replay(settings, database, number, as_json=as_json)


@app.command(OLD, hidden=True)
def by_options(
    number: Annotated[int | None, typer.Argument(metavar="ID")] = None,
    show: Annotated[bool, typer.Option("--show")] = False,
    raw: Raw = False,
    output: Annotated[Path | None, typer.Option(metavar="FILE")] = None,
    replay: Annotated[bool, typer.Option("--replay")] = False,
    with_resolved: All = False,
    limit: Limit = LISTED,
    as_json: Json = False,
) -> None:
    """Do what these options said in earlier releases."""
    if replay and (show or raw or output):
        raise typer.BadParameter("--replay goes without --show, --raw and --output")
    if number is None and (show or raw or output):
        raise typer.BadParameter("no row is named: give the ID that `replicator quarantine list` shows")
    commands = _modern(number, raw=raw, output=output, replay=replay, with_resolved=with_resolved, limit=limit)
    new = " and ".join(f"replicator quarantine {shlex.join(words)}" for words in commands)
    streams.say(f"`quarantine` has sub-commands now; the new form is: {shown(new)}", err=True)
    with opened(as_json=as_json) as (settings, database):
        if replay:
            _replay(settings, database, number, as_json=as_json)
        elif number is not None:
            _show(settings, database, number, raw=raw, output=output, as_json=as_json)
        else:
            _list(settings, database, with_resolved=with_resolved, limit=limit, as_json=as_json)


def _modern(
    number: int | None, *, raw: bool, output: Path | None, replay: bool, with_resolved: bool, limit: int
) -> list[list[str]]:
    """Return the commands that do the same as the old options."""
    row = [] if number is None else [str(number)]
    if replay:
        return [["replay", *row]]
    if number is None:
        return [["list", *(["--all"] if with_resolved else []), *([] if limit == LISTED else ["--limit", str(limit)])]]
    saved = [] if output is None else [["save", *row, str(output)]]
    return [*saved, *([["show", *row, *(["--raw"] if raw else [])]] if raw or not saved else [])]


def _list(settings: Settings, database: Database, *, with_resolved: bool, limit: int, as_json: bool) -> None:
    from replicator.report import quarantine_view, terminal
    from replicator.store import quarantine

    account = settings.replicator_account
    with database.connection() as connection:
        rows = quarantine.listed(connection, account, with_resolved=with_resolved, limit=limit)
        total = quarantine.count(connection, account, with_resolved=with_resolved)
    typer.echo(terminal.as_json(rows)) if as_json else quarantine_view.show_list(rows, total)


def _show(
    settings: Settings, database: Database, number: int, *, raw: bool, output: Path | None, as_json: bool
) -> None:
    """Show a row's facts, with its bytes if `raw`; write the bytes to `output`, if given."""
    from replicator.report import quarantine_view
    from replicator.store import quarantine

    facts = _facts(settings, database, number)
    with database.connection() as connection:
        content = quarantine.load(connection, settings.replicator_account, [number])[0].raw if raw or output else b""
    if output is not None:
        quarantine_view.write(output, content)
    quarantine_view.show_row(facts, content if raw else None, as_json=as_json)


def _replay(settings: Settings, database: Database, number: int | None, *, as_json: bool) -> None:
    from replicator import assembly, guarding
    from replicator.archive.governance.suppressing import Suppressing
    from replicator.archive.payment.payment_rules import PaymentData
    from replicator.report import quarantine_view, terminal
    from replicator.sync import replay

    if number is not None:
        _facts(settings, database, number)
    account, details = settings.replicator_account, assembly.details(settings)
    pseudonyms, suppressing = assembly.pseudonyms(settings), Suppressing(account, guarding.suppression_keys(settings))
    done = replay.replay(
        database,
        account,
        details,
        number,
        pseudonyms,
        seals=settings.is_archived,
        suppressing=suppressing,
        payment_data=PaymentData(settings.replicator_archive_payment_data),
    )
    typer.echo(terminal.as_json(done.as_dict() | {"left": done.left})) if as_json else streams.say(
        quarantine_view.describe(done)
    )
    if done.left:
        raise typer.Exit(1)


def _facts(settings: Settings, database: Database, number: int) -> Mapping[str, Any]:
    """Return the facts of one row. Raises ConfigurationError where there is no row with this number."""
    from replicator.store import quarantine

    with database.connection() as connection:
        facts = quarantine.facts(connection, settings.replicator_account, number)
    if facts is None:
        raise ConfigurationError(
            f"there is no row {number} in quarantine", advice="list them: replicator quarantine list --all"
        )
    return facts


__all__ = ["app"]
