"""Keeps what a database administrator set on our views and triggers while a migration makes them anew.

When a view is dropped, PostgreSQL drops its rights, options, triggers, rules and defaults; when it is replaced, its
options and comments are replaced. `taken` reads them before, and `give_back` restores them on every view that exists
again. Tables need none of this, because they are never made anew (rollup_making.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from replicator.errors import DatabaseError, ForeignObjects
from replicator.store import naming
from replicator.store.objects import Thing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from replicator.store.objects import Standing


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One entry of an access list. Names are as SQL writes them; `column` is empty for the view as a whole."""

    column: str
    grantor: str
    grantee: str
    privilege: str
    is_grantable: bool

    def on(self, view: str) -> str:
        columns = f" ({_quoted(self.column)})" if self.column else ""
        return f"{self.privilege}{columns} ON {view}"


@dataclass(frozen=True, slots=True)
class Kept:
    """The settings of one view. Definitions are SQL statements. Comments are by column; the view's own has the empty
    name.
    """

    name: str
    owner: str
    columns: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    rights: frozenset[Right] = frozenset()
    triggers: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """What was read: the views' settings, and the triggers on our tables that fire otherwise than as created."""

    views: Mapping[Thing, Kept]
    firing: Sequence[tuple[str, str, str]]
    """(table, trigger, how)"""


def taken(connection: sa.Connection, standing: Standing) -> Taken:
    """Read the settings of our views, and how our triggers fire."""
    views = {thing: kept for thing, kept in _views(connection).items() if thing in standing.ours}
    usual = naming.of(connection).usual
    firing = [
        (row.table_name, row.trigger, row.how)
        for row in connection.execute(sa.text(_FIRING))
        if Thing("routine", usual(row.schema), row.routine) in standing.ours
    ]
    return Taken(views, firing)


def give_back(connection: sa.Connection, before: Taken, standing: Standing) -> None:
    """Restore the settings of our views and triggers. A new view keeps those with which it was created.

    A comment counts as the user's own if it is not the one that `standing.comments` says we wrote. Raises
    ForeignObjects if a view of ours no longer exists and a user's trigger or rule was lost with it.
    """
    now = _views(connection)
    for thing, had in before.views.items():
        has = now.get(thing)
        if has is None:
            if had.triggers or had.rules:
                raise ForeignObjects(
                    f"the view {thing} is no more, and has {', '.join([*had.triggers, *had.rules])} of somebody else",
                    advice="drop these first; nothing was changed",
                )
            continue
        _attempt(connection, thing, _definitions(had, has))
    now = _views(connection)  # another owner has other rights
    for thing, had in before.views.items():
        if thing in now:
            _give_rights(connection, had, now[thing])
            _attempt(connection, thing, _comments(had, now[thing], standing.comments.get(str(thing)), thing))
    for table, trigger, how in before.firing:
        _attempt(connection, None, [f"ALTER TABLE {table} {how} TRIGGER {trigger}"])


def _definitions(had: Kept, has: Kept) -> Iterable[str]:
    """Return the statements that restore owner, options, triggers, rules and defaults."""
    options = had.options - has.options
    if options:
        yield f"ALTER VIEW {had.name} SET ({', '.join(sorted(options))})"
    for column, default in had.defaults.items():
        if column in has.columns and column not in has.defaults:
            yield f"ALTER VIEW {had.name} ALTER COLUMN {_quoted(column)} SET DEFAULT {default}"
    for name, statement in (*had.triggers.items(), *had.rules.items()):
        if name not in has.triggers and name not in has.rules:
            yield statement
    if had.owner != has.owner:
        yield f"ALTER VIEW {had.name} OWNER TO {had.owner}"


def _comments(had: Kept, has: Kept, ours: Mapping[str, str] | None, thing: Thing) -> Iterable[str]:
    """Return the statements that restore a user's own comments.

    For views made before comments were recorded, those of `analytics` count as ours.
    """
    for column, comment in had.comments.items():
        is_ours = thing.schema == "analytics" if ours is None else ours.get(column) == comment
        if is_ours or has.comments.get(column) == comment or (column and column not in has.columns):
            continue
        on = f"COLUMN {had.name}.{_quoted(column)}" if column else f"VIEW {had.name}"
        yield f"COMMENT ON {on} IS {_literal(comment)}"


def _give_rights(connection: sa.Connection, had: Kept, has: Kept) -> None:
    """Restore the rights: default privileges may have added some, and the others are not granted again yet."""
    for right in sorted(has.rights - had.rights):
        if not any(_is_same(right, other) for other in had.rights):
            _run(connection, f"REVOKE {right.on(had.name)} FROM {right.grantee}")
    # A role with the grant option may have granted the right to others, so the owner's own grants come first.
    missing = sorted(had.rights - has.rights, key=lambda right: (right.grantor != had.owner, right))
    missing = [right for right in missing if not right.column or right.column in has.columns]
    while missing:
        left = [right for right in missing if not _give(connection, right, had)]
        if len(left) == len(missing):
            break
        missing = left
    for right in missing:
        _run(
            connection, _grant(right, had.name)
        )  # this user may not act for the grantor, so the owner grants the right


def _give(connection: sa.Connection, right: Right, had: Kept) -> bool:
    """Grant a right as its original grantor.

    False where this user may not act for the grantor, or the grantor does not have the right yet.
    """
    if right.grantor == had.owner:
        _run(connection, _grant(right, had.name))
        return True
    me = connection.execute(sa.text("SELECT quote_ident(current_user)")).scalar()
    try:
        with connection.begin_nested():
            _run(connection, f"SET LOCAL ROLE {right.grantor}")
            _run(connection, _grant(right, had.name))
            _run(connection, f"SET LOCAL ROLE {me}")
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            return False
        raise
    return True


def _grant(right: Right, view: str) -> str:
    return f"GRANT {right.on(view)} TO {right.grantee}{' WITH GRANT OPTION' if right.is_grantable else ''}"


def _is_same(one: Right, other: Right) -> bool:
    return (one.column, one.grantee, one.privilege) == (other.column, other.grantee, other.privilege)


def _attempt(connection: sa.Connection, thing: Thing | None, statements: Iterable[str]) -> None:
    for statement in statements:
        try:
            with connection.begin_nested():
                _run(connection, statement)
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.Error):
                raise
            raise DatabaseError(
                f"what somebody has set on {thing or 'a table'} cannot be set again ({type(error.orig).__name__}): {statement}",
                advice="take it away, run replicator migrate, and set it again; nothing was changed",
            ) from None


def _run(connection: sa.Connection, statement: str) -> None:
    # The names come from the catalog, and a comment or a condition may contain any text: so nothing is renamed or
    # interpreted.
    connection.exec_driver_sql(naming.AS_IT_IS + statement.replace("%", "%%"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _views(connection: sa.Connection) -> dict[Thing, Kept]:
    rows, usual = connection.execute(sa.text(_VIEWS)).all(), naming.of(connection).usual
    return {
        Thing("relation", usual(row.schema), row.name): Kept(
            row.full_name,
            row.owner,
            frozenset(row.columns),
            frozenset(row.options or ()),
            frozenset(_rights(row.rights)),
            row.triggers or {},
            row.rules or {},
            row.defaults or {},
            row.comments or {},
        )
        for row in rows
    }


def _rights(rows: Sequence[Any] | None) -> Iterable[Right]:
    return (Right(*row) for row in rows or ())


_NAMED = "CASE {0} WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid({0})) END"
_VIEWS = f"""
SELECT n.nspname::text AS schema, c.relname::text AS name, format('%I.%I', n.nspname, c.relname) AS full_name,
    quote_ident(pg_get_userbyid(c.relowner)) AS owner, c.reloptions AS options,
    ARRAY(SELECT t.attname::text FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attnum > 0) AS columns,
    (SELECT jsonb_agg(jsonb_build_array(x.column_name, {_NAMED.format("x.grantor")}, {_NAMED.format("x.grantee")}, x.privilege_type,
        x.is_grantable)) FROM (
        SELECT '' AS column_name, a.* FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
        UNION ALL
        SELECT t.attname::text, a.* FROM pg_attribute t, aclexplode(t.attacl) a WHERE t.attrelid = c.oid
    ) x) AS rights,
    (SELECT jsonb_object_agg(quote_ident(t.tgname), pg_get_triggerdef(t.oid)) FROM pg_trigger t
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) AS triggers,
    (SELECT jsonb_object_agg(quote_ident(r.rulename), pg_get_ruledef(r.oid)) FROM pg_rewrite r
        WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN') AS rules,
    (SELECT jsonb_object_agg(t.attname, pg_get_expr(d.adbin, d.adrelid)) FROM pg_attrdef d
        JOIN pg_attribute t ON t.attrelid = d.adrelid AND t.attnum = d.adnum WHERE d.adrelid = c.oid) AS defaults,
    (SELECT jsonb_object_agg(coalesce(t.attname, ''), d.description) FROM pg_description d
        LEFT JOIN pg_attribute t ON t.attrelid = d.objoid AND t.attnum = d.objsubid AND t.attnum > 0
        WHERE d.objoid = c.oid AND d.classoid = 'pg_class'::regclass) AS comments
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('analytics', 'billing', 'replicator', 'rollup', 'truedy') AND c.relkind = 'v'
"""
_FIRING = """
SELECT format('%I.%I', n.nspname, c.relname) AS table_name, quote_ident(t.tgname) AS trigger,
    CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END AS how,
    f.nspname::text AS schema, format('%s(%s)', p.proname, oidvectortypes(p.proargtypes)) AS routine
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace f ON f.oid = p.pronamespace
WHERE n.nspname IN ('analytics', 'billing', 'replicator', 'rollup', 'truedy') AND NOT t.tgisinternal AND t.tgenabled <> 'O'
"""
