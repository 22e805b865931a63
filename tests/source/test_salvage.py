"""How what cannot be stored is taken out of a call's row, so that the rest of the call counts."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.source import jsontext
from replicator.source.limits import MAX_DEPTH, MAX_ROW_BYTES
from replicator.source.salvage import OTHER, TOO_LARGE, salvage

if TYPE_CHECKING:
    from replicator.records import SetAside

pytestmark = pytest.mark.pure


def saved(raw: bytes) -> tuple[dict[str, Any], tuple[SetAside, ...]]:
    """Return what is left of a row, read, and what was taken out of it."""
    found = salvage(raw)
    assert found is not None
    return jsontext.decode(found[0]), found[1]


def names(found: tuple[SetAside, ...]) -> list[str]:
    return [one.field for one in found]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"NaN", None), (b"oops", None), (b"1e1001", None), (b"1" * 5000, None), (b"[" * 300 + b"]" * 300, None), (b'"\xff"', "not UTF-8"),
        (b'"a\nb"', None),
    ],
)  # fmt: skip
def test_a_field_that_cannot_be_stored_is_taken_out_alone(value: bytes, reason: str | None) -> None:
    """Its bytes are kept as received, and a note with their number and hash stands in its place; the others are untouched."""
    row, found = saved(b'{"id":"x","bad":%b,"cost":1.50}' % value)
    (one,) = found
    assert (one.field, one.raw) == ("bad", value)
    assert one.reason == (reason or one.reason) != ""
    assert row["bad"] == {"set_aside": one.reason, "bytes": len(value), "sha256": sha256(value).hexdigest()}
    assert (row["id"], str(row["cost"])) == ("x", "1.50")


def test_a_sound_row_loses_nothing() -> None:
    """Digits and nested values stay; nothing is set aside."""
    row, found = saved(b'{"id": "x", "cost": 1.50, "context": {"a": [1, {"b": null}]}}')
    assert found == ()
    assert str(row["cost"]) == "1.50"
    assert row["context"] == {"a": [1, {"b": None}]}


def test_of_an_object_only_the_member_at_fault_goes() -> None:
    """Its neighbours in the context stay, and the field is named with its place."""
    row, found = saved(b'{"id":"x","context":{"good":1,"bad":NaN}}')
    assert names(found) == ["context.bad"]
    assert row["context"]["good"] == 1


def test_deeper_than_that_the_whole_member_goes() -> None:
    """Two levels are cut: what is wrong further inside takes its member of the context with it."""
    row, found = saved(b'{"id":"x","context":{"good":1,"deep":{"a":1,"bad":NaN}}}')
    assert names(found) == ["context.deep"]
    assert found[0].raw == b'{"a":1,"bad":NaN}'
    assert row["context"]["good"] == 1


def test_a_fault_in_an_array_takes_the_field() -> None:
    """An array has no members that could be named."""
    _, found = saved(b'{"id":"x","tags":[1,NaN]}')
    assert names(found) == ["tags"]


def test_a_name_that_is_no_plain_word_is_not_repeated() -> None:
    """It may be somebody's number; the value goes all the same."""
    row, found = saved(b'{"id":"x","+1 415 555":NaN}')
    assert names(found) == [OTHER]
    assert "+1 415 555" in row


def test_the_last_of_equal_names_counts() -> None:
    """As in jsonb."""
    row, found = saved(b'{"a":NaN,"a":2}')
    assert row == {"a": 2} or names(found) == ["a"]
    assert saved(b'{"a":1,"a":2}')[0] == {"a": 2}


def test_depth_is_counted_from_the_row() -> None:
    """200 levels are the most: the row is the first."""
    inside = MAX_DEPTH - 1
    assert saved(b'{"a":' + b"[" * inside + b"]" * inside + b"}")[1] == ()
    assert names(saved(b'{"a":' + b"[" * (inside + 1) + b"]" * (inside + 1) + b"}")[1]) == ["a"]


def test_a_row_that_is_too_large_loses_its_heaviest_fields_only() -> None:
    """Until it fits: a small field stays, and the larger of two goes first."""
    large, larger = b'"' + b"a" * (MAX_ROW_BYTES - 1000) + b'"', b'"' + b"b" * MAX_ROW_BYTES + b'"'
    row, found = saved(b'{"id":"x","large":%b,"larger":%b}' % (large, larger))
    assert names(found) == ["larger"]
    assert found[0].reason.startswith(TOO_LARGE)
    assert "only its beginning is kept" in found[0].reason
    assert found[0].raw == larger[:MAX_ROW_BYTES]
    assert row["larger"]["sha256"] == sha256(larger).hexdigest()
    assert len(row["large"]) == MAX_ROW_BYTES - 1000


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"7", b"null", b'"x"', b'{"a": "5" tall", "b": "6" tall"}', b'{"a": 1', b"{"]
)
def test_a_row_that_cannot_be_cut_for_certain_is_not_cut(raw: bytes) -> None:
    """No object, or one in which a quote or a bracket does not match: nobody can say where a field ends."""
    assert salvage(raw) is None


GOOD = st.dictionaries(
    st.sampled_from("abcdefg"), st.integers() | st.text(max_size=5) | st.none() | st.lists(st.booleans(), max_size=3)
)


@settings(max_examples=15)
@given(GOOD, st.sampled_from([b"NaN", b"oops", b"1e9999", b"-Infinity"]), st.sampled_from("xyz"))
def test_whatever_stands_beside_it_stays(row: dict[str, Any], bad: bytes, name: str) -> None:
    """Every sound member of a row with one bad member is in what is left, as it was."""
    whole = json.dumps(row).encode()
    raw = whole[:-1] + (b"," if row else b"") + b'"%b":%b}' % (name.encode(), bad)
    left, found = saved(raw)
    assert names(found) == [name]
    assert {key: value for key, value in left.items() if key != name} == row
