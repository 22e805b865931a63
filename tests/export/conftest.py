"""A view with every type, and what it is filled with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from replicator.store.database import Database

TYPES = (
    "number integer, said text, cost_usd numeric(18,6), exact numeric, at timestamptz, local_at timestamp, day date, "
    "is_open boolean, id uuid, seconds double precision, small smallint, large bigint, single real"
)


@pytest.fixture
def odd(database: Database) -> Database:
    """A database with an empty view analytics.odd, which has a column of each type, and its table."""
    with database.transaction() as tx:
        tx.execute(f"CREATE TABLE public.odd ({TYPES}); CREATE VIEW analytics.odd AS SELECT * FROM public.odd")
        tx.execute(f"CREATE TABLE public.back ({TYPES})")
        tx.execute("COMMENT ON VIEW analytics.odd IS 'Grain: one row per oddity.'")
        tx.execute("COMMENT ON COLUMN analytics.odd.said IS 'What was said.'")
    return database
