"""Pseudonyms of phone numbers: the same number in the same account always gets the same key, made with a secret.

There are few phone numbers, so a plain hash could be reversed by trying all of them. Therefore the pseudonym is an HMAC
with a secret that is kept outside of the database (in the settings, or beside the embedded server). Only pseudonyms are
stored, each in the transaction that stores its call.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replicator.store import lease, parties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from threading import Event

    import psycopg

    from replicator.store.database import Database
    from replicator.store.lease import Lease
    from replicator.store.rows import CallRow

BITS = 128
LONGEST = 200
"""The longest number or address, in characters, that gets a pseudonym: a longer one would fit no index."""
BATCH_CALLS = 20_000


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Makes pseudonyms from a secret."""

    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """An id of the secret: it changes when the secret changes, and does not reveal the secret."""
        return hmac.digest(self.secret, b"truedy-replicator key id", "sha256").hex()[:16]

    def of(self, account: str, number: str) -> str | None:
        """Return the pseudonym of a number as received, without spaces around it; None where it is
        empty or too long.
        """
        trimmed = number.strip()
        if not trimmed or len(number) > LONGEST:
            return None
        message = b"truedy-replicator party\0" + account.encode() + b"\0" + trimmed.encode()
        return hmac.digest(self.secret, message, "sha256").hex()[: BITS // 4]

    def of_all(self, account: str, numbers: Iterable[str | None]) -> dict[str, str]:
        """Return {number as stored: pseudonym}, sorted by number, so that all writers use the same order."""
        found = {number: self.of(account, number) for number in {number for number in numbers if number}}
        return {number: key for number, key in sorted(found.items()) if key is not None}


def name_parties(
    tx: psycopg.Connection[Any], account: str, rows: Sequence[CallRow], pseudonyms: Pseudonyms | None
) -> None:
    """Store the pseudonyms of the phone numbers of these calls, where they are not stored yet."""
    if pseudonyms is not None and rows:
        numbers = (number for row in rows for number in (row.call.phone_number, row.call.from_number))
        parties.add(tx, account, pseudonyms.key_id, pseudonyms.of_all(account, numbers))


def catch_up(
    database: Database,
    held: Lease,
    account: str,
    pseudonyms: Pseudonyms | None,
    stop: Event | None = None,
    pulse: Callable[[], object] = lambda: None,
) -> Pseudonyms | None:
    """Give every stored number its pseudonym, if the secret is new or has changed; return `pseudonyms`.

    The pseudonyms of another secret are deleted first, so they cannot be mixed with the new ones. The rest is done in
    batches by call id, each in its own transaction under the lease: this needs little memory and holds no lock for
    long. If it is interrupted, the next run begins it again. `pulse` is called before each batch: it is a sign of life.
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
        pulse()
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
