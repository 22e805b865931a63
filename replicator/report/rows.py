"""The rows of each query of the report, the period, and all of them together. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime
    from decimal import Decimal

    from replicator.report.money_rows import BridgeStep, BudgetLine, ClosedMonth, Reconciled


@dataclass(frozen=True, slots=True)
class Facts:
    """The report's instant, its time zone, and how complete the replica is."""

    time_zone: str
    now_at: datetime
    today: date
    settle_hours: int
    cost_give_up_days: int
    stale_open_hours: int
    first_day: date | None
    stored_calls: int
    undated_calls: int
    future_calls: int
    head_at: datetime | None
    lag_seconds: float | None
    is_complete_and_proven: bool
    completeness: str
    holes: int
    unsure_intervals: int
    reaches_beginning: bool
    oldest_verified_at: datetime | None
    live_calls: int
    proven_calls: int
    source_total: int | None
    source_total_at: datetime | None
    pending_transcripts: int
    pending_recordings: int
    suspected_deletions: int
    verification_at: datetime | None
    verification_is_equal: bool | None
    stored_recordings: int | None = None
    """In the archive, as the next ones."""
    waiting_recordings: int = 0
    near_deadline_recordings: int = 0
    past_deadline_recordings: int = 0
    missing_recordings: int = 0
    refused_recordings: int = 0


@dataclass(frozen=True, slots=True)
class Attempts:
    """The calls created on one day in one direction: how many, and how they ended."""

    day: date
    direction: str
    calls: int
    open_calls: int
    stale_open_calls: int
    unmapped_calls: int
    terminal_calls: int
    not_placed_calls: int
    cancelled_calls: int
    placed_calls: int
    busy_calls: int
    not_answered_calls: int
    machine_calls: int
    answered_calls: int
    conversations: int


@dataclass(frozen=True, slots=True)
class Durations:
    """Durations of a bucket of days, or of a whole period where `bucket` is None; percentiles are estimated from the
    histogram.
    """

    is_before: bool
    bucket: date | None
    measured_calls: int
    duration_seconds: int
    p50_seconds: float
    p90_seconds: float
    p99_seconds: float
    longest_seconds: int


@dataclass(frozen=True, slots=True)
class Band:
    """A bucket of the histogram; the last has no upper edge."""

    lower_seconds: int
    upper_seconds: int | None
    calls: int


@dataclass(frozen=True, slots=True)
class Costs:
    """The calls that ended on one day: which of their cost is known, and which not."""

    day: date
    calls: int
    known_calls: int
    pending_calls: int
    not_expected_calls: int
    implausible_calls: int
    cost_usd: Decimal | None
    timed_cost_usd: Decimal | None
    timed_minutes: float
    conversations: int
    known_conversations: int
    conversation_cost_usd: Decimal | None
    is_final: bool
    given_up_calls: int = 0


@dataclass(frozen=True, slots=True)
class Month:
    """A month's cost, and how much of it was reached by the day of the month that today is."""

    month: date
    calls: int
    known_calls: int
    pending_calls: int
    cost_usd: Decimal | None
    cost_to_this_day_usd: Decimal | None
    is_final: bool
    given_up_calls: int = 0


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Calls of a day whose known cost changed afterwards."""

    day: date
    adjusted_calls: int
    adjustment_usd: Decimal


@dataclass(frozen=True, slots=True)
class Hour:
    """A weekday (1 is Monday) and an hour of it."""

    weekday: int
    hour: int
    calls: int
    placed_calls: int
    answered_calls: int


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent; or all others together, without a name, which come after the last."""

    place: int
    name: str | None
    members: int
    calls: int
    placed_calls: int
    answered_calls: int
    conversations: int
    measured_calls: int
    duration_seconds: int
    cost_usd: Decimal | None
    pending_calls: int
    title: str | None = None
    """The name that replicator.agents gives it."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign, or all others together."""

    place: int
    name: str | None
    members: int
    calls: int
    placed_calls: int
    answered_calls: int
    machine_calls: int
    conversations: int
    terminal_calls: int
    cost_usd: Decimal | None
    pending_calls: int
    title: str | None = None
    """The name that replicator.campaigns gives it."""


@dataclass(frozen=True, slots=True)
class StatusWord:
    """A status as the source spells it, and the stage it counts as."""

    place: int
    name: str | None
    stage: str | None
    members: int
    calls: int


@dataclass(frozen=True, slots=True)
class ErrorText:
    """An error text of calls, without its digits."""

    place: int
    name: str | None
    members: int
    calls: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class CoveredDay:
    """How much of a day was compared with the source, and how much of it is proven."""

    day: date
    live_calls: int
    proven_calls: int
    day_seconds: float
    proven_seconds: float
    unsure_seconds: float
    never_compared_seconds: float
    unsure_reasons: str | None
    oldest_verified_at: datetime | None
    is_complete_and_proven: bool


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What is not final, by reason."""

    open_calls: int
    stale_open_calls: int
    unsettled_calls: int
    unmapped_calls: int
    deleted_calls: int
    pending_cost_calls: int
    given_up_cost_calls: int
    implausible_cost_calls: int


@dataclass(frozen=True, slots=True)
class UnsureStretch:
    """A stretch of the list that could not be proven; it starts at the beginning where `since_at` is None."""

    since_at: datetime | None
    until_at: datetime | None
    verified_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Aside:
    """A reason why rows could not be read."""

    reason: str
    calls: int
    since_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ArchiveDay:
    """What the archive holds of the calls created on one day."""

    day: date
    calls: int
    sealed_calls: int
    expected_recordings: int
    stored_recordings: int
    waiting_recordings: int
    missing_recordings: int
    refused_recordings: int
    removed_recordings: int
    stored_bytes: int
    transcript_calls: int
    disclosure_calls: int
    payment_calls: int
    gap_seconds: float | None


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run of the replicator."""

    command: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    message: str | None
    requests: int
    calls_inserted: int
    calls_changed: int
    refusals: int
    failures: int


@dataclass(frozen=True, slots=True)
class Delay:
    """How late a change of a call is seen, by the age of the call."""

    class_number: int
    max_age_seconds: float | None
    calls: int
    renewed_every_seconds: float
    bound_seconds: float | None
    expected_seconds: float | None
    oldest_look_seconds: float | None


@dataclass(frozen=True, slots=True)
class Pulse:
    """Whether a process holds the lease, and the age of the last look at the newest end of the list."""

    is_lease_held: bool
    lag_seconds: float | None
    near_deadline_recordings: int = 0
    """Recordings that are not stored yet, and that the vendor deletes within two days."""
    budgets_exceeded: int = 0
    """Budgets that run and were passed, or will be by the forecast."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measurement for `/metrics`; `labels` are names and values in turn."""

    name: str
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Period:
    """The last `days` days including today, and the same number before them."""

    days: int
    today: date
    since: date
    before: date
    bucket: str


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of the page, for one account at one moment."""

    account: str
    period: Period
    facts: Facts
    attempts: tuple[Attempts, ...]
    durations: tuple[Durations, ...]
    histogram: tuple[Band, ...]
    costs: tuple[Costs, ...]
    months: tuple[Month, ...]
    adjustments: tuple[Adjustment, ...]
    hours: tuple[Hour, ...]
    agents: tuple[Agent, ...]
    campaigns: tuple[Campaign, ...]
    statuses: tuple[StatusWord, ...]
    errors: tuple[ErrorText, ...]
    coverage: tuple[CoveredDay, ...]
    outstanding: Outstanding
    unsure: tuple[UnsureStretch, ...]
    quarantine: tuple[Aside, ...]
    runs: tuple[RunLine, ...]
    delays: tuple[Delay, ...]
    reconciled: tuple[Reconciled, ...]
    bridge: tuple[BridgeStep, ...]
    closes: tuple[ClosedMonth, ...]
    budgets: tuple[BudgetLine, ...] = ()
    archive: tuple[ArchiveDay, ...] = ()
    """Empty where the account has no archive."""
