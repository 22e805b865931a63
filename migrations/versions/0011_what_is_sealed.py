"""The compliance archive: records, blocks, heads, and the trigger that keeps what is sealed.

The trigger fires in every session (ENABLE ALWAYS), also in one with session_replication_role = replica. Nothing is sealed
in a database of an earlier release: `archive run` does it where the archive is switched on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# With the roles in use, only a member of the archivist may erase: the owner and the writer may not.
REFUSE = """
CREATE FUNCTION archive.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    owner text := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID);
    archivist text := regexp_replace(owner, '_owner$', '') || '_archivist';
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'records' THEN
        IF (SELECT count(*) FROM pg_roles WHERE rolname = archivist) = 0 OR pg_has_role(current_user, archivist, 'USAGE') THEN
            IF NEW.salt IS NULL AND NEW.bytes IS NULL AND (OLD.account, OLD.sequence, OLD.kind, OLD.observed_at, OLD.commitment,
                OLD.block) = (NEW.account, NEW.sequence, NEW.kind, NEW.observed_at, NEW.commitment, NEW.block)
                AND OLD.subject IS NOT DISTINCT FROM NEW.subject THEN
                RETURN NEW;
            END IF;
        END IF;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
        MESSAGE = format('what is sealed stays as it is: %s of %I is refused', lower(TG_OP), TG_TABLE_NAME),
        HINT = 'An erasure by a member of the archivist takes away salt and bytes of a record, and nothing else is changed.';
END $body$
"""


def upgrade() -> None:
    instant, blob = sa.TIMESTAMP(timezone=True), postgresql.BYTEA()
    op.create_table(
        "chains",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("late_run", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_chains")),
        schema="archive",
    )
    op.create_table(
        "records",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", postgresql.UUID()),
        sa.Column("observed_at", instant, nullable=False),
        sa.Column("salt", blob),
        sa.Column("bytes", blob),
        sa.Column("commitment", blob, nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "sequence", name=op.f("pk_records")),
        schema="archive",
    )
    op.create_table(
        "blocks",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("root", blob, nullable=False),
        sa.Column("previous", blob, nullable=False),
        sa.Column("sealed_at", instant, nullable=False),
        sa.Column("hash", blob, nullable=False),
        sa.PrimaryKeyConstraint("account", "block", name=op.f("pk_blocks")),
        schema="archive",
    )
    op.create_table(
        "heads",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("written_at", instant, nullable=False),
        sa.Column("authority", sa.Text()),
        sa.Column("token", blob),
        sa.Column("token_at", instant),
        sa.Column("token_error", sa.Text()),
        sa.PrimaryKeyConstraint("account", "block", "place", name=op.f("pk_heads")),
        schema="archive",
    )
    # Hashes and ciphers have no statistics that a plan uses, and they would cost most of the time of ANALYZE.
    for table, columns in (("records", ("salt", "bytes", "commitment")), ("blocks", ("root", "previous", "hash"))):
        for column in columns:
            op.execute(f"ALTER TABLE archive.{table} ALTER COLUMN {column} SET STATISTICS 0")
    op.execute(REFUSE)
    for table in ("records", "blocks"):
        op.execute(
            f"CREATE TRIGGER kept_rows BEFORE UPDATE OR DELETE ON archive.{table} FOR EACH ROW "
            "EXECUTE FUNCTION archive.refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER kept_whole BEFORE TRUNCATE ON archive.{table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION archive.refuse_change()"
        )
        for trigger in ("kept_rows", "kept_whole"):
            op.execute(f"ALTER TABLE archive.{table} ENABLE ALWAYS TRIGGER {trigger}")


def downgrade() -> None:
    raise RuntimeError("migrations go forward only: restore a backup to go back")
