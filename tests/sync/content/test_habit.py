"""What an account's details usually are, and when far more of them are absent."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from replicator.sync.content.habit import ENOUGH, LONGEST_WAVE, Habit, Looks
from tests.sync.fix_values import NOW

pytestmark = pytest.mark.pure

DAY = timedelta(days=1)


def group(days: float, found: int, absent: int) -> Looks:
    """Return the details that were first looked at so many days before NOW."""
    return Looks(NOW - days * DAY, found, absent)


HABIT = group(9, 60, 0)


def test_an_outage_is_a_wave() -> None:
    """60 details were found, then 40 are absent: none of these is believed; the earlier ones are."""
    groups = [HABIT, group(2, 0, 40)]
    assert Habit(groups).is_wave(NOW - 2 * DAY, NOW)
    assert Habit(groups).is_wave(NOW - 1.9 * DAY, NOW)
    assert not Habit(groups).is_wave(NOW - 9 * DAY, NOW)
    assert not Habit(groups).is_wave(NOW - 10 * DAY, NOW)
    assert Habit(groups).wave_since(NOW) == NOW - 2 * DAY


def test_a_wave_in_the_same_hour_as_the_habit() -> None:
    """The groups of two runs of `sync` are compared, however short the time between them was."""
    assert Habit([group(2.001, 60, 0), group(2, 0, 40)]).is_wave(NOW - 2 * DAY, NOW)


def test_few_details_are_judged_with_those_of_the_same_day() -> None:
    """Each hour of a small account has a few: those of half a day before and after are taken together."""
    hours = [group(2 + hour / 24, 0, 3) for hour in range(10)]
    assert Habit([HABIT, *hours]).is_wave(NOW - 2 * DAY, NOW)
    assert not Habit([HABIT, *hours[:3]]).is_wave(NOW - 2 * DAY, NOW)


def test_without_a_habit_there_is_no_wave() -> None:
    """An account that never had a recording has none; and a few looks are no habit."""
    assert not Habit([group(2, 0, 500)]).is_wave(NOW - 2 * DAY, NOW)
    assert not Habit([group(9, ENOUGH - 1, 0), group(2, 0, 500)]).is_wave(NOW - 2 * DAY, NOW)
    assert not Habit([group(9, 0, 300), group(2, 0, 500)]).is_wave(NOW - 2 * DAY, NOW)
    assert Habit([]).wave_since(NOW) is None


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize(("groups", "size"), [(24 * 60, 5), (24 * 60, 200), (60, 300), (8, 25)])
def test_what_is_usual_is_no_wave(share: float, groups: int, size: int) -> None:
    """Whatever share of its details an account lacks: by hours and by days, with few and with many calls."""
    chance = random.Random(share * 100 + groups + size)
    looked = []
    for number in range(groups):
        absent = sum(chance.random() < share for _ in range(size))
        looked.append(group(1 + 60 * number / groups, size - absent, absent))
    habit = Habit(looked)
    waves = [one for one in looked if habit.is_wave(one.since, NOW)]
    assert len(waves) <= groups / 500


def test_after_a_month_an_absence_is_believed() -> None:
    """The source does not have it any more, and says so all the time."""
    groups = [group(90, 600, 0), group(30, 0, 40)]
    assert not Habit(groups).is_wave(NOW - LONGEST_WAVE, NOW)
    assert Habit(groups).is_wave(NOW - 30 * DAY, NOW - DAY)
    assert Habit(groups).wave_since(NOW) is None


def test_a_group_of_today_is_not_judged_yet() -> None:
    """Details of calls that have just ended are seldom there at the first look."""
    assert Habit([HABIT, group(0.5, 0, 40)]).wave_since(NOW) is None
    assert Habit([HABIT, group(1, 0, 40)]).wave_since(NOW) == NOW - DAY


def test_what_was_found_later_ends_a_wave() -> None:
    """A group counts as it is by now."""
    assert Habit([HABIT, group(3, 20, 20)]).wave_since(NOW) is not None
    assert Habit([HABIT, group(3, 35, 5)]).wave_since(NOW) is None
