"""What the writer and the archivist may do to a table, where that is less than everything. roles.py grants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

READ = frozenset({"SELECT"})
ADD = READ | {"INSERT"}
MOVE = ADD | {"UPDATE"}
ALL = MOVE | {"DELETE"}

WRITES: Mapping[str, frozenset[str]] = {
    "archive.blocks": ADD,
    "archive.chains": MOVE,
    "archive.disclosure_rules": READ,
    "archive.disclosures": ADD | {"DELETE"},
    "archive.heads": MOVE,
    "archive.objects": MOVE,
    "archive.payment_findings": ADD | {"DELETE"},
    "archive.payment_rules": READ,
    "archive.payment_scans": ALL,
    "archive.records": ADD,
    "archive.settings_seen": MOVE,
    "archive.suppressions": ADD,
    "billing.bridge_steps": ADD,
    "billing.close_amounts": ADD,
    "billing.closes": ADD,
    "billing.decisions": ADD,
    "billing.items": ADD | {"DELETE"},
    "billing.lines": ADD,
    "billing.matchings": MOVE,
    "billing.statements": MOVE,
    "truedy.calls": MOVE,
    "truedy.call_versions": ADD,
    "truedy.transcript_segments": ADD | {"DELETE"},
    "truedy.transcript_versions": ADD,
    "replicator.absences": MOVE,
    "replicator.agents": READ,
    "replicator.budgets": MOVE,
    "replicator.campaigns": READ,
    "replicator.cost_changes": ADD,
    "replicator.coverage": ADD | {"DELETE"},
    "replicator.error_classes": READ,
    "replicator.lease": MOVE,
    "replicator.locks": MOVE,
    "replicator.quarantine": MOVE,
    "replicator.reporting": READ,
    "replicator.runs": MOVE,
    "replicator.schema_version": READ,
    "replicator.source_state": MOVE,
    "replicator.stage_rules": READ,
    "replicator.stamp_conflicts": MOVE,
    "replicator.detail_habits": MOVE | {"DELETE"},
    "replicator.failing_stretches": MOVE | {"DELETE"},
    "replicator.status_stages": READ,
    "replicator.verifications": ADD,
    "replicator.views": READ,
}
"""What the writer may do to a table, where that is less than everything: it never deletes what was observed. A table of
schema archive that is not named here is only read by it.
"""

ARCHIVES: Mapping[str, frozenset[str]] = {
    "archive.blocks": ADD,
    "archive.erasure_calls": MOVE,
    "archive.erasures": MOVE,
    "archive.holds": MOVE,
    "archive.records": MOVE,
    "archive.retention_classes": ADD,
    "archive.suppressions": ADD,
    "billing.lines": MOVE,
    "replicator.parties": ALL,
    "replicator.quarantine": ALL,
}
"""What the archivist may do to a table beside what the writer may. Schemas archive and truedy are ALL but for these. That
an UPDATE of records only takes salt and bytes away is ensured by a trigger.
"""
