"""Runs the table migrations on a connection that `replicator migrate` hands over, or on DATABASE_URL for developers.

One transaction for everything, under an advisory lock that belongs to it, so that two deployers cannot migrate at
once; lock waits are bounded, so that a migration never queues behind a long report and blocks everybody else.
"""

from __future__ import annotations

import os
from contextlib import nullcontext

import sqlalchemy as sa
from alembic import context

from replicator.store.schema import metadata

SCHEMAS = {"truedy", "replicator", "rollup"}


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Compare only our own schemas: a user's tables beside them are none of our business."""
    return name in SCHEMAS if kind == "schema" else True


def run(connection: sa.Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        include_name=is_ours,
        version_table="schema_version",
        version_table_schema="replicator",
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
    url = sa.make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg")
    with sa.create_engine(url).begin() as own:
        own.execute(sa.text("CREATE SCHEMA IF NOT EXISTS replicator"))
        run(own)
