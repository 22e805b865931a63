"""Pseudonyms of phone numbers: the same number of the same account, the same key; without our secret, nothing to guess.

There are few phone numbers, so a plain hash of one is undone by trying them all. The secret lies outside of the database
(settings, or beside the embedded one), and only the pseudonyms go in, each in the transaction that stores its call.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replicator.store import lease, parties

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from threading import Event

    import psycopg

    from replicator.store.database import Database
    from replicator.store.lease import Lease
    from replicator.store.rows import CallRow

BITS = 128
LONGEST = 200
"""Characters of what may be a number or an address; anything longer has no pseudonym (and would fit no index)."""
BATCH_CALLS = 20_000


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """What makes pseudonyms: a secret, and what is told of it."""

    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """A name of the secret that says when it was changed, and not what it is."""
        return hmac.digest(self.secret, b"truedy-replicator key id", "sha256").hex()[:16]

    def of(self, account: str, number: str) -> str | None:
        """Return the pseudonym of a number as it was received, spaces around it aside; None where there is none."""
        trimmed = number.strip()
        if not trimmed or len(number) > LONGEST:
            return None
        message = b"truedy-replicator party\0" + account.encode() + b"\0" + trimmed.encode()
        return hmac.digest(self.secret, message, "sha256").hex()[: BITS // 4]

    def of_all(self, account: str, numbers: Iterable[str | None]) -> dict[str, str]:
        """Return the pseudonyms of these numbers, by number as it is stored, in an order that is the same for all."""
        found = {number: self.of(account, number) for number in {number for number in numbers if number}}
        return {number: key for number, key in sorted(found.items()) if key is not None}


def name_parties(
    tx: psycopg.Connection[Any], account: str, rows: Sequence[CallRow], pseudonyms: Pseudonyms | None
) -> None:
    """Store the pseudonyms of the numbers of calls that are written, where they are not known."""
    if pseudonyms is not None and rows:
        numbers = (number for row in rows for number in (row.call.phone_number, row.call.from_number))
        parties.add(tx, account, pseudonyms.key_id, pseudonyms.of_all(account, numbers))


def catch_up(
    database: Database, held: Lease, account: str, pseudonyms: Pseudonyms | None, stop: Event | None = None
) -> Pseudonyms | None:
    """Where the secret is new or another than before, give every stored number its pseudonym; return what was given.

    Pseudonyms of another secret are gone at once, so none is ever mistaken for one of this. The rest goes in batches by call
    id, each a transaction under the lease: little memory, no long lock. Interrupted, it is begun again by the next run.
    """
    with database.transaction() as tx:
        lease.hold(tx, held)
        if parties.known_key_id(tx, account) == (pseudonyms.key_id if pseudonyms else None):
            return pseudonyms
        parties.note_key_id(tx, account, None)
        if pseudonyms is not None:
            parties.forget(tx, account, pseudonyms.key_id)
    after, is_more = None, pseudonyms is not None
    while is_more and pseudonyms is not None and not (stop is not None and stop.is_set()):
        with database.transaction() as tx:
            lease.hold(tx, held)
            calls = parties.numbers(tx, account, after, BATCH_CALLS)
            keys = pseudonyms.of_all(account, (number for _, *both in calls for number in both))
            parties.add(tx, account, pseudonyms.key_id, keys)
            is_more = len(calls) == BATCH_CALLS
            after = calls[-1][0] if calls else None
            if not is_more:
                parties.note_key_id(tx, account, pseudonyms.key_id)
    return pseudonyms
