"""Makes the links to recordings (signed or not) and their audio: small WAV, MP3 and OGG files that players can play. Pure.

In a real deployment the storage is another host. Here the same server answers `/storage/…` when told to (the switch
`recording_base_url`), or another one on a port of its own (server.storing), and notes whether a client sent it the API
key.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replicator.simulator.switches import Switches

_SECOND = 1_000_000


def signature(call_id: str, expires: str) -> str:
    """Return the signature of a link that ends at `expires` (Unix seconds)."""
    return hashlib.blake2b(f"{call_id}:{expires}".encode(), digest_size=16).hexdigest()


def recording_url(switches: Switches, call_id: str, at_us: int, serial: int) -> str:
    """Return the link to a call's audio as given out at `at_us`; signed ones differ by `serial` too."""
    url = f"{switches.recording_base_url}/storage/{call_id}.{kind_of(switches, call_id)}"
    if not switches.recording_signed_expiring:
        return url
    expires = str(at_us // _SECOND + int(switches.recording_expires_seconds))
    return f"{url}?X-Expires={expires}&X-Serial={serial}&X-Signature={signature(call_id, expires)}"


def kind_of(switches: Switches, call_id: str) -> str:
    """Return the kind of a call's audio: wav, mp3 or ogg. The same call always has the same."""
    kinds = switches.recording_kinds
    return kinds[hashlib.blake2b(f"kind {call_id}".encode(), digest_size=4).digest()[0] % len(kinds)]


def audio(call_id: str, seconds: float = 0.5, kind: str = "wav") -> bytes:
    """Return a file of this kind that is the same for the same call and differs between calls."""
    return {"wav": _wav, "mp3": _mp3, "ogg": _ogg}[kind](call_id, seconds)


def _wav(call_id: str, seconds: float) -> bytes:
    """Return 8 kHz, mono, 8 bit: a tone of the call's own."""
    count = int(8000 * seconds)
    tone = hashlib.blake2b(call_id.encode(), digest_size=32).digest()
    samples = (tone * (count // len(tone) + 1))[:count]
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + count, b"WAVE", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8, b"data", count
    )
    return head + samples


def _mp3(call_id: str, seconds: float) -> bytes:
    """Return frames of silence (MPEG 2 layer III, 32 kbit/s, 24 kHz, mono), with the call's id in a tag (ID3v2.3)."""
    text = b"\x00" + f"call {call_id}".encode("latin-1")
    frame = b"TIT2" + len(text).to_bytes(4, "big") + b"\x00\x00" + text
    size = len(frame)
    tag = b"ID3\x03\x00\x00" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + frame
    silence = b"\xff\xf3\x44\xc4" + bytes(_MP3_FRAME - 4)
    return tag + silence * max(2, int(seconds * 24000 / 576))


def _ogg(call_id: str, seconds: float) -> bytes:
    """Return silence as Opus packets of 20 ms in pages of Ogg (RFC 7845), with the call's id as a comment."""
    serial = int.from_bytes(hashlib.blake2b(call_id.encode(), digest_size=4).digest(), "little")
    vendor, comment = b"truedy simulator", f"CALL={call_id}".encode()
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, 48000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", len(vendor)) + vendor + struct.pack("<II", 1, len(comment)) + comment
    count = max(1, min(250, int(seconds * 50)))
    pages = [_page([head], 0, serial, 0, _FIRST), _page([tags], 0, serial, 1, 0)]
    return b"".join([*pages, _page([b"\xf8\xff\xfe"] * count, 960 * count, serial, 2, _LAST)])


def _page(packets: list[bytes], position: int, serial: int, number: int, flags: int) -> bytes:
    """Return one page of Ogg (RFC 3533). `position` is in samples of 48 kHz."""
    sizes = bytes(size for packet in packets for size in [255] * (len(packet) // 255) + [len(packet) % 255])
    head = b"OggS" + struct.pack("<BBqIIIB", 0, flags, position, serial, number, 0, len(sizes)) + sizes
    page = head + b"".join(packets)
    checksum = 0
    for byte in page:
        checksum = ((checksum << 8) & 0xFFFFFFFF) ^ _CRC[(checksum >> 24) ^ byte]
    return page[:22] + struct.pack("<I", checksum) + page[26:]


def _crc(value: int) -> int:
    value <<= 24
    for _ in range(8):
        value = ((value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


_CRC = [_crc(value) for value in range(256)]
_FIRST, _LAST = 2, 4
_MP3_FRAME = 96
"""Bytes of a frame: 72 * 32,000 / 24,000."""
MEDIA_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg"}
