"""The tables as SQLAlchemy Core objects. Migrations make them; a test compares the two. The definitions are in tables/.

Schema `truedy` mirrors the source, with its words and the contract's names. `replicator` holds our own records. `archive` holds what is sealed.
`analytics` holds only views, made from sql/views. The roll-ups in schema `rollup` are derived data, made from
sql/rollups. Our own columns have names that the source does not use: `first_seen_at`, `changed_at`, `observed_at`,
`deleted_at`, `fingerprint`, `raw`.

There are no foreign keys: every row is written by one merge, which keeps the tables consistent (sql/checks proves it),
and a check per segment row would double the cost of writing. Amounts are `numeric` without a scale, so that no digit of
the source is rounded.
"""

from __future__ import annotations

from replicator.store.tables import archive, archived, books, governance, mirror, rules
from replicator.store.tables.base import metadata

__all__ = ["archive", "archived", "books", "governance", "metadata", "mirror", "rules"]
