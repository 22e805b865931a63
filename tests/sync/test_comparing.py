"""What a sync compares again: on credit, and where an operator asks for it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from replicator.sync.engine.credit import one_pass
from replicator.sync.options import Asked
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from replicator.store.database import Database
    from tests.sync.fix_source import Setting

CALLS = 3000
PAGES = CALLS / 100


def change(there: Setting, every: int = 10) -> list[str]:
    """Correct the cost of every tenth call, of whatever age: nothing else shows it."""
    changed = there.world.live_ids()[5::every]
    for call_id in changed:
        there.world.update(call_id, cost_usd=99.25)
    return changed


def lists(there: Setting) -> int:
    return there.api.log.by_kind["list"]


def seen(there: Setting) -> int:
    return int(there.value("SELECT count(*) FROM truedy.calls WHERE cost_usd = 99.25"))


def age(there: Setting, minutes: int) -> None:
    """Let all looks, and the run that made them, be so much older."""
    by = f"interval '{minutes} minutes'"
    there.rows(f"UPDATE replicator.coverage SET verified_at = verified_at - {by} RETURNING 1")
    there.rows(
        f"UPDATE replicator.source_state SET renewal_credit_at = renewal_credit_at - {by}, "
        f"run_begun_at = run_begun_at - {by}, run_seen_at = run_seen_at - {by} RETURNING 1"
    )


@pytest.mark.slow
def test_a_second_sync_at_once_asks_for_two_pages_at_most(database: Database) -> None:
    """However long the first one took, and however much credit there is: what it compared is left alone until a polling interval
    after its end.
    """
    with source(database, calls=CALLS) as there:
        there.sync()
        there.rows("UPDATE replicator.source_state SET renewal_credit = 1000 RETURNING 1")
        before = lists(there)
        there.sync()
        assert lists(there) - before <= 2
        there.rows("UPDATE replicator.coverage SET verified_at = verified_at - interval '50 minutes' RETURNING 1")
        there.rows(
            "UPDATE replicator.source_state SET run_begun_at = run_begun_at - interval '51 minutes', renewal_credit = 1000 RETURNING 1"
        )
        before = lists(there)
        there.sync()
        assert lists(there) - before <= 2


@pytest.mark.slow
def test_an_hourly_sync_sees_every_change(database: Database) -> None:
    """An hour's credit pays for a whole pass: every cost that was corrected is stored; beside its pages, each class that is due by the policy begins a walk."""
    with source(database, calls=CALLS) as there:
        there.sync()
        changed = change(there)
        age(there, 60)
        before = lists(there)
        report = there.sync()
        assert seen(there) == len(changed)
        assert lists(there) - before <= one_pass(CALLS) + 6
        assert report.is_complete
        assert there.differences() == []


@pytest.mark.slow
def test_without_a_share_only_the_policy_compares(database: Database) -> None:
    """A share of 0 leaves changes of old calls to the schedule by age."""
    with source(database, calls=CALLS) as there:
        there.sync(renewal_share=0.0)
        changed = change(there)
        age(there, 61)
        there.sync(renewal_share=0.0)
        assert seen(there) < len(changed)


@pytest.mark.slow
def test_sync_full_finds_every_change_and_every_deletion(database: Database) -> None:
    """Right after another sync, which has compared everything: in one run, with a tenth more requests than pages."""
    with source(database, calls=CALLS) as there:
        there.sync()
        changed = change(there)
        gone = [call_id for call_id in there.world.live_ids()[3::290] if call_id not in changed]
        for call_id in gone:
            there.world.delete(call_id)
        before = lists(there)
        report = there.sync(asked=Asked())
        assert seen(there) == len(changed)
        assert report.suspected == len(gone) == 11
        assert lists(there) - before <= 1.1 * PAGES + 3
        assert report.is_complete


@pytest.mark.slow
def test_a_stretch_of_days_costs_its_own_pages(database: Database) -> None:
    """Both days included, in the reporting time zone; nothing else is compared, however long ago that was."""
    with source(database, calls=CALLS) as there:
        there.sync()
        change(there, every=1)
        age(there, 600)
        days = there.rows(
            "SELECT (created_at AT TIME ZONE (SELECT time_zone FROM replicator.reporting))::date AS day, count(*) "
            "FROM truedy.calls GROUP BY 1 ORDER BY 1"
        )
        (since, _), (until, _) = days[len(days) // 2], days[len(days) // 2 + 2]
        inside = sum(count for day, count in days if since <= day <= until)
        before = lists(there)
        there.sync(asked=Asked(since, until))
        assert inside <= seen(there) <= inside + 200
        assert lists(there) - before <= one_pass(inside) + 1
        stored = there.value(
            "SELECT count(*) FROM truedy.calls WHERE cost_usd = 99.25 AND "
            f"(created_at AT TIME ZONE (SELECT time_zone FROM replicator.reporting))::date BETWEEN '{since}' AND '{until}'"
        )
        assert stored == inside


@pytest.mark.parametrize("open_end", ["since", "until"])
def test_a_stretch_may_have_one_end(database: Database, open_end: str) -> None:
    """From a day on, or up to a day."""
    with source(database, calls=300) as there:
        there.sync()
        change(there, every=1)
        day = date.today() + timedelta(days=3650)  # noqa: DTZ011 - any day far away
        there.sync(asked=Asked(**{open_end: day}))
        assert seen(there) == (295 if open_end == "until" else 95)


@pytest.mark.slow
def test_credit_is_kept_in_the_database(database: Database) -> None:
    """What a sync did not spend is there for the next one, under `serve` and cron alike."""
    with source(database, calls=CALLS) as there:
        there.sync()
        left = there.value("SELECT renewal_credit FROM replicator.source_state")
        assert 0 < left <= one_pass(CALLS)
        # At once nothing may be compared again, so nothing is spent; what this run earns itself is less than the first one did.
        there.sync(max_requests=2)
        assert left <= there.value("SELECT renewal_credit FROM replicator.source_state") <= one_pass(CALLS)
