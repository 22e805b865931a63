"""Audio is recognised by its bytes, and nothing else is taken for audio."""

from __future__ import annotations

import random

import pytest

from replicator.archive.recordings import media
from tests.archive import fix_sound

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("expected", fix_sound.SOUNDS)
def test_each_kind_of_audio_is_recognised(expected: str) -> None:
    """Seven kinds by their first bytes, an MP3 file with a tag in front too."""
    assert media.media_type(fix_sound.SOUNDS[expected][: media.HEAD_BYTES]) == expected
    assert not media.is_document(fix_sound.SOUNDS[expected])
    assert media.media_type(b"ID3\x04\x00\x00\x00\x00\x00\x00" + fix_sound.mp3()) == "audio/mpeg"


@pytest.mark.parametrize("kind", fix_sound.NO_SOUNDS)
def test_nothing_else_is_audio(kind: str) -> None:
    """Pages, documents, archives, programs and pictures are not."""
    assert media.media_type(fix_sound.NO_SOUNDS[kind]) is None


def test_chance_is_rarely_audio() -> None:
    """Of 20,000 random bodies, none is taken for audio: an MP3 file needs a second frame where the first one ends."""
    chance = random.Random(7)
    assert [body for _ in range(20_000) if media.media_type(body := b"\xff" + chance.randbytes(2000))] == []


def test_a_wav_file_tells_that_it_is_cut() -> None:
    """Its header states its size; a streamed one states none."""
    whole = fix_sound.wav()
    assert not media.is_cut_short(whole, len(whole))
    assert media.is_cut_short(whole, len(whole) - 1)
    streamed = b"RIFF\xff\xff\xff\xff" + whole[8:]
    assert not media.is_cut_short(streamed, 100)
    assert media.says_its_length(whole)
    assert not media.says_its_length(streamed)


@pytest.mark.parametrize(
    "stated", ["text/html; charset=utf-8", "application/json", "TEXT/plain", "application/soap+xml"]
)
def test_what_the_server_calls_text_is_text(stated: str) -> None:
    """Whatever the bytes are."""
    assert media.is_text_type(stated)


@pytest.mark.parametrize("stated", ["audio/wav", "", "application/octet-stream", "binary/octet-stream", "video/mp4"])
def test_other_types_are_left_to_the_bytes(stated: str) -> None:
    """Storages often state none, or a general one."""
    assert not media.is_text_type(stated)
