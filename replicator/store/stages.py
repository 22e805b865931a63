"""Loads what statuses mean: the rows of replicator.status_stages, which users extend. An exact match wins over the key.

The key of a word is the word without case and separators: "No-Answer", "no answer" and "noAnswer" have the key of
`no_answer`. KEY is its one definition in SQL (sql/rollups/10_facts.sql repeats it; `key` in sync/content/stages.py is
the same in Python, and a test compares them). If several rows have the same key, the first in byte order counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

KEY = (
    r"""regexp_replace(lower({word} COLLATE "C"), '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007f]+', '', 'g')"""
)
"""SQL for the key of a word: ASCII letters in lower case, no other ASCII character except digits,
all others unchanged.
"""
JOIN = f"""
LEFT JOIN replicator.status_stages s ON s.status = c.status
LEFT JOIN LATERAL (
    SELECT x.stage, x.is_terminal FROM replicator.status_stages x
    WHERE s.status IS NULL AND x.status_key = {KEY.format(word="c.status")}
    ORDER BY x.status COLLATE "C" LIMIT 1
) alike ON true
"""
"""Joins to a call (c) the row with exactly its status (s), and the row with the same key (alike)."""


def load(connection: psycopg.Connection[Any]) -> list[tuple[str, str, bool]]:
    """Return (status, stage, is_terminal) of every row."""
    return connection.execute("SELECT status, stage, is_terminal FROM replicator.status_stages").fetchall()
