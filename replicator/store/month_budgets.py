"""Stores budgets of money by month, and reads what they will come to (analytics.budgets)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

if TYPE_CHECKING:
    from decimal import Decimal

    import psycopg


def put(tx: psycopg.Connection[Any], account: str, month: str, scope: str, value: str, amount: Decimal) -> None:
    """Store a budget; one of the same month and scope is replaced."""
    tx.execute(
        "INSERT INTO billing.budgets (account, month, scope, scope_value, amount_usd) VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT (account, month, scope, scope_value) DO UPDATE SET amount_usd = excluded.amount_usd",
        [account, month, scope, value, amount],
    )


def remove(tx: psycopg.Connection[Any], account: str, month: str, scope: str, value: str) -> int:
    """Remove a budget; return whether there was one, as 0 or 1."""
    return tx.execute(
        "DELETE FROM billing.budgets WHERE account = %s AND month = %s AND scope = %s AND scope_value = %s",
        [account, month, scope, value],
    ).rowcount


def listed(connection: psycopg.Connection[Any], account: str) -> list[dict[str, Any]]:
    """Return an account's budgets with their forecasts, the newest month first."""
    return (
        connection.cursor(row_factory=dict_row)
        .execute(
            "SELECT * FROM analytics.budgets WHERE account = %s ORDER BY period DESC, scope, scope_value",
            [account],
        )
        .fetchall()
    )
