"""Says which lines of other parties' statements an erasure reaches by a number, besides those of the erased calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replicator.store import erased_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    import psycopg

    from replicator.archive.governance.spellings import Spelling
    from replicator.archive.governance.suppression import Keys


def remove(
    tx: psycopg.Connection[Any],
    account: str,
    keys: Keys,
    numbers: Sequence[Spelling],
    listed: Collection[str],
    kept: Sequence[UUID],
) -> int:
    """Take the numbers out of the lines that show one, by its spelling or by a hash on the list; return how many lines.

    The lines of calls that are kept stay with them.
    """
    if not numbers and not listed:
        return 0
    staying = {line for lines in erased_lines.of_calls(tx, account, kept).values() for line in lines}
    found = [
        line
        for line, both, text in erased_lines.texts(tx, account)
        if line not in staying and _shows(both, text, keys, numbers, listed)
    ]
    return erased_lines.remove(tx, found)


def _shows(
    both: Sequence[str | None], text: str, keys: Keys, numbers: Sequence[Spelling], listed: Collection[str]
) -> bool:
    if any(number.is_in_text(text) for number in numbers):
        return True
    return bool(listed) and any(keys.of_number(one) in listed for one in both if one)
