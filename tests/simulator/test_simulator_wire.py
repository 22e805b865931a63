"""Each switch about how calls and transcripts are written shows its effect."""

import json
from datetime import datetime, timedelta

from tests.simulator.fix_client import NOW, asking, settled


def test_times_come_in_every_form() -> None:
    """time_format and fractions: Z, offset or naive; six, three or no digits, or as Python writes them."""
    for form, end in (("z", "Z"), ("offset", "+05:30"), ("naive", "")):
        client, api = asking(time_format=form)
        text = client.rows(limit=1)[0]["created_at"]
        assert text.endswith(end)
        assert len(text) == 26 + len(end)
        at = datetime.fromisoformat(text if end else text + "Z")
        assert at == api.world.calls[0]["created_at"]
    assert len(asking(fractions="three")[0].rows(limit=1)[0]["created_at"]) == 24
    assert len(asking(fractions="none")[0].rows(limit=1)[0]["created_at"]) == 20
    client, api = asking(fractions="python")
    call = api.world.create(at=NOW.replace(microsecond=0))
    texts = {row["id"]: row["created_at"] for row in client.rows(limit=5)}
    assert texts[call] == "2026-03-02T12:00:00Z"
    assert sorted({len(text) for text in texts.values()}) == [20, 27]


def test_old_rows_can_lack_updated_at() -> None:
    """null_updated_at_share: null on the oldest rows until something changes them."""
    client, api = asking(null_updated_at_share=0.1)
    rows = client.rows(limit=100, offset=200)
    assert [row["updated_at"] is None for row in rows] == [False] * 70 + [True] * 30
    api.world.update(rows[-1]["id"], context={})
    assert client.rows(limit=1, offset=299)[0]["updated_at"] is not None


def test_fields_can_be_spelled_otherwise() -> None:
    """spell_to_from, spell_metadata, spell_cost_credits, omitted_fields."""
    row = asking(spell_to_from=True, spell_metadata=True, spell_cost_credits=True)[0].rows(limit=1)[0]
    assert {"to", "from", "metadata", "cost_credits"} <= set(row)
    assert not {"phone_number", "from_number", "context", "cost_usd"} & set(row)
    row = asking(omitted_fields=frozenset({"from_number", "summary"}))[0].rows(limit=1)[0]
    assert not {"from_number", "summary"} & set(row)


def test_rows_can_have_unknown_fields() -> None:
    """extra_fields: call_settings, ultravox_call_id, end_reason."""
    row = asking(extra_fields=True)[0].rows(limit=1)[0]
    assert {"call_settings", "ultravox_call_id", "end_reason"} <= set(row)


def test_statuses_and_directions_can_be_new_ones() -> None:
    """status_spellings: in-progress, ended, cancelled; webrtc_share: no phone numbers; filters go by what is shown."""
    client, api = asking(calls=900, status_spellings=True, active_forever_share=0.05)
    statuses = {row["status"] for row in api.world.calls}
    assert {"in-progress", "ended", "cancelled", "completed"} <= statuses
    assert {row["status"] for row in client.rows(status="ended", limit=100)} == {"ended"}
    row = asking(webrtc_share=1.0)[0].rows(limit=1)[0]
    assert (row["direction"], row["phone_number"], row["from_number"]) == ("webrtc", None, None)


def test_calls_can_stay_active_for_ever() -> None:
    """active_forever_share: in progress last week and still, with no end, cost or transcript."""
    client, api = asking(active_forever_share=1.0)
    row = api.world.calls[-1]
    assert (row["status"], row["ended_at"], row["cost_usd"]) == ("in_progress", None, None)
    assert len(client.rows(status="in_progress", limit=100)) == 100
    api.world.advance(NOW + timedelta(days=30))
    assert api.world.row(row["id"])["status"] == "in_progress"


def test_context_can_be_nasty() -> None:
    """nul_and_surrogates_share, huge_context_share with huge_context_bytes, deep_json_share with deep_json_depth."""
    client, _ = asking(nul_and_surrogates_share=1.0)
    answer = client.get("/calls?limit=1")
    assert b"\\u0000" in answer.content
    assert b"\\ud800" in answer.content
    assert "\ud800" in answer.json()["data"][0]["context"]["broken\x00key"]
    client, _ = asking(huge_context_share=1.0, huge_context_bytes=50_000)
    assert len(client.rows(limit=1)[0]["context"]["huge"]) == 50_000
    client, _ = asking(deep_json_share=1.0, deep_json_depth=300)
    assert client.get("/calls?limit=1").content.count(b'{"d":') == 300


def shape(name):
    client, api = asking(transcript_shape=name)
    call = next(one for one in settled(api, "completed") if len(api.world.segments(one) or ()) > 3)
    return client.get(f"/calls/{call}/transcript").json()["data"]["transcript"], api.world.segments(call)


def test_transcripts_come_in_every_shape() -> None:
    """transcript_shape: speaker and timestamp, role and start/end, MESSAGE_ROLE_ and timespan, a string, a text object."""
    shown, said = shape("contact")
    assert shown[1] == {"speaker": "contact", "text": said[1].text, "timestamp": said[1].start_seconds}
    shown, said = shape("role")
    assert shown[1]["role"] == "user"
    assert (shown[1]["start"], shown[1]["end"]) == (said[1].start_seconds, said[1].end_seconds)
    assert said[1].text in shown[1].values()
    shown, said = shape("message_role")
    assert shown[1]["role"] == "MESSAGE_ROLE_USER"
    assert float(shown[1]["timespan"]["start"].removesuffix("s")) == said[1].start_seconds
    shown, said = shape("string")
    assert all(one.text in shown for one in said)
    shown, said = shape("text_object")
    assert said[0].text in shown["text"]


def test_shapes_can_be_mixed() -> None:
    """transcript_shape mixed: one account has them all."""
    client, api = asking(transcript_shape="mixed", limit=None)
    kinds = set()
    for call in settled(api, "completed"):
        answer = client.get(f"/calls/{call}/transcript")
        if answer.status_code == 200:
            value = answer.json()["data"]["transcript"]
            kinds.add(tuple(sorted(value[0])) if isinstance(value, list) else type(value).__name__)
    assert {"str", "dict"} <= kinds
    assert len(kinds) >= 5


def test_rows_can_carry_their_transcript() -> None:
    """transcript_in_rows: as an array, an object or a string; null where there is none; not in the call object."""
    for form, kind in (("array", list), ("object", dict), ("string", str)):
        client, api = asking(transcript_in_rows=form)
        rows = client.rows(limit=100)
        assert all(isinstance(row["transcript"], kind) for row in rows if api.world.segments(row["id"]))
        assert any(row["transcript"] is None for row in rows)


def test_pages_can_be_heavy() -> None:
    """page_bytes: a page of 100 rows with transcripts of about 4.6 MB."""
    client, _ = asking(transcript_in_rows="array", page_bytes=4_600_000)
    content = client.get("/calls?limit=100").content
    assert 3_000_000 < len(content) < 6_500_000
    assert len(json.loads(content)["data"]) == 100
