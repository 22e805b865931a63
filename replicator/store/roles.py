"""The database rights: five group roles without login, and their rights on every object of ours.

`owner` owns everything, and `migrate` works as this role. `writer` has what sync needs, and no more. `reader` sees the
views without personal data. `auditor` sees all views and the tables of schema replicator, without those in
CLOSED_BOOKS. `archivist` erases, holds, disposes of and exports what is archived: it may read all, and has on the
mirror and the archive what ARCHIVES says. In schema `archive` the writer may read and add only. A database
administrator makes logins and adds them to a group. Nothing is granted to PUBLIC.

The rights that each role should have follow from the catalog and from the `Grant:` line of the view files, so a new
view or table is included automatically. Only the differences are executed, so a second run does nothing. Foreign
objects (objects.py) are neither granted nor given an owner; in a foreign schema the roles get what they need to reach
our objects.

The roles are in use in a database where the owner role may create objects and owns our tables; elsewhere `migrate`
grants nothing. No superuser is needed: a user who may create roles, owns the database and owns our objects can do it.
From PostgreSQL 16 on, the user who makes a role may grant it but not yet work as it, so the user grants it to itself.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from replicator.errors import DatabaseError
from replicator.store import naming, role_catalog
from replicator.store.objects import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from replicator.store.views import View

READ = frozenset({"SELECT"})
ADD = READ | {"INSERT"}
MOVE = ADD | {"UPDATE"}
ALL = MOVE | {"DELETE"}

WRITES: Mapping[str, frozenset[str]] = {
    "archive.blocks": ADD,
    "archive.chains": MOVE,
    "archive.heads": MOVE,
    "archive.objects": MOVE,
    "archive.records": ADD,
    "archive.settings_seen": MOVE,
    "archive.suppressions": ADD,
    "truedy.calls": MOVE,
    "truedy.call_versions": ADD,
    "truedy.transcript_segments": ADD | {"DELETE"},
    "truedy.transcript_versions": ADD,
    "replicator.absences": MOVE,
    "replicator.agents": READ,
    "replicator.budgets": MOVE,
    "replicator.campaigns": READ,
    "replicator.cost_changes": ADD,
    "replicator.coverage": ADD | {"DELETE"},
    "replicator.error_classes": READ,
    "replicator.lease": MOVE,
    "replicator.locks": MOVE,
    "replicator.quarantine": MOVE,
    "replicator.reporting": READ,
    "replicator.runs": MOVE,
    "replicator.schema_version": READ,
    "replicator.source_state": MOVE,
    "replicator.stage_rules": READ,
    "replicator.stamp_conflicts": MOVE,
    "replicator.detail_habits": MOVE | {"DELETE"},
    "replicator.failing_stretches": MOVE | {"DELETE"},
    "replicator.status_stages": READ,
    "replicator.verifications": ADD,
    "replicator.views": READ,
}
"""What the writer may do to a table, where that is less than everything: it never deletes what was observed. A table of
schema archive that is not named here is only read by it.
"""

ARCHIVES: Mapping[str, frozenset[str]] = {
    "archive.blocks": ADD,
    "archive.erasure_calls": MOVE,
    "archive.erasures": MOVE,
    "archive.holds": MOVE,
    "archive.records": MOVE,
    "archive.retention_classes": ADD,
    "archive.suppressions": ADD,
    "replicator.parties": ALL,
    "replicator.quarantine": ALL,
}
"""What the archivist may do to a table beside what the writer may. Schemas archive and truedy are ALL but for these. That
an UPDATE of records only takes salt and bytes away is ensured by a trigger.
"""

DEFINERS_FOR_WRITER = frozenset({"rollup.analyze_table"})
"""Functions with the owner's rights that the writer may call; each of them checks its own use."""

CLOSED_BOOKS = frozenset({"replicator.parties", "replicator.quarantine"})
"""Tables of schema replicator with the source's content: numbers, and received bytes, which include signed links."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the five roles. Roles belong to the whole server, so `prefix` distinguishes installations."""

    owner: str
    writer: str
    reader: str
    auditor: str
    archivist: str

    @classmethod
    def of(cls, prefix: str) -> Names:
        return cls(*(f"{prefix}_{role}" for role in ("owner", "writer", "reader", "auditor", "archivist")))

    @property
    def all(self) -> tuple[str, ...]:
        return self.owner, *self.granted

    @property
    def granted(self) -> tuple[str, ...]:
        """The roles whose rights are granted: all but the owner, which has every right."""
        return self.writer, self.reader, self.auditor, self.archivist


@dataclass(frozen=True, slots=True)
class Item:
    """One object on which rights are granted. `name` is its SQL name in this database; `schema` is the usual name of
    our schema, and `object` the name in it; `grants` are pairs of (role or PUBLIC, right).
    """

    kind: str
    """DATABASE, SCHEMA, TABLE (views too), SEQUENCE or ROUTINE."""
    schema: str
    object: str
    name: str
    owner: str
    grants: frozenset[tuple[str, str]] = frozenset()
    is_definer: bool = False
    """A routine that runs with its owner's rights (SECURITY DEFINER)."""
    follows_table: bool = False
    """A sequence that belongs to a column."""
    is_view: bool = False
    is_ours: bool = True
    """False for a schema that existed before us: it keeps its owner and its grants."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the database's catalog says about the roles and our objects."""

    user: str
    is_owner: bool
    """The user may work as the owner role: as a member that may SET it, or as a superuser."""
    roles: frozenset[str]
    """The existing roles of the five."""
    items: tuple[Item, ...]
    is_closed: bool
    """By default only the owner may execute the owner's new functions."""
    owner_of_tables: str | None
    """The owner of our tables; None where there are none yet."""

    @property
    def database(self) -> Item:
        return next(item for item in self.items if item.kind == "DATABASE")

    def is_in_use(self, names: Names) -> bool:
        """Say whether the roles are in use in this database."""
        return (names.owner, "CREATE") in self.database.grants and self.owner_of_tables in {None, names.owner}


def wanted(item: Item, names: Names, views: Mapping[str, View]) -> frozenset[tuple[str, str]]:
    """Return the (role, right) pairs that all roles but the owner should have on an object. The owner has all rights."""
    workers = (names.writer, names.archivist)
    if item.kind == "DATABASE":
        return frozenset((role, "CONNECT") for role in names.granted)
    if item.schema == "analytics":
        return frozenset(_on_analytics(item, names, views))
    if item.kind == "TABLE":
        rights = {(role, right) for role in workers for right in _on_table(item, role, names)}
        is_audited = item.schema == "replicator" and f"{item.schema}.{item.object}" not in CLOSED_BOOKS
        return frozenset(rights | ({(names.auditor, "SELECT")} if is_audited else set()))
    if item.kind == "SCHEMA":
        return frozenset((role, "USAGE") for role in names.granted if role in workers or _is_audited(item, role, names))
    if item.kind == "SEQUENCE":
        return frozenset() if item.follows_table else frozenset((role, "USAGE") for role in workers)
    is_open = not item.is_definer or f"{item.schema}.{item.object}" in DEFINERS_FOR_WRITER
    return frozenset((role, "EXECUTE") for role in workers) if is_open else frozenset()


def _on_table(item: Item, role: str, names: Names) -> frozenset[str]:
    """Return the rights of the writer or the archivist on a table, or on a view outside of analytics."""
    table, is_archive = f"{item.schema}.{item.object}", item.schema == "archive"
    if item.is_view:
        return READ
    if role == names.writer:
        return WRITES.get(table, READ if is_archive else ALL)
    return ARCHIVES.get(table, ALL if is_archive or item.schema == "truedy" else WRITES.get(table, ALL))


def _is_audited(item: Item, role: str, names: Names) -> bool:
    return role == names.auditor and item.schema == "replicator"


def _on_analytics(item: Item, names: Names, views: Mapping[str, View]) -> Iterable[tuple[str, str]]:
    if item.kind == "SCHEMA":
        return ((role, "USAGE") for role in names.granted)
    if item.kind == "ROUTINE":
        # A view's functions run with the rights of the user who reads the view.
        return () if item.is_definer else ((role, "EXECUTE") for role in names.granted)
    view = views.get(item.object)
    if item.kind != "TABLE" or view is None:
        return ()
    seers = names.granted if view.audience == "reader" else (names.auditor, names.archivist)
    return ((role, "SELECT") for role in seers)


def to_make(catalog: Catalog, names: Names) -> list[str]:
    """Return the statements that only an administrator may run: the roles, the database, and the owner of existing
    objects.
    """
    database = catalog.database
    made = [f"CREATE ROLE {role} NOLOGIN" for role in names.all if role not in catalog.roles]
    if not catalog.is_owner:
        made.append(f"GRANT {names.owner} TO {catalog.user}")
    made += [
        f"GRANT {right} ON DATABASE {database.name} TO {names.owner}"
        for right in ("CONNECT", "CREATE", "TEMPORARY")
        if (names.owner, right) not in database.grants
    ]
    made += _differences(database, wanted(database, names, {}), names)
    schemas = [item for item in catalog.items if item.kind == "SCHEMA"]
    for schema in schemas:
        # The new owner of a table must be allowed to create in its schema.
        if schema.owner != names.owner:
            rights = [right for right in ("USAGE", "CREATE") if (names.owner, right) not in schema.grants]
            made += [f"GRANT {', '.join(rights)} ON SCHEMA {schema.name} TO {names.owner}"] if rights else []
        if not schema.is_ours:
            made += _differences(schema, wanted(schema, names, {}), names)
    # The schemas last, because until then their present owner can reach the objects in them.
    for item in (*(item for item in catalog.items if item.kind != "SCHEMA"), *schemas):
        if item.kind != "DATABASE" and item.is_ours and item.owner != names.owner and not item.follows_table:
            made.append(f"ALTER {item.kind} {item.name} OWNER TO {names.owner}")
    return made


def to_grant(catalog: Catalog, names: Names, views: Mapping[str, View]) -> list[str]:
    """Return the statements that the owner runs: rights on its objects, and no rights for others on new ones."""
    granted: list[str] = []
    if not catalog.is_closed:
        granted.append(f"ALTER DEFAULT PRIVILEGES FOR ROLE {names.owner} REVOKE ALL ON FUNCTIONS FROM PUBLIC")
    for item in catalog.items:
        if item.kind != "DATABASE" and item.is_ours:
            granted += _differences(item, wanted(item, names, views), names)
    return granted


def _differences(item: Item, should: frozenset[tuple[str, str]], names: Names) -> list[str]:
    """Return the statements that correct the rights of PUBLIC and of our roles. Rights of other roles are not changed.

    What a foreign schema grants to PUBLIC stays.
    """
    ours = set(names.granted) | ({"PUBLIC"} if item.is_ours else set())
    has = {(role, right) for role, right in item.grants if role in ours}
    return [
        *(f"REVOKE {right} ON {item.kind} {item.name} FROM {role}" for role, right in sorted(has - should)),
        *(f"GRANT {right} ON {item.kind} {item.name} TO {role}" for role, right in sorted(should - has)),
    ]


def make(connection: sa.Connection, names: Names, views: Mapping[str, View], standing: Standing) -> list[str]:
    """Make the roles and grant their rights, as the present user; return the statements.

    Raises DatabaseError where a statement had no effect: PostgreSQL only warns if this user may not grant a right.
    """
    first, second = missing(connection, names, views, standing)
    _run(connection, first)
    _run(connection, [f"SET LOCAL ROLE {names.owner}", *second] if second else [])
    left = to_make(read(connection, names, standing), names)
    if left:
        raise DatabaseError(
            f"this user may not give all rights; without effect: {'; '.join(left)}",
            advice="nothing was changed. Give the output of `replicator roles --print` to the database's administrator",
        )
    return [*first, *second]


def missing(
    connection: sa.Connection, names: Names, views: Mapping[str, View], standing: Standing
) -> tuple[list[str], list[str]]:
    """Return the missing statements: an administrator's, and then the owner's. Changes nothing."""
    catalog = read(connection, names, standing)
    return to_make(catalog, names), to_grant(catalog, names, views)


def assume(connection: sa.Connection, names: Names) -> bool:
    """Work as the owner role until the transaction ends, if the roles are in use; say whether they are.

    Raises DatabaseError where this user may not.
    """
    catalog = read(connection, names, Standing())
    if not catalog.is_in_use(names):
        return False
    if not catalog.is_owner:
        raise DatabaseError(
            f"the database belongs to the role {names.owner}, and {catalog.user} is no member of it that may work as it",
            advice=f"have an administrator run: GRANT {names.owner} TO {catalog.user}",
        )
    _run(connection, [f"SET LOCAL ROLE {names.owner}"])
    return True


@contextmanager
def as_owner(connection: sa.Connection, names: Names) -> Iterator[None]:
    """Work as the owner role inside the block, if it owns our tables and this user may (a member need not inherit its
    rights).
    """
    catalog = read(connection, names, Standing())
    is_owner = catalog.is_owner and catalog.owner_of_tables == names.owner
    if is_owner:
        _run(connection, [f"SET LOCAL ROLE {names.owner}"])
    yield
    if is_owner:
        _run(connection, ["SET LOCAL ROLE NONE"])


def settle(connection: sa.Connection, names: Names, views: Mapping[str, View], standing: Standing) -> None:
    """Update the rights on our objects, as their owner. A role that `roles` of an earlier release did not make gets none."""
    catalog = read(connection, names, standing)
    absent = [role for role in names.granted if role not in catalog.roles]
    _run(
        connection,
        [one for one in to_grant(catalog, names, views) if not one.endswith(tuple(f" TO {role}" for role in absent))],
    )


def _run(connection: sa.Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def schemas() -> list[str]:
    """Return our schemas."""
    return sorted(naming.USUAL)


def read(connection: sa.Connection, names: Names, standing: Standing) -> Catalog:
    """Read the catalog: the database, the schemas, and our objects in them."""
    about = connection.execute(sa.text(role_catalog.ABOUT), {"owner": names.owner, "roles": list(names.all)}).one()
    items, usual = [], naming.of(connection).usual
    for row in connection.execute(sa.text(role_catalog.ITEMS)).all():
        schema = usual(row.schema)
        is_ours = row.kind == "DATABASE" or (
            standing.has(schema, row.part_of, "routine" if row.kind == "ROUTINE" else "relation")
        )
        if is_ours or row.kind == "SCHEMA":
            grants = _grants(row.grants)
            items.append(
                Item(
                    row.kind,
                    schema,
                    row.object,
                    row.name,
                    row.owner,
                    grants,
                    row.is_definer,
                    row.follows_table,
                    row.is_view,
                    is_ours,
                )
            )
    return Catalog(
        about.name, bool(about.is_owner), frozenset(about.roles), tuple(items), about.is_closed, about.owner_of_tables
    )


def _grants(rows: Sequence[Any] | None) -> frozenset[tuple[str, str]]:
    return frozenset((str(role), str(right)) for role, right in rows or ())
