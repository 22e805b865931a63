"""The simulated rate limit, and the audit that other tests rely on."""

from datetime import UTC, datetime, timedelta

import httpx

from replicator.simulator.api import BASE
from replicator.simulator.transport import SimulatedTransport
from tests.simulator.fix_client import NOW, Asking, asking, make


def statuses(client, count, path="/calls?limit=1"):
    return [client.get(path).status_code for _ in range(count)]


def test_window_admits_its_limit_and_no_more() -> None:
    """The contract's 100 requests pass, the 101st is 429 rate_limited with limit and reset_at, and no header helps."""
    client, _ = asking()
    assert statuses(client, 100) == [200] * 100
    answer = client.get("/calls")
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "rate_limited"
    assert answer.json()["error"]["details"] == {"limit": 100, "reset_at": "2026-03-02T12:01:00Z"}
    assert not {"retry-after", "x-ratelimit-limit"} & set(answer.headers)


def test_windows_are_wall_clock_minutes() -> None:
    """A window ends with the minute, not 60 seconds after its first request."""
    client, _ = asking(limit=5)
    client.clock.sleep(58)
    assert statuses(client, 6) == [200] * 5 + [429]
    client.clock.sleep(1.6)
    assert statuses(client, 6) == [200] * 5 + [429]


def test_each_key_has_its_own_window() -> None:
    """Using up one key's window leaves another key's alone."""
    api = make(limit=2, keys=("truedy_simulated_key", "truedy_other"))
    client = Asking(api)
    assert statuses(client, 3) == [200, 200, 429]
    client.headers["Authorization"] = "Bearer truedy_other"
    assert statuses(client, 3) == [200, 200, 429]


def test_limit_and_window_are_configurable_and_may_be_off() -> None:
    """Any limit, any window length, or none."""
    client, _ = asking(limit=3, window_seconds=10.0)
    assert statuses(client, 4) == [200, 200, 200, 429]
    client.clock.sleep(10)
    assert statuses(client, 1) == [200]
    assert statuses(asking(limit=None)[0], 300) == [200] * 300


def test_audit_counts_windows_and_impatience() -> None:
    """The log knows the fullest window, the refusals, and requests sent before reset_at."""
    client, api = asking(limit=3)
    statuses(client, 5)
    assert (api.log.requests, api.log.max_in_window, api.log.refused, api.log.early) == (5, 5, 2, 1)
    client.clock.sleep(60)
    statuses(client, 2)
    assert (api.log.early, sorted(api.log.by_window.values())) == (1, [2, 5])
    assert api.log.by_kind == {"list": 7}
    assert api.log.by_status == {200: 5, 429: 2}
    api.log.clear()
    assert api.log.requests == 0


def test_reset_at_can_lack_its_zone_and_be_wrong() -> None:
    """Switches: reset_at without Z; reset_at as now + 60 s."""
    client, _ = asking(limit=0, reset_at_naive=True)
    assert client.get("/calls").json()["error"]["details"]["reset_at"] == "2026-03-02T12:01:00"
    client, _ = asking(limit=0, reset_at_now_plus_window=True)
    assert client.get("/calls").json()["error"]["details"]["reset_at"] == "2026-03-02T12:01:00.500000Z"


def test_rate_headers_can_be_sent() -> None:
    """Switch: Retry-After and X-RateLimit-* as some older deployments do."""
    client, _ = asking(limit=0, rate_headers=True)
    headers = client.get("/calls").headers
    assert headers["retry-after"] == "60"
    assert headers["x-ratelimit-limit"] == "0"
    assert int(headers["x-ratelimit-reset"]) == int(datetime(2026, 3, 2, 12, 1, tzinfo=UTC).timestamp())


def test_limiter_can_answer_500_per_path_before_authentication() -> None:
    """Switches of the older deployment: 500 in place of 429, counted per address and path, for unknown keys too."""
    client, _ = asking(limit=2, limiter_answers_500=True, limiter_per_path=True)
    client.headers["Authorization"] = "Bearer unknown"
    answers = [client.get("/calls") for _ in range(3)]
    assert [one.status_code for one in answers] == [401, 401, 500]
    assert answers[2].json()["error"]["code"] == "internal_error"
    assert client.get("/calls/x").status_code == 401


def test_longer_windows_count_too() -> None:
    """further_limits: so many per hour besides so many per minute; reset_at is of the window that is full."""
    client, _ = asking(limit=3, further_limits=((5, 3600.0),))
    assert statuses(client, 3) == [200] * 3
    client.clock.sleep(60)
    assert statuses(client, 3) == [200, 200, 429]
    assert client.get("/calls").json()["error"]["details"] == {"limit": 5, "reset_at": "2026-03-02T13:00:00Z"}


def test_several_workers_interleave_refusals() -> None:
    """Switch: with several counters, successes come after the first refusal."""
    client, _ = asking(limit=10, limiter_workers=3)
    answers = statuses(client, 60)
    assert answers.count(200) == 30
    assert 200 in answers[answers.index(429) :]


def test_server_clock_can_be_skewed() -> None:
    """Switch: windows, reset_at and meta.ts follow the server's clock."""
    client, _ = asking(limit=1, clock_skew_seconds=90.0)
    assert client.get("/calls").json()["meta"]["ts"] == "2026-03-02T12:01:30.500000Z"
    assert client.get("/calls").json()["error"]["details"]["reset_at"] == "2026-03-02T12:02:00Z"


def test_time_of_the_transport_is_virtual() -> None:
    """Waiting takes no time: a day of windows is over at once."""
    api = make(limit=1)
    transport = SimulatedTransport(api)
    with httpx.Client(transport=transport, base_url="http://truedy.test" + BASE) as client:
        client.headers["Authorization"] = "Bearer truedy_simulated_key"
        for _ in range(1440):
            assert client.get("/calls?limit=1").status_code == 200
            transport.clock.sleep(60)
    assert transport.clock() == NOW + timedelta(days=1)
    assert api.world.now == NOW + timedelta(days=1) - timedelta(minutes=1)
