"""Updates the query planner's statistics of our tables, when a table is new or has grown a lot.

The server does so by itself, but only after minutes. This is too late for the reports right after a first sync, whose
plans would be made from guesses. Tables that change little are left to the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.store import locks

if TYPE_CHECKING:
    from collections.abc import Callable

    from replicator.store.database import Database

# By size too, because rows just written are not yet in the server's counts.
DUE = """
SELECT c.oid::bigint
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT pg_relation_size(c.oid) / current_setting('block_size')::bigint AS pages) s
WHERE n.nspname IN ('truedy', 'replicator', 'rollup', 'archive', 'billing') AND c.relkind = 'r' AND s.pages > 0
    AND (coalesce(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) IS NULL
        OR s.pages > 2 * c.relpages + 16
        OR (c.reltuples >= 50 AND pg_stat_get_mod_since_analyze(c.oid) > 100 + c.reltuples / 2)
        OR (c.oid = 'rollup.touched'::regclass AND c.reltuples > 50 AND NOT EXISTS (SELECT FROM rollup.touched OFFSET 50))
        OR (c.oid = 'rollup.call_conversations_touched'::regclass AND c.reltuples > 50
            AND NOT EXISTS (SELECT FROM rollup.call_conversations_touched OFFSET 50)))
ORDER BY s.pages DESC
"""
"""Tables that were never analyzed, have doubled since, or of whose rows at least half were changed: otherwise a queue
that a sync has filled and emptied would count as full. The two queues of the roll-ups are looked at themselves, because the
server counts what a session has deleted only a second later: a report planned for thousands of such days is compiled first (JIT).
"""
MAY = """
SELECT CASE WHEN has_schema_privilege(to_regnamespace('rollup'), 'USAGE')
    THEN has_function_privilege(to_regprocedure('rollup.analyze_table(regclass)'), 'EXECUTE') ELSE false END
"""
"""Null where the function does not exist."""


def refresh(database: Database, *, go_on: Callable[[], bool] = lambda: True) -> int:
    """Analyze the tables that need it, the largest first, each in its own transaction; return how many.

    Nothing is done if this user may not (the server will do it later), or while another session does the same.
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
            # Read again each time, because another session may have analyzed a table meanwhile.
            due = [oid for (oid,) in tx.execute(DUE).fetchall() if oid not in done]
            if not due:
                break
            tx.execute("SELECT rollup.analyze_table(%s::bigint::oid::regclass)", [due[0]])
            done.add(due[0])
    return len(done)
