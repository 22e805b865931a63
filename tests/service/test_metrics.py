"""The metrics of `serve`: what is measured is right, can be parsed, has a meaning, and is what the alerts look at."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from replicator.report import figures
from replicator.report.rows import Measure
from replicator.service import metrics
from tests.bi.fix_needs import missing
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from replicator.store.database import Database

TOP = Path(__file__).resolve().parents[2]
ALERTS = TOP / "dashboards" / "prometheus" / "alerts.yml"
HOSTILE = 'a "quoted" \\ name\nof {two="lines"} 1'

MADE = """
INSERT INTO replicator.budgets (account, key_id, window_seconds, request_limit) VALUES ('default', 'k2', 60, 97)
    ON CONFLICT DO NOTHING;
INSERT INTO archive.heads (account, block, place, head, written_at, authority)
    VALUES ('default', 1, 'folder', '{}', now(), 'https://time.example');
INSERT INTO billing.budgets VALUES
    ('default', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), 'account', '', 0.01),
    ('default', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), 'campaign', %(hostile)s, 100),
    ('another', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), 'account', '', 100);
INSERT INTO replicator.absences (account, call_id, evidence, last_seen_at, first_missing_at)
    SELECT 'default', id, 'page', now(), now() FROM truedy.calls ORDER BY id LIMIT 3
"""

Parsed = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: bytes) -> Parsed:
    """Return {(name, sorted labels): value} as Prometheus reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(found: Parsed, name: str, account: str = "default", **labels: str) -> float:
    return found[metrics.PREFIX + name, tuple(sorted({"account": account, **labels}.items()))]


def test_what_is_measured_is_what_the_tables_hold(database: Database) -> None:
    """After syncs with the archive on, with budgets, suspects and a head: each figure equals a count of its own, and nothing of
    another account is in it."""
    with source(database, calls=150) as there:
        there.sync(seals=True)
        there.world.update(there.world.live_ids()[3], cost_usd=7.5)
        there.sync(seals=True)
        with database.transaction() as tx:
            for statement in MADE.split(";"):
                tx.execute(statement.encode(), {"hostile": HOSTILE} if "%(" in statement else None)
        measured = figures.measures(database, "default")
        found = parsed(metrics.exposition(measured, "default"))

        def counted(statement: str) -> float:
            return float(there.value(statement))

        assert value(found, "database_up") == 1
        assert value(found, "lease_held") == 0
        assert 0 < value(found, "lag_seconds") < 600
        assert value(found, "complete_and_proven") == counted(
            "SELECT is_complete_and_proven::integer FROM analytics.replication_freshness"
        )
        assert (
            value(found, "calls", state="live")
            == counted("SELECT count(*) FROM truedy.calls WHERE deleted_at IS NULL")
            == 150
        )
        assert value(found, "calls", state="proven") <= 150
        assert value(found, "source_calls") == 150
        for kind, table in (("transcript", "transcripts"), ("recording", "recordings")):
            assert value(found, "pending_details", kind=kind) == counted(
                f"SELECT count(*) FROM truedy.{table} WHERE due_at IS NOT NULL"
            )
        assert value(found, "suspected_deletions") == 3
        assert value(found, "last_run", outcome="done") == 1
        assert value(found, "last_run_requests", result="sent") == counted(
            "SELECT requests FROM replicator.runs ORDER BY id DESC LIMIT 1"
        )
        assert value(found, "last_run_calls", change="changed") == counted(
            "SELECT calls_changed FROM replicator.runs ORDER BY id DESC LIMIT 1"
        )
        assert value(found, "window_requests_limit", key_id="k2") == 97
        assert value(found, "window_requests", key_id="k2") == 0
        assert value(found, "archive_records") == counted("SELECT count(*) FROM archive.records")
        assert value(found, "archive_unanchored_records") == counted(
            "SELECT count(*) FROM archive.records WHERE block > 1"
        )
        assert 0 < value(found, "archive_unanchored_seconds") < 600
        assert value(found, "archive_heads_without_token") == 1
        assert value(found, "recordings", state="waiting") == counted(
            "SELECT count(*) FROM archive.objects WHERE state = 'pending'"
        )
        month = str(there.value("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')"))
        hostile = {"period": month, "scope": "campaign", "scope_value": HOSTILE}
        assert value(found, "budget_usd", **hostile) == 100
        assert value(found, "budget_passed", **hostile) == 0
        whole = {"period": month, "scope": "account", "scope_value": ""}
        assert value(found, "budget_usd", **whole) == 0.01
        assert value(found, "budget_will_be_passed", **whole) == (value(found, "budget_forecast_usd", **whole) > 0.01)
        assert {name.removeprefix(metrics.PREFIX) for name, _ in found} == set(metrics.MEANINGS)
        assert all(math.isfinite(one) for one in found.values())
        assert {dict(labels)["account"] for _, labels in found} == {"default"}


def test_before_the_first_sync_there_is_little(database: Database) -> None:
    """No error, no invented zero: only what can be said of an empty replica."""
    found = parsed(metrics.exposition(figures.measures(database, "default"), "default"))
    assert {name.removeprefix(metrics.PREFIX) for name, _ in found} == {
        "database_up", "build_info", "lease_held", "suspected_deletions",
    }  # fmt: skip


def test_other_labels_than_the_meaning_has_are_a_defect() -> None:
    """A label that is new in the query is missed in the page and the alerts: it does not pass unseen."""
    with pytest.raises(AssertionError, match="calls has other labels"):
        metrics.exposition((Measure("calls", ("stat", "live"), 1.0),), "default")


def test_the_page_is_as_it_is_generated() -> None:
    """`make docs` writes it."""
    assert (TOP / "docs" / "metrics.md").read_text(encoding="utf-8") == metrics.document()


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_looks_at_metrics_that_exist(rule: dict[str, Any]) -> None:
    """Its names and labels are those of the catalogue, and it says what to do."""
    names = set(re.findall(r"replicator_(\w+)", rule["expr"]))
    assert names <= set(metrics.MEANINGS)
    known = {"account"}.union(*(metrics.MEANINGS[name].labels for name in names))
    text = " ".join(rule["annotations"].values())
    assert set(re.findall(r"(\w+)=~?\"", rule["expr"])) <= known
    assert set(re.findall(r"\$labels\.(\w+)", text)) <= known
    assert rule["annotations"].keys() == {"summary", "description"}
    assert rule["labels"]["severity"] in {"critical", "warning"}


SERIES = {
    'replicator_build_info{account="a",version="1"}': "1x3000", 'replicator_database_up{account="a"}': "1x3000",
    'replicator_lease_held{account="a"}': "1x3000", 'replicator_lag_seconds{account="a"}': "10x100 1000x3000",
    'replicator_complete_and_proven{account="a"}': "1x10 0x3000", 'replicator_oldest_look_seconds{account="a"}': "100x3000",
    'replicator_newest_call_seconds{account="a"}': "90000x3000", 'replicator_quarantined_rows{account="a"}': "0x59 3x3000",
    'replicator_suspected_deletions{account="a"}': "0x199 500x3000", 'replicator_calls{account="a",state="live"}': "1000x3000",
    'replicator_last_run{account="a",outcome="done"}': "1x299", 'replicator_last_run{account="a",outcome="failed"}': "_x300 1x3000",
    'replicator_recordings{account="a",state="missing"}': "0x400 4x3000",
    'replicator_recordings{account="a",state="near_deadline"}': "0x500 2x3000",
    'replicator_archive_unanchored_seconds{account="a"}': "0x600 200000x3000",
    'replicator_budget_will_be_passed{account="a",period="2026-11",scope="account",scope_value=""}': "0x700 1x3000",
}  # fmt: skip
FIRING = {
    50: set(), 61: {"QuarantineGrows", "NoNewCalls"}, 90: {"QuarantineGrows", "NoNewCalls"}, 108: {"QuarantineGrows", "Stale"}, 220: {"Stale", "ManyDeletions"},
    340: {"Stale", "ManyDeletions", "RunsFail"}, 402: {"Stale", "ManyDeletions", "RunsFail", "RecordingsLost"},
    520: {"Stale", "ManyDeletions", "RunsFail", "RecordingsLost", "RecordingsNearDeadline"},
    670: {"Stale", "ManyDeletions", "RunsFail", "RecordingsLost", "RecordingsNearDeadline", "OpenWindow"},
    770: {"Stale", "ManyDeletions", "RunsFail", "RecordingsLost", "RecordingsNearDeadline", "OpenWindow", "BudgetOfMoney"},
}  # fmt: skip
"""By minute, which alerts call somebody."""


def promtool(*words: str) -> None:
    tool = shutil.which("promtool") or missing("prometheus")
    done = subprocess.run([tool, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_reads_the_rules() -> None:
    """Its own tool takes each expression."""
    promtool("check", "rules", str(ALERTS))


def test_who_is_called_when(tmp_path: Path) -> None:
    """Prometheus evaluates the rules over series that go wrong one after the other: each alert comes when it has to, and no other."""
    bare = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    for rule in bare["groups"][0]["rules"]:
        del rule["annotations"], rule["labels"]
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(bare))
    expected = [
        {"eval_time": f"{minute}m", "alertname": rule["alert"], "exp_alerts": [labels] if is_firing else []}
        for minute, firing in FIRING.items()
        for rule in rules()
        for is_firing in [rule["alert"].removeprefix("Replicator") in firing]
        for labels in [{"exp_labels": labels_of(rule["alert"])}]
    ]
    test = {
        "rule_files": [str(tmp_path / "alerts.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in SERIES.items()],
                "alert_rule_test": expected,
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    promtool("test", "rules", str(tmp_path / "test.yml"))


def labels_of(alert: str) -> dict[str, str]:
    more = {
        "ReplicatorRunsFail": {"outcome": "failed"},
        "ReplicatorRecordingsLost": {"state": "missing"},
        "ReplicatorRecordingsNearDeadline": {"state": "near_deadline"},
        "ReplicatorBudgetOfMoney": {"period": "2026-11", "scope": "account"},
    }
    return {"account": "a", **more.get(alert, {})}
