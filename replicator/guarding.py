"""Builds from the settings what keeps out what was erased, and what seals who reads and exports content."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from replicator import assembly

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from uuid import UUID

    import psycopg

    from replicator.archive.governance.restoring import Guard
    from replicator.archive.governance.suppression import Keys
    from replicator.archive.governance.suppression_file import SuppressionFile
    from replicator.archive.recordings.objects import Store
    from replicator.settings import Settings
    from replicator.store.closes import Close
    from replicator.store.database import Database


def suppression_keys(settings: Settings) -> Keys | None:
    """Return the maker of the keyed hashes of what was erased, or None where no secret is set."""
    from replicator.archive.governance.suppression import Keys

    key = settings.suppression_key()
    if key is not None:
        return Keys(key)
    found = assembly.pseudonyms(settings)
    return None if found is None else Keys(found.secret)


def guard(settings: Settings) -> Guard:
    """Return what keeps out what was erased. The embedded database exists by now."""
    from replicator.archive import deeds
    from replicator.archive.governance.restoring import Guard

    # Each setting of the archive, as whoever adds one will not think of this place.
    seen = {
        name.removeprefix("replicator_"): str(value)
        for name in type(settings).model_fields
        if name.startswith("replicator_archive") or name == "replicator_account"
        if (value := getattr(settings, name)) is not None
    }
    by = deeds.actor(settings.replicator_actor)
    return Guard(
        suppression_keys(settings),
        partial(suppression_file, settings),
        partial(archive_store, settings),
        seen,
        by,
        looks_always=settings.is_archived or settings.replicator_archive_suppressions is not None,
    )


def refuse_erased(database: Database, call_id: UUID) -> None:
    """Raise UnknownCall where the call is erased: nothing of it is asked for again."""
    from replicator.errors import UnknownCall
    from replicator.store import governance

    with database.connection() as connection:
        if governance.erased_ids(connection, [call_id]):
            raise UnknownCall(f"call {call_id} is erased", advice="see: replicator archive log --call ID")


def seal_read(
    settings: Settings, database: Database, what: str, reason: str | None, *, call_id: UUID | None = None, **more: Any
) -> None:
    """Seal that somebody reads or exports content, where the archive is on. Nothing may be shown before it returns."""
    from datetime import UTC, datetime

    from replicator.archive import deeds
    from replicator.archive.kinds import Kind

    if not settings.is_archived:
        return
    given = reason or settings.replicator_reason
    with database.transaction() as tx:
        deeds.seal(
            tx, settings.replicator_account, Kind.EXPORT if what == "export" else Kind.READ, datetime.now(UTC),
            by=deeds.actor(settings.replicator_actor), reason=deeds.reason_of(given) if given else "(not given)",
            subject=call_id, what=what, **more,
        )  # fmt: skip


def sealing_close(settings: Settings) -> Callable[[psycopg.Connection[Any], Close, bytes], object] | None:
    """Return what seals the close of a month, in its transaction; None where the archive is off."""
    from replicator.archive import sealing
    from replicator.archive.kinds import Kind

    if not settings.is_archived:
        return None

    def seal(tx: psycopg.Connection[Any], close: Close, content: bytes) -> object:
        entry = sealing.Entry(Kind.MONTH_CLOSE, None, close.closed_at, content)
        return sealing.append(tx, close.account, [entry], close.closed_at)

    return seal


def suppression_file(settings: Settings) -> SuppressionFile:
    """Return the list of what was erased that is kept beside the keys."""
    from replicator.archive.governance.suppression_file import SuppressionFile

    chosen = settings.replicator_archive_suppressions
    return SuppressionFile(
        assembly.data_dir(settings) / "suppressions.jsonl" if chosen is None else chosen.expanduser()
    )


def archive_store(settings: Settings) -> AbstractContextManager[Store]:
    """Return a context manager that opens the store of the archive's files."""
    from replicator.archive.recordings import stores

    return stores.opened(settings.replicator_archive_store, assembly.data_dir(settings))


__all__ = [
    "archive_store",
    "guard",
    "refuse_erased",
    "seal_read",
    "sealing_close",
    "suppression_file",
    "suppression_keys",
]
