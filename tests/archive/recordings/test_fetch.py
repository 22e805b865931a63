"""Downloads are whole audio, or nothing: over real sockets, from good and hostile storages."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import tracemalloc
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from replicator.archive.recordings import parts
from replicator.archive.recordings.addresses import parse_allowed
from replicator.archive.recordings.bandwidth import Bandwidth
from replicator.archive.recordings.connection import Times
from replicator.archive.recordings.failures import FetchError
from replicator.archive.recordings.fetch import Fetched, Limits, fetch
from replicator.archive.recordings.queue_rules import Reason
from tests.archive import fix_sound, fix_storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = parse_allowed(["127.0.0.1"])
QUICK = Limits(HERE, Times(connect=2, stall=0.4, total=2), most_bytes=4_000_000)
SOUND = fix_sound.wav(20_000)


@contextmanager
def part_in(folder: Path, number: uuid.UUID) -> Iterator[parts.Part]:
    with parts.opened(folder / "unfinished", number) as part:
        yield part


def got(
    folder: Path, url: str, limits: Limits = QUICK, number: uuid.UUID | None = None, **more: object
) -> Fetched | Reason:
    """Download; return what was found, or why not."""
    with part_in(folder, number or uuid.uuid4()) as part:
        try:
            found = fetch(url, part, limits, **more)
        except FetchError as error:
            return error.reason
        assert hashlib.sha256(part.path.read_bytes()).hexdigest() == found.sha256
        return found


@pytest.mark.parametrize("kind", fix_sound.SOUNDS)
def test_audio_arrives_as_it_is(tmp_path: Path, kind: str) -> None:
    """Each kind, byte for byte, with its hash, its size and the type that its bytes say."""
    sound = fix_sound.SOUNDS[kind]
    with fix_storage.serving(fix_storage.file_server(sound)) as storage:
        assert got(tmp_path, storage.url) == Fetched(hashlib.sha256(sound).hexdigest(), len(sound), kind)


@pytest.mark.parametrize("kind", fix_sound.NO_SOUNDS)
@pytest.mark.parametrize("stated", ["audio/wav", "-"])
def test_what_is_no_audio_is_refused(tmp_path: Path, kind: str, stated: str) -> None:
    """Whatever type the server states."""
    body = fix_sound.NO_SOUNDS[kind]
    with fix_storage.serving(fix_storage.constant(fix_storage.answer(body, content_type=stated))) as storage:
        assert got(tmp_path, storage.url) is (Reason.EMPTY if not body else Reason.NOT_AUDIO)


ANSWERS = {
    "text type": (fix_storage.answer(SOUND, content_type="text/html"), Reason.NOT_AUDIO),
    "401": (fix_storage.answer(b"", "401 Unauthorized"), Reason.LINK_REFUSED),
    "403": (fix_storage.answer(b"<Error/>", "403 Forbidden"), Reason.LINK_REFUSED),
    "404": (fix_storage.answer(b"", "404 Not Found"), Reason.LINK_REFUSED),
    "410": (fix_storage.answer(b"", "410 Gone"), Reason.LINK_REFUSED),
    "429": (fix_storage.answer(b"", "429 Slow Down"), Reason.STORAGE_BUSY),
    "503": (fix_storage.answer(b"", "503 Slow Down"), Reason.STORAGE_BUSY),
    "204": (fix_storage.answer(b"", "204 No Content"), Reason.BAD_ANSWER),
    "418": (fix_storage.answer(b"", "418 Teapot"), Reason.BAD_ANSWER),
    "206 that was not asked for": (
        fix_storage.answer(SOUND[5:], "206 Partial Content", content_range=f"bytes 5-{len(SOUND) - 1}/{len(SOUND)}"),
        Reason.BAD_ANSWER,
    ),
    "gzip": (fix_storage.answer(SOUND, content_encoding="gzip"), Reason.ENCODED),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n" * 10, Reason.BAD_ANSWER),
    "nothing": (b"", Reason.BAD_ANSWER),
    "two lengths": (
        fix_storage.answer(SOUND).replace(b"\r\n\r\n", b"\r\ncontent-length: 3\r\n\r\n", 1),
        Reason.BAD_ANSWER,
    ),
    "a length that is none": (fix_storage.answer(SOUND, content_length="-5"), Reason.BAD_ANSWER),
    "stated as too large": (fix_storage.answer(SOUND, content_length="99999999999"), Reason.TOO_LARGE),
    "shorter than stated": (fix_storage.answer(SOUND, content_length=str(len(SOUND) + 1)), Reason.CUT_OFF),
    "without a length": (fix_storage.answer(fix_sound.mp3(), content_length="-"), Reason.LENGTH_UNKNOWN),
    "a WAV file without a length, cut": (fix_storage.answer(SOUND[:-1], content_length="-"), Reason.CUT_OFF),
    "chunks without an end": (
        fix_storage.answer(b"64\r\n" + fix_sound.mp3()[:100] + b"\r\n", content_length="-", transfer_encoding="chunked"),
        Reason.CUT_OFF,
    ),
    "a hundred thousand headers": (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000 + b"\r\n", Reason.BAD_ANSWER),
    "a header without end": (b"HTTP/1.1 200 OK\r\na: " + b"b" * 1_000_000, Reason.BAD_ANSWER),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_is_no_whole_file_is_refused(tmp_path: Path, case: str) -> None:
    """Each with its reason, and nothing is kept as a recording."""
    content, reason = ANSWERS[case]
    with fix_storage.serving(fix_storage.constant(content)) as storage:
        assert got(tmp_path, storage.url) is reason
    assert list(tmp_path.rglob("*.json")) == []


def test_a_wav_file_needs_no_length(tmp_path: Path) -> None:
    """It states its own, so a cut would be seen. Chunks end with a mark."""
    chunked = b"".join(
        b"%x\r\n%b\r\n" % (len(SOUND[at : at + 999]), SOUND[at : at + 999]) for at in range(0, len(SOUND), 999)
    )
    for whole in (
        fix_storage.answer(SOUND, content_length="-"),
        fix_storage.answer(chunked + b"0\r\n\r\n", content_length="-", transfer_encoding="chunked"),
    ):  # fmt: skip
        with fix_storage.serving(fix_storage.constant(whole)) as storage:
            assert isinstance(got(tmp_path, storage.url), Fetched)


HEAD = fix_storage.answer(SOUND[:8000], content_length="-")
ENDLESS = {
    "a body without end": (HEAD, bytes(65536), 0.0, Reason.TOO_LARGE),
    "chunks without end": (
        fix_storage.answer(b"", content_length="-", transfer_encoding="chunked") + b"1f40\r\n" + SOUND[:8000] + b"\r\n",
        b"10000\r\n" + bytes(65536) + b"\r\n", 0.0, Reason.TOO_LARGE,
    ),
    "a byte now and then": (HEAD, b"\0", 0.05, Reason.STALLED),
    "enough not to stall, for ever": (HEAD, bytes(5000), 0.1, Reason.TOO_SLOW),
    "a head, a byte now and then": (b"HTTP/1.1 200 OK\r\na: ", b"b", 0.05, Reason.STALLED),
    "continue, for ever": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.0, Reason.TOO_SLOW),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDLESS)
def test_a_storage_without_end_is_left(tmp_path: Path, case: str) -> None:
    """At the byte cap, when next to nothing comes, or when the attempt's time is over."""
    head, block, pause, reason = ENDLESS[case]
    begun = time.monotonic()
    with fix_storage.serving(fix_storage.endless(head, block, pause)) as storage:
        assert got(tmp_path, storage.url) is reason
    assert time.monotonic() - begun < QUICK.times.total + 1


def test_a_storage_that_says_nothing_is_left(tmp_path: Path) -> None:
    """After the stall time."""
    with fix_storage.serving(lambda _, __: time.sleep(3)) as storage:
        assert got(tmp_path, storage.url) is Reason.STALLED


def test_what_broke_off_goes_on_where_it_was(tmp_path: Path) -> None:
    """At every tenth: the second request asks for the rest only, and the file is the same as in one piece."""
    for tenth in range(1, 10):
        number, at = uuid.uuid4(), len(SOUND) * tenth // 10
        with fix_storage.serving(fix_storage.file_server(SOUND, breaks_after=at)) as storage:
            assert got(tmp_path, storage.url, number=number) is Reason.CUT_OFF
            found = got(tmp_path, storage.url, number=number)
            assert isinstance(found, Fetched)
            assert found.sha256 == hashlib.sha256(SOUND).hexdigest()
            assert f"Range: bytes={at}-".encode() in storage.requests[1]
            assert b'If-Range: "v1"' in storage.requests[1]


def test_without_a_strong_etag_it_begins_again(tmp_path: Path) -> None:
    """A weak one, or none: nothing says that the rest belongs to the same file."""
    for tag in (None, 'W/"v1"'):
        number = uuid.uuid4()
        with fix_storage.serving(fix_storage.file_server(SOUND, tag=tag, breaks_after=9000)) as storage:
            assert got(tmp_path, storage.url, number=number) is Reason.CUT_OFF
            assert isinstance(got(tmp_path, storage.url, number=number), Fetched)
            assert b"Range" not in storage.requests[1]


def test_a_file_that_changed_meanwhile_is_fetched_anew(tmp_path: Path) -> None:
    """The halves of two files never become one."""
    number, other = uuid.uuid4(), fix_sound.wav(20_000, b"\x33")
    with fix_storage.serving(fix_storage.file_server(SOUND, breaks_after=9000)) as storage:
        assert got(tmp_path, f"{storage.url}/a", number=number) is Reason.CUT_OFF
        storage.answer = fix_storage.file_server(other, tag='"v2"')
        found = got(tmp_path, f"{storage.url}/a", number=number)
        assert isinstance(found, Fetched)
        assert found.sha256 == hashlib.sha256(other).hexdigest()


def test_bytes_of_another_link_are_not_gone_on_from(tmp_path: Path) -> None:
    """A link with another path may be another file; the same path with another signature is the same."""
    number = uuid.uuid4()
    with fix_storage.serving(fix_storage.file_server(SOUND, breaks_after=9000)) as storage:
        assert got(tmp_path, f"{storage.url}/a?sig=1", number=number) is Reason.CUT_OFF
        assert isinstance(got(tmp_path, f"{storage.url}/b?sig=1", number=number), Fetched)
        assert b"Range" not in storage.requests[1]
        storage.answer = fix_storage.file_server(SOUND, breaks_after=9000)
        number = uuid.uuid4()
        assert got(tmp_path, f"{storage.url}/a?sig=1", number=number) is Reason.CUT_OFF
        assert isinstance(got(tmp_path, f"{storage.url}/a?sig=2", number=number), Fetched)
        assert b"Range: bytes=9000-" in storage.requests[3]


def test_bytes_that_the_disk_has_lost_are_not_believed(tmp_path: Path) -> None:
    """After a power failure a part may hold zeros: its checkpoint has a hash, and then it begins again."""
    number = uuid.uuid4()
    with fix_storage.serving(fix_storage.file_server(SOUND, breaks_after=9000)) as storage:
        assert got(tmp_path, storage.url, number=number) is Reason.CUT_OFF
        path = tmp_path / "unfinished" / f"{number}.part"
        path.write_bytes(bytes(9000))
        found = got(tmp_path, storage.url, number=number)
        assert isinstance(found, Fetched)
        assert found.sha256 == hashlib.sha256(SOUND).hexdigest()


def test_a_range_that_does_not_fit_begins_again(tmp_path: Path) -> None:
    """416, and a 206 for other bytes: one more request, for the whole file."""
    for odd in (
        fix_storage.answer(b"", "416 Range Not Satisfiable"),
        fix_storage.answer(
            SOUND[100:], "206 Partial Content", content_range=f"bytes 100-{len(SOUND) - 1}/{len(SOUND)}"
        ),
    ):
        number = uuid.uuid4()
        with fix_storage.serving(fix_storage.file_server(SOUND, breaks_after=9000)) as storage:
            assert got(tmp_path, storage.url, number=number) is Reason.CUT_OFF
            good = fix_storage.file_server(SOUND)
            storage.answer = lambda head, to, good=good, odd=odd: (
                to.sendall(odd) if b"Range" in head else good(head, to)
            )
            assert isinstance(got(tmp_path, storage.url, number=number), Fetched)


def test_memory_is_flat(tmp_path: Path) -> None:
    """200 MB are received in less than 2 MB."""
    size = 200_000_000
    sound = fix_sound.wav(0)[:4] + (size + 36).to_bytes(4, "little") + fix_sound.wav(0)[8:]

    def serve(_: bytes, connection: object) -> None:
        connection.sendall(fix_storage.answer(sound, content_length=str(size + 44), etag='"x"'))
        for _ in range(size // 1_000_000):
            connection.sendall(block)

    block = bytes(1_000_000)
    with fix_storage.serving(serve) as storage:
        tracemalloc.start()
        try:
            found = got_without_reading(tmp_path, storage.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found.bytes == size + 44
    assert peak < 2_000_000


def got_without_reading(folder: Path, url: str) -> Fetched:
    limits = Limits(HERE, Times(stall=5, total=120))
    with part_in(folder, uuid.uuid4()) as part:
        return fetch(url, part, limits)


def test_a_stop_keeps_what_is_here(tmp_path: Path) -> None:
    """The next attempt goes on from there."""
    number, stop = uuid.uuid4(), threading.Event()
    with fix_storage.serving(fix_storage.file_server(fix_sound.wav(3_000_000))) as storage:
        stop.set()
        assert got(tmp_path, storage.url, number=number, is_stopped=stop.is_set) is Reason.STOPPED
        stop.clear()
        assert isinstance(got(tmp_path, storage.url, number=number, is_stopped=stop.is_set), Fetched)
        assert b"Range: bytes=" in storage.requests[1]


def test_two_processes_do_not_fill_one_part(tmp_path: Path) -> None:
    """The second is told that it is busy."""
    number = uuid.uuid4()
    with part_in(tmp_path, number), pytest.raises(parts.PartBusy), part_in(tmp_path, number):
        pass


def test_the_limit_of_the_bandwidth_holds(tmp_path: Path) -> None:
    """1 MB at 2 MB/s takes half a second, shared by all downloads."""
    with fix_storage.serving(fix_storage.file_server(fix_sound.wav(1_000_000))) as storage:
        begun = time.monotonic()
        assert isinstance(got(tmp_path, storage.url, bandwidth=Bandwidth(2_000_000)), Fetched)
        assert 0.2 < time.monotonic() - begun < 2


def test_no_link_is_logged_or_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not in an error, not at DEBUG, and not in the files of an unfinished download."""
    caplog.set_level(logging.DEBUG)
    with fix_storage.serving(fix_storage.file_server(SOUND, breaks_after=9000)) as storage:
        with part_in(tmp_path, uuid.uuid4()) as part:
            with pytest.raises(FetchError) as caught:
                fetch(f"{storage.url}/a?X-Signature=canary", part, QUICK)
    assert "canary" not in str(caught.value) + repr(caught.value) + caplog.text
    assert not any(b"canary" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
