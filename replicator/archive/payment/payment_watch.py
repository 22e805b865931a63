"""Looks for payment data and for the recording notice in what a transaction stores, before it is sealed; stores what was found.

The findings are written in the transaction that writes the texts. REPLICATOR_ARCHIVE_PAYMENT_DATA says what happens to
the texts themselves. `scan` looks at what was stored while the archive was off.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from replicator.archive.payment.disclosure import DisclosureRule, DisclosureRules
from replicator.archive.payment.payment_data import Found, Glance, find, glance, may_hold
from replicator.archive.payment.payment_masking import ALONE, masked_call, masked_transcript
from replicator.archive.payment.payment_numbers import Text
from replicator.archive.payment.payment_rules import PaymentData, Rule, RuleKind, Rules
from replicator.records import Segment
from replicator.store import stored_payment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from replicator.records import Call, Transcript
    from replicator.store.database import Database
    from replicator.store.rows import DetailRow
    from replicator.store.stored_payment import FindingRow

SCANNED_AT_ONCE = 500
"""Calls that one transaction of a scan looks at."""


@dataclass(slots=True)
class Watch:
    """Looks at what one transaction stores for one account."""

    account: str
    rules: Rules
    notices: DisclosureRules
    mode: PaymentData = PaymentData.KEEP
    _calls: list[Call] = field(default_factory=list)
    _transcripts: list[tuple[UUID, Transcript]] = field(default_factory=list)
    """What is stored as it came, and is not looked at yet."""
    _found: list[FindingRow] = field(default_factory=list)
    _renewed: dict[str, list[UUID]] = field(default_factory=dict)
    """By place, the calls whose texts may have been looked at before."""
    _contexts: list[UUID] = field(default_factory=list)
    _noticed: list[tuple[UUID, int, str]] = field(default_factory=list)
    _renewed_notices: list[UUID] = field(default_factory=list)

    @classmethod
    def load(cls, tx: psycopg.Connection[Any], account: str, mode: PaymentData = PaymentData.KEEP) -> Watch:
        """Return a watch with the rules as they are in the database."""
        rows = stored_payment.rules(tx)
        rules = Rules.of(
            Rule(name, RuleKind(kind), matches, tuple(prefixes), tuple(lengths), tuple(words), is_on)
            for name, kind, matches, prefixes, lengths, words, is_on in rows
        )
        return cls(
            account,
            rules,
            DisclosureRules.of(DisclosureRule(*row) for row in stored_payment.disclosure_rules(tx)),
            mode,
        )

    def anew(self) -> Watch:
        """Return a watch with the same rules that has seen nothing."""
        return Watch(self.account, self.rules, self.notices, self.mode)

    def call(self, call: Call, *, is_new: bool) -> Call:
        """Take a call that is about to be stored as the current content; return it as it has to be stored."""
        if not is_new:
            for place in ("summary", "context"):
                self._renewed.setdefault(place, []).append(call.id)
        if self.mode is PaymentData.KEEP:
            self._calls.append(call)
            return call
        self._look_at_call(call)
        return self.version(call)

    def _look_at_call(self, call: Call) -> None:
        self._note(call.id, "summary", self._standing(self._find(call.summary)))
        if found := self._find(call.context):
            if self.mode is PaymentData.KEEP:
                self._contexts.append(call.id)
            else:
                self._note(call.id, "context", self._standing(found))

    def version(self, call: Call) -> Call:
        """Return a content of a call as it has to be stored, without looking at what was found before."""
        if self.mode is PaymentData.KEEP or not may_hold([Text(0, ALONE, call.raw)], self.rules):
            return call
        spoken = find(texts_of(call.transcript.segments), self.rules) if call.transcript is not None else []
        return masked_call(call, spoken, self.rules, is_dropped=self.mode is PaymentData.DROP_TRANSCRIPT)

    def details(self, rows: Iterable[DetailRow]) -> list[DetailRow]:
        """Take the transcripts that are about to be stored; return the rows as they have to be stored."""
        return [self._details(row) for row in rows]

    def _details(self, row: DetailRow) -> DetailRow:
        """Take a detail. A transcript with the stored content stays wholly as it is stored, flagged and sealed: masked
        otherwise since, its summary would not be what was sealed.
        """
        if row.transcript is None:
            return row
        if row.is_same_content:
            return replace(row, transcript=None, fetched_at=None)
        self._renew(row, ["segment", "transcript_summary"])
        if self.mode is PaymentData.KEEP:
            self._transcripts.append((row.call_id, row.transcript))
            return row
        found, is_beside = self._look_at_transcript(row.call_id, row.transcript)
        if not (found or is_beside):
            return row
        is_dropped = self.mode is PaymentData.DROP_TRANSCRIPT
        return replace(row, transcript=masked_transcript(row.transcript, found, self.rules, is_dropped=is_dropped))

    def _look_at_transcript(self, call_id: UUID, transcript: Transcript) -> tuple[list[Found], bool]:
        """Look at a transcript with other content than the stored one; return what is in its segments, and whether its
        summary has payment data.
        """
        found, beside = self._find_in(transcript.segments), self._find(transcript.summary)
        if (notice := self.notices.find(transcript.segments)) is not None:
            self._noticed.append((call_id, *notice))
        self._note(call_id, "segment", self._standing(found))
        self._note(call_id, "transcript_summary", self._standing(beside))
        return found, bool(beside)

    def look(self) -> None:
        """Look at what was taken and is stored as it came. The longest part of a watch's work, and without the database: so
        a caller can have the database do something else meanwhile.
        """
        for call in self._calls:
            self._look_at_call(call)
        for call_id, transcript in self._transcripts:
            self._look_at_transcript(call_id, transcript)
        self._calls, self._transcripts = [], []

    def _renew(self, row: DetailRow, places: Sequence[str]) -> None:
        if row.is_new:
            return
        for place in places:
            self._renewed.setdefault(place, []).append(row.call_id)
        self._renewed_notices.append(row.call_id)

    def _find(self, text: str | None) -> list[Found]:
        if not text or (seen := glance(text, self.rules)) is Glance.CLEAR:
            return []
        return find([Text(0, ALONE, text)], self.rules, seen)

    def _find_in(self, segments: Sequence[Segment]) -> list[Found]:
        seen = glance("\n".join([one.text for one in segments]), self.rules)
        return [] if seen is Glance.CLEAR else find(texts_of(segments), self.rules, seen)

    def _standing(self, found: list[Found]) -> list[Found]:
        """Return findings as they are stored: a text that is stored without digits says only that there were some."""
        if self.mode is PaymentData.KEEP:
            return found
        first = {one.position: one for one in reversed(found)}
        return [one._replace(start=0, end=0, masked_end=0) for one in first.values()]

    def _note(self, call_id: UUID, place: str, found: Iterable[Found]) -> None:
        self._found += [
            (call_id, place, one.position, one.start, one.end, one.masked_end, one.kind, one.rule) for one in found
        ]

    def stored(self, call_id: UUID, segments: Sequence[Segment], beside: Mapping[str, str | None]) -> None:
        """Look at the texts of a call as they are stored: its segments, and the others by place."""
        if (notice := self.notices.find(segments)) is not None:
            self._noticed.append((call_id, *notice))
        self._note(call_id, "segment", self._find_in(segments))
        for place, text in beside.items():
            self._note(call_id, place, self._find(text))

    def save(self, tx: psycopg.Connection[Any], at: datetime) -> int:
        """Store what was found, after the texts were stored in the same transaction; return how many findings."""
        self.look()
        for place, ids in self._renewed.items():
            stored_payment.forget(tx, ids, [place])
        if self._renewed_notices:
            stored_payment.forget_disclosures(tx, self._renewed_notices)
        for call_id, text in stored_payment.contexts(tx, self._contexts) if self._contexts else ():
            self._note(call_id, "context", self._find(text))
        if self._found:
            stored_payment.add_findings(tx, self.account, self._found, at)
        if self._noticed:
            stored_payment.add_disclosures(tx, self.account, self._noticed)
        count = len(self._found)
        self._found, self._renewed, self._contexts, self._noticed, self._renewed_notices = [], {}, [], [], []
        return count


def texts_of(segments: Iterable[Segment]) -> list[Text]:
    """Return segments as texts to look at."""
    return [Text(one.position, one.speaker, one.text) for one in segments]


def rules_key(rules: Rules, notices: DisclosureRules) -> str:
    """Return the hash of rules: with others, everything has to be looked at again."""
    return hashlib.sha256(repr((rules.rows, notices.rows)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan did: calls looked at, findings, and whether it came to the end."""

    calls: int
    findings: int
    is_finished: bool


def scan(database: Database, account: str, now: Callable[[], datetime], is_over: Callable[[], bool]) -> Scanned:
    """Look at all calls that were stored while nobody looked, or by other rules; go on where the last scan stopped.

    Texts stay as they are. Ends early where `is_over()`.
    """
    calls = findings = 0
    while True:
        with database.transaction() as tx:
            watch = Watch.load(tx, account)
            key = rules_key(watch.rules, watch.notices)
            before = stored_payment.scan(tx, account)
            is_same = before is not None and before[0] == key
            if before is not None and is_same and before[3] is not None:
                return Scanned(calls, findings, is_finished=True)
            if calls and is_over():
                return Scanned(calls, findings, is_finished=False)
            after, so_far = (before[1], before[2]) if before is not None and is_same else (None, 0)
            some = stored_payment.some_calls(tx, account, after, SCANNED_AT_ONCE)
            findings += _scan(tx, watch, some, now())
            calls += len(some)
            last = some[-1][0] if some else after
            is_end = len(some) < SCANNED_AT_ONCE
            stored_payment.save_scan(tx, account, key, last, so_far + len(some), now() if is_end else None)


def _scan(
    tx: psycopg.Connection[Any],
    watch: Watch,
    some: Sequence[tuple[UUID, str | None, str | None, str | None]],
    at: datetime,
) -> int:
    """Look at some calls as they are stored. What was masked before it was stored keeps its finding."""
    ids = [row[0] for row in some]
    said: dict[UUID, list[Segment]] = {}
    for call_id, position, speaker, text, start in stored_payment.segments(tx, ids) if ids else ():
        said.setdefault(call_id, []).append(Segment(position, speaker, text, start, None, None))
    stored_payment.forget_found(tx, ids)
    stored_payment.forget_disclosures(tx, ids)
    for call_id, summary, context, beside in some:
        texts = {"summary": summary, "context": context, "transcript_summary": beside}
        watch.stored(call_id, said.get(call_id, []), texts)
    return watch.save(tx, at)


__all__ = ["Scanned", "Watch", "rules_key", "scan", "texts_of"]
