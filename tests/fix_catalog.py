"""Says everything that a database's catalog holds of some schemas, so that two databases, or two moments, can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMAS = ("analytics", "billing", "replicator", "rollup", "truedy")
QUERIES = {
    "schema": "SELECT nspname FROM pg_namespace WHERE nspname = ANY(%(schemas)s)",
    "relation": "SELECT format('%%s.%%s', nspname, relname), relkind::text, relreplident::text, reloptions::text, "
    "relpersistence::text, relrowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE nspname = ANY(%(schemas)s) AND relkind NOT IN ('i', 't')",
    "column": "SELECT format('%%s.%%s.%%s', nspname, relname, attname), format_type(atttypid, atttypmod), attnotnull, "
    "attidentity::text, attgenerated::text, pg_get_expr(adbin, adrelid), attstattarget FROM pg_attribute a JOIN pg_class c "
    "ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND "
    "d.adnum = attnum WHERE nspname = ANY(%(schemas)s) AND attnum > 0 AND NOT attisdropped AND relkind NOT IN ('i', 't', 'S')",
    "constraint": "SELECT format('%%s.%%s', conrelid::regclass, conname), pg_get_constraintdef(c.oid) FROM pg_constraint c "
    "JOIN pg_namespace n ON n.oid = connamespace WHERE nspname = ANY(%(schemas)s)",
    "index": "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = "
    "indrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ANY(%(schemas)s)",
    "trigger": "SELECT format('%%s.%%s', tgrelid::regclass, tgname), pg_get_triggerdef(t.oid), tgenabled::text FROM "
    "pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE nspname = ANY(%(schemas)s) AND NOT tgisinternal",
    "routine": "SELECT p.oid::regprocedure::text, prosrc, proconfig::text, provolatile::text, prosecdef FROM pg_proc p "
    "JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = ANY(%(schemas)s)",
    "view": "SELECT c.oid::regclass::text, pg_get_viewdef(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE nspname = ANY(%(schemas)s) AND relkind IN ('v', 'm')",
    "comment": "SELECT pg_describe_object(classoid, objoid, objsubid), description FROM pg_description WHERE objoid IN "
    "(SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ANY(%(schemas)s) UNION "
    "SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = ANY(%(schemas)s))",
    "type": "SELECT t.oid::regtype::text, typtype::text FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace "
    "WHERE nspname = ANY(%(schemas)s) AND typrelid = 0 AND typcategory <> 'A'",
}
RIGHTS = {
    "schema rights": "SELECT nspname, pg_get_userbyid(nspowner)::text, nspacl::text FROM pg_namespace WHERE nspname = ANY(%(schemas)s)",
    "relation rights": "SELECT c.oid::regclass::text, pg_get_userbyid(relowner)::text, relacl::text FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ANY(%(schemas)s) AND relkind NOT IN ('i', 't')",
    "column rights": "SELECT format('%%s.%%s', attrelid::regclass, attname), attacl::text FROM pg_attribute JOIN pg_class c "
    "ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ANY(%(schemas)s) AND attacl IS NOT NULL",
    "routine rights": "SELECT p.oid::regprocedure::text, pg_get_userbyid(proowner)::text, proacl::text FROM pg_proc p "
    "JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = ANY(%(schemas)s)",
}
OIDS = "SELECT c.oid::regclass::text, c.oid::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ANY(%(schemas)s)"


def described(
    url: str, *, schemas: Sequence[str] = SCHEMAS, rights: bool = True, oids: bool = False
) -> set[tuple[str, ...]]:
    """Return one tuple for each fact of the catalog: what it is of, its name, and what is said."""
    queries = QUERIES | (RIGHTS if rights else {}) | ({"oid": OIDS} if oids else {})
    with psycopg.connect(url) as connection:
        connection.execute("SET search_path = ''")
        return {
            (kind, *map(str, row))
            for kind, query in queries.items()
            for row in connection.execute(query, {"schemas": list(schemas)}).fetchall()
        }
