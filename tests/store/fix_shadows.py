"""Functions and operators that fit our statements better than PostgreSQL's own, planted where a search path finds them.

PostgreSQL looks into pg_catalog first, and yet takes a function of another schema of the path if its argument types fit
better (CVE-2018-1058): `concat(text, text)` beats the built-in `concat(VARIADIC "any")`. Each of these ends the statement
that would call it.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

TOP = Path(__file__).resolve().parents[2]
MARK = "a function of a stranger was run"
TYPES = (
    "text", "uuid", "integer", "bigint", "numeric", "double precision", "timestamptz", "timestamp", "date", "interval", "jsonb", "boolean",
    "text[]", "uuid[]", "date[]", "bytea", "varchar", "name", "oid", "smallint", "real", '"char"',
)  # fmt: skip
CALLED = re.compile(r"\b([a-z_0-9]+)\s*\(")
OPERATORS = ("=", "<>", "<", ">", "<=", ">=", "||", "+", "-", "*", "/", "->", "->>", "#>>", "#>", "~", "!~", "~*", "!~*", "@>", "?", "%", "^")  # fmt: skip


def names() -> set[str]:
    """Return every word that is followed by a bracket in our SQL, wherever it stands."""
    texts = [path.read_text(encoding="utf-8") for path in (TOP / "sql").rglob("*.sql")]
    texts += [path.read_text(encoding="utf-8") for path in (TOP / "replicator").rglob("*.py")]
    texts += [path.read_text(encoding="utf-8") for path in (TOP / "migrations").rglob("*.py")]
    return {name for text in texts for name in CALLED.findall(text)}


def plant(connection: psycopg.Connection[Any], schema: str) -> int:
    """Make them in this schema, for each name that PostgreSQL has and we call, and each operator; return how many there are."""
    connection.execute(
        f"CREATE OR REPLACE FUNCTION {schema}.stop() RETURNS void LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION '{MARK}, as %', current_user; END $$"
    )
    rows = connection.execute(
        "SELECT DISTINCT proname::text, pronargs, prorettype::regtype::text, proretset FROM pg_proc WHERE proname = ANY(%s) "
        "AND pronamespace = 'pg_catalog'::regnamespace AND prokind IN ('f', 'a') AND pronargs <= 2",
        [sorted(names())],
    ).fetchall()
    wide = {"concat", "format", "jsonb_build_object", "json_build_object"}
    arities: dict[str, set[int]] = {name: {1, 2} for name in wide}
    gives: dict[str, str] = {}
    for name, arity, returned, is_set in rows:
        arities.setdefault(name, set()).add(arity)
        is_own = returned.startswith("any") or returned in {"internal", "record", "void", "trigger"}
        gives[name] = ("SETOF " if is_set else "") + ("text" if is_own else returned)
    statements = []
    for name, counts in sorted(arities.items()):
        for count in sorted(counts - {0}):
            for types in product(TYPES, repeat=count) if count == 1 else product(TYPES[:11], repeat=2):
                returned = gives.get(name, "text")
                first = types[0].removesuffix("[]") if returned.removeprefix("SETOF ") == "text" else ""
                result = ("SETOF " if returned.startswith("SETOF") else "") + (first or returned.removeprefix("SETOF "))
                statements.append(
                    f"CREATE FUNCTION {schema}.{name}({', '.join(types)}) RETURNS {result} LANGUAGE plpgsql AS "
                    f"$$ BEGIN PERFORM {schema}.stop(); END $$"
                )
    connection.execute(
        f"CREATE FUNCTION {schema}.never(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM {schema}.stop(); END $$"
    )
    for operator in OPERATORS:
        for left, right in product(TYPES[:11], repeat=2):
            name = f'{schema}."{operator}{left}{right}"'
            statements.append(
                f"CREATE FUNCTION {name}({left}, {right}) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM {schema}.stop(); END $$; "
                f"CREATE OPERATOR {schema}.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = {name})"
            )
    made = 0
    for at in range(0, len(statements), 200):
        some = statements[at : at + 200]
        guarded = "".join(f"BEGIN {one.replace('$$', '$f$')}; EXCEPTION WHEN OTHERS THEN NULL; END; " for one in some)
        connection.execute(f"DO $do$ BEGIN {guarded} END $do$")
        made += len(some)
    return made
