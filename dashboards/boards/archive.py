"""What the archive holds, and what it lacks."""

from __future__ import annotations

from dashboards.panels import CALLS, DAY, Column, Dashboard, Measure, Panel, instant, number, ratio, total

DAILY, OBJECTS, CARDS = "archive_daily", "archive_objects", "payment_data"

ARCHIVE = Dashboard(
    "archive",
    "Calls: archive",
    "What the archive holds of the calls, what it lacks, and in which calls payment data was found.",
    (
        number("Calls sealed", DAILY, ratio("sealed", "sealed_calls", "calls"), "of those created"),
        number(
            "Recordings stored",
            DAILY,
            ratio("stored", "stored_recordings", "expected_recordings"),
            "of those offered",
        ),
        number("To be downloaded", DAILY, total("waiting", "waiting_recordings"), "recordings that wait"),
        number("Missing", DAILY, total("missing", "missing_recordings"), "gone at the source"),
        number(
            "Recording notice",
            DAILY,
            ratio("with the notice", "disclosure_calls", "transcript_calls"),
            "of calls with a transcript",
        ),
        number("Payment data", DAILY, total("calls", "payment_calls"), "calls that have some"),
        Panel(
            "Recordings of each day",
            "bars",
            DAILY,
            tuple(total(word, f"{word}_recordings") for word in ("stored", "waiting", "missing", "refused", "removed")),
            width=8,
            about="By the day of the call. Removed: erased, or disposed of at the end of its retention.",
        ),
        Panel("Bytes stored, by day of the call", "lines", DAILY, (total("bytes", "stored_bytes", "bytes"),), width=4),
        Panel(
            "Days on which something is missing",
            "table",
            DAILY,
            (
                CALLS,
                Measure("not sealed", "sum(calls - sealed_calls)"),
                total("missing", "missing_recordings"),
                total("refused", "refused_recordings"),
                Measure("list not proven, hours", "sum(gap_seconds) / 3600", "decimal"),
            ),
            by=(DAY,),
            where="sealed_calls < calls OR missing_recordings > 0 OR refused_recordings > 0 OR gap_seconds > 0",
            width=6,
            order="latest",
            about="A missing recording can no longer be downloaded. Today is listed until it is proven.",
        ),
        Panel(
            "Why recordings are not stored",
            "table",
            OBJECTS,
            (Measure("recordings", "count(*)"), instant("last tried", "tried_at")),
            by=(Column("state", "object_state"), Column("reason", "coalesce(object_reason, 'none')")),
            time="created_on",
            where="object_state <> 'stored'",
            width=6,
        ),
        Panel(
            "The recording notice, day by day",
            "lines",
            DAILY,
            (ratio("with the notice", "disclosure_calls", "transcript_calls"),),
            width=6,
            is_to_one=True,
            about="Of the calls with a transcript, by the phrases in archive.disclosure_rules.",
        ),
        Panel(
            "Calls with payment data, by the state of their recording",
            "table",
            CARDS,
            (
                Measure("calls", "count(*)"),
                total("card numbers", "card_number_findings"),
                total("security codes", "security_code_findings"),
                Measure("taken out", "count(*) FILTER (WHERE is_removed)"),
                instant("last found", "found_at"),
            ),
            by=(Column("recording", "coalesce(object_state, recording_state)"),),
            time="created_on",
            width=6,
            about="The views mask it in texts; the audio still contains it.",
        ),
    ),
)
