"""A placeholder for a revision of another branch, so that the chain is whole here; replaced when they meet."""

from __future__ import annotations

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
