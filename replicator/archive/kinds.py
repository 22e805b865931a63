"""The kinds of records in the archive. Pure.

What each kind's content holds beside `kind` and `account` (canonical JSON, chain.py):

- call: `call_id`, `version`, `updated_at`, `observed_at`, `is_late`, `raw_sha256` (of the payload's text as stored in
  truedy.call_versions), `columns` (SHA-256 of the columns of truedy.calls; null where another version is the current
  one), `sealed_late` (true where the row was written before the archive was switched on).
- transcript: `call_id`, `fetched_at`, `raw_sha256` (of summary, payload and segments as stored), `columns` (of the
  columns of the segments), `sealed_late`.
- recording: `call_id`, `sha256`, `bytes`, `media_type`, `source_at`.
- tombstone: `call_id`, `state` (deleted or reappeared), `deleted_at`, `last_seen_at`, `first_missing_at`.
- gap: `since` (null: the beginning), `until`, `verified_at`, `reason`.
- erasure and disposal: `by`, `reason`, and `records`: the list of the sequences whose salt and bytes it takes away. A
  record without bytes that no such list names is a fault.
- hold, release, read, export, configuration, month_close: `by`, `reason`, and what they are about.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a record is about. The codes are stored and sealed, so they never change."""

    CALL = "call"
    TRANSCRIPT = "transcript"
    RECORDING = "recording"
    TOMBSTONE = "tombstone"
    GAP = "gap"
    ERASURE = "erasure"
    HOLD = "hold"
    RELEASE = "release"
    DISPOSAL = "disposal"
    READ = "read"
    EXPORT = "export"
    CONFIGURATION = "configuration"
    MONTH_CLOSE = "month_close"


__all__ = ["Kind"]
