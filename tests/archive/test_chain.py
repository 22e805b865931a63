"""The arithmetic of the chain, against values that were computed by hand with another program."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.archive import chain

pytestmark = pytest.mark.pure

AT = datetime(2026, 11, 30, 0, 0, tzinfo=UTC)


def test_canonical_bytes_are_one_text() -> None:
    """Keys are sorted, nothing is escaped but what JSON needs, and what has no JSON is refused."""
    assert chain.canonical({"b": 'ü\n"', "a": [1, None, True]}) == '{"a":[1,null,true],"b":"ü\\n\\""}'.encode()
    with pytest.raises(ValueError, match="JSON compliant"):
        chain.canonical({"a": float("nan")})


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.booleans())))
def test_flat_contents_have_the_same_bytes(fields: dict[str, str | int]) -> None:
    """However they are made."""
    assert chain.canonical_flat(fields) == chain.canonical(fields)


def test_instants_are_utc_with_microseconds() -> None:
    """Whatever zone an instant is in."""
    assert chain.instant(AT) == "2026-11-30T00:00:00.000000Z"
    assert (
        chain.instant(datetime(2026, 11, 30, 2, 30, 0, 5, timezone(timedelta(hours=2.5))))
        == "2026-11-30T00:00:00.000005Z"
    )
    assert chain.instant(None) is None


def test_a_commitment_is_an_hmac() -> None:
    """Salt as the key, content as the message."""
    assert chain.commitment(b"s" * 32, b"content") == hmac.new(b"s" * 32, b"content", "sha256").digest()


def test_leaves_and_nodes_are_hashed_apart() -> None:
    """As in RFC 6962: 0x00 before a leaf, 0x01 before a node; an odd node is promoted, and not doubled."""
    leaf = chain.leaf(258, "call", b"c" * 32)
    assert leaf == hashlib.sha256(b"\0" + b"\0\0\0\0\0\0\1\2" + b"call" + b"\0" + b"c" * 32).digest()
    a, b, c = (hashlib.sha256(letter).digest() for letter in (b"a", b"b", b"c"))
    pair = hashlib.sha256(b"\1" + a + b).digest()
    assert chain.root([a]) == a
    assert chain.root([a, b]) == pair
    assert chain.root([a, b, c]) == hashlib.sha256(b"\1" + pair + c).digest()
    with pytest.raises(ValueError, match="at least one"):
        chain.root([])


def test_a_block_is_the_hash_of_its_text() -> None:
    """The format that a verifier of somebody else relies on, byte by byte."""
    first = chain.next_block("bänk", None, ["call", "gap"], [b"1" * 32, b"2" * 32], AT)
    text = (
        f"truedy-archive-block-1\nbänk\n1\n1\n2\n{first.root.hex()}\n{'00' * 32}\n2026-11-30T00:00:00.000000Z\n"
    ).encode()
    assert first.hash == hashlib.sha256(text).digest()
    second = chain.next_block("bänk", first, ["call"], [b"3" * 32], AT)
    assert (second.block, second.first, second.last, second.previous) == (2, 3, 3, first.hash)
