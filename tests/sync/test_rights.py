"""The rights that docs/operations.md names are enough, and no more than what is named."""

from __future__ import annotations

import re
import uuid
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from world import source

from replicator.store import status
from replicator.store.database import Database

if TYPE_CHECKING:
    from replicator.store.database import Database as Opened

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


def test_a_writer_needs_only_what_the_page_says(database: Opened, database_url: str) -> None:
    """A user with the rights of the page's table syncs twice, with changes between, and reads the status."""
    assert "`SELECT, INSERT, UPDATE, DELETE` on all tables of `truedy` and `replicator`" in PAGE.read_text(
        encoding="utf-8"
    )
    user = f"writer_{uuid.uuid4().hex[:8]}"
    url = re.sub(r"//[^@]*@", f"//{user}:pw@", database_url)
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'pw'")
        admin.execute(f"GRANT USAGE ON SCHEMA truedy, replicator, analytics TO {user}")
        admin.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA truedy, replicator TO {user};"
            f"GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO {user}"
        )
        try:
            with closing(Database(url)) as theirs, source(theirs, calls=120) as there:
                there.sync()
                there.world.update(there.world.live_ids()[3], context={"a": 1})
                there.sync()
                assert there.differences() == []
                assert status.read(theirs, "default").calls["live"] == 120
        finally:
            admin.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")
