"""Says in one line what a run did, for the log and the end of a sync."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replicator.sync.run import Report


def describe(report: Report) -> str:
    """Return one line that describes a run, for the log."""
    counters = report.counters
    parts = [
        f"{counters.requests} requests",
        f"{counters.calls_inserted} new and {counters.calls_changed} changed calls",
        f"{counters.transcripts_stored} transcripts",
        f"{counters.recordings_stored} recordings",
    ]
    if counters.rows_quarantined:
        parts.append(f"{counters.rows_quarantined} rows quarantined")
    if counters.calls_deleted:
        parts.append(f"{counters.calls_deleted} deletions confirmed")
    if report.suspected:
        parts.append(f"{report.suspected} deletions suspected{' and held' if report.is_held else ''}")
    if report.details_due:
        parts.append(f"{report.details_due} details left")
    if report.details_waiting:
        parts.append(f"{report.details_waiting} transcripts and recordings not available yet")
    if report.unfinished:
        parts.append(f"not all could be read: {report.unfinished}")
    return f"sync {report.result} in {report.seconds:.1f} s: {', '.join(parts)}"
