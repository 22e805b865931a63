"""Erases calls, and disposes of those whose retention is over: one plan, and one transaction for each call.

`plan` and `disposal_plan` change nothing; a dry run shows what they return. `perform` does it. After a crash, the same
command goes on: calls that are erased are no candidates any more, and the erasure is known by a keyed hash of what was
asked. The list of keyed hashes is written first, so nothing comes back in between.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from replicator.archive import chain, contents, deeds
from replicator.archive.governance import holds, statement_lines
from replicator.archive.governance.plan import Verdict, verdict
from replicator.archive.governance.precedence import Decision
from replicator.archive.governance.suppressing import counted
from replicator.archive.governance.suppression import MARK, Keys, is_reduced, reduced, reduced_bytes
from replicator.archive.kinds import Kind
from replicator.archive.recordings.objects import ObjectHeld
from replicator.archive.sealing import Entry
from replicator.errors import UnknownCall
from replicator.records import Call
from replicator.source.parsing import parse_row
from replicator.store import erased_lines, erasing, governance, sealed_contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    import psycopg

    from replicator.archive.governance.spellings import Spelling
    from replicator.archive.governance.suppression import Counted
    from replicator.archive.governance.suppression_file import SuppressionFile
    from replicator.archive.recordings.objects import Store
    from replicator.store.database import Database


@dataclass(frozen=True, slots=True)
class Tools:
    """What an erasure needs beside the database. `open_store` opens the store of the archive's files, where one is needed."""

    keys: Keys
    file: SuppressionFile
    open_store: Callable[[], AbstractContextManager[Store]]
    pulse: Callable[[], object] = lambda: None
    """Called before each call, or row in quarantine, that is erased: a sign of life."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks to have erased. With `parties_only`, calls that only mention a number are left as they are."""

    account: str
    by: str
    reason: str
    numbers: tuple[Spelling, ...] = ()
    call_ids: tuple[UUID, ...] = ()
    parties_only: bool = False
    restored: tuple[tuple[str, str], ...] = ()
    """Entries (kind, key) of the list's file that the database has lost: they are added when all of it is erased, so that
    a run that breaks off finds them missing again.
    """


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to each call. `unread` are the ids of rows in quarantine that belong to no stored call."""

    kind: Kind
    verdicts: tuple[Verdict, ...]
    unread: tuple[int, ...] = ()

    @property
    def removals(self) -> list[Verdict]:
        return [one for one in self.verdicts if one.is_removal]


@dataclass(slots=True)
class Done:
    """What was done. `removed` counts what was taken away, by what it was."""

    erasure_id: int
    kind: Kind
    verdicts: list[Verdict] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    unread: int = 0

    def count(self, found: dict[str, int]) -> None:
        for name, number in found.items():
            self.removed[name] = self.removed.get(name, 0) + number


# The plan -------------------------------------------------------------------------------------------------------------


def plan(connection: psycopg.Connection[Any], request: Request, keys: Keys, now: datetime) -> Plan:
    """Decide about each call that is asked for. Raises UnknownCall where a call that is named is not stored."""
    known = governance.known_ids(connection, request.account, request.call_ids)
    if missing := set(request.call_ids) - known:
        raise UnknownCall(f"{len(missing)} of the calls are not in the replica of this account, such as {min(missing)}")
    found = _found(connection, request)
    rules = holds.rules(connection, request.account, keys)
    rows = governance.candidates(connection, request.account, sorted(found))
    verdicts = [verdict(holds.candidate(row, keys, found[row[0]]), rules, now, is_erasure_asked=True) for row in rows]
    return Plan(Kind.ERASURE, tuple(verdicts), tuple(_unread(connection, request)))


def _found(connection: psycopg.Connection[Any], request: Request) -> dict[UUID, str]:
    """Return the calls that are concerned, and by what each was found."""
    found: dict[UUID, str] = {}
    numbers = request.numbers
    if numbers and not request.parties_only:
        for call_id, text in governance.texts(connection, request.account):
            if any(number.is_in_text(text) for number in numbers):
                found[call_id] = "mention"
    digits = [one for number in numbers for one in number.digits]
    addresses = [form for number in numbers if not number.code for form in number.forms]
    if numbers:
        of_numbers = governance.calls_of_numbers(connection, request.account, digits, addresses)
        found |= dict.fromkeys(of_numbers, "number")
    return found | dict.fromkeys(request.call_ids, "call")


def _unread(connection: psycopg.Connection[Any], request: Request) -> Iterator[int]:
    """Yield the rows in quarantine that show one of the numbers and belong to no stored call."""
    if not request.numbers:
        return
    for row_id, call_id, raw in governance.quarantined(connection, request.account):
        if call_id is not None and governance.known_ids(connection, request.account, [call_id]):
            continue
        text = raw.decode("utf-8", "replace")
        if not is_reduced(text) and any(number.is_in_text(text) for number in request.numbers):
            yield row_id


def disposal_plan(connection: psycopg.Connection[Any], account: str, keys: Keys | None, now: datetime) -> Plan:
    """Decide about every call: those past their retention, and those whose erasure was asked for and had to wait.

    Calls that stay are no part of the plan, except those whose erasure still waits.
    """
    rules = holds.rules(connection, account, keys)
    key_ids = governance.key_ids(connection, account)
    if key_ids:
        keys = holds.needed(keys, key_ids)
    listed = {key for _, key, _ in governance.all_suppressions(connection, account)} if key_ids else set()
    verdicts: list[Verdict] = []
    for row in governance.candidates(connection, account):
        call = holds.candidate(row, keys, "retention")
        is_asked = (
            keys is not None and bool(listed) and not listed.isdisjoint({keys.of_call(call.id), *call.number_keys})
        )
        if is_asked:
            call = holds.candidate(row, keys, "list")
        one = verdict(call, rules, now, is_erasure_asked=is_asked)
        if one.is_removal or is_asked:
            verdicts.append(one)
    return Plan(Kind.DISPOSAL, tuple(verdicts))


# The deed -------------------------------------------------------------------------------------------------------------


def perform(database: Database, request: Request, planned: Plan, tools: Tools, now: datetime) -> Done:
    """Do what was planned; return what was done. Raises StoreFailed, OutputFailed or a DatabaseError: what is done stays
    done, and the same command does the rest. Calls of which the store holds the audio stay whole; that is raised at the end.
    """
    account, keys = request.account, tools.keys
    selection = keys.of_selection(
        planned.kind, *(form for number in request.numbers for form in number.forms), *map(str, request.call_ids)
    )
    of_numbers = [("number", key) for number in request.numbers for key in keys.of_spelling(number)]
    waiting = [("call", keys.of_call(one.call_id)) for one in planned.verdicts if planned.kind is Kind.ERASURE]
    tools.file.add(account, keys.key_id, [*of_numbers, *waiting])
    with database.transaction() as tx:
        governance.lock(tx, account)
        if not request.restored:
            governance.suppress(tx, account, keys.key_id, [*of_numbers, *waiting], now)
        erasure_id = governance.open_erasure(tx, account, planned.kind, selection)
        if erasure_id is None:
            row = {"account": account, "kind": planned.kind.value, "selection": selection, "by": request.by, "at": now,
                   "reason": request.reason, "numbers": len(request.numbers)}  # fmt: skip
            erasure_id = governance.begin_erasure(tx, row)
        removals = [one.call_id for one in planned.removals]
        sealed, last = erasing.sealed_of(tx, account, removals)
        lines = erased_lines.of_calls(tx, account, removals)
    done, held = Done(erasure_id, planned.kind), list[UUID]()
    with ExitStack() as stack:
        eraser = _Eraser(request, planned.kind, tools, now, erasure_id, stack, lines)
        for one in planned.verdicts:
            tools.pulse()
            try:
                with database.transaction() as tx:
                    became, removed = eraser.erase(tx, one, sealed.get(one.call_id, []), last)
            except ObjectHeld:
                held.append(one.call_id)
                continue
            done.verdicts.append(became)
            done.count(removed)
        for row_id in planned.unread:
            tools.pulse()
            with database.transaction() as tx:
                done.unread += eraser.erase_unread(tx, row_id)
    with database.transaction() as tx:
        _finish(tx, request, done, held, keys, now)
    if held:
        raise ObjectHeld(
            f"the store holds the audio of {len(held)} of {len(planned.removals)} calls, and these are not erased, such as {held[0]}; "
            "the others are"
        )
    return done


def _finish(
    tx: psycopg.Connection[Any], request: Request, done: Done, held: Sequence[UUID], keys: Keys, now: datetime
) -> None:
    """Do what is done once for all calls. With calls that the store holds, the erasure stays unfinished."""
    account = request.account
    governance.lock(tx, account)
    removed_parties = erasing.remove_parties(tx, account)
    kept = [*(one.call_id for one in done.verdicts if not one.is_removal), *held]
    listed = {key for kind, key in request.restored if kind == "number"}
    of_number = statement_lines.remove(tx, account, keys, request.numbers, listed, kept)
    done.count({"pseudonyms": removed_parties, "statement lines": of_number})
    if held:
        return
    governance.suppress(tx, account, keys.key_id, request.restored, now)
    if governance.finish_erasure(tx, done.erasure_id, now):
        deeds.seal(
            tx, account, done.kind, now, by=request.by, reason=request.reason, erasure=done.erasure_id, records=[],
            numbers=len(request.numbers), decisions=_counts(done), unread=done.unread, statement_lines=of_number,
        )  # fmt: skip


def _counts(done: Done) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in done.verdicts:
        found[f"{one.decision}: {one.reason}"] = found.get(f"{one.decision}: {one.reason}", 0) + 1
    return found


@dataclass(slots=True)
class _Eraser:
    """Erases one call after the other, in transactions of the caller."""

    request: Request
    kind: Kind
    tools: Tools
    now: datetime
    erasure_id: int
    stack: ExitStack
    lines: dict[UUID, list[erased_lines.Line]]
    """The lines of statements that name a call, or were matched with it."""
    _store: Store | None = None

    def erase(
        self, tx: psycopg.Connection[Any], planned: Verdict, sequences: Sequence[int], last: int
    ) -> tuple[Verdict, dict[str, int]]:
        """Decide about a call once more, and erase it if nothing keeps it; return the decision and what was removed."""
        account, keys, call_id = self.request.account, self.tools.keys, planned.call_id
        governance.lock(tx, account)
        rows = list(governance.candidates(tx, account, [call_id]))
        if not rows:  # nothing is left of it: another erasure was faster
            governance.decide(tx, self.erasure_id, [_decided(planned, None)], self.now)
            return planned, {}
        rules = holds.rules(tx, account, keys)
        is_asked = self.kind is Kind.ERASURE or planned.decision is Decision.ERASE or planned.found_by == "list"
        now_true = verdict(holds.candidate(rows[0], keys, planned.found_by), rules, self.now, is_erasure_asked=is_asked)
        removed: dict[str, int] = {}
        sequence = None
        if now_true.is_removal:
            removed, records, files = self._remove(tx, call_id, now_true, sequences, last)
            sequence = deeds.seal(
                tx, account, Kind.ERASURE if now_true.decision is Decision.ERASE else Kind.DISPOSAL, self.now,
                subject=call_id, by=self.request.by, reason=self.request.reason, erasure=self.erasure_id, records=records,
                decision=now_true.reason.value, found_by=now_true.found_by, removed=removed,
                besides=_reduced_versions(tx, account, call_id) if records else (),
            )  # fmt: skip
        governance.decide(tx, self.erasure_id, [_decided(now_true, sequence)], self.now)
        if now_true.is_removal:
            self._leave_no_file(files)
        return now_true, removed

    def _remove(
        self, tx: psycopg.Connection[Any], call_id: UUID, found: Verdict, sequences: Sequence[int], last: int
    ) -> tuple[dict[str, int], list[int], list[erasing.File]]:
        account, keys = self.request.account, self.tools.keys
        stored = erasing.payloads(tx, account, call_id)
        assert stored is not None  # noqa: S101 - the call is a candidate of this transaction
        current, versions = stored
        found_counted = counted(tx)
        erasing.reduce_call(
            tx,
            call_id,
            _reduced_text(call_id, current, found_counted),
            {number: _reduced_text(call_id, raw, found_counted) for number, raw in versions.items()},
        )
        segments, history = erasing.remove_details(tx, call_id)
        unread = [
            (row_id, *_quarantined(keys, call_id, name, raw))
            for row_id, name, raw in erasing.quarantined_of(tx, account, call_id)
            if not is_reduced(raw.decode("utf-8", "replace"))
        ]
        erasing.remove_quarantined(tx, unread)
        records = erasing.unseal(tx, account, [*sequences, *erasing.sealed_since(tx, account, call_id, last)])
        state = "erased" if found.decision is Decision.ERASE else "disposed"
        files = erasing.remove_object(tx, account, call_id, state)
        entries = [("call", keys.of_call(call_id))]
        if governance.suppress(tx, account, keys.key_id, entries, self.now):
            self.tools.file.add(account, keys.key_id, entries)
        removed = {"calls": 1, "versions": len(versions), "segments": segments, "earlier transcripts": history,
                   "rows in quarantine": len(unread), "sealed records": len(records),
                   "statement lines": erased_lines.remove(tx, self.lines.get(call_id, []))}  # fmt: skip
        kept = [one for one in files if not one.is_shared and not one.is_putting]
        missing = sum(self._opened().size(one.place) is None for one in kept)
        removed["audio files"] = len(kept) - missing
        if missing:
            removed["audio files that the store did not have"] = missing
        return removed, records, files

    def _opened(self) -> Store:
        """Return the store, opened when it is first needed."""
        if self._store is None:
            self._store = self.stack.enter_context(self.tools.open_store())
        return self._store

    def _leave_no_file(self, files: Iterable[erasing.File]) -> None:
        """Remove the audio, last before the commit: if the commit fails, the next attempt erases the rest of the call."""
        for one in files:
            if not one.is_shared:
                self._opened().remove(one.place)

    def erase_unread(self, tx: psycopg.Connection[Any], row_id: int) -> int:
        """Take the bytes of a row in quarantine that belongs to no stored call away; return how many rows that were."""
        account, keys = self.request.account, self.tools.keys
        governance.lock(tx, account)
        found = [one for one in governance.quarantined(tx, account) if one[0] == row_id]
        if not found or is_reduced(found[0][2].decode("utf-8", "replace")):
            return 0
        raw = found[0][2]
        entries = [("payload", keys.of_payload(raw))]
        self.tools.file.add(account, keys.key_id, entries)
        governance.suppress(tx, account, keys.key_id, entries, self.now)
        text = reduced_bytes(keys, raw)
        erasing.remove_quarantined(tx, [(row_id, text, sha256(text).digest())])
        return 1


def _decided(one: Verdict, sequence: int | None) -> tuple[Any, ...]:
    return (one.call_id, one.decision, one.reason, one.found_by, one.kept_by, one.kept_until, sequence)


def _reduced_versions(tx: psycopg.Connection[Any], account: str, call_id: UUID) -> list[Entry]:
    """Return what is to be sealed of a call's reduced versions, so that they can be verified instead of the former ones."""
    numbers = erasing.versions_of(tx, call_id)
    current = max((number for number, is_late in numbers if not is_late), default=None)
    wanted = [(call_id, number, number == current) for number, _ in numbers]
    found = [contents.CallFacts(*row) for row in sealed_contents.calls(tx, wanted)] if wanted else []
    return [Entry(Kind.CALL, call_id, one.observed_at, contents.of_call(account, one)) for one in found]


def _reduced_text(call_id: UUID, raw: str, rules: Counted) -> erasing.Reduced:
    """Return the reduced form of a stored payload."""
    found = parse_row(raw.encode())
    if isinstance(found, Call):
        short = reduced(found, rules)
        return erasing.Reduced(short.raw, short.fingerprint, short.context)
    text = chain.canonical({"id": str(call_id), MARK: True})  # an earlier release could read it, and this one cannot
    return erasing.Reduced(text.decode(), sha256(text).digest(), None)


def _quarantined(keys: Keys, call_id: UUID, name: str | None, raw: bytes) -> tuple[bytes, bytes]:
    """Return what stands in quarantine instead of a call's bytes, and the SHA-256 by which store/quarantine.py knows it."""
    text = reduced_bytes(keys, raw)
    return text, sha256(text if name is None else f"{call_id} {name}\0".encode() + text).digest()
