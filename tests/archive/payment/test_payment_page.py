"""docs/archive-payment.md says what was measured, and what is there."""

from __future__ import annotations

import json
import re

import pytest

from bench.payment import PAGE, RESULT, figures
from replicator.archive.payment.payment_rules import PaymentData, RuleKind

pytestmark = pytest.mark.pure


def test_the_figures_are_those_that_were_measured() -> None:
    """Each line of the table has the figure of bench/results/payment.json."""
    text, result = PAGE.read_text(encoding="utf-8"), json.loads(RESULT.read_text(encoding="utf-8"))
    rows = dict(re.findall(r"^\| (.+?) \| ([\d.]+ %) \|$", text, re.MULTILINE))
    assert rows == figures(result)
    assert f"on {result['transcripts']:,} synthetic transcripts (seed {result['seed']})" in text


def test_every_value_and_kind_is_explained() -> None:
    """The setting's values and the kinds of rules stand on the page."""
    text = PAGE.read_text(encoding="utf-8")
    assert [word for word in (*PaymentData, *RuleKind) if f"`{word}`" not in text] == []
