"""The tables, as SQLAlchemy Core sees them. Migrations make them; a test compares the two. The rooms are in tables/.

Schema `truedy` is the mirror, in the source's own words and under the contract's names; `replicator` holds our books.
`analytics` holds views only and is made from sql/views; the roll-ups in schema `rollup` are derived, and made from
sql/rollups. Our own columns look different from the source's: `first_seen_at`, `changed_at`, `observed_at`,
`deleted_at`, `fingerprint`, `raw`.

There are no foreign keys: every row is written by one merge, which keeps them consistent (sql/checks proves it), and
a check per segment row would double the cost of the write path. Amounts are `numeric` without a scale, so that no
digit of the source is rounded.
"""

from __future__ import annotations

from replicator.store.tables import books, mirror, rules
from replicator.store.tables.base import metadata

__all__ = ["books", "metadata", "mirror", "rules"]
