"""The commands `replicator accounts`: list the accounts of the database, rename one."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from replicator import streams
from replicator.cli.frame import guarded
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time

app = typer.Typer(help="Show the accounts of the database, or give one another name.", no_args_is_help=True)


@app.command("list")
def show(as_json: Json = False) -> None:
    """Show each account with its source, calls, freshness and budget."""
    from replicator import assembly
    from replicator.report import terminal
    from replicator.store import accounts, schema_check

    with guarded(as_json=as_json) as settings, assembly.opened(settings) as database:
        schema_check.check(database)
        found = accounts.listed(database)
        typer.echo(terminal.as_json(found)) if as_json else terminal.show_accounts(found)


@app.command()
def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The account's present name.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    as_json: Json = False,
) -> None:
    """Give an account another name, in one transaction. No sync or serve of it may be running."""
    from replicator import assembly
    from replicator.report import terminal
    from replicator.store import lease, naming, renaming, schema_check

    with (
        guarded(as_json=as_json) as settings,
        assembly.place(settings) as where,
        assembly.connected(where.url, names := naming.parse(settings.replicator_schemas)) as database,
    ):
        schema_check.check(database)
        with ExitStack() as stack:
            # In a fixed order, so that of two renames at once only one is refused, and not both.
            for account in sorted({old, new}):
                held = lease.acquire(database, account, "accounts rename")
                stack.callback(lease.release, database, held)
            prefix = settings.replicator_role_prefix
            calls = renaming.rename(where.url, old, new, role_prefix=prefix, schemas=names)
        if as_json:
            typer.echo(terminal.as_json({"old": old, "new": new, "calls": calls}))
        else:
            streams.say(f"the account {old} is {new} now, with {calls:,} calls; set REPLICATOR_ACCOUNT={new}")


__all__ = ["app"]
