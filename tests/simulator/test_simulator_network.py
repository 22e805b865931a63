"""The simulated API's network: its socket, its process, its faults, and its twin without sockets."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from replicator.errors import ConfigurationError
from replicator.simulator.exchange import Response
from replicator.simulator.server import running
from tests.simulator.fix_client import AUTH, NOW, Asking, asking, make, over_http, settled

ROOT = Path(__file__).parents[2]


def script(api):
    """Return requests that visit every endpoint."""
    done, idle = settled(api, "completed")[5], settled(api, "no_answer")[0]
    body = {"agent_id": api.world.agent_ids[0], "phone_number": "+14155550123"}
    return [
        ("GET", "/calls?limit=100", None),
        ("GET", "/calls?status=completed&limit=10&offset=30", None),
        ("GET", f"/calls/{done}", None),
        ("GET", f"/calls/{done}/transcript", None),
        ("GET", f"/calls/{done}/recording", None),
        ("GET", f"/calls/{idle}/transcript", None),
        ("POST", "/calls", body),
        ("PATCH", f"/calls/{done}", {"context": {"é": [1, None]}}),
        ("DELETE", f"/calls/{idle}", None),
        ("POST", "/calls/bulk-delete", {"ids": [done, idle]}),
        ("GET", "/calls?limit=0", None),
        ("HEAD", "/calls", None),
        ("GET", "/elsewhere", None),
    ]


def answers(client, requests):
    found = [client.request(method, path, json=body) for method, path, body in requests]
    return [(one.status_code, one.headers["content-type"], one.headers["content-length"], one.content) for one in found]


def test_twin_equals_the_server() -> None:
    """The transport without sockets answers byte for byte what the server answers."""
    api, twin = make(limit=9), make(limit=9)
    with over_http(api) as client:
        served = answers(client, script(api))
    assert served == answers(Asking(twin), script(twin))
    assert {one[0] for one in served} >= {200, 201, 404, 429}


def test_same_seed_same_bytes() -> None:
    """Two deployments of one seed answer the same bytes to the same requests, faults included."""
    one, two = (
        asking(error_rate=0.2, short_page_rate=0.3, tie_every=9, tie_size=5, tie_shuffle="request") for _ in "ab"
    )
    requests = [("GET", f"/calls?limit=20&offset={at}", None) for at in range(0, 300, 20)]
    first, second = answers(one[0], requests), answers(two[0], requests)
    assert first == second
    assert {status for status, *_ in first} & {500, 502, 503, 504}


def test_connections_can_be_cut() -> None:
    """connection_cut_rate: no answer at all, on the socket and in the twin; the request is counted."""
    api = make(connection_cut_rate=1.0)
    with over_http(api) as client, pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.get("/calls")
    client, twin = asking(connection_cut_rate=1.0)
    with pytest.raises(httpx.ReadError):
        client.get("/calls")
    assert api.log.requests == twin.log.requests == 1


def test_bodies_can_end_early() -> None:
    """truncated_body_rate: fewer bytes than content-length says."""
    with over_http(make(truncated_body_rate=1.0)) as client, pytest.raises(httpx.RemoteProtocolError):
        client.get("/calls")
    with pytest.raises(httpx.RemoteProtocolError):
        asking(truncated_body_rate=1.0)[0].get("/calls")


def test_server_closes_after_500() -> None:
    """close_after_500: the next request on that connection is reset, a fresh connection works."""
    api = make(close_after_500=True)
    api.poison(api.world.live_ids()[0])
    twin = make(close_after_500=True)
    twin.poison(twin.world.live_ids()[0])
    with over_http(api) as real:
        for client in (real, Asking(twin)):
            assert client.get("/calls?limit=1").status_code == 500
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                client.get("/calls?limit=1&offset=1")
            assert client.get("/calls?limit=1&offset=1").status_code == 200
    assert api.log.connections_reset == twin.log.connections_reset == 1


def test_bodies_can_be_compressed() -> None:
    """gzip: compressed where accepted, and the same content; gzip_bomb_bytes: small on the wire, large when unpacked."""
    plain = asking()[0].get("/calls").json()
    client, _ = asking(gzip=True)
    answer = client.get("/calls")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json() == plain
    assert "content-encoding" not in client.get("/calls", headers={"Accept-Encoding": "identity"}).headers
    answer = asking(gzip_bomb_bytes=50_000_000)[0].get("/calls")
    assert int(answer.headers["content-length"]) < 100_000
    assert len(answer.content) > 40_000_000


def test_one_at_a_time_makes_concurrency_useless() -> None:
    """one_at_a_time: four requests of 50 ms take 200 ms together; without it they take about 50 ms."""

    def seconds(serial):
        api = make(latency_seconds=0.05, one_at_a_time=serial)
        with running(api) as base_url:
            threads = [
                threading.Thread(target=httpx.get, args=(base_url + "/calls",), kwargs={"headers": AUTH})
                for _ in "abcd"
            ]
            began = time.monotonic()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return time.monotonic() - began, api.log.by_status[200]

    serial, parallel = seconds(serial=True), seconds(serial=False)
    assert serial[0] >= 0.2
    assert serial[1] == parallel[1] == 4


def test_twin_times_out_in_virtual_time() -> None:
    """A wait longer than the client's read timeout is a ReadTimeout, after that time."""
    client, _ = asking(latency_seconds=10.0)
    with pytest.raises(httpx.ReadTimeout):
        client.get("/calls", timeout=4)
    assert client.clock() - NOW == timedelta(seconds=4)


def test_taken_port_is_a_configuration_error() -> None:
    """A port in use is told as such, with advice."""
    with (
        over_http(make()) as client,
        pytest.raises(ConfigurationError, match="cannot listen"),
        running(make(), client.base_url.port),
    ):
        pass


def test_world_can_change_while_it_is_served() -> None:
    """A change made by the test is on the wire with the next request."""
    api = make()
    with over_http(api) as client:
        call = api.world.create(status="completed", summary="made by the test")
        assert client.get("/calls?limit=1").json()["data"][0]["summary"] == "made by the test"
        api.world.delete(call)
        assert client.get(f"/calls/{call}").status_code == 404


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_process_serves_and_stops_cleanly(ending) -> None:
    """python -m replicator.simulator prints one JSON line when ready, serves, and ends with 0 on SIGTERM or SIGINT."""
    command = [sys.executable, "-m", "replicator.simulator", "--calls", "50", "--seed", "4", "--key", "truedy_k"]
    command += ["--limit", "2", "--recordings", "self", "--churn", "1", "--preset", "contract", "--window", "3600"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        ready = json.loads(process.stdout.readline())
        headers = {"Authorization": f"Bearer {ready['key']}"}
        answers = [httpx.get(ready["base_url"] + "/calls", headers=headers) for _ in range(2)]
        process.send_signal(ending)
        assert process.wait(10) == 0
    assert ready["key"] == "truedy_k"
    assert answers[0].json()["pagination"]["total"] == 50
    assert answers[0].json()["data"] == answers[1].json()["data"]
    assert process.stdout.closed


def test_requests_can_be_scripted() -> None:
    """Api.script: the next requests fail with a status, get a whole answer, or the usual one; all are counted."""
    client, api = asking()
    api.script.extend([503, Response(200, b"not JSON"), None, 404])
    found = [client.get("/calls?limit=1") for _ in range(5)]
    assert [one.status_code for one in found] == [503, 200, 200, 404, 200]
    assert found[1].content == b"not JSON"
    assert api.log.requests == 5


def test_deletion_between_two_pages_hides_a_row_from_a_naive_pager() -> None:
    """Api.before changes the world between requests: a deletion shifts rows up, and one is never seen."""
    client, api = asking()
    ids = api.world.live_ids()

    def delete_first(request):
        if "offset=100" in request.query:
            api.world.delete(ids[0])

    api.before = delete_first
    seen = [row["id"] for offset in (0, 100, 200) for row in client.rows(limit=100, offset=offset)]
    assert set(api.world.live_ids()) - set(seen) == {ids[100]}
