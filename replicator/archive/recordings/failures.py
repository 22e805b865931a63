"""The error of a download: a reason code, and when the storage wants to be asked again. Pure.

It never holds a link, a header or a part of a body, so it may be logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

    from replicator.archive.recordings.queue_rules import Reason


class FetchError(Exception):
    """A download failed. `reason` says why; `retry_after` is what the storage asks for."""

    def __init__(self, reason: Reason, *, retry_after: timedelta | None = None) -> None:
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(reason.value)


__all__ = ["FetchError"]
