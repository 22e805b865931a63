"""The commands `replicator reconcile rates` and `replicator reconcile budget`: what calls should cost, and what a month may."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from replicator import streams
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time
from replicator.cli.reconcile import app, opened
from replicator.safe_text import shown

if TYPE_CHECKING:
    from decimal import Decimal

rates = typer.Typer(help="What calls should cost: the rate card, its check, and suggested rates.", no_args_is_help=True)
budget = typer.Typer(help="What a month may cost: for the account, an agent or a campaign.", no_args_is_help=True)
app.add_typer(rates, name="rates")
app.add_typer(budget, name="budget")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The rule's name.")]
Month = Annotated[str, typer.Argument(metavar="MONTH", help="The month, such as 2026-10.")]
Agent = Annotated[UUID | None, typer.Option(metavar="ID", help="Only this agent's calls.")]
Campaign = Annotated[str | None, typer.Option(metavar="ID", help="Only this campaign's calls.")]
MOST_SECONDS = 86400


@rates.command("set")
def set_rate(
    name: Name,
    price: Annotated[str, typer.Option(metavar="USD", help="Price per minute, such as 0.073.")],
    increment: Annotated[
        int, typer.Option(min=1, max=MOST_SECONDS, metavar="SECONDS", help="Seconds are rounded up to multiples of it.")
    ],
    since: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], metavar="DAY", help="The first day.")],
    minimum: Annotated[
        int, typer.Option(min=0, max=MOST_SECONDS, metavar="SECONDS", help="Seconds that are charged at least.")
    ] = 0,
    until: Annotated[
        datetime | None,
        typer.Option(
            "--until", formats=["%Y-%m-%d"], metavar="DAY", help="The first day on which the rule no longer counts."
        ),
    ] = None,
    direction: Annotated[
        str | None, typer.Option(help="Only calls of this direction: inbound or outbound.", metavar="WORD")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(metavar="DIGITS", help="Only called numbers with this prefix, with the country code.")
    ] = None,
    agent: Agent = None,
    campaign: Campaign = None,
) -> None:
    """Add a rule to the rate card. An earlier rule of the same name ends when this one begins."""
    from replicator.errors import ConfigurationError
    from replicator.store import rate_cards

    if "," in price:
        raise typer.BadParameter("--price has a point and no comma: 0.073")
    value = _money(price, "--price")
    digits = None if prefix is None else prefix.strip().lstrip("+")
    if digits is not None and not (digits.isascii() and digits.isdigit()):
        raise typer.BadParameter("--prefix is digits, such as 49 or 1415")
    if direction not in {None, "inbound", "outbound"}:
        raise typer.BadParameter("--direction is inbound or outbound: a rule for another one would be for no call")
    if until is not None and until <= since:
        raise typer.BadParameter("--until is after --from")
    with opened(as_json=False) as (settings, database), database.transaction() as tx:
        if value < 0 or not name.strip():
            raise ConfigurationError("a price is not below zero, and a rule has a name")
        rate_cards.put(tx, {
            "account": settings.replicator_account, "name": name.strip(), "direction": direction, "prefix": digits, "agent": agent,
            "campaign": campaign, "minimum": minimum, "increment": increment, "price": value, "from": since.date(),
            "until": None if until is None else until.date(),
        })  # fmt: skip
    streams.say(shown(f"the rule {name.strip()} is set from {since:%Y-%m-%d}; see: replicator reconcile rates check"))


@rates.command("list")
def list_rates(as_json: Json = False) -> None:
    """List the rules of the rate card."""
    from dataclasses import asdict

    from replicator.report import terminal
    from replicator.store import rate_cards

    with opened(as_json=as_json) as (settings, database), database.connection() as connection:
        _show(
            "Rate card",
            [asdict(one) for one in rate_cards.listed(connection, settings.replicator_account)],
            terminal,
            as_json=as_json,
        )


@rates.command("remove")
def remove_rate(name: Name) -> None:
    """Remove the rules of a name."""
    from replicator.errors import ConfigurationError
    from replicator.store import rate_cards

    with opened(as_json=False) as (settings, database), database.transaction() as tx:
        if not rate_cards.remove(tx, settings.replicator_account, name):
            raise ConfigurationError(f"there is no rule {name}", advice="list them: replicator reconcile rates list")
    streams.say("removed")


@rates.command("check")
def check_rates(
    period: Annotated[str | None, typer.Option("--period", metavar="MONTH", help="Only this month.")] = None,
    as_json: Json = False,
) -> None:
    """Compare each call's cost with the rate card, by month and rule. The calls are in analytics.rate_check."""
    from replicator.report import terminal
    from replicator.store import rate_cards

    with opened(as_json=as_json) as (settings, database), database.connection() as connection:
        _show(
            "Rate check", rate_cards.checked(connection, settings.replicator_account, period), terminal, as_json=as_json
        )


@rates.command("learn")
def learn_rates(
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=["%Y-%m-%d"], metavar="DAY", help="Only calls from this day on."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Suggest rates that explain the costs of the newest calls, by direction. The rate card is not changed."""
    from replicator.reconcile.rates import learn
    from replicator.report import terminal
    from replicator.store import rate_cards

    with opened(as_json=as_json) as (settings, database), database.connection() as connection:
        found = rate_cards.samples(connection, settings.replicator_account, since and since.date())
    rows = [
        {"direction": direction or None, "minimum_seconds": one.minimum_seconds, "increment_seconds": one.increment_seconds,
         "price_per_minute": one.price_per_minute, "calls": one.calls, "explained": one.explained, "is_clear": one.is_clear}
        for direction, calls in sorted(found.items())
        for one in learn(calls)
    ]  # fmt: skip
    _show("Rates that explain the costs, best first", rows, terminal, as_json=as_json)


@budget.command("set")
def set_budget(
    month: Month,
    amount: Annotated[str, typer.Argument(metavar="USD", help="What the month may cost.")],
    agent: Agent = None,
    campaign: Campaign = None,
) -> None:
    """Set what a month may cost. A budget of the same month and scope is replaced."""
    from replicator.store import month_budgets

    value = _money(amount, "the amount")
    scope, of = _scope(month, agent, campaign)
    if value <= 0:
        raise typer.BadParameter("a budget is above zero")
    with opened(as_json=False) as (settings, database), database.transaction() as tx:
        month_budgets.put(tx, settings.replicator_account, month, scope, of, value)
    streams.say(shown(f"the budget of {month} for {scope} {of}".rstrip() + f" is {value:,f} US dollars"))


@budget.command("list")
def list_budgets(as_json: Json = False) -> None:
    """List the budgets with what was spent and what their months will cost. Exit code 1 if one is or will be exceeded."""
    from replicator.report import terminal
    from replicator.store import month_budgets

    with opened(as_json=as_json) as (settings, database):
        with database.connection() as connection:
            rows = month_budgets.listed(connection, settings.replicator_account)
        _show("Budgets", rows, terminal, as_json=as_json)
        if any(row["is_month_running"] and row["budget_state"] != "within" for row in rows):
            raise typer.Exit(1)


@budget.command("remove")
def remove_budget(month: Month, agent: Agent = None, campaign: Campaign = None) -> None:
    """Remove a budget."""
    from replicator.errors import ConfigurationError
    from replicator.store import month_budgets

    scope, of = _scope(month, agent, campaign)
    with opened(as_json=False) as (settings, database), database.transaction() as tx:
        if not month_budgets.remove(tx, settings.replicator_account, month, scope, of):
            raise ConfigurationError("there is no such budget", advice="list them: replicator reconcile budget list")
    streams.say("removed")


def _scope(month: str, agent: UUID | None, campaign: str | None) -> tuple[str, str]:
    from replicator.reconcile.importing import PERIOD

    if not PERIOD.match(month):
        raise typer.BadParameter("a month is written as 2026-10")
    if agent is not None and campaign is not None:
        raise typer.BadParameter("--agent or --campaign, not both")
    if campaign is not None and not campaign.strip():
        raise typer.BadParameter("--campaign is the campaign's id")
    return (
        ("agent", str(agent)) if agent is not None else ("account", "") if campaign is None else ("campaign", campaign)
    )


def _money(text: str, name: str) -> Decimal:
    from replicator.reconcile import amounts

    try:
        value, currency = amounts.read(text)
    except ValueError as error:
        raise typer.BadParameter(f"{name}: {error}") from None
    if currency not in {None, "USD"}:
        raise typer.BadParameter(f"{name} is in US dollars")
    return value


def _show(title: str, rows: list[dict[str, Any]], terminal: Any, *, as_json: bool) -> None:
    if as_json:
        typer.echo(terminal.as_json(rows))
    elif not rows:
        streams.say("there is nothing to show yet")
    else:
        columns = [name for name in rows[0] if name not in {"account", "reporting_time_zone"}]
        terminal.show_table(
            terminal.console(),
            title,
            [name.replace("_", " ") for name in columns],
            [[row[name] for name in columns] for row in rows],
        )


__all__ = ["budget", "rates"]
