"""Reads the facts that `doctor` needs from a database, each by its own query, so that one failure hides no other fact.

It only reads. replicator/doctor decides what an answer means; if a question cannot be answered, the reason is returned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from replicator.errors import ReplicatorError, RightMissing
from replicator.store import lease, naming, schema_check
from replicator.store.roles import Names
from replicator.store.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replicator.store.database import Database

SCHEMAS = naming.USUAL
Rows = list[dict[str, Any]]

QUESTIONS: Mapping[str, str] = {
    # One row: the server, this user and this session. The settings are those from the session's start, because our own
    # transactions change some, and other programs do not get those values.
    "server": """
        SELECT current_setting('server_version_num')::int / 10000 AS version, current_setting('server_version') AS version_text,
            pg_is_in_recovery() AS is_standby, current_setting('server_encoding') AS encoding,
            current_database()::text AS database, current_user::text AS user, pg_backend_pid() AS backend,
            host(inet_server_addr()) AS address, r.rolsuper AS is_superuser, r.rolcreaterole AS may_make_roles,
            has_database_privilege(current_database(), 'CREATE') AS may_make_schemas, clock_timestamp() AS now,
            pg_database_size(current_database()) AS bytes
        FROM pg_roles r WHERE r.rolname = current_user""",
    "settings": """
        SELECT name, reset_val AS value FROM pg_settings WHERE name IN ('default_transaction_read_only', 'jit',
            'statement_timeout', 'idle_in_transaction_session_timeout', 'log_error_verbosity', 'max_connections',
            'session_replication_role', 'fsync')""",
    "tls": "SELECT ssl AS is_encrypted, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "folder": "SELECT current_setting('data_directory') AS path",
    "sessions": "SELECT count(*) AS used FROM pg_stat_activity WHERE backend_type = 'client backend'",
    "schemas": """
        SELECT n.nspname::text AS name, pg_get_userbyid(n.nspowner)::text AS owner,
            pg_has_role(n.nspowner, 'USAGE') AS is_ours, has_schema_privilege(n.oid, 'USAGE') AS may_use
        FROM pg_namespace n WHERE n.nspname = ANY(%(schemas)s) ORDER BY 1""",
    "relations": """
        SELECT n.nspname::text AS schema, c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1, 2""",
    "views": "SELECT 'analytics' AS schema, name FROM replicator.views",
    "book": "SELECT schema, name FROM replicator.objects WHERE kind = 'relation'",
    "zone": """
        SELECT r.time_zone AS name, EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = r.time_zone) AS is_known
        FROM replicator.reporting r""",
    "wanted_zone": "SELECT %(zone)s::text IS NULL OR EXISTS (SELECT FROM pg_timezone_names WHERE name = %(zone)s) AS is_known",
    "publications": """
        SELECT p.pubname::text AS publication, format('%%I.%%I', p.schemaname, p.tablename) AS name
        FROM pg_publication_tables p JOIN pg_publication b ON b.pubname = p.pubname
        JOIN pg_namespace n ON n.nspname = p.schemaname
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
        WHERE p.schemaname = ANY(%(schemas)s) AND (b.pubupdate OR b.pubdelete) AND (c.relreplident = 'n'
            OR (c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)))
        ORDER BY 1, 2""",
    # By oid and not by name, because a look-up by name needs USAGE on the schema.
    "rights": """
        SELECT bool_and(has_table_privilege(c.oid, 'SELECT')) FILTER (WHERE relname = 'calls') AS may_read,
            bool_and(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT')) AS may_write
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (n.nspname, c.relname) IN (('truedy', 'calls'), ('replicator', 'lease'), ('rollup', 'touched'))""",
    "roles": """
        SELECT rolname::text AS name, pg_has_role(oid, 'USAGE') AS is_member FROM pg_roles WHERE rolname = ANY(%(roles)s)
        ORDER BY 1""",
    "statistics": """
        SELECT c.reltuples < 0 AS is_missing, coalesce(s.n_live_tup, 0) AS calls
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
        WHERE n.nspname = 'truedy' AND c.relname = 'calls'""",
    "writer": """
        SELECT holder, host, pid, expires_at > clock_timestamp() AS is_live,
            ceil(extract(epoch FROM expires_at - clock_timestamp()))::int AS seconds_left
        FROM replicator.lease WHERE account = %(account)s AND expires_at > clock_timestamp()""",
    "source": "SELECT base_url, total FROM replicator.source_state WHERE account = %(account)s",
    "budgets": "SELECT key_id, request_limit AS learned_limit, not_before > now() AS is_refused FROM replicator.budgets WHERE account = %(account)s",
    "locks": """
        SELECT count(*) AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'truedy%%'""",
}  # fmt: skip
"""{name of the fact: query}. The names of the columns are those of the facts."""
AFTER_A_MIGRATION = frozenset({"views", "book", "zone", "rights", "writer", "source", "budgets"})
"""Questions that can be asked only where our tables exist."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found: rows by question, and the reason for each question that could not be answered."""

    rows: Mapping[str, Rows]
    unseen: Mapping[str, str]
    fits: ReplicatorError | None
    """Why the schema does not fit this program; None where it does."""
    has_schema: bool
    is_pooled: bool
    """Another server process answers than the one to which the connection was made, so there is a pooler between."""
    is_writer_dead: bool
    """The lease is held by a process of this machine that no longer runs."""
    closed: frozenset[str] = frozenset()
    """The questions of `unseen` that this user has no right to ask."""

    def row(self, question: str) -> dict[str, Any]:
        """Return the one row of an answer; empty where there is none."""
        return next(iter(self.rows.get(question, ())), {})


def read(database: Database, *, account: str, role_prefix: str, time_zone: str | None) -> Facts:
    """Ask all questions. Raises the error of connecting; a failed question is recorded and hides nothing else."""
    given = {
        "schemas": list(database.names.all), "account": account, "zone": time_zone, "roles": list(Names.of(role_prefix).all),
    }  # fmt: skip
    with database.connection() as connection:
        own = connection.info.backend_pid
        first = connection.execute(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'replicator' AND c.relname = 'schema_version'), pg_backend_pid()"
        ).fetchone()
    has_schema, answering = (first[0], first[1]) if first else (False, own)
    rows: dict[str, Rows] = {}
    unseen: dict[str, str] = {}
    closed: set[str] = set()
    for name, question in QUESTIONS.items():
        if name in AFTER_A_MIGRATION and not has_schema:
            continue
        try:
            with database.connection() as connection:
                answer = connection.cursor(row_factory=dict_row).execute(question.encode(), given).fetchall()
                rows[name] = [{column: _text(value) for column, value in row.items()} for row in answer]
        except ReplicatorError as error:
            unseen[name] = error.message
            closed |= {name} if isinstance(error, RightMissing) else set()
    # Our objects are recognised by the usual names of our schemas, whatever the names in this database are.
    for name, column in (("relations", "schema"), ("book", "schema"), ("views", "schema"), ("schemas", "name")):
        for found in rows.get(name, ()):
            found[column] = database.names.usual(found[column])
    fits: ReplicatorError | None = None
    try:
        schema_check.check(database)
    except ReplicatorError as error:
        fits = error
    writer = next(iter(rows.get("writer", ())), {})
    is_dead = lease.is_dead(writer.get("host"), writer.get("pid"))
    return Facts(rows, unseen, fits, has_schema, answering != own, is_dead, frozenset(closed))


def _text(value: Any) -> Any:
    """Return a value as it is; a database without an encoding gives its texts as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def foreign(facts: Facts) -> list[str]:
    """Return the tables and views in our schemas that we did not make, as far as can be told. Pure."""
    ours = {(table.schema or "", table.name) for table in metadata.tables.values()} if facts.has_schema else set()
    ours |= {("replicator", "schema_version")} if facts.has_schema else set()
    ours |= {(row["schema"], row["name"]) for question in ("views", "book") for row in facts.rows.get(question, ())}
    # Without the record of what we made, the many parts of the roll-ups cannot be distinguished from other objects; where
    # the list of our views cannot be seen either, as a reader cannot, nor can the views.
    is_unclear: set[str] = set()
    if facts.has_schema and "book" not in facts.rows:
        is_unclear = {"rollup", "analytics"} if "views" in facts.unseen else {"rollup"}
    return [
        f"{row['schema']}.{row['name']}"
        for row in facts.rows.get("relations", ())
        if row["schema"] not in is_unclear and (row["schema"], row["name"]) not in ours
    ]


__all__ = ["SCHEMAS", "Facts", "foreign", "read"]
