"""The commands `replicator archive hold`, `retention` and `log`; those that remove content are in archive_erasure.py."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from replicator import streams
from replicator.cli.frame import opened
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time
from replicator.safe_text import shown

if TYPE_CHECKING:
    from replicator.settings import Settings
    from replicator.store.database import Database

DAY = {"formats": ["%Y-%m-%d"], "metavar": "DAY"}
Calls = Annotated[list[UUID] | None, typer.Option("--call", metavar="ID", help="A call's id; repeatable.")]
Numbers = Annotated[
    list[str] | None,
    typer.Option("--number", metavar="NUMBER", help="A number with + and its country's code; repeatable."),
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it is sealed and kept, so name a case and no person.")
]

app = typer.Typer(
    help="The compliance archive: holds, retention, disposal, erasure, and who did what.", no_args_is_help=True
)
hold = typer.Typer(help="Legal holds: nothing that a hold covers is erased or disposed of.", no_args_is_help=True)
retention = typer.Typer(help="Retention classes: for how long which calls are kept.", no_args_is_help=True)


def actor(settings: Settings) -> str:
    """Return who acts, as it is sealed."""
    from replicator.archive import deeds

    return deeds.actor(settings.replicator_actor)


def _days(
    database: Database, since: datetime | None, until: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """Return the instants of days in the reporting time zone; the second one is not included."""
    from replicator.store import stretches

    if since is None and until is None:
        return None, None
    with database.connection() as connection:
        return stretches.of_days(connection, since and since.date(), until and until.date())


@hold.command("add")
def add_hold(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The hold's name; it cannot be used again.")],
    reason: Reason,
    call: Calls = None,
    number: Numbers = None,
    agent: Annotated[UUID | None, typer.Option(help="Only calls of this agent.", metavar="ID")] = None,
    since: Annotated[datetime | None, typer.Option(help="The first day of creation, included.", **DAY)] = None,
    until: Annotated[datetime | None, typer.Option(help="The last day of creation, included.", **DAY)] = None,
    as_json: Json = False,
) -> None:
    """Place a hold on the named calls, and on all present and later calls that match the number, the agent and the days."""
    from replicator import guarding
    from replicator.archive.governance import holds, unfound
    from replicator.archive.governance.spellings import spelling
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        bounds = _days(database, since, until)
        selection = holds.Selection(tuple(call or ()), tuple(map(spelling, number or ())), agent, *bounds)
        keys = guarding.suppression_keys(settings)
        covered = holds.place(
            database, settings.replicator_account, name, selection, keys,
            by=actor(settings), reason=reason, at=datetime.now(UTC),
        )  # fmt: skip
        with database.connection() as connection:
            missing = unfound.without_calls(connection, settings.replicator_account, selection.numbers)
        if missing:
            streams.say(unfound.warning(missing, len(selection.numbers)), err=True)
        found = {"name": name, "calls": covered}
        typer.echo(terminal.as_json(found)) if as_json else streams.say(
            f"the hold {name} is placed; it covers {covered:,} stored calls"
        )


@hold.command("list")
def list_holds(
    everything: Annotated[bool, typer.Option("--all", help="Show released ones, too.")] = False, as_json: Json = False
) -> None:
    """Show the holds, and what each covers. A number is stored as a keyed hash, so only that there is one can be shown."""
    from replicator.report import terminal
    from replicator.store import governance, stretches

    with opened(as_json=as_json) as (settings, database):
        with database.connection() as connection:
            rows = governance.holds(connection, settings.replicator_account, with_released=everything)
            days = [stretches.days_of(connection, row["since"], row["until"]) for row in rows]
        facts = [
            {name: value for name, value in row.items() if name not in {"call_ids", "number_keys", "key_id"}}
            | {"calls_named": len(row["call_ids"]), "is_by_number": bool(row["number_keys"])}
            | {"first_day": first, "last_day": last}
            for row, (first, last) in zip(rows, days, strict=True)
        ]
        if as_json:
            typer.echo(terminal.as_json(facts))
            return
        columns = ("name", "placed_at", "placed_by", "reason", "calls_named", "is_by_number", "agent_id",
                   "first_day", "last_day", "calls_at_first", "released_at")  # fmt: skip
        terminal.show_table(terminal.console(), "holds", columns, [[one[name] for name in columns] for one in facts])


@hold.command("release")
def release_hold(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The hold's name.")], reason: Reason, as_json: Json = False
) -> None:
    """Release a hold. This removes nothing: run `archive dispose` for calls that were waiting."""
    from replicator.archive.governance import holds
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        holds.release(
            database, settings.replicator_account, name, by=actor(settings), reason=reason, at=datetime.now(UTC)
        )
        typer.echo(terminal.as_json({"released": name})) if as_json else streams.say(f"the hold {name} is released")


@retention.command("set")
def set_retention(
    name: Annotated[str, typer.Argument(metavar="CLASS", help="The class's name.")],
    keep: Annotated[str, typer.Option(help="For how long after the call's end: 6y, 18m, 90d.", metavar="TIME")],
    statutory: Annotated[
        bool, typer.Option("--statutory/--business", help="Statutory: a law demands it, so erasure waits for its end.")
    ] = False,
    compliance: Annotated[
        bool, typer.Option("--compliance/--governance", help="Compliance: it can never be shortened.")
    ] = False,
    direction: Annotated[str | None, typer.Option(help="Only calls of this direction.", metavar="WORD")] = None,
    agent: Annotated[UUID | None, typer.Option(help="Only calls of this agent.", metavar="ID")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only calls of this campaign.", metavar="ID")] = None,
    reason: Annotated[str, typer.Option(help="Why.", metavar="TEXT")] = "",
    as_json: Json = False,
) -> None:
    """Set a retention class, or a new version of it. Of all classes that select a call, the longest counts."""
    from replicator.archive.governance import holds
    from replicator.archive.governance.retention import Basis, Mode, RetentionClass, parse_keep
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        basis = Basis.STATUTORY if statutory else Basis.BUSINESS
        mode = Mode.COMPLIANCE if compliance else Mode.GOVERNANCE
        new = RetentionClass(name, 0, basis, mode, parse_keep(keep), direction, agent, campaign)
        version = holds.set_class(
            database, settings.replicator_account, new, by=actor(settings), reason=shown(reason), at=datetime.now(UTC)
        )
        said = f"the class {name} keeps for {new.keep} ({basis}, {mode}); this is version {version}"
        typer.echo(
            terminal.as_json({"name": name, "version": version, "keep": str(new.keep)})
        ) if as_json else streams.say(said)


@retention.command("list")
def list_retention(as_json: Json = False) -> None:
    """Show the retention classes in force."""
    from replicator.archive.governance import holds
    from replicator.archive.governance.retention import binding
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        with database.connection() as connection:
            classes = binding(holds.versions(connection, settings.replicator_account))
        facts = [asdict(one) | {"keep": str(one.keep)} for one in classes]
        if as_json:
            typer.echo(terminal.as_json(facts))
            return
        columns = ("name", "version", "basis", "mode", "keep", "direction", "agent_id", "campaign_id")
        terminal.show_table(
            terminal.console(), "retention", columns, [[one[name] for name in columns] for one in facts]
        )


@app.command()
def log(
    call: Annotated[UUID | None, typer.Option("--call", metavar="ID", help="Only entries about this call.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most N entries, newest first.", metavar="N")] = 100,
    as_json: Json = False,
) -> None:
    """Show who did what, when and why: reads, exports, holds, erasures, changes of settings."""
    from replicator.report import terminal
    from replicator.store import governance

    with opened(as_json=as_json) as (settings, database):
        with database.connection() as connection:
            rows = governance.actions(connection, settings.replicator_account, call, limit)
        facts = [_deed(row) for row in rows]
        if as_json:
            typer.echo(terminal.as_json(facts))
            return
        columns = ("sequence", "at", "kind", "by", "reason", "call_id", "about")
        terminal.show_table(
            terminal.console(), "deeds", columns, [[one.get(name) for name in columns] for one in facts]
        )


def _deed(row: dict[str, Any]) -> dict[str, Any]:
    content = json.loads(row["bytes"]) if row["bytes"] is not None else {}
    about = {name: value for name, value in content.items()
             if name not in {"kind", "account", "by", "reason", "call_id", "records", "number_keys"}}  # fmt: skip
    return {"sequence": row["sequence"], "at": row["observed_at"], "kind": row["kind"], "by": content.get("by"),
            "reason": content.get("reason"), "call_id": row["subject"],
            "about": json.dumps(about, ensure_ascii=False, sort_keys=True)}  # fmt: skip


def attach(to: typer.Typer) -> None:
    """Add these commands to those of `replicator archive`."""
    to.add_typer(hold, name="hold")
    to.add_typer(retention, name="retention")
    to.registered_commands += app.registered_commands


__all__ = ["Calls", "Numbers", "Reason", "actor", "attach"]
