"""The kinds of records in the archive. Pure.

What each kind's content holds beside `kind` and `account` (canonical JSON, chain.py). What is null or false is left out.
Where a record has a subject, the content has it as `call_id`. Where a content has `observed_at`, it is that of the record.

- call: `call_id`, `version`, `sha256` (of four lines: the payload's text as stored in truedy.call_versions, its
  `updated_at`, its `observed_at`, and `late` or an empty line; with a line feed between two lines; instants as
  chain.instant writes them, null as an empty line), `columns` (of the columns of truedy.calls where this version is the
  current one), `reading` (by which version of the program's reading they were read), `sealed_late` (true where the row was
  written while the archive was off).
- transcript: `call_id`, `observed_at` (when it was fetched), `sha256` (of summary and segments as stored), `columns` (of
  those segments whose JSON does not say all of their columns), `sealed_late`.

  Hashes in these two are base64url without padding, and `columns` is the first 16 bytes of a SHA-256: most records are of
  these kinds, and every byte is written three times (table, WAL, backup).
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
