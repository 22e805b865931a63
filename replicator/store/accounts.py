"""The accounts of a database: lists them, and checks which account uses a key.

An account is a name under which the rows of one source are stored. renaming.py gives it another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from replicator.errors import AnotherAccount, ConfigurationError
from replicator.safe_text import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg

    from replicator.store.database import Database

_NAMES = "SELECT account FROM replicator.source_state UNION SELECT account FROM replicator.runs"
_LISTED = f"""
SELECT
    a.account,
    s.base_url,
    coalesce(s.live_calls, (SELECT count(*) FROM truedy.calls c WHERE c.account = a.account AND c.deleted_at IS NULL)) AS live_calls,
    s.total AS source_total,
    s.head_at,
    extract(epoch FROM now() - s.head_at)::float8 AS lag_seconds,
    s.requests_per_minute,
    (SELECT l.holder FROM replicator.lease l WHERE l.account = a.account AND l.expires_at > clock_timestamp()) AS writer
FROM ({_NAMES}) a
LEFT JOIN replicator.source_state s ON s.account = a.account
ORDER BY a.account
"""


USED_BY_ANOTHER = """
SELECT s.account FROM replicator.budgets b JOIN replicator.source_state s ON s.account = b.account
WHERE b.key_id = ANY(%(keys)s) AND b.used_at IS NOT NULL AND b.account <> %(account)s AND s.base_url = %(base_url)s AND (
    EXISTS (SELECT FROM truedy.calls c WHERE c.account = b.account)
    OR EXISTS (SELECT FROM replicator.lease l WHERE l.account = b.account AND l.expires_at > clock_timestamp()))
ORDER BY s.account LIMIT 1
"""
"""An account that uses one of these keys at the same address, and that holds calls or is being copied now. An account
that was only named once, by a mistake in the settings, does not count.
"""


def claim_keys(
    tx: psycopg.Connection[Any],
    account: str,
    base_url: str,
    key_ids: Sequence[str],
    window_seconds: float,
    now: datetime,
) -> None:
    """Record that an account uses these keys from now on. Called before the first request.

    Raises AnotherAccount where another account uses one of them: a key, with its budget, belongs to one account. The
    same key at another address counts as another key.
    """
    given = {"keys": list(key_ids), "account": account, "base_url": base_url}
    row = tx.execute(USED_BY_ANOTHER, given).fetchone()
    if row is not None:
        raise AnotherAccount(row[0], account)
    tx.execute(
        "INSERT INTO replicator.budgets (account, key_id, window_seconds, used_at) SELECT %s, unnest(%s::text[]), %s, %s "
        "ON CONFLICT (account, key_id) DO UPDATE SET used_at = excluded.used_at",
        [account, sorted(set(key_ids)), window_seconds, now],
    )


def check_known(database: Database, account: str) -> None:
    """Raise ConfigurationError where a database has accounts, and not this one."""
    with database.connection() as connection:
        rows = connection.execute(f"{_NAMES} ORDER BY account").fetchall()
    names = [name for (name,) in rows]
    if names and account not in names:
        raise ConfigurationError(
            f"this database has no account {shown(account)}; it has {', '.join(map(shown, names))}",
            advice="set REPLICATOR_ACCOUNT to the account that is meant; `replicator accounts list` shows them",
        )


def listed(database: Database) -> list[dict[str, Any]]:
    """Return each account with source, calls, freshness (seconds), budget (requests a minute) and present writer."""
    with database.connection() as connection:
        return connection.cursor(row_factory=dict_row).execute(_LISTED).fetchall()
