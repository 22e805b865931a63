"""Downloads one recording into a part, and checks that it is whole and that it is audio.

Where the storage can (a strong ETag, ranges), a download goes on where an earlier one broke off; the storage itself says
by If-Range whether it still is the same file. In all other cases it begins again. Memory is flat, whatever the size.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from replicator.archive.recordings import connection, http_exchange, media
from replicator.archive.recordings.addresses import Allowed
from replicator.archive.recordings.bandwidth import Bandwidth
from replicator.archive.recordings.connection import Times
from replicator.archive.recordings.failures import FetchError
from replicator.archive.recordings.http_exchange import Wanted
from replicator.archive.recordings.queue_rules import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from replicator.archive.recordings.connection import Resolve
    from replicator.archive.recordings.http_exchange import Body
    from replicator.archive.recordings.parts import Part

MOST_BYTES = 5 * 1024**3


@dataclass(frozen=True, slots=True)
class Limits:
    """What a download may do."""

    allowed: Allowed = field(default_factory=Allowed)
    times: Times = field(default_factory=Times)
    most_bytes: int = MOST_BYTES
    resolve: Resolve = connection.resolved


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole recording, flushed to the disk in its part."""

    sha256: str
    bytes: int
    media_type: str


def fetch(
    url: str,
    part: Part,
    limits: Limits,
    bandwidth: Bandwidth | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Fetched:
    """Download what the link leads to. Raises FetchError; the part then has what can be gone on from.

    The storage's answer "this range does not fit" begins the download again, once.
    """
    until = time.monotonic() + limits.times.total
    part.restore(_origin(url))
    try:
        _receive(url, part, limits, bandwidth or Bandwidth(None), is_stopped, until)
    except FetchError as error:
        if error.reason in {Reason.NOT_AUDIO, Reason.TOO_LARGE, Reason.BAD_ANSWER}:
            part.discard_mark()
        else:
            part.checkpoint()
        raise
    found = _examined(part)
    part.finish()
    return found


def _receive(
    url: str, part: Part, limits: Limits, bandwidth: Bandwidth, is_stopped: Callable[[], bool], until: float
) -> None:
    wanted = Wanted(part.size, part.validator)
    try:
        with http_exchange.asked(url, wanted, limits.allowed, limits.times, until, limits.resolve) as body:
            _fill(part, body, limits, bandwidth, is_stopped)
    except FetchError as error:
        does_not_fit = wanted.size and part.size == wanted.size and error.reason in {Reason.CUT_OFF, Reason.BAD_ANSWER}
        if not does_not_fit:
            raise
        part.begin(part.origin)
        with http_exchange.asked(url, Wanted(), limits.allowed, limits.times, until, limits.resolve) as body:
            _fill(part, body, limits, bandwidth, is_stopped)


def _fill(part: Part, body: Body, limits: Limits, bandwidth: Bandwidth, is_stopped: Callable[[], bool]) -> None:
    if body.start == 0:
        part.begin(part.origin, body.validator if body.can_resume else None, body.total)
    elif (part.total is not None and body.total != part.total) or body.validator not in {None, part.validator}:
        raise FetchError(Reason.BAD_ANSWER)
    if body.total is not None and body.total > limits.most_bytes:
        raise FetchError(Reason.TOO_LARGE)
    is_looked_at = part.size > 0
    for block in body.blocks():
        part.write(block)
        if part.size > limits.most_bytes or (body.total is not None and part.size > body.total):
            raise FetchError(Reason.TOO_LARGE)
        if not is_looked_at and part.size >= media.HEAD_BYTES:
            _media_type(part)
            is_looked_at = True
        if is_stopped():
            raise FetchError(Reason.STOPPED)
        bandwidth.took(len(block), is_stopped)
    if not body.is_ended_by_itself and not media.says_its_length(part.head(media.HEAD_BYTES)) and part.size:
        _media_type(part)
        raise FetchError(Reason.LENGTH_UNKNOWN)


def _examined(part: Part) -> Fetched:
    """Return the facts of a whole file. Raises FetchError where it is none."""
    if not part.size:
        raise FetchError(Reason.EMPTY)
    found = _media_type(part)
    if media.is_cut_short(part.head(media.HEAD_BYTES), part.size):
        raise FetchError(Reason.CUT_OFF)
    return Fetched(part.sha256, part.size, found)


def _media_type(part: Part) -> str:
    head = part.head(media.HEAD_BYTES)
    found = None if media.is_document(head) else media.media_type(head)
    if found is None:
        raise FetchError(Reason.NOT_AUDIO)
    return found


def _origin(url: str) -> str:
    split = urlsplit(url)
    return hashlib.sha256(f"{split.scheme}://{split.netloc}{split.path}".encode(errors="surrogateescape")).hexdigest()


__all__ = ["MOST_BYTES", "Fetched", "Limits", "fetch"]
