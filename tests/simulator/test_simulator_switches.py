"""Each switch of the simulated API shows its effect: the account, the listing, the errors, reading."""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from replicator.simulator.switches import PRESETS, Switches
from tests.simulator.fix_client import NOW, asking, settled

HERE = Path(__file__).parent


def said(api):
    """Return the calls that have a transcript."""
    return [call for call in settled(api, "completed", "ended") if api.world.segments(call)]


def test_every_switch_has_a_test() -> None:
    """Each field of Switches is named in a test of this folder."""
    text = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    assert [one.name for one in fields(Switches) if one.name not in text] == []


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_answer(name) -> None:
    """Each preset lists and reads; contract() is the default."""
    client, _ = asking()
    client, api = asking(**{one.name: getattr(PRESETS[name](), one.name) for one in fields(Switches)})
    answers = []
    for offset in range(0, 60, 10):
        try:
            answers.append(client.get(f"/calls?limit=10&offset={offset}").status_code)
        except Exception:  # noqa: BLE001 - hostile() cuts connections
            answers.append(0)
    assert 200 in answers
    assert Switches.contract() == Switches()
    assert api.switches == PRESETS[name]()


# The envelope and errors.


def test_pagination_can_be_in_meta() -> None:
    """envelope_meta_pagination: total, limit and offset inside meta, no pagination, no has_more."""
    body = asking(envelope_meta_pagination=True)[0].get("/calls").json()
    assert set(body) == {"data", "meta"}
    assert (body["meta"]["total"], "has_more" in body["meta"]) == (300, False)


def test_meta_ts_can_be_naive() -> None:
    """meta_ts_naive: no zone."""
    assert asking(meta_ts_naive=True)[0].get("/calls").json()["meta"]["ts"] == "2026-03-02T12:00:00.500000"


def test_errors_come_in_other_shapes() -> None:
    """error_shape: wrapped in detail, with everything inside error, detail as string or array, or any of them."""

    def error(shape):
        return asking(error_shape=shape)[0].get("/nothing").json()

    assert set(error("contract")) == {"error", "meta"}
    assert error("detail")["detail"]["error"]["code"] == "not_found"
    assert set(error("inside")["error"]) == {"code", "message", "request_id", "ts"}
    assert error("detail_string") == {"detail": "no such path"}
    assert error("detail_array")["detail"][0]["type"] == "not_found"
    client, _ = asking(error_shape="mixed")
    assert len({str(sorted(client.get("/nothing").json().items()))[:14] for _ in range(40)}) > 2


def test_a_proxy_can_write_the_errors() -> None:
    """proxy_errors: 504 as HTML, with an empty body, or as JSON called octet-stream."""
    late = {"deep_offset_timeout": 0, "deep_offset_timeout_seconds": 3.0}
    client, _ = asking(proxy_errors="html", **late)
    answer = client.get("/calls")
    assert (answer.status_code, answer.headers["content-type"]) == (504, "text/html")
    assert client.clock() - NOW == timedelta(seconds=3)
    assert asking(proxy_errors="empty", **late)[0].get("/calls").content == b""
    answer = asking(proxy_errors="octet", **late)[0].get("/calls")
    assert answer.headers["content-type"] == "application/octet-stream"


def test_account_can_refuse_or_seem_empty() -> None:
    """payment_required and forbidden refuse reads; empty_account answers 200 with total 0, and 404 for every id."""
    assert asking(payment_required=True)[0].get("/calls").json()["error"]["code"] == "payment_required"
    assert asking(forbidden=True)[0].get("/calls").status_code == 403
    client, api = asking(empty_account=True)
    assert client.get("/calls").json()["pagination"]["total"] == 0
    assert client.get(f"/calls/{api.world.live_ids()[0]}").status_code == 404


# The listing.


def test_created_filters_work_when_there_are_any() -> None:
    """created_filters: created_after and created_before select; the default ignores them."""
    client, api = asking(created_filters=True)
    rows = api.world.calls
    after, before = rows[20]["created_at"].isoformat(), rows[10]["created_at"].isoformat()
    found = client.rows(limit=100, created_after=after, created_before=before)
    assert [row["id"] for row in found] == [row["id"] for row in rows[10:21]]
    client, api = asking(created_filters=True, created_bounds="exclusive")
    found = client.rows(limit=100, created_after=after, created_before=before)
    assert [row["id"] for row in found] == [row["id"] for row in rows[11:20]]


def test_filters_can_be_ignored_silently() -> None:
    """ignored_filters: agent_id given, everything returned."""
    client, api = asking(ignored_filters=frozenset({"agent_id"}))
    assert client.get(f"/calls?agent_id={api.world.agent_ids[0]}").json()["pagination"]["total"] == 300


def test_limit_can_be_unchecked() -> None:
    """limit_unchecked: everything at once, limit=0 gives the total, a negative offset counts from the end."""
    client, api = asking(limit_unchecked=True)
    assert len(client.rows(limit=100_000)) == 300
    assert client.get("/calls?limit=0").json()["pagination"]["total"] == 300
    assert [row["id"] for row in client.rows(offset=-2)] == api.world.live_ids()[-2:]


def test_order_can_be_another() -> None:
    """order: ascending, or unsorted but the same until something changes."""
    client, api = asking(order="ascending")
    assert [row["id"] for row in client.rows(limit=5)] == api.world.live_ids()[:-6:-1]
    client, api = asking(order="unsorted")
    ids = [row["id"] for offset in (0, 100, 200) for row in client.rows(limit=100, offset=offset)]
    assert ids != api.world.live_ids()
    assert sorted(ids) == sorted(api.world.live_ids())


def test_ties_share_an_instant() -> None:
    """tie_every and tie_size: of every 10 calls, 4 have one created_at."""
    _, api = asking(tie_every=10, tie_size=4)
    created = [row["created_at"] for row in api.world.calls]
    assert len(set(created)) == 300 - 30 * 3


def test_ties_come_in_unstable_order() -> None:
    """tie_shuffle: per request in another order, or only after an update; each page is still of the right instants."""
    client, api = asking(calls=40, tie_every=20, tie_size=20, tie_shuffle="request")
    pages = [tuple(row["id"] for row in client.rows(limit=10)) for _ in range(5)]
    assert len(set(pages)) == 5
    assert set().union(*pages) <= set(api.world.live_ids()[:20])
    client, api = asking(calls=40, tie_every=20, tie_size=20, tie_shuffle="update")
    first = client.rows(limit=20)
    assert client.rows(limit=20) == first
    api.world.update(api.world.live_ids()[-1], context={})
    assert client.rows(limit=20) != first
    assert {row["id"] for row in client.rows(limit=20)} == {row["id"] for row in first}


def test_listing_can_be_capped() -> None:
    """cap: total and has_more stop short, after the filters, so that a filter reaches hidden rows."""
    client, api = asking(cap=50)
    body = client.get("/calls?limit=100").json()
    assert (len(body["data"]), body["pagination"]["total"], body["pagination"]["has_more"]) == (50, 50, False)
    assert client.rows(offset=50) == []
    hidden = {row["id"] for row in client.rows(status="busy")} - {row["id"] for row in body["data"]}
    assert hidden <= set(api.world.live_ids())
    assert hidden


def test_pages_can_be_short_and_totals_wrong() -> None:
    """short_page_rate, total_missing and has_more_lies."""
    client, _ = asking(short_page_rate=1.0)
    body = client.get("/calls?limit=100").json()
    assert 0 < len(body["data"]) < 100
    assert body["pagination"]["has_more"]
    assert "total" not in asking(total_missing=True)[0].get("/calls").json()["pagination"]
    for lie, claim in (("always", True), ("never", False)):
        client, _ = asking(calls=30, has_more_lies=lie)
        assert {client.get(f"/calls?limit=20&offset={at}").json()["pagination"]["has_more"] for at in (0, 20)} == {
            claim
        }


def test_rows_can_be_bad() -> None:
    """bad_row_share: rows without id, with wrong types, duplicate keys, null or a string in place of a row."""
    client, _ = asking(bad_row_share=1.0)
    rows = client.rows(limit=100)
    assert None in rows
    assert any(isinstance(row, str) for row in rows)
    objects = [row for row in rows if isinstance(row, dict)]
    assert any("id" not in row for row in objects)
    assert any(row.get("id") == 12345 for row in objects)
    assert any(row.get("duration_seconds") == "forty" for row in objects)
    assert client.get("/calls?limit=100").text.count('"id":"no-uuid"') > 0


def test_waits_are_of_the_virtual_clock() -> None:
    """latency_seconds, list_seconds_per_1000 and deep_offset_seconds_per_1000 add up."""
    client, _ = asking(latency_seconds=0.5, list_seconds_per_1000=10.0, deep_offset_seconds_per_1000=10.0)
    client.get("/calls?offset=100")
    assert client.clock() - NOW == timedelta(seconds=0.5 + 3 + 1)


# Reading.


def test_transcripts_can_be_missing_or_late() -> None:
    """transcript_missing_share: never there; transcript_late_seconds: there after a while."""
    client, api = asking(transcript_missing_share=1.0)
    assert client.get(f"/calls/{settled(api, 'completed')[0]}/transcript").status_code == 404
    counts = []
    for late in (1.0, 3000.0):
        _, api = asking(calls=0, transcript_late_seconds=late, transcript_missing_share=0.0)
        ids = [api.world.create() for _ in range(40)]
        api.world.advance(NOW + timedelta(minutes=20))
        counts.append(sum(api.world.segments(call) is not None for call in ids))
    assert counts[0] > counts[1]


def test_transcripts_can_be_replaced() -> None:
    """transcript_replaced after transcript_replaced_seconds: by a longer or a shorter one, and updated_at moves."""
    for kind, change in (("longer", 3), ("shorter", -2)):
        _, api = asking(calls=0, transcript_replaced=kind, transcript_replaced_seconds=7200.0)
        ids = [api.world.create() for _ in range(20)]
        api.world.advance(NOW + timedelta(hours=1.5))
        call = next(one for one in ids if len(api.world.segments(one) or ()) > 5)
        before, row = len(api.world.segments(call)), api.world.row(call)
        api.world.advance(NOW + timedelta(hours=7))
        assert len(api.world.segments(call)) - before == change
        assert api.world.row(call)["updated_at"] > row["updated_at"]


def test_transcripts_can_have_more_segments() -> None:
    """seconds_per_segment: half of it makes twice as many, of the same calls."""
    counts = []
    for seconds in (8.0, 4.0):
        _, api = asking(seconds_per_segment=seconds)
        counts.append(sum(len(api.world.segments(call)) for call in said(api)))
    assert 1.7 < counts[1] / counts[0] < 2.1


def test_reading_can_move_the_row() -> None:
    """reading_moves_updated_at: the first read of a transcript moves updated_at; the default does not."""
    for moves in (False, True):
        client, api = asking(reading_moves_updated_at=moves)
        call = said(api)[0]
        before = api.world.row(call)["updated_at"]
        client.get(f"/calls/{call}/transcript")
        assert (api.world.row(call)["updated_at"] > before) is moves


def test_detail_can_be_empty_where_the_row_has_text() -> None:
    """transcript_empty_in_detail: 200 with [] while the list row holds the text."""
    client, api = asking(transcript_empty_in_detail=True, transcript_in_rows="array")
    rows = [row for row in client.rows(limit=100) if row["transcript"]]
    empty = [row for row in rows if client.get(f"/calls/{row['id']}/transcript").json()["data"]["transcript"] == []]
    assert empty
    assert all(api.world.segments(row["id"]) for row in empty)


def test_reading_can_poison() -> None:
    """poison_share: the first read answers 500; from then on the call, and every page with it, until it is deleted."""
    client, api = asking(poison_share=1.0, limit_unchecked=True)
    call = said(api)[10]
    at = api.world.live_ids().index(call)
    assert client.get("/calls?limit=100").status_code == 200
    assert client.get(f"/calls/{call}/transcript").status_code == 500
    assert client.get(f"/calls/{call}").status_code == 500
    assert client.get("/calls?limit=100").status_code == 500
    assert client.get(f"/calls?limit=1&offset={at}").status_code == 500
    assert client.get(f"/calls?limit=1&offset={at + 1}").status_code == 200
    assert client.get("/calls?limit=0").json()["pagination"]["total"] == 300
    assert client.delete(f"/calls/{call}").status_code == 200
    assert client.get("/calls?limit=100").status_code == 200


def test_a_call_can_be_poisoned_by_hand() -> None:
    """Api.poison makes a call unserialisable."""
    client, api = asking()
    api.poison(api.world.live_ids()[0])
    assert client.get("/calls?limit=1").status_code == 500
    with pytest.raises(KeyError):
        api.poison("x")


def test_recordings_can_be_missing_cached_or_signed() -> None:
    """recording_missing_share, recording_cached_share, recording_signed_expiring, recording_expires_seconds."""
    client, api = asking(recording_missing_share=1.0)
    assert client.get(f"/calls/{settled(api, 'completed')[0]}/recording").status_code == 404
    _, api = asking(recording_missing_share=0.0, recording_cached_share=1.0)
    assert api.world.row(settled(api, "completed")[5])["recording_url"]
    client, api = asking(recording_missing_share=0.0, recording_signed_expiring=True, recording_expires_seconds=60.0)
    call = settled(api, "completed")[5]
    one, two = (client.get(f"/calls/{call}/recording").json()["data"]["recording_url"] for _ in range(2))
    assert one != two
    assert one.partition("?")[0] == two.partition("?")[0]
    link = one.removeprefix("https://recordings.example.net")
    own = f"http://truedy.test{link}"
    del client.headers["Authorization"]
    assert client.get(own).content[:4] in {b"RIFF", b"ID3\x03", b"OggS"}
    client.clock.sleep(61)
    assert client.get(own).status_code == 403
    assert api.log.keys_sent_to_storage == 0


def test_recording_may_say_more() -> None:
    """recording_extra_fields and recording_base_url."""
    client, api = asking(
        recording_extra_fields=True, recording_base_url="http://elsewhere.test", recording_missing_share=0.0
    )
    data = client.get(f"/calls/{settled(api, 'completed')[0]}/recording").json()["data"]
    assert set(data) == {"recording_url", "format", "duration_seconds"}
    assert data["recording_url"].startswith("http://elsewhere.test/")


def test_provider_can_be_down() -> None:
    """provider_down_until: 502 provider_error; provider_errors_are_404 after provider_seconds."""
    down = {"provider_down_until": NOW + timedelta(minutes=1), "recording_missing_share": 0.0}
    client, api = asking(proxy_errors="html", **down)
    path = f"/calls/{settled(api, 'completed')[5]}/recording"
    assert client.get(path).json()["error"]["code"] == "provider_error"
    body = {"agent_id": api.world.agent_ids[0], "phone_number": "+14155550123"}
    assert client.post("/calls", json=body).status_code == 502
    client.clock.sleep(60)
    assert client.get(path).status_code == 200
    client, _ = asking(provider_errors_are_404=True, provider_seconds=9.0, **down)
    assert client.get(path).status_code == 404
    assert client.clock() - NOW == timedelta(seconds=9)


def test_storage_serves_audio_and_notes_leaked_keys() -> None:
    """/storage answers the links: ranges, storage_ignores_range, storage_missing_share, no HEAD; a key sent is noted."""
    client, api = asking(recording_missing_share=0.0)
    link = f"http://truedy.test/storage/{settled(api, 'completed')[5]}.wav"
    whole = client.get(link).content
    assert api.log.keys_sent_to_storage == 1
    part = client.get(link, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert client.get(link, headers={"Range": "bytes=99999-"}).status_code == 416
    assert client.head(link).status_code == 405
    api.switches = api.switches.but(storage_ignores_range=True)
    assert client.get(link, headers={"Range": "bytes=10-19"}).content == whole
    api.switches = api.switches.but(storage_missing_share=1.0)
    assert client.get(link).status_code == 404


def test_storage_can_misbehave() -> None:
    """recording_kinds, recording_seconds, storage_html_share, storage_redirects, storage_inside_share, storage_cut_rate."""
    client, api = asking(recording_missing_share=0.0, recording_kinds=("ogg",), recording_seconds=2.0)
    call = settled(api, "completed")[5]
    data = client.get(f"/calls/{call}/recording").json()["data"]
    assert data["recording_url"].endswith(".ogg")
    link = f"http://truedy.test/storage/{call}.ogg"
    assert client.get(link).content[:4] == b"OggS"
    api.switches = api.switches.but(storage_redirects=1)
    assert client.get(link).headers["location"].partition("?")[0] == f"/storage/{call}.ogg/hop/1"
    api.switches = api.switches.but(storage_redirects=0, storage_html_share=1.0)
    assert client.get(link).content.startswith(b"<!DOCTYPE html>")
    api.switches = api.switches.but(storage_html_share=0.0, storage_inside_share=1.0)
    assert "169.254.169.254" in client.get(link).headers["location"]
    api.switches = api.switches.but(storage_inside_share=0.0, storage_cut_rate=1.0)
    with pytest.raises(httpx.TransportError):
        client.get(link)


def test_writing_can_have_older_ways() -> None:
    """bulk_path and delete_active_status."""
    client, api = asking(bulk_path="bulk", delete_active_status=409)
    call = settled(api, "completed")[0]
    assert client.post("/calls/bulk-delete", json={"ids": [call]}).status_code == 405
    assert client.post("/calls/bulk", json={"ids": [call]}).json()["data"]["deleted_count"] == 1
    assert client.delete(f"/calls/{api.world.create(status='queued')}").status_code == 409
