"""The position of a run, and how each answer changes it. Pure: the next position is a new value.

What an answer proves is known at once, so the next page is chosen without waiting for the database. It is stored later,
in one transaction with the rows that prove it (sync/commit.py). Until then `stored` lags behind the planner's ledger. A
crash loses the difference, and those pages are asked for again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.budget.run_bound import Bound
from replicator.store.doubts import Doubt
from replicator.store.rows import UnreadRow
from replicator.sync.coverage.filters import ignored, is_stretch, values
from replicator.sync.coverage.ledger import BEGINNING
from replicator.sync.coverage.page import Lane, Seen
from replicator.sync.deletions.rules import claims
from replicator.sync.engine.answers import absorb_failure, absorb_page, absorb_search, absorb_slice
from replicator.sync.engine.credit import Credit, grain
from replicator.sync.engine.failures import Verdict
from replicator.sync.engine.state import Comparison, State, failing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from replicator.records import Page
    from replicator.sync.coverage.ledger import Interval, Ledger
    from replicator.sync.coverage.walk import Walk
    from replicator.sync.deletions.rules import Absence, Claim
    from replicator.sync.engine.credit import Rest
    from replicator.sync.engine.state import Absorbed, Left
    from replicator.sync.options import Options
    from replicator.sync.protocol.requests import Outcome
    from replicator.sync.protocol.results import Committed, Result

STEPPED_OVER = "the source answers an error for every page that holds this row"
"""The reason for a quarantined row that no answer ever showed. In place of its bytes, the start of its stretch is
stored.
"""
FUTURE_SLACK = timedelta(minutes=5)
"""How far ahead of both clocks a row's created_at may lie."""
PAID_EVERY = timedelta(seconds=1)
"""How often the renewal credit is computed anew: each turn would cost more than it earns."""
UNCHECKED_SLACK = timedelta(days=1)
"""How far ahead of our clock it may lie where the server gives no time, or an impossible one."""
CHARACTERS_A_ROW = 4_000
"""This many characters of a row's text weigh as much as one more row, so that batches of large pages are
written early.
"""
SEGMENTS_A_ROW = 10
"""This many transcript segments weigh as much as one row."""
COMPARISONS = frozenset({Lane.COMPARE, Lane.RENEWAL, Lane.REREAD})
"""Lanes that read again what is stored."""


@dataclass(frozen=True, slots=True)
class Source:
    """What the source last said about itself."""

    base_url: str
    total: int | None = None
    head_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Everything that answers change: the planner's state, the stored ledger, and what is remembered beside them."""

    state: State
    stored: Ledger
    source: Source
    oldest_known: datetime | None = None
    has_quarantine: bool = False
    has_absences: bool = False
    live: int | None = None
    """Live calls that are stored; None where they have not been counted yet."""
    difference: int | None = None
    """How many live calls exceed the source's total, of which a search could not find the cause."""
    is_difference_new: bool = False
    """`difference` has changed and is not stored yet."""
    stored_left: Mapping[datetime, Left] = field(default_factory=dict)
    """The stretches that fail, as they are stored."""
    is_open_new: bool = True
    """Calls were written since it was last asked which of them have not ended."""
    is_total_new: bool = False
    """After the next commit, the source's total is to be compared with the number of stored live calls."""
    is_search_over: bool = False
    """A search has ended since the last comparison, so what it did not explain will be remembered at the next one."""

    @property
    def is_to_be_stored(self) -> bool:
        """Say whether a commit is needed even if no answer came in: the ledger changed, or a search ended."""
        is_left_new = self.state.left is not self.stored_left and self.state.left != self.stored_left
        return self.state.ledger is not self.stored or self.is_difference_new or self.is_search_over or is_left_new


@dataclass(slots=True)
class Batch:
    """Answers to be committed together: the outcomes, and the unreadable rows and fields in them."""

    outcomes: list[Outcome] = field(default_factory=list)
    bad: list[UnreadRow] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    """What its pages claim about which calls exist."""
    absences: list[Absence] = field(default_factory=list)
    """What became of suspected absences."""
    pages: int = 0
    rows: int = 0
    weight: int = 0
    """Its estimated size, in rows to write."""
    since: datetime | None = None
    """When its first answer came in."""

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.bad or self.absences)

    @property
    def is_comparison(self) -> bool:
        """It has only pages of comparisons. Each page of one is asked for when the last has come in, whether that is
        committed or not, and hardly any has news: so nothing is idle for want of a commit, and several are one commit.
        """
        return bool(self.outcomes) and all(one.request.lane in COMPARISONS for one in self.outcomes)

    def add(self, outcome: Outcome) -> None:
        """Add an answer, whatever the planner does with it."""
        self.outcomes.append(outcome)
        self.since = self.since or outcome.received_at
        self.weight += 1
        if outcome.page is not None:
            self.pages += 1
            self.rows += outcome.page.rows
            carried = sum(len(call.transcript.segments) for call in outcome.page.calls if call.transcript)
            characters = sum(len(call.raw) for call in outcome.page.calls)
            self.weight += outcome.page.rows + carried // SEGMENTS_A_ROW + characters // CHARACTERS_A_ROW


def absorb(
    position: Position,
    outcome: Outcome,
    verdict: Verdict,
    batch: Batch,
    *,
    news: int = 0,
    stored_before: Mapping[datetime, int] | None = None,
) -> Position:
    """Apply one page, or one broken page, to the position; return the new position.

    Unreadable rows, and what the page claims about which calls exist, are added to `batch`. `news` counts new or
    changed rows: it decides when passes over an unsorted list end. `stored_before` is the replica's answer about a page
    of a search.
    """
    asked, page = outcome.request.walk, outcome.page
    if asked is None:
        return position
    source, oldest = position.source, position.oldest_known
    if page is not None:
        absorbed = _absorb_page(position, outcome, asked, page, news=news, stored_before=stored_before or {})
        if absorbed.state.scan is None and absorbed.state.scanned_at is None and is_stretch(asked.filter):
            # An unsorted list, or a part of a list, shows nothing about calls that are missing from it.
            batch.claims += claims(page, absorbed.pieces, asked, outcome.sent_at)
        bad = _unread(page, outcome)
        oldest = _oldest(page, oldest)
        source = replace(
            source,
            total=source.total if page.total is None or asked.filter else page.total,
            head_at=outcome.sent_at if outcome.request.is_head else source.head_at,
        )
    elif verdict is Verdict.BROKEN:
        absorbed, bad = absorb_failure(position.state, asked, outcome.received_at), []
    else:
        return position
    bad += _stepped_over(absorbed, outcome)
    batch.bad += bad
    is_search_over = position.is_search_over or (asked.lane is Lane.SEARCH and absorbed.state.search is None)
    is_slicing_over = asked.lane is Lane.SLICE and absorbed.state.partitioning is None
    return replace(
        position,
        is_total_new=position.is_total_new or outcome.request.is_head or is_search_over or is_slicing_over,
        is_search_over=is_search_over,
        state=_without_cap(absorbed.state, source.total),
        source=source,
        oldest_known=oldest,
        has_quarantine=position.has_quarantine or bool(bad),
    )


def _without_cap(state: State, total: int | None) -> State:
    """Return the state without its cap, where the list has another total by now: it ends elsewhere."""
    if state.capped_at is None or total is None or total == state.capped_at:
        return state
    return replace(state, capped_at=None)


def _absorb_page(
    position: Position, outcome: Outcome, asked: Walk, page: Page, *, news: int, stored_before: Mapping[datetime, int]
) -> Absorbed:
    """Apply a page in the way of its lane, and count its rows for the run's bound."""
    state, is_head, oldest = position.state, outcome.request.is_head, position.oldest_known
    ids = (*(call.id for call in page.calls), *(row.call_id for row in page.unreadable if row.call_id))
    seen = Seen(placed(page, outcome), page.offset, page.total, outcome.sent_at, believed_clock(page, outcome), ids)
    if asked.lane is Lane.SLICE:
        absorbed = absorb_slice(state, seen, ignored=ignored(page.calls, asked.filter), values=values(page.calls))
    elif asked.lane is Lane.SEARCH:
        absorbed = absorb_search(state, seen, stored_before)
    else:
        absorbed = absorb_page(state, asked, seen, is_head=is_head, oldest_known=oldest, news=news)
    bound = absorbed.state.bound
    if bound is None:
        return absorbed
    bound = bound.sliced(page.rows) if asked.filter else bound.answered(page.rows, page.total)
    return replace(absorbed, state=replace(absorbed.state, bound=bound))


def _oldest(page: Page, known: datetime | None) -> datetime | None:
    """Return the oldest created_at of the known calls and those of a page."""
    dates = [call.created_at for call in page.calls if call.created_at is not None]
    return min(dates if known is None else [known, *dates], default=None)


def _unread(page: Page, outcome: Outcome) -> list[UnreadRow]:
    """Return what could not be read in a page: whole rows, and fields of calls that are stored without them."""
    request, at = str(outcome.request), outcome.sent_at
    rows = [UnreadRow(row.call_id, request, row.reason, row.raw, at) for row in page.unreadable]
    fields = [
        UnreadRow(call.id, request, one.reason, one.raw, at, one.field) for call in page.calls for one in call.set_aside
    ]
    return rows + fields


def start(
    options: Options,
    ledger: Ledger,
    now: datetime,
    *,
    live: int,
    oldest_known: datetime | None,
    has_quarantine: bool = False,
    has_absences: bool = False,
    left: Mapping[datetime, Left] | None = None,
    capped_at: int | None = None,
    difference: int | None = None,
    sliced_at: datetime | None = None,
    credit: Credit | None = None,
    rest: Rest | None = None,
    asked: Interval | None = None,
) -> Position:
    """Return the position in which a run begins, from what is stored. `asked` is a stretch that an operator asks to have
    compared.
    """
    comparison = None if asked is None else Comparison(now, asked)
    return Position(
        # An earlier release accepted rows, or a server's clock, with a time in the future.
        State(
            ledger.until(now + FUTURE_SLACK),
            replace(options.renewal, fence=now),
            options.poll_every,
            begun_at=now,
            sliced_at=sliced_at,
            comparison=comparison,
            credit=replace(credit or Credit(), share=options.renewal_share),
            rest=rest,
            left=left or {},
            renews=comparison is None,
            capped_at=capped_at,
            bound=Bound(live),
        ),
        ledger,
        Source(options.base_url),
        oldest_known,
        has_quarantine,
        has_absences,
        live,
        difference=difference,
        stored_left=left or {},
    )


def paid_for(position: Position, now: datetime, requests_a_minute: float | None) -> Position:
    """Return the position with the renewal credit as of now, from a budget of so many requests (None: no limit)."""
    state = position.state
    if state.credit.at is not None and timedelta(0) <= now - state.credit.at < PAID_EVERY:
        return position
    calls = max(position.source.total or 0, position.live or 0)
    credit = state.credit.accrued(now, requests_a_minute, calls)
    joined = grain(requests_a_minute, credit.share, calls, state.poll_every)
    policy = state.policy if state.policy.grain == joined else replace(state.policy, grain=joined)
    return replace(position, state=replace(state, credit=credit, policy=policy))


def committed(position: Position, found: Committed) -> Position:
    """Return the position after everything that it proved was committed. Newly stored calls raise the run's bound."""
    state = position.state
    if state.bound is not None and state.bound.inserted != found.inserted:
        state = replace(state, bound=replace(state.bound, inserted=found.inserted))
    return replace(
        position,
        state=state,
        stored=state.ledger,
        stored_left=state.left,
        is_difference_new=False,
        is_open_new=True,
        live=found.live,
        oldest_known=found.oldest_known,
        has_absences=found.has_absences,
    )


def unfinished(position: Position, result: Result, *, is_complete: bool) -> str:
    """Say what a run that ended by itself could not read because of the source's answers; an empty
    string for nothing.
    """
    state, total = position.state, position.source.total
    if result == "bounded" and state.bound is not None:
        return state.bound.why()
    if result != "done" or is_complete:
        return ""
    if failing(state):
        return "every page of a part of the list fails: it is tried again by the next sync"
    if total:
        return f"the list says that it holds {total:,} calls, and shows them in no way that can be read to its end"
    return ""


def believed_clock(page: Page, outcome: Outcome) -> datetime | None:
    """Return the server's clock, or ours if that is earlier: nothing is proven about the future, whichever clock is
    wrong.
    """
    return None if page.server_time is None else min(page.server_time, outcome.received_at)


def placed(page: Page, outcome: Outcome) -> tuple[datetime | None, ...]:
    """Return the created_at of each row of a page; None where it is in the future by both clocks.

    Such a row has no place in the order: otherwise everything up to that time would count as read.
    """
    if page.server_time is None:
        latest = outcome.received_at + UNCHECKED_SLACK
    else:
        latest = max(page.server_time, outcome.received_at) + FUTURE_SLACK
    if page.server_time is not None and page.server_time - outcome.received_at > UNCHECKED_SLACK:
        latest = outcome.received_at + UNCHECKED_SLACK
    return tuple(None if at is not None and at > latest else at for at in page.created)


def _stepped_over(absorbed: Absorbed, outcome: Outcome) -> list[UnreadRow]:
    """Return a quarantine row for each stretch that was stepped over: a row exists there that no request can read."""
    return [
        UnreadRow(
            None,
            f"{outcome.request}, created {piece.since:%Y-%m-%d %H:%M:%S} to {piece.until:%H:%M:%S}",
            STEPPED_OVER,
            piece.since.isoformat().encode(),
            outcome.sent_at,
            never_shown=(None if piece.since == BEGINNING else piece.since, piece.until),
        )
        for piece in absorbed.pieces
        if piece.reason == Doubt.UNREADABLE
    ]
