"""What becomes of a call's transcript when the call is seen again: no network, no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from replicator.records import Call
from replicator.store.rows import KnownCall, KnownDetail
from replicator.sync.content.calls import Change, Policy, details_of

pytestmark = pytest.mark.pure


NOW = datetime(2026, 3, 1, tzinfo=UTC)
BORN = NOW - timedelta(days=30)
CALL = Call(
    UUID(int=1), None, None, None, None, "completed", None, None, None, None, None, None, None, BORN, BORN, "{}", b"",
)  # fmt: skip


def again(*, was_deleted: bool) -> list[str]:
    """Return the states of the rows that a call makes which is seen again, and whose transcript was said not to exist."""
    before = KnownCall(b"", BORN, BORN, 1, "completed", None, None, None, is_deleted=was_deleted)
    absent = KnownDetail("absent_final", 1, None, BORN, None, None, None, NOW - timedelta(days=1))
    change = Change.CHANGED if was_deleted else Change.TOUCHED
    rows = details_of(CALL, change, before, {"transcript": absent}, NOW, Policy(("transcript",)))
    return [row.state for row in rows]


def test_a_call_that_comes_back_is_asked_for_its_transcript_again() -> None:
    """While it was gone its transcript was a 404, which was believed; nothing of its row moves when it is restored."""
    assert again(was_deleted=True) == ["pending"]
    assert again(was_deleted=False) == []
