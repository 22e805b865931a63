"""The command `replicator archive export`: a selection of calls as a bag that is verified offline."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID  # noqa: TC003 - typer reads the annotations

import typer

from replicator import streams
from replicator.cli.frame import opened
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time
from replicator.safe_text import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from replicator.archive.chain import Block
    from replicator.archive.governance.suppression import Keys
    from replicator.archive.production.exporting import Done
    from replicator.settings import Settings
    from replicator.store.database import Database
    from replicator.store.produced import Chosen

Day = datetime | None
SHOWN = 20
"""So many faults are shown; custody.json has all of them."""


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an empty one.")],
    call: Annotated[list[UUID] | None, typer.Option(help="This call; repeatable.", metavar="ID")] = None,
    number: Annotated[
        list[str] | None, typer.Option(help="Calls from or to this number; repeatable.", metavar="NUMBER")
    ] = None,
    since: Annotated[
        Day, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="Created on this day or later.")
    ] = None,
    until: Annotated[
        Day, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="Created on this day or earlier.")
    ] = None,
    hold: Annotated[str | None, typer.Option(metavar="NAME", help="Only calls that this legal hold covers.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; it is sealed with the export.", metavar="TEXT")] = None,
    as_json: Json = False,
) -> None:
    """Write what the archive has of calls into a folder (BagIt) with transcripts, recordings, load files and proofs. The
    verifier that lies in it checks it offline. --call and --number add up; days and hold narrow.
    """
    from replicator import assembly, guarding
    from replicator.archive.production import bag_folder, exporting
    from replicator.archive.recordings import stores
    from replicator.report import terminal
    from replicator.store.produced import Chosen

    if since and until and since > until:
        raise typer.BadParameter("--since is a later day than --until")
    numbers = None if number is None else tuple(digits(one) for one in number)
    with opened(as_json=as_json) as (settings, database), assembly.interruptible(), ExitStack() as stack:
        bag_folder.check(folder)
        sign = signer(settings)
        chosen = Chosen(
            settings.replicator_account, None if call is None else tuple(sorted(set(call))), numbers,
            since and since.date(), until and until.date(),
            None if hold is None
            else exporting.held(database, settings.replicator_account, hold, guarding.suppression_keys(settings)),
        )  # fmt: skip
        store = stack.enter_context(stores.opened(settings.replicator_archive_store, assembly.data_dir(settings)))
        query = {
            "calls": None if call is None else sorted(map(str, call)), "numbers": number, "since": since and f"{since:%Y-%m-%d}",
            "until": until and f"{until:%Y-%m-%d}", "hold": hold,
        }  # fmt: skip
        request = exporting.Request(
            chosen,
            {name: value for name, value in query.items() if value},
            settings.actor,
            why(reason or settings.replicator_reason, number),
            {
                name: value
                for name, value in (query | sealed_numbers(guarding.suppression_keys(settings), number)).items()
                if value
            },
        )
        done = exporting.export(database, request, folder, store, datetime.now(UTC), sign)
        tell_unfound(database, chosen)
    typer.echo(terminal.as_json(facts(done, folder))) if as_json else say(done, folder)
    if not done.is_whole:
        raise typer.Exit(1)


def digits(number: str) -> str:
    """Return the digits of a number as numbers are compared: without 00 or 011 before the country's code."""
    from replicator.archive.governance.spellings import plain

    found = "".join(filter(str.isdigit, number))
    if not found.strip("0"):
        raise typer.BadParameter("a number has digits, such as +4930901820", param_hint="--number")
    return plain(found)


def tell_unfound(database: Database, chosen: Chosen) -> None:
    """Warn of numbers that no call of the account has, now or in an earlier version."""
    from replicator.archive.governance import unfound
    from replicator.store import produced

    numbers = chosen.numbers or ()
    with database.connection() as connection:
        missing = [
            place
            for place, one in enumerate(numbers, 1)
            if not produced.chosen_calls(connection, produced.Chosen(chosen.account, numbers=(one,)))
        ]
    if missing:
        streams.say(unfound.warning(missing, len(numbers)), err=True)


def why(reason: str | None, numbers: list[str] | None) -> str | None:
    """Return the reason as it is sealed, or None where none is given. Raises ConfigurationError where it holds one of the
    numbers, in whatever form: it stays when they are erased.
    """
    from replicator.archive import deeds
    from replicator.archive.governance.spellings import spelling
    from replicator.errors import ConfigurationError

    if not reason:
        return None
    found = []
    for one in numbers or ():
        for text in (one, f"+{digits(one)}"):  # only digits are compared here, so it may be written without the +
            try:
                found.append(spelling(text))
                break
            except ConfigurationError:  # too short to be somebody's
                continue
    return deeds.reason_of(reason, tuple(found))


def sealed_numbers(keys: Keys | None, numbers: list[str] | None) -> dict[str, Any]:
    """Return what is sealed instead of the numbers: their keyed hashes, or how many there were where no secret is set."""
    if not numbers:
        return {}
    if keys is None:
        return {"numbers": len(numbers)}
    return {"numbers": None, "number_keys": sorted(keys.of_number(one) for one in numbers)}


def signer(settings: Settings) -> Callable[[Block], Mapping[str, Any]] | None:
    """Return what signs the export, or None where the archive has no key yet."""
    import json

    from replicator import assembly
    from replicator.archive.heads import signing

    path = assembly.signing_key(settings)
    if not path.exists():
        return None
    with_key = signing.load(path, may_make=False)
    return lambda block: json.loads(with_key.sign(block, datetime.now(UTC)))


def facts(done: Done, folder: Path) -> dict[str, Any]:
    """Return what was exported, for a program."""
    return {
        "folder": str(folder), "calls": done.calls, "records": done.tally.records, "kinds": dict(sorted(done.tally.kinds.items())),
        "erased": done.tally.erased, "files": done.files, "bytes": done.bytes, "sequence": done.sequence,
        "is_signed": done.is_signed, "not_in_the_archive": list(done.unknown), "not_as_sealed": done.tally.damaged,
    }  # fmt: skip


def say(done: Done, folder: Path) -> None:
    """Say what was exported, and what to do with it."""
    tally = done.tally
    if not done.calls:
        streams.say("no call matches; the bag is empty, and the export is recorded in the archive")
    of_each = ", ".join(f"{count:,} {kind}" for kind, count in sorted(tally.kinds.items()))
    streams.say(
        f"{done.calls:,} calls, {tally.records:,} records{f' ({of_each})' if of_each else ''}, {done.files:,} files, "
        f"{done.bytes:,} bytes; {tally.erased:,} of the records are erased"
    )
    streams.say(
        f"sealed as record {done.sequence}, {'signed' if done.is_signed else 'not signed: the archive has no key yet'}"
    )
    for one in done.unknown[:SHOWN]:
        streams.say(f"not in the archive: {one}", err=True)
    for one in tally.damaged[:SHOWN]:
        streams.say(f"differs from what was sealed: {shown(one)}", err=True)
    if len(done.unknown) > SHOWN or len(tally.damaged) > SHOWN:
        streams.say("custody.json lists all of them", err=True)
    streams.say(f"verify it: python {shown(str(folder / 'verify.py'))} {shown(str(folder))}")


__all__ = ["digits", "export", "signer"]
