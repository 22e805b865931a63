"""Writes the certificate of an erasure: what was erased and what was kept, when, by whom, and why. No personal data.

Calls are named by their ids. Their rows stay without a person, and the id leads to nothing else. The certificate ends with
the head of the chain in which each erasure is sealed, so it can be checked against a head that was written outside.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicator import __version__, atomic_file
from replicator.archive import sealing
from replicator.archive.governance.precedence import WORDS, Reason
from replicator.errors import ConfigurationError
from replicator.store import governance

if TYPE_CHECKING:
    import psycopg

REACHED = (
    "numbers, texts, links, contexts and payloads of the calls and of all their versions; transcripts with their history; "
    "bytes in quarantine; pseudonyms of numbers that no call has any more; sealed contents with their salts; audio files; "
    "numbers and texts of the lines of other parties' statements that name the call or the number, or were matched with the call"
)
NOT_REACHED = (
    "copies outside of this product: exports, backups of the database (the list of what was erased is applied again after a "
    "restore), the source itself, and PostgreSQL's dead rows, statistics and log until they are vacuumed, analysed and recycled"
)


def facts(connection: psycopg.Connection[Any], account: str, erasure_id: int) -> dict[str, Any]:
    """Return what the certificate says, as JSON. Raises LookupError where there is no such erasure."""
    about = governance.erasure(connection, account, erasure_id)
    if about is None:
        raise LookupError(erasure_id)
    calls = governance.decisions(connection, erasure_id)
    sealed = governance.contents(connection, account, [one["sequence"] for one in calls if one["sequence"] is not None])
    removed: dict[str, int] = {}
    for content in sealed.values():
        for name, number in json.loads(content)["removed"].items():
            removed[name] = removed.get(name, 0) + number
    decisions: dict[str, int] = {}
    for one in calls:
        decisions[one["reason"]] = decisions.get(one["reason"], 0) + 1
    head = sealing.head(connection, account)
    return {
        "certificate": f"of {about['kind']} {erasure_id}",
        "kind": about["kind"],
        "program": f"replicator {__version__}",
        "account": account,
        "asked_by": about["asked_by"],
        "asked_at": about["asked_at"].isoformat(),
        "finished_at": None if about["finished_at"] is None else about["finished_at"].isoformat(),
        "reason": about["reason"],
        "numbers": about["numbers"],
        "decisions": decisions,
        "removed": removed,
        "reached": REACHED,
        "not_reached": NOT_REACHED,
        "calls": [
            {
                name: value.isoformat() if hasattr(value, "isoformat") else str(value)
                for name, value in one.items()
                if value is not None
            }
            for one in calls
        ],
        "chain": None if head is None else {"block": head.block, "last_sequence": head.last, "hash": head.hash.hex()},
    }


def text_of(found: dict[str, Any], digest: str) -> str:
    """Return the certificate as a text for people. `digest` is the SHA-256 of its JSON file."""
    lines = [
        f"Certificate {found['certificate']} (account {found['account']})",
        "",
        f"Asked for by {found['asked_by']} at {found['asked_at']}; finished at {found['finished_at'] or '(not finished)'}.",
        f"Reason: {found['reason']}",
        f"Numbers asked for: {found['numbers']} (a number is not repeated here).",
        "",
        "Decisions:",
        *(f"  {count} call(s): {WORDS[Reason(reason)]}" for reason, count in sorted(found["decisions"].items())),
        "",
        "Removed:",
        *(f"  {count} {name}" for name, count in found["removed"].items()),
        "",
        f"Reached: {found['reached']}.",
        f"Not reached: {found['not_reached']}.",
        "",
        "Calls:",
    ]
    for one in found["calls"]:
        kept = "".join(
            f", {word} {one[name]}" for word, name in (("by", "kept_by"), ("until", "kept_until")) if name in one
        )
        sealed = f", sealed as record {one['sequence']}" if "sequence" in one else ""
        lines.append(f"  {one['call_id']}: {one['decision']} ({one['reason']}{kept}){sealed}")
    if found["chain"]:
        lines += ["", f"Head of the chain: block {found['chain']['block']}, {found['chain']['hash']}"]
    return "\n".join([*lines, "", f"SHA-256 of the certificate as JSON: {digest}", ""])


def files(path: Path) -> tuple[Path, Path]:
    """Return the two files of a certificate: JSON, and a text beside it. A path that ends with .txt is the text's."""
    return (path.with_suffix(".json") if path.suffix == ".txt" else path), path.with_suffix(".txt")


def check(path: Path | None) -> None:
    """Raise ConfigurationError where a certificate cannot be written at a path (None: under a name of its own, here), or
    where one of its two files exists. It is asked before the first call is erased; a file is made beside it and removed.
    """
    try:
        if path is not None:
            atomic_file.check(path, may_replace=False)
            for one in files(path):
                atomic_file.check(one, may_replace=False)
        atomic_file.try_beside(Path("certificate.json") if path is None else path)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"the certificate cannot be written, so nothing was done: {error.message}",
            advice="name new files in a folder that this user may write to (--certificate FILE; a .txt is written beside it). "
            "A certificate is never replaced, because it may be that of an earlier erasure; an erasure that was interrupted is "
            "finished under another name, too",
        ) from None


def free(folder: Path, kind: str, erasure_id: int) -> Path:
    """Return a name in a folder under which neither file of a certificate exists: `erasure-3.json`, `erasure-3-2.json`, ..."""
    names = (f"{kind}-{erasure_id}{'' if number == 1 else f'-{number}'}.json" for number in count(1))
    return next(path for name in names if not any(map(os.path.lexists, files(path := folder / name))))


def write(path: Path, found: dict[str, Any]) -> tuple[Path, Path]:
    """Write the certificate as JSON, and as a text beside it; return both paths. Each gets its name when both are complete.

    Raises ConfigurationError where one exists or cannot be made, and OutputFailed where there is no room.
    """
    path, beside = files(path)
    content = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    with (
        atomic_file.replacing(beside, may_replace=False) as text,
        atomic_file.replacing(path, may_replace=False) as facts_file,
    ):
        facts_file.write(content.encode())
        text.write(text_of(found, sha256(content.encode()).hexdigest()).encode())
    return path, beside
