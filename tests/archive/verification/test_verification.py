"""The tamper matrix over records and blocks, and no false alarm."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from replicator.archive import chain
from tests.archive import fix_chain
from tests.archive.fix_chain import FOUND_ALWAYS, FOUND_BY_HEADS, made

pytestmark = pytest.mark.pure

TRIALS = 200


def test_an_untouched_chain_has_no_fault() -> None:
    """A thousand random chains, with erasures, against no head, every head, and a head in the middle."""
    for seed in range(1_000):
        whole = made(random.Random(seed), blocks=seed % 7)
        heads = [whole.head(number) for number in range(1, len(whole.blocks) + 1)]
        assert whole.faults(heads) == [], seed


@pytest.mark.parametrize("attack", FOUND_ALWAYS, ids=lambda attack: attack.__name__)
def test_what_does_not_fit_is_found_without_a_head(attack: fix_chain.Attack) -> None:
    """Each of these leaves something that does not fit, and the first bad sequence is named."""
    for seed in range(TRIALS):
        rng = random.Random(seed)
        changed, named = attack(made(rng), rng)  # type: ignore[operator]
        faults = changed.faults()
        assert faults, seed
        assert min(fault.sequence or 1 for fault in faults) <= named, seed
        assert all(fault.message and fault.code for fault in faults)


@pytest.mark.parametrize("attack", FOUND_BY_HEADS, ids=lambda attack: attack.__name__)
def test_what_was_computed_anew_is_found_by_a_head_outside(attack: fix_chain.Attack) -> None:
    """Whoever owns the database can make a whole chain: nothing is found without a head, and always with the newest one."""
    alone = 0
    for seed in range(TRIALS):
        rng = random.Random(seed)
        whole = made(rng)
        head = whole.head()
        changed, _ = attack(whole, rng)  # type: ignore[operator]
        alone += bool(changed.faults())
        faults = changed.faults([head])
        assert [fault for fault in faults if fault.code in {"head", "cut"}], seed
    if attack is not fix_chain.cut_tail:  # which may cut an erasure's record, and leave what it erased
        assert alone == 0


def test_the_open_window_is_open() -> None:
    """What was sealed after the newest head outside can be computed anew without a trace: that is its limit."""
    for seed in range(TRIALS):
        rng = random.Random(seed)
        whole = made(rng)
        head = whole.head(len(whole.blocks) - 1)
        last = whole.blocks[-1]
        changed = fix_chain.Chain(whole.blocks[:-1], whole.records[: last.first - 1])
        changed.add([fix_chain.entry(rng)], last.sealed_at)
        assert {fault.code for fault in changed.faults([head])} <= {"erased_without_record"}


def test_one_fault_is_one_line_and_the_check_goes_on() -> None:
    """A record that is missing does not make its block wrong, too; a second fault behind it is found."""
    whole = made(random.Random(3), blocks=5, most=5)
    gone = whole.records.pop(1)
    place = fix_chain.victim(whole, random.Random(1))
    whole.records[place] = fix_chain.edited(whole.records[place], random.Random(1))
    codes = [(fault.code, fault.sequence) for fault in whole.faults()]
    assert codes[0] == ("record_missing", gone.sequence)
    assert len(codes) == 2


def test_a_block_of_another_account_is_no_block_of_this_one() -> None:
    """The account is part of a block's hash."""
    whole = made(random.Random(1))
    whole.blocks[0] = replace(whole.blocks[0], account="other")
    assert "block_hash" in {fault.code for fault in whole.faults()}


def test_an_erasure_explains_only_what_it_names() -> None:
    """And only what was sealed before it: an erasure cannot name records to come."""
    rng = random.Random(1)
    whole = fix_chain.Chain([], [])
    whole.add([fix_chain.entry(rng), fix_chain.entry(rng)], fix_chain.AT)
    whole.add([fix_chain.entry(rng, fix_chain.Kind.ERASURE, records=[1, 4])], fix_chain.AT)
    whole.add([fix_chain.entry(rng)], fix_chain.AT)
    for sequence in (1, 2, 4):
        whole.records[sequence - 1] = whole.records[sequence - 1]._replace(salt=None, content=None)
    assert [(fault.sequence, fault.code) for fault in whole.faults()] == [
        (2, "erased_without_record"),
        (4, "erased_without_record"),
    ]


def test_what_has_a_commitment_and_no_form_is_a_fault() -> None:
    """A record that was sealed from other bytes than a record's is told, and does not end the check."""
    rng = random.Random(1)
    whole = fix_chain.Chain([], [])
    kind, subject, at, salt, _ = fix_chain.entry(rng)
    whole.add([(kind, subject, at, salt, b"\xff not JSON")], fix_chain.AT)
    assert [fault.code for fault in whole.faults()] == ["record_form"]
    assert len(whole.records[0].salt or b"") == chain.SALT_BYTES
