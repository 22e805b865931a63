"""When a recording is tried, when its link is renewed, and when it is given up."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from replicator.archive.recordings import queue_rules
from replicator.archive.recordings.queue_rules import Reason, Standing, State, Verdict, after_failure
from tests.fix_commands import TOP

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
KEEPS = timedelta(days=14)


def queued(**changes: object) -> Standing:
    return Standing(**({"queued_at": NOW, "deadline_at": NOW + KEEPS} | changes))


def after(standing: Standing, verdict: Verdict) -> Standing:
    return Standing(
        standing.queued_at,
        standing.deadline_at,
        verdict.attempts,
        verdict.failures,
        verdict.reason,
        verdict.failing_since,
    )


def through(reason: Reason, standing: Standing, now: datetime = NOW, most: int = 200) -> tuple[Verdict, list[datetime]]:
    """Fail for the same reason until the end; return the last verdict and when each attempt was."""
    times = []
    for _ in range(most):
        verdict = after_failure(standing, reason, now)
        times.append(now)
        if verdict.next_try_at is None:
            break
        assert verdict.state is State.PENDING
        assert verdict.next_try_at > now
        standing, now = after(standing, verdict), verdict.next_try_at
    return verdict, times


@pytest.mark.parametrize(
    "reason", [Reason.UNREACHABLE, Reason.LINK_REFUSED, Reason.STALLED, Reason.STORAGE_BUSY, Reason.CUT_OFF]
)
def test_what_may_pass_is_tried_until_the_deadline(reason: Reason) -> None:
    """Soon at first, then twice a day; the last time shortly before the vendor deletes it; then it is missing."""
    verdict, times = through(reason, queued())
    assert verdict.state is State.MISSING
    assert times[1] - times[0] == timedelta(minutes=1)
    assert 25 < len(times) < 60
    assert max(later - earlier for earlier, later in pairwise(times)) <= timedelta(hours=12)
    assert any(timedelta(0) < NOW + KEEPS - time <= timedelta(hours=2) for time in times)


@pytest.mark.parametrize("reason", sorted(queue_rules.FINAL_AT_ONCE))
def test_what_waiting_cannot_change_is_refused_at_once(reason: Reason) -> None:
    """A link into the operator's own network stays one."""
    assert after_failure(queued(), reason, NOW).state is State.REFUSED


@pytest.mark.parametrize("reason", sorted(queue_rules.REFUSED_IN_THE_END - queue_rules.FINAL_AT_ONCE))
def test_a_page_in_place_of_audio_is_tried_again_before_it_is_refused(reason: Reason) -> None:
    """For more than a day: error pages go away."""
    verdict, times = through(reason, queued())
    assert verdict.state is State.REFUSED
    assert len(times) == queue_rules.MOST_REFUSALS
    assert times[-1] - times[0] > timedelta(days=1)


def test_no_recording_is_believed_after_three_answers_over_a_day() -> None:
    """One 404 is no fact: a provider's outage answers 404 for everything."""
    verdict, times = through(Reason.NO_LINK, queued())
    assert verdict.state is State.MISSING
    assert verdict.reason is Reason.NO_LINK
    assert len(times) >= 3
    assert timedelta(days=1) <= times[-1] - times[0] < timedelta(days=2)


def test_other_failures_in_between_count_anew() -> None:
    """Failures in a row are of one kind: two pages, a cut, and two pages again are not five in a row."""
    standing = queued()
    for reason in [Reason.NOT_AUDIO, Reason.EMPTY, Reason.NOT_AUDIO, Reason.NOT_AUDIO, Reason.CUT_OFF]:
        standing = after(standing, after_failure(standing, reason, NOW))
    verdict = after_failure(standing, Reason.NOT_AUDIO, NOW)
    assert (verdict.state, verdict.failures, verdict.attempts) == (State.PENDING, 1, 6)


@pytest.mark.parametrize("reason", sorted(queue_rules.NO_ATTEMPT))
def test_our_own_trouble_says_nothing_about_the_recording(reason: Reason) -> None:
    """A full disk, a source that is down and a stop are no attempts, also after the deadline."""
    standing = queued(attempts=3, failures=2, reason=Reason.CUT_OFF, deadline_at=NOW - timedelta(days=1))
    verdict = after_failure(standing, reason, NOW)
    assert (verdict.state, verdict.attempts, verdict.failures, verdict.reason) == (State.PENDING, 3, 2, Reason.CUT_OFF)


def test_what_is_found_after_its_deadline_is_tried_all_the_same() -> None:
    """The vendor may keep audio longer than we were told. One refusal of a fresh link ends it; a network that is down
    does not.
    """
    late = queued(deadline_at=NOW - timedelta(days=30))
    assert after_failure(late, Reason.LINK_REFUSED, NOW).state is State.MISSING
    verdict, times = through(Reason.UNREACHABLE, late)
    assert verdict.state is State.MISSING
    assert len(times) == queue_rules.MOST_LATE_ATTEMPTS


def test_the_storages_own_wish_is_followed() -> None:
    """Retry-After delays the next attempt, though never past the last chance."""
    assert after_failure(
        queued(), Reason.STORAGE_BUSY, NOW, retry_after=timedelta(hours=3)
    ).next_try_at == NOW + timedelta(hours=3)
    near = queued(deadline_at=NOW + timedelta(hours=4))
    wish = after_failure(near, Reason.STORAGE_BUSY, NOW, retry_after=timedelta(days=1)).next_try_at
    assert wish == NOW + timedelta(hours=2)


def test_a_link_is_tried_while_it_is_good() -> None:
    """One without a known end too: that it is refused costs nothing of the budget."""
    assert queue_rules.is_link_good("https://x/", None, NOW)
    assert queue_rules.is_link_good("https://x/", NOW + timedelta(minutes=1), NOW)
    assert not queue_rules.is_link_good("https://x/", NOW + timedelta(seconds=29), NOW)
    assert not queue_rules.is_link_good(None, None, NOW)


def test_renewals_leave_half_of_a_window_to_other_work() -> None:
    """Unless the deadline is near: then the recording comes first."""
    assert queue_rules.renewal_reserve(95, NOW + KEEPS, NOW) == 47
    assert queue_rules.renewal_reserve(95, None, NOW) == 47
    assert queue_rules.renewal_reserve(95, NOW + timedelta(days=1), NOW) == 0
    assert queue_rules.renewal_reserve(None, NOW + KEEPS, NOW) == 0


def test_any_history_of_failures_ends() -> None:
    """Of 2,000 random histories each ends in a known state, within the deadline and a few late attempts; no attempt
    comes sooner than a minute after the one before.
    """
    chance = random.Random(3)
    reasons = [reason for reason in Reason if reason not in queue_rules.NO_ATTEMPT]
    for _ in range(2000):
        standing, now = queued(deadline_at=NOW + timedelta(days=chance.uniform(-5, 20))), NOW
        for _ in range(500):
            verdict = after_failure(standing, chance.choice(reasons), now)
            if verdict.next_try_at is None:
                break
            assert verdict.next_try_at - now >= timedelta(minutes=1)
            standing, now = after(standing, verdict), verdict.next_try_at
        assert verdict.state in {State.MISSING, State.REFUSED}
        assert now <= NOW + timedelta(days=26)


def test_the_page_names_every_reason() -> None:
    """Whoever reads a reason in analytics.archive_recordings finds it in the table of docs/archive-recordings.md."""
    lines = (TOP / "docs" / "archive-recordings.md").read_text(encoding="utf-8").splitlines()
    named = {one for line in lines if line.startswith("| `") for one in re.findall("`([a-z_]+)`", line.split("|")[1])}
    assert {reason.value for reason in Reason} - named == set()
