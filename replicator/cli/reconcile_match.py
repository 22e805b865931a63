"""The commands `replicator reconcile` that compare: match, show, assign, accept, close."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

from replicator import streams
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time
from replicator.cli.reconcile import Period, app, opened
from replicator.safe_text import shown_lines

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.")]
Party = Annotated[
    str | None, typer.Option("--party", metavar="NAME", help="Only this party: vendor, or a carrier (default: all).")
]


@app.command()
def match(period: Period, party: Party = None, as_json: Json = False) -> None:
    """Match the month's statements with the calls, and give each line and each call a class. It can be repeated."""
    from replicator.errors import ConfigurationError
    from replicator.reconcile import month_matching, wording
    from replicator.report import terminal
    from replicator.store import matchings

    with opened(as_json=as_json) as (settings, database):
        account = settings.replicator_account
        with database.connection() as connection:
            there = matchings.parties(connection, account, period)
        wanted = there if party is None else [party]
        if not wanted:
            raise ConfigurationError(
                f"there is no statement for {period}",
                advice=f"import one: replicator reconcile import FILE --period {period}",
            )
        done = [month_matching.perform(database, account, one, period, settings.actor) for one in wanted]
        if as_json:
            typer.echo(terminal.as_json([one.as_dict() for one in done]))
        for one in () if as_json else done:
            streams.say(shown_lines(wording.matched(one)))


@app.command()
def show(
    period: Period,
    tolerance: Annotated[
        float, typer.Option(min=0, max=100, metavar="PERCENT", help="Share of the statement's total that may be open.")
    ] = 0.1,
    most: Annotated[int, typer.Option("--items", min=0, metavar="N", help="List at most N open items.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the bridge from our sum to the statement's total, the open items, and the close. Exit code 1 above the tolerance."""
    from replicator.reconcile import showing, wording
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        share = Decimal(str(tolerance)) / 100
        found = showing.read(database, settings.replicator_account, period, most)
        typer.echo(terminal.as_json(found.as_dict(share))) if as_json else streams.say(
            shown_lines(wording.month(found, share))
        )
        if not found.is_within(share):
            raise typer.Exit(1)


@app.command()
def assign(
    line: Annotated[str, typer.Argument(metavar="LINE", help="STATEMENT:NUMBER, as `show` lists it.")],
    call: Annotated[str, typer.Argument(metavar="CALL", help="The call's id, or none if it is not one of our calls.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Decide which call a line bills; the next `match` uses it. The newest decision counts."""
    from replicator.reconcile import deciding
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        kept = deciding.assign(database, settings.replicator_account, line, call, reason, settings.actor)
        words = f"kept: line {line} bills {kept['call_id'] or 'none of our calls'}; now run: replicator reconcile match --period {kept['period']}"
        typer.echo(terminal.as_json(kept)) if as_json else streams.say(shown_lines(words))


@app.command()
def accept(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="A line as STATEMENT:NUMBER, or a call's id.")],
    reason: Reason,
    period: Annotated[
        str | None, typer.Option("--period", metavar="MONTH", help="The month, if the item is in several.")
    ] = None,
    party: Party = None,
    as_json: Json = False,
) -> None:
    """Accept a difference, as long as its class and its amount stay the same."""
    from replicator.reconcile import deciding
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        kept = deciding.accept(
            database, settings.replicator_account, item, reason, settings.actor, period=period, party=party
        )
        words = f"kept: {item} ({kept['class']}, {kept['delta_usd']}) is accepted"
        typer.echo(terminal.as_json(kept)) if as_json else streams.say(shown_lines(words))


@app.command()
def close(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="Such as 2026-10.")],
    anyway: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Close it in spite of objections; the reason is kept."),
    ] = None,
    reopen: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Close a closed month again; the old close stays."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Freeze the amounts of a month's calls under a hash. A later change is a correction of the month in which it is seen."""
    from replicator import guarding
    from replicator.reconcile import closing, wording
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        done = closing.perform(
            database,
            settings.replicator_account,
            month,
            settings.actor,
            anyway=anyway,
            reopen=reopen,
            seal=guarding.sealing_close(settings),
        )
        typer.echo(terminal.as_json(done.as_dict())) if as_json else streams.say(shown_lines(wording.closed(done)))


__all__ = ["accept", "app", "assign", "close", "match", "show"]
