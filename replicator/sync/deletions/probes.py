"""Chooses the suspected absences and controls to be asked for by id, and interprets the answers. No I/O: its owner gives
it answers and takes the next probe from it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.errors import NotFound
from replicator.sync.deletions.rules import AGAIN_AFTER, CONTROL_AGE, Absence, after_answer, after_miss, after_nothing
from replicator.sync.protocol.requests import Probe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from replicator.sync.protocol.requests import Outcome

CONTROL_MARGIN = timedelta(seconds=15)
"""A control is asked again this long before it is too old, so that the probes sent after it still count."""


@dataclass(slots=True)
class Prober:
    """Suspected absences that are loaded, each asked for between two controls (calls that are known to live)."""

    confirm_after: timedelta
    waiting: deque[Absence] = field(default_factory=deque)
    asked: set[int] = field(default_factory=set)
    """Ids of absences that wait, are in flight, or got a 404 that no control has confirmed yet."""
    missed: list[tuple[Absence, Outcome]] = field(default_factory=list)
    """404s that wait for the control that follows them."""
    controls: deque[UUID] = field(default_factory=deque)
    control_at: datetime | None = None
    control_key: int | None = None
    """The key through which the last control answered."""
    is_control_asked: bool = False
    is_control_next: bool = True
    """Whether the next probe is a control; set by the last call of `ready`."""

    def take(self, absences: Iterable[Absence]) -> None:
        """Add suspected absences to those that wait."""
        for absence in absences:
            if absence.id not in self.asked:
                self.asked.add(absence.id)
                self.waiting.append(absence)

    def seen(self, call_ids: Sequence[UUID]) -> None:
        """Remember calls that the source has just listed: each can serve as a control."""
        self.controls = deque(call_ids[-3:])

    def ready(self, now: datetime, free: int) -> int:
        """Return how many probes may be sent now: the absences that wait, or one control before or after them.

        Of the `free` requests of the rate window one is kept for the control after the probes. 404s without a control
        within CONTROL_AGE do not count, and would have to be asked for again in each window.
        """
        is_first = len(self.asked) == len(self.waiting)
        self.is_control_next = not (self.waiting and self._has_control(now) and (free > 1 or is_first))
        if not self.is_control_next:
            return min(len(self.waiting), max(1, free - 1))
        is_wanted = bool(self.waiting or self.missed)
        if self.waiting and self._has_control(now) and len(self.asked) > len(self.waiting) + len(self.missed):
            return 0  # the control must be asked for after the last probe was answered
        return int(is_wanted and not self.is_control_asked and bool(self.controls))

    def next(self) -> Probe:
        """Return the probe to be sent now."""
        if not self.is_control_next and self.waiting:
            absence = self.waiting.popleft()
            return Probe(absence.call_id, absence)
        self.is_control_asked = True
        return Probe(self.controls[0])

    def completed(self, probe: Probe, outcome: Outcome) -> list[Absence]:
        """Take an answer; return the absences that it changed."""
        is_itself = outcome.call is not None and outcome.call.id == probe.call_id
        absence = probe.absence
        if absence is None:
            self.is_control_asked = False
            return self._controlled(outcome) if is_itself else self._uncontrolled(probe, outcome)
        if not outcome.is_sent:
            self.waiting.append(absence)
            return []
        if isinstance(outcome.error, NotFound):
            self.missed.append((absence, outcome))
            return []
        self.asked.discard(absence.id)
        return [(after_answer if is_itself else after_nothing)(absence, outcome.sent_at)]

    def _controlled(self, outcome: Outcome) -> list[Absence]:
        """Take a control that answered as itself: the 404s before it count, if the control before them
        is near enough, and all came through one key: what another key does not find may be hidden from that key only.
        """
        key, after = outcome.request.key, outcome.sent_at
        before = self.control_at if self.control_key == key else None
        self.control_at, self.control_key = after, key
        ready = [(absence, miss) for absence, miss in self.missed if miss.received_at <= after]
        self.missed = [one for one in self.missed if one[1].received_at > after]
        self.asked -= {absence.id for absence, _ in ready}
        return [
            after_miss(absence, miss.sent_at, (before if miss.request.key == key else None, after), self.confirm_after)
            for absence, miss in ready
        ]

    def _uncontrolled(self, probe: Probe, outcome: Outcome) -> list[Absence]:
        """Take a control that did not answer as itself: the 404s before it do not count.

        The control may be deleted, or the source knows no call at all.
        """
        if not outcome.is_sent:
            return []
        if self.controls and self.controls[0] == probe.call_id:
            self.controls.popleft()
        void, self.missed, self.control_at = self.missed, [], None
        self.asked -= {absence.id for absence, _ in void}
        return [replace(absence, due_at=outcome.sent_at + AGAIN_AFTER) for absence, _ in void]

    def _has_control(self, now: datetime) -> bool:
        return self.control_at is not None and now - self.control_at <= CONTROL_AGE - CONTROL_MARGIN
