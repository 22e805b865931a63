"""Says in plain words what is wrong with a word of the command line. Pure: the library's text in, ours out.

The library's texts name its own types and formats ("unable to parse string as a number"). A text that is not known here
stays as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS: Final[Sequence[tuple[str, str]]] = (
    (r".*?'(?P<given>[^']*)' does not match the formats? '%Y-%m-%d'.*", "'{given}' is not a day: expected one such as 2026-03-01"),
    (r".*(?:valid integer|parse string as an integer|not a valid int).*", "expected a whole number"),
    (r".*(?:valid number|parse string as a number|not a valid float).*", "expected a number"),
    (r".*greater than or equal to (?P<bound>[-\d.]+).*", "expected a number that is at least {bound}"),
    (r".*greater than (?P<bound>[-\d.]+).*", "expected a number that is more than {bound}"),
    (r".*less than or equal to (?P<bound>[-\d.]+).*", "expected a number that is at most {bound}"),
    (r".*less than (?P<bound>[-\d.]+).*", "expected a number that is less than {bound}"),
    (r".*(?:valid UUID|not a valid UUID).*", "expected the id of {whose}, such as 01234567-89ab-4cde-8f01-23456789abcd"),
    (r".*valid boolean.*", "expected yes or no"),
    (r".*finite number.*", "expected a number that is not infinite"),
)  # fmt: skip
"""Patterns of the library's texts, and our words. The first match counts."""


def plain(message: str, parameter: str | None = None) -> str:
    """Return the message in our words. `parameter` is the name of the option or argument that it is about, if known."""
    whose = "an agent" if parameter in {"agent", "agent_id"} else "a call"
    for pattern, words in WORDS:
        found = re.fullmatch(pattern, message, re.DOTALL)
        if found is not None:
            return words.format(**found.groupdict(), whose=whose)
    return message.removeprefix("Value error, ")


__all__ = ["plain"]
