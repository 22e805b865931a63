"""Runs the table migrations on a connection that `replicator migrate` hands over, or on DATABASE_URL for developers.

Everything is one transaction. It locks the table of the schema's version, so that two deployers cannot migrate at the same
time. Lock waits are bounded, so that a migration does not queue behind a long report and block all other sessions.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import context

from replicator.store.engine import make_engine
from replicator.store.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMAS = {"truedy", "replicator", "rollup", "archive", "billing"}
OF_EXPRESSIONS = {"ix_calls_other_party"}
"""An index on a CASE, which PostgreSQL spells its own way: made by migration 0004, and not in schema.py."""
BOOKS_OF_ROLLUPS = {"touched", "days"}
"""What migrations make in schema rollup; the roll-ups themselves are derived, and made from sql/rollups."""


def is_ours(name: str | None, kind: str, parents: Mapping[str, str | None]) -> bool:
    """Compare only our own schemas: a user's tables beside them are none of our business."""
    if kind == "schema":
        return name in SCHEMAS
    if kind == "index" and name in OF_EXPRESSIONS:
        return False
    return kind != "table" or parents.get("schema_name") != "rollup" or name in BOOKS_OF_ROLLUPS


def run(connection: sa.Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        include_name=is_ours,
        version_table="schema_version",
        version_table_schema=context.config.attributes.get("books", "replicator"),
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=False,
    )
    with nullcontext() if connection.in_transaction() else context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = make_engine(os.environ["DATABASE_URL"]).execution_options(isolation_level="READ COMMITTED")
    with engine.begin() as own:
        for name in SCHEMAS | {"analytics"}:
            own.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {name}"))
        run(own)
