"""Decides which objects in our schemas are ours, by the record of what we made there (`replicator.objects`).

A database may have schemas with our names and objects of other users in them. An object is ours if the record (the
"book") has it, never by its name alone: only such objects are altered, dropped, granted or given an owner. Before the
first change, `refuse` reports foreign objects where we would make something. The book holds names, which survive a
dump, and oids. By its oid, a view that a user dropped and made anew under our name is known as foreign; oids count only
in the database in which they were written. An index, a sequence and a trigger belong to their table.

In databases of releases before the book (up to 0005), what those releases made is ours: `BEFORE_THE_BOOK`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import sqlalchemy as sa

from replicator.errors import ConfigurationError, DatabaseError, ForeignObjects
from replicator.store import naming
from replicator.store.naming import USUAL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

Kind = Literal["schema", "relation", "routine"]
VERSION = ("replicator", "schema_version")
MOST_NAMED = 12
"""A message names at most this many objects, to stay readable."""

BEFORE_THE_BOOK: Mapping[str, str] = {
    "0001": "replicator.schema_version replicator.budget_windows replicator.budgets replicator.coverage replicator.lease "
    "replicator.quarantine replicator.reporting replicator.runs replicator.source_state replicator.status_stages replicator.views "
    "truedy.call_versions truedy.calls truedy.recordings truedy.transcript_segments truedy.transcript_versions "
    "truedy.transcripts",
    "0002": "replicator.absences replicator.verifications replicator.renewal_classes",
    "0003": "",
    "0004": "replicator.stage_rules replicator.error_classes replicator.agents replicator.campaigns replicator.cost_changes "
    "rollup.touched rollup.days",
    "0005": "replicator.parties",
}
"""Tables by the migration that made them."""
ROLLUPS_BEFORE = [
    "call_conversations",
    "conversations",
    "costs",
    "day_bounds",
    "duration_buckets",
    "durations",
    "facts",
    "funnel",
    "hours",
    "numbers",
    "periods",
    "scorecard_live",
    "stale",
    "stale_bounds",
]
"""The roll-ups of releases before the book: everything that such a release may have made for one of them is ours."""
ROLLUP_PARTS = ("", "_plain", "_live", "_current", "_agents", "_agents_plain", "_agents_current", "_months", "_months_plain",
                "_months_current")  # fmt: skip
ROUTINES_BEFORE = ("keep_conversations()", "touch_calls()", "touch_everything()")


class Thing(NamedTuple):
    """The identity of an object. The name of a routine includes the types of its arguments."""

    kind: Kind
    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class Found:
    """An object that exists. `word` is its kind in messages; `part_of` is the oid of the table to which it belongs."""

    thing: Thing
    word: str
    oid: int
    owner: str
    part_of: int = 0
    is_bare: bool = False
    """A type without a table: no table or view can have its name, but it is none itself."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All objects that exist in our schemas, and which of them are ours."""

    found: tuple[Found, ...] = ()
    ours: frozenset[Thing] = frozenset()
    version: str | None = None
    """The version of our tables; None where we have made none."""
    comments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By view, the comments that we wrote: by column, and the view's own under the empty name."""

    @property
    def is_new(self) -> bool:
        return self.version is None

    def has(self, schema: str, name: str = "", kind: Kind = "relation") -> bool:
        """Say whether this object exists and is ours."""
        return Thing(kind if name else "schema", schema, name) in self.ours

    def relations(self, schema: str, *words: str) -> list[str]:
        """Return the names of our tables or views in a schema."""
        return [one.thing.name for one in self.found if one.thing in self.ours
                and one.thing.kind == "relation" and one.thing.schema == schema and one.word in words]  # fmt: skip

    def others(self) -> list[Found]:
        """Return the foreign objects, without the schemas themselves."""
        parents = {one.oid for one in self.found if one.thing in self.ours and not one.part_of}
        return [
            one
            for one in self.found
            if one.thing.kind != "schema" and one.thing not in self.ours and one.part_of not in parents
        ]


ROUTINES = (("archive", "refuse_change()"), ("archive", "keep_history()"))
"""The functions that migrations make."""


def tables() -> frozenset[Thing]:
    """Return what the migrations make: the tables, the names of their indexes, and functions."""
    from replicator.store.schema import metadata  # noqa: PLC0415 - it loads a dialect, and most commands need no table

    names = {VERSION, (VERSION[0], "schema_version_pkc"), ("truedy", "ix_calls_other_party")}
    for table in metadata.tables.values():
        constraints = {
            str(one.name) for one in table.constraints if isinstance(one, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
        }
        names |= {
            (str(table.schema), name) for name in {table.name, *constraints, *(str(one.name) for one in table.indexes)}
        }
    routines = {Thing("routine", schema, name) for schema, name in ROUTINES}
    return frozenset({Thing("relation", schema, name) for schema, name in names} | routines)


def read(connection: sa.Connection, wanted: Collection[Thing]) -> Standing:
    """Read which objects exist. Changes nothing. For a user who may not read the book, all existing objects in `wanted`
    count as ours.
    """
    rows = connection.execute(sa.text(_EVERYTHING)).all()
    names = naming.of(connection)
    found = tuple(
        Found(
            Thing(row.kind, names.usual(row.schema), row.name),
            row.word,
            row.oid,
            row.owner,
            row.part_of or 0,
            row.is_bare,
        )
        for row in rows
    )
    there = {one.thing[1:]: one for one in found if one.thing.kind == "relation" and one.word == "table"}
    if any(tuple(name.split(".")) not in there for name in BEFORE_THE_BOOK["0001"].split()):
        return Standing(found)
    if not connection.execute(sa.text(_MAY_READ)).scalar():
        owner = there[VERSION].owner
        ours = {
            one.thing for one in found if one.thing in wanted or (one.thing.kind == "schema" and one.owner == owner)
        }
        return Standing(found, frozenset(ours), "")
    version = connection.execute(sa.text("SELECT version_num FROM replicator.schema_version")).scalar()
    if version is None:
        return Standing(found)
    book = there.get(("replicator", "objects"))
    if book is None or version in BEFORE_THE_BOOK:
        return Standing(found, _adopted(connection, found, version), version)
    entries = connection.execute(sa.text("SELECT kind, schema, name, oid, comments FROM replicator.objects")).all()
    oids = {Thing(row.kind, row.schema, row.name): row.oid for row in entries}
    # In a database restored from a dump, every oid is different, also that of the book itself.
    is_restored = oids.get(book.thing) != book.oid
    ours = {
        one.thing
        for one in found
        if not one.part_of and one.thing in oids
        and (one.thing.kind != "relation" or is_restored or oids[one.thing] == one.oid)
    }  # fmt: skip
    return Standing(
        found,
        frozenset(ours),
        version,
        {f"{row.schema}.{row.name}": row.comments for row in entries if row.comments is not None},
    )


def _adopted(connection: sa.Connection, found: Iterable[Found], version: str) -> frozenset[Thing]:
    """Return what is ours in a database of a release without the book."""
    made = " ".join(names for number, names in BEFORE_THE_BOOK.items() if number <= version).split()
    views = connection.execute(sa.text("SELECT name FROM replicator.views")).scalars().all()
    known = {Thing("relation", *name.split(".")) for name in made}
    known |= {Thing("relation", "analytics", name) for name in views}
    if "(rollups)" in views:
        known |= {Thing("relation", "rollup", name + part) for name in ROLLUPS_BEFORE for part in ROLLUP_PARTS}
        known |= {Thing("routine", "rollup", name) for name in ROUTINES_BEFORE}
    everything = [one for one in found if not one.is_bare and not one.part_of]
    owner = next(
        one.owner for one in everything if one.thing.schema == "replicator" and one.thing.name == "schema_version"
    )
    # It is not recorded who made a schema: it is ours if its owner is the owner of our tables.
    known |= {one.thing for one in everything if one.thing.kind == "schema" and one.owner == owner}
    return frozenset(known & {one.thing for one in everything})


def refuse(standing: Standing, wanted: Collection[Thing]) -> None:
    """Raise ForeignObjects where a foreign object stands where we would make one of `wanted`. Changes nothing."""
    others = standing.others()
    in_the_way = [one for one in others if one.thing in wanted]
    if not in_the_way:
        return
    beside = [one for one in others if one not in in_the_way and not one.part_of]
    and_these = f"; beside them, and never touched: {_named(beside)}" if beside else ""
    schemas = sorted({one.thing.schema for one in in_the_way})
    other_names = ",".join(f"{schema}=voice_{schema}" for schema in schemas)
    raise ForeignObjects(
        f"the database has objects of somebody else where the replicator would make its own: {_named(in_the_way)}{and_these}",
        advice=f"nothing was changed. Use other schemas (REPLICATOR_SCHEMAS={other_names}) or another database, or move or rename "
        "them; what is a copy of ours can be dropped",
    )


def refuse_triggers(connection: sa.Connection, standing: Standing, wanted: Mapping[str, Collection[str]]) -> None:
    """Raise ForeignObjects where a table of ours has a foreign trigger with the name of one of ours.

    `wanted` holds the names by table. A trigger is ours if it calls a function of ours.
    """
    rows = connection.execute(sa.text(_TRIGGERS)).all()
    usual = naming.of(connection).usual
    wrong = [
        f"trigger {row.trigger} on {usual(row.table_schema)}.{row.table_name}"
        for row in rows
        if row.trigger in wanted.get(f"{usual(row.table_schema)}.{row.table_name}", ())
        and Thing("routine", usual(row.schema), row.routine) not in standing.ours
    ]
    if wrong:
        raise ForeignObjects(
            f"tables of the replicator have triggers of somebody else under its names: {', '.join(wrong)}",
            advice="nothing was changed. Rename them (ALTER TRIGGER ... RENAME TO)",
        )


def refuse_without_rights(connection: sa.Connection, standing: Standing) -> None:
    """Raise DatabaseError where this user may not make the missing schemas, or objects in a schema."""
    there = {one.thing.schema: one for one in standing.found if one.thing.kind == "schema"}
    row = connection.execute(sa.text(_RIGHTS)).one()
    usual, called = naming.of(connection).usual, naming.of(connection).of
    if row.closed:
        whose = ", ".join(f"{name} (it belongs to {there[usual(name)].owner})" for name in row.closed)
        grants = "; ".join(f'GRANT USAGE, CREATE ON SCHEMA "{name}" TO {row.name}' for name in row.closed)
        raise DatabaseError(
            f"this user may not make anything in the schema {whose}",
            advice=f"nothing was changed. Have its owner run: {grants}; or set REPLICATOR_SCHEMAS to use others",
        )
    missing = [called(name) for name in USUAL if name not in there]
    if missing and not row.may:
        raise DatabaseError(
            f"this user may not make the schemas {', '.join(missing)} in this database",
            advice=f"nothing was changed. Have an administrator run: GRANT CREATE ON DATABASE {row.database} TO {row.name}; or make "
            f"them: {'; '.join(f'CREATE SCHEMA {name} AUTHORIZATION {row.name}' for name in missing)}",
        )


def make_schemas(connection: sa.Connection, standing: Standing) -> None:
    """Make the missing schemas. If none is missing, no right on the database is needed."""
    there = {one.thing.schema for one in standing.found if one.thing.kind == "schema"}
    words = connection.execute(
        sa.text("SELECT word FROM pg_get_keywords() WHERE word = ANY(:names) AND catcode IN ('R', 'T')"),
        {"names": list(naming.of(connection).all)},
    )
    for word in words.scalars():
        raise ConfigurationError(
            f"REPLICATOR_SCHEMAS has the name {word}, which is a word of SQL itself", advice="choose another one"
        )
    for name in USUAL:
        if name not in there:
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")


def record(connection: sa.Connection, before: Standing, made: Collection[Thing], applied: Collection[str]) -> None:
    """Write the book anew: our objects that still exist, those of `made` that exist now, and the new schemas.

    `applied` are the views of `analytics` that were just made: their comments are recorded as ours.
    """
    had = {one.thing for one in before.found if one.thing.kind == "schema"}
    entries, usual = [], naming.of(connection).usual
    for row in connection.execute(sa.text(_EVERYTHING)).all():
        thing = Thing(row.kind, usual(row.schema), row.name)
        is_new_schema = thing.kind == "schema" and thing not in had
        if not row.part_of and not row.is_bare and (thing in before.ours or thing in made or is_new_schema):
            entries.append({"kind": thing.kind, "schema": thing.schema, "name": thing.name, "oid": row.oid})
    stored = {
        tuple(row) for row in connection.execute(sa.text("SELECT kind, schema, name, oid FROM replicator.objects"))
    }
    kept = {tuple(entry.values()) for entry in entries}
    for kind, schema, name, _ in stored - kept:
        if not any(entry[:3] == (kind, schema, name) for entry in kept):
            connection.execute(sa.text(_STRIKE), {"kind": kind, "schema": schema, "name": name})
    new = [entry for entry in entries if tuple(entry.values()) not in stored]
    if new:
        connection.execute(sa.text(_ENTER), new)
    if applied:
        connection.execute(sa.text(_NOTE_COMMENTS), {"applied": list(applied)})


def _named(found: Sequence[Found]) -> str:
    shown = [f"{one.word} {one.thing}" for one in found[:MOST_NAMED]]
    return ", ".join(shown) + (f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else "")


_RIGHTS = """
SELECT quote_ident(current_user) AS name, quote_ident(current_database()) AS database,
    has_database_privilege(current_database(), 'CREATE') AS may,
    ARRAY(SELECT nspname::text FROM pg_namespace WHERE nspname IN ('analytics', 'archive', 'replicator', 'rollup', 'truedy')
        AND NOT has_schema_privilege(oid, 'CREATE')) AS closed
"""
_MAY_READ = """
SELECT bool_and(has_schema_privilege(relnamespace, 'USAGE') AND has_table_privilege(oid, 'SELECT')) FROM pg_class
WHERE relnamespace = 'replicator'::regnamespace AND relname IN ('schema_version', 'views', 'objects')
"""
_STRIKE = "DELETE FROM replicator.objects WHERE kind = :kind AND schema = :schema AND name = :name"
_ENTER = """
INSERT INTO replicator.objects (kind, schema, name, oid) VALUES (:kind, :schema, :name, :oid)
ON CONFLICT (kind, schema, name) DO UPDATE SET oid = excluded.oid
"""
_NOTE_COMMENTS = """
UPDATE replicator.objects o SET comments = coalesce((SELECT jsonb_object_agg(coalesce(a.attname, ''), d.description)
    FROM pg_description d LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND a.attnum > 0
    WHERE d.objoid = o.oid AND d.classoid = 'pg_class'::regclass), '{}')
WHERE o.kind = 'relation' AND o.schema = 'analytics' AND o.name = ANY (:applied)
"""
_EVERYTHING = """
SELECT 'schema' AS kind, nspname::text AS schema, '' AS name, 'schema' AS word, n.oid::bigint AS oid,
    pg_get_userbyid(nspowner)::text AS owner, 0::bigint AS part_of, false AS is_bare
FROM pg_namespace n WHERE nspname IN ('analytics', 'archive', 'replicator', 'rollup', 'truedy')
UNION ALL
SELECT 'relation', nspname, relname, CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
    WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type' ELSE 'index' END,
    c.oid::bigint, pg_get_userbyid(relowner)::text,
    coalesce(i.indrelid, (SELECT d.refobjid FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND relkind = 'S' LIMIT 1))::bigint, relkind = 'c'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE nspname IN ('analytics', 'archive', 'replicator', 'rollup', 'truedy') AND relkind <> 't'
UNION ALL
SELECT 'relation', nspname, typname, CASE typtype WHEN 'd' THEN 'domain' ELSE 'type' END, t.oid::bigint,
    pg_get_userbyid(typowner)::text, 0, true
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE nspname IN ('analytics', 'archive', 'replicator', 'rollup', 'truedy') AND typrelid = 0 AND typcategory <> 'A' AND typtype IN ('b', 'd', 'e', 'r')
UNION ALL
SELECT 'routine', nspname, format('%s(%s)', proname, oidvectortypes(proargtypes)), CASE prokind WHEN 'p' THEN 'procedure'
    WHEN 'a' THEN 'aggregate' ELSE 'function' END, p.oid::bigint, pg_get_userbyid(proowner)::text, 0, false
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE nspname IN ('analytics', 'archive', 'replicator', 'rollup', 'truedy')
ORDER BY kind, schema, name
"""
_TRIGGERS = """
SELECT t.tgname::text AS trigger, n.nspname::text AS table_schema, c.relname::text AS table_name, f.nspname::text AS schema,
    format('%s(%s)', p.proname, oidvectortypes(p.proargtypes)) AS routine
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace f ON f.oid = p.pronamespace
WHERE n.nspname IN ('analytics', 'archive', 'replicator', 'rollup', 'truedy') AND NOT t.tgisinternal
"""
