"""Opens connections of downloads: only to checked addresses, within a time limit for everything that is read.

A name is resolved once. Every address that it resolves to must be allowed; then the connection goes to one of exactly
these addresses, so a name that resolves to something else a moment later changes nothing. No proxy is used: it would
resolve the name itself.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from replicator.archive.recordings.addresses import HTTPS_PORT, Allowed, is_allowed, parsed
from replicator.archive.recordings.failures import FetchError
from replicator.archive.recordings.queue_rules import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_BYTES = 1024
"""A server that sends fewer bytes than this in the stall time counts as one that sends nothing."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long a download may take, in seconds."""

    connect: float = 15.0
    stall: float = 30.0
    """How long the storage may send (next to) nothing."""
    total: float = 3600.0
    """For one attempt; the next one goes on from there where the storage can."""


class Resolve(Protocol):
    """Returns the addresses of a name, as texts. Raises OSError where there are none."""

    def __call__(self, host: str, port: int) -> Sequence[str]: ...


def resolved(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name as the system's resolver gives them, each once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The value of the header Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (HTTPS_PORT if self.scheme == "https" else 80) else f"{name}:{self.port}"


class Connection:
    """One connection, as far as http.client's response needs a socket. All reading ends at a deadline."""

    def __init__(self, opened: socket.socket, times: Times, until: float) -> None:
        self._socket = opened
        self._times = times
        self._until = until

    def send(self, data: bytes) -> None:
        """Send a request. Raises FetchError."""
        self._socket.settimeout(max(0.01, min(self._times.stall, self._until - time.monotonic())))
        try:
            self._socket.sendall(data)
        except OSError:
            raise FetchError(Reason.UNREACHABLE) from None

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the stream that a response is read from."""
        return io.BufferedReader(_Stream(self._socket, self._times, self._until), 64 * 1024)

    def close(self) -> None:
        self._socket.close()


class _Stream(io.RawIOBase):
    """Reads a socket. Raises FetchError where the sender stalls, is too slow in all, or the connection breaks."""

    def __init__(self, opened: socket.socket, times: Times, until: float) -> None:
        self._socket = opened
        self._times = times
        self._until = until
        self._waited = 0.0
        self._received = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        begun = time.monotonic()
        left = self._until - begun
        if left <= 0:
            raise FetchError(Reason.TOO_SLOW)
        self._socket.settimeout(min(self._times.stall, left))
        try:
            count = self._socket.recv_into(buffer)
        except TimeoutError:
            raise FetchError(Reason.TOO_SLOW if left <= self._times.stall else Reason.STALLED) from None
        except ssl.SSLEOFError:
            return 0  # cut without a goodbye: the lengths tell whether something is missing
        except OSError:
            raise FetchError(Reason.CUT_OFF) from None
        self._waited += time.monotonic() - begun
        self._received += count
        if self._received >= LEAST_BYTES:
            self._waited, self._received = 0.0, 0
        elif count and self._waited >= self._times.stall:
            raise FetchError(Reason.STALLED)
        return count


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def check(target: Target, allowed: Allowed) -> None:
    """Raise FetchError where the scheme or the port is not allowed for this host."""
    address = parsed(target.host)
    is_named = allowed.has_name(target.host) or (address is not None and allowed.has_address(address))
    if target.scheme not in {"http", "https"}:
        raise FetchError(Reason.BAD_LINK)
    if not is_named and target.scheme != "https":
        raise FetchError(Reason.BAD_LINK)
    if not is_named and target.port != HTTPS_PORT:
        raise FetchError(Reason.FORBIDDEN_ADDRESS)


def opened(target: Target, allowed: Allowed, times: Times, until: float, resolve: Resolve = resolved) -> Connection:
    """Return a connection to the target. Raises FetchError where an address is not allowed, or none can be reached."""
    check(target, allowed)
    try:
        addresses = resolve(target.host, target.port)
    except (OSError, UnicodeError):
        raise FetchError(Reason.UNREACHABLE) from None
    if not all(is_allowed(target.host, address, allowed) for address in addresses):
        raise FetchError(Reason.FORBIDDEN_ADDRESS)
    for address in addresses:
        left = min(times.connect, until - time.monotonic())
        if left <= 0:
            break
        try:
            return Connection(_connected(target, address, left), times, until)
        except OSError:
            continue
    raise FetchError(Reason.UNREACHABLE)


def _connected(target: Target, address: str, seconds: float) -> socket.socket:
    """Return a socket that is connected to this address, with TLS for the target's name where it is https."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    plain = socket.socket(family, socket.SOCK_STREAM)
    try:
        plain.settimeout(seconds)
        plain.connect((address, target.port))
        if target.scheme == "https":
            return _tls().wrap_socket(plain, server_hostname=target.host)
    except BaseException:  # a Ctrl-C, too: the socket would stay open
        plain.close()
        raise
    return plain


__all__ = ["Connection", "Resolve", "Target", "Times", "check", "opened", "resolved"]
