"""The report's section about the archive: what is sealed and stored of the period's calls, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.report import wording
from replicator.report.blocks import Column, empty, paragraph, section, table
from replicator.report.markup import element, joined
from replicator.report.wording import count, percent, share

if TYPE_CHECKING:
    from replicator.report.markup import Child, Markup
    from replicator.report.rows import ArchiveDay, Figures

LEAD = "What the archive holds of the calls created in this period, and what it lacks."
MOST_DAYS = 8
"""So many days with something missing are listed, the newest first."""
MEGABYTE = 10**6


def archive(figures: Figures) -> Markup:
    """Return the section; one sentence where the account has no archive."""
    days = figures.archive
    if not days:
        off = "Nothing of this account is archived in this period: REPLICATOR_ARCHIVE is or was off."
        return section("archive", "Archive", LEAD, empty(off))
    calls, expected = _sum(days, "calls"), _sum(days, "expected_recordings")
    stored, transcripts = _sum(days, "stored_recordings"), _sum(days, "transcript_calls")
    found, payment = _sum(days, "disclosure_calls"), _sum(days, "payment_calls")
    megabytes = f"{_sum(days, 'stored_bytes') / MEGABYTE:,.1f} MB"
    lines: list[list[Child]] = [
        ["Calls sealed in the chain", _of(_sum(days, "sealed_calls"), calls)],
        ["Recordings stored", joined(_of(stored, expected), f", {megabytes}")],
        ["still to be downloaded", count(_sum(days, "waiting_recordings"))],
        ["missing at the source", count(_sum(days, "missing_recordings"))],
        ["refused: not downloaded, or no audio", count(_sum(days, "refused_recordings"))],
        ["erased or disposed of", count(_sum(days, "removed_recordings"))],
        ["Transcripts that begin with the recording notice", _of(found, transcripts)],
        ["Calls in which payment data was found", count(payment)],
    ]
    columns = [Column("Fact", is_number=False), Column("Value", is_number=False)]
    return section(
        "archive",
        "Archive",
        LEAD,
        table("What the archive holds of this period", columns, lines),
        _lacking(days),
        paragraph(
            "These numbers do not show later changes: replicator archive verify finds them. The notice is looked "
            "for by the phrases in archive.disclosure_rules, payment data by the rules in archive.payment_rules; neither "
            "finds everything.",
            cls="note",
        ),
    )  # fmt: skip


def _lacking(days: tuple[ArchiveDay, ...]) -> Markup:
    """Return the newest days on which something is missing."""
    lacking = [
        day
        for day in reversed(days)
        if day.missing_recordings or day.refused_recordings or day.sealed_calls < day.calls
    ]
    if not lacking:
        return paragraph("On no day of this period is a call unsealed, or a recording missing or refused.")
    rows: list[list[Child]] = [
        [
            wording.day(one.day, with_year=True), count(one.calls), count(one.calls - one.sealed_calls), count(one.expected_recordings),
            count(one.missing_recordings), count(one.refused_recordings), count(one.waiting_recordings),
        ]
        for one in lacking[:MOST_DAYS]
    ]  # fmt: skip
    columns = [
        Column("Day", is_number=False), Column("Calls"), Column("Not sealed"), Column("Recordings expected"), Column("Missing"),
        Column("Refused"), Column("Waiting"),
    ]  # fmt: skip
    more = len(lacking) - len(rows)
    return joined(
        element("h3", "Days on which something is missing"),
        table(
            "Days with calls that are not sealed, or recordings that are missing or refused, newest first",
            columns,
            rows,
        ),
        paragraph(f"{more} older days are not shown.", cls="note") if more > 0 else None,
    )


def _sum(days: tuple[ArchiveDay, ...], name: str) -> int:
    return sum(int(getattr(day, name)) for day in days)


def _of(part: int, whole: int) -> str:
    return f"{count(part)} of {count(whole)} ({percent(share(part, whole))})" if whole else "none expected"


__all__ = ["archive"]
