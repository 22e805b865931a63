"""Issues the simulated account's statement of a month, as a vendor's portal gives it out, with a few planted faults.

The lines are the billed calls of the month (UTC), with times in the vendor's own zone, and amounts as the calls show them.
The faults are one of each kind of `Fault`, chosen by the seed: what was planted is returned, so that a test can compare
what was found. The call of the fault `deleted` is deleted at the source when the statement is issued. Where an account has
too few calls for a fault, that one is left out. The mapping `simulator` of the replicator reads such a file.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from replicator.simulator import texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replicator.simulator.showing import Row
    from replicator.simulator.world import World

ZONE = ZoneInfo("Pacific/Auckland")
"""The vendor's zone: its months begin half a day before those of UTC."""
RATE_PER_STEP = Decimal("0.0073")
STEP_SECONDS = 6
WRONG_STEP_SECONDS = 60
FEE = Decimal("12.5000")
TITLE = ("Truedy Voice, Inc.", "Usage statement")
COLUMNS = (
    "Invoice line", "Call ID", "Start time (NZ)", "Billable seconds", "From", "To", "Direction", "Charge", "Currency", "Type", "Description",
)  # fmt: skip


class Fault(StrEnum):
    """A fault of a statement, by the class in which a comparison should put its line."""

    DUPLICATE = "duplicate_line"
    INCREMENT = "rate_differs"
    DELETED = "deleted_but_billed"
    FEE = "not_a_call"
    UNKNOWN = "only_on_statement"
    BORDER = "period_boundary"


@dataclass(frozen=True, slots=True)
class Planted:
    """One planted fault. `right_amount` is what the call shows; None where there is no such call."""

    fault: Fault
    line_id: str
    call_id: str | None
    amount: Decimal
    right_amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it was issued."""

    period: str
    file_name: str
    text: str
    lines: int
    total: Decimal
    planted: tuple[Planted, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the facts without the text, for JSON: amounts are texts."""
        facts = {name: value for name, value in asdict(self).items() if name not in {"text", "planted"}}
        planted = [
            {name: None if value is None else str(value) for name, value in asdict(one).items()} for one in self.planted
        ]
        return facts | {"total": str(self.total), "planted": planted}


@dataclass(slots=True)
class _Draft:
    call_id: str
    started_at: datetime | None
    seconds: int | None
    from_number: str | None
    phone_number: str | None
    direction: str
    amount: Decimal
    kind: str = "Usage"
    description: str = "AI voice minutes"
    fault: Fault | None = None
    right: Decimal | None = None


def bounds(period: str) -> tuple[datetime, datetime]:
    """Return the begin and the end of a month such as 2026-10, in UTC. Raises ValueError for another text."""
    begin = datetime.strptime(period, "%Y-%m").replace(tzinfo=UTC)
    return begin, (begin + timedelta(days=32)).replace(day=1)


def issue(world: World, period: str) -> Statement:
    """Issue the statement of a month; the call of the fault `deleted` is deleted. Raises ValueError for another text than a
    month.
    """
    begin, end = bounds(period)
    with world.lock:
        random = Random(f"{world.seed} statement {period}")  # noqa: S311 - a simulation
        billed = [row for row in _billed(world, begin, end) if begin <= row["started_at"] < end]
        drafts = [_of(row) for row in billed]
        drafts += _border(world, begin)
        _plant_changes(drafts, random)
        drafts.sort(key=lambda draft: (draft.started_at or end, draft.call_id))
        drafts += _strangers(random, begin, end)
        for draft in drafts:
            if draft.fault is Fault.DELETED:
                world.delete(draft.call_id)
    return _written(period, drafts)


def correct(world: World, statement: Statement) -> dict[str, str] | None:
    """Correct the cost of one call of a statement, as a vendor does after the month: return the call, its old cost and its
    new cost; None where no call is left.
    """
    faulty = {one.call_id for one in statement.planted}
    begin, end = bounds(statement.period)
    with world.lock:
        for row in _billed(world, begin, end):
            if row["id"] not in faulty and begin <= row["started_at"] < end and row["cost_usd"] > RATE_PER_STEP:
                new = row["cost_usd"] - RATE_PER_STEP
                world.update(row["id"], cost_usd=new)
                return {"call_id": row["id"], "old": str(row["cost_usd"]), "new": str(new)}
    return None


def _billed(world: World, begin: datetime, end: datetime) -> Iterator[Row]:
    """Yield the calls with a cost that were created around these instants."""
    found = world.between(world.matching(None, None, None), begin - timedelta(hours=1), end)
    rows = (world.row_at(index) for index in found)
    return (row for row in rows if row["cost_usd"] is not None and row["started_at"] is not None)


def _of(row: Row) -> _Draft:
    return _Draft(
        row["id"], row["started_at"], row["duration_seconds"], row["from_number"], row["phone_number"], row["direction"],
        row["cost_usd"], right=row["cost_usd"],
    )  # fmt: skip


def _border(world: World, begin: datetime) -> list[_Draft]:
    """Return the last call before the month that the vendor's zone puts into it, if there is one."""
    theirs = begin.replace(tzinfo=ZONE).astimezone(UTC)
    found = [row for row in _billed(world, theirs, begin) if theirs <= row["started_at"] < begin]
    drafts = [_of(row) for row in found[-1:]]
    for draft in drafts:
        draft.fault = Fault.BORDER
    return drafts


def _plant_changes(drafts: list[_Draft], random: Random) -> None:
    """Plant the faults that are about calls of the month, each in another call."""
    free = [draft for draft in drafts if draft.fault is None]
    random.shuffle(free)
    uneven = [draft for draft in free if draft.seconds and draft.amount != _charged(draft.seconds, WRONG_STEP_SECONDS)]
    for draft in uneven[:1]:
        draft.fault, draft.amount = Fault.INCREMENT, _charged(draft.seconds or 0, WRONG_STEP_SECONDS)
        free.remove(draft)
    for draft in free[:1]:
        copy = _Draft(
            draft.call_id, draft.started_at, draft.seconds, draft.from_number, draft.phone_number, draft.direction, draft.amount,
            fault=Fault.DUPLICATE, right=draft.right,
        )  # fmt: skip
        drafts.append(copy)
    for draft in free[1:2]:
        draft.fault = Fault.DELETED


def _strangers(random: Random, begin: datetime, end: datetime) -> Sequence[_Draft]:
    """Return a call that is not the account's, and a fee."""
    seconds = random.randrange(30, 600)
    unknown = _Draft(
        str(UUID(int=random.getrandbits(128), version=4)), begin + (end - begin) * random.random(), seconds, texts.fictional_number(random),
        texts.fictional_number(random), "outbound", _charged(seconds, STEP_SECONDS), fault=Fault.UNKNOWN,
    )  # fmt: skip
    fee = _Draft("", None, None, None, None, "", FEE, "Monthly fee", "Phone numbers, monthly", fault=Fault.FEE)
    return (unknown, fee)


def _charged(seconds: int, step: int) -> Decimal:
    """Return the cost of a call in steps of so many seconds, at the account's rate."""
    return -(-seconds // step) * step // STEP_SECONDS * RATE_PER_STEP


def _written(period: str, drafts: Sequence[_Draft]) -> Statement:
    out, planted = io.StringIO(newline=""), []
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([TITLE[0]])
    writer.writerow([f"{TITLE[1]} {period}"])
    writer.writerow([])
    writer.writerow(COLUMNS)
    for number, draft in enumerate(drafts, 1):
        line_id = f"{period}-{number:06}"
        started = draft.started_at and draft.started_at.astimezone(ZONE)
        writer.writerow([
            line_id, draft.call_id, "" if started is None else started.strftime("%Y-%m-%d %H:%M:%S"), draft.seconds, draft.from_number,
            draft.phone_number, draft.direction, f"${draft.amount:,.4f}", "USD", draft.kind, draft.description,
        ])  # fmt: skip
        if draft.fault is not None:
            planted.append(Planted(draft.fault, line_id, draft.call_id or None, draft.amount, draft.right))
    total = sum((draft.amount for draft in drafts), Decimal(0))
    return Statement(period, f"truedy-statement-{period}.csv", out.getvalue(), len(drafts), total, tuple(planted))
