"""Recognises when far more details are absent than this account's usually are. Pure.

A provider that is down answers 404 for everything, and may do so for days. So details are counted by when they were
first looked at: those of one `sync`, or of one hour of `serve`, together. Each counts as found or as absent, as it is
by now. Where far more of one such group are absent than of all others, that is a wave, and no absence in it is believed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import timedelta
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

ENOUGH = 20
"""With fewer details on either side nothing is compared."""
FAR_MORE = 0.3
"""The share of absent ones must exceed the usual one by more than this …"""
DEVIATIONS = 4
"""… and by more than chance explains: so many standard deviations."""
MATURE = timedelta(days=1)
"""A group is judged when it is this old: a detail of a call that has just ended is seldom there at the first look."""
NEAR = timedelta(hours=12)
"""A group with fewer than ENOUGH details is judged together with those that began so long before or after it."""
KEPT = timedelta(days=100)
"""Groups that began earlier are forgotten."""
LONGEST_WAVE = timedelta(days=30)
"""What is absent for so long is believed, whatever else is absent with it."""


@dataclass(frozen=True, slots=True)
class Looks:
    """The details that were first looked at from `since` until the next group begins: how many were found by now, and how
    many are absent.
    """

    since: datetime
    found: int
    absent: int

    @property
    def all(self) -> int:
        return self.found + self.absent


class Habit:
    """What an account's details of one kind usually are: all groups, in the order in which they began."""

    def __init__(self, groups: Iterable[Looks]) -> None:
        self._groups = sorted(groups, key=lambda group: group.since)
        self._begin = [group.since for group in self._groups]
        self._all = sum(group.all for group in self._groups)
        self._absent = sum(group.absent for group in self._groups)

    def is_wave(self, first_look: datetime, now: datetime) -> bool:
        """Say whether a detail that was first looked at then, and is absent, is one of far more than usual."""
        number = bisect_right(self._begin, first_look) - 1
        return number >= 0 and now - first_look < LONGEST_WAVE and self._is_wave(number)

    def wave_since(self, now: datetime) -> datetime | None:
        """Return when the wave of absences began that is on now; None where none is."""
        first = bisect_right(self._begin, now - LONGEST_WAVE)
        last = bisect_right(self._begin, now - MATURE)
        waves = (number for number in range(first, last) if self._groups[number].absent and self._is_wave(number))
        return next((self._begin[number] for number in waves), None)

    def _is_wave(self, number: int) -> bool:
        """Compare one group with all others."""
        then = [self._groups[number]]
        if then[0].all < ENOUGH:
            low = bisect_left(self._begin, self._begin[number] - NEAR)
            then = self._groups[low : bisect_right(self._begin, self._begin[number] + NEAR)]
        count, absent = sum(group.all for group in then), sum(group.absent for group in then)
        usual_count, usual_absent = self._all - count, self._absent - absent
        if count < ENOUGH or usual_count < ENOUGH:
            return False
        # One more of each kind: a habit of a few dozen looks without any absence is no certainty.
        expected = (usual_absent + 1) / (usual_count + 2)
        more = absent / count - usual_absent / usual_count
        return more > max(FAR_MORE, DEVIATIONS * sqrt(expected * (1 - expected) / count))
