"""Small files of sound, and files that only look like one."""

from __future__ import annotations

import struct


def wav(size: int = 4000, fill: bytes = b"\x80") -> bytes:
    """A WAV file with `size` bytes of samples."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8, b"data", size
    )
    return head + (fill * (size // len(fill) + 1))[:size]


def mp3(frames: int = 20) -> bytes:
    """Frames of MPEG 1 layer III, 128 kbit/s, 44.1 kHz, with nothing in them."""
    return (b"\xff\xfb\x90\x64" + bytes(413)) * frames


SOUNDS = {
    "audio/wav": wav(),
    "audio/mpeg": mp3(),
    "audio/ogg": b"OggS\x00\x02" + bytes(100),
    "audio/flac": b"fLaC\x00\x00\x00\x22" + bytes(100),
    "audio/mp4": b"\x00\x00\x00\x20ftypM4A " + bytes(100),
    "audio/webm": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm" + bytes(100),
    "audio/amr": b"#!AMR\n" + bytes(100),
}

NO_SOUNDS = {
    "html": b"<!DOCTYPE html><html><body>Access denied</body></html>" + b" " * 100,
    "late html": b"\xef\xbb\xbf\r\n  <html>",
    "xml": b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>',
    "json": b'{"error": {"code": "not_found"}}',
    "json list": b"[1, 2, 3]",
    "zip": b"PK\x03\x04" + bytes(100),
    "gzip": b"\x1f\x8b\x08" + bytes(100),
    "program": b"\x7fELF" + bytes(100),
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "riff picture": b"RIFF\x10\x00\x00\x00WEBP" + bytes(100),
    "text with a byte order mark": b"\xff\xfe" + "hello".encode("utf-16-le"),
    "one frame, then other bytes": b"\xff\xfb\x90\x64" + bytes(413) + b"xxxx" + bytes(500),
    "nothing": b"",
    "zeros": bytes(1000),
}
