"""Makes random months: our calls, a statement made from them, faults of known classes planted in it, and the right answer.

Each planted fault carries a tag, which its line has as description and which names its call; the answer says which class
each tag's lines and calls must get. Calls of the same numbers lie hours apart, so that each question has one answer.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from replicator.reconcile import months
from replicator.reconcile.classes import Class
from replicator.reconcile.lines import Line
from replicator.reconcile.sides import OurCall, Terms

BERLIN = ZoneInfo("Europe/Berlin")
MONTH = months.month("2026-10", BERLIN, UTC)
TERMS = Terms(minimum_seconds=30)
PER_SECOND = Decimal("0.0021")
KINDS = tuple(Class)


@dataclass(slots=True)
class Planted:
    """A month with its answer: by tag, the classes of its lines and of its calls."""

    calls: list[OurCall] = field(default_factory=list)
    lines: list[tuple[int, Line]] = field(default_factory=list)
    line_classes: dict[str, Counter[Class]] = field(default_factory=dict)
    call_classes: dict[UUID, Class] = field(default_factory=dict)
    our_sum: Decimal = Decimal(0)

    @property
    def statement_sum(self) -> Decimal:
        return sum((line.amount or Decimal(0) for _, line in self.lines if line.currency == "USD"), Decimal(0))


class Maker:
    """Plants one fault after the other."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.made = Planted()
        self.by = self.random.choice(("call_id", "provider_id", "numbers"))
        self.count = 0
        self.agent = UUID(int=self.random.getrandbits(128))

    def _call(self, **others: object) -> OurCall:
        self.count += 1
        chance = self.random
        started = datetime(2026, 10, 2, tzinfo=UTC) + timedelta(hours=5 * self.count, seconds=chance.randrange(10_000))
        seconds = chance.randrange(40, 900)
        call = OurCall(
            id=UUID(int=chance.getrandbits(128)),
            amount=(PER_SECOND * seconds).quantize(Decimal("0.0001")),
            cost_state="known",
            created_at=started - timedelta(seconds=chance.randrange(2, 20)),
            started_at=started,
            ended_at=started + timedelta(seconds=seconds),
            duration_seconds=seconds,
            from_number="+4930111111",
            phone_number=f"+491700000{chance.randrange(3):03d}",
            direction=chance.choice(("inbound", "outbound")),
            agent_id=self.agent,
            provider_ids=(f"CA{chance.getrandbits(64):016x}",),
        )
        return replace(call, **others)  # type: ignore[arg-type]

    def _line(self, call: OurCall, tag: str, **others: object) -> Line:
        chance = self.random
        started = call.started_at
        if started is not None and self.by == "numbers":
            started += timedelta(seconds=chance.choice((0, 0, 3, -50, 90)))
        seconds = call.duration_seconds
        if seconds is not None and self.by == "numbers":
            seconds += chance.choice((0, 0, 1, -2))
        line = Line(
            number=0,
            line_id=f"I{chance.getrandbits(40)}",
            call_id=call.id if self.by == "call_id" else None,
            provider_id=call.provider_ids[0] if self.by == "provider_id" else None,
            started_at=started,
            duration_seconds=seconds,
            from_number=call.from_number,
            phone_number=call.phone_number,
            direction=call.direction,
            amount=call.amount,
            description=tag,
        )
        return replace(line, **others)  # type: ignore[arg-type]

    def plant(self, kind: Class) -> None:
        """Add one call, one line or both, of which the right class is `kind`."""
        tag = f"T{self.count}-{len(self.made.lines)}"
        call, lines, classes = getattr(self, f"_{kind.value}")(tag)
        if call is not None:
            self.made.calls.append(call)
            if MONTH.holds(call.billed_at):
                self.made.call_classes[call.id] = Class.EXACT if kind is Class.DUPLICATE_LINE else kind
                self.made.our_sum += call.amount or 0
        for line in lines:
            self.made.lines.append((1, line))
        if lines:
            self.made.line_classes[tag] = Counter(classes or [kind])

    def _pair(self, tag: str, line: dict[str, object] | None = None, **call: object) -> object:
        ours = self._call(**call)
        return ours, [self._line(ours, tag, **(line or {}))], None

    def _exact(self, tag: str) -> object:
        if self.random.random() < 0.3:
            quiet = {"amount": None, "cost_state": "not_expected", "is_connected": False, "started_at": None}
            return self._call(duration_seconds=0, **quiet), [], None
        return self._pair(tag)

    def _within_tolerance(self, tag: str) -> object:
        call = self._call()
        off = Decimal("0.009") if self.by == "numbers" else Decimal("0.0001")
        return call, [self._line(call, tag, amount=call.amount + self.random.choice((1, -1)) * off)], None

    def _only_on_statement(self, tag: str) -> object:
        other = self._call(from_number="+4930999999", phone_number="+15550001111")
        return None, [self._line(other, tag)], None

    def _only_in_replica(self, _tag: str) -> object:
        return self._call(), [], None

    def _duration_differs(self, tag: str) -> object:
        call = self._call()
        seconds = call.duration_seconds + self.random.choice((7, 20, -20))
        amount = (PER_SECOND * seconds).quantize(Decimal("0.0001"))
        return call, [self._line(call, tag, duration_seconds=seconds, amount=amount)], None

    def _rate_differs(self, tag: str) -> object:
        call = self._call()
        factor = self.random.choice((Decimal("1.2"), Decimal("0.8")))
        return call, [self._line(call, tag, amount=call.amount * factor)], None

    def _minimum_charge(self, tag: str) -> object:
        seconds = self.random.randrange(5, 20)
        call = self._call(duration_seconds=seconds, amount=PER_SECOND * seconds)
        return call, [self._line(call, tag, amount=PER_SECOND * TERMS.minimum_seconds)], None

    def _period_boundary(self, tag: str) -> object:
        self.count += 1
        border = self.random.choice((MONTH.since, MONTH.until))
        if self.random.random() < 0.5:
            # Ours of the other month, theirs of this one.
            away = timedelta(minutes=7 * self.count) * (-1 if border == MONTH.since else 1)
            return self._pair(tag, **_moved(border + away))
        # Ours of this month, theirs of the other one: in UTC, October begins and ends one or two hours later.
        return self._call(**_moved(MONTH.since + timedelta(minutes=self.count % 100))), [], None

    def _late_adjustment(self, tag: str) -> object:
        if self.random.random() < 0.3:
            return self._pair(tag, **_moved(datetime(2026, 8, 3, tzinfo=UTC) + timedelta(hours=3 * self.count)))
        call = self._call()
        former = call.amount * 2 + 1
        return replace(call, former=(Decimal(7), former)), [self._line(call, tag, amount=former)], None

    def _cost_pending(self, tag: str) -> object:
        call = self._call(amount=None, cost_state="pending")
        which = self.random.randrange(3)
        if which == 0:
            return call, [], None
        if which == 1:
            return call, [self._line(call, tag, amount=Decimal("0.31"))], None
        priced = self._call()
        return priced, [self._line(priced, tag, amount=None)], None

    def _zero_cost_connected(self, tag: str) -> object:
        call = self._call(amount=Decimal(0))
        lines = [[], [self._line(call, tag)], [self._line(call, tag, amount=Decimal("0.4"))]]
        return call, self.random.choice(lines), None

    def _duplicate_line(self, tag: str) -> object:
        call = self._call()
        line = self._line(call, tag)
        again = replace(line, line_id=self.random.choice((line.line_id, "again")))
        return call, [line, again], [Class.EXACT, Class.DUPLICATE_LINE]

    def _deleted_but_billed(self, tag: str) -> object:
        return self._pair(tag, is_deleted=True)

    def _not_a_call(self, tag: str) -> object:
        kind = self.random.choice(("fee", "tax", "credit", "discount"))
        amount = Decimal(self.random.randrange(-900, 900)) / 100
        return None, [Line(number=0, amount=amount, kind=kind, description=tag)], None

    def _other_currency(self, tag: str) -> object:
        call = self._call()
        return call, [self._line(call, tag, currency="EUR")], None


def _moved(ended: datetime) -> dict[str, object]:
    started = ended - timedelta(seconds=61)
    return {"ended_at": ended, "started_at": started, "created_at": started, "duration_seconds": 61}


def month_of(seed: int, faults: int | None = None) -> Planted:
    """Return a random month with so many faults, in any order and mixture."""
    maker = Maker(seed)
    count = maker.random.randrange(1, 12) if faults is None else faults
    for _ in range(count):
        maker.plant(maker.random.choice(KINDS))
    made = maker.made
    maker.random.shuffle(made.lines)
    maker.random.shuffle(made.calls)
    made.lines = [(1, replace(line, number=n + 2)) for n, (_, line) in enumerate(made.lines)]
    return made


__all__ = ["KINDS", "MONTH", "TERMS", "Maker", "Planted", "month_of"]
