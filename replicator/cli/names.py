"""The commands `replicator names`: show what agents and campaigns are called, and read names from a file."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import Annotated

import typer

from replicator import streams
from replicator.cli.frame import guarded, opened
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time

MOST_BYTES = 10 * 2**20

app = typer.Typer(help="Show or set the names of agents and campaigns in the reports.", no_args_is_help=True)


@app.command("list")
def show(
    as_csv: Annotated[bool, typer.Option("--csv", help="Write a CSV file to fill in for `names import`.")] = False,
    as_json: Json = False,
) -> None:
    """Show the agents and campaigns of the stored calls with their names, the busiest first."""
    from replicator.export import names_file
    from replicator.report import terminal
    from replicator.store import names

    if as_csv and as_json:
        raise typer.BadParameter("--csv goes without --json")
    with opened(as_json=as_json) as (settings, database):
        found = names.listed(database, settings.replicator_account)
        if as_json:
            typer.echo(terminal.as_json(found))
        elif as_csv:
            named = [names_file.Named(row["agent_id"], row["campaign_id"], row["name"], row["team"]) for row in found]
            streams.write_bytes(names_file.write(named).encode())
        else:
            terminal.show_names(found)


@app.command("import")
def read(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="Its first line is agent_id,name or campaign_id,name.")
    ],
    as_json: Json = False,
) -> None:
    """Read names from a CSV file. An empty name removes a name; ids that are not in the file keep theirs."""
    from replicator import assembly
    from replicator.errors import ConfigurationError
    from replicator.export import names_file
    from replicator.report import terminal
    from replicator.store import names, naming, schema_check

    with guarded(as_json=as_json) as settings:
        try:
            with file.open("rb") as opened:
                content = opened.read(MOST_BYTES + 1)
        except OSError as error:
            raise ConfigurationError(
                f"the file {file} cannot be read: {error.strerror}", advice="name a CSV file that this user may read"
            ) from None
        if len(content) > MOST_BYTES:
            raise ConfigurationError(f"the file {file} is larger than {MOST_BYTES:,} bytes", advice="split it")
        found = names_file.parse(content)
        schemas = naming.parse(settings.replicator_schemas)
        with assembly.place(settings) as where:
            if where.server is not None:
                assembly.migrated(settings, where)
            with assembly.connected(where.url, schemas) as database:
                schema_check.check(database)
                listed = names.listed(database, settings.replicator_account)
            names.save(
                where.url,
                [(one.agent_id, one.name, one.team) for one in found if one.agent_id is not None],
                [(one.campaign_id, one.name) for one in found if one.campaign_id is not None],
                role_prefix=settings.replicator_role_prefix,
                schemas=schemas,
            )
        known = {row["agent_id"] or row["campaign_id"] for row in listed}
        strangers = sum((one.agent_id or one.campaign_id) not in known for one in found)
        if as_json:
            typer.echo(terminal.as_json({"names": len(found), "of_no_stored_call": strangers}))
        else:
            streams.say(f"named: {names_file.described(found)}")
            if strangers:
                streams.say(f"{strangers:,} of them belong to no stored call: check their ids", err=True)


__all__ = ["app"]
