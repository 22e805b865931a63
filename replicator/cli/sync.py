"""The command `replicator sync`: its options, and what it says at its end."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replicator import streams
from replicator.cli.frame import guarded
from replicator.cli.front import Json, app

if TYPE_CHECKING:
    from replicator.sync.options import Asked
    from replicator.sync.run import Report

Full = Annotated[bool, typer.Option("--full", help="Compare every call with the source again now.")]
Since = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"], metavar="DAY", help="Compare the calls created on this day or later, and no others."
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"], metavar="DAY", help="Compare the calls created on this day or before, and no others."
    ),
]
WithDetails = Annotated[
    bool,
    typer.Option(
        "--details",
        help="With --full, --since or --until: ask once more for transcripts and recordings that are absent or given up.",
    ),
]
RequireComplete = Annotated[
    bool, typer.Option("--require-complete", help="Exit code 1 if the replica is not complete and proven.")
]


MaxSeconds = Annotated[float | None, typer.Option(min=0.1, metavar="SECONDS", help="Stop after so many seconds.")]
MaxRequests = Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after so many requests.")]


@app.command()
def sync(
    max_seconds: MaxSeconds = None,
    max_requests: MaxRequests = None,
    full: Full = False,
    since: Since = None,
    until: Until = None,
    details: WithDetails = False,
    require_complete: RequireComplete = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    same_account: Annotated[
        bool,
        typer.Option(
            "--same-account",
            help="Confirm that the source is the stored account although it knows none of the stored calls.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the replica up to date once: the newest calls, what is due, history, transcripts and recordings.

    The last line says whether the replica is complete and proven, and if not, what is not.
    """
    asked = _asked(full=full, since=since, until=until, details=details)
    from replicator import assembly, guarding
    from replicator.cli import recordings
    from replicator.report import progress, terminal
    from replicator.report.run_line import describe
    from replicator.service.rollup_refresh import refreshed
    from replicator.sync.run import Run

    with guarded(as_json=as_json) as settings, assembly.stopping() as stop:
        options = replace(
            assembly.options(settings, "sync", max_seconds=max_seconds, max_requests=max_requests),
            is_same_account=same_account,
            asked=asked,
        )
        with assembly.readers(settings) as readers, assembly.opened(settings) as database:
            options = replace(options, pseudonyms=assembly.pseudonyms(settings), guard=guarding.guard(settings))
            # A user who set a bound, or pressed Ctrl-C, does not wait for the roll-ups: the reports are correct without
            # them.
            at_the_end = 60.0 if max_seconds is None and max_requests is None else 2.0
            with refreshed(database, stop, at_the_end_seconds=at_the_end), progress.shown(is_quiet=quiet) as show:
                report = Run(database, readers, options, stop=stop, on_progress=show).perform()
            kept, trouble = recordings.after_sync(
                settings, database, readers, stop,
                seconds=None if max_seconds is None else max_seconds - report.seconds,
                requests=None if max_requests is None else max_requests - report.counters.requests,
            )  # fmt: skip
        archived = {} if kept is None else {"archive": recordings.facts(kept)}
        typer.echo(terminal.as_json(_facts(report) | archived)) if as_json else streams.say(describe(report))
        if kept is not None and not as_json:
            recordings.say(kept)
        _say_what_to_know(report)
        if not as_json:
            streams.say(report.last_line)
        if trouble is not None:
            raise trouble
        if report.result == "stopped" or (require_complete and not report.is_complete):
            raise typer.Exit(1)


def _asked(*, full: bool, since: datetime | None, until: datetime | None, details: bool) -> Asked | None:
    """Return what the options ask to have compared. Raises BadParameter where they contradict each other."""
    if full and (since or until):
        raise typer.BadParameter(
            "--full compares every call; --since and --until compare a stretch: give one or the other"
        )
    if since and until and since > until:
        raise typer.BadParameter("--since is a later day than --until")
    if not (full or since or until):
        if details:
            raise typer.BadParameter("--details needs --full, --since or --until: for which calls?")
        return None
    from replicator.sync.options import Asked

    return Asked(since.date() if since else None, until.date() if until else None, with_details=details)


def _facts(report: Report) -> dict[str, Any]:
    return {
        "result": report.result,
        "seconds": round(report.seconds, 3),
        **report.counters.as_dict(),
        "details_due": report.details_due,
        "details_waiting": report.details_waiting,
        "is_listing_complete": report.is_listing_complete,
        "next_due_at": report.next_due_at,
        "deletions_suspected": report.suspected,
        "deletions_held": report.is_held,
        "unfinished": report.unfinished,
        "is_complete": report.is_complete,
        "proven_at": report.proven_at,
        "oldest_look_at": report.oldest_look_at,
        "gaps": [asdict(gap) for gap in report.gaps],
    }


def _say_what_to_know(report: Report) -> None:
    """Write to standard error what an operator should know of how the run ended."""
    from replicator.report import terminal

    if report.is_held:
        streams.say(
            f"{report.suspected:,} calls are missing at the source: too many to confirm without you, so they are held. If they "
            f"were deleted, run: replicator deletions --release {report.suspected}",
            err=True,
        )
    if report.unfinished:
        streams.say(
            f"not everything could be read: {report.unfinished}. What was proven is stored; see `replicator status`",
            err=True,
        )
    elif report.result == "bounded":
        listing = "" if report.is_listing_complete else "calls not listed yet, "
        left = (
            f"{listing}{terminal.plural(report.details_due, 'detail')} due, {report.details_waiting} queued for later"
        )
        streams.say(f"stopped at the limit; what is done is kept. Left: {left}", err=True)
    if report.result == "stopped":
        streams.say("stopped by a signal; what is done is kept, and the next sync continues from there", err=True)


__all__ = ["sync"]
