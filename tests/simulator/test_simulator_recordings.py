"""The simulator's recordings are real files of three kinds, and its storage can be another origin, with faults."""

from __future__ import annotations

import struct
import urllib.error
import urllib.request

import pytest

from replicator.archive.recordings import media
from replicator.simulator.api import Api
from replicator.simulator.recordings import _CRC, MEDIA_TYPES, audio, kind_of
from replicator.simulator.server import running, storing
from replicator.simulator.switches import Switches
from replicator.simulator.world import World

CALLS = [f"00000000-0000-4000-8000-{index:012d}" for index in range(60)]


@pytest.mark.parametrize("kind", MEDIA_TYPES)
def test_audio_is_what_it_says_and_the_calls_own(kind: str) -> None:
    """Recognised by its bytes; the same for the same call, another for another one; longer for longer calls."""
    one, same, other = audio(CALLS[0], 0.5, kind), audio(CALLS[0], 0.5, kind), audio(CALLS[1], 0.5, kind)
    assert one == same != other
    assert media.media_type(one[: media.HEAD_BYTES]) == MEDIA_TYPES[kind]
    assert len(audio(CALLS[0], 3.0, kind)) > len(one)


def test_an_mp3_file_is_frames_to_its_end() -> None:
    """Behind its tag, each frame begins where the one before ends."""
    content = audio(CALLS[0], 2.0, "mp3")
    size = (content[6] << 21) | (content[7] << 14) | (content[8] << 7) | content[9]
    frames = content[10 + size :]
    assert len(frames) % 96 == 0
    assert {frames[at : at + 4] for at in range(0, len(frames), 96)} == {b"\xff\xf3\x44\xc4"}


def test_an_ogg_files_pages_have_their_checksums() -> None:
    """As RFC 3533 says, the first page begins the stream and the last one ends it."""
    content, at, flags = audio(CALLS[0], 2.0, "ogg"), 0, []
    while at < len(content):
        count = content[at + 26]
        size = 27 + count + sum(content[at + 27 : at + 27 + count])
        page = content[at : at + size]
        (stated,) = struct.unpack_from("<I", page, 22)
        checksum = 0
        for byte in page[:22] + b"\0\0\0\0" + page[26:]:
            checksum = ((checksum << 8) & 0xFFFFFFFF) ^ _CRC[(checksum >> 24) ^ byte]
        assert checksum == stated
        flags.append(page[5])
        at += size
    assert flags == [2, 0, 4]


def test_calls_have_all_kinds() -> None:
    """Each call one of the kinds of the switch."""
    assert {kind_of(Switches(), call) for call in CALLS} == {"wav", "mp3", "ogg"}
    assert {kind_of(Switches(recording_kinds=("wav",)), call) for call in CALLS} == {"wav"}


def test_the_storage_is_another_origin() -> None:
    """Its links lead there, it serves the files with ranges, and nothing of the API."""
    api = Api(World(1, 30, switches=Switches(recording_missing_share=0.0, limit=None)))
    with storing(api) as origin, running(api) as base_url:
        assert origin not in base_url
        assert api.switches.recording_base_url == origin
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{origin}/api/public/v1/calls")  # noqa: S310 - our own server
        refused.value.close()
        assert refused.value.code == 404
        calls = [
            row["id"] for row in (api.world.row_at(index) for index in range(30)) if api.world.has_recording(row["id"])
        ]
        link = f"{origin}/storage/{calls[0]}.{kind_of(api.switches, calls[0])}"
        with urllib.request.urlopen(link) as answer:  # noqa: S310
            assert answer.headers["etag"]
            assert media.media_type(answer.read()) == answer.headers["content-type"]
        api.switches = api.switches.but(storage_redirects=2)
        with urllib.request.urlopen(link) as answer:  # noqa: S310
            assert answer.url.partition("?")[0].endswith("/hop/2")
