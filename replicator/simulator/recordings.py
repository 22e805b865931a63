"""Makes the links to recordings (signed or not) and their audio, small WAV files. Pure.

In a real deployment the storage is another host. Here the same server answers `/storage/…` when told to (the switch
`recording_base_url`), and notes whether a client sent it the API key.
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
    url = f"{switches.recording_base_url}/storage/{call_id}.wav"
    if not switches.recording_signed_expiring:
        return url
    expires = str(at_us // _SECOND + int(switches.recording_expires_seconds))
    return f"{url}?X-Expires={expires}&X-Serial={serial}&X-Signature={signature(call_id, expires)}"


def audio(call_id: str, seconds: float = 0.5) -> bytes:
    """Return a WAV file (8 kHz, mono, 8 bit) that is the same for the same call and differs between calls."""
    count = int(8000 * seconds)
    tone = hashlib.blake2b(call_id.encode(), digest_size=32).digest()
    samples = (tone * (count // len(tone) + 1))[:count]
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + count, b"WAVE", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8, b"data", count
    )
    return head + samples
