"""What the demo shows of the compliance archive: recordings kept, all sealed, signed, verified, tampered with, and exported.

All of it is real: the audio comes from another origin than the API, the head is written to a folder beside the database,
a stored amount is changed behind the program's back and put right again, and the bag is verified by the file in it.
"""

from __future__ import annotations

import getpass
import json
import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from replicator import child
from replicator.archive.heads import anchor_places, anchors, signing
from replicator.archive.production import exporting
from replicator.archive.recordings import stores
from replicator.archive.recordings.addresses import parse_allowed
from replicator.archive.recordings.fetch import Limits
from replicator.archive.recordings.running import Plan, Runner
from replicator.archive.verification import inspection
from replicator.errors import ConfigurationError
from replicator.store import produced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from threading import Event

    from replicator.archive.chain import Block
    from replicator.archive.heads.anchors import Found
    from replicator.archive.recordings.objects import Store
    from replicator.archive.verification.inspection import Verdict
    from replicator.store.database import Database

    Steps = list[tuple[str, str]]

DOWNLOAD_SECONDS = 4.0
IN_THE_BAG = 25
"""So many calls, the newest with a recording."""


def shown_steps(
    database: Database, account: str, folder: Path, key_file: Path, stop: Event, say: Callable[[str], None]
) -> Steps:
    """Do all of it in the demo's own folder; return the steps as (name, words)."""
    for old in ("anchors", "archive", "bag"):
        shutil.rmtree(folder / old, ignore_errors=True)
    steps: Steps = []
    say("keeping recordings, signing, verifying and exporting the archive ...")
    with stores.opened("", folder) as store:
        _download(database, account, store, stop, steps)
        try:
            signer = signing.load(key_file)
        except ConfigurationError as error:
            signer = None
            steps.append(("not signed", f"{error.message}; {error.hint}"))
        outside = anchors.Found((), ())
        if signer is not None:
            outside = _anchor(database, account, signer, folder, steps)
        _verify(database, account, outside, steps)
        _export(database, account, store, signer, folder, steps)
    return steps


def _download(database: Database, account: str, store: Store, stop: Event, steps: Steps) -> None:
    """Download the recordings that the vendor still has, newest first, for a few seconds."""
    plan = Plan(account=account, downloads=8, limits=Limits(parse_allowed(["127.0.0.1"])))
    done = Runner(database, store, None, plan, stop=stop).perform(DOWNLOAD_SECONDS)
    waiting = 0 if done.left is None else done.left.pending
    left = f"; {waiting:,} wait for the next run" if waiting else ""
    steps.append(
        ("recordings", f"{done.stored:,} downloaded from another origin than the API, {done.bytes:,} bytes{left}")
    )


def _anchor(database: Database, account: str, signer: signing.Signer, folder: Path, steps: Steps) -> Found:
    place = anchor_places.of(str(folder / "anchors"))
    done = anchors.anchor(database, account, signer, place, lambda: datetime.now(UTC))
    steps.append(
        ("sealed", f"{done.last_sequence:,} records in {done.block or 0:,} blocks, in the transactions that wrote them")
    )
    steps.append(
        ("signed", f"the head of block {done.block or 0:,}, written outside the database: {folder / 'anchors'}")
    )
    return anchors.find(account, place, key=signer.public_key)


def _verify(database: Database, account: str, outside: Found, steps: Steps) -> None:
    """Verify; change one amount that is stored, verify again, and put it right."""
    first = _verdict(database, account, outside)
    steps.append(("verified", _words(first)))
    with database.transaction() as tx:
        row = tx.execute(
            "SELECT call_id, version, raw FROM truedy.call_versions WHERE raw ->> 'cost_usd' IS NOT NULL "
            "ORDER BY observed_at, call_id LIMIT 1"
        ).fetchone()
    if row is None:
        return
    try:
        _put(database, row[0], row[1], {**row[2], "cost_usd": "0.01"})
        found = _verdict(database, account, outside)
        told = str(found.faults[0]) if found.faults else "nothing was found"
        steps.append(("tampered", f"one stored amount was changed; archive verify says: {told}"))
    finally:
        _put(database, row[0], row[1], row[2])
    steps.append(("put right", _words(_verdict(database, account, outside))))


def _verdict(database: Database, account: str, outside: Found) -> Verdict:
    found = inspection.verify(database, account, outside.heads, lambda *_: None)
    found.heads_outside = len(outside.heads)
    return found


def _words(found: Verdict) -> str:
    what = "whole" if found.is_whole else f"NOT whole: {found.faults[0] if found.faults else 'rows without a record'}"
    heads = "1 head" if found.heads_outside == 1 else f"{found.heads_outside:,} heads"
    return f"{what}: {found.records:,} records, compared with what is stored and with {heads} outside"


def _put(database: Database, call_id: Any, version: int, raw: Any) -> None:
    with database.transaction() as tx:
        tx.execute(
            "UPDATE truedy.call_versions SET raw = %s::jsonb WHERE call_id = %s AND version = %s",
            [json.dumps(raw, default=str), call_id, version],
        )


def _export(
    database: Database, account: str, store: Store, signer: signing.Signer | None, folder: Path, steps: Steps
) -> None:
    """Write a bag of the newest calls with a recording, and run the verifier that lies in it."""
    target = folder / "bag"
    with database.connection() as connection:
        calls = produced.newest_with_recording(connection, account, IN_THE_BAG)

    def sign(block: Block) -> Mapping[str, Any]:
        assert signer is not None  # noqa: S101 - is only called where there is one
        fields: Mapping[str, Any] = json.loads(signer.sign(block, datetime.now(UTC)))
        return fields

    request = exporting.Request(
        produced.Chosen(account, tuple(calls)), {"calls": [str(one) for one in calls]}, getpass.getuser(), "the demo"
    )
    done = exporting.export(database, request, target, store, datetime.now(UTC), None if signer is None else sign)
    steps.append(("exported", f"{done.calls:,} calls as a bag of {done.files:,} files: {target}"))
    key = [] if signer is None else ["--key", signer.public_key]
    checked = subprocess.run(  # noqa: S603 - the verifier that was just written
        [*child.alone(target / "verify.py"), str(target), *key],
        capture_output=True,
        text=True,
        check=False,
    )
    last = (checked.stdout.strip().splitlines() or ["it said nothing"])[-1]
    steps.append(("verify.py", f"run alone, says of it: {last}"))


__all__ = ["shown_steps"]
