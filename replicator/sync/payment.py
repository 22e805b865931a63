"""Has the calls and transcripts of a transaction looked at for payment data before they are sealed (archive/payment_watch)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from replicator.archive.payment.payment_rules import PaymentData

if TYPE_CHECKING:
    import psycopg

    from replicator.archive.payment.payment_watch import Watch
    from replicator.sync.content.calls import Settled


@dataclass(slots=True)
class Watching:
    """The rules of a run, read when they are first needed. A watch is for one transaction, which may be done again."""

    account: str
    mode: PaymentData = PaymentData.KEEP
    _rules: Watch | None = None

    def begin(self, tx: psycopg.Connection[Any]) -> Watch:
        """Return the watch of a transaction."""
        from replicator.archive.payment.payment_watch import Watch  # noqa: PLC0415 - a run without the archive loads none of it

        if self._rules is None:
            self._rules = Watch.load(tx, self.account, self.mode)
        return self._rules.anew()

    def reload(self) -> None:
        """Read the rules again at the next transaction, because rows may have changed."""
        self._rules = None


def watched(settled: Settled, watch: Watch) -> Settled:
    """Return the calls and versions as they have to be stored. One object stays one object: its row and its version are
    compared by identity.
    """
    stored = {id(row.call): watch.call(row.call, is_new=row.is_new) for row in settled.calls}
    if watch.mode is PaymentData.KEEP:
        return settled
    for version in settled.versions:
        if id(version.call) not in stored:
            stored[id(version.call)] = watch.version(version.call)
    return replace(
        settled,
        calls=tuple(replace(row, call=stored[id(row.call)]) for row in settled.calls),
        versions=tuple(replace(row, call=stored[id(row.call)]) for row in settled.versions),
    )


__all__ = ["Watching", "watched"]
