"""What a new observation of a call does to what is stored, and what it means for the call's details."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.records import READING_VERSION, Call, Recording
from replicator.store.rows import KnownCall, StampConflict, VersionRow
from replicator.sync.content.calls import (
    LONGEST_REREAD_WAIT,
    REREAD_AFTER,
    Change,
    Observation,
    Policy,
    can_have,
    compare,
    conflict_of,
    details_of,
    fetched_recording,
    fetched_transcript,
    is_in_the_future,
    settle,
)
from replicator.sync.content.stages import CONTRACT
from tests.sync.fix_values import NOW, SAID, SILENT, a_call, at, known_detail, known_of

if TYPE_CHECKING:
    from uuid import UUID

pytestmark = pytest.mark.pure

CALL = a_call(1, updated_at=at(0))
KNOWN = known_of(CALL, at(10))
POLICY = Policy()
TEXT = Policy(("transcript",))
AUDIO = Policy(("recording",))
ID = CALL.id


def look(asked: float, updated: datetime | None = CALL.updated_at, content: bytes = b"a", **more: Any) -> Observation:
    """Return a look at the call, asked so many minutes after NOW."""
    return Observation(replace(CALL, updated_at=updated, fingerprint=content), at(asked), **more)


# What an observation is --------------------------------------------------------------------------------------------


def test_a_call_that_is_not_known_is_new() -> None:
    """Whatever its stamps say."""
    assert compare(None, look(0)) is Change.NEW
    assert compare(None, look(0, None)) is Change.NEW


@pytest.mark.parametrize(
    ("seen", "change"),
    [
        (look(20), Change.SAME),
        (look(5), Change.SAME),
        (look(20, at(1)), Change.TOUCHED),
        (look(20, at(1), b"b"), Change.CHANGED),
        (look(5, at(1), b"b"), Change.CHANGED),
        (look(20, content=b"b"), Change.CHANGED),
        (look(10, content=b"b"), Change.CHANGED),
        (look(5, content=b"b"), Change.LATE),
        (look(20, at(-1), b"b"), Change.LATE),
        (look(20, at(-1)), Change.LATE),
        (look(20, None, b"b"), Change.CHANGED),
        (look(5, None, b"b"), Change.LATE),
        (look(20, None), Change.TOUCHED),
    ],
)
def test_the_sources_stamp_decides_and_else_the_later_look(seen: Observation, change: Change) -> None:
    """A later stamp is newer whenever it was asked for, an earlier one is late; where they are equal, or one is missing, the
    request that was sent later wins.
    """
    assert compare(KNOWN, seen) is change


def test_a_deleted_call_that_is_seen_again_has_changed() -> None:
    """Also where nothing of it moved; but not by a look from before it was deleted."""
    gone = replace(KNOWN, is_deleted=True)
    assert compare(gone, look(20)) is Change.CHANGED
    assert compare(gone, look(20, at(1))) is Change.CHANGED
    assert compare(gone, look(5)) is Change.LATE


def test_a_place_in_the_list_that_was_seen_later_makes_a_look_late() -> None:
    """A request asked before another one that is stored and showed the call's place brings what was there before."""
    seen = look(20, content=b"b", verified_at=at(30))
    assert compare(KNOWN, seen) is Change.LATE
    assert compare(KNOWN, replace(seen, verified_at=at(20))) is Change.CHANGED
    assert compare(KNOWN, replace(look(5, content=b"b"), verified_at=at(1))) is Change.LATE


def test_what_the_future_is() -> None:
    """Five minutes beyond every clock that is known."""
    assert not is_in_the_future(at(5), at(0))
    assert is_in_the_future(at(5.1), at(0))
    assert not is_in_the_future(at(60), at(0), at(58))
    assert is_in_the_future(at(60), at(0), None)


def test_a_stamp_of_the_future_orders_nothing() -> None:
    """A stored stamp of 2099 does not make today's late, and a look that shows 2099 does not overwrite a later look."""
    far = at(10_000_000)
    frozen = replace(KNOWN, updated_at=far)
    assert compare(frozen, look(20, at(15), b"b")) is Change.CHANGED
    assert compare(frozen, look(5, at(15), b"b")) is Change.LATE
    assert compare(KNOWN, look(5, far, b"b")) is Change.LATE
    assert compare(KNOWN, look(20, far, b"b")) is Change.CHANGED


@pytest.mark.parametrize("version", [1, READING_VERSION])
def test_a_call_that_reads_otherwise_by_now_is_written_anew(version: int) -> None:
    """The same payload, stored by an older reading: its row is written, without a version; one that is up to date is not."""
    known = replace(KNOWN, reading_version=version)
    assert compare(known, look(20)) is (Change.TOUCHED if version < READING_VERSION else Change.SAME)
    settled = settle({ID: known}, [look(20)])
    assert (len(settled.calls), settled.versions) == (int(version < READING_VERSION), ())
    assert compare(known, look(5)) is Change.SAME  # an older look knows nothing better


# Stamps that went back ---------------------------------------------------------------------------------------------


def test_a_stamp_that_went_back_is_noted_and_not_believed_at_once() -> None:
    """The first look that shows it may come out of a stale cache."""
    back = look(20, at(-1), b"b")
    settled = settle({ID: KNOWN}, [back])
    assert settled.calls == ()
    assert settled.conflicts == (StampConflict(ID, at(0), at(-1), at(20)),)
    assert settled.versions == (VersionRow(back.call, 0, at(20), is_late=True),)


@pytest.mark.parametrize(("seconds", "change"), [(0.5, Change.LATE), (1, Change.CHANGED), (600, Change.CHANGED)])
def test_a_stamp_that_went_back_is_believed_when_a_later_look_shows_it_again(seconds: float, change: Change) -> None:
    """A second after the first at the earliest."""
    noted = replace(KNOWN, conflict=StampConflict(ID, at(0), at(-1), at(20)))
    again = look(20 + seconds / 60, at(-1), b"b")
    assert compare(noted, again) is change
    conflict = conflict_of(noted, again, change)
    assert (conflict is None) == (change is Change.LATE)
    if conflict is not None:
        assert (conflict.first_seen_at, conflict.believed_at) == (at(20), again.asked_at)


def test_a_stamp_that_went_back_further_is_not_the_same_again() -> None:
    """Another look that shows a still earlier stamp does not confirm the first, and is noted for itself."""
    noted = replace(KNOWN, conflict=StampConflict(ID, at(0), at(-1), at(20)))
    further = look(30, at(-2), b"c")
    assert compare(noted, further) is Change.LATE
    assert conflict_of(noted, further, Change.LATE) == StampConflict(ID, at(0), at(-2), at(30))


def test_a_conflict_from_before_the_stored_look_does_not_count() -> None:
    """The source has shown the later stamp since: going back begins anew."""
    noted = replace(KNOWN, conflict=StampConflict(ID, at(0), at(-1), at(9)))
    assert compare(noted, look(20, at(-1), b"b")) is Change.LATE


def test_a_slow_answer_is_no_conflict() -> None:
    """A look that was asked before the stored one may show an earlier stamp."""
    assert conflict_of(KNOWN, look(5, at(-1), b"b"), Change.LATE) is None
    assert conflict_of(None, look(5), Change.NEW) is None
    assert conflict_of(KNOWN, look(20, None), Change.TOUCHED) is None


# A batch -----------------------------------------------------------------------------------------------------------


def test_several_looks_in_one_batch_are_one_row_and_all_their_versions() -> None:
    """A new call that changes within the batch is inserted once, with its last content, and both contents are kept."""
    settled = settle({}, [look(2, at(1), b"b"), look(1)])
    (row,) = settled.calls
    assert (row.call.fingerprint, row.version, row.is_new, row.is_content_changed) == (b"b", 2, True, True)
    assert [(one.version, one.observed_at) for one in settled.versions] == [(1, at(1)), (2, at(2))]
    assert [change for _, change, _ in settled.changes] == [Change.NEW, Change.CHANGED]


def test_the_same_writes_nothing() -> None:
    """Neither a row nor a version; it is still told what it was."""
    settled = settle({ID: KNOWN}, [look(20)])
    assert (settled.calls, settled.versions) == ((), ())
    assert settled.changes == ((CALL, Change.SAME, KNOWN),)


def test_a_row_that_was_only_touched_keeps_its_version() -> None:
    """updated_at follows, and no version is appended; after a change in the same batch the row still counts as changed."""
    (row,) = settle({ID: KNOWN}, [look(20, at(1))]).calls
    assert (row.version, row.is_content_changed, row.is_new) == (1, False, False)
    settled = settle({ID: KNOWN}, [look(20, at(1), b"b"), look(30, at(2), b"b")])
    (row,) = settled.calls
    assert (row.version, row.is_content_changed, row.call.updated_at) == (2, True, at(2))
    assert len(settled.versions) == 1


def test_an_empty_batch_is_nothing() -> None:
    """No observation makes no row."""
    settled = settle({ID: KNOWN}, [])
    assert (settled.calls, settled.versions, settled.changes, settled.conflicts) == ((), (), (), ())


def stored_after(batches: list[list[Observation]]) -> tuple[KnownCall | None, set[bytes], int]:
    """Settle batches one after the other; return what is stored, the contents that were kept, and the highest version."""
    known: dict[UUID, KnownCall] = {}
    kept: set[bytes] = set()
    for batch in batches:
        settled = settle(known, batch)
        kept |= {one.call.fingerprint for one in settled.versions}
        for row in settled.calls:
            known[ID] = known_of(row.call, row.observed_at, version=row.version)
    return known.get(ID), kept, known[ID].version if known else 0


@settings(max_examples=20)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6), st.data())
def test_looks_in_any_order_give_the_same_row(moves: list[tuple[bool, bool]], data: st.DataObject) -> None:
    """An honest source, whose content changes only with updated_at: whatever order its answers come in, and in whatever
    batches, the row that is stored is its last one, and every content is kept.
    """
    looks, updated, content = [], 0, 0
    for minute, (is_touched, is_changed) in enumerate(moves):
        content += is_changed
        updated += is_touched or is_changed
        looks.append(look(minute, at(-100 + updated), b"%d" % content))
    shuffled = data.draw(st.permutations(looks))
    cuts = sorted({0, len(looks), *data.draw(st.sets(st.integers(0, len(looks)), max_size=3))})
    known, kept, version = stored_after([shuffled[a:b] for a, b in pairwise(cuts)])
    assert known is not None
    assert (known.updated_at, known.fingerprint) == (looks[-1].call.updated_at, looks[-1].call.fingerprint)
    assert kept == {one.call.fingerprint for one in looks}
    assert 1 <= version <= content + 1


@settings(max_examples=12)
@given(st.permutations([look(minute, None, b"%d" % (minute // 2)) for minute in range(6)]))
def test_without_stamps_the_look_that_was_asked_last_is_stored(looks: list[Observation]) -> None:
    """A source that says no updated_at at all: the order of the requests decides, not that of the answers."""
    known, kept, _ = stored_after([[one] for one in looks])
    assert known is not None
    assert known.fingerprint == b"2"
    assert kept == {b"0", b"1", b"2"}


# Details -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "times", "expected"),
    [
        ("completed", {}, True),
        ("no-answer", {}, False),
        ("no-answer", {"started_at": NOW}, True),
        ("in_progress", {"started_at": NOW}, False),
        ("odd word", {}, False),
        ("odd word", {"ended_at": NOW}, False),
        ("odd word", {"ended_at": NOW, "duration_seconds": 5}, True),
        ("odd word", {"ended_at": NOW, "duration_seconds": 0}, False),
        ("odd word", {"started_at": NOW}, False),
        (None, {"started_at": NOW, "ended_at": NOW}, True),
        (None, {}, False),
    ],
)
def test_a_detail_is_wanted_of_calls_that_are_over_and_were_connected(
    status: str | None, times: dict[str, Any], expected: bool
) -> None:
    """The stage says so; of a status that nobody knows the call's own times do."""
    assert can_have(a_call(status=status, **times), "transcript", CONTRACT) is expected


def test_a_detail_that_is_switched_off_is_not_wanted() -> None:
    """Recording and transcription are switched off one by one; what is not said counts as on."""
    call = a_call(is_recording_enabled=False, is_transcription_enabled=None)
    assert can_have(call, "transcript", CONTRACT)
    assert not can_have(call, "recording", CONTRACT)
    assert can_have(replace(call, is_recording_enabled=True), "recording", CONTRACT)
    assert not can_have(replace(call, is_transcription_enabled=False), "transcript", CONTRACT)


def test_a_new_call_that_has_ended_queues_its_details() -> None:
    """They are due at once, and are asked for until a week after its end; where no end is known, after its creation."""
    ended = replace(CALL, ended_at=at(-1))
    rows = details_of(ended, Change.NEW, None, {}, NOW, POLICY)
    assert [(row.kind, row.state, row.due_at, row.deadline_at, row.is_new) for row in rows] == [
        (kind, "pending", NOW, at(-1) + timedelta(days=7), True) for kind in ("transcript", "recording")
    ]
    (row,) = details_of(a_call(3), Change.NEW, None, {}, NOW, TEXT)
    assert row.deadline_at == at(-3) + timedelta(days=7)


def test_a_call_that_goes_on_and_a_late_look_queue_nothing() -> None:
    """What was seen before something later says nothing of details."""
    assert details_of(a_call(status="in_progress"), Change.NEW, None, {}, NOW, POLICY) == []
    assert details_of(CALL, Change.LATE, KNOWN, {}, NOW, POLICY) == []
    assert details_of(CALL, Change.NEW, None, {}, NOW, Policy(())) == []


def test_a_transcript_in_the_row_spares_the_request() -> None:
    """It is stored as it is; the same one again is nothing, and neither is one that is older than what was fetched."""
    call = a_call(transcript=SAID)
    (row,) = details_of(call, Change.NEW, None, {}, NOW, TEXT)
    assert (row.state, row.transcript, row.due_at, row.is_new) == ("present", SAID, None, True)
    same = known_detail(fingerprint=SAID.fingerprint)
    assert details_of(call, Change.TOUCHED, KNOWN, {"transcript": same}, NOW, TEXT) == []
    later = known_detail(fingerprint=b"other", fetched_at=at(1))
    assert details_of(call, Change.TOUCHED, KNOWN, {"transcript": later}, NOW, TEXT) == []
    earlier = known_detail(fingerprint=b"other", fetched_at=at(-1), deadline_at=at(9))
    (row,) = details_of(call, Change.TOUCHED, KNOWN, {"transcript": earlier}, NOW, TEXT)
    assert (row.is_replacement, row.deadline_at, row.is_new) == (True, at(9), False)


@pytest.mark.parametrize(
    ("known", "is_stored"),
    [
        (None, True),
        (known_detail(url_expires_at=at(1)), False),
        (known_detail(url_expires_at=None), False),
        (known_detail(url_expires_at=at(0)), True),
        (known_detail("pending"), True),
        (known_detail(url_expires_at=at(-1), fetched_at=at(1)), False),
    ],
)
def test_a_recordings_url_in_the_row_is_stored_where_ours_has_expired(known: Any, is_stored: bool) -> None:
    """One that still works is kept, so that a URL that is signed anew with each look writes nothing."""
    call = a_call(recording_url="https://a/1", recording_expires_at=at(60))
    rows = details_of(call, Change.TOUCHED, KNOWN, {"recording": known}, NOW, AUDIO)
    assert [row.recording.recording_url for row in rows if row.recording] == ["https://a/1"] * is_stored


def again(call: Call, detail: Any, change: Change = Change.TOUCHED, before: KnownCall | None = KNOWN) -> list[Any]:
    return [(row.state, row.due_at) for row in details_of(call, change, before, {"transcript": detail}, at(500), TEXT)]


def test_a_call_that_comes_back_is_asked_for_its_transcript_again() -> None:
    """While it was gone its transcript was a 404, which was believed; nothing of its row moves when it is restored."""
    absent = known_detail("absent_final", asked_at=at(400))
    back = replace(KNOWN, is_deleted=True)
    assert again(CALL, absent, Change.CHANGED, back) == [("pending", at(500))]
    assert again(CALL, absent) == []


@pytest.mark.parametrize(
    "change", [{"status": "voicemail"}, {"ended_at": NOW}, {"duration_seconds": 9}, {"summary": "it was short"}]
)
def test_a_change_that_can_concern_the_transcript_asks_for_it_at_once(change: dict[str, Any]) -> None:
    """Another status, end, duration or summary; not another cost or URL, and not where it is in the queue already."""
    present = known_detail(asked_at=at(499))
    assert again(replace(CALL, **change), present, Change.CHANGED) == [("present", at(500))]
    assert again(replace(CALL, **change), replace(present, due_at=at(600)), Change.CHANGED) == []
    assert again(replace(CALL, context="{}"), present, Change.CHANGED) == []


@pytest.mark.parametrize(("looks", "hours"), [(0, 1), (1, 4), (2, 16), (3, 64)])
def test_a_row_that_moved_since_our_look_is_looked_at_later_and_later(looks: int, hours: int) -> None:
    """An hour later, then four times as long with each look that brought nothing new, a month at most."""
    moved = replace(CALL, updated_at=at(400))
    present = known_detail(asked_at=at(300), attempts=looks)
    assert again(moved, present) == [("present", at(500) + hours * REREAD_AFTER)]
    assert again(moved, replace(present, attempts=99)) == [("present", at(500) + LONGEST_REREAD_WAIT)]


def test_a_row_that_moved_with_our_own_look_is_not_looked_at_again() -> None:
    """Within five minutes of it the row is taken to have moved by it; a detail that is denied asks for nothing either."""
    present = known_detail(asked_at=at(395))
    assert again(replace(CALL, updated_at=at(400)), present) == []
    assert again(replace(CALL, updated_at=at(400.1)), present) == [("present", at(560))]
    assert again(replace(CALL, updated_at=None), present) == []
    assert again(replace(CALL, updated_at=at(400)), known_detail("denied", asked_at=at(300))) == []
    assert again(replace(CALL, updated_at=at(400)), known_detail(asked_at=None)) == []


def test_a_stamp_that_cannot_be_compared_asks_where_it_is_another_one() -> None:
    """One in the future, or before the stored one, says nothing about our look; that it changed is what is known."""
    present, later = known_detail(asked_at=at(395)), [("present", at(560))]
    assert again(replace(CALL, updated_at=at(900)), present) == later
    assert again(replace(CALL, updated_at=at(900)), present, Change.TOUCHED, replace(KNOWN, updated_at=at(900))) == []
    assert (
        again(replace(CALL, updated_at=at(300)), present, Change.CHANGED, replace(KNOWN, updated_at=at(390))) == later
    )
    assert again(replace(CALL, updated_at=at(900)), present, Change.NEW, None) == []


def test_the_same_row_again_queues_only_what_nothing_is_known_of() -> None:
    """A detail that is known stays as it is; one that has no row yet gets its place."""
    assert again(CALL, known_detail("absent_final", asked_at=at(-900)), Change.SAME) == []
    assert again(CALL, None, Change.SAME) == [("pending", at(500))]


def test_an_empty_transcript_replaces_none_with_text() -> None:
    """It counts as a look that brought nothing new; where nothing is stored it is stored as it is."""
    known = known_detail(fingerprint=b"text", attempts=2)
    row = fetched_transcript(ID, NOW, SILENT, known, at(1))
    assert (row.state, row.transcript, row.fetched_at, row.attempts) == ("present", None, None, 3)
    first = fetched_transcript(ID, NOW, SILENT, None, at(1))
    assert (first.transcript, first.fetched_at, first.is_replacement) == (SILENT, at(1), False)


def test_another_transcript_is_a_replacement_and_the_same_one_is_none() -> None:
    """What was stored goes to the history; the looks in vain begin anew with another text, and go on with the same."""
    other = fetched_transcript(ID, NOW, SAID, known_detail(fingerprint=b"text", attempts=2), at(1))
    assert (other.is_replacement, other.is_same_content, other.attempts) == (True, False, 0)
    same = fetched_transcript(ID, NOW, SAID, known_detail(fingerprint=SAID.fingerprint, attempts=2), at(1))
    assert (same.is_replacement, same.is_same_content, same.attempts) == (False, True, 3)
    first = fetched_transcript(ID, NOW, SAID, known_detail("pending", attempts=2), at(1))
    assert (first.is_replacement, first.is_same_content, first.attempts) == (False, False, 0)


def test_a_recordings_url_is_kept_with_its_time() -> None:
    """Where it was found, and until when it was to be asked for."""
    found = Recording("https://a/1", at(60), "{}")
    row = fetched_recording(ID, NOW, found, at(1), at(9))
    assert (row.kind, row.state, row.recording, row.fetched_at, row.deadline_at) == (
        "recording", "present", found, at(1), at(9),
    )  # fmt: skip
