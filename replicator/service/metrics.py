"""Writes the metrics of `serve` in Prometheus' text format, and says what each of them means.

`sql/report/24_metrics.sql` measures them. `python -m replicator.service.metrics` prints docs/metrics.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from replicator import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from replicator.report.rows import Measure

KIND = "text/plain; version=0.0.4"
"""The media type of Prometheus' text format."""
PREFIX = "replicator_"


class Meaning(NamedTuple):
    """What a metric says, with its labels beside `account`."""

    text: str
    labels: tuple[str, ...] = ()


BUDGET = ("period", "scope", "scope_value")
MEANINGS: dict[str, Meaning] = {
    "database_up": Meaning("1 if the database answered. At 0 only this metric and build_info are shown"),
    "build_info": Meaning("always 1; the label is the version of the program", ("version",)),
    "lease_held": Meaning("1 if a process holds the account's lease, which every sync needs"),
    "lag_seconds": Meaning("time since the newest end of the source's list was read: how old the replica is"),
    "complete_and_proven": Meaning("1 if the replica is complete and proven"),
    "holes": Meaning("time ranges that were never compared, between compared ones"),
    "unsure_intervals": Meaning("time ranges that were compared but could not be proven"),
    "oldest_look_seconds": Meaning("age of the oldest comparison with the source that still counts"),
    "calls": Meaning("stored calls that are not deleted; `proven` are those of proven time ranges", ("state",)),
    "source_calls": Meaning("number of calls that the source stated when its list was last read"),
    "newest_call_seconds": Meaning("time since the creation of the newest stored call"),
    "pending_details": Meaning("transcripts and recording links that are still to be asked for", ("kind",)),
    "quarantined_rows": Meaning("rows of the source that could not be read and wait in quarantine"),
    "suspected_deletions": Meaning("calls that the source does not show any more, not yet confirmed as deleted"),
    "last_run": Meaning("always 1; the label says how the last run ended, or that it is running", ("outcome",)),
    "last_run_age_seconds": Meaning("time since the last run ended; 0 while it is running"),
    "last_run_seconds": Meaning("how long the last run took, or has taken until now"),
    "last_run_requests": Meaning("requests of the last run; of those sent, some are refused or fail", ("result",)),
    "last_run_calls": Meaning("calls that the last run inserted, changed or set aside in quarantine", ("change",)),
    "window_seconds": Meaning("length of the source's rate window", ("key_id",)),
    "window_requests": Meaning("requests that are charged to the current rate window", ("key_id",)),
    "window_requests_limit": Meaning(
        "requests per window that the source allows, as learned from its refusals", ("key_id",)
    ),
    "recordings": Meaning(
        "recordings in the archive; those near or past the vendor's deadline also count as waiting", ("state",)
    ),
    "recordings_stored_bytes": Meaning("size of the stored recordings"),
    "archive_records": Meaning("sealed records of the archive's chain"),
    "archive_unanchored_records": Meaning("sealed records after the newest head that was written outside"),
    "archive_unanchored_seconds": Meaning("age of the oldest sealed record after that head: the open window"),
    "archive_heads_without_token": Meaning("heads whose time stamp has not arrived"),
    "budget_usd": Meaning("cost budget of the current month", BUDGET),
    "budget_spent_usd": Meaning("cost so far", BUDGET),
    "budget_forecast_usd": Meaning("forecast of the month's cost", BUDGET),
    "budget_passed": Meaning("1 if the budget is exceeded", BUDGET),
    "budget_will_be_passed": Meaning("1 if the budget is exceeded, or will be according to the forecast", BUDGET),
}
"""{name without the prefix: what it means}. All are gauges."""


class _Families:
    """A collector of prometheus_client over measurements."""

    def __init__(self, measured: Sequence[Measure] | None, account: str) -> None:
        self._account = account
        self._rows: dict[str, list[tuple[tuple[str, ...], float]]] = {
            "database_up": [((), float(measured is not None))],
            "build_info": [((__version__,), 1.0)],
        }
        for row in measured or ():
            if row.labels[::2] != MEANINGS[row.name].labels:
                raise AssertionError(f"{row.name} has other labels than its meaning")
            self._rows.setdefault(row.name, []).append((row.labels[1::2], row.value))

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the families in the order of their meanings."""
        for name in sorted(self._rows, key=list(MEANINGS).index):
            meaning = MEANINGS[name]
            family = GaugeMetricFamily(PREFIX + name, meaning.text, labels=("account", *meaning.labels))
            for labels, value in self._rows[name]:
                family.add_metric((self._account, *labels), value)
            yield family


def exposition(measured: Sequence[Measure] | None, account: str) -> bytes:
    """Return the metrics as text; `measured` is None where the database could not be asked."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(measured, account))
    return generate_latest(registry)


def document() -> str:
    """Return docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "With `REPLICATOR_HTTP_PORT`, `serve` answers `/metrics` in Prometheus' text format. Every metric is a gauge and has the",
        "label `account`. They are measured at most every five seconds, in one snapshot of the database. A metric without a value",
        "(for example of a replica that was never synced) has no line. The metrics contain no number, name or text of a call; the",
        "labels of budgets contain the ids of the agents and campaigns for which you set them.",
        "",
        "`dashboards/prometheus/alerts.yml` has rules for alerts. A probe that restarts the service asks `/health` instead.",
        "",
        "```yaml",
        "scrape_configs:",
        "  - job_name: replicator",
        '    static_configs: [{targets: ["127.0.0.1:8080"]}]    # REPLICATOR_HTTP_PORT=8080',
        "rule_files: [alerts.yml]",
        "```",
        "",
        "Generated by `python -m replicator.service.metrics`.",
        "",
        "| metric | labels | meaning |",
        "| --- | --- | --- |",
        *(
            f"| `{PREFIX}{name}` | {', '.join(f'`{label}`' for label in meaning.labels)} | {meaning.text} |"
            for name, meaning in MEANINGS.items()
        ),
    ]
    return "\n".join(lines) + "\n"


__all__ = ["KIND", "MEANINGS", "PREFIX", "document", "exposition"]

if __name__ == "__main__":
    print(document(), end="")  # noqa: T201 - this is how the page is made
