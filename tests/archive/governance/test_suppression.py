"""Keyed hashes and the reduced form: stable, without the person, and with what is counted."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from replicator.archive.governance.plan import Candidate, Hold, Rules, verdict
from replicator.archive.governance.precedence import Decision, Reason
from replicator.archive.governance.spellings import spelling
from replicator.archive.governance.suppression import Counted, Keys, is_reduced, reduced, reduced_bytes, word_at
from replicator.records import Call
from replicator.source.parsing import parse_row
from tests.archive.governance.test_retention import NOON, kept

pytestmark = pytest.mark.pure

KEYS = Keys(b"a secret of more than thirty-two characters, for tests")
RULES = Counted(
    ("campaign_id",),
    ("outcome", "goal"),
    frozenset({"yes"}),
    ("not in service", "rejected"),
    ((("end_reason",), "voicemail"),),
)


def call(**more: Any) -> Call:
    shown = {
        "id": str(UUID(int=3)), "status": "completed", "direction": "outbound", "phone_number": "+493055501234",
        "created_at": "2026-03-01T12:00:00Z", "updated_at": "2026-03-01T12:05:00Z", "cost_usd": 0.120, "duration_seconds": 9,
        "summary": "Alice", "recording_url": "https://x.example/a?sig=1", **more,
    }  # fmt: skip
    found = parse_row(json.dumps(shown).encode())
    assert isinstance(found, Call)
    return found


def test_the_same_call_has_the_same_reduced_form_at_each_look() -> None:
    """Whatever of the person changes, and however the cost is written: the fingerprint changes with status and cost only."""
    first = reduced(call(), RULES)
    for other in (
        call(summary="Bob"),
        call(phone_number="+12025550123"),
        call(updated_at=None),
        call(new_field="Alice"),
    ):
        assert reduced(other, RULES).fingerprint == first.fingerprint
    assert reduced(call(cost_usd=0.13), RULES).fingerprint != first.fingerprint
    assert reduced(call(status="failed"), RULES).fingerprint != first.fingerprint
    assert is_reduced(first.raw)
    assert "Alice" not in repr(first)
    assert "30555" not in repr(first)


def test_a_reduced_form_is_its_own_reduced_form() -> None:
    """Read back from the database and reduced again, it is the same."""
    context = {"campaign_id": "spring", "outcome": {"goal": "Yes"}, "last_error": "number not in service: +49 30"}
    first = reduced(call(context=context, end_reason="voicemail"), RULES)
    again = parse_row(first.raw.encode())
    assert isinstance(again, Call)
    assert reduced(again, RULES).fingerprint == first.fingerprint


@pytest.mark.parametrize(
    ("context", "stays"),
    [
        ({"campaign_id": "spring-2026", "name": "Alice"}, {"campaign_id": "spring-2026"}),
        ({"campaign_id": "for Alice Smith"}, None),
        ({"campaign_id": "+493055501234"}, None),
        (
            {"campaign_id": "6f1e2d3c-aaaa-4bbb-8ccc-1234567890ab"},
            {"campaign_id": "6f1e2d3c-aaaa-4bbb-8ccc-1234567890ab"},
        ),
        ({"outcome": {"goal": "yes", "who": "Alice"}}, {"outcome": {"goal": "yes"}}),
        ({"outcome": {"goal": "Alice"}}, None),
        ({"last_error": "carrier rejected +493055501234"}, {"last_error": "rejected"}),
        ({"last_error": "Alice hung up"}, {"last_error": "-"}),
        ({"name": "Alice"}, None),
    ],
)
def test_what_is_counted_of_a_context_stays(context: dict[str, Any], stays: dict[str, Any] | None) -> None:
    """Labels and words of rules stay, texts do not."""
    found = reduced(call(context=context), RULES).context
    assert (None if found is None else json.loads(found)) == stays


def test_hashes_know_a_number_in_all_its_forms_and_nothing_else() -> None:
    """Those of a spelling contain that of each way in which a column may write it; another secret makes others."""
    hashes = KEYS.of_spelling(spelling("+49 30 5550 1234"))
    for text in ("+493055501234", "0049 30 55501234", "030 5550-1234", "sip:+493055501234@10.0.0.1"):
        assert KEYS.of_number(text) in hashes
    assert KEYS.of_number("+493055501235") not in hashes
    assert Keys(b"x" * 32).of_number("+493055501234") not in hashes
    assert KEYS.of_call(UUID(int=1)) != KEYS.of_call(UUID(int=2))
    assert b"secret" not in repr(KEYS).encode()
    assert reduced_bytes(KEYS, b"Alice") == reduced_bytes(KEYS, b"Alice") != reduced_bytes(KEYS, b"Bob")
    assert word_at('{"a": {"b": true}}', ("a", "b")) == "true"
    assert word_at(None, ("a",)) is None


def test_a_hold_covers_what_is_all_of_it_and_what_it_names() -> None:
    """Number, agent and days go together; a call that is named is covered whatever else the hold says."""
    agent = UUID(int=9)
    one = Candidate(UUID(int=1), NOON, NOON, agent_id=agent, number_keys=frozenset({"n"}))
    assert Hold("h", number_keys=frozenset({"n"}), agent_id=agent, since=NOON).covers(one)
    assert not Hold("h", number_keys=frozenset({"n"}), agent_id=UUID(int=8)).covers(one)
    assert not Hold("h", number_keys=frozenset({"m"})).covers(one)
    assert not Hold("h", since=None, until=NOON).covers(one)
    assert Hold("h", frozenset({one.id}), frozenset({"m"})).covers(one)
    assert not Hold("h", frozenset({UUID(int=2)})).covers(one)
    assert Hold("h", until=NOON).covers(Candidate(UUID(int=1), None, NOON))


def test_a_verdict_names_what_keeps_the_call() -> None:
    """The hold, or the class and the end of its time."""
    one = Candidate(UUID(int=1), NOON, NOON, direction="inbound")
    rules = Rules([Hold("case", frozenset({one.id}))], [kept("law", "6y")])
    found = verdict(one, rules, NOON, is_erasure_asked=True)
    assert (found.reason, found.kept_by, found.kept_until) == (Reason.HELD, "case", None)
    found = verdict(one, Rules((), rules.classes), NOON, is_erasure_asked=True)
    assert (found.reason, found.kept_by, found.kept_until) == (Reason.STATUTORY, "law", NOON.replace(year=2032))
    found = verdict(one, Rules((), rules.classes), NOON.replace(year=2033), is_erasure_asked=False)
    assert (found.decision, found.reason, found.is_removal) == (Decision.DISPOSE, Reason.RETENTION_OVER, True)
