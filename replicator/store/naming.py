"""Gives our schemas other names, for databases in which a name is already used.

All SQL uses the names `truedy`, `replicator`, `rollup`, `archive`, `billing` and `analytics`. If other names are chosen, the
cursor of every connection replaces them, in COPY too, so no statement has to consider it. Data is never changed:
parameters are sent separately, and in a composed query only its own text and identifiers are renamed. With the usual
names, psycopg's own cursor is used, at no cost.

A schema's name stands in SQL in three forms only (tests/store/test_schema_names.py checks this): before a dot, quoted
or not, in a string or not; alone in a string; and after the word SCHEMA.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, cast

import psycopg
from psycopg import sql

from replicator.errors import ConfigurationError

if TYPE_CHECKING:
    import sqlalchemy as sa

AS_IT_IS = "/* as it is */ "
"""A statement that begins with this is sent unchanged: it uses the names of this database, and may contain other users'
text.
"""
USUAL = ("analytics", "archive", "billing", "replicator", "rollup", "truedy")
IDENTIFIER = re.compile(r"(?!pg_|public$|information_schema$)[a-z_][a-z0-9_]{0,50}\Z")
_ANY = "|".join(USUAL)
PLACES = re.compile(
    rf"""(?<![\w.$])(?P<quote>"?)(?P<before>{_ANY})(?P=quote)(?=\.["\w%{{])"""
    rf"""|(?<=')(?P<alone>{_ANY})(?=')"""
    rf"""|(?<=\bSCHEMA\ )(?P<after>(?:IF\ (?:NOT\ )?EXISTS\ )?)(?P<mark>"?)(?P<schema>{_ANY})(?P=mark)(?!\w)""",
    re.VERBOSE,
)

_MARKS = {
    "analytics": ("calls", "coverage_daily", "replication_freshness", "call_cost_daily"),
    "archive": ("records", "blocks", "chains", "heads"),
    "billing": ("statements", "lines", "rate_cards", "budgets"),
    "replicator": ("schema_version", "coverage", "quarantine", "source_state", "lease"),
    "rollup": ("touched", "days", "facts", "stale"),
    "truedy": ("calls", "call_versions", "transcript_segments", "transcript_versions"),
}
"""By schema, relations that together only our schema has: so it is recognised under any name."""
_MARKED = """
SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = ANY(%s)
GROUP BY n.nspname HAVING count(*) = %s ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of our schemas in a database."""

    analytics: str = "analytics"
    archive: str = "archive"
    billing: str = "billing"
    replicator: str = "replicator"
    rollup: str = "rollup"
    truedy: str = "truedy"

    def of(self, usual: str) -> str:
        """Return the name of a schema in this database."""
        return str(getattr(self, usual))

    def usual(self, name: str) -> str:
        """Return the usual name of the schema with this name; a name that is not ours is returned unchanged."""
        return next((usual for usual in USUAL if self.of(usual) == name), name)

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(self.of(usual) for usual in USUAL)

    def renamed(self, text: str) -> str:
        """Return SQL, or a message about it, with these names."""
        return text if self == THE_USUAL else _renamed(text, self)

    def __str__(self) -> str:
        """Return the names in the form of the setting."""
        return ",".join(f"{usual}={self.of(usual)}" for usual in USUAL if self.of(usual) != usual)


THE_USUAL = Names()


def parse(text: str | None) -> Names:
    """Read the setting REPLICATOR_SCHEMAS, such as `analytics=voice_analytics,rollup=voice_rollup`.

    Raises ConfigurationError for an unknown schema, or a name that is not plain, is used twice, or is the usual name of
    another of ours.
    """
    chosen: dict[str, str] = {}
    for word in (text or "").split(","):
        usual, equals, name = (part.strip() for part in word.partition("="))
        if not usual and not equals:
            continue
        if usual not in USUAL or usual in chosen or not IDENTIFIER.match(name) or name in set(USUAL) - {usual}:
            raise ConfigurationError(
                f"REPLICATOR_SCHEMAS is wrong at {word.strip()!r}",
                advice=f"expected pairs such as analytics=voice_analytics, each of {', '.join(USUAL)} once at most; names of small "
                "letters, digits and _, and none of these itself",
            )
        chosen[usual] = name
    names = Names(**chosen)
    if len(set(names.all)) < len(fields(names)):
        raise ConfigurationError(
            "REPLICATOR_SCHEMAS gives one name to two schemas", advice="choose a different name for each"
        )
    return names


def cursor_class(names: Names) -> type[psycopg.Cursor[Any]]:
    """Return the cursor for connections to a database with these names."""
    return psycopg.Cursor if names == THE_USUAL else _renaming(names)


def of(connection: psycopg.Connection[Any] | sa.Connection) -> Names:
    """Return the names that a connection of ours uses."""
    if not isinstance(connection, psycopg.Connection):
        connection = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    return cast("Names", getattr(connection.cursor_factory, "names", THE_USUAL))


def refuse_other_names(connection: psycopg.Connection[Any]) -> None:
    """Raise ConfigurationError where our schemas have other names in this database than the setting says."""
    names = of(connection)
    there: dict[str, list[str]] = {}
    for usual, marks in _MARKS.items():
        rows = connection.execute(_MARKED, [list(marks), len(marks)]).fetchall()
        there[usual] = [name for (name,) in rows]
    if all(not found or names.of(usual) in found for usual, found in there.items()):
        return
    has = ",".join(f"{usual}={found[0]}" for usual, found in there.items() if found and found[0] != usual)
    said = str(names) or "not set"
    raise ConfigurationError(
        f"the replicator's schemas have other names in this database than REPLICATOR_SCHEMAS says ({said})",
        advice=f"set REPLICATOR_SCHEMAS={has}" if has else "leave REPLICATOR_SCHEMAS unset: they have the usual names",
    )


@lru_cache(maxsize=2000)
def _renamed(text: str, names: Names) -> str:
    if text.startswith(AS_IT_IS):
        return text

    def put(found: re.Match[str]) -> str:
        if found["before"]:
            return f"{found['quote']}{names.of(found['before'])}{found['quote']}"
        if found["alone"]:
            return names.of(found["alone"])
        return f"{found['after']}{found['mark']}{names.of(found['schema'])}{found['mark']}"

    return PLACES.sub(put, text)


@cache
def _renaming(names: Names) -> type[psycopg.Cursor[Any]]:
    def cursor_names(query: Any) -> Any:
        return _query(query, names)

    class Renaming(psycopg.Cursor[Any]):
        """Sends every statement with other names of schemas."""

        names: ClassVar[Names]

        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            return super().execute(cursor_names(query), *arguments, **options)

        def executemany(self, query: Any, *arguments: Any, **options: Any) -> None:
            super().executemany(cursor_names(query), *arguments, **options)

        def stream(self, query: Any, *arguments: Any, **options: Any) -> Any:
            return super().stream(cursor_names(query), *arguments, **options)

        def copy(self, statement: Any, *arguments: Any, **options: Any) -> Any:
            return super().copy(cursor_names(statement), *arguments, **options)

    Renaming.names = names
    return Renaming


def _query(query: Any, names: Names) -> Any:
    """Rename a query of any kind that psycopg takes."""
    if isinstance(query, str):
        return _renamed(query, names)
    if isinstance(query, bytes):
        return _renamed(query.decode(), names).encode()
    if isinstance(query, sql.Composed):
        return sql.Composed([_query(part, names) for part in query])
    if isinstance(query, sql.SQL):
        return sql.SQL(cast("Any", _renamed(query.as_string(None), names)))
    if isinstance(query, sql.Identifier):
        parts = query._obj  # noqa: SLF001 - psycopg shows the parts nowhere else
        return sql.Identifier(names.of(parts[0]), *parts[1:]) if len(parts) > 1 and parts[0] in USUAL else query
    return query


__all__ = ["AS_IT_IS", "THE_USUAL", "USUAL", "Names", "cursor_class", "of", "parse", "refuse_other_names"]
