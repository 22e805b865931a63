"""Writes the signed head of a chain outside of the database, and reads such heads again.

What lies after the newest head outside is the open window: whoever owns the database can rewrite it without a trace. A
time-stamping authority that is down does not hold up anything: the head is written, and its token is asked for later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from replicator.archive import sealing
from replicator.archive.heads import signing, timestamps
from replicator.archive.verification.verification import Fault
from replicator.errors import AuthorityUnavailable, OutputFailed
from replicator.store import sealed_heads

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from replicator.archive.heads.anchor_places import Place
    from replicator.archive.heads.signing import SignedHead, Signer
    from replicator.archive.verification.verification import Head
    from replicator.store.database import Database

HEAD, TOKEN = ".head.json", ".tsr"


@dataclass(frozen=True, slots=True)
class Anchored:
    """What an anchoring did. `block` is None where nothing is sealed yet."""

    block: int | None = None
    last_sequence: int = 0
    file: str = ""
    tokens: int = 0
    """Tokens that came in, also for earlier heads."""
    waiting: int = 0
    """Heads that still wait for a token."""
    token_error: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The heads of an account that lie outside, and what is wrong with files there."""

    heads: tuple[Head, ...]
    faults: tuple[Fault, ...]
    tokens: int = 0
    key: str | None = None
    """The public key that signed them."""


def stem(account: str, block: int) -> str:
    """Return the name of a head's file without its ending. It begins the same for all heads of an account."""
    return f"{prefix(account)}{block:012d}"


def prefix(account: str) -> str:
    """Return how the names of an account's heads begin: readable, and different for each account."""
    plain = re.sub(r"[^a-z0-9]+", "-", account.lower())[:40].strip("-")
    return f"{plain}-{sha256(account.encode()).hexdigest()[:8]}-"


def anchor(
    database: Database,
    account: str,
    signer: Signer,
    place: Place,
    now: Callable[[], datetime],
    *,
    authority: str | None = None,
) -> Anchored:
    """Write the newest head of an account to a place, and ask for the tokens that are waited for.

    Raises OutputFailed where the place has a different head of the same block, or cannot be written.
    """
    with database.connection() as connection:
        block = sealing.head(connection, account)
    if block is None:
        return Anchored()
    name = stem(account, block.block) + HEAD
    content = place.put(name, signer.sign(block, now()).encode())
    try:
        there = signing.read(content.decode(), name)
    except ValueError as error:
        raise OutputFailed(
            f"{name} in {place.name} is no head: {error}", advice="look who wrote it; it is not replaced"
        ) from None
    if (there.head.account, there.head.hash) != (account, block.hash):
        raise OutputFailed(
            f"{place.name} has another head of block {block.block}: the chain was rewritten, or it is another archive's",
            advice=f"run: replicator archive verify --anchors {place.name}",
        )
    with database.transaction() as tx:
        sealed_heads.note(tx, account, block.block, place.name, there.text, now(), authority)
    tokens, waiting, why = ask_tokens(database, account, place)
    return Anchored(block.block, block.last, name, tokens, waiting, why)


def ask_tokens(database: Database, account: str, place: Place) -> tuple[int, int, str | None]:
    """Ask for the tokens that heads in a place wait for; return (how many came in, how many still wait, why).

    After the first one that fails, the authority is left alone.
    """
    with database.connection() as connection:
        heads = [row for row in sealed_heads.waiting(connection, account) if row[1] == place.name]
    came = 0
    for block, where, text, authority in heads:
        try:
            token, at = timestamps.ask(authority, text)
        except AuthorityUnavailable as error:
            with database.transaction() as tx:
                sealed_heads.note_token(tx, account, block, where, None, None, error.message)
            return came, len(heads) - came, error.message
        place.put(stem(account, block) + TOKEN, token)
        with database.transaction() as tx:
            sealed_heads.note_token(tx, account, block, where, token, at, None)
        came += 1
    return came, 0, None


def find(account: str, place: Place, *, key: str | None = None, roots: bytes | None = None) -> Found:
    """Read the heads of an account that lie in a place. `key` is the public key that must have signed them (None: the one
    of the first head). With `roots` (PEM), the tokens beside them must be signed under one of these certificates.

    A place without a head is a fault of its own: a comparison with nothing would find nothing.
    """
    heads: list[Head] = []
    faults: list[Fault] = []
    tokens, own = 0, key
    for name, content in place.all(prefix(account), HEAD):
        try:
            signed = signing.read(content.decode("utf-8", "replace"), name)
        except ValueError as error:
            faults.append(Fault(None, "head_file", f"{name} is no head: {error}"))
            continue
        own = own or signed.key
        if signed.key != own:
            faults.append(Fault(None, "head_key", f"{name} is signed by another key ({signed.key})"))
        elif signed.head.account == account:
            heads.append(signed.head)
            came, wrong = _token(name, signed, place, roots)
            tokens, faults = tokens + came, faults + wrong
    if not heads and not faults:
        faults.append(
            Fault(None, "no_head", f"no head of the account {account} lies in {place.name}: look at the address")
        )
    return Found(tuple(heads), tuple(faults), tokens, own)


def _token(name: str, signed: SignedHead, place: Place, roots: bytes | None) -> tuple[int, list[Fault]]:
    token = place.get(name.removesuffix(HEAD) + TOKEN)
    if token is None:
        return 0, []
    try:
        timestamps.stated_at(token, signed.text) if roots is None else timestamps.check(token, signed.text, roots)
    except ValueError as error:
        return 0, [Fault(None, "token", f"the time stamp of {name} is wrong: {error}")]
    return 1, []


def kept(database: Database, account: str) -> Found:
    """Return the heads that the database itself keeps. Its owner can change them, so they find less than heads outside."""
    with database.connection() as connection:
        rows = sealed_heads.stored(connection, account)
    heads, faults = [], []
    for block, _, text, _ in rows:
        try:
            signed = signing.read(text, "in the database")
        except ValueError as error:
            faults.append(Fault(None, "head_row", f"the stored head of block {block} is wrong: {error}"))
            continue
        if (signed.head.account, signed.head.block) == (account, block):
            heads.append(replace(signed.head, where="in the database"))
        else:
            faults.append(Fault(None, "head_row", f"the stored head of block {block} is of another chain"))
    return Found(tuple(heads), tuple(faults))


__all__ = ["HEAD", "TOKEN", "Anchored", "Found", "anchor", "ask_tokens", "find", "kept", "prefix", "stem"]
