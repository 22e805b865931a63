"""Erases once more what a restored database has brought back: the list beside the keys says what that is.

A database that was restored from an earlier state lacks the newest entries of its own list. So each run compares the two
lists first. The calls that only the file names are erased again, in the same way and with records of their own, and
then the table has these entries too: while one of them is missing, no run begins. What only the table has (another host erased it) is added to the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replicator.archive import deeds
from replicator.archive.governance import holds
from replicator.archive.governance.erasure import Done, Plan, Request, Tools, perform
from replicator.archive.governance.plan import verdict
from replicator.archive.governance.suppression import is_reduced
from replicator.archive.kinds import Kind
from replicator.errors import ConfigurationError, RightMissing
from replicator.store import governance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime

    import psycopg

    from replicator.archive.governance.suppression import Keys
    from replicator.archive.governance.suppression_file import SuppressionFile
    from replicator.archive.recordings.objects import Store
    from replicator.store.database import Database

REASON = "restored: the list of what was erased names it"
BY = "replicator"


@dataclass(frozen=True, slots=True)
class Guard:
    """Keeps the two lists together. `keys` is None where no secret is set."""

    keys: Keys | None
    open_file: Callable[[], SuppressionFile]
    """Called only where the file is looked at: its default folder need not exist for everybody."""
    open_store: Callable[[], AbstractContextManager[Store]]
    settings: Mapping[str, Any] | None = None
    """The archive's settings, of which a change is sealed at the start of a run; None: not looked at."""
    by: str = BY
    looks_always: bool = True
    """Whether the file is read even where the table is empty, as it is in a database from before the first erasure."""

    def begin(
        self, database: Database, account: str, now: datetime, pulse: Callable[[], object] = lambda: None
    ) -> None:
        """Do what a run of the account has to do first: see the settings, and erase again what a restore has brought back.

        `pulse` is called for each call, or row in quarantine, that is looked at or erased: it is a sign of life.
        """
        if self.settings is not None:
            with database.transaction() as tx:
                deeds.note_settings(tx, account, self.settings, now, by=self.by)
        self.reapply(database, account, now, pulse)

    def reapply(
        self, database: Database, account: str, now: datetime, pulse: Callable[[], object] = lambda: None
    ) -> Done | None:
        """Bring the two lists together, and erase again what the database did not know; return what was erased, if any.
        `pulse` is as for `begin`.

        Raises ConfigurationError where the secret of one of the lists is not known, or the user may not erase.
        """
        with database.connection() as connection:
            table = governance.all_suppressions(connection, account)
        if not table and not self.looks_always:
            return None
        file = self.open_file()
        lines = file.read(account)
        if not lines and not table:
            return None
        keys = holds.needed(self.keys, [line[2] for line in (*lines, *table)])
        file.add(account, keys.key_id, sorted({line[:2] for line in table} - {line[:2] for line in lines}))
        new = {line[:2] for line in lines} - {line[:2] for line in table}
        if not new:
            return None
        with database.connection() as connection:
            planned = _plan(connection, account, keys, new, now, pulse)
        request = Request(account, BY, REASON, restored=tuple(sorted(new)))
        try:
            if not planned.verdicts and not planned.unread:
                with database.transaction() as tx:
                    governance.suppress(tx, account, keys.key_id, sorted(new), now)
                return None
            return perform(database, request, planned, Tools(keys, file, self.open_store, pulse), now)
        except RightMissing as error:
            raise ConfigurationError(
                "the database was restored from an earlier state, and has calls that were erased since; this user may not erase "
                f"them: {error.message}",
                advice="run `replicator archive reapply` as a member of the archivist, then this command again",
            ) from None


def _plan(
    connection: psycopg.Connection[Any],
    account: str,
    keys: Keys,
    new: set[tuple[str, str]],
    now: datetime,
    pulse: Callable[[], object],
) -> Plan:
    """Decide about the stored calls that the new entries of the list name."""
    names = {key for _, key in new}
    rules = holds.rules(connection, account, keys)
    found = []
    for row in governance.candidates(connection, account):
        pulse()
        call = holds.candidate(row, keys, "list")
        if not names.isdisjoint({keys.of_call(call.id), *call.number_keys}):
            found.append(verdict(call, rules, now, is_erasure_asked=True))
    unread = []
    for row_id, _, raw in governance.quarantined(connection, account):
        pulse()
        if keys.of_payload(raw) in names and not is_reduced(raw.decode("utf-8", "replace")):
            unread.append(row_id)
    return Plan(Kind.ERASURE, tuple(found), tuple(unread))
