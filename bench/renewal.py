"""How soon a change of any call is seen: the service in virtual time, with all history stored, at 100 requests a minute.

Calls of any age change (a cost, a context, a summary: nothing moves but the call's own row) while new calls go on and
have their transcripts fetched. Measured is the time from the change until it is committed. docs/measurements.md shows
the table beside the bars: 15 minutes for 10,000 calls, 2 hours for 100,000, 8 hours for 1,000,000 (95th percentile).
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench import common
from bench.service import BEGIN, HISTORY, WRITING, Service, Simulation, percentile
from replicator.sync.coverage.ledger import BEGINNING, Ledger, Piece
from replicator.sync.coverage.page import Lane
from replicator.sync.engine.credit import DEFAULT_SHARE, one_pass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.records import Call

SIZES = {10_000: (6, 15), 100_000: (10, 120), 1_000_000: (30, 480)}
"""{stored calls: (hours that are simulated, the bar in minutes)}"""
CHANGES = 2_000


class Renewal(Simulation):
    """The service on a replica that is complete: what it re-reads, and when it sees what has changed."""

    def __init__(self, service: Service, bar: timedelta) -> None:
        super().__init__(service)
        self.listed = bytearray(b"\x01") * service.backlog
        self.measured.backlog_read = service.backlog
        self.changes: dict[int, list[datetime]] = {}
        self.seen: list[float] = []
        last = (self.end - BEGIN) - 2 * bar
        for _ in range(CHANGES):
            at = BEGIN + last * self.random.random()
            self.changes.setdefault(self.random.randrange(service.backlog), []).append(at)

    def first_ledger(self) -> Ledger:
        """Everything was compared right before the service begins."""
        return Ledger((Piece(BEGINNING, BEGIN - timedelta(seconds=5), BEGIN),))

    def _commit_page(self, rows: Sequence[Call], sent_at: datetime) -> None:
        super()._commit_page(rows, sent_at)
        for call in rows:
            number = call.id.int - HISTORY
            if number in self.changes:
                waiting = self.changes[number]
                self.seen += [(self.now + WRITING - at).total_seconds() for at in waiting if at < sent_at]
                self.changes[number] = [at for at in waiting if at >= sent_at]

    def row(self, bar_minutes: float) -> dict[str, Any]:
        """Return the row of the table."""
        service, measured = self.service, self.measured
        a_minute = (service.limits.ours or 0) * 60 / service.limits.window_seconds
        minutes = service.hours * 60
        return {
            "calls": service.backlog,
            "share": DEFAULT_SHARE,
            "limit_a_minute": service.limits.per_window,
            "hours": service.hours,
            "changes": CHANGES,
            "never_seen": CHANGES - len(self.seen),
            "p50_minutes": round(percentile(self.seen, 0.5) / 60, 1),
            "p95_minutes": round(percentile(self.seen, 0.95) / 60, 1),
            "longest_minutes": round(max(self.seen) / 60, 1),
            "bar_minutes": bar_minutes,
            "pass_minutes": round(one_pass(service.backlog) / (DEFAULT_SHARE * a_minute), 1),
            "reread_a_minute": round(measured.requests[Lane.REREAD] / minutes, 2),
            "renewal_a_minute": round(measured.requests[Lane.RENEWAL] / minutes, 2),
            "used_a_minute": round(sum(measured.requests.values()) / minutes, 2),
            "allowed_a_minute": service.limits.ours,
            "new_transcripts_p95_seconds": percentile(measured.delays, 0.95),
            "over_the_limit": measured.refused,
            "pieces": len(self.engine.position.state.ledger.pieces),
        }


def measure(calls: int) -> dict[str, Any]:
    hours, bar = SIZES[calls]
    simulated = Renewal(replace(Service(), backlog=calls, hours=hours), timedelta(minutes=bar))
    simulated.run()
    return simulated.row(bar)


def main() -> None:
    """Measure the sizes that are named (default: all); the rows of others in the result file stay."""
    sizes = [int(word) for word in sys.argv[1:] if word.isdigit()] or list(SIZES)
    path = common.RESULTS / "renewal.json"
    known = json.loads(path.read_text(encoding="utf-8"))["table"] if path.exists() else []
    rows = {row["calls"]: row for row in known}
    for calls in sizes:
        rows[calls] = measure(calls)
        print(rows[calls])
        common.write("renewal", {"table": [rows[size] for size in sorted(rows)]})


if __name__ == "__main__":
    main()
