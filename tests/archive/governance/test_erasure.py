"""An erasure reaches every place, and nothing else changes: sums, chain and the calls of others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from replicator.archive import chain
from replicator.archive.governance import erasure, holds
from replicator.archive.governance.erasure import Request
from replicator.archive.governance.holds import Selection
from replicator.archive.governance.retention import Basis, Mode, RetentionClass, parse_keep
from replicator.archive.verification import inspection
from replicator.errors import UnknownCall
from replicator.store import rollups
from replicator.store.schema_check import bundled
from replicator.sync.options import Asked
from tests.archive.fix_governance import CANARIES, KEYS, NUMBER, plant, replica

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database

MONTHS = (
    "SELECT month_on, direction, calls, cost_known_calls, cost_usd FROM analytics.call_cost_monthly ORDER BY 1, 2",
    "SELECT created_month_on, direction, stage, count(*), sum(duration_seconds), sum(talk_seconds), sum(cost_usd) "
    "FROM analytics.calls GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
)


def test_an_erasure_reaches_every_place(database: Database, tmp_path: Path) -> None:
    """The number and the name stood in every table with content and in a file; afterwards they stand nowhere."""
    with replica(database, tmp_path) as there:
        plant(there)
        rollups.refresh(database, rollups.kept(bundled("sql")))
        before = there.places(*CANARIES)
        assert {
            "truedy.calls", "truedy.call_versions", "truedy.transcripts", "truedy.transcript_segments",
            "truedy.transcript_versions", "replicator.quarantine", "replicator.parties",
        } <= before  # fmt: skip
        assert any(place.startswith("archive/") for place in before)
        sums = [there.rows(statement) for statement in MONTHS]
        done = there.erase(NUMBER)
        rollups.refresh(database, rollups.kept(bundled("sql")))
        assert there.places(*CANARIES) == set()
        assert {one.found_by for one in done.verdicts} == {"number", "mention"}
        assert [there.rows(statement) for statement in MONTHS] == sums
        assert there.rows("SELECT count(*) FROM replicator.quarantine WHERE raw = '\"nobody\"'") == [(1,)]


def test_rows_stay_without_the_person(database: Database, tmp_path: Path) -> None:
    """Status, times, duration and cost of the call and of its versions stay; details are denied, and not due."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        kept = "SELECT id, status, direction, created_at, started_at, ended_at, duration_seconds, cost_usd, agent_id, version FROM truedy.calls ORDER BY id"
        costs = "SELECT call_id, version, raw->>'cost_usd', raw->>'status' FROM truedy.call_versions ORDER BY 1, 2"
        before, versions = there.rows(kept), there.rows(costs)
        assert len(versions) > len(before)
        there.erase(NUMBER)
        assert there.rows(kept) == before
        assert [(a, b, float(c or 0), d) for a, b, c, d in there.rows(costs)] == [
            (a, b, float(c or 0), d) for a, b, c, d in versions
        ]
        assert there.rows(
            "SELECT count(*) FROM truedy.calls WHERE raw ? '_erased' AND coalesce(phone_number, from_number, summary, "
            "recording_url) IS NULL"
        ) == [(4,)]
        states = there.rows(
            "SELECT DISTINCT t.state, t.due_at, t.last_error FROM truedy.transcripts t JOIN truedy.calls c ON c.id = t.call_id "
            "WHERE c.raw ? '_erased'"
        )
        assert states == [("denied", None, "erased")]


def test_the_chain_verifies_and_every_erased_record_is_named(database: Database, tmp_path: Path) -> None:
    """Salt and bytes of the person's records are gone, each named by one erasure; commitments and roots are as they were."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        there.erase(NUMBER)
        verdict = inspection.verify(database, "default")
        assert (verdict.faults, verdict.unsealed, verdict.is_whole) == ([], 0, True)
        records = there.rows(
            "SELECT sequence, kind, subject, salt, bytes, commitment, block FROM archive.records ORDER BY sequence"
        )
        gone = {row[0] for row in records if row[4] is None}
        named: list[int] = []
        for _, kind, _, salt, content, commitment, _ in records:
            if content is not None:
                assert chain.commitment(salt, content) == commitment
                if kind == "erasure":
                    named += json.loads(content)["records"]
        assert gone
        assert sorted(named) == sorted(gone)
        assert {row[2] for row in records if row[4] is None} == set(there.ids.values())
        for block, root in there.rows("SELECT block, root FROM archive.blocks ORDER BY block"):
            assert chain.root(chain.leaf(row[0], row[1], row[5]) for row in records if row[6] == block) == root
        stored = dict(there.rows("SELECT id, version FROM truedy.calls WHERE raw ? '_erased'"))
        sealed = [json.loads(row[4]) for row in records if row[1] == "call" and row[4] is not None]
        assert {(UUID(one["call_id"]), one["version"]) for one in sealed} >= set(stored.items())


def test_others_are_not_touched(database: Database, tmp_path: Path) -> None:
    """Rows of calls that have nothing to do with the person are the same, to the byte."""
    with replica(database, tmp_path, calls=20) as there:
        plant(there)
        mine = ", ".join(f"'{one}'" for one in there.ids.values())
        statements = [f"SELECT t::text FROM truedy.calls t WHERE id NOT IN ({mine}) ORDER BY 1"] + [
            f"SELECT t::text FROM truedy.{name} t WHERE call_id NOT IN ({mine}) ORDER BY 1"
            for name in ("call_versions", "transcripts", "recordings", "transcript_segments", "transcript_versions")
        ]
        before = [there.rows(statement) for statement in statements]
        there.erase(NUMBER)
        assert [there.rows(statement) for statement in statements] == before


def test_a_run_does_what_the_dry_run_said(database: Database, tmp_path: Path) -> None:
    """With calls that are held, kept by law, and free: the plan and the deed are the same, call by call."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        now = datetime.now(UTC)
        holds.place(
            database,
            "default",
            "case-1",
            Selection(call_ids=(there.ids["called"],)),
            KEYS,
            by="me",
            reason="a suit",
            at=now,
        )
        law = RetentionClass("law", 0, Basis.STATUTORY, Mode.COMPLIANCE, parse_keep("6y"), direction="inbound")
        holds.set_class(database, "default", law, by="me", reason="", at=now)
        planned = there.plan(there.request(NUMBER), now)
        done = there.erase(NUMBER, now=now)
        assert tuple(done.verdicts) == planned.verdicts
        became = {one.call_id: (one.decision.value, one.reason.value, one.kept_by) for one in done.verdicts}
        assert became == {
            there.ids["called"]: ("keep", "held", "case-1"),
            there.ids["calling"]: ("keep", "statutory_retention", "law"),
            there.ids["odd"]: ("keep", "statutory_retention", "law"),
            there.ids["mentioned"]: ("erase", "erasure", None),
        }
        stored = there.rows("SELECT call_id, decision, reason, kept_by FROM archive.erasure_calls")
        assert {row[0]: row[1:] for row in stored} == became
        # What is kept is whole, and a sync leaves it whole.
        there.sync(asked=Asked(with_details=True))
        assert "truedy.transcript_segments" in there.places("Winterbottom")
        # The hold ends: the erasure that waited is done by a disposal, and what the law keeps stays.
        holds.release(database, "default", "case-1", by="me", reason="settled", at=now)
        with database.connection() as connection:
            later = erasure.disposal_plan(connection, "default", KEYS, now)
        assert {one.call_id for one in later.removals} == {there.ids["called"]}
        erasure.perform(database, Request("default", "me", "waited"), later, there.tools, now)
        years = now.replace(year=now.year + 7)
        with database.connection() as connection:
            later = erasure.disposal_plan(connection, "default", KEYS, years)
        erasure.perform(database, Request("default", "me", "waited"), later, there.tools, years)
        assert there.places(NUMBER, "Winterbottom") <= {"replicator.quarantine"}


def test_a_kill_between_any_two_calls_loses_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies before the commit of the second call: the same command does the rest, as one erasure."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        seal, calls = erasure.deeds.seal, []

        def die(*given: Any, **more: Any) -> int:
            calls.append(given)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return seal(*given, **more)

        monkeypatch.setattr(erasure.deeds, "seal", die)
        with pytest.raises(KeyboardInterrupt):
            there.erase(NUMBER)
        monkeypatch.undo()
        assert there.rows("SELECT count(*) FROM archive.erasure_calls") == [(1,)]
        there.erase(NUMBER)
        assert there.rows("SELECT count(*), count(finished_at) FROM archive.erasures") == [(1, 1)]
        assert there.rows("SELECT count(*) FROM archive.erasure_calls WHERE decision = 'erase'") == [(4,)]
        assert there.places(*CANARIES) <= {"rollup.numbers"}


def test_a_file_that_two_calls_share_stays_for_the_other(database: Database, tmp_path: Path) -> None:
    """The audio is removed with the last call that has it."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        shared = b"RIFF music on hold"
        there.store_audio(there.ids["called"], shared)
        path = there.store_audio(there.ids["mentioned"], shared)
        there.erase(calls=(there.ids["called"],))
        assert path.is_file()
        assert there.rows("SELECT state, sha256 FROM archive.objects WHERE state = 'erased'") == [("erased", None)]
        there.erase(calls=(there.ids["mentioned"],))
        assert not path.exists()


def test_a_call_that_is_not_stored_is_named(database: Database, tmp_path: Path) -> None:
    """Nothing is erased where one of the calls is unknown."""
    with replica(database, tmp_path, calls=5) as there:
        plant(there)
        with pytest.raises(UnknownCall):
            there.erase(calls=(UUID(int=5), there.ids["called"]))
        assert there.rows("SELECT count(*) FROM truedy.calls WHERE raw ? '_erased'") == [(0,)]
