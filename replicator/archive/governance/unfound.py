"""Says which of the numbers that somebody gave have no stored call: an answer of nothing looks like work that is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replicator.store import governance

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from replicator.archive.governance.spellings import Spelling


def without_calls(connection: psycopg.Connection[Any], account: str, numbers: Sequence[Spelling]) -> list[int]:
    """Return the places (1 is the first) of the numbers from and to which the account has no call that is not erased."""
    return [
        place
        for place, number in enumerate(numbers, 1)
        if not governance.calls_of_numbers(
            connection, account, number.digits, () if number.code else (number.national,)
        )
    ]


def warning(places: Sequence[int], given: int) -> str:
    """Return what is said of numbers without a call, by their places among those given; a number itself is not repeated."""
    which = "the number" if given == 1 else f"number {', '.join(map(str, places))} of the {given}"
    return (
        f"warning: no stored call is from or to {which} that you gave. If there should be one, look at how you wrote it: a "
        "number is found only with + and the code of its own country, such as +1 702 555 0100 or +49 30 1234567. Calls that "
        "were erased before are not found again"
    )


__all__ = ["warning", "without_calls"]
