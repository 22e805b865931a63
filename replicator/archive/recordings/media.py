"""Recognises audio by its first bytes, and tells what a body is that is no audio. Pure.

The type that the server states is not believed: storage answers with an HTML page or an XML error under any type. It is
only looked at to refuse what the server itself calls text.
"""

from __future__ import annotations

import struct

HEAD_BYTES = 4096
"""So many bytes of a file are enough to recognise it."""
LEAST_HEAD_BYTES = 12
"""With fewer, no type is recognised."""

_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/xhtml", "application/problem", "multipart/")
_TEXT_ENDINGS = ("+json", "+xml")
_BIT_RATES = {
    # Layer III in kbit/s by MPEG version (1, or 2 and 2.5); index 0 is "free", 15 is forbidden.
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_RIFF_HEAD = 8
_UNKNOWN_SIZES = {0, 0xFFFFFFFF}


def media_type(head: bytes) -> str | None:
    """Return the media type of a file that begins with `head` (up to HEAD_BYTES), or None where it is no audio."""
    if head[:4] in {b"RIFF", b"RF64"} and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[:4] == b"OggS" and head[4:5] == b"\0":
        return "audio/ogg"
    if head[:4] == b"fLaC":
        return "audio/flac"
    if head[4:8] == b"ftyp":
        return "audio/mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3" and b"webm" in head[:128]:
        return "audio/webm"
    if head[:6] in {b"#!AMR\n", b"#!AMR-"}:
        return "audio/amr"
    if (head[:3] == b"ID3" and len(head) > 10 and head[3] < 0xFF) or _is_mp3(head):  # noqa: PLR2004 - an ID3 header
        return "audio/mpeg"
    return None


def is_text_type(content_type: str) -> bool:
    """Say whether the server itself calls the body text, a form or a document."""
    essence = content_type.partition(";")[0].strip().lower()
    return essence.startswith(_TEXT_TYPES) or essence.endswith(_TEXT_ENDINGS)


def is_document(head: bytes) -> bool:
    """Say whether a body begins as HTML, XML or JSON does."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return start in {b"<", b"{", b"["}


def is_cut_short(head: bytes, size: int) -> bool:
    """Say whether a WAV file of `size` bytes is shorter than its own header says."""
    if head[:4] != b"RIFF" or len(head) < _RIFF_HEAD:
        return False
    (stated,) = struct.unpack_from("<I", head, 4)
    return stated not in _UNKNOWN_SIZES and size < stated + _RIFF_HEAD


def says_its_length(head: bytes) -> bool:
    """Say whether the file states its own length, so that a cut is noticed without the server's help."""
    return (
        head[:4] == b"RIFF" and len(head) >= _RIFF_HEAD and struct.unpack_from("<I", head, 4)[0] not in _UNKNOWN_SIZES
    )


def _is_mp3(head: bytes) -> bool:
    """Say whether a file begins with a frame of MPEG layer III, and another follows where it must."""
    length = _frame_bytes(head, 0)
    if length is None:
        return False
    return len(head) < length + 4 or _frame_bytes(head, length) is not None


def _frame_bytes(head: bytes, at: int) -> int | None:
    """Return how long the frame is that begins at this place, or None where none does."""
    if len(head) < at + 4 or head[at] != 0xFF or head[at + 1] & 0xE0 != 0xE0:  # noqa: PLR2004 - the sync bits
        return None
    version, layer = (head[at + 1] >> 3) & 3, (head[at + 1] >> 1) & 3
    rate_index, sample_index = head[at + 2] >> 4, (head[at + 2] >> 2) & 3
    if version == 1 or layer != 1 or rate_index in {0, 15} or sample_index == 3:  # noqa: PLR2004 - reserved values
        return None
    is_first = version == 3  # noqa: PLR2004 - MPEG 1
    rate = _BIT_RATES[1 if is_first else 2][rate_index] * 1000
    padding = (head[at + 2] >> 1) & 1
    return (144 if is_first else 72) * rate // _SAMPLE_RATES[version][sample_index] + padding


__all__ = [
    "HEAD_BYTES",
    "LEAST_HEAD_BYTES",
    "is_cut_short",
    "is_document",
    "is_text_type",
    "media_type",
    "says_its_length",
]
