"""The report's sections about data quality: freshness, coverage, what is not final, what is in quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.report import periods, plots, wording
from replicator.report.axis import labels, names
from replicator.report.blocks import Column, empty, figure, moment, paragraph, section, table
from replicator.report.markup import Child, Markup, element, joined, source_text
from replicator.report.plots import Canvas, Chart, Series
from replicator.report.wording import count, percent, plural, share

if TYPE_CHECKING:
    from datetime import date

    from replicator.report.rows import CoveredDay, Figures
    from replicator.report.wording import Clock

STALE_SECONDS = 3600.0
"""If the last sync is older than this, the top of the page says so."""

DEFINITIONS = (
    ("Call", "One attempt, one row of the source. Not a person, and not a conversation. A call that was deleted at the source stays in every number, because it is still billed."),
    ("Day", "A day of the reporting time zone. Volume and funnel count by the day of creation, durations by the day of the start, cost by the day of the end: one call can count on different days."),
    ("Placed, answered", "Placed are calls that the network carried: answered, answered by a machine, not answered, busy. The answer rate is answered divided by placed."),
    ("Conversation", "Answered, connected, and at least conversation_seconds long (1 s unless changed). The conversation rate is conversations divided by all calls that are over, placed or not."),
    ("p50, p90, p99", "Half, 90 % and 99 % of the measured calls are shorter. Percentiles cannot be added up or averaged, so they are estimated from the histogram; an estimate lies in the same band as the exact value, or between the same two bands. call_duration_daily has exact percentiles by day and agent."),
    ("Known, pending, never came, none expected, implausible", "The five states of a cost. Pending: it is expected. Never came: it did not come within REPLICATOR_COST_GIVE_UP_DAYS and is no longer expected; if it comes later, it counts. None expected: the call never connected, and no cost came. Implausible: a million dollars or more for one call, left out of every sum."),
    ("Per minute", "Dollars divided by minutes of the same calls: connected, over, longer than zero, cost known. Minutes are not rounded up to billing increments."),
    ("Per conversation", "Alone: the cost of the conversations themselves. With failed attempts: the cost of all calls divided by the conversations."),
    ("Final", "The day is over, each of its calls is settled, and no cost is expected any more: each is known, or was given up. This concerns stored calls only."),
    ("Settled", "The call has been over for so long that no change is expected, although one is still possible."),
    ("Proven, unsure, not compared", "Shares of a day's time. Proven: the source's list was read for this time, and no call is missing. Unsure: it was read, but completeness could not be proven. Not compared: it was not read yet."),
    ("Complete day", "A day that is over. Averages are taken over complete days, so that today does not make a period look smaller than it is."),
)  # fmt: skip


def verdict(figures: Figures, clock: Clock) -> Markup:
    """Return one line that says whether the page can be relied on."""
    facts = figures.facts
    if facts.head_at is None and not facts.stored_calls:
        return _said("warn", "! Empty", joined("Nothing was synced yet: run ", element("code", "replicator sync"), "."))
    as_of = moment(facts.head_at, clock)
    if not facts.is_complete_and_proven:
        return _said(
            "warn", "! Not complete", joined(source_text(facts.completeness), "; newest end read ", as_of, ".")
        )
    if (facts.lag_seconds or 0) > STALE_SECONDS:
        return _said("warn", "! Not fresh", joined("Complete and proven, but as of ", as_of, f", {wording.roughly(round(facts.lag_seconds or 0))} ago."))  # fmt: skip
    return _said(
        "good", "✓ Complete and proven", joined("Every call of the source's list was compared, as of ", as_of, ".")
    )


def _said(cls: str, head: str, text: Child) -> Markup:
    return element("p", element("b", head), " ", element("span", text), cls=f"verdict {cls}")


def outstanding(figures: Figures) -> Markup:
    """Return what can still change, and why."""
    left, facts = figures.outstanding, figures.facts
    reasons: list[tuple[int, str, str]] = [
        (left.open_calls, "open", "not over; they count in no rate and no duration"),
        (left.stale_open_calls, "open for too long", f"began over {facts.stale_open_hours} h ago; the end was probably lost at the source"),
        (left.unsettled_calls, "over, not settled", f"ended less than {facts.settle_hours} h ago; corrections are likely"),
        (left.unmapped_calls, "with an unknown status", "in no rate, until the status is added to replicator.status_stages"),
        (left.pending_cost_calls, "without their cost", "pending: the sums of cost will probably rise"),
        (left.given_up_cost_calls, "without a cost for good", f"no cost came within {facts.cost_give_up_days} days, and none is expected any more; if one comes, it counts"),
        (left.implausible_cost_calls, "with an implausible cost", "left out of every sum of cost"),
        (left.deleted_calls, "deleted at the source", "counted in every number: a deletion does not cancel a charge"),
        (facts.undated_calls, "without a date", "of the whole replica; on no day, so in no number of this page"),
        (facts.future_calls, "dated after today", "of the whole replica; in no number of this page"),
        (facts.suspected_deletions, "missing at the source", "suspected, not confirmed: replicator deletions"),
        (facts.pending_transcripts, "waiting for a transcript", "of the whole replica"),
        (facts.pending_recordings, "waiting for a recording", "of the whole replica"),
    ]  # fmt: skip
    rows: list[list[Child]] = [[what, count(number), why] for number, what, why in reasons if number]
    lead = "What can still change in this period, or is left out, and why. A call can be in several lines."
    if not rows:
        return section("final", "What is not final", lead, empty("Nothing: all stored calls of this period are final."))
    columns = [Column("Calls that are", is_number=False), Column("Calls"), Column("What that means", is_number=False, cls="wrap")]  # fmt: skip
    return section("final", "What is not final", lead, table("Calls that are not final, by reason", columns, rows))


def coverage(figures: Figures, clock: Clock) -> Markup:
    """Return how fresh and how complete the replica is."""
    facts = figures.facts
    lines: list[list[Child]] = [
        ["The newest end of the list was read", moment(facts.head_at, clock)],
        ["The oldest comparison of any time range", moment(facts.oldest_verified_at, clock)],
        ["Live calls stored", count(facts.live_calls)],
        ["of these proven", joined(count(facts.proven_calls), f" ({percent(share(facts.proven_calls, facts.live_calls))})")],
        ["The source's own total", joined(count(facts.source_total), ", as of ", moment(facts.source_total_at, clock)) if facts.source_total is not None else "not known"],
        ["Holes, unsure stretches", f"{count(facts.holes)}, {count(facts.unsure_intervals)}"],
        ["Reaches the beginning of the list", "yes" if facts.reaches_beginning else "not yet"],
        ["Last verification against the source", joined(moment(facts.verification_at, clock), {True: ": no difference in what was compared", False: ": differences found", None: ""}[facts.verification_is_equal])],
        *_recordings(figures),
    ]  # fmt: skip
    lead = "How much of each day was compared with the source's list, and how much of it is proven complete."
    return section(
        "coverage",
        "Freshness and coverage",
        lead,
        _coverage_chart(figures, clock),
        element("h3", "Freshness"),
        table("Freshness", [Column("Fact", is_number=False), Column("Value", is_number=False)], lines),
        _unsure(figures, clock),
        element("h3", "How late a change is seen"),
        _delays(figures),
    )


def _recordings(figures: Figures) -> list[list[Child]]:
    """Return what the archive has of the recordings, with a warning before a deadline; nothing where it has none."""
    facts = figures.facts
    known = (facts.stored_recordings or 0, facts.waiting_recordings, facts.missing_recordings, facts.refused_recordings)
    if not any(known):
        return []
    lines: list[list[Child]] = [
        [
            "Recordings archived; waiting, missing, refused",
            "; ".join([count(known[0]), ", ".join(map(count, known[1:]))]),
        ]
    ]
    if facts.near_deadline_recordings or facts.past_deadline_recordings:
        words = (
            f"{count(facts.near_deadline_recordings)} within two days; {count(facts.past_deadline_recordings)} by now"
        )
        lines.append(["Warning: recordings not archived that the vendor deletes", words])
    return lines


def _day(row: CoveredDay) -> date:
    return row.day


def _coverage_chart(figures: Figures, clock: Clock) -> Markup:
    if not figures.coverage:
        return empty("No day of this period is known yet.")
    size, places = figures.period.bucket, periods.buckets(figures.period, figures.facts.first_day)
    rows = [periods.within(figures.coverage, place, _day) for place in places]
    seconds = [periods.covered(row) for row in rows]
    shares = [[100 * one / sum(three) if sum(three) else 0.0 for one in three] for three in seconds]
    full = names(places, size)
    total = periods.covered(figures.coverage)
    whole = sum(total)
    kinds = (("proven", "s2"), ("unsure", "s1"), ("not compared", "s4"))
    chart = Chart(
        name="coverage",
        title=f"Coverage by {size}",
        description=f"Stacked bars of shares of time: {percent(share(total[0], whole))} proven, {percent(share(total[1], whole))} "
        f"unsure, {percent(share(total[2], whole))} not compared.",
        labels=labels(places, size),
        series=[Series(name, cls, [row[n] for row in shares]) for n, (name, cls) in enumerate(kinds)],
        tick=lambda value: f"{value:g} %",
        tips=[
            f"{full[n]}: " + (", ".join(f"{percent(share(row[k], sum(row)))} {kinds[k][0]}" for k in range(3)) if sum(row) else "before the first known call")
            for n, row in enumerate(seconds)
        ],
        hatched=frozenset({1}),
        high=100.0,
        steps=(50.0,),
        wide=Canvas(860, 130),
        narrow=Canvas(340, 130, left=46, right=22),
    )  # fmt: skip
    cells: list[list[Child]] = []
    for number, row in reversed([*enumerate(rows)]):
        if not row:
            continue
        three = seconds[number]
        looked = min((one.oldest_verified_at for one in row if one.oldest_verified_at), default=None)
        reasons = sorted({one.unsure_reasons for one in row if one.unsure_reasons})
        cells.append(
            [
                full[number], count(sum(one.live_calls for one in row)), count(sum(one.proven_calls for one in row)),
                *(percent(share(part, sum(three))) for part in three), clock.instant(looked),
                "yes" if all(one.is_complete_and_proven for one in row) else "no",
                source_text("; ".join(reasons), none="nothing"),
            ]
        )  # fmt: skip
    columns = [
        Column(size.title(), is_number=False), Column("Live calls"), Column("Proven calls"), Column("Proven"), Column("Unsure"),
        Column("Not compared"), Column("Oldest look"), Column("Over, complete, proven", is_number=False),
        Column("Why unsure", is_number=False, cls="wrap"),
    ]  # fmt: skip
    foot: list[Child] = [
        "All", count(sum(row.live_calls for row in figures.coverage)), count(sum(row.proven_calls for row in figures.coverage)),
        *(percent(share(part, whole)) for part in total), "", "", "",
    ]  # fmt: skip
    numbers = table(f"Coverage by {size}", columns, cells, foot)
    caption = (
        f"{percent(share(total[0], whole))} of the time since the first known call is proven, of this period. "
        "Shares are of time, not of calls: calls that were never read cannot be counted. Today ends now."
    )
    key = [(cls, name, number == 1) for number, (name, cls) in enumerate(kinds)]
    return figure(plots.bars(chart), caption, numbers, key)


def _unsure(figures: Figures, clock: Clock) -> Markup | None:
    if not figures.unsure:
        return None
    rows: list[list[Child]] = [
        [
            "the beginning" if row.since_at is None else clock.instant(row.since_at),
            "now" if row.until_at is None else clock.instant(row.until_at),
            clock.instant(row.verified_at),
            source_text(row.reason, none="not proven"),
        ]
        for row in figures.unsure
    ]
    columns = [
        Column("From", is_number=False), Column("To", is_number=False), Column("Looked at", is_number=False),
        Column("Why it is unsure", is_number=False, cls="wrap"),
    ]  # fmt: skip
    more = figures.facts.unsure_intervals - len(rows)
    return joined(
        element("h3", "Time ranges that are unsure"),
        table("Time ranges that could not be proven, newest first", columns, rows),
        paragraph(f"{plural(more, 'older range')} are not shown.", cls="note") if more > 0 else None,
    )  # fmt: skip


def _delays(figures: Figures) -> Markup:
    if not figures.delays:
        return empty("No run has stored yet how often calls are read again.")
    rows: list[list[Child]] = [
        [
            "older" if row.max_age_seconds is None else f"under {wording.roughly(row.max_age_seconds)}",
            count(row.calls),
            wording.roughly(row.renewed_every_seconds),
            "no promise" if row.bound_seconds is None else wording.roughly(round(row.bound_seconds)),
            wording.NOTHING if row.expected_seconds is None else wording.roughly(round(row.expected_seconds)),
            wording.NOTHING
            if row.oldest_look_seconds is None
            else f"{wording.roughly(round(row.oldest_look_seconds))} ago",
        ]
        for row in figures.delays
    ]
    columns = [
        Column("Age of a call", is_number=False), Column("Calls"), Column("Read again every"), Column("A change is seen within"),
        Column("Usually within"),
        Column("Oldest look"),
    ]  # fmt: skip
    return joined(
        table("The source does not say what has changed: old calls are read again", columns, rows),
        paragraph(
            "No promise: no requests are left for this age while history is read, or the source has no rate limit to compute with. "
            "Usually: as long as nothing more valuable needs the requests.",
            cls="note",
        ),
    )


def aside(figures: Figures, clock: Clock) -> Markup:
    """Return what could not be read, and how the last runs went."""
    runs: list[list[Child]] = [
        [
            clock.instant(row.started_at), source_text(row.command), source_text(row.outcome), count(row.requests),
            count(row.calls_inserted), count(row.calls_changed), count(row.refusals), count(row.failures),
            source_text(row.message, none=""),
        ]
        for row in figures.runs
    ]  # fmt: skip
    columns = [
        Column("Started", is_number=False), Column("Command", is_number=False), Column("Outcome", is_number=False), Column("Requests"),
        Column("New calls"), Column("Changed"), Column("Refusals"), Column("Failures"), Column("Message", is_number=False, cls="wrap"),
    ]  # fmt: skip
    rows: list[list[Child]] = [
        [source_text(row.reason), count(row.calls), clock.instant(row.since_at), clock.instant(row.last_at)]
        for row in figures.quarantine
    ]
    quarantine_columns = [
        Column("Reason", is_number=False, cls="wrap"), Column("Rows"), Column("Since"), Column("Last seen"),
    ]  # fmt: skip
    lead = "Rows of the source that could not be read are kept in quarantine, and are in no number of this page."
    return section(
        "aside",
        "Quarantine and runs",
        lead,
        table("Quarantine: rows that could not be read, by reason", quarantine_columns, rows)
        if rows
        else empty("Nothing is in quarantine."),
        element("h3", "Last runs"),
        table("Runs of the replicator, newest first", columns, runs)
        if runs
        else empty("Nothing has run yet. Run: replicator sync."),
    )


def definitions() -> Markup:
    """Return what the words mean."""
    pairs = [joined(element("dt", word), element("dd", meaning)) for word, meaning in DEFINITIONS]
    return section(
        "reading",
        "How to read this page",
        "What the words mean. The comments in the database have the same definitions, column by column.",
        element("dl", *pairs, cls="words"),
    )


__all__ = ["aside", "coverage", "definitions", "outstanding", "verdict"]
