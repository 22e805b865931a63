"""What statuses mean: the rows of replicator.status_stages, which users extend. A row of the very word wins, else its key.

The key of a word is the word without case and separators: "No-Answer", "no answer" and "noAnswer" have that of `no_answer`.
KEY is its one definition in SQL (sql/rollups/10_facts.sql says the same; `key` in sync/content/stages.py does in Python, and a test
compares them). Where several rows have a key, the first of them in the order of their bytes counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

KEY = (
    r"""regexp_replace(lower({word} COLLATE "C"), '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007f]+', '', 'g')"""
)
"""SQL for the key of a word: ASCII letters in lower case, no other ASCII character but digits, everything else as it is."""
JOIN = f"""
LEFT JOIN replicator.status_stages s ON s.status = c.status
LEFT JOIN LATERAL (
    SELECT x.stage, x.is_terminal FROM replicator.status_stages x
    WHERE s.status IS NULL AND x.status_key = {KEY.format(word="c.status")}
    ORDER BY x.status COLLATE "C" LIMIT 1
) alike ON true
"""
"""Joins the row of its very status (s), else the one of the same key (alike), to a call (c)."""


def load(connection: psycopg.Connection[Any]) -> list[tuple[str, str, bool]]:
    """Return (status, stage, whether it is terminal) of every row."""
    return connection.execute("SELECT status, stage, is_terminal FROM replicator.status_stages").fetchall()
