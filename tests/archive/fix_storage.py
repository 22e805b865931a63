"""Storages on real sockets: a good one, and hostile ones, each in a thread per connection."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Storage:
    """A server that answers each connection with `answer(request's head, the connection)`; it keeps what it was sent."""

    answer: Callable[[bytes, socket.socket], None]
    port: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(answer: Callable[[bytes, socket.socket], None], host: str = "127.0.0.1") -> Iterator[Storage]:
    """Serve on a free port until the block ends."""
    listener = socket.create_server((host, 0))
    storage = Storage(answer, listener.getsockname()[1])
    open_ones: list[socket.socket] = []

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                head = b""
                while b"\r\n\r\n" not in head and (block := connection.recv(65536)):
                    head += block
                if not head:
                    return  # the client went away before it asked
                storage.requests.append(head)
                storage.answer(head, connection)
            except OSError:
                return  # the client went away, as it should from a hostile server

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_ones.append(connection)
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield storage
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_ones:
            connection.close()
        thread.join(2)


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A complete answer; `content_length` and others replace what would be said."""
    said = {"content-type": "audio/wav", "content-length": str(len(body))}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items() if value != "-")
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def file_server(
    content: bytes, *, tag: str | None = '"v1"', breaks_after: int | None = None
) -> Callable[[bytes, socket.socket], None]:
    """Serve a file with ranges, as storages do. The first answer breaks off after so many bytes, if told."""
    state = {"is_first": True}

    def serve(head: bytes, connection: socket.socket) -> None:
        tagged = {"etag": tag} if tag else {}
        wanted, condition = (
            re.search(rb"\r\nRange: bytes=(\d+)-\r\n", head),
            re.search(rb"\r\nIf-Range: (.*?)\r\n", head),
        )
        if wanted and tag and condition and condition[1].decode() == tag:
            start = int(wanted[1])
            said = f"bytes {start}-{len(content) - 1}/{len(content)}"
            whole = answer(content[start:], "206 Partial Content", content_range=said, **tagged)
        else:
            whole = answer(content, accept_ranges="bytes", **tagged)
        if breaks_after is not None and state["is_first"]:
            state["is_first"] = False
            connection.sendall(whole[: whole.index(b"\r\n\r\n") + 4 + breaks_after])
            return
        connection.sendall(whole)

    return serve


def constant(content: bytes) -> Callable[[bytes, socket.socket], None]:
    """Always answer with these bytes."""
    return lambda _, connection: connection.sendall(content)


def endless(head: bytes, block: bytes, pause: float = 0.0) -> Callable[[bytes, socket.socket], None]:
    """Send a head, and then the same block until the client goes away."""

    def serve(_: bytes, connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(block)
            if pause:
                time.sleep(pause)

    return serve
