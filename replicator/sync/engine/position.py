"""Where a run stands, and how a batch of answers moves it. Pure: the next position is a value.

What an answer proves can be known at once, so the next page is aimed without waiting for the database; it is stored
later, in one transaction with the rows that prove it (sync/commit.py). Until then `stored` lags behind the planner's
ledger, and a crash forgets both: those pages are asked again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.budget.run_bound import Bound
from replicator.store.doubts import Doubt
from replicator.store.rows import UnreadRow
from replicator.sync.coverage.ledger import BEGINNING
from replicator.sync.coverage.page import Lane, Seen
from replicator.sync.deletions.rules import claims
from replicator.sync.engine.answers import absorb_failure, absorb_page, absorb_search, absorb_slice
from replicator.sync.engine.failures import Verdict
from replicator.sync.engine.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from replicator.records import Page
    from replicator.sync.coverage.ledger import Ledger
    from replicator.sync.coverage.page import Filter
    from replicator.sync.coverage.walk import Walk
    from replicator.sync.deletions.rules import Absence, Claim
    from replicator.sync.engine.state import Absorbed
    from replicator.sync.options import Options
    from replicator.sync.protocol.requests import Outcome
    from replicator.sync.protocol.results import Committed, Result

STEPPED_OVER = "the source answers an error for every page that holds this row"
"""The reason of a row in quarantine that no answer ever showed: in the place of its bytes stands where it begins."""
FUTURE_SLACK = timedelta(minutes=5)
"""How far ahead of both clocks a row may say that it was created."""
UNCHECKED_SLACK = timedelta(days=1)
"""The same ahead of ours, where the server does not tell its own, or one that cannot be."""
CHARACTERS_A_ROW = 4_000
"""So much of a row's text weighs as much as one more row: heavy pages are written soon, not held."""
SEGMENTS_A_ROW = 10
"""So many transcript segments weigh as much as one row of a page."""


@dataclass(frozen=True, slots=True)
class Source:
    """What the source said of itself most recently."""

    base_url: str
    total: int | None = None
    head_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """All that answers change: the planner's state, the ledger as stored, and what is remembered beside them."""

    state: State
    stored: Ledger
    source: Source
    oldest_known: datetime | None = None
    has_quarantine: bool = False
    has_absences: bool = False
    live: int | None = None
    """Live calls that are stored; None where nobody has counted them yet."""
    directions: tuple[str, ...] = ("inbound", "outbound")
    """The directions that are known, for reading through filters."""
    difference: int | None = None
    """Live calls beyond the source's total that a search has looked for and could not explain."""
    is_difference_new: bool = False
    """It is still to be stored."""
    is_open_new: bool = True
    """Calls were written since it was last asked which of them have not ended."""
    is_total_new: bool = False
    """The source's total is to be compared with the live calls that are stored, once what came in is committed."""
    is_search_over: bool = False
    """A search ended since then: what it did not explain is remembered. That stays so, whatever comes in meanwhile."""

    @property
    def is_to_be_stored(self) -> bool:
        """Say whether there is something to commit, whatever has come in: also the end of a search, which tells by it."""
        return self.state.ledger is not self.stored or self.is_difference_new or self.is_search_over


@dataclass(slots=True)
class Batch:
    """Answers to be committed together: those that count, and what was found to be unreadable among them."""

    outcomes: list[Outcome] = field(default_factory=list)
    bad: list[UnreadRow] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    """What its pages say of membership."""
    absences: list[Absence] = field(default_factory=list)
    """What became of suspected absences."""
    pages: int = 0
    rows: int = 0
    weight: int = 0
    """About how many rows it will write."""
    since: datetime | None = None
    """When its first answer came in."""

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.bad or self.absences)

    def add(self, outcome: Outcome) -> None:
        """Take an answer in, whatever the planner makes of it."""
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
    """Let the planner take one page, or one broken page; return the position after it.

    What was found unreadable, and what the page says of membership, goes into `batch`. `news` counts rows that were new
    or changed: a pass over an unsorted list ends by it. `stored_before` is what a search asks of the replica.
    """
    asked, page = outcome.request.walk, outcome.page
    if asked is None:
        return position
    source, oldest = position.source, position.oldest_known
    if page is not None:
        absorbed = _absorb_page(position, outcome, asked, page, news=news, stored_before=stored_before or {})
        if absorbed.state.scan is None and absorbed.state.scanned_at is None and not asked.filter:
            # From a list in no order, or from a part of one, nothing is inferred.
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
    return replace(
        position,
        is_total_new=position.is_total_new or outcome.request.is_head or is_search_over,
        is_search_over=is_search_over,
        state=absorbed.state,
        source=source,
        oldest_known=oldest,
        has_quarantine=position.has_quarantine or bool(bad),
    )


def _absorb_page(
    position: Position, outcome: Outcome, asked: Walk, page: Page, *, news: int, stored_before: Mapping[datetime, int]
) -> Absorbed:
    """Let the planner take a page as its lane means it, and the run's bound count its rows."""
    state, is_head, oldest = position.state, outcome.request.is_head, position.oldest_known
    ids = (*(call.id for call in page.calls), *(row.call_id for row in page.unreadable if row.call_id))
    seen = Seen(placed(page, outcome), page.offset, page.total, outcome.sent_at, believed_clock(page, outcome), ids)
    if asked.lane is Lane.SLICE:
        is_honoured = _is_honoured(page, asked.filter)
        absorbed = absorb_slice(state, seen, is_honoured=is_honoured, directions=position.directions)
    elif asked.lane is Lane.SEARCH:
        absorbed = absorb_search(state, seen, stored_before)
    else:
        absorbed = absorb_page(state, asked, seen, is_head=is_head, oldest_known=oldest, news=news)
    if absorbed.state.bound is None or asked.filter:
        return absorbed
    bound = absorbed.state.bound.answered(page.rows, page.total)
    return replace(absorbed, state=replace(absorbed.state, bound=bound))


def _oldest(page: Page, known: datetime | None) -> datetime | None:
    """Return when the oldest call was created, of those that were known and those of a page."""
    dates = [call.created_at for call in page.calls if call.created_at is not None]
    return min(dates if known is None else [known, *dates], default=None)


def _unread(page: Page, outcome: Outcome) -> list[UnreadRow]:
    """Return what a page holds that could not be read: whole rows, and fields of calls that count without them."""
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
    difference: int | None = None,
    sliced_at: datetime | None = None,
) -> Position:
    """Return where a run begins, from what is stored: its ledger, the number of live calls, and what was remembered."""
    return Position(
        # A release before this one believed a row, or a clock, that said a time which has not come.
        State(
            ledger.until(now + FUTURE_SLACK),
            options.renewal,
            options.poll_every,
            begun_at=now,
            sliced_at=sliced_at,
            bound=Bound(live),
        ),
        ledger,
        Source(options.base_url),
        oldest_known,
        has_quarantine,
        has_absences,
        live,
        difference=difference,
    )


def committed(position: Position, found: Committed) -> Position:
    """Return the position after all that it proved was written. The calls that are stored by now raise the run's bound."""
    state = position.state
    if state.bound is not None and state.bound.inserted != found.inserted:
        state = replace(state, bound=replace(state.bound, inserted=found.inserted))
    return replace(
        position,
        state=state,
        stored=state.ledger,
        is_difference_new=False,
        is_open_new=True,
        live=found.live,
        oldest_known=found.oldest_known,
        has_absences=found.has_absences,
    )


def unfinished(position: Position, result: Result, *, is_complete: bool) -> str:
    """Say what the answers kept a run from reading that was not stopped from outside, and so is not proven; or nothing."""
    state, total = position.state, position.source.total
    if result == "bounded" and state.bound is not None:
        return state.bound.why()
    if result != "done" or is_complete:
        return ""
    if state.left:
        return "every page of a part of the list fails: it is tried again by the next sync"
    if total:
        return f"the list says that it holds {total:,} calls, and shows them in no way that can be read to its end"
    return ""


def believed_clock(page: Page, outcome: Outcome) -> datetime | None:
    """Return the server's clock as far as it is no later than ours: nothing is proven of a time that has not come, whoever's
    clock is wrong.
    """
    return None if page.server_time is None else min(page.server_time, outcome.received_at)


def placed(page: Page, outcome: Outcome) -> tuple[datetime | None, ...]:
    """Return when each row of a page was created, None where it says a time that has not come by either clock: such a row
    stands nowhere in the order, or everything up to then would count as read.
    """
    if page.server_time is None:
        latest = outcome.received_at + UNCHECKED_SLACK
    else:
        latest = max(page.server_time, outcome.received_at) + FUTURE_SLACK
    if page.server_time is not None and page.server_time - outcome.received_at > UNCHECKED_SLACK:
        latest = outcome.received_at + UNCHECKED_SLACK
    return tuple(None if at is not None and at > latest else at for at in page.created)


def _is_honoured(page: Page, filters: Filter) -> bool:
    """Say whether all rows of a page match its filters: servers silently ignore those that they do not know."""
    return all(str(getattr(call, name)) == value for call in page.calls for name, value in filters)


def _stepped_over(absorbed: Absorbed, outcome: Outcome) -> list[UnreadRow]:
    """Return what was stepped over: a row exists there, and no request can read it."""
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
