"""How texts, phone numbers, identifiers, truth values and URLs read, value by value."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.source.fields import (
    agent,
    boolean,
    identifier,
    phone,
    text,
    unwrapped,
    url_expiry,
    url_without_signature,
    word,
)
from replicator.source.limits import MAX_NUMBER_CHARACTERS
from replicator.source.unknowns import NOT_KNOWN

pytestmark = pytest.mark.pure

ID = UUID("44ec8f61-6d9a-4553-a6ca-777f5f5ef95b")
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize("value", [7, True, None, ["a"], {"a": 1}, 1.5])
def test_nothing_else_is_turned_into_a_text(value: Any) -> None:
    """A number where a text should be is named as a problem, not stored as its digits."""
    assert (text(value), word(value), phone(value), identifier(value)) == (None, None, None, None)


def test_unknown_is_a_word_but_no_text() -> None:
    """A status may be called so; a summary that says so says nothing. White space and capitals stay."""
    assert (word("unknown"), text("unknown")) == ("unknown", NOT_KNOWN)
    assert (word(" N/A "), text("null"), word("")) == (NOT_KNOWN, NOT_KNOWN, NOT_KNOWN)
    assert (word(" In Progress "), text(" Hello ")) == (" In Progress ", " Hello ")


def test_a_number_is_kept_as_received_up_to_a_length() -> None:
    """128 characters are kept; what is longer is no number, and what is withheld is not known."""
    assert phone("+1 (415) 555-0123") == "+1 (415) 555-0123"
    assert phone("1" * MAX_NUMBER_CHARACTERS) == "1" * MAX_NUMBER_CHARACTERS
    assert phone("1" * (MAX_NUMBER_CHARACTERS + 1)) is None
    assert phone("anonymous") is NOT_KNOWN


@pytest.mark.parametrize(
    "value",
    [str(ID), str(ID).upper(), ID.hex, f"{{{ID}}}", f"urn:uuid:{ID}", f" {ID}\n"],
)
def test_an_identifier_is_read_in_every_notation(value: str) -> None:
    """With or without hyphens, in braces, as a URN, in capitals."""
    assert identifier(value) == ID


@pytest.mark.parametrize("value", ["", "7", str(ID)[:-1], f"{ID}0", str(UUID(int=0)), "g" * 32, f"[{ID}]"])
def test_what_identifies_nothing_is_none(value: str) -> None:
    """Cut off, too long, no hexadecimal digits, and nil."""
    assert identifier(value) is None


@pytest.mark.parametrize(
    "value", [str(UUID(int=0)), "{" + str(UUID(int=0)) + "}", "0" * 32, "", "-", "N/A", "unknown", "null"]
)
def test_no_agent_is_told_from_an_agent_that_cannot_be_read(value: str) -> None:
    """Nil and words for nothing are not known; anything else that is no UUID is a problem."""
    assert agent(value) is NOT_KNOWN
    assert (agent("agent 7"), agent(7), agent(None)) == (None, None, None)
    assert agent(str(ID)) == ID


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (False, False),
        ("true", True),
        (" FALSE ", False),
        ("yes", None),
        (1, None),
        (0, None),
        ("", None),
        (None, None),
    ],
)
def test_only_true_and_false_are_truth_values(value: Any, expected: bool | None) -> None:
    """Also as texts; not 1, 0, yes or no."""
    assert boolean(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{"a": 1}', {"a": 1}), ('  [{"a": 1}] ', [{"a": 1}]), ("{}", {}), ("[]", []), ('"{\\"a\\": 1}"', {"a": 1}),
        ("no JSON", "no JSON"), ("7", "7"), ("[noise] x", "[noise] x"), ('"quoted"', '"quoted"'), ({"a": 1}, {"a": 1}), (None, None),
    ],
)  # fmt: skip
def test_json_in_a_text_is_read(value: Any, expected: Any) -> None:
    """An object or array in a text, also twice, is that; any other value stays what it is."""
    assert unwrapped(value) == (expected, True)


@pytest.mark.parametrize("value", ["{'a': 'x'}", '{"a": "x', '{"a": 1,}', "{}" * 3 + '"'])
def test_what_looks_like_json_and_is_none_is_said(value: str) -> None:
    """Cut off in the middle, or another language's notation: the text stays, and is named."""
    assert unwrapped(value) == (value, False)


def test_json_is_unwrapped_three_times_at_most() -> None:
    """What is wrapped further stays a text: nobody has been seen to go on."""
    import json  # noqa: PLC0415 - only here

    wrapped: Any = {"a": 1}
    for depth in range(1, 5):
        wrapped = json.dumps(wrapped)
        expected = {"a": 1} if depth <= 3 else wrapped
        assert unwrapped(wrapped) == (expected, True), depth


def test_a_url_without_its_signature_is_what_stays() -> None:
    """Query and fragment go, in whichever order they stand."""
    assert url_without_signature("https://a/b.mp3?sig=1#t=3") == "https://a/b.mp3"
    assert url_without_signature("https://a/b.mp3#t?x") == "https://a/b.mp3"
    assert url_without_signature("") == ""


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("X-Amz-Date=20260203T120000Z&X-Amz-Expires=3600", NOON.replace(hour=13)),
        ("x-amz-date=20260203T120000Z&x-amz-expires=0", NOON),
        ("X-Goog-Date=20260203T120000Z&X-Goog-Expires=60", NOON.replace(minute=1)),
        ("Expires=1770120000", NOON), ("se=2026-02-03T12:00:00Z", NOON), ("se=2026-02-03", NOON.replace(hour=0)),
        ("X-Amz-Date=20260203T120000Z&X-Amz-Expires=999999999", datetime(2057, 10, 12, 13, 46, 39, tzinfo=UTC)),
        ("X-Amz-Date=99991231T120000Z&X-Amz-Expires=999999999", None), ("X-Amz-Date=20261303T120000Z&X-Amz-Expires=9", None),
        ("X-Amz-Date=20260203T120000Z", None), ("X-Amz-Expires=60", None), ("Expires=never", None), ("Expires=", None), ("", None),
        ("se=soon", None), ("&".join(f"a{n}=1" for n in range(200)), None),
    ],
)  # fmt: skip
def test_a_signed_url_says_until_when(query: str, expected: datetime | None) -> None:
    """AWS, Google, CloudFront and Azure are read; what makes no instant, or never ends to be parsed, says nothing."""
    assert url_expiry(f"https://a/1.mp3?{query}") == expected


@settings(max_examples=30)
@given(st.text(max_size=60) | st.text("https:/[]?&=Expires%0123", max_size=60))
def test_no_text_is_too_odd(value: str) -> None:
    """Whatever stands there: a reader gives a value or none, and raises nothing."""
    url_expiry(value)
    url_expiry("https://a/?se=" + value)
    found, _ = unwrapped(value)
    assert found == value or isinstance(found, (dict, list))
    assert phone(value) in (value, NOT_KNOWN, None)
    assert identifier(value) is None or len(value) >= 32
