"""The planner's statistics of our tables, made anew when a table is new or has grown a lot.

A server does it by itself, after minutes: too late for the reports right after a first sync, whose plans would rest on
guesses. What it does for a table that stands, we leave to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.store import locks

if TYPE_CHECKING:
    from collections.abc import Callable

    from replicator.store.database import Database

# By size, too: what was just written is not yet counted in the server's books.
DUE = """
SELECT c.oid::bigint
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT pg_relation_size(c.oid) / current_setting('block_size')::bigint AS pages) s
WHERE n.nspname IN ('truedy', 'replicator', 'rollup') AND c.relkind = 'r' AND s.pages > 0
    AND (coalesce(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) IS NULL
        OR s.pages > 2 * c.relpages + 16
        OR (c.reltuples >= 50 AND pg_stat_get_mod_since_analyze(c.oid) > 100 + c.reltuples / 2))
ORDER BY s.pages DESC
"""
"""Tables that were never analyzed, or have doubled since, or of whose rows as many as half were changed: a queue that a sync
has filled and emptied would be taken for full."""
MAY = """
SELECT CASE WHEN has_schema_privilege(to_regnamespace('rollup'), 'USAGE')
    THEN has_function_privilege(to_regprocedure('rollup.analyze_table(regclass)'), 'EXECUTE') ELSE false END
"""
"""Null where there is no such function."""


def refresh(database: Database, *, go_on: Callable[[], bool] = lambda: True) -> int:
    """Analyze the tables that need it, the largest first, each in a transaction of its own; return how many.

    Where this user may not, nothing is done: the server comes to it. Nor while another session does the same.
    """
    with database.transaction() as tx:
        may = tx.execute(MAY).fetchone()
        if may is None or not may[0] or not tx.execute(DUE).fetchone():
            return 0
    done: set[int] = set()
    while go_on():
        with database.transaction() as tx:
            if not locks.take(tx, "statistics"):
                break
            # Looked for anew each time: what another session has analyzed meanwhile is not due any more.
            due = [oid for (oid,) in tx.execute(DUE).fetchall() if oid not in done]
            if not due:
                break
            tx.execute("SELECT rollup.analyze_table(%s::bigint::oid::regclass)", [due[0]])
            done.add(due[0])
    return len(done)
