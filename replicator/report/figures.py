"""Reads the report's figures from the database in one snapshot: one named query of sql/report for each kind of row.

A query's columns are the fields of its dataclass in report/rows.py, in the same order (a test compares them). So a
query can be moved to another view without other changes. No phone number, transcript or summary is read here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from replicator.report.money_rows import BridgeStep, BudgetLine, ClosedMonth, Reconciled
from replicator.report.periods import last_days
from replicator.report.rows import (
    Adjustment,
    Agent,
    ArchiveDay,
    Aside,
    Attempts,
    Band,
    Campaign,
    Costs,
    CoveredDay,
    Delay,
    Durations,
    ErrorText,
    Facts,
    Figures,
    Hour,
    Measure,
    Month,
    Outstanding,
    Pulse,
    RunLine,
    StatusWord,
    UnsureStretch,
)
from replicator.store.schema_check import bundled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replicator.store.database import Database

MOST_AGENTS = 12
MOST_NAMES = 10
MOST_LINES = 8
MOST_MONTHS = 24
PULSE_SECONDS = 5
MEASURES_SECONDS = 10
_FILE = re.compile(r"\d\d_([a-z]+)\.sql\Z")

Row = TypeVar("Row")

SHAPES: Mapping[str, type[Any]] = {
    "facts": Facts, "attempts": Attempts, "durations": Durations, "histogram": Band, "costs": Costs, "months": Month,
    "adjustments": Adjustment, "hours": Hour, "agents": Agent, "campaigns": Campaign, "statuses": StatusWord,
    "errors": ErrorText, "coverage": CoveredDay, "outstanding": Outstanding, "unsure": UnsureStretch,
    "quarantine": Aside, "runs": RunLine, "delays": Delay, "health": Pulse, "budgets": BudgetLine,
    "reconciled": Reconciled, "bridge": BridgeStep, "closes": ClosedMonth, "archive": ArchiveDay,
    "metrics": Measure,
}  # fmt: skip
"""{name of a query: dataclass of its rows}."""


def queries() -> dict[str, str]:
    """Return the queries by name."""
    folder = bundled("sql") / "report"
    return {
        match[1]: path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("*.sql"))
        if (match := _FILE.match(path.name))
    }


def read(database: Database, account: str, days: int, *, most_seconds: float = 0) -> Figures:
    """Read everything in one snapshot; `most_seconds` limits each statement (0: no limit)."""
    texts = queries()
    with database.transaction() as tx:
        tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        tx.execute(f"SET LOCAL statement_timeout = {int(most_seconds * 1000)}")
        values: dict[str, Any] = {"account": account}

        def rows(name: str, shape: type[Row], most: int = MOST_NAMES) -> tuple[Row, ...]:
            found = tx.execute(texts[name].encode(), {**values, "most": most}).fetchall()
            return tuple(shape(*row) for row in found)

        (facts,) = rows("facts", Facts)
        over = last_days(facts.today, days)
        values |= {"since": over.since, "before": over.before, "today": over.today, "bucket": over.bucket}
        return Figures(
            account=account,
            period=over,
            facts=facts,
            attempts=rows("attempts", Attempts),
            durations=rows("durations", Durations),
            histogram=rows("histogram", Band),
            costs=rows("costs", Costs),
            months=rows("months", Month),
            adjustments=rows("adjustments", Adjustment),
            hours=rows("hours", Hour),
            agents=rows("agents", Agent, MOST_AGENTS),
            campaigns=rows("campaigns", Campaign),
            statuses=rows("statuses", StatusWord),
            errors=rows("errors", ErrorText),
            coverage=rows("coverage", CoveredDay),
            outstanding=rows("outstanding", Outstanding)[0],
            unsure=rows("unsure", UnsureStretch, MOST_LINES),
            quarantine=rows("quarantine", Aside, MOST_LINES),
            runs=rows("runs", RunLine, MOST_LINES),
            delays=rows("delays", Delay),
            budgets=rows("budgets", BudgetLine),
            reconciled=rows("reconciled", Reconciled),
            bridge=rows("bridge", BridgeStep),
            closes=rows("closes", ClosedMonth, MOST_MONTHS),
            archive=rows("archive", ArchiveDay),
        )


def pulse(database: Database, account: str) -> Pulse:
    """Read the facts for a health check. Raises DatabaseError where the database cannot be asked."""
    with database.transaction() as tx:
        tx.execute(f"SET LOCAL statement_timeout = {PULSE_SECONDS * 1000}")
        return Pulse(*tx.execute(queries()["health"].encode(), {"account": account}).fetchall()[0])


def measures(database: Database, account: str) -> tuple[Measure, ...]:
    """Read the measurements for `/metrics`. Raises DatabaseError where the database cannot be asked."""
    with database.transaction() as tx:
        tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        tx.execute(f"SET LOCAL statement_timeout = {MEASURES_SECONDS * 1000}")
        found = tx.execute(queries()["metrics"].encode(), {"account": account}).fetchall()
        return tuple(Measure(name, tuple(labels), value) for name, labels, value in found)
