"""Writes docs/roles.md and docs/dictionary.md from the catalog of a migrated database.

`python -m replicator.store.pages` starts a temporary PostgreSQL, migrates it, makes the roles and writes both pages;
tests compare the pages with the catalog. Nothing here decides anything.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from replicator.store import embedded, migrate, schema_check
from replicator.store.roles import schemas
from replicator.store.views import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROLES = DOCS / "roles.md"
DICTIONARY = DOCS / "dictionary.md"

GRANTED = ("writer", "reader", "auditor", "archivist")
SECTIONS = (
    (
        "The database and the schemas",
        "SELECT 'the database', 0, ARRAY(SELECT right_name FROM unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) right_name "
        "WHERE has_database_privilege(%(role)s, current_database(), right_name)) UNION ALL "
        "SELECT quote_ident(nspname), 1, ARRAY(SELECT right_name FROM unnest(ARRAY['USAGE', 'CREATE']) right_name "
        "WHERE has_schema_privilege(%(role)s, n.oid, right_name)) FROM pg_namespace n WHERE nspname = ANY(%(schemas)s) "
        "ORDER BY 2, 1",
    ),
    (
        "Tables and views",
        "SELECT format('%%I.%%I', nspname, relname), 0, ARRAY(SELECT right_name FROM unnest(ARRAY['SELECT', 'INSERT', "
        "'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) WITH ORDINALITY r (right_name, place) WHERE "
        "has_table_privilege(%(role)s, c.oid, right_name) ORDER BY place) FROM pg_class c JOIN pg_namespace n ON n.oid = "
        "c.relnamespace WHERE nspname = ANY(%(schemas)s) AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1",
    ),
    (
        "Sequences and functions",
        "SELECT format('%%I.%%I', nspname, relname), 0, ARRAY(SELECT right_name FROM unnest(ARRAY['USAGE', 'SELECT', "
        "'UPDATE']) right_name WHERE has_sequence_privilege(%(role)s, c.oid, right_name)) FROM pg_class c JOIN "
        "pg_namespace n ON n.oid = c.relnamespace WHERE nspname = ANY(%(schemas)s) AND relkind = 'S' AND NOT EXISTS ("
        "SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')) UNION ALL "
        "SELECT format('%%I.%%I(%%s)', nspname, proname, pg_get_function_identity_arguments(p.oid)), 1, "
        "ARRAY(SELECT right_name FROM unnest(ARRAY['EXECUTE']) right_name WHERE has_function_privilege(%(role)s, p.oid, "
        "right_name)) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE nspname = ANY(%(schemas)s) "
        "ORDER BY 2, 1",
    ),
)
ROLES_HEAD = """# Roles

What each of the five roles may do on each object, as the database itself states it. Written by `make docs`
(`python -m replicator.store.pages`); a test compares this page with the catalog and tries every verb on every table and
view as a member of each role. How to make and use the roles is in [operations.md](operations.md).

- **owner** owns every schema, table, view, sequence and function. `replicator migrate` works as this role; nobody logs in as it.
- **writer** has the rights that `sync`, `serve` and similar commands need. It creates and changes no object, and deletes
  nothing that was observed.
- **reader** is for BI tools: the views that are not personal, and nothing else.
- **auditor** reads all views, personal ones too (numbers, texts, transcripts), and the tables about syncs, coverage and
  budgets. It does not read the mirror and the quarantine, because they contain signed links to recordings and whole
  payloads, nor the table of pseudonyms, which it does not need.
- **archivist** erases, holds, disposes of and exports archived calls: it reads everything, and may change the mirror, the
  archive and the lines of statements. It adds records and blocks like the writer. Of a sealed record it can only remove
  the content: a trigger refuses everything else, even to the owner.

A dash means that the role may do nothing there. PUBLIC may do nothing anywhere.
"""
DICTIONARY_HEAD = """# Data dictionary

Every view of schema `analytics`: what a row is, who may read it ([roles.md](roles.md)), and each column with its type and
meaning. Written by `make docs` (`python -m replicator.store.pages`) from the comments in the database, which BI tools show
too; a test compares the two. The texts themselves are in [sql/columns.toml](../sql/columns.toml), one for each name, and in the
header of each file of sql/views. What the metrics mean and why is in [sql/DECISIONS.md](../sql/DECISIONS.md).
"""


def roles(connection: psycopg.Connection[Any], prefix: str) -> str:
    """Return the text of docs/roles.md, from a database in which the roles with this prefix are in use."""
    parts = [ROLES_HEAD]
    for title, query in SECTIONS:
        columns = []
        for role in GRANTED:
            given = {"role": f"{prefix}_{role}", "schemas": schemas()}
            columns.append(connection.execute(query, given).fetchall())
        rows = [
            (f"`{cells[0][0]}`", *(", ".join(rights) or "-" for _, _, rights in cells))
            for cells in zip(*columns, strict=True)
        ]
        if rows:
            parts.append(f"## {title}\n\n{_table(('object', *GRANTED), rows)}")
    return "\n".join(parts)


def rights_of(page: str) -> dict[str, dict[str, set[str]]]:
    """Read docs/roles.md: {object: {role: rights}}."""
    found = {}
    for line in page.splitlines():
        match = re.fullmatch(r"\| `(.+)` \| (.+) \| (.+) \| (.+) \| (.+) \|", line)
        if match:
            found[match[1]] = {
                role: set() if cell == "-" else set(cell.split(", "))
                for role, cell in zip(GRANTED, match.groups()[1:], strict=True)
            }
    return found


def dictionary(connection: psycopg.Connection[Any]) -> str:
    """Return the text of docs/dictionary.md, from a migrated database."""
    views = load(schema_check.bundled("sql") / "views")
    parts = [
        DICTIONARY_HEAD,
        "\n".join(f"- [{view.name}](#{view.name}): {_grain(connection, view.name)}" for view in views),
    ]
    for view in views:
        columns = connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) FROM pg_attribute "
            "WHERE attrelid = format('analytics.%%I', %s::text)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [view.name],
        ).fetchall()
        who = "auditors only: personal data" if view.audience == "auditor" else "reader, auditor, writer"
        table = _table(("column", "type", "meaning"), [(f"`{name}`", kind, text or "") for name, kind, text in columns])
        parts.append(
            f"\n## {view.name}\n\n{_comment(connection, view.name)}\n\nMay be read by: {who}.\n\n{table.rstrip()}"
        )
    return "\n".join(parts) + "\n"


def columns_of(page: str) -> dict[str, list[tuple[str, str, str]]]:
    """Read docs/dictionary.md: {view: [(column, type, meaning)]}."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for section in page.split("\n## ")[1:]:
        rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.*) \|$", section, re.MULTILINE)
        found[section.partition("\n")[0]] = [(name, kind, text.replace("\\|", "|")) for name, kind, text in rows]
    return found


def _comment(connection: psycopg.Connection[Any], view: str) -> str:
    row = connection.execute(
        "SELECT obj_description(format('analytics.%%I', %s::text)::regclass, 'pg_class')", [view]
    ).fetchone()
    return str(row[0] or "") if row else ""


def _grain(connection: psycopg.Connection[Any], view: str) -> str:
    """Return the first sentence of a view's comment."""
    return _comment(connection, view).removeprefix("Grain: ").partition(". ")[0].rstrip(".")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def write() -> None:
    """Write both pages anew."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with embedded.running(Path(folder) / "postgres") as server:
            migrate.migrate(server.url)
            migrate.make_roles(server.url)
            with psycopg.connect(server.url) as connection:
                ROLES.write_text(roles(connection, migrate.ROLE_PREFIX), encoding="utf-8")
                DICTIONARY.write_text(dictionary(connection), encoding="utf-8")


if __name__ == "__main__":
    write()
    sys.stdout.write(f"{ROLES.name} and {DICTIONARY.name} are written\n")
