"""The archive's views: each figure of a day is counted by hand here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.sql import fix_small_world

if TYPE_CHECKING:
    import psycopg

STATES = ("stored", "pending", "missing", "refused", "erased", "disposed")
DAY = "2025-05-02"


def test_a_day_is_counted(small: psycopg.Connection[Any]) -> None:
    """Expected recordings are stored, waiting, missing, refused and removed ones together; an account without an archive has
    no row.
    """
    small.execute("DELETE FROM replicator.coverage")
    for number, state in enumerate(STATES, 300):
        fix_small_world.insert(small, fix_small_world.Call(number, f"{DAY}T10:00:00", "completed", 1, 60, "0.1000"))
        small.execute(
            "INSERT INTO archive.objects (account, call_id, state, sha256, bytes, media_type, place, stored_at, next_try_at) "
            "VALUES ('main', %s, %s, repeat('a', 64), 7, 'audio/wav', 'secret', now(), CASE WHEN %s = 'pending' THEN now() END)",
            [fix_small_world.call_id(number), state, state],
        )
    for number, state in ((310, "present"), (311, "absent_final")):  # not queued yet; and none that could be
        fix_small_world.insert(small, fix_small_world.Call(number, f"{DAY}T11:00:00", "completed", 1, 60, "0.1000"))
        small.execute(
            "INSERT INTO truedy.recordings (call_id, state) VALUES (%s, %s)", [fix_small_world.call_id(number), state]
        )
    first = fix_small_world.call_id(300)
    small.execute("INSERT INTO truedy.transcripts (call_id, state, segment_count) VALUES (%s, 'present', 2)", [first])
    small.execute("INSERT INTO archive.disclosures VALUES (%s, 'main', 0, 'a rule')", [first])
    for sequence, kind in ((10, "call"), (11, "call"), (12, "transcript")):
        small.execute(
            "INSERT INTO archive.records (account, sequence, kind, subject, observed_at, commitment, block) "
            "VALUES ('main', %s, %s, %s, now(), '', 1)",
            [sequence, kind, first],
        )
    for start in (0, 20):
        small.execute(
            "INSERT INTO archive.payment_findings (account, call_id, place, position, start_offset, end_offset, "
            "masked_end_offset, kind, rule) VALUES ('main', %s, 'segment', 0, %s, %s, %s, 'card_number', 'visa')",
            [first, start, start + 9, start + 5],
        )
    row = small.execute("SELECT * FROM analytics.archive_daily WHERE account = 'main' AND day = %s", [DAY]).fetchone()
    assert row is not None
    figures = {name: row[name] for name in row if name not in {"account", "day", "reporting_time_zone"}}
    assert figures == {
        "calls": 8, "sealed_calls": 1, "expected_recordings": 7, "stored_recordings": 1, "waiting_recordings": 2,
        "missing_recordings": 1, "refused_recordings": 1, "removed_recordings": 2, "stored_bytes": 7, "transcript_calls": 1,
        "disclosure_calls": 1, "payment_calls": 1, "payment_findings": 2, "gap_seconds": 86400.0,
    }  # fmt: skip
    small.execute(
        "INSERT INTO replicator.coverage (account, since, until, verified_at, is_proven) VALUES ('main', '2025-05-02 06:00Z', '2025-05-03Z', now(), true)"
    )
    gap = small.execute("SELECT gap_seconds FROM analytics.archive_daily WHERE day = %s", [DAY]).fetchone()
    assert gap == {"gap_seconds": 6 * 3600.0}
    assert small.execute("SELECT DISTINCT account FROM analytics.archive_daily").fetchall() == [{"account": "main"}]
    shown = str(small.execute("SELECT * FROM analytics.archive_objects").fetchall())
    assert "secret" not in shown
    flagged = small.execute(
        "SELECT call_id FROM analytics.archive_objects WHERE has_payment_data ORDER BY 1"
    ).fetchall()
    assert {row["call_id"] for row in flagged} == {first, fix_small_world.call_id(2)}
