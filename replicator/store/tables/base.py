"""Shared definitions of all tables: how constraints are named, and column types with the same meaning everywhere."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Instant = sa.TIMESTAMP(timezone=True)
Count = sa.BigInteger


def now() -> sa.TextClause:
    return sa.text("clock_timestamp()")
