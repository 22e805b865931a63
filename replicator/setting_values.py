"""Interprets the values of settings, and says in plain words, without the value, what is wrong with one. Pure."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from replicator.archive.recordings.addresses import parse_allowed
from replicator.sync.coverage.ledger import DEFAULT_POLICY, RenewalPolicy, RenewalRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic_core import ErrorDetails

RENEWAL_WORDS = "6h:10m, 24h:1h, 7d:1d, 30d:7d, 365d:30d, older:90d"
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
AS_IT_STANDS = {"replicator_account", "replicator_pseudonym_key"}
"""Settings whose values keep their quotes and spaces: without them a value would name another account, or change all
pseudonyms.
"""
PATHS = ("_FILE", "_DIR")
"""Endings of the names of settings that are paths."""
BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
PLAIN = {
    "int_parsing": "expected a whole number",
    "int_parsing_size": "expected a whole number of usual size",
    "int_from_float": "expected a whole number",
    "float_parsing": "expected a number",
    "finite_number": "expected a number",
    "string_too_short": "expected a text that is not empty",
    "string_too_long": "expected at most {max_length} characters",
}
WORDS_OF_PATTERN = re.compile(r"\^\((\w+(?:\|\w+)*)\)\$")
PATTERNS = {"^[a-z_][a-z0-9_]{0,40}$": "expected small letters, digits and _, and no digit first, at most 41 in all"}
"""What a pattern means in words."""
_PASSWORD = re.compile(r"password\s*=\s*('[^']*'|[^\s&]+)")


def as_meant(name: str, value: str) -> str:
    """Return a value as it was meant, whatever the locale: texts are UTF-8, and a path is the bytes of its name.

    If the locale is not UTF-8, Python decodes other than ASCII bytes of the environment to lone surrogates. So they are
    converted; otherwise no file would be found under such a path.
    """
    if name.endswith(PATHS):
        return os.fsdecode(value.encode("utf-8", "surrogateescape"))
    try:
        return value.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return value


def trimmed(name: str, value: Any) -> Any:
    """Return a value without white space around it: container tools and Windows editors leave line ends there."""
    return value.strip() if isinstance(value, str) and name not in AS_IT_STANDS else value


def unreadable(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (field, reason) for the fields whose text cannot be valid."""
    for name, value in values.items():
        if not isinstance(value, str):
            continue
        text = trimmed(name, value)
        if not name.upper().endswith(PATHS) and any("\ud800" <= character <= "\udfff" for character in text):
            yield name, "expected text in UTF-8"
        elif "\0" in text:
            yield name, "expected text without NUL characters"
        elif len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and name not in AS_IT_STANDS:
            yield name, "the value stands in quotes, which are taken as a part of it: leave them out"


def expected(error: ErrorDetails) -> str:
    """Return what the value of a setting should have been."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        listed = WORDS_OF_PATTERN.fullmatch(pattern)
        if listed is not None:
            return f"expected one of {', '.join(listed[1].split('|'))}"
        return PATTERNS.get(pattern, f"expected a text of the form {pattern}")
    if kind in BOUNDS:
        words, bound = BOUNDS[kind]
        return f"expected a number that is {words} {context[bound]:g}"
    return PLAIN[kind].format(**context) if kind in PLAIN else error["msg"].removeprefix("Value error, ")


def parts_of(secrets: Mapping[str, str]) -> set[str]:
    """Return what must not be shown: the secrets, and the parts into which an unescaped `@` splits a password."""
    found = {value.strip() for name, value in secrets.items() if name != "database_url"}
    if url := secrets.get("database_url", ""):
        password = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
        found |= {password, unquote(password), *password.split("@")}
        found |= {word.strip("'") for word in _PASSWORD.findall(url)}
    return found


def parse_hosts(words: Iterable[str]) -> None:
    """Raise ValueError where one of the words is no host name, address or network."""
    parse_allowed(words)


def parse_renewal(text: str) -> RenewalPolicy:
    """Read a renewal policy such as `6h:10m, 7d:1d, older:90d`. Raises ValueError where it is invalid."""
    rules = []
    words = [word.strip() for word in text.split(",") if word.strip()]
    for number, word in enumerate(words):
        age, _, every = word.partition(":")
        is_last = number == len(words) - 1
        if (age.strip() == "older") is not is_last:
            raise ValueError("the last pair, and only the last, has the age `older`")
        rules.append(RenewalRule(timedelta.max if is_last else _duration(age), _duration(every)))
    ages = [rule.age for rule in rules]
    if not rules or ages != sorted(set(ages)):
        raise ValueError("expected pairs age:period by rising age, such as 6h:10m, 7d:1d, older:90d")
    policy = RenewalPolicy(tuple(rules))
    return DEFAULT_POLICY if text == RENEWAL_WORDS else policy


def _duration(text: str) -> timedelta:
    text = text.strip()
    try:
        duration = timedelta(seconds=float(text[:-1]) * UNITS[text[-1]])
    except (KeyError, IndexError, ValueError, OverflowError):
        raise ValueError("expected durations such as 10m, 6h or 7d") from None
    if duration <= timedelta(0):
        raise ValueError("expected durations above zero")
    return duration


__all__ = ["RENEWAL_WORDS", "as_meant", "expected", "parse_renewal", "parts_of", "trimmed", "unreadable"]
