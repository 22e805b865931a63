"""How many recordings a run claims: never more than it asks for, whatever plan the server chooses."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from replicator.store import archived
from tests.archive import fix_queue

if TYPE_CHECKING:
    from replicator.store.database import Database


@pytest.mark.parametrize("known", [0, 1, 12], ids=lambda rows: f"statistics-of-{rows}-rows")
@pytest.mark.parametrize("is_putting", [False, True])
def test_never_more_than_asked_for(database: Database, known: int, is_putting: bool) -> None:
    """Where the statistics know of one row, the server joins with a nested loop that chooses again for each row."""
    ids = fix_queue.add_calls(database, ["http://there/a"] * 12)
    for count in (known, 12):
        with database.transaction() as tx:
            archived.queue(tx, "default", ids[:count], timedelta(days=30), fix_queue.now())
            if is_putting:
                tx.execute("UPDATE archive.objects SET putting_sha256 = %s, putting_bytes = 1", ["a" * 64])
            if count == known:
                tx.execute("ANALYZE archive.objects")
    run = uuid4()
    with database.transaction() as tx:
        later = fix_queue.now() + timedelta(seconds=1)
        claimed = [archived.claim(tx, "default", run, 60.0, later, 3, is_putting=is_putting) for _ in range(5)]
    assert [len(rows) for rows in claimed] == [3, 3, 3, 3, 0]
    newest_first = sorted(fix_queue.rows(database), key=ids.index)
    assert [{row.call_id for row in rows} for rows in claimed[:4]] == [
        set(newest_first[n : n + 3]) for n in (0, 3, 6, 9)
    ]
