"""The order of precedence: hold, statutory retention, erasure, business retention, deletion at the source."""

from __future__ import annotations

from itertools import product

import pytest

from replicator.archive.governance.precedence import TABLE, WORDS, Decision, Facts, Reason, Retention, decide

pytestmark = pytest.mark.pure

NONE, RUNNING, OVER = Retention.NONE, Retention.RUNNING, Retention.OVER

DECIDED = """
held statutory erasure business deleted
1 1 1 1 1 held    | 1 1 1 1 0 held    | 1 1 1 0 1 held    | 1 1 1 0 0 held
1 1 0 1 1 held    | 1 1 0 1 0 held    | 1 1 0 0 1 held    | 1 1 0 0 0 held
1 0 1 1 1 held    | 1 0 1 1 0 held    | 1 0 1 0 1 held    | 1 0 1 0 0 held
1 0 0 1 1 held    | 1 0 0 1 0 held    | 1 0 0 0 1 held    | 1 0 0 0 0 held
0 1 1 1 1 law     | 0 1 1 1 0 law     | 0 1 1 0 1 law     | 0 1 1 0 0 law
0 1 0 1 1 law     | 0 1 0 1 0 law     | 0 1 0 0 1 law     | 0 1 0 0 0 law
0 0 1 1 1 erase   | 0 0 1 1 0 erase   | 0 0 1 0 1 erase   | 0 0 1 0 0 erase
0 0 0 1 1 ours    | 0 0 0 1 0 ours    | 0 0 0 0 1 source  | 0 0 0 0 0 nothing
"""
MEANING = {
    "held": (Decision.KEEP, Reason.HELD),
    "law": (Decision.KEEP, Reason.STATUTORY),
    "erase": (Decision.ERASE, Reason.ERASURE),
    "ours": (Decision.KEEP, Reason.BUSINESS),
    "source": (Decision.KEEP, Reason.DELETED_AT_SOURCE),
    "nothing": (Decision.KEEP, Reason.NO_RULE),
}


def test_each_of_the_32_combinations_is_decided_as_written_down() -> None:
    """The five conditions, each true or not; a retention that is true runs."""
    cells = [cell.split() for line in DECIDED.strip().splitlines()[1:] for cell in line.split("|")]
    assert len({tuple(cell[:5]) for cell in cells}) == 32
    for *conditions, word in cells:
        held, statutory, erasure, business, deleted = (one == "1" for one in conditions)
        facts = Facts(held, RUNNING if statutory else NONE, erasure, RUNNING if business else NONE, deleted)
        assert (decide(facts).decision, decide(facts).reason) == MEANING[word], facts


def expected(facts: Facts) -> tuple[Decision, Reason]:
    """Say the order once more, in other words than the table."""
    if facts.is_held:
        return Decision.KEEP, Reason.HELD
    if facts.statutory is RUNNING:
        return Decision.KEEP, Reason.STATUTORY
    if facts.is_erasure_asked:
        return Decision.ERASE, Reason.ERASURE
    if facts.business is RUNNING:
        return Decision.KEEP, Reason.BUSINESS
    if OVER in (facts.statutory, facts.business):
        return Decision.DISPOSE, Reason.RETENTION_OVER
    return Decision.KEEP, Reason.DELETED_AT_SOURCE if facts.is_deleted_at_source else Reason.NO_RULE


def test_all_combinations_with_retention_that_is_over() -> None:
    """72: a retention is none, runs, or is over."""
    every = [Facts(*one) for one in product((False, True), Retention, (False, True), Retention, (False, True))]
    assert len(every) == 72
    for facts in every:
        line = decide(facts)
        assert (line.decision, line.reason) == expected(facts), facts


def test_every_line_of_the_table_decides_something() -> None:
    """No line stands behind another that is always true before it; each reason has words."""
    every = [Facts(*one) for one in product((False, True), Retention, (False, True), Retention, (False, True))]
    assert {id(decide(facts)) for facts in every} == {id(line) for line in TABLE}
    assert set(WORDS) == set(Reason)
