"""What an account's looks usually find, and when far more of them find nothing."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from replicator.sync.content.habit import ENOUGH, LONGEST_WAVE, MOST_COUNTED, RECENT, Habit
from tests.sync.fix_values import NOW

pytestmark = pytest.mark.pure


def after(looks: str, habit: Habit | None = None, *, days: float = 0) -> Habit:
    """Return the habit after looks (1: found, 0: absent), made so many days after NOW."""
    habit = habit or Habit()
    for look in looks:
        habit = habit.looked(NOW + timedelta(days=days), is_found=look == "1")
    return habit


def test_the_latest_looks_are_kept_apart_from_the_habit() -> None:
    """They are counted once they are no longer among the latest."""
    habit = after("1" * RECENT)
    assert (habit.found, habit.absent, habit.recent) == (0, 0, "1" * RECENT)
    habit = after("10" * 5, habit)
    assert (habit.found, habit.absent, habit.recent[-10:]) == (10, 0, "10" * 5)


def test_an_outage_is_a_wave() -> None:
    """60 details were found, then 40 are absent in a row."""
    before = after("1" * 60)
    assert not before.is_wave
    assert after("0" * 40, before).is_wave
    assert not after("0" * 5, before).is_wave


def test_what_is_usual_is_no_wave() -> None:
    """Whatever share of its details an account lacks, in whatever order they come."""
    for share in (0.05, 0.3, 0.5, 0.9):
        looks = random.Random(7)
        habit = Habit()
        for _ in range(3000):
            habit = habit.looked(NOW, is_found=looks.random() >= share)
            assert not habit.is_wave, share


def test_without_a_habit_there_is_no_wave() -> None:
    """An account that never had a recording has none."""
    assert not after("0" * 500).is_wave
    assert not after("1" * (ENOUGH - 1) + "0" * RECENT).is_wave


def test_a_wave_does_not_become_the_habit_and_ends() -> None:
    """Not by its own looks; it ends when details are found again."""
    wave = after("0" * 500, after("1" * 100))
    assert wave.is_wave
    assert (wave.found, wave.absent) == (after("0" * 50, after("1" * 100)).found, wave.absent)
    assert wave.absent < RECENT
    assert after("1" * 25, wave).is_wave
    ended = after("1" * RECENT, wave)
    assert not ended.is_wave
    assert ended.found >= 50


def test_after_a_month_a_wave_is_the_habit() -> None:
    """The source does not have them any more, and says so all the time."""
    wave = after("0" * 60, after("1" * 100))
    later = after("0" * ENOUGH, wave, days=LONGEST_WAVE / timedelta(days=1))
    assert not later.is_wave
    assert not after("0" * 100, later, days=40).is_wave


def test_a_habit_may_change_slowly() -> None:
    """Old looks fade: the counts stay bounded."""
    habit = after("1" * (3 * MOST_COUNTED))
    assert habit.found + habit.absent <= MOST_COUNTED
