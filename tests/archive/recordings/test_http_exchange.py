"""Where a download goes: checked at the moment of connecting, at each redirect again, and never with the key."""

from __future__ import annotations

import socket
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from replicator.archive.recordings import connection, http_exchange, parts
from replicator.archive.recordings.addresses import Allowed, parse_allowed
from replicator.archive.recordings.connection import Target, Times
from replicator.archive.recordings.failures import FetchError
from replicator.archive.recordings.fetch import Fetched, Limits, fetch
from replicator.archive.recordings.http_exchange import parts_of
from replicator.archive.recordings.queue_rules import Reason
from tests.archive import fix_sound, fix_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HERE = parse_allowed(["127.0.0.1"])
SOUND = fix_sound.wav()
TIMES = Times(connect=1, stall=1, total=3)


def got(
    folder: Path, url: str, allowed: Allowed = HERE, resolve: Callable[[str, int], Sequence[str]] | None = None
) -> Fetched | Reason:
    limits = Limits(allowed, TIMES) if resolve is None else Limits(allowed, TIMES, resolve=resolve)
    with parts.opened(folder, uuid.uuid4()) as part:
        try:
            return fetch(url, part, limits)
        except FetchError as error:
            return error.reason


def redirect(location: str, status: str = "302 Found") -> bytes:
    return fix_storage.answer(b"", status, location=location)


@pytest.mark.parametrize(
    "url",
    ["", "x", "//host/a", "file:///etc/passwd", "ftp://example.com/a", "gopher://example.com/", "https://", "https:///a",
     "https://user:secret@example.com/a", "https://user@example.com/", "https://exa mple.com/", "https://example.com:99999/",
     "https://example.com:x/", "https://[::1/", "https://ex\u00e4mple.com/", "https://example.com/" + "a" * 20_000,
     "https://a\\@b.com/", "data:audio/wav;base64,AAAA", "https://%31%32%37.0.0.1/"],
)  # fmt: skip
def test_what_is_no_plain_link_is_refused(url: str) -> None:
    """No other scheme, no user name, no host that two programs could read differently."""
    with pytest.raises(FetchError) as caught:
        parts_of(url)
    assert caught.value.reason is Reason.BAD_LINK


def test_a_link_is_read_as_it_is_sent() -> None:
    """Signatures survive as they are; line ends cannot get into the request."""
    assert parts_of("https://H.example.com/a%20b/ä?X-Sig=a%2Fb+c==&x=1") == (
        Target("https", "h.example.com", 443), "/a%20b/%C3%A4?X-Sig=a%2Fb+c==&x=1",
    )  # fmt: skip
    _, path = parts_of("https://h/a\r\nX-Injected: 1")
    assert "\r" not in path
    assert "\n" not in path
    assert Target("https", "::1", 443).authority == "[::1]"
    assert Target("http", "h", 8080).authority == "h:8080"


@pytest.mark.parametrize(
    "spelling",
    ["127.0.0.1", "2130706433", "0x7f000001", "127.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"],
)
def test_this_machine_is_not_reached_under_any_spelling(tmp_path: Path, spelling: str) -> None:
    """Unless it is named: no byte is sent."""
    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        for scheme in ("http", "https"):
            reason = got(tmp_path, f"{scheme}://{spelling}:{storage.port}/", Allowed())
            assert reason in {Reason.FORBIDDEN_ADDRESS, Reason.BAD_LINK}
        assert storage.requests == []


def test_a_name_that_resolves_inside_is_not_reached(tmp_path: Path) -> None:
    """Also if only one of its addresses is inside, wherever it stands."""
    for addresses in (["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:169.254.169.254", "93.184.216.34"], [
        "fd00:ec2::254"]):  # fmt: skip
        assert (
            got(tmp_path, "https://storage.example.com/a", Allowed(), lambda *_, a=addresses: a)
            is Reason.FORBIDDEN_ADDRESS
        )


def test_the_connection_goes_to_the_checked_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves to a public address first and to this machine a moment later: it is asked for once, and the
    socket connects to what was checked.
    """
    answers = iter([["93.184.216.34"], ["127.0.0.1"], ["127.0.0.1"]])
    asked, reached = [], []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    def connect(_: socket.socket, address: object) -> None:
        reached.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    assert got(tmp_path, "https://rebinding.example.com/a", Allowed(), resolve) is Reason.UNREACHABLE
    assert asked == ["rebinding.example.com"]
    assert reached == [("93.184.216.34", 443)]


def test_only_named_hosts_may_have_another_port_or_no_tls() -> None:
    """http, and ports other than 443, are for what REPLICATOR_ARCHIVE_ALLOW_HOSTS names."""
    for url, reason in (
        ("http://storage.example.com/a", Reason.BAD_LINK),
        ("https://storage.example.com:22/a", Reason.FORBIDDEN_ADDRESS),
        ("https://storage.example.com:8443/a", Reason.FORBIDDEN_ADDRESS),
    ):
        with pytest.raises(FetchError) as caught:
            connection.check(parts_of(url)[0], Allowed())
        assert caught.value.reason is reason
        connection.check(parts_of(url)[0], parse_allowed(["storage.example.com"]))


@pytest.mark.parametrize("hops", [1, 5, 6])
def test_redirects_are_followed_five_times(tmp_path: Path, hops: int) -> None:
    """Relative ones, too; a sixth is one too many."""

    def serve(head: bytes, connection: socket.socket) -> None:
        at = int(head.split()[1].rpartition(b"/")[2])
        connection.sendall(redirect(f"/hop/{at + 1}") if at < hops else fix_storage.answer(SOUND))

    with fix_storage.serving(serve) as storage:
        found = got(tmp_path, f"{storage.url}/hop/0")
    assert isinstance(found, Fetched) if hops <= 5 else found is Reason.TOO_MANY_REDIRECTS


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", {Reason.BAD_LINK, Reason.FORBIDDEN_ADDRESS}),
        ("https://169.254.169.254/", {Reason.FORBIDDEN_ADDRESS}),
        ("https://[::ffff:10.0.0.1]/", {Reason.FORBIDDEN_ADDRESS}),
        ("https://10.0.0.1/", {Reason.FORBIDDEN_ADDRESS}),
        ("file:///etc/passwd", {Reason.BAD_LINK}),
        ("https://user:pw@example.com/", {Reason.BAD_LINK}),
        ("", {Reason.BAD_ANSWER}),
        ("/again", {Reason.TOO_MANY_REDIRECTS}),
        ("//[", {Reason.BAD_LINK}),
    ],
)
def test_a_redirect_is_checked_like_the_first_link(tmp_path: Path, location: str, reason: set[Reason]) -> None:
    """To the metadata service, into the network, to a file, to itself."""
    with fix_storage.serving(fix_storage.constant(redirect(location))) as storage:
        assert got(tmp_path, storage.url) in reason


def test_nothing_is_sent_but_what_is_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no cookie, no referrer, and no proxy of the environment, to the first host and to the one redirected to."""
    monkeypatch.setenv("TRUEDY_API_KEY", "canary-key")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with fix_storage.serving(fix_storage.file_server(SOUND)) as second:
        first_answer = fix_storage.answer(b"", "302 Found", location=f"{second.url}/b", set_cookie="a=canary-cookie")
        with fix_storage.serving(fix_storage.constant(first_answer)) as first:
            assert isinstance(got(tmp_path, f"{first.url}/a?signature=canary-signature"), Fetched)
    sent = first.requests + second.requests
    assert len(sent) == 2
    for request in sent:
        names = {line.partition(b":")[0].lower() for line in request.split(b"\r\n")[1:] if line}
        assert names == {b"host", b"user-agent", b"accept", b"accept-encoding", b"connection"}
    assert b"canary" not in second.requests[0]


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    """A storage that speaks no TLS, or has no certificate that is trusted, is not read."""
    with fix_storage.serving(fix_storage.file_server(SOUND)) as storage:
        assert got(tmp_path, f"https://127.0.0.1:{storage.port}/") is Reason.UNREACHABLE


def test_a_wish_to_come_later_is_read() -> None:
    """Retry-After in seconds, at most a day; a date is left aside."""
    found = {}
    for said in ("120", "999999999", "Wed, 21 Oct 2026 07:28:00 GMT", "-1"):
        busy = fix_storage.answer(b"", "503 Busy", retry_after=said)
        with fix_storage.serving(fix_storage.constant(busy)) as storage:
            with pytest.raises(FetchError) as caught:
                with http_exchange.asked(storage.url, http_exchange.Wanted(), HERE, TIMES, time.monotonic() + 3):
                    pass
        wish = caught.value.retry_after
        found[said] = None if wish is None else wish.total_seconds()
    assert list(found.values()) == [120, 86400, None, None]
