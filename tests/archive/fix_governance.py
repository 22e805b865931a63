"""A replica with a person in it: her number and her name stand in every place that holds content, and can be searched."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from replicator.archive.governance import erasure
from replicator.archive.governance.erasure import Done, Plan, Request, Tools
from replicator.archive.governance.restoring import Guard
from replicator.archive.governance.spellings import spelling
from replicator.archive.governance.suppression import Keys
from replicator.archive.governance.suppression_file import SuppressionFile
from replicator.archive.recordings import stores
from replicator.simulator.conversations import Segment
from replicator.store import quarantine
from replicator.store.rows import UnreadRow
from replicator.sync.options import Asked
from replicator.sync.pseudonyms import Pseudonyms
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.store.database import Database
    from tests.sync.fix_source import Setting

SECRET = b"a secret of more than thirty-two characters, for tests"
KEYS = Keys(SECRET)
NUMBER, NAME = "+493055501234", "Canary Winterbottom"
SPOKEN = "four nine three zero five five five zero one two three four"
CANARIES = (NUMBER, NUMBER[1:], "55501234", "Winterbottom", "five five five zero one two")
TABLES = (
    "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE relkind IN ('r', 'm', 'p') AND nspname IN ('replicator', 'truedy', 'archive', 'rollup', 'billing', 'analytics')"
)


@dataclass
class Replica:
    """A source, its replica with the archive on, and the tools of the archivist."""

    there: Setting
    database: Database
    folder: Path
    ids: dict[str, UUID] = field(default_factory=dict)
    """The calls with the person in them, by what they are."""

    @property
    def tools(self) -> Tools:
        return Tools(KEYS, self.file, self.open_store)

    @property
    def file(self) -> SuppressionFile:
        return SuppressionFile(self.folder / "suppressions.jsonl")

    @property
    def guard(self) -> Guard:
        return Guard(KEYS, lambda: self.file, self.open_store)

    @property
    def open_store(self) -> Any:
        return partial(stores.opened, "", self.folder)

    def sync(self, **options: Any) -> Any:
        return self.there.sync(pseudonyms=Pseudonyms(SECRET), seals=True, **{"guard": self.guard, **options})

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self.there.rows(statement)

    def request(self, *numbers: str, calls: tuple[UUID, ...] = (), reason: str = "ticket 17") -> Request:
        return Request("default", "archivist", reason, tuple(map(spelling, numbers)), calls)

    def plan(self, request: Request, now: datetime | None = None) -> Plan:
        with self.database.connection() as connection:
            return erasure.plan(connection, request, KEYS, now or datetime.now(UTC))

    def erase(self, *numbers: str, calls: tuple[UUID, ...] = (), now: datetime | None = None) -> Done:
        request, at = self.request(*numbers, calls=calls), now or datetime.now(UTC)
        return erasure.perform(self.database, request, self.plan(request, at), self.tools, at)

    def store_audio(self, call_id: UUID, content: bytes) -> Path:
        """Store a file as the recording of a call; return where it is."""
        digest, part = hashlib.sha256(content).hexdigest(), self.folder / "part"
        part.write_bytes(content)
        with self.open_store() as store:
            place = store.put(part, digest, "audio/wav")
        part.unlink(missing_ok=True)
        with self.database.transaction() as tx:
            tx.execute(
                "INSERT INTO archive.objects (account, call_id, state, sha256, bytes, media_type, place, stored_at) "
                "VALUES ('default', %s, 'stored', %s, %s, 'audio/wav', %s, now()) ON CONFLICT (account, call_id, kind) DO UPDATE "
                "SET state = 'stored', sha256 = excluded.sha256, bytes = excluded.bytes, media_type = 'audio/wav', "
                "place = excluded.place, stored_at = now(), next_try_at = NULL",
                [call_id, digest, len(content), place],
            )
        return self.folder / "archive" / place

    def places(self, *canaries: str) -> set[str]:
        """Return every table, and every file, in which one of the texts stands: in any column, as text or as bytes."""
        found: set[str] = set()
        with self.database.connection() as connection:
            for (table,) in connection.execute(TABLES).fetchall():
                for canary in canaries:
                    hexed = canary.encode().hex()
                    row = connection.execute(
                        f"SELECT count(*) FROM {table} t WHERE strpos(t::text, %s) > 0 OR strpos(t::text, %s) > 0 "
                        "OR strpos(t::text, %s) > 0",
                        [canary, hexed, canary.encode("unicode_escape").decode()],
                    ).fetchone()
                    if row and row[0]:
                        found.add(table)
        for path in self.folder.rglob("*"):
            if path.is_file() and any(canary.encode() in path.read_bytes() for canary in canaries):
                found.add(path.relative_to(self.folder).as_posix())
        return found


def archivist(database_url: str, folder: Path) -> dict[str, str]:
    """Return the environment of the archivist's commands."""
    return {
        "DATABASE_URL": database_url, "REPLICATOR_PSEUDONYM_KEY": SECRET.decode(), "REPLICATOR_ACTOR": "ann",
        "REPLICATOR_ARCHIVE": "on", "REPLICATOR_DATA_DIR": str(folder),
        "REPLICATOR_ARCHIVE_SUPPRESSIONS": str(folder / "suppressions.jsonl"),
    }  # fmt: skip


@contextmanager
def replica(database: Database, folder: Path, *, calls: int = 40) -> Iterator[Replica]:
    """Give a synced replica of a few calls, without the person."""
    with source(database, calls=calls) as there:
        yield Replica(there, database, folder)


def segment(position: int, text: str, speaker: str = "contact") -> Segment:
    return Segment(speaker, text, float(position), position + 0.5)


def plant(there: Replica) -> None:
    """Put the person into the source, and let the replica see her in every place.

    `called` is a call to her with two versions and two transcripts, `calling` one from her, `mentioned` a call of others in
    which her number is spoken, `odd` a call of which one field could not be read.
    """
    world = there.there.world
    start = world.now - timedelta(days=3)
    texts = {"summary": f"{NAME} asks", "context": {"name": NAME, "phone": NUMBER, "campaign_id": "spring"}}
    shared: dict[str, Any] = {"status": "completed", "ended_at": start + timedelta(seconds=90), "duration_seconds": 90,
                              "started_at": start, "cost_usd": "0.1200"}  # fmt: skip
    called = world.create(at=start, direction="outbound", phone_number=NUMBER, **shared, **texts)
    calling = world.create(at=start + timedelta(hours=1), direction="inbound", from_number=NUMBER, **shared, **texts)
    mentioned = world.create(at=start + timedelta(hours=2), direction="outbound", phone_number="+12025550142", **shared)
    odd = world.create(at=start + timedelta(hours=3), direction="inbound", from_number=NUMBER, **shared)
    world.replace_transcript(called, [segment(0, f"This is {NAME}."), segment(2, f"Reach me at {SPOKEN}")])
    world.replace_transcript(mentioned, [segment(0, f"Her number: plus {SPOKEN}"), segment(2, f"She is {NAME}")])
    there.sync()
    world.update(called, summary=f"{NAME} asks again", cost_usd="0.1300")
    world.replace_transcript(called, [segment(0, f"This is {NAME} once more."), segment(2, "0049 30 5550 1234")])
    there.sync(asked=Asked(with_details=True))
    there.ids = {name: UUID(one) for name, one in
                 {"called": called, "calling": calling, "mentioned": mentioned, "odd": odd}.items()}  # fmt: skip
    now = datetime.now(UTC)
    with there.database.transaction() as tx:
        tx.execute("INSERT INTO truedy.transcript_versions (call_id, fetched_at, segments, summary) VALUES (%s, %s, %s, %s) "
                   "ON CONFLICT DO NOTHING", [there.ids["called"], now, f'[{{"text": "{NAME}"}}]', NAME])  # fmt: skip
        quarantine.keep(
            tx,
            "default",
            [
                UnreadRow(
                    there.ids["odd"], "GET /calls", "too deep", f'{{"x": "{NAME} {NUMBER}"}}'.encode(), now, "context"
                ),
                UnreadRow(None, "GET /calls", "no valid id", f'{{"id": 0, "phone_number": "{NUMBER}"}}'.encode(), now),
                UnreadRow(None, "GET /calls", "not an object", b'"nobody"', now),
            ],
        )
    there.store_audio(there.ids["called"], b"RIFF the voice of " + NAME.encode())
