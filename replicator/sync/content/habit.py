"""Recognises when far more details are absent than this account's usually are. Pure.

A provider that is down answers 404 for everything, and may do so for days. So the latest looks are compared with all
earlier ones: where far more of them found nothing, that is a wave, and until it is over no absence is believed. A look
counts once for each detail: when it is found, or when it is absent a day after the end of its call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

RECENT = 50
"""So many latest looks are compared with those before them."""
ENOUGH = 20
"""With fewer looks on either side nothing is compared."""
FAR_MORE = 0.3
"""A wave begins where the share of absent ones among the latest looks exceeds the usual one by more than this …"""
NO_MORE = 0.15
"""… and ends where it exceeds it by less than this."""
MOST_COUNTED = 2000
"""With more earlier looks than this, all of them count half: a habit may change slowly."""
LONGEST_WAVE = timedelta(days=30)
"""After this time what was a wave is the habit."""


@dataclass(frozen=True, slots=True)
class Habit:
    """What looks at one kind of detail have found: `recent` has the latest, oldest first (1: found, 0: absent)."""

    found: int = 0
    absent: int = 0
    recent: str = ""
    wave_since: datetime | None = None

    @property
    def is_wave(self) -> bool:
        """Say whether far more details are absent than usual."""
        return self.wave_since is not None

    def looked(self, at: datetime, *, is_found: bool) -> Habit:
        """Return the habit after one more look."""
        recent = self.recent + ("1" if is_found else "0")
        left, recent = recent[:-RECENT], recent[-RECENT:]
        habit = replace(self, recent=recent)
        if not self.is_wave:  # what a wave shows is not the habit
            habit = replace(habit, found=self.found + left.count("1"), absent=self.absent + left.count("0"))
        if habit.found + habit.absent > MOST_COUNTED:
            habit = replace(habit, found=habit.found // 2, absent=habit.absent // 2)
        return _judged(habit, at)


def _judged(habit: Habit, at: datetime) -> Habit:
    """Return the habit with the beginning or the end of a wave."""
    if habit.wave_since is not None and at - habit.wave_since >= LONGEST_WAVE:
        return Habit(habit.recent.count("1"), habit.recent.count("0"))
    usual = habit.found + habit.absent
    if usual < ENOUGH or len(habit.recent) < ENOUGH:
        return habit
    more = habit.recent.count("0") / len(habit.recent) - habit.absent / usual
    if habit.wave_since is None:
        return replace(habit, wave_since=at) if more > FAR_MORE else habit
    return replace(habit, wave_since=None) if more < NO_MORE else habit
