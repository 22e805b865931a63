"""Places and releases holds, sets retention classes, and reads the rules that all decisions use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replicator.archive import deeds
from replicator.archive.governance.plan import Candidate, Hold, Rules, kept_until
from replicator.archive.governance.retention import Basis, Keep, Mode, RetentionClass, binding, check_name, refusal
from replicator.archive.kinds import Kind
from replicator.errors import ConfigurationError, UnknownCall
from replicator.store import governance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from replicator.archive.governance.spellings import Spelling
    from replicator.archive.governance.suppression import Keys
    from replicator.store.database import Database

ANOTHER_KEY = ConfigurationError(
    "the archive's keyed hashes of numbers and calls were made with another secret, or the secret is not set",
    advice="give the secret with which they were made: REPLICATOR_PSEUDONYM_KEY (or _FILE), or, where that was changed since, "
    "the old one in REPLICATOR_ARCHIVE_SUPPRESSION_KEY_FILE",
)
BATCH = 2000


def needed(keys: Keys | None, key_ids: Sequence[str]) -> Keys:
    """Return the maker of keyed hashes. Raises ConfigurationError where it is not the one that made those of the database."""
    if keys is None or any(one != keys.key_id for one in key_ids):
        raise ConfigurationError(ANOTHER_KEY.message, advice=ANOTHER_KEY.hint)
    return keys


def rules(connection: psycopg.Connection[Any], account: str, keys: Keys | None) -> Rules:
    """Return the holds and retention classes of an account.

    Raises ConfigurationError where a hold is by number and its secret is not known: then it is not known what it covers.
    """
    rows = governance.holds(connection, account)
    if key_ids := [row["key_id"] for row in rows if row["key_id"] is not None]:
        needed(keys, key_ids)
    held = [
        Hold(
            row["name"],
            frozenset(row["call_ids"]),
            frozenset(row["number_keys"]),
            row["agent_id"],
            row["since"],
            row["until"],
        )
        for row in rows
    ]
    return Rules(held, binding(versions(connection, account)))


def versions(connection: psycopg.Connection[Any], account: str) -> list[RetentionClass]:
    """Return every version of an account's retention classes."""
    return [
        RetentionClass(
            row["name"], row["version"], Basis(row["basis"]), Mode(row["mode"]), Keep(row["keep_months"], row["keep_days"]),
            row["direction"], row["agent_id"], row["campaign_id"],
        )
        for row in governance.retention_versions(connection, account)
    ]  # fmt: skip


def candidate(row: tuple[Any, ...], keys: Keys | None, found_by: str = "call") -> Candidate:
    """Return a row of governance.candidates as what the decisions read."""
    call_id, created_at, ended_at, direction, agent_id, campaign_id, called, calling, is_deleted = row
    hashes = frozenset(keys.of_number(one) for one in (called, calling) if one) if keys is not None else frozenset()
    return Candidate(
        call_id,
        created_at,
        ended_at,
        direction,
        agent_id,
        campaign_id,
        hashes,
        is_deleted_at_source=is_deleted,
        found_by=found_by,
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """What a hold covers. `until` is not included."""

    call_ids: tuple[UUID, ...] = ()
    numbers: tuple[Spelling, ...] = ()
    agent_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


def check_selection(selection: Selection) -> None:
    """Raise ConfigurationError where a hold of this selection could never cover a call: it would protect nothing."""
    if not any((selection.call_ids, selection.numbers, selection.agent_id, selection.since, selection.until)):
        raise ConfigurationError(
            "the hold would cover nothing", advice="name calls, numbers, an agent, or days with --since and --until"
        )
    if selection.since is not None and selection.until is not None and selection.since >= selection.until:
        raise ConfigurationError(
            "--since is a later day than --until, so the hold would cover nothing; none was placed",
            advice="both days are included; for one day, give it twice",
        )


def place(
    database: Database,
    account: str,
    name: str,
    selection: Selection,
    keys: Keys | None,
    *,
    by: str,
    reason: str,
    at: datetime,
) -> int:
    """Place a hold; return how many stored calls it covers now.

    Raises ConfigurationError where the name is taken or nothing is selected, and UnknownCall for a call that is not stored.
    """
    check_name(name)
    reason = deeds.reason_of(reason, selection.numbers)
    check_selection(selection)
    hashes = sorted({one for number in selection.numbers for one in needed(keys, []).of_spelling(number)})
    key_id = keys.key_id if hashes and keys is not None else None
    hold = Hold(
        name, frozenset(selection.call_ids), frozenset(hashes), selection.agent_id, selection.since, selection.until
    )
    with database.connection() as connection:  # a look at each call, for which no sync has to wait
        covered = sum(hold.covers(candidate(row, keys)) for row in governance.candidates(connection, account))
    with database.transaction() as tx:
        governance.lock(tx, account)
        missing = set(selection.call_ids) - governance.known_ids(tx, account, selection.call_ids)
        if missing:
            raise UnknownCall(f"{len(missing)} of the calls are not stored, such as {min(missing)}")
        row = {
            "account": account, "name": name, "reason": reason, "by": by, "at": at, "call_ids": list(selection.call_ids),
            "number_keys": hashes, "key_id": key_id, "agent_id": selection.agent_id, "since": selection.since,
            "until": selection.until, "calls": covered,
        }  # fmt: skip
        if not governance.add_hold(tx, row):
            raise ConfigurationError(
                f"there is a hold {name} already", advice="choose another name; a released one keeps its name, too"
            )
        deeds.seal(
            tx, account, Kind.HOLD, at, by=by, reason=reason, name=name, calls=covered,
            call_ids=[str(one) for one in selection.call_ids], number_keys=hashes,
            agent_id=None if selection.agent_id is None else str(selection.agent_id),
            since=None if selection.since is None else selection.since.isoformat(),
            until=None if selection.until is None else selection.until.isoformat(),
        )  # fmt: skip
    return covered


def release(database: Database, account: str, name: str, *, by: str, reason: str, at: datetime) -> None:
    """Release a hold. What other holds and retention keep stays. Raises ConfigurationError where there is none."""
    reason = deeds.reason_of(reason)
    with database.transaction() as tx:
        governance.lock(tx, account)
        if not governance.release_hold(tx, account, name, by, reason, at):
            raise ConfigurationError(
                f"there is no hold {name} that is not released", advice="list them: replicator archive hold list"
            )
        deeds.seal(tx, account, Kind.RELEASE, at, by=by, reason=reason, name=name)


def set_class(database: Database, account: str, new: RetentionClass, *, by: str, reason: str, at: datetime) -> int:
    """Add a version of a retention class, and prolong the terms of stored files; return its number.

    Raises ConfigurationError where an earlier version is in mode compliance and would be shortened.
    """
    check_name(new.name)
    with database.transaction() as tx:
        governance.lock(tx, account)
        everything = versions(tx, account)
        earlier = [one for one in everything if one.name == new.name]
        if (why := refusal(earlier, new)) is not None:
            raise ConfigurationError(
                f"the class {new.name} is in mode compliance, and is never shortened: {why}",
                advice="a longer time, or a wider selection, is possible; another class never shortens it either",
            )
        number = 1 + max((one.version for one in earlier), default=0)
        facts = {
            "name": new.name, "version": number, "basis": new.basis.value, "mode": new.mode.value, "keep_months": new.keep.months,
            "keep_days": new.keep.days, "direction": new.direction,
            "agent_id": None if new.agent_id is None else str(new.agent_id), "campaign_id": new.campaign_id,
        }  # fmt: skip
        governance.add_retention(
            tx, {**facts, "agent_id": new.agent_id, "account": account, "by": by, "at": at, "reason": reason}
        )
        # Before the chain is locked: a run that stores a recording locks its row first, and then the chain.
        prolong(tx, account)
        deeds.seal(tx, account, Kind.CONFIGURATION, at, by=by, reason=reason, retention=facts)
    return number


def prolong(tx: psycopg.Connection[Any], account: str, ids: Sequence[UUID] | None = None) -> int:
    """Prolong the terms of files (of all calls, or of these) to what the classes say now; return how many were prolonged."""
    binding_now = Rules(classes=binding(versions(tx, account)))
    if not binding_now.classes:
        return 0
    terms = [
        (row[0], until)
        for row in governance.candidates(tx, account, ids)
        if (until := kept_until(candidate(row, None), binding_now)) is not None
    ]
    parts = (terms[place : place + BATCH] for place in range(0, len(terms), BATCH))
    return sum(governance.write_terms(tx, account, part) for part in parts)
