"""The writer's role is enough for everything but migrations, and it cannot undo what was observed."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import psycopg
import pytest

from replicator.budget.durable import Limits
from replicator.simulator.api import KEY
from replicator.source.client import Reader
from replicator.store import status
from replicator.store.database import Database
from replicator.sync import replay
from replicator.sync.content.calls import Policy
from replicator.verify.run import Verification
from tests.sync.fix_source import source


@pytest.mark.slow
def test_a_writer_needs_only_its_role(logins: dict[str, str]) -> None:
    """A member of the writers syncs, sees a call change, another vanish and be confirmed as deleted, reads the quarantine
    again, verifies, and reads the status.
    """
    with closing(Database(logins["writer"])) as theirs, source(theirs, calls=120) as there:
        there.sync()
        there.world.update(there.world.live_ids()[3], context={"a": 1})
        there.sync()
        there.world.delete(there.world.live_ids()[5])
        there.sync(confirm_after=timedelta(0))
        there.sync(confirm_after=timedelta(0))
        assert there.differences() == []
        assert replay.replay(theirs, "default", Policy()).left == 0
        with Reader(there.base_url, KEY, timeout_seconds=10) as reader:
            found = Verification(
                theirs, [(KEY, reader)], account="default", base_url=there.base_url, limits=Limits(None), seed=1
            ).perform()
        assert found.is_equal
        assert status.read(theirs, "default").calls["deleted"] == 1


def test_a_writer_cannot_take_back_what_was_seen(logins: dict[str, str]) -> None:
    """Calls, their versions, earlier transcripts, what could not be read, and runs are never deleted by the writer; versions
    are not changed either, and nothing is emptied.
    """
    with psycopg.connect(logins["writer"], autocommit=True) as connection:
        for attempt in (
            "DELETE FROM truedy.calls",
            "DELETE FROM truedy.call_versions",
            "UPDATE truedy.call_versions SET raw = '{}'",
            "DELETE FROM truedy.transcript_versions",
            "DELETE FROM replicator.quarantine",
            "DELETE FROM replicator.runs",
            "DELETE FROM replicator.absences",
            "UPDATE replicator.schema_version SET version_num = '0'",
            "TRUNCATE truedy.transcripts",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(attempt)
