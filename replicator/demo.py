"""The demo: a database, a simulated source, a complete sync and the reports, all on one machine.

It needs only this package: no account, no PostgreSQL, no network. The demo has its own folder and starts with an empty
database each time, so it never mixes with a real replica.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import typer
from pydantic import SecretStr
from rich.text import Text

from replicator import assembly, atomic_file, child, demo_archive, demo_money, guarding, streams
from replicator.errors import ReplicatorError
from replicator.report import figures, page, progress, sparks, terminal
from replicator.report.run_line import describe
from replicator.safe_text import shown, shown_lines
from replicator.service.rollup_refresh import refreshed
from replicator.store import names, naming, status
from replicator.store.migrate import ROLE_PREFIX
from replicator.sync.options import Asked
from replicator.sync.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from threading import Event

    from replicator.settings import Settings

REQUESTS_PER_WINDOW = 1_000_000
START_SECONDS = 30.0
REPORT_DAYS = 30
CAMPAIGNS = ("spring-greeting", "renewal-reminder", "feedback-round", "appointment-check")
"""The campaigns of the simulated account."""

REPORTS = (
    (
        "Duration: connected calls by day, the last seven days  (analytics.call_duration_daily)",
        "SELECT day, sum(measured_calls)::bigint AS calls, sum(duration_seconds)::bigint AS seconds, "
        "sum(duration_seconds)::float8 / nullif(sum(measured_calls), 0) AS average_seconds, "
        "max(longest_seconds) AS longest_seconds FROM analytics.call_duration_daily "
        "WHERE day > current_date - 7 GROUP BY day ORDER BY day",
    ),
    (
        "Cost by direction  (analytics.call_cost_daily)",
        "SELECT direction, sum(calls)::bigint AS calls, sum(cost_known_calls)::bigint AS cost_known, "
        "sum(cost_pending_calls)::bigint AS cost_pending, sum(cost_usd) AS cost_usd, "
        "round(sum(timed_cost_usd) / nullif(sum(timed_minutes), 0)::numeric, 4) AS usd_per_minute, "
        "round(sum(cost_usd) / nullif(sum(conversations), 0), 4) AS usd_per_conversation "
        "FROM analytics.call_cost_daily GROUP BY direction ORDER BY direction",
    ),
    (
        "Status funnel by campaign  (analytics.status_funnel_daily)",
        "SELECT coalesce(n.name, f.campaign_id, 'no campaign') AS campaign, sum(calls)::bigint AS calls, "
        "sum(placed_calls)::bigint AS placed, sum(answered_calls)::bigint AS answered, sum(machine_calls)::bigint AS machine, "
        "sum(conversations)::bigint AS conversations, "
        "round(100.0 * sum(conversations) / nullif(sum(terminal_calls), 0), 1) AS percent_of_calls "
        "FROM analytics.status_funnel_daily f LEFT JOIN replicator.campaigns n USING (campaign_id) "
        "GROUP BY 1 ORDER BY 2 DESC LIMIT 8",
    ),
    (
        "Freshness and completeness  (analytics.replication_freshness)",
        "SELECT live_calls, source_total, completeness, lag_seconds, pending_transcripts, pending_recordings, "
        "quarantined_rows FROM analytics.replication_freshness",
    ),
)


def its(settings: Settings) -> Settings:
    """Return the settings with the demo's own folder, and its embedded database whatever DATABASE_URL says."""
    folder = assembly.data_dir(settings) / "demo"
    return settings.but(
        replicator_data_dir=folder, database_url=None, replicator_account="demo", replicator_schemas=None
    )


def show(settings: Settings, *, calls: int, seed: int, stay: bool | None) -> None:
    """Run the demo; in a terminal keep the database up until Ctrl-C, unless told otherwise."""
    settings = its(settings)
    started = time.monotonic()
    is_watched = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    with assembly.stopping() as stop:
        _say("starting the embedded PostgreSQL ...")
        with assembly.own_place(settings) as where:
            _empty(where.url)
            done = assembly.migrated(settings, where)
            _say(f"schema {done.after} and {len(done.views)} views are in place")
            with _simulator(calls, seed) as source:
                _say(
                    f"a simulated Truedy with {calls:,} calls listens at {source['base_url']}; its rate limit is generous: "
                    f"{REQUESTS_PER_WINDOW:,} requests a minute instead of 100, or this would take hours"
                )
                _name(where.url, source["agents"])
                _sync(settings, where.url, source, stop)
                archive = None if stop.is_set() else _archive(settings, where.url, stop)
                if not stop.is_set():
                    _money(settings, where.url, source, stop)
            if stop.is_set():
                raise typer.Exit(1)
            _report(where.url)
            if archive is not None:
                _show_archive(archive)
            _page(settings, where.url)
            _connect(where, seconds=time.monotonic() - started)
            if stay if stay is not None else is_watched:
                _say("the database stays up until Ctrl-C")
                stop.wait()


def _sync(settings: Settings, url: str, source: dict[str, Any], stop: Event, asked: Asked | None = None) -> None:
    theirs = settings.but(
        truedy_base_url=source["base_url"],
        truedy_api_key=SecretStr(source["key"]),
        truedy_requests_per_minute=REQUESTS_PER_WINDOW,
        truedy_window_seconds=60.0,
        replicator_pseudonym_key=SecretStr(assembly.own_key(settings).decode()),
        replicator_archive="on",
    )
    with assembly.readers(theirs) as readers, assembly.connected(url) as database, progress.shown() as show_progress:
        options = replace(
            assembly.options(theirs, "demo"),
            pseudonyms=assembly.pseudonyms(theirs),
            guard=guarding.guard(theirs),
            asked=asked,
        )
        if asked is not None:
            # The simulated source's word is good: a deletion need not be asked for twice, minutes apart.
            options = replace(options, confirm_after=timedelta(0))
        with refreshed(database, stop):
            report = Run(database, readers, options, stop=stop, on_progress=show_progress).perform()
    if asked is None:
        _say(describe(report))


def _money(settings: Settings, url: str, source: dict[str, str], stop: Event) -> None:
    """Show last month's statement against the calls."""
    folder = assembly.data_dir(settings).parent
    with assembly.connected(url) as database:
        for text in demo_money.perform(
            database, settings.replicator_account, folder, source,
            lambda since, until: _sync(settings, url, source, stop, Asked(since, until)),
        ):  # fmt: skip
            streams.say(shown_lines(text))


def _archive(settings: Settings, url: str, stop: Event) -> list[tuple[str, str]]:
    """Keep recordings, sign, verify, tamper and export; return what happened, as (step, words)."""
    folder = assembly.data_dir(settings)
    with assembly.connected(url) as database:
        return demo_archive.shown_steps(
            database, settings.replicator_account, folder, assembly.signing_key(settings), stop, _say
        )


def _show_archive(steps: list[tuple[str, str]]) -> None:
    out = terminal.console()
    out.print()
    out.print("The compliance archive", style="bold")
    for name, words in steps:
        for place, line in enumerate(textwrap.wrap(shown(words), 65, break_long_words=False, break_on_hyphens=False)):
            out.print(f"  {name if not place else '':<12} {line}", soft_wrap=True, markup=False, highlight=False)


@contextmanager
def _simulator(calls: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield a simulated source in its own process, which ends with this one."""
    command = [
        *child.command("replicator.simulator"), "--calls", str(calls), "--seed", str(seed),
        "--preset", "lifelike", "--limit", str(REQUESTS_PER_WINDOW), "--recordings", "other", "--until-stdin-ends",
    ]  # fmt: skip
    process = subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    try:
        line = process.stdout.readline()
        if not line:
            raise ReplicatorError("the simulated source did not start", advice="run `replicator simulator` to see why")
        yield json.loads(line)
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _empty(url: str) -> None:
    """Empty the database, because the simulated account is different each time."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS analytics, archive, billing, rollup, truedy, replicator CASCADE")


def _name(url: str, agents: Mapping[str, str]) -> None:
    """Give agents and campaigns names, as `replicator names import` does. Of the calls that were put through, those with
    something said count as conversations.
    """
    teams = ("Front desk", "Renewals")
    names.save(
        url,
        [(UUID(one), name, teams[n % len(teams)]) for n, (one, name) in enumerate(agents.items())],
        [(one, one.replace("-", " ").capitalize()) for one in CAMPAIGNS],
        role_prefix=ROLE_PREFIX,
        schemas=naming.THE_USUAL,
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "UPDATE replicator.reporting SET conversation_seconds = 5, goal_path = '{outcome}', goal_values = '{booked}'"
        )


def _report(url: str) -> None:
    out = terminal.console()
    with psycopg.connect(url, autocommit=True) as connection:
        for title, statement in REPORTS:
            cursor = connection.execute(statement)
            columns = [column.name.replace("_", " ") for column in cursor.description or ()]
            terminal.show_table(out, title, columns, cursor.fetchall())


def _page(settings: Settings, url: str) -> None:
    """Show the last days as plots, write the report beside the demo's database, and say where."""
    with assembly.connected(url) as database:
        found = figures.read(database, settings.replicator_account, REPORT_DAYS)
        recent = status.read(database, settings.replicator_account).recent
    path = assembly.data_dir(settings).parent / "demo-report.html"
    atomic_file.write(path, page.render(found))
    out = terminal.console()
    sparks.show(out, recent)
    out.print()
    out.print(f"The whole report as one HTML page: {shown(str(path))}", soft_wrap=True)


def _connect(where: assembly.Place, *, seconds: float) -> None:
    server = where.server
    out = terminal.console()
    out.print()
    out.print(f"All of that took {seconds:.1f} s. Look around with psql or any BI tool:")
    out.print(Text(f"  {shown(assembly.program())} psql --demo"), soft_wrap=True)
    out.print("  which starts the database if necessary, and opens psql on it;")
    if server is not None:
        # The password is that of this database of made-up calls, on this machine's loopback.
        out.print("  or, while the demo stays up, with this URL:")
        out.print(Text(f"  {server.tcp_url}"), soft_wrap=True)
    out.print("Then try:  SELECT * FROM analytics.calls ORDER BY created_at DESC LIMIT 10;")


def _say(text: str) -> None:
    streams.say(shown(text), err=True)
