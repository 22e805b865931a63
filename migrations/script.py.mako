"""${message}

Rules of this folder: numbered in order, one story a file, tables only (views live in sql/views and are re-applied
after the migrations). Old code may still run while this one does: add first, remove in a later release. No data of
users is dropped. CREATE INDEX on a large table needs its own migration and a note about its lock.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
