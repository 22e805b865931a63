"""The demo's part about money: last month's statement of the simulated vendor, with planted faults, matched and closed.

import → match → what was planted is found → the bridge adds up → close → a late correction appears as one
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, Request, build_opener

from replicator import atomic_file
from replicator.errors import ReplicatorError
from replicator.reconcile import closing, importing, mapping_file, month_matching, showing, wording
from replicator.reconcile.closing import NotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from replicator.store.database import Database

BY = "demo"
SECONDS = 30.0


def perform(
    database: Database, account: str, folder: Path, source: Mapping[str, str], sync: Callable[[date, date], None]
) -> Iterator[str]:
    """Do everything, and yield what to say after each step. `sync` compares a stretch of days with the source."""
    first = datetime.now(UTC).date().replace(day=1)
    last = first - timedelta(days=1)
    period, days = f"{last:%Y-%m}", (last.replace(day=1) - timedelta(days=1), first)
    portal = f"{source['base_url'].partition('/api/')[0]}/statements/{period}"
    path = folder / f"demo-statement-{period}.csv"
    atomic_file.write(path, _ask(f"{portal}.csv", source["key"]).decode())
    planted = json.loads(_ask(f"{portal}.json", source["key"]))["planted"]
    done = importing.run(
        database, account, path, mapping_file.load("simulator"), period=period, by=BY, name="statement"
    )
    yield f"The vendor's statement of {period}: {done.statement.lines:,} lines, {done.statement.total['USD']} US dollars ({path.name})"
    sync(*days)  # issuing it, the vendor deleted one of the calls
    yield wording.matched(month_matching.perform(database, account, "vendor", period, BY))
    found = _classes(database, account)
    yield from ("  " + _found(one, found) for one in planted)
    yield wording.closed(_close(database, account, period))
    corrected = json.loads(_ask(f"{portal}.correction", source["key"], "POST"))
    sync(*days)
    if corrected is not None:
        yield f"Then the vendor corrects the cost of a call of the closed month from {corrected['old']} to {corrected['new']}:"
        yield wording.month(showing.read(database, account, period, 0), showing.SHARE).splitlines()[-1]


def _classes(database: Database, account: str) -> dict[str, str]:
    """Return the class of each line by the vendor's id of it."""
    with database.connection() as connection:
        rows = connection.execute(
            "SELECT line_id, class FROM analytics.reconciliation_items WHERE account = %s AND line_id IS NOT NULL",
            [account],
        )
        return dict(rows.fetchall())


def _found(planted: Mapping[str, Any], classes: Mapping[str, str]) -> str:
    """Say whether a planted fault was found. Of a line and its copy, either may be the one that bills the call again."""
    was = classes.get(planted["line_id"], "not there")
    return f"planted {planted['fault']}: found as {was} (line {planted['line_id']}, {planted['amount']})"


def _close(database: Database, account: str, period: str) -> closing.Closed:
    try:
        return closing.perform(database, account, period, BY)
    except NotReady:
        return closing.perform(database, account, period, BY, anyway="it is a demo")


def _ask(url: str, key: str, method: str = "GET") -> bytes:
    """Ask the simulated vendor's portal, on this machine."""
    request = Request(url, method=method, headers={"Authorization": f"Bearer {key}"})  # noqa: S310 - http, our own process
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=SECONDS) as answer:
            return bytes(answer.read())
    except OSError:
        raise ReplicatorError("the simulated vendor gives no statement", advice="try again") from None


__all__ = ["perform"]
