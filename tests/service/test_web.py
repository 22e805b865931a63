"""The live page over HTTP: who is answered, with what headers, and what a stop does."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from replicator.errors import ConfigurationError, DatabaseUnavailable
from replicator.report.rows import Measure, Pulse
from replicator.service import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FINE = Pulse(is_lease_held=True, lag_seconds=12.34)
MEASURED = (Measure("lag_seconds", (), 12.34),)


def site(
    make: Callable[[int], str] = lambda days: f"page of {days}",
    pulse: Callable[[], Pulse] = lambda: FINE,
    measure: Callable[[], Sequence[Measure]] = lambda: MEASURED,
    **more: object,
) -> web.Site:
    names = web.names_of("127.0.0.1", ())
    return web.Site(make, pulse, measure, account="main", names=names, keep_seconds=30, fresh_seconds=300, **more)  # type: ignore[arg-type]


def fails(*_: object) -> Pulse:
    raise DatabaseUnavailable("the database at secret.host:5432/x cannot be reached: fe_sendauth")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"), ("LocalHost:8080", "localhost"), ("127.0.0.1:1", "127.0.0.1"), ("[::1]:80", "[::1]"),
        ("example.net.", "example.net"), ("example.net.:443", "example.net"), ("localhost:", "localhost"), ("my_host", "my_host"),
        ("localhost.evil.net", "localhost.evil.net"), ("evil.net:127.0.0.1", ""), ("localhost:evil.net", ""),
        ("localhost@evil.net", ""), ("evil.net@localhost", ""), ("[::1]evil.net", ""), ("[::1].evil.net", ""), ("[::1%lo]", ""),
        ("[::1%25lo]:80", ""), ("[::1", ""), ("::1", ""), (" localhost", ""), ("localhost\t", ""), ("localhost,evil.net", ""),
        ("localhost/evil.net", ""), ("localhost..", ""), ("localhost:1:2", ""), ("localhost:123456", ""), ("lócalhost", ""),
        ("localhost\n", ""), ("localhost#", ""), ("", ""), (".", ""), (":80", ""),
    ],
)  # fmt: skip
def test_the_name_in_a_host_header(header: str, name: str) -> None:
    """Port, case and final dot do not matter; what merely begins like a name of ours, or is read in two ways, is none."""
    assert web.host_of(header) == name


def test_names() -> None:
    """Loopback is always known, the configured address too, a wildcard is no name, and the operator adds others."""
    assert web.names_of("0.0.0.0", ("calls.example.net",)) == {*web.LOOPBACK, "calls.example.net"}  # noqa: S104
    assert web.names_of("::", ()) == set(web.LOOPBACK)
    assert "[fd00::1]" in web.names_of("FD00::1", ())
    assert "10.0.0.7" in web.names_of("10.0.0.7", ())


@pytest.mark.parametrize(
    "hosts",
    [[], ["evil.example"], ["localhost", "localhost"], ["127.0.0.1.nip.io"], ["localhost.evil"], ["2130706433"]],
)
@pytest.mark.parametrize("path", ["/", "/health", "/metrics", "/nowhere"])
def test_a_foreign_name_is_not_served(hosts: list[str], path: str) -> None:
    """A page of another origin whose name was made to resolve to us gets nothing, whatever it asks for."""
    answer = site(make=lambda _: pytest.fail("made a page")).answer("GET", path, "", hosts)
    assert answer.status == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"])
def test_read_only(method: str) -> None:
    """GET and HEAD, and nothing else."""
    answer = site().answer(method, "/", "", ["localhost"])
    assert (answer.status, answer.more) == (405, (("Allow", "GET, HEAD"),))


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/", "", 200), ("/", "days=90", 200), ("/", "days=30&x=1", 200), ("/", "days=31", 404), ("/", "days=", 404),
        ("/", "days=90&days=7", 404), ("/", "days=1e3", 404), ("/favicon.ico", "", 404), ("/../", "", 404), ("//", "", 404),
    ],
)  # fmt: skip
def test_what_is_there(path: str, query: str, status: int) -> None:
    """One page over a few periods; nobody can make the database work over another."""
    assert site().answer("GET", path, query, ["localhost"]).status == status


def test_a_page_is_made_once_while_it_is_young() -> None:
    """However many look, the database is asked once per period and refresh."""
    made: list[int] = []
    now = [0.0]

    def make(days: int) -> str:
        made.append(days)
        return str(days)

    one = site(make, clock=lambda: now[0])
    for query in ("", "days=30", "days=7", "days=7"):
        one.answer("GET", "/", query, ["localhost"])
    assert made == [30, 7]
    now[0] = 30.0
    one.answer("GET", "/", "", ["localhost"])
    assert made == [30, 7, 30]


def test_many_at_once_wait_for_one_page() -> None:
    """Requests at the same time share one page."""
    made: list[int] = []

    def make(days: int) -> str:
        made.append(days)
        time.sleep(0.1)
        return "x"

    one = site(make)
    threads = [threading.Thread(target=one.answer, args=("GET", "/", "", ["localhost"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [30]


def test_the_database_is_asked_for_its_health_once_a_second() -> None:
    """However many probes there are, they take one connection and no more; a second later the answer is new."""
    asked: list[float] = []
    now = [0.0]

    def pulse() -> Pulse:
        asked.append(now[0])
        return FINE

    one = site(pulse=pulse, clock=lambda: now[0])
    for now[0] in (0.0, 0.5, 0.9, 1.0, 1.5, 2.0):
        assert one.answer("GET", "/health", "", ["localhost"]).status == 200
    assert asked == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("pulse", "status", "database", "lease", "freshness"),
    [
        (lambda: FINE, 200, True, True, True),
        (lambda: Pulse(is_lease_held=False, lag_seconds=1), 503, True, False, True),
        (lambda: Pulse(is_lease_held=True, lag_seconds=301), 503, True, True, False),
        (lambda: Pulse(is_lease_held=True, lag_seconds=None), 503, True, True, False),
        (fails, 503, False, False, False),
    ],
)
def test_health(pulse: Callable[[], Pulse], status: int, database: bool, lease: bool, freshness: bool) -> None:
    """200 where all three are fine, else 503 and which is not; no name and no address in it."""
    answer = site(pulse=pulse).answer("GET", "/health", "", ["localhost"])
    facts = json.loads(answer.body)
    assert (answer.status, facts["database"], facts["lease"], facts["freshness"]) == (
        status,
        database,
        lease,
        freshness,
    )
    assert facts["is_fine"] == (status == 200)
    assert set(facts) == {
        "is_fine", "database", "lease", "freshness", "lag_seconds", "most_lag_seconds", "budgets_exceeded",
        "recordings_near_deadline",
    }  # fmt: skip
    assert b"secret" not in answer.body


def test_metrics_are_measured_every_five_seconds_however_many_ask() -> None:
    """The database is asked once for all who scrape; without it, one metric says so and nothing of why."""
    asked: list[float] = []
    now = [0.0]

    def measure() -> Sequence[Measure]:
        asked.append(now[0])
        return MEASURED

    one = site(measure=measure, clock=lambda: now[0])
    for now[0] in (0.0, 2.0, 4.9, 5.0, 9.0):
        answer = one.answer("GET", "/metrics", "", ["localhost"])
        assert (answer.status, answer.kind) == (200, "text/plain; version=0.0.4")
        assert b'replicator_lag_seconds{account="main"} 12.34' in answer.body
    assert asked == [0.0, 5.0]
    without = site(measure=fails).answer("GET", "/metrics", "", ["localhost"])  # type: ignore[arg-type]
    assert without.status == 200
    assert b'replicator_database_up{account="main"} 0.0' in without.body
    assert b"secret" not in without.body
    assert b"lag_seconds" not in without.body


def test_a_page_that_cannot_be_made_says_nothing_of_why(caplog: pytest.LogCaptureFixture) -> None:
    """503 without host, user or reason: those are in the service's log."""
    answer = site(make=fails).answer("GET", "/", "", ["localhost"])  # type: ignore[arg-type]
    assert (answer.status, b"secret" in answer.body) == (503, False)
    assert "cannot be reached" in caplog.text


@contextmanager
def running(one: web.Site, stop: threading.Event | None = None) -> Iterator[tuple[str, int]]:
    with web.serving(one, host="127.0.0.1", port=0, stop=stop or threading.Event()) as url:
        yield url, int(url.rsplit(":", 1)[1].rstrip("/"))


def ask(port: int, method: str = "GET", path: str = "/", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    response.body = response.read()  # type: ignore[attr-defined]
    connection.close()
    return response


def test_every_answer_has_the_headers() -> None:
    """Policy, no sniffing, no frame, no referrer, no opener, no store: on pages, refusals and errors alike."""
    with running(site()) as (_, port):
        for method, path, headers, status in (
            ("GET", "/", {}, 200), ("HEAD", "/", {}, 200), ("GET", "/health", {}, 200), ("GET", "/metrics", {}, 200), ("GET", "/x", {}, 404),
            ("POST", "/", {}, 405), ("GET", "/", {"Host": "evil.example"}, 421),
        ):  # fmt: skip
            answer = ask(port, method, path, **headers)
            assert answer.status == status
            policy = answer.headers["Content-Security-Policy"]
            for word in (
                "default-src 'none'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
                "form-action 'none'",
                "'sha256-",
            ):
                assert word in policy
            assert "unsafe" not in policy
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert answer.headers["Content-Type"].endswith("charset=utf-8")
            assert "server" not in answer.headers
        head = ask(port, "HEAD")
        assert (head.body, head.headers["Content-Length"]) == (b"", str(len("page of 30")))  # type: ignore[attr-defined]


def test_a_defect_shows_no_row(caplog: pytest.LogCaptureFixture) -> None:
    """A bug of ours is a 500 without its text, in the answer and in the log: the text may quote a row."""

    def make(_: int) -> str:
        raise ValueError("+12025550199 said so")

    with running(site(make)) as (_, port):
        answer = ask(port)
    assert (answer.status, b"2025550199" in answer.body) == (500, False)  # type: ignore[attr-defined]
    assert "2025550199" not in caplog.text
    assert "ValueError" in caplog.text


def hang_up(port: int) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        ask(port)


def test_a_stop_does_not_wait_for_a_page() -> None:
    """While a page takes a minute, and connections stay open, the server is gone within two seconds."""
    began, stop = threading.Event(), threading.Event()

    def make(_: int) -> str:
        began.set()
        time.sleep(60)
        return "late"

    with running(site(make), stop) as (_, port):
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        idle.request("GET", "/health")
        idle.getresponse().read()
        threading.Thread(target=hang_up, args=(port,), daemon=True).start()
        assert began.wait(5)
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "page")
        stop.set()
        begun = time.monotonic()
    assert time.monotonic() - begun < 2
    idle.close()


def test_a_taken_port_is_explained() -> None:
    """A port in use is a matter of configuration, said before anything else begins."""
    with running(site()) as (_, port):
        with pytest.raises(ConfigurationError, match="cannot listen"):
            with web.serving(site(), host="127.0.0.1", port=port, stop=threading.Event()):
                pass
