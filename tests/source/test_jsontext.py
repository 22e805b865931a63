"""JSON text that jsonb takes: escapes, numbers, depth, and cutting what is not JSON as a whole."""

from __future__ import annotations

import json
import time
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replicator.source import jsontext
from replicator.source.jsontext import ESCAPE, MalformedError
from replicator.source.limits import MAX_ROW_BYTES

pytestmark = pytest.mark.pure


PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The first run on a fresh checkout builds Hypothesis's table of all characters."""

ANY_TEXT = st.text(st.characters(codec=None), max_size=20) | st.text(
    st.sampled_from(["\x00", "\ud83d", "\ude00", ESCAPE, "0", "e", "1", "b", "\\", "u", '"']), max_size=12
)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


@PATIENT
@given(ANY_TEXT)
def test_unescape_gives_back_any_text(text: str) -> None:
    """Whatever the text, with NUL, lone surrogates and the escape character, nothing is lost, and it can be stored."""
    escaped = jsontext.escape(text)
    assert jsontext.unescape(escaped) == text
    assert "\x00" not in escaped
    escaped.encode()


@pytest.mark.parametrize(
    ("received", "stored"),
    [
        (rb'"a\u0000b"', f'"a{ESCAPE}0000b"'),
        (rb'"\ud83d x"', f'"{ESCAPE}d83d x"'),
        (rb'"\uDE00"', f'"{ESCAPE}de00"'),
        (rb'"\ud83d\ud83d\ude00"', f'"{ESCAPE}d83d\\ud83d\\ude00"'),
        (rb'"\ude00\ud83d"', f'"{ESCAPE}de00{ESCAPE}d83d"'),
        (rb'"\uE01B"', f'"{ESCAPE}e01b"'),
        (f'"{ESCAPE}0000"'.encode(), f'"{ESCAPE}e01b0000"'),
        (rb'{"k\u0000":1}', f'{{"k{ESCAPE}0000":1}}'),
    ],
)
def test_what_jsonb_refuses_is_escaped_in_place(received: bytes, stored: str) -> None:
    """NUL, lone surrogates and the escape character, in values and keys, become the escape character and four digits."""
    assert jsontext.storable(received) == (stored.encode(), True)


@pytest.mark.parametrize(
    "received", [rb'"\\u0000"', rb'"\ud83d\ude00"', rb'"\u00e9\n"', rb'"\\\\u0000\\ud800"', b'"\xc3\xa9"']
)
def test_what_jsonb_takes_keeps_its_bytes(received: bytes) -> None:
    """A written-out backslash-u-0000, a proper pair and ordinary escapes are left exactly as they came."""
    assert jsontext.storable(received) == (received, False)


@PATIENT
@given(ANY_JSON)
def test_any_json_becomes_storable_and_can_be_restored(value: object) -> None:
    """Any JSON, ASCII-escaped as most servers send it, decodes after escaping to the same value, strings escaped."""
    stored, has_escapes = jsontext.storable(json.dumps(value).encode())
    text = stored.decode()
    assert "\\u0000" not in text.replace("\\\\", "")
    assert _restored(json.loads(text)) == json.loads(json.dumps(value))
    jsontext.decode(stored)
    assert has_escapes == (jsontext.ESCAPE in text)


def _restored(value: object) -> object:
    if isinstance(value, str):
        return jsontext.unescape(value)
    if isinstance(value, list):
        return [_restored(one) for one in value]
    if isinstance(value, dict):
        return {jsontext.unescape(key): _restored(one) for key, one in value.items()}
    return value


@PATIENT
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_numbers_keep_their_digits(number: Decimal) -> None:
    """A number comes out with the digits that went in, and goes back into text with the same value and scale."""
    text = f'{{"n":{number:f}}}'
    value = jsontext.decode(text.encode())
    assert str(value["n"]) == f"{number:f}" or value["n"] == number
    assert json.loads(jsontext.encode(value), parse_float=Decimal, parse_int=Decimal)["n"] == number


@pytest.mark.parametrize(
    "raw",
    [
        b"NaN", b"[Infinity]", b"1e1001", b"1e-1001", b"1e99999999999999999999", b"0." + b"1" * 1001, b"1" * 5000,
        b'"\xff"', b'"\xed\xa0\x80"', b"", b"[1,]", b"01", b'"\x01"', b"{1:2}", b"[" * 201 + b"]" * 201,
        b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
)  # fmt: skip
def test_what_jsonb_could_not_hold_is_malformed(raw: bytes) -> None:
    """NaN, numbers beyond bounds, broken UTF-8, broken JSON and endless nesting raise MalformedError and nothing else."""
    with pytest.raises(MalformedError):
        jsontext.decode(raw)


def test_two_hundred_levels_are_fine() -> None:
    """Nesting up to 200 is read, and many brackets side by side are not mistaken for depth."""
    assert jsontext.decode(b"[" * 200 + b"]" * 200)
    assert len(jsontext.decode(b"[" + b",".join([b"[{}]"] * 1000) + b"]")) == 1000


def test_the_last_of_equal_keys_counts() -> None:
    """As in jsonb."""
    assert jsontext.decode(b'{"a":1,"a":2}') == {"a": 2}


def test_split_cuts_by_brackets_and_leaves_members_alone() -> None:
    """Members that are no JSON are cut out whole, brackets in strings do not count."""
    raw = rb'{"a": [1, {"x": "]}"}], "b": NaN, "c": "\ud800,:", "d" : {} }'
    assert jsontext.split(raw) == [("a", rb'[1, {"x": "]}"}]'), ("b", b"NaN"), ("c", rb'"\ud800,:"'), ("d", b"{}")]
    assert jsontext.split(b"[]") == jsontext.split(b" { } ") == []
    assert jsontext.split(b"[1,,2]") == [("", b"1"), ("", b""), ("", b"2")]


@pytest.mark.parametrize("raw", [b"", b"1", b'{"a":1', b'{"a', b"[1]]", b'["]', b"[1] x"])
def test_split_refuses_what_does_not_hold_together(raw: bytes) -> None:
    """A container that is cut off, or followed by something, is malformed as a whole."""
    with pytest.raises(MalformedError):
        jsontext.split(raw)


@pytest.mark.parametrize(
    ("raw", "is_one"),
    [
        (b'{"a": oops}', True),
        (b'{"a": NaN, "b": [{"c": 1}, {"c": 1e999999}]}', True),
        (b'{"a": "\xff", "b": [{}, {}]}', True),
        (b'{"b": [{}, {}], "a": ' + b"[" * 9999 + b"]" * 9999 + b"}", True),
        (b'{"b": [{}, {}], "n": ' + b"1" * 9999 + b"}", True),
        (b'{"a": "5" tall"}, {"a": "6" tall"}', False),
        (b'{"a": oops, "b": [{}, {}]}', False),
        (b'{"b": [{}, {}], "a": NaN, "c": "' + b"x" * MAX_ROW_BYTES + b'"}', False),
    ],
)
def test_a_piece_that_may_be_several_is_told(raw: bytes, is_one: bool) -> None:
    """A quote too many lets `split` take two objects for one; numbers, NaN, bytes and depth do not. What is too large to look
    at is not trusted.
    """
    assert jsontext.is_one_value(raw) is is_one


@PATIENT
@given(st.lists(ANY_JSON, max_size=6))
def test_split_agrees_with_json(values: list[object]) -> None:
    """On sound JSON, cutting gives the same members as reading."""
    cut = jsontext.split(json.dumps(values).encode())
    assert [json.loads(raw) for _, raw in cut] == json.loads(json.dumps(values))


def test_hostile_quotes_take_no_quadratic_time() -> None:
    """A megabyte of escaped quotes in a string without an end is refused at once."""
    started = time.monotonic()
    with pytest.raises(MalformedError):
        jsontext.split(b'["' + b'\\"' * 500_000)
    assert time.monotonic() - started < 2
