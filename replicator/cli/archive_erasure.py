"""The commands `replicator archive erase`, `dispose`, `certificate` and `reapply`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replicator import streams
from replicator.cli.archive_governance import Calls, Numbers, Reason, actor
from replicator.cli.frame import opened
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time
from replicator.errors import ConfigurationError
from replicator.safe_text import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replicator.archive.governance.erasure import Done, Plan, Request
    from replicator.archive.governance.plan import Verdict
    from replicator.settings import Settings
    from replicator.store.database import Database

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")]
CertificateFile = Annotated[
    Path | None,
    typer.Option(
        "--certificate", metavar="FILE", help="Where to write the certificate (default: here); no file is replaced."
    ),
]

app = typer.Typer()


@app.command()
def erase(
    reason: Reason,
    number: Numbers = None,
    call: Calls = None,
    parties_only: Annotated[
        bool, typer.Option("--parties-only", help="Do not erase calls in which the number is only mentioned.")
    ] = False,
    write_to: CertificateFile = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Erase a person's calls, as far as holds and retention allow, and keep their content from being stored again."""
    from replicator import assembly
    from replicator.archive import deeds
    from replicator.archive.governance import erasure, unfound
    from replicator.archive.governance.spellings import spelling

    with opened(as_json=as_json) as (settings, database), assembly.interruptible():
        numbers = tuple(map(spelling, number or ()))
        if not numbers and not call:
            raise ConfigurationError("no call is selected: give --number or --call")
        request = erasure.Request(
            settings.replicator_account,
            actor(settings),
            deeds.reason_of(reason, numbers),
            numbers,
            tuple(call or ()),
            parties_only,
        )
        tools, now = _tools(settings), datetime.now(UTC)
        with database.connection() as connection:
            planned = erasure.plan(connection, request, tools.keys, now)
            missing = unfound.without_calls(connection, request.account, numbers)
        if missing:
            streams.say(unfound.warning(missing, len(numbers)), err=True)
        _do(database, request, planned, tools, now, write_to, dry_run=dry_run, as_json=as_json)


@app.command()
def dispose(
    reason: Annotated[str, typer.Option(help="Why; it is sealed and kept.", metavar="TEXT")] = "retention",
    write_to: CertificateFile = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Remove the content of calls whose retention has ended and that no hold covers, and do erasures that had to wait."""
    from replicator import assembly, guarding
    from replicator.archive import deeds
    from replicator.archive.governance import erasure

    with opened(as_json=as_json) as (settings, database), assembly.interruptible():
        request = erasure.Request(settings.replicator_account, actor(settings), deeds.reason_of(reason))
        now = datetime.now(UTC)
        with database.connection() as connection:
            planned = erasure.disposal_plan(
                connection, settings.replicator_account, guarding.suppression_keys(settings), now
            )
        if not planned.removals:
            _show(planned.verdicts, None, None, is_plan=True, as_json=as_json)
            return
        _do(database, request, planned, _tools(settings), now, write_to, dry_run=dry_run, as_json=as_json)


@app.command("certificate")
def write_certificate(
    erasure_id: Annotated[int, typer.Argument(metavar="N", min=1, help="The number of the erasure or disposal.")],
    write_to: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Where to write it (default: here); no file is replaced."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the certificate of an earlier erasure or disposal once more, from what the archive has of it."""
    from replicator.archive.governance import certificate
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        path = _certify(database, settings.replicator_account, erasure_id, write_to)
        facts = {"erasure": erasure_id, "certificate": str(path), "text": str(certificate.files(path)[1])}
        typer.echo(terminal.as_json(facts)) if as_json else streams.say(f"certificate: {shown(str(path))}")


@app.command()
def reapply(as_json: Json = False) -> None:
    """Erase again what a restored backup has brought back. Each sync does this by itself if its user has the right."""
    from replicator import guarding
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        done = guarding.guard(settings).reapply(database, settings.replicator_account, datetime.now(UTC))
        _refresh(database)
        calls = 0 if done is None else sum(one.is_removal for one in done.verdicts)
        typer.echo(terminal.as_json({"erased": calls})) if as_json else streams.say(f"{calls:,} calls erased again")


def _tools(settings: Settings) -> Any:
    from replicator import guarding
    from replicator.archive.governance.erasure import Tools

    guard = guarding.guard(settings)
    if guard.keys is None:
        raise ConfigurationError(
            "an erasure needs a secret for its list of keyed hashes, and none is set",
            advice="set REPLICATOR_PSEUDONYM_KEY or REPLICATOR_PSEUDONYM_KEY_FILE (openssl rand -base64 32), and keep it",
        )
    return Tools(guard.keys, guard.open_file(), guard.open_store)


def _do(
    database: Database, request: Request, planned: Plan, tools: Any, now: datetime, write_to: Path | None, *,
    dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show the plan, or do it and write the certificate. Nothing is erased where no certificate could be written."""
    from replicator.archive.governance import certificate, erasure

    if dry_run:
        _show(planned.verdicts, None, None, is_plan=True, as_json=as_json)
        return
    certificate.check(write_to)
    try:
        done = erasure.perform(database, request, planned, tools, now)
    except BaseException:  # a Ctrl-C, too: some calls may be erased by then
        streams.say("what was erased before this stays erased; the same command does the rest", err=True)
        raise
    with _told(done):
        _refresh(database)
        path = _certify(database, request.account, done.erasure_id, write_to)
    _show(done.verdicts, done, path, is_plan=False, as_json=as_json)


@contextmanager
def _told(done: Done) -> Iterator[None]:
    """Say what was erased, and how to get its certificate, where anything fails after it: it cannot be erased once more."""
    try:
        yield
    except BaseException:  # a Ctrl-C, too: the calls are erased
        removals = sum(one.is_removal for one in done.verdicts)
        streams.say(
            f"{removals:,} calls were erased or disposed of, {len(done.verdicts) - removals:,} are kept; that is done. What "
            "failed after it is said below. The certificate can be written at any time: "
            f"replicator archive certificate {done.erasure_id} --output FILE",
            err=True,
        )
        raise


def _certify(database: Database, account: str, erasure_id: int, write_to: Path | None) -> Path:
    """Write the certificate of an erasure; return its file. Without a file named, it gets a free name in this folder."""
    from replicator.archive.governance import certificate

    with database.connection() as connection:
        try:
            facts = certificate.facts(connection, account, erasure_id)
        except LookupError:
            raise ConfigurationError(
                f"there is no erasure {erasure_id} of the account {account}",
                advice="its number is in analytics.erasures (erasure_id), and in the list of: replicator archive log",
            ) from None
    path = write_to or certificate.free(Path(), facts["kind"], erasure_id)
    return certificate.write(path, facts)[0]


def _refresh(database: Database) -> None:
    """Compute the touched days of the roll-ups anew: those that are kept hold numbers."""
    from replicator.store import rollups
    from replicator.store.schema_check import bundled

    rollups.refresh(database, rollups.kept(bundled("sql")))


def _show(verdicts: Sequence[Verdict], done: Done | None, path: Path | None, *, is_plan: bool, as_json: bool) -> None:
    from replicator.archive.governance.precedence import WORDS
    from replicator.report import terminal

    calls = [{name: value for name, value in asdict(one).items() if value is not None} for one in verdicts]
    if as_json:
        facts: dict[str, Any] = {"is_dry_run": is_plan, "calls": calls}
        if done is not None:
            facts |= {"erasure": done.erasure_id, "removed": done.removed, "certificate": str(path)}
        typer.echo(terminal.as_json(facts))
        return
    for one in verdicts:
        kept = f" ({one.kept_by})" if one.kept_by else ""
        until = f" until {one.kept_until:%Y-%m-%d}" if one.kept_until else ""
        streams.say(f"{one.call_id}  {one.decision}  {WORDS[one.reason]}{shown(kept)}{until}; found by {one.found_by}")
    removals = sum(one.is_removal for one in verdicts)
    verb = "would be" if is_plan else "were"
    streams.say(f"{removals:,} calls {verb} erased or disposed of, {len(verdicts) - removals:,} are kept")
    if path is not None:
        streams.say(f"certificate: {shown(str(path))}")


__all__ = ["app"]
