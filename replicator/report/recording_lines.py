"""Says in words what a run of the archive's lane did, why recordings are not stored, and which deadlines are near."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from replicator.archive.recordings.running import Report
    from replicator.store.archived import Counts

WORDS: Mapping[str, str] = {
    "link_refused": "the storage refuses the link, also a new one",
    "no_link": "the source says that it has no recording",
    "source_failed": "the source could not be asked for a new link",
    "unreachable": "the storage cannot be reached",
    "stalled": "the storage sent nothing for too long",
    "cut_off": "the download broke off",
    "length_unknown": "the storage does not say how long the file is",
    "too_slow": "the download took too long; the next attempt continues it",
    "storage_busy": "the storage is overloaded or fails",
    "store_failed": "the archive's own store could not take the file",
    "file_lost": "its file is gone from the store",
    "not_audio": "the storage sends something that is not audio",
    "empty": "the storage sends an empty file",
    "too_large": "it is larger than REPLICATOR_ARCHIVE_MOST_BYTES",
    "encoded": "the storage sends it compressed",
    "bad_answer": "the storage's answer contradicts itself",
    "bad_link": "the link is not a usable https address",
    "forbidden_address": "the link leads to an address that is not allowed (REPLICATOR_ARCHIVE_ALLOW_HOSTS)",
    "too_many_redirects": "the link is redirected too often",
}
"""The reasons of archive/recordings/queue_rules.py in words."""


def describe(report: Report) -> str:
    """Return one line that says what the run did."""
    parts = [f"{report.stored:,} recordings stored ({size(report.bytes)})"]
    for count, words in (
        (report.queued, "queued from before"),
        (report.found_again, "found again after a crash"),
        (report.failed, "to be tried again"),
        (report.missing, "given up as missing"),
        (report.refused, "refused"),
        (report.links_renewed, "links renewed"),
        (report.lost, "lost files queued again"),
    ):
        if count:
            parts.append(f"{count:,} {words}")
    why = ", ".join(f"{count:,} times {WORDS.get(reason, reason)}" for reason, count in sorted(report.reasons.items()))
    left = ""
    if report.left is not None:
        left = f"; in all {report.left.stored:,} stored, {report.left.pending:,} waiting"
    return f"archive: {', '.join(parts)}{left}" + (f". Failures: {why}" if why else "")


def warnings(report: Report) -> Iterator[str]:
    """Yield what an operator should know, one line each."""
    if report.source_error:
        yield f"warning: no new links are asked for: {report.source_error}"
    if report.damaged:
        yield f"warning: {report.damaged:,} files of the archive have another size than when they were stored; run: replicator archive verify --objects all"
    if report.strays:
        yield f"warning: {report.strays:,} files in the archive's store belong to no recording of the database; was an older database restored?"
    if report.left is not None:
        yield from deadlines(report.left)


def deadlines(counts: Counts) -> Iterator[str]:
    """Yield a warning about recordings that the vendor deletes soon, or has deleted."""
    if counts.near_deadline:
        yield (
            f"warning: {counts.near_deadline:,} recordings are not stored yet, and the vendor deletes them within two days, the first "
            f"at {counts.next_deadline_at:%Y-%m-%d %H:%M} UTC: see analytics.archive_recordings"
        )
    if counts.late:
        yield (
            f"warning: {counts.late:,} recordings are not stored, and the vendor has probably deleted them "
            "(REPLICATOR_ARCHIVE_VENDOR_KEEPS_DAYS); each is still tried"
        )


def size(count: float) -> str:
    """Return a number of bytes in a readable unit."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - the next unit
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


__all__ = ["WORDS", "deadlines", "describe", "size", "warnings"]
