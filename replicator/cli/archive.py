"""The commands `replicator archive`: seal what is new, show the state, write signed heads outside, verify."""

from __future__ import annotations

import re
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replicator import streams
from replicator.cli import recordings
from replicator.cli.frame import opened
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time
from replicator.errors import ConfigurationError
from replicator.safe_text import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replicator.archive.heads.anchors import Found
    from replicator.archive.verification.inspection import Verdict
    from replicator.settings import Settings
    from replicator.store.database import Database

TOLD_SECONDS = 2.0
MOST_HOLDS = 5
"""So many holds are named by `status`; `hold list` shows all."""

To = Annotated[
    str | None,
    typer.Option(
        "--to", metavar="DIR|s3://BUCKET/PREFIX", help="Place of the head (default: REPLICATOR_ARCHIVE_ANCHOR_TO)."
    ),
]
Anchors = Annotated[
    str | None,
    typer.Option("--anchors", metavar="DIR|s3://BUCKET/PREFIX", help="Compare with the heads in this place."),
]

app = typer.Typer(
    help="The compliance archive: seal what is stored, write signed heads outside, verify everything.",
    no_args_is_help=True,
)


@app.command()
def run(
    max_seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after so many seconds.", metavar="SECONDS")
    ] = None,
    again: recordings.Again = False,
    compare: recordings.Compare = False,
    fetch_lost: recordings.FetchLost = False,
    as_json: Json = False,
) -> None:
    """Seal what was stored while the archive was off, and download the recordings that are due."""
    from replicator.archive import late
    from replicator.archive.payment import payment_watch
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        if not settings.is_archived:
            raise ConfigurationError(
                "the archive is off",
                advice="set REPLICATOR_ARCHIVE=on, for `sync` and `serve` too: they seal what they store",
            )
        until = None if max_seconds is None else time.monotonic() + max_seconds

        def is_over() -> bool:
            return until is not None and time.monotonic() >= until

        def now() -> datetime:
            return datetime.now(UTC)

        # Before it is sealed: what is found is flagged from the first record on.
        looked = payment_watch.scan(database, settings.replicator_account, now, is_over)
        done = late.seal(database, settings.replicator_account, now, is_over=is_over)
        left = "" if done.is_finished and looked.is_finished else "; there is more to seal: run it again"
        if not as_json:
            if looked.calls:
                streams.say(f"{looked.calls:,} calls searched for payment data, {looked.findings:,} findings")
            streams.say(f"{done.records:,} records sealed late, in {done.blocks:,} blocks{left}")
        wanted = recordings.Wanted(until, is_again=again, compares_now=compare, fetches_lost=fetch_lost)
        kept = recordings.run(settings, database, wanted, is_told=not as_json)
        if as_json:
            is_finished = done.is_finished and looked.is_finished
            facts = {"records": done.records, "blocks": done.blocks, "is_finished": is_finished}
            facts |= {"calls_looked_at": looked.calls, "payment_findings": looked.findings}
            typer.echo(terminal.as_json(facts | {"recordings": kept}))


@app.command()
def status(as_json: Json = False) -> None:
    """Show the chain and its open window, recordings by state, holds, and what is due for disposal."""
    from replicator.report import terminal
    from replicator.store import sealed_heads

    with opened(as_json=as_json) as (settings, database):
        with database.connection() as connection:
            facts = sealed_heads.summary(connection, settings.replicator_account)
        facts["hash"] = None if facts["hash"] is None else bytes(facts["hash"]).hex()
        facts["is_on"] = settings.is_archived
        facts["recordings"] = recordings.standing(settings, database)
        now = datetime.now(UTC)
        facts |= _governed(settings, database, now)
        facts["open_seconds"] = (
            None if facts["open_since"] is None else max(0, round((now - facts["open_since"]).total_seconds()))
        )
        typer.echo(terminal.as_json(facts)) if as_json else streams.say("\n".join(_status_lines(facts)))


def _governed(settings: Settings, database: Database, now: datetime) -> dict[str, Any]:
    """Return the holds in force, how many calls `archive dispose` would remove now, and how many erasures have to wait."""
    from replicator import guarding
    from replicator.archive.governance import erasure
    from replicator.store import governance

    account = settings.replicator_account
    with database.connection() as connection:
        named = [row["name"] for row in governance.holds(connection, account)]
        facts: dict[str, Any] = {"holds": named, "due_for_disposal": 0, "erasures_waiting": 0, "due_unknown": None}
        if not governance.retention_versions(connection, account) and not governance.key_ids(connection, account):
            return facts  # no rule removes anything, so the calls need not be looked at
        try:
            planned = erasure.disposal_plan(connection, account, guarding.suppression_keys(settings), now)
        except ConfigurationError as error:
            return facts | {"due_for_disposal": None, "erasures_waiting": None, "due_unknown": error.message}
    due = len(planned.removals)
    return facts | {"due_for_disposal": due, "erasures_waiting": len(planned.verdicts) - due}


def _governed_lines(facts: dict[str, Any]) -> Iterator[str]:
    names = ", ".join(map(shown, facts["holds"][:MOST_HOLDS])) + (" ..." if len(facts["holds"]) > MOST_HOLDS else "")
    yield f"holds          {len(facts['holds']):,} in force: {names}" if facts["holds"] else "holds          none"
    if facts["due_unknown"] is not None:
        yield f"disposal       not known: {shown(facts['due_unknown'])}"
        return
    waiting = f"; {facts['erasures_waiting']:,} erasures have to wait" if facts["erasures_waiting"] else ""
    yield f"disposal       {facts['due_for_disposal']:,} calls are due: `replicator archive dispose` removes them{waiting}"


def _status_lines(facts: dict[str, Any]) -> Iterator[str]:
    yield f"archive        {'on' if facts['is_on'] else 'off'}"
    yield from recordings.standing_lines(facts["recordings"])
    yield from _governed_lines(facts)
    if facts["block"] is None:
        yield "chain          nothing is sealed yet"
        return
    yield f"chain          {facts['records']:,} records in {facts['block']:,} blocks, the newest of {facts['sealed_at']:%Y-%m-%d %H:%M:%S} UTC"
    if facts["anchored_block"] is None:
        yield "head outside   none: run `replicator archive anchor --to DIR`"
    else:
        yield (
            f"head outside   block {facts['anchored_block']:,}, written {facts['anchored_at']:%Y-%m-%d %H:%M:%S} UTC to "
            f"{shown(facts['anchored_at_place'])}"
        )
    if facts["open_since"] is None:
        yield "open window    none: the newest head outside covers every record"
    else:
        yield (
            f"open window    {facts['open_records']:,} records, for {facts['open_seconds']:,} s: the database's owner could "
            "change them without a trace"
        )
    if facts["tokens_waiting"]:
        why = f": {shown(facts['token_error'])}" if facts["token_error"] else ""
        yield (
            f"time stamps    warning: {facts['tokens_waiting']:,} heads wait since "
            f"{facts['tokens_wait_since']:%Y-%m-%d %H:%M:%S} UTC{why}"
        )


@app.command()
def anchor(
    to: To = None,
    tsa: Annotated[
        str | None,
        typer.Option(
            "--tsa", metavar="URL", help="Ask this authority for a time stamp (default: REPLICATOR_ARCHIVE_TSA)."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the signed head of the chain outside of the database. Exit code 1 if a time stamp has not arrived."""
    from replicator import assembly
    from replicator.archive.heads import anchor_places, anchors, signing
    from replicator.report import terminal

    with opened(as_json=as_json) as (settings, database):
        where = to or settings.replicator_archive_anchor_to
        if where is None:
            raise ConfigurationError(
                "no place for the head is named", advice="add --to DIR, or set REPLICATOR_ARCHIVE_ANCHOR_TO"
            )
        signer = signing.load(assembly.signing_key(settings))
        place = anchor_places.of(where)
        authority = tsa or settings.replicator_archive_tsa
        done = anchors.anchor(
            database, settings.replicator_account, signer, place, lambda: datetime.now(UTC), authority=authority
        )
        if as_json:
            names = ("block", "last_sequence", "file", "tokens", "waiting", "token_error")
            typer.echo(terminal.as_json({name: getattr(done, name) for name in names} | {"key": signer.public_key}))
        elif done.block is None:
            streams.say("nothing is sealed yet, so there is no head")
        else:
            streams.say(
                f"block {done.block:,} with the last sequence {done.last_sequence:,}: {shown(place.name)}/{done.file}"
            )
            streams.say(f"public key: {signer.public_key}")
        if done.token_error is not None:
            streams.say(f"{done.waiting:,} heads wait for their time stamp: {shown(done.token_error)}", err=True)
            raise typer.Exit(1)


@app.command()
def verify(
    anchor_place: Anchors = None,
    public_key: Annotated[
        str | None, typer.Option("--public-key", metavar="HEX", help="The key that must have signed the heads.")
    ] = None,
    tsa_ca: Annotated[
        Path | None, typer.Option("--tsa-ca", metavar="FILE", help="Certificates (PEM) of the time-stamping authority.")
    ] = None,
    files: Annotated[
        str | None,
        typer.Option(
            "--objects", metavar="all|N", help="Read the bytes of all stored recordings, or of N chosen at random."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    as_json: Json = False,
) -> None:
    """Recompute the chain, compare it with what is stored and with the heads outside. Exit code 1 if anything is wrong."""
    from replicator import guarding
    from replicator.archive.heads import anchors
    from replicator.archive.verification import inspection, stored_recordings

    public_key = None if public_key is None else key_of(public_key)
    with opened(as_json=as_json) as (settings, database):
        account, most = settings.replicator_account, _number_of_files(files)
        outside = _outside(settings, anchor_place, public_key, tsa_ca)
        stored = anchors.kept(database, account)
        heads = (*outside.heads, *stored.heads)
        verdict = inspection.verify(database, account, heads, (lambda *_: None) if quiet else _progress())
        verdict.heads_outside = len(outside.heads)
        for fault in (*outside.faults, *stored.faults):
            verdict.note(fault)
        verdict.files_read = None if files is None else 0
        with guarding.archive_store(settings) if files is not None else nullcontext() as store:
            for fault in stored_recordings.verify(database, account, store, most, _files_read(verdict, quiet=quiet)):
                verdict.note(fault)
        _show(verdict, outside, is_compared=anchor_place is not None, as_json=as_json)
        if not verdict.is_whole:
            raise typer.Exit(1)


def key_of(text: str) -> str:
    """Return a public key in small letters. Raises BadParameter where it is none: every head would seem to be another key's."""
    if re.fullmatch("[0-9a-fA-F]{64}", text) is None:
        raise typer.BadParameter(
            "this is no public key: expected 64 hexadecimal digits, as `replicator archive anchor` shows them",
            param_hint="--public-key",
        )
    return text.lower()


def _number_of_files(text: str | None) -> int | None:
    """Return how many files `--objects` asks for; None for all, or for none where it is not given."""
    if text is None or text == "all":
        return None
    if text.isascii() and text.isdecimal() and int(text) > 0:
        return int(text)
    raise ConfigurationError("--objects takes `all` or a number of files", advice="for example: --objects 100")


def _files_read(verdict: Verdict, *, quiet: bool) -> Callable[[int], None]:
    """Return what notes how many files were read, and says so each second."""
    told_at = time.monotonic()

    def tell(read: int) -> None:
        nonlocal told_at
        verdict.files_read = read
        if not quiet and time.monotonic() - told_at >= 1:
            told_at = time.monotonic()
            streams.say(f"files: {read:,} read", err=True)

    return tell


def _outside(settings: Settings, place: str | None, public_key: str | None, tsa_ca: Path | None) -> Found:
    """Return the heads outside; none where no place is named."""
    from replicator import assembly
    from replicator.archive.heads import anchor_places, anchors, signing

    if place is None:
        return anchors.Found((), ())
    key_file = assembly.signing_key(settings)
    if public_key is None and key_file.exists():
        public_key = signing.load(key_file, may_make=False).public_key
    try:
        roots = None if tsa_ca is None else tsa_ca.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{tsa_ca} cannot be read: {(error.strerror or '').lower()}") from None
    return anchors.find(settings.replicator_account, anchor_places.of(place), key=public_key, roots=roots)


def _show(verdict: Verdict, outside: Found, *, is_compared: bool, as_json: bool) -> None:
    from replicator.report import terminal

    if as_json:
        facts = {
            "account": verdict.account, "is_whole": verdict.is_whole, "records": verdict.records, "blocks": verdict.blocks,
            "head": verdict.head, "heads_outside": verdict.heads_outside, "time_stamps": outside.tokens,
            "public_key": outside.key, "unsealed": verdict.unsealed, "files_read": verdict.files_read,
            "faults_untold": verdict.faults_untold,
            "faults": [one._asdict() for one in verdict.faults],
        }  # fmt: skip
        typer.echo(terminal.as_json(facts))
        return
    for fault in verdict.faults:
        streams.say(shown(str(fault)))
    if verdict.faults_untold:
        streams.say(f"archive: {verdict.faults_untold:,} further faults are not listed [more]")
    if verdict.unsealed:
        streams.say(
            f"archive: {verdict.unsealed:,} stored rows have no record: they were written while the archive was off, or not "
            "by this program; `replicator archive run` seals them as sealed late [unsealed]"
        )
    against = f"{verdict.heads_outside:,} heads outside" if is_compared else "no head outside (--anchors names them)"
    what = "whole" if verdict.is_whole else "NOT whole"
    streams.say(f"{what}: {verdict.records:,} records in {verdict.blocks:,} blocks, compared with {against}")
    if verdict.files_read is None:
        streams.say("the bytes of no recording were read (--objects reads them)")
    else:
        streams.say(f"the bytes of {verdict.files_read:,} recordings were read")
    if verdict.head is not None:
        streams.say(f"newest block: {verdict.head}")


def _progress() -> Any:
    """Return a function that shows the progress on standard error, now and then."""
    last = [time.monotonic()]

    def tell(what: str, done: int, total: int) -> None:
        if time.monotonic() - last[0] >= TOLD_SECONDS:
            last[0] = time.monotonic()
            sys.stderr.write(f"verifying {what}: {done:,} of {total:,} records\n")

    return tell


__all__ = ["app"]
