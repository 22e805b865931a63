"""The commands `replicator reconcile` about what other parties charge: import a statement, list statements."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from replicator import streams
from replicator.cli.frame import opened
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time
from replicator.safe_text import shown

if TYPE_CHECKING:
    from replicator.reconcile.importing import Imported
    from replicator.store.statements import Stored

app = typer.Typer(help="Compare what the vendor and carriers charge with our calls.", no_args_is_help=True)

Period = Annotated[str, typer.Option("--period", metavar="MONTH", help="The month, such as 2026-10.")]


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The party's file: CSV or XLSX.")],
    period: Period,
    mapping: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE.toml", help="What each column means: a shipped mapping, or your file."),
    ] = None,
    statement: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The statement's name (default: the file's). One of the same name is replaced."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read a statement: an invoice's lines or an export of usage. Exit code 1 if lines cannot be read."""
    from replicator.reconcile import importing, mapping_file
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        done = importing.run(
            database, settings.replicator_account, file, mapping_file.load(mapping), period=period, by=settings.actor, name=statement
        )  # fmt: skip
        typer.echo(terminal.as_json(done.as_dict())) if as_json else streams.say(described(done))
        if done.statement.unreadable:
            raise typer.Exit(1)


@app.command("statements")
def show_statements(
    period: Annotated[str | None, typer.Option("--period", metavar="MONTH", help="Only of this month.")] = None,
    as_json: Json = False,
) -> None:
    """List the imported statements, oldest first."""
    from replicator.report import terminal
    from replicator.store import statements

    with opened(as_json=as_json) as (settings, database):
        with database.connection() as connection:
            found = statements.listed(connection, settings.replicator_account, period)
        if as_json:
            names = statements.Stored.__dataclass_fields__
            typer.echo(terminal.as_json([{name: getattr(one, name) for name in names} for one in found]))
        else:
            for one in found:
                streams.say(shown(_line(one)))
            if not found:
                streams.say("no statement was imported; see: replicator reconcile import --help")


def described(done: Imported) -> str:
    """Return what an import did, in a few lines."""
    lines = [_line(done.statement)]
    if not done.is_new:
        lines.insert(0, "this file was imported before with this mapping; nothing was done")
    lines += [f"it replaces {_line(old)}" for old in done.replaced]
    if not done.statement.lines:
        name, period = done.statement.name, done.statement.period
        lines.append(f"the statement {name!r} of {period} is withdrawn: none of its lines counts any more; match again")
    if done.statement.unreadable:
        lines.append("lines that cannot be read (the month cannot be closed until they are read):")
        lines += [f"  line {number}: {reason}" for number, reason in done.problems]
        if done.statement.unreadable > len(done.problems):
            lines.append(f"  and {done.statement.unreadable - len(done.problems):,} more")
        lines.append("correct the mapping and import the file again, or ask the party for a corrected file")
    if done.unread_sheets:
        names = ", ".join(done.unread_sheets)
        lines.append(
            f"sheets that were not read: {names}. If they have lines of the statement, name the sheet under [format] of a mapping, and "
            "import the file's sheets as files of their own"
        )
    if done.charged_credits:
        lines.append(
            f"{done.charged_credits:,} credits or discounts are positive, so they count as charges. If these are amounts that we get "
            'back: reversed = ["credit", "discount"] under [format] of the mapping, and import it again'
        )
    for code, amount in (done.statement.stated_total or {}).items():
        summed = done.statement.total.get(code, "0")
        if Decimal(amount) != Decimal(summed):
            lines.append(f"the file states a total of {amount} {code}, and its lines add up to {summed}")
    if done.beside:
        names = ", ".join(other.name for other in done.beside)
        lines.append(
            f"beside it, {done.statement.period} has of {done.statement.party}: {names}. Where this file corrects one of them, "
            "import it with --statement and that name"
        )
    return "\n".join(shown(line) for line in lines)


def _line(one: Stored) -> str:
    from replicator.reconcile.wording import usd

    total = ", ".join(f"{usd(Decimal(amount))} {code}" for code, amount in one.total.items()) or "nothing"
    unread = f", {one.unreadable:,} of them unreadable" if one.unreadable else ""
    gone = f" (replaced by statement {one.replaced_by})" if not one.is_in_force else "" if one.lines else " (withdrawn)"
    return (
        f"statement {one.id}: {one.party} {one.period} {one.name!r}, {one.lines:,} lines{unread}, total {total}{gone}"
    )


__all__ = ["Period", "app", "opened"]
