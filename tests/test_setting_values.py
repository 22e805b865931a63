"""What the value of a setting means, or what is wrong with it, without the value."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from replicator.setting_values import RENEWAL_WORDS, as_meant, expected, parse_renewal, parts_of, trimmed, unreadable
from replicator.sync.coverage.ledger import DEFAULT_POLICY, RenewalPolicy, RenewalRule

pytestmark = pytest.mark.pure


def test_a_text_is_utf_8_whatever_the_locale() -> None:
    """Bytes that a C locale shows as lone surrogates are read as what they are; what is no UTF-8 stays as it came."""
    wrong = "Büro".encode().decode("ascii", "surrogateescape")
    assert as_meant("REPLICATOR_ACCOUNT", wrong) == "Büro"
    assert as_meant("REPLICATOR_ACCOUNT", "Büro") == "Büro"
    assert as_meant("REPLICATOR_ACCOUNT", "\udcff") == "\udcff"


@pytest.mark.parametrize("name", ["TRUEDY_API_KEY_FILE", "REPLICATOR_DATA_DIR"])
def test_a_path_is_the_bytes_of_its_name(name: str) -> None:
    """Also where they are no text at all."""
    assert os.fsencode(as_meant(name, "/data/\udcff")) == b"/data/\xff"
    assert as_meant(name, "/data/Büro") == os.fsdecode("/data/Büro".encode())


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [("replicator_workers", " 8\r\n", "8"), ("replicator_account", " a ", " a "), ("replicator_pseudonym_key", " k ", " k "),
     ("replicator_workers", 8, 8), ("replicator_workers", None, None), ("replicator_workers", "  ", "")],
)  # fmt: skip
def test_white_space_around_a_value_is_not_meant(name: str, value: Any, meant: Any) -> None:
    """But in an account's name and in the pseudonyms' key, where another one would be another account."""
    assert trimmed(name, value) == meant


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("database_url", "postgresql://\udcff", "UTF-8"), ("truedy_api_key", "a\0b", "NUL"), ("truedy_api_key", '"key"', "quotes"),
        ("truedy_api_key", " 'key' ", "quotes"), ("replicator_data_dir", "a\0b", "NUL"), ("replicator_data_dir", '"/data"', "quotes"),
        ("replicator_account", "\udcff", "UTF-8"), ("replicator_account", "a\0", "NUL"),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_meant_is_named_with_its_reason(name: str, value: str, reason: str) -> None:
    """And without the value, which may be a secret."""
    ((field, said),) = unreadable({name: value})
    assert field == name
    assert reason in said
    assert value.strip() not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [("truedy_api_key", "key"), ("truedy_api_key", '"'), ("truedy_api_key", "'key\""), ("replicator_account", '"a"'), ("truedy_api_key", ""),
     ("truedy_api_key", None), ("replicator_workers", 8), ("replicator_data_dir", "/data/\udcff"), ("database_url", "host='a'")],
)  # fmt: skip
def test_a_text_that_can_be_meant_is_left_alone(name: str, value: Any) -> None:
    """A quote on one side, an account in quotes, bytes of a path, another type."""
    assert list(unreadable({name: value})) == []


class Some(BaseModel):
    whole: Annotated[int, Field(ge=1, le=64)] = 1
    share: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0
    word: Annotated[str, Field(min_length=1, max_length=3, pattern="^[a-z]*$")] = "a"
    above: Annotated[float, Field(gt=0)] = 1


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("whole", "0", "expected a number that is at least 1"), ("whole", "65", "expected a number that is at most 64"),
        ("whole", "x", "expected a whole number"), ("whole", 1.5, "expected a whole number"), ("whole", "9" * 5000, "expected a whole number of usual size"),
        ("share", "1", "expected a number that is less than 1"), ("share", "x", "expected a number"), ("share", "nan", "expected a number"),
        ("above", "0", "expected a number that is more than 0"), ("word", "", "expected a text that is not empty"),
        ("word", "abcd", "expected at most 3 characters"), ("word", "A", "expected a text of the form ^[a-z]*$"),
    ],
)  # fmt: skip
def test_what_was_expected_is_said_in_plain_words(field: str, value: Any, said: str) -> None:
    """With the bound, and never with the value."""
    with pytest.raises(ValidationError) as raised:
        Some.model_validate({field: value})
    assert expected(raised.value.errors()[0]) == said


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        ("postgresql://user:pass@host/db", {"pass"}), ("postgresql://user:p%40ss@host/db", {"p%40ss", "p@ss"}),
        ("postgresql://user:p@ss@host/db", {"p@ss", "p", "ss"}), ("host=a password=secret dbname=b", {"secret"}),
        ("host=a password = 'se cret'", {"se cret"}), ("postgresql://host/db?password=secret&x=1", {"secret"}),
    ],
)  # fmt: skip
def test_no_part_of_a_password_is_shown(url: str, hidden: set[str]) -> None:
    """Wherever it stands, as it is written and as it is meant, and each part that an `@` makes of it."""
    assert hidden <= parts_of({"database_url": url})


def test_every_other_secret_is_hidden_as_it_is() -> None:
    """Without the white space around it; no address hides nothing."""
    assert parts_of({"truedy_api_key": " k1 ", "replicator_pseudonym_key": "p"}) == {"k1", "p"}
    assert parts_of({}) == set()
    assert parts_of({"database_url": ""}) == set()


def test_a_renewal_policy_is_read() -> None:
    """Pairs of age and period by rising age; the last one is for all that is older. White space and empty parts do not matter."""
    policy = parse_renewal(" 6h : 10m, ,1.5d:1h,older:90d, ")
    assert policy == RenewalPolicy(
        (
            RenewalRule(timedelta(hours=6), timedelta(minutes=10)), RenewalRule(timedelta(hours=36), timedelta(hours=1)),
            RenewalRule(timedelta.max, timedelta(days=90)),
        )
    )  # fmt: skip
    assert parse_renewal("older:30s").every(timedelta(days=900)) == timedelta(seconds=30)


def test_the_usual_policy_is_the_engines_own() -> None:
    """The words of the default mean what the engine does without a setting."""
    assert parse_renewal(RENEWAL_WORDS) is DEFAULT_POLICY
    read = parse_renewal(RENEWAL_WORDS + ",")
    assert [rule.every for rule in read.rules] == [rule.every for rule in DEFAULT_POLICY.rules]
    assert [rule.age for rule in read.rules[:-1]] == [rule.age for rule in DEFAULT_POLICY.rules[:-1]]


@pytest.mark.parametrize(
    "text",
    ["", ",", "6h:10m", "older:1d,6h:10m", "older:1d,older:2d", "7d:1d,6h:10m,older:90d", "6h:10m,6h:20m,older:90d", "6h:0m,older:90d",
     "6h:-1m,older:90d", "0h:1m,older:90d", "6h,older:90d", "6h:10,older:90d", "6w:10m,older:90d", "h:1m,older:90d", "6h:10m:1m,older:90d",
     "1e99d:1m,older:90d", "nand:1m,older:90d", "infd:1m,older:90d", "6h:10m older:90d"],
)  # fmt: skip
def test_what_is_no_renewal_policy_is_refused(text: str) -> None:
    """A wrong order, no last pair, a duration that is none, zero, negative or endless."""
    with pytest.raises(ValueError, match=r"expected|the last pair"):
        parse_renewal(text)


@settings(max_examples=25)
@given(st.text("0123456789:,smhdolder .-einf", max_size=30))
def test_any_text_is_a_policy_or_is_refused(text: str) -> None:
    """Nothing else is raised, and a policy has rising ages and periods above zero."""
    try:
        policy = parse_renewal(text)
    except ValueError:
        return
    ages = [rule.age for rule in policy.rules]
    assert ages == sorted(set(ages))
    assert all(rule.every > timedelta(0) for rule in policy.rules)
