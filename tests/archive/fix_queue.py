"""An account with calls whose recordings have links, and what runs the lane on it."""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from replicator.archive.recordings.addresses import parse_allowed
from replicator.archive.recordings.connection import Times
from replicator.archive.recordings.fetch import Limits
from replicator.archive.recordings.folder_store import FolderStore
from replicator.archive.recordings.renewing import Renewer
from replicator.archive.recordings.running import Plan, Report, Runner
from replicator.budget.durable import Limits as Budget
from replicator.records import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from replicator.archive.recordings.objects import Store
    from replicator.store.database import Database

HERE = parse_allowed(["127.0.0.1"])
LIMITS = Limits(HERE, Times(connect=2, stall=2, total=10), most_bytes=4_000_000)
DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


def add_calls(
    database: Database,
    links: list[str | None],
    *,
    account: str = "default",
    age: timedelta = timedelta(hours=1),
    expires_at: datetime | None = None,
) -> list[uuid.UUID]:
    """Store one call for each link, each a second older than the one before, with its recording; return their ids."""
    found = []
    with database.transaction() as tx:
        for index, link in enumerate(links):
            number = uuid.uuid4()
            at = now() - age - timedelta(seconds=index)
            tx.execute(
                "INSERT INTO truedy.calls (id, account, status, created_at, ended_at, raw, fingerprint, version, observed_at, "
                "first_seen_at, changed_at) VALUES (%s, %s, 'completed', %s, %s, '{}', '', 1, now(), now(), now())",
                [number, account, at, at],
            )
            tx.execute(
                "INSERT INTO truedy.recordings (call_id, account, state, call_created_at, recording_url, url_expires_at, fetched_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, now() - interval '1 minute')",
                [number, account, "present" if link else "pending", at, link, expires_at],
            )
            found.append(number)
    return found


def rows(database: Database) -> dict[uuid.UUID, dict[str, Any]]:
    """All rows of archive.objects, by call."""
    with database.connection() as connection:
        found = connection.execute("SELECT call_id, to_jsonb(o) FROM archive.objects o").fetchall()
    return dict(found)


def sealed(database: Database) -> list[tuple[uuid.UUID, str]]:
    """The calls whose recordings are sealed, with the hash that is sealed."""
    with database.connection() as connection:
        return connection.execute(
            "SELECT subject, convert_from(bytes, 'UTF8')::jsonb ->> 'sha256' FROM archive.records WHERE kind = 'recording' "
            "ORDER BY sequence"
        ).fetchall()


def perform(
    database: Database,
    store: Store | Path,
    *,
    renewer: Renewer | None = None,
    at: datetime | None = None,
    seconds: float | None = None,
    stop: threading.Event | None = None,
    **plan: Any,
) -> Report:
    """Run the lane once, at a time of its own if told."""
    plan = {"limits": LIMITS, "claim_seconds": 5.0, "compare_every_seconds": 0.0} | plan
    chosen = store if hasattr(store, "put") else FolderStore(store)
    clock = now if at is None else lambda: at
    return Runner(database, chosen, renewer, Plan(**plan), stop=stop or threading.Event(), clock=clock).perform(seconds)


def make_due(database: Database) -> None:
    """Let everything that waits be due."""
    with database.transaction() as tx:
        tx.execute("UPDATE archive.objects SET next_try_at = now() - interval '1 second' WHERE state = 'pending'")


@dataclass
class Answer:
    value: Recording
    server_time: None = None


class Source:
    """A source that answers with what it is told, and counts."""

    def __init__(self, link: Callable[[uuid.UUID], str]) -> None:
        self.link = link
        self.asked = 0

    def get_recording(self, call_id: uuid.UUID) -> Answer:
        self.asked += 1
        return Answer(Recording(self.link(call_id), datetime.now(UTC) + timedelta(minutes=15), "{}", has_escapes=False))


@contextmanager
def renewing(
    database: Database, link: Callable[[uuid.UUID], str], *, per_window: int | None = 100, most: int | None = None
) -> Iterator[Renewer]:
    source = Source(link)
    yield Renewer(
        database, [("a-key", source)], Budget(per_window, 60.0, 0.0), "default", base_url="http://source.example",
        clock=now, stop=threading.Event(), most=most,
    )  # fmt: skip
