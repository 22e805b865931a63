"""Links are renewed through the API's budget, last of all work, and the key goes to the API only."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from replicator.archive.recordings.failures import FetchError
from replicator.archive.recordings.queue_rules import Reason
from replicator.archive.recordings.renewing import MOST_FAILURES, Renewer
from replicator.budget.durable import DurableBudget, Limits
from replicator.errors import BadKey, NotFound, RateLimited, SourceUnavailable
from replicator.source.client import Reader
from tests.archive import fix_queue, fix_sound, fix_storage
from tests.archive.fix_queue import renewing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from replicator.store.database import Database

FAR = datetime.now(UTC) + timedelta(days=10)


def refusing(error: Exception) -> Callable[[uuid.UUID], str]:
    def refuse(_: uuid.UUID) -> str:
        raise error

    return refuse


def reason_of(renewer: Renewer, deadline_at: datetime | None = FAR, *, is_stopped: bool = False) -> Reason:
    with pytest.raises(FetchError) as caught:
        renewer.renew(uuid.uuid4(), deadline_at, lambda: is_stopped)
    return caught.value.reason


@pytest.mark.parametrize("is_known", [True, False])
def test_a_link_is_renewed_where_it_expired_or_is_refused(database: Database, tmp_path: Path, is_known: bool) -> None:
    """Where the expiry is known, the old link is not even tried."""

    def serve(head: bytes, connection) -> None:
        is_good = b"/new" in head
        connection.sendall(fix_storage.answer(fix_sound.wav()) if is_good else fix_storage.answer(b"", "403 Forbidden"))

    with fix_storage.serving(serve) as storage:
        expired = fix_queue.now() - timedelta(minutes=1) if is_known else None
        (number,) = fix_queue.add_calls(database, [f"{storage.url}/old"], expires_at=expired)
        with renewing(database, lambda _: f"{storage.url}/new?sig=1") as renewer:
            report = fix_queue.perform(database, tmp_path, renewer=renewer)
    assert (report.stored, report.links_renewed) == (1, 1)
    assert [request.split()[1] for request in storage.requests] == ([] if is_known else [b"/old"]) + [b"/new?sig=1"]
    with database.connection() as connection:
        assert connection.execute("SELECT recording_url FROM truedy.recordings").fetchone() == (
            f"{storage.url}/new?sig=1",
        )
        assert connection.execute("SELECT max(charged)::integer FROM replicator.budget_windows").fetchone() == (1,)
    assert fix_queue.rows(database)[number]["state"] == "stored"


def test_a_fresh_link_that_is_refused_is_not_renewed_again(database: Database, tmp_path: Path) -> None:
    """One request of the budget for one attempt."""
    with fix_storage.serving(fix_storage.constant(fix_storage.answer(b"", "410 Gone"))) as storage:
        (number,) = fix_queue.add_calls(database, [f"{storage.url}/a"])
        with renewing(database, lambda _: f"{storage.url}/b") as renewer:
            report = fix_queue.perform(database, tmp_path, renewer=renewer)
    assert (report.links_renewed, len(storage.requests)) == (1, 2)
    assert fix_queue.rows(database)[number]["reason"] == "link_refused"


def test_no_recording_is_told_apart_from_no_answer(database: Database) -> None:
    """404 says something about the recording; a source that is down does not."""
    with renewing(database, refusing(NotFound("no"))) as renewer:
        assert reason_of(renewer) is Reason.NO_LINK
        assert renewer.can_ask
    with renewing(database, refusing(SourceUnavailable("down"))) as renewer:
        for _ in range(MOST_FAILURES):
            assert reason_of(renewer) is Reason.SOURCE_FAILED
        assert not renewer.can_ask
    with renewing(database, refusing(BadKey("unknown key", status=401))) as renewer:
        assert reason_of(renewer) is Reason.SOURCE_FAILED
        assert not renewer.can_ask
        assert renewer.refusal is not None


def test_renewals_leave_half_of_the_window(database: Database) -> None:
    """Of ten requests in a window five are taken; the sixth waits, unless the vendor deletes the recording soon."""
    with renewing(database, lambda _: "https://x.example/a", per_window=10) as renewer:
        for _ in range(5):
            renewer.renew(uuid.uuid4(), FAR, lambda: False)
        assert reason_of(renewer, is_stopped=True) is Reason.STOPPED
        for _ in range(5):
            renewer.renew(uuid.uuid4(), fix_queue.now() + timedelta(hours=1), lambda: False)
        assert reason_of(renewer, fix_queue.now(), is_stopped=True) is Reason.STOPPED
        assert renewer.requests == 10


def test_what_the_sync_has_charged_counts(database: Database) -> None:
    """Both use one budget: where the sync has used the window, no link is renewed."""
    budget = DurableBudget(database, "default", "a-key", Limits(10, 60.0, 0.0))
    budget.load(fix_queue.now())
    assert budget.charge(fix_queue.now(), 10)
    with renewing(database, lambda _: "https://x.example/a", per_window=10) as renewer:
        assert reason_of(renewer, fix_queue.now(), is_stopped=True) is Reason.STOPPED
        assert renewer.requests == 0


def test_a_refusal_for_now_is_waited_for(database: Database) -> None:
    """After a 429 nothing is sent until it ends."""
    with renewing(
        database, refusing(RateLimited("later", reset_at=fix_queue.now() + timedelta(seconds=50)))
    ) as renewer:
        assert reason_of(renewer, fix_queue.now(), is_stopped=True) is Reason.STOPPED
        assert renewer.requests == 1


def test_a_bound_of_requests_holds(database: Database) -> None:
    """`sync --max-requests` bounds renewals, too."""
    with renewing(database, lambda _: "https://x.example/a", most=2) as renewer:
        for _ in range(2):
            renewer.renew(uuid.uuid4(), FAR, lambda: False)
        assert reason_of(renewer) is Reason.SOURCE_FAILED
        assert renewer.requests == 2


def test_the_key_goes_to_the_api_only(database: Database, tmp_path: Path) -> None:
    """A canary: the API gets it for the renewal, and the storage never, after redirects neither."""
    key = "canary-key-5f2c"
    with fix_storage.serving(fix_storage.file_server(fix_sound.wav())) as second:
        hop = fix_storage.answer(b"", "302 Found", location=f"{second.url}/b")
        with fix_storage.serving(fix_storage.constant(hop)) as first:
            data = f'{{"data":{{"recording_url":"{first.url}/a?sig=1"}},"meta":{{"request_id":"r","ts":"2026-11-30T00:00:00Z"}}}}'
            answer = fix_storage.answer(data.encode(), content_type="application/json")
            with fix_storage.serving(fix_storage.constant(answer)) as api:
                fix_queue.add_calls(database, [f"{first.url}/old"], expires_at=fix_queue.now() - timedelta(hours=1))
                base_url = f"{api.url}/api/public/v1"
                reader = Reader(base_url, key)
                renewer = Renewer(
                    database, [(key, reader)], Limits(), "default", base_url=base_url, clock=fix_queue.now,
                    stop=threading.Event(),
                )  # fmt: skip
                assert fix_queue.perform(database, tmp_path, renewer=renewer).stored == 1
                reader.close()
    assert key.encode() in b"".join(api.requests)
    assert key.encode() not in b"".join(first.requests + second.requests)
    assert len(first.requests) == len(second.requests) == 1
