"""One verification: asks the source for what has to be compared, reads the replica, and stores the result.

sample.py decides what to ask, compare.py what the answers mean; budget/requester.py sends the requests under the
budget. Nothing is written but the budget and the result. No lease is needed: a verification runs beside a running
service, and compares with what is stored at that moment.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from replicator.archive.governance.suppressing import as_stored
from replicator.budget.durable import Limits
from replicator.budget.requester import Requester, SpentError
from replicator.errors import BoundReached, NeverSynced, NotFound, RequestRefused, SourceUnavailable, UnreadableAnswer
from replicator.store import source_state, stages, verification
from replicator.store.schema_check import check
from replicator.sync.clock import steady_clock
from replicator.sync.commit import load_ledger
from replicator.sync.content.stages import Stages
from replicator.sync.coverage.ledger import BEGINNING, EVERYTHING, TICK, Ledger, Piece, order_of, prove, prove_empty
from replicator.sync.coverage.page import PAGE_LIMIT
from replicator.verify import compare, sample
from replicator.verify.findings import Findings, Total, Verified
from replicator.verify.sample import Point

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from threading import Event
    from uuid import UUID

    from replicator.records import Order, Page
    from replicator.source.reading import Reading
    from replicator.store.database import Database
    from replicator.verify.compare import Comparison, Difference
    from replicator.verify.sample import Stretch

MOST_BROKEN_PAGES = 3
"""After more than this many failed pages, the source itself counts as failing."""
MOST_ASKED_BY_ID = 5
"""At most this many calls behind the list's end are asked for by id."""


class Verification:
    """One comparison. `readers` are pairs of (key, reader that uses it)."""

    def __init__(
        self,
        database: Database,
        readers: Sequence[tuple[str, Reading]],
        *,
        account: str = "default",
        base_url: str = "",
        limits: Limits | None = None,
        max_requests: int = 40,
        seed: int = 0,
        stop: Event | None = None,
        on_wait: Callable[[float], None] | None = None,
        on_request: Callable[[int, int], None] | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        clock = clock or steady_clock()
        self._database = database
        self._account = account
        self._base_url = base_url
        self._seed = seed
        self._clock = clock
        self._requester = Requester(
            database, readers, limits or Limits(), max_requests, account, clock, base_url=base_url, stop=stop,
            on_wait=on_wait, on_request=on_request,
        )  # fmt: skip
        self._found = Findings()
        self._ledger = Ledger()
        self._stages = Stages()
        self._order: Order = "descending"
        self._total: int | None = None
        self._head: Total | None = None
        self._newer = 0
        """How many of the source's calls are newer than what the replica has read, by the latest answer."""
        self._counts: verification.Counts

    def perform(self) -> Verified:
        """Compare, store the result and return it. Raises Incomplete where there is nothing to compare, or else the
        SourceError or DatabaseError that made it impossible to go on.
        """
        started_at = self._clock()
        check(self._database)
        head_at = self._load()
        try:
            self._look_at_the_head()
            self._ask_totals()
            self._look_around()
        except SpentError:
            if not self._found.pages:
                raise BoundReached(
                    "the requests that were allowed were used up before one page was read",
                    advice="allow more of them with --max-requests",
                ) from None
        result = self._result(head_at)
        with self._database.transaction() as tx:
            verification.save(tx, self._account, started_at, self._clock(), result.facts)
        return result

    def _load(self) -> datetime:
        with self._database.connection() as connection:
            source = source_state.load_source(connection, self._account)
            self._ledger = load_ledger(connection, self._account)
            self._stages = Stages.of_rows(stages.load(connection))
        if source.head_at is None or not self._ledger.pieces:
            raise NeverSynced(f"nothing to verify: account {self._account} was never synced into this database")
        self._counts = self._count()
        if self._base_url and source.base_url != self._base_url:
            self._found.note("the replica was made from another base URL than the one that is asked now")
        if self._ledger.holes(replace(EVERYTHING, until=self._ledger.top)):
            self._found.note("the replica is not complete: not all of the list was read yet (see `replicator status`)")
        return source.head_at

    def _count(self) -> verification.Counts:
        with self._database.connection() as connection:
            return verification.counts(connection, self._account, self._ledger.top)

    # The three looks ---------------------------------------------------------------------------------------------

    def _look_at_the_head(self) -> None:
        """Read the newest page: it shows how long the list is, and which calls are too new to be in the replica."""
        page = self._look(0)
        if page is None:
            return
        self._order = order_of(page.created)
        if self._order == "mixed":
            self._found.note("the list is not sorted: what is left over here can be seen in totals only")
        elif self._order == "ascending" and self._total is not None and self._total > page.rows:
            self._look(max(0, self._total - PAGE_LIMIT))  # the newest calls are at the other end

    def _ask_totals(self) -> None:
        """Ask for the totals of filters, with at most half of the requests; where a total differs, ask once more."""
        if self._total is None:
            self._found.note("the source gives no total: totals and ranks were not compared")
            return
        until = self._requester.most // 2
        ignored: set[str] = set()
        for name, value in sample.filters_of(self._counts.statuses, self._counts.directions, until):
            if name in ignored or self._requester.requests >= until:
                continue
            total = self._ask_total(name, value)
            if total is not None and not self._is_equal(total) and self._requester.requests < until:
                again = self._ask_total(name, value)
                total = None if again is None else replace(again, is_confirmed=not self._is_equal(again))
            if total is None:
                ignored.add(name)
                self._found.totals = [one for one in self._found.totals if not one.what.startswith(name)]
                continue
            self._found.totals.append(total)

    def _ask_total(self, name: Literal["status", "direction"], value: str) -> Total | None:
        """Return one filter's total on both sides, or None where the filter cannot be used."""
        status, direction = (value, None) if name == "status" else (None, value)
        try:
            page = self._requester.ask(
                lambda reader: reader.list_calls(limit=1, offset=0, status=status, direction=direction)
            )
        except (SourceUnavailable, UnreadableAnswer, RequestRefused) as error:
            if error.status is None:
                raise
            self._found.note(f"filter {name} cannot be read, the source answers {error.status}: not compared")
            return None
        if any(getattr(call, name) != value for call in page.calls):
            self._found.note(f"filter {name} is not honoured: its totals were not compared")
            return None
        counts = self._count()
        stored = counts.statuses if name == "status" else counts.directions
        return Total(f"{name}={value}", page.total or 0, stored.get(value, 0))

    def _look_around(self) -> None:
        """Read randomly drawn pages, and probe where ranks differ, until all is read or the requests are used up. At
        most a quarter of the requests may go to probes before the sample is complete.
        """
        length = self._counts.live if self._total is None else self._total
        self._found.drawn = sample.draw(length, self._requester.most, Random(self._seed))  # noqa: S311 - a sample, no secret
        tried: set[tuple[datetime, datetime]] = set()
        probes = self._requester.most // 4
        for offset in self._found.drawn:
            while probes > 0 and self._probe(tried):
                probes -= 1
            if offset not in self._found.verdicts:
                self._look(offset)
        while self._probe(tried):
            pass

    def _probe(self, tried: set[tuple[datetime, datetime]]) -> bool:
        """Read a page in a stretch where ranks differ; False where there is no such stretch that was not tried."""
        if self._total is None:
            return False
        for one in self._open_stretches():
            place = (one.older.created_at, one.newer.created_at)
            if place in tried:
                continue
            tried.add(place)
            page = self._look(sample.probe(one, self._total, self._order), is_probe=True)
            if page is not None and one.older.created_at == BEGINNING and one.calls < 0:
                self._ask_behind_the_end(page, one)
            return True
        return False

    def _open_stretches(self) -> list[Stretch]:
        unseen = max(0, self._counts.unread - len(self._found.unreadable))
        spare = unseen + len(self._found.unplaced) + self._counts.dateless
        return sample.without_spare(sample.stretches(self._found.points, self._found.explained.values()), spare)

    def _ask_behind_the_end(self, page: Page, stretch: Stretch) -> None:
        """Ask by id for calls older than the list's last row. They are extra if they are gone; if one is still there,
        the list does not show all calls, and no more of them are reported.
        """
        created = [at for at in page.created if at is not None]
        is_oldest_end = (
            page.offset == 0 if self._order == "ascending" else page.offset + page.rows >= (self._total or 0)
        )
        if not created or not is_oldest_end:
            return
        with self._database.connection() as connection:
            behind = verification.calls_before(connection, self._account, min(created), MOST_ASKED_BY_ID)
        for call in behind:
            is_there = self._is_there(call.id)
            if is_there is None or call.created_at is None:
                continue
            if is_there:
                self._found.is_capped = True
                self._found.note("the list ends before calls that the source still has: it does not show all of them")
                self._found.explained["hidden"] = ("hidden", call.created_at, stretch.calls)
                return
            gone = compare.extra_of(call, self._ledger, self._stages, is_confirmed=True)
            self._found.differences[gone.identity] = gone
            self._found.explained[call.id] = (call.id, call.created_at, -1)
            stretch = replace(stretch, calls=stretch.calls + 1)

    def _is_there(self, call_id: UUID) -> bool | None:
        """Say whether the source has a call, asked for by id; None where its answer shows neither."""
        try:
            self._requester.ask(lambda reader: reader.get_call(call_id))
        except NotFound:
            return False
        except (SourceUnavailable, UnreadableAnswer) as error:
            if error.status is None:
                raise
            return None
        return True

    # One page ----------------------------------------------------------------------------------------------------

    def _look(self, offset: int, *, is_probe: bool = False) -> Page | None:
        """Read a page and compare it; if it differs, read it again. None where the source cannot show it."""
        try:
            page, comparison, is_suspect = self._compare(offset, is_probe=is_probe)
        except (SourceUnavailable, UnreadableAnswer) as error:
            self._found.broken += 1
            if error.status is None or not self._found.pages or self._found.broken > MOST_BROKEN_PAGES:
                raise
            self._found.note(f"the page at offset {offset} cannot be read, the source answers {error.status}")
            return None
        is_spent = False
        if comparison.differences or is_suspect:
            try:
                page, again, _ = self._compare(offset, is_probe=is_probe)
                comparison = compare.confirm(comparison, again, page)
            except SpentError:
                is_spent = True
            except (SourceUnavailable, UnreadableAnswer):
                self._found.note("a second look failed: what the first one saw is not confirmed")
        self._found.take(page, comparison)
        self._note_coverage(offset, page, has_differences=bool(comparison.differences))
        if is_spent:
            raise SpentError
        return page

    def _compare(self, offset: int, *, is_probe: bool) -> tuple[Page, Comparison, bool]:
        """Read a page and compare it; also say whether its total differs from the replica's."""
        page = self._requester.ask(lambda reader: reader.list_calls(limit=PAGE_LIMIT, offset=offset))
        asked_at = self._requester.sent_at
        self._found.pages += 1
        interval = prove(page.created, offset=page.offset, server_time=page.server_time)
        ids = [call.id for call in page.calls] + [row.call_id for row in page.unreadable if row.call_id is not None]
        digests, account = [sha256(row.raw).digest() for row in page.unreadable], self._account
        with self._database.connection() as connection:
            stored = verification.stored_calls(connection, account, ids)
            page = as_stored(connection, page)
            inside = []
            if interval is not None:
                inside = verification.live_between(connection, account, interval.since, interval.until, asked_at)
            quarantined = verification.in_quarantine(connection, account, ids, digests)
            self._found.points += [
                Point(at, count, verification.count_until(connection, account, at), is_probe)
                for at, count in sample.ranks(page, self._ledger.top)
            ]
        comparison = compare.compare_page(
            page,
            stored,
            inside,
            ledger=self._ledger,
            asked_at=asked_at,
            skew=self._requester.skew,
            quarantined=quarantined,
            stages=self._stages,
        )
        return page, comparison, self._note_total(page)

    def _note_total(self, page: Page) -> bool:
        """Record the list's length and how many calls are too new to be in the replica; say whether
        the total differs.
        """
        if page.total is None:
            return False
        grown = page.total - (page.total if self._total is None else self._total)
        self._total = page.total
        order = order_of(page.created)
        is_newest_end = page.offset == 0 if order != "ascending" else page.offset + page.rows >= page.total
        if not is_newest_end:
            self._newer = max(0, self._newer + grown)
            return False
        self._counts = self._count()
        fresh = sum(at is not None and at >= self._ledger.top for at in page.created)
        is_known = order != "mixed" and (fresh < page.rows or page.rows >= page.total)
        self._newer = fresh if is_known else max(fresh, page.total - self._counts.live)
        seen = Total("calls", page.total, self._counts.live, self._newer)
        is_equal = self._is_equal(seen)
        was_unequal = self._head is not None and not self._is_equal(self._head)
        self._head = replace(seen, is_confirmed=was_unequal and not is_equal)
        return not is_equal

    def _note_coverage(self, offset: int, page: Page, *, has_differences: bool) -> None:
        """Record what a page proves, and whether it differs if it was a full page."""
        length = self._total if self._total is not None else self._counts.live
        is_end = page.offset + page.rows >= length
        interval = prove(page.created, offset=page.offset, server_time=page.server_time, is_last=is_end)
        if not page.rows and page.total == 0:
            interval = prove_empty(page.server_time)
        if interval:
            at = self._ledger.pieces[0].verified_at  # any instant works here, if it is the same for all pieces
            self._found.looked = self._found.looked.record(Piece(interval.since, interval.until, at))
        if page.rows >= PAGE_LIMIT or is_end:
            self._found.verdicts[offset] = has_differences
        else:
            self._found.note("the source sent pages shorter than asked for: they do not count for the confidence")

    # The result --------------------------------------------------------------------------------------------------

    def _result(self, head_at: datetime) -> Verified:
        found = self._found
        totals = [*([self._head] if self._head is not None else []), *found.totals]
        differences = [self._difference(one) for one in totals if not self._is_equal(one)]
        differences += compare.in_order(found.differences.values())
        differences += [compare.shifted(one) for one in self._open_stretches()]
        known = replace(EVERYTHING, until=self._ledger.top)
        # A hole of one instant lies between two pages that share no strictly newer row; its calls were compared.
        is_complete = not found.is_capped and not any(
            hole.until - hole.since > TICK for hole in found.looked.holes(known)
        )
        facts: dict[str, Any] = {
            "is_equal": not differences,
            "account": self._account,
            "requests": self._requester.requests,
            "max_requests": self._requester.most,
            "seed": self._seed,
            "last_sync_at": head_at,
            "calls_in_source": self._total,
            "calls_in_replica": self._counts.live,
            **found.sampled(is_complete=is_complete),
            "newer_than_last_sync": max(len(found.newer), self._newer),
            **found.counted(),
            "totals": [
                {"what": one.what, "source": one.source, "replica": one.replica, "is_equal": self._is_equal(one)}
                for one in totals
            ],
            "notes": found.notes,
            "differences": [one.as_dict() for one in differences],
        }
        return Verified(not differences, tuple(differences), facts)

    def _difference(self, one: Total) -> Difference:
        newer = self._newer if one.newer is None else one.newer
        return compare.total(one.what, one.source, one.replica, newer=newer, is_confirmed=one.is_confirmed)

    def _is_equal(self, total: Total) -> bool:
        """Say whether a total counts as equal, by all that is known now."""
        name, _, value = total.what.partition("=")
        if name == "status" and not total.source and self._found.statuses[value]:
            return True  # rows with this status exist, but the filter finds none: the source does not know it
        return sample.is_total_equal(
            total.source,
            total.replica,
            self._newer if total.newer is None else total.newer,
            max(self._counts.unread, len(self._found.unreadable)),
            is_newer_exact=total.newer is not None,
        )
