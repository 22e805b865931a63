"""The simulated API keeps the contract, asked over real HTTP."""

from datetime import datetime, timedelta

import pytest

from replicator.simulator.api import KEY
from tests.simulator.fix_client import AUTH, NOW, make, over_http, settled

CONTRACT_FIELDS = [
    "id",
    "agent_id",
    "phone_number",
    "from_number",
    "direction",
    "status",
    "started_at",
    "ended_at",
    "duration_seconds",
    "cost_usd",
    "summary",
    "recording_url",
    "context",
    "created_at",
    "updated_at",
]
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def api():
    return make(limit=None)


@pytest.fixture
def http(api):
    with over_http(api) as client:
        yield client


def test_list_has_the_documented_envelope(http) -> None:
    """GET /calls answers data, pagination and meta; the default limit is 50."""
    body = http.get("/calls").json()
    assert list(body) == ["data", "pagination", "meta"]
    assert body["pagination"] == {"total": 300, "limit": 50, "offset": 0, "has_more": True}
    assert len(body["data"]) == 50
    assert set(body["meta"]) == {"request_id", "ts"}


def test_call_object_has_the_documented_fields(http) -> None:
    """A call object has the contract's fields and no others."""
    assert list(http.get("/calls?limit=1").json()["data"][0]) == CONTRACT_FIELDS


def test_pages_together_are_the_account(http, api) -> None:
    """Following has_more over a list at rest gives every call once, newest first."""
    ids, offset = [], 0
    while True:
        body = http.get("/calls", params={"limit": 100, "offset": offset}).json()
        ids += [row["id"] for row in body["data"]]
        offset += len(body["data"])
        if not body["pagination"]["has_more"]:
            break
    assert ids == api.world.live_ids()


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "offset=-1", "limit=x", "agent_id=nobody"])
def test_bad_list_parameters_are_422(http, query) -> None:
    """The contract's limits on list parameters are enforced with validation_error."""
    answer = http.get(f"/calls?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_error")


def test_filters_select_and_total_counts_the_selection(http, api) -> None:
    """status, direction and agent_id filter, also together; total is of what matches."""
    agent = api.world.agent_ids[1]
    wanted = {"status": "completed", "direction": "inbound", "agent_id": agent}
    expected = [row["id"] for row in api.world.calls if all(row[name] == value for name, value in wanted.items())]
    body = http.get("/calls", params={**wanted, "limit": 100}).json()
    assert [row["id"] for row in body["data"]] == expected
    assert body["pagination"]["total"] == len(expected) > 0


def test_unknown_parameters_and_values_are_ignored_or_empty(http) -> None:
    """updated_since and sort do nothing; an empty status is no filter; an unknown status is an empty page."""
    assert http.get("/calls?updated_since=2026-01-01&sort=id&status=").json()["pagination"]["total"] == 300
    assert http.get("/calls?status=nonsense").json()["data"] == []
    assert http.get("/calls?created_after=2999-01-01T00:00:00Z").json()["pagination"]["total"] == 300


def test_get_call_equals_its_list_row(http, api) -> None:
    """GET /calls/{id} gives the same object as the list; an unknown id is 404, no UUID at all is 422."""
    row = http.get("/calls?limit=1&offset=20").json()["data"][0]
    assert http.get(f"/calls/{row['id']}").json()["data"] == row
    assert http.get(f"/calls/{UNKNOWN}").json()["error"]["code"] == "not_found"
    assert http.get("/calls/no-uuid").status_code == 422


def test_wire_says_what_the_oracle_says(http, api) -> None:
    """Rows on the wire are the oracle's rows: instants, money to the last digit, context."""
    for row in http.get("/calls?limit=100").json()["data"]:
        true = api.world.row(row["id"])
        for name in ("started_at", "ended_at", "created_at", "updated_at"):
            assert (row[name] and datetime.fromisoformat(row[name])) == true[name]
        assert (
            row["cost_usd"] is None
            if true["cost_usd"] is None
            else repr(row["cost_usd"]) == f"{true['cost_usd']}".rstrip("0")
        )
        assert {name: row[name] for name in ("status", "context", "summary", "recording_url")} == {
            name: true[name] for name in ("status", "context", "summary", "recording_url")
        }


def test_transcript_and_its_absence(http, api) -> None:
    """GET transcript gives segments and summary for a completed call, 404 for an unanswered one."""
    call_id = next(one for one in settled(api, "completed") if api.world.segments(one))
    data = http.get(f"/calls/{call_id}/transcript").json()["data"]
    assert [(one["speaker"], one["text"], one["timestamp"]) for one in data["transcript"]] == [
        (one.speaker, one.text, one.start_seconds) for one in api.world.segments(call_id)
    ]
    assert data["summary"] == api.world.row(call_id)["summary"]
    assert http.get(f"/calls/{settled(api, 'no_answer')[0]}/transcript").status_code == 404


def test_recording_is_cached_on_the_row(http, api) -> None:
    """The first recording answer is stored on the call record and moves updated_at; 404 where there is none."""
    call_id = next(
        row["id"] for row in api.world.calls if row["recording_url"] is None and api.world.has_recording(row["id"])
    )
    before = api.world.row(call_id)["updated_at"]
    url = http.get(f"/calls/{call_id}/recording").json()["data"]["recording_url"]
    row = api.world.row(call_id)
    assert row["recording_url"] == url == http.get(f"/calls/{call_id}/recording").json()["data"]["recording_url"]
    assert row["updated_at"] > before
    assert http.get(f"/calls/{settled(api, 'busy')[0]}/recording").status_code == 404


def test_created_call_lives(http, api) -> None:
    """POST /calls answers 201 with a queued outbound call, which ends as time passes."""
    body = {"agent_id": api.world.agent_ids[0], "phone_number": "+14155550123", "variables": {"n": 1}}
    answer = http.post("/calls", json=body)
    call = answer.json()["data"]
    assert answer.status_code == 201
    assert (call["status"], call["direction"], call["phone_number"]) == ("queued", "outbound", "+14155550123")
    assert call["context"] == {"variables": {"n": "1"}}
    assert call["created_at"] == NOW.isoformat().replace("+00:00", "Z")
    assert api.world.live_ids()[0] == call["id"]
    api.world.advance(NOW + timedelta(hours=5))
    ended = http.get(f"/calls/{call['id']}").json()["data"]
    assert ended["status"] in {"completed", "no_answer", "busy", "voicemail", "failed"}
    assert ended["updated_at"] > call["updated_at"]


def test_idempotency_key_creates_once(http, api) -> None:
    """The same X-Idempotency-Key gives the same call; another key gives another."""
    body = {"agent_id": api.world.agent_ids[0], "phone_number": "+14155550123"}
    ids = [
        http.post("/calls", json=body, headers={"X-Idempotency-Key": key}).json()["data"]["id"]
        for key in ("a", "a", "b")
    ]
    assert ids[0] == ids[1] != ids[2]
    assert len(api.world.live_ids()) == 302


def test_bad_creations_are_422(http, api) -> None:
    """A missing agent, a bad number, and an agent without an outbound number are validation errors; no JSON is 400."""
    first, last = api.world.agent_ids[0], api.world.agent_ids[-1]
    good = {"agent_id": first, "phone_number": "+14155550123"}
    for bad in ({"phone_number": "+14155550123"}, {**good, "phone_number": "555"}, {**good, "agent_id": last}):
        answer = http.post("/calls", json=bad)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_error")
    assert http.post("/calls", json={**good, "agent_id": last, "from_number": "+12025550199"}).status_code == 201
    assert http.post("/calls", content=b"{").status_code == 400


def test_settings_decide_about_recording_and_transcript(http, api) -> None:
    """A call created without recording and transcription never gets them."""
    made = {"agent_id": api.world.agent_ids[0], "phone_number": "+14155550123"}
    off = {"call_settings": {"recording_enabled": False, "transcription_enabled": False}}
    ids = [http.post("/calls", json={**made, **off}).json()["data"]["id"] for _ in range(10)]
    api.world.advance(NOW + timedelta(hours=5))
    assert any(api.world.row(one)["status"] == "completed" for one in ids)
    assert all(http.get(f"/calls/{one}/transcript").status_code == 404 for one in ids)
    assert all(http.get(f"/calls/{one}/recording").status_code == 404 for one in ids)


def test_patch_changes_context_only(http, api) -> None:
    """PATCH stores context and moves updated_at; other fields are not updatable."""
    row = api.world.calls[30]
    data = http.patch(f"/calls/{row['id']}", json={"context": {"priority": "high"}}).json()["data"]
    assert data["context"] == {"priority": "high"} == api.world.row(row["id"])["context"]
    assert api.world.row(row["id"])["updated_at"] > row["updated_at"]
    assert http.patch(f"/calls/{row['id']}", json={"status": "failed"}).status_code == 422
    assert http.patch(f"/calls/{row['id']}", json={"context": "text"}).status_code == 422


def test_deleted_calls_are_simply_absent(http, api) -> None:
    """DELETE removes a terminal call from id, list and total; an active one is refused."""
    gone, active = settled(api, "completed")[0], api.world.create(status="in_progress")
    assert http.delete(f"/calls/{gone}").status_code == 200
    assert http.get(f"/calls/{gone}").status_code == http.delete(f"/calls/{gone}").status_code == 404
    assert http.get("/calls?limit=1").json()["pagination"]["total"] == 300
    assert http.delete(f"/calls/{active}").status_code == 422


def test_bulk_delete_skips_active_calls(http, api) -> None:
    """Bulk delete counts what it removed and what it did not."""
    ids, active = settled(api, "completed")[:3], api.world.create(status="ringing")
    data = http.post("/calls/bulk-delete", json={"ids": [*ids, active, UNKNOWN]}).json()["data"]
    assert data == {"deleted_count": 3, "failed_count": 2, "deleted_ids": ids, "failed_ids": [active, UNKNOWN]}
    assert not set(ids) & set(api.world.live_ids())


def test_errors_have_the_documented_envelope(http) -> None:
    """401, 404 and 405 come as error{code, message} and meta."""
    unauthorised = http.get("/calls", headers={"Authorization": "Bearer other"})
    assert unauthorised.status_code == 401
    for answer in (unauthorised, http.get("/nothing"), http.put("/calls")):
        assert set(answer.json()) == {"error", "meta"}
        assert set(answer.json()["error"]) == {"code", "message"}
    assert http.head("/calls").status_code == 405


def test_several_keys_open_the_account() -> None:
    """Each key given to the Api is accepted, no other."""
    with over_http(make(keys=("truedy_a", "truedy_b"))) as http:
        statuses = [
            http.get("/calls", headers={"Authorization": f"Bearer {key}"}).status_code
            for key in ("truedy_a", "truedy_b", KEY)
        ]
    assert statuses == [200, 200, 401]
    assert AUTH["Authorization"].endswith(KEY)
