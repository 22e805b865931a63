"""Turns the facts of a database (read by store/diagnosis.py) into findings. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.doctor.findings import Finding, error, fine, of, warning
from replicator.errors import RightMissing, SchemaTooNew, SchemaTooOld
from replicator.store.connecting import sql_name
from replicator.store.diagnosis import SCHEMAS, Facts, foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

LEAST_VERSION = 15
LEAST_SESSIONS = 5
MOST_CLOCK_SECONDS = 60.0
ENOUGH_FOR_STATISTICS = 1000
SHOWN = 8
CLOSED: Mapping[str, str] = {
    "book": "whether somebody else's objects are in our schemas",
    "zone": "the time zone of the reports",
    "writer": "who writes",
    "source": "where the calls come from",
    "budgets": "the request budgets",
}
"""What an answer would tell, for the questions that need a right on our tables."""
LOCAL = ("127.", "::1")
SERVER, DBA, US = "the database", "the user's rights", "the configuration"


def of_database(facts: Facts, place: str, *, is_embedded: bool, role_prefix: str) -> Iterator[Finding]:
    """Yield the findings about a database that was reached."""
    server = facts.row("server")
    if server:
        yield fine(
            "database",
            f"PostgreSQL {server['version_text']} at {place}, as {server['user']}; {server['bytes'] / 1e6:,.0f} MB",
        )
    checks: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
        _server, _session, _schema, _objects, _zone, lambda facts: _rights(facts, role_prefix), _speed, _writer, _closed,
    )  # fmt: skip
    for check in checks:
        yield from check(facts)
    if not is_embedded:
        yield from _access(facts, role_prefix)
    # Most users may not see the folder, earlier schemas do not have the book, and _closed has said the others.
    silent = {"folder", "book", *facts.closed}
    for question, why in facts.unseen.items():
        if question not in silent:
            yield warning("database", f"not examined ({question}): {why}", "run doctor as a user who may see it", DBA)


def of_clock(now: datetime, sent: datetime, received: datetime) -> Iterator[Finding]:
    """Yield the findings about the database's clock: `now` is its time, read between `sent` and `received` of our
    clock.
    """
    away = max((sent - now).total_seconds(), (now - received).total_seconds(), 0.0)
    if away > MOST_CLOCK_SECONDS:
        yield warning(
            "database",
            f"the clocks of the database and of this machine are {away:,.0f} s apart",
            "set both by NTP; until then ages in `status` are wrong by this difference",
            "a machine's clock",
        )
    else:
        yield fine("database", f"its clock and this machine's agree to {max(away, 1):,.0f} s")


def _setting(facts: Facts, name: str) -> str:
    return next((str(row["value"]) for row in facts.rows.get("settings", ()) if row["name"] == name), "")


def _server(facts: Facts) -> Iterator[Finding]:
    server = facts.row("server")
    if not server:
        return
    if server["version"] < LEAST_VERSION:
        yield error(
            "database",
            f"the server is PostgreSQL {server['version_text']}, and {LEAST_VERSION} or newer is needed",
            "upgrade the server, or use another one",
            exit_code=4,
            fault=SERVER,
        )
    if server["encoding"] != "UTF8":
        yield error(
            "database",
            f"the database is encoded in {server['encoding']}, which cannot hold every text",
            f"make one in UTF-8: CREATE DATABASE {server['database']}_utf8 ENCODING 'UTF8' TEMPLATE template0",
            exit_code=4,
            fault=SERVER,
        )
    if server["is_standby"]:
        yield error(
            "database", "the server is a standby, which takes no writes", "name the primary in DATABASE_URL",
            exit_code=4, fault=US,
        )  # fmt: skip
    if _setting(facts, "default_transaction_read_only") == "on":
        yield error(
            "database",
            "transactions are read only by default (default_transaction_read_only)",
            "providers do this where a disk is full: free space, then take it back with ALTER DATABASE or ALTER ROLE ... RESET "
            "default_transaction_read_only",
            exit_code=4,
            fault=SERVER,
        )
    if _setting(facts, "session_replication_role") == "replica":
        yield error(
            "database", "triggers are switched off (session_replication_role = replica)",
            "ALTER DATABASE or ALTER ROLE ... RESET session_replication_role", exit_code=4, fault=SERVER,
        )  # fmt: skip
    if _setting(facts, "fsync") == "off":
        yield warning(
            "database", "fsync is off: a crash of the server may lose or damage everything", "fsync = on", SERVER
        )
    most, used = _setting(facts, "max_connections"), facts.row("sessions").get("used")
    if most.isdigit() and used is not None and int(most) - used < LEAST_SESSIONS:
        yield warning(
            "database", f"{used} of {most} connections are in use", "raise max_connections, or end sessions", SERVER
        )


def _session(facts: Facts) -> Iterator[Finding]:
    if facts.is_pooled:
        yield fine(
            "database",
            "the connection goes through a pooler; this works, because the program uses no session settings and no session locks",
        )
    timeout = _setting(facts, "statement_timeout")
    if timeout not in {"", "0"}:
        yield warning(
            "database",
            f"statements of this user end after {timeout} ms (statement_timeout)",
            "give the writer more: ALTER ROLE ... SET statement_timeout = 0",
            DBA,
        )
    if _setting(facts, "log_error_verbosity") not in {"", "terse"}:
        yield warning(
            "database",
            "the server's log quotes rows in its errors (log_error_verbosity), numbers and texts of calls among them",
            "if many people read that log: ALTER SYSTEM SET log_error_verbosity = 'terse'",
            SERVER,
        )


def _schema(facts: Facts) -> Iterator[Finding]:
    if isinstance(facts.fits, SchemaTooOld | SchemaTooNew):
        yield of("database", facts.fits)
    elif isinstance(facts.fits, RightMissing):
        return  # _closed says it
    elif facts.fits is not None:
        yield warning("database", f"whether the schema fits cannot be seen: {facts.fits.message}", facts.fits.hint, DBA)
    else:
        yield fine("database", "tables and views fit this program")


def _objects(facts: Facts) -> Iterator[Finding]:
    found = foreign(facts)
    if found:
        named = ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
        if facts.has_schema:
            yield warning(
                "database", f"our schemas contain objects that this program did not make: {named}",
                "keep tables and views of your own in a schema of your own", DBA,
            )  # fmt: skip
        else:
            yield error(
                "database",
                f"schemas with our names contain objects of somebody else: {named}",
                "use another database, or rename those schemas before `replicator migrate`",
                exit_code=4,
                fault=DBA,
            )
    if rows := facts.rows.get("publications"):
        named = ", ".join(sorted({row["name"] for row in rows})[:SHOWN])
        yield error(
            "database",
            f"the publication {rows[0]['publication']} covers tables whose changes it cannot carry: {named}",
            "run: replicator migrate; if that does not help: ALTER TABLE ... REPLICA IDENTITY FULL, or leave them out of it",
            exit_code=4,
            fault=DBA,
        )


def _zone(facts: Facts) -> Iterator[Finding]:
    for zone, where in ((facts.row("zone"), "replicator.reporting.time_zone"),):
        if zone and not zone["is_known"]:
            yield error(
                "database",
                f"the reporting time zone {zone['name']} ({where}) is not known to this server",
                "set one that it knows: REPLICATOR_REPORTING_TIME_ZONE and `replicator migrate`; SELECT name FROM "
                "pg_timezone_names lists them",
                exit_code=4,
                fault=US,
            )
        elif zone:
            yield fine("database", f"days are those of {zone['name']}")
    if facts.row("wanted_zone").get("is_known") is False:
        yield error(
            "database", "REPLICATOR_REPORTING_TIME_ZONE is not known to this server", "use a name such as Europe/Berlin",
            exit_code=2, fault=US,
        )  # fmt: skip


def _rights(facts: Facts, role_prefix: str) -> Iterator[Finding]:
    server, rights = facts.row("server"), facts.row("rights")
    user, may_write = server.get("user", "this user"), bool(rights.get("may_write"))
    closed = [row["name"] for row in facts.rows.get("schemas", ()) if not row["may_use"]]
    advice = _to_write(facts, str(user), role_prefix)
    if closed and (may_write or not rights):
        yield warning("database", f"{user} may not use {', '.join(closed)}", advice, DBA)
    if not facts.has_schema and server and not server["may_make_schemas"]:
        missing = sorted(set(SCHEMAS) - {row["name"] for row in facts.rows.get("schemas", ())})
        if missing:
            yield error(
                "database",
                f"{user} may not make the schemas {', '.join(missing)}",
                f"GRANT CREATE ON DATABASE {sql_name(server['database'])} TO {sql_name(user)}, or have an administrator run "
                "`replicator migrate`",
                exit_code=4,
                fault=DBA,
            )
    if may_write:
        yield fine("database", f"{user} may read and write what sync needs")
    elif rights:
        verb = "only read" if rights["may_read"] else "neither read nor write the tables"
        schemas = f" (and not use {', '.join(closed)})" if closed else ""
        yield warning(
            "database",
            f"{user} may {verb}{schemas}: enough for BI tools and `replicator export` if it has SELECT on the views, but not "
            "for sync, serve and the commands that show their state",
            advice,
            DBA,
        )


def _to_write(facts: Facts, user: str, role_prefix: str) -> str:
    """Return what gives a user the rights of the writer, and who needs them."""
    if facts.rows.get("roles"):
        grant = f"GRANT {sql_name(f'{role_prefix}_writer')} TO {sql_name(user)}"
    else:
        grant = "the rights of the writer (docs/roles.md), or run it as the user who migrates"
    return f"nothing for a user who only reads the views; for sync, serve, status and report: {grant}"


def _closed(facts: Facts) -> Iterator[Finding]:
    """Say what the user may not see: that it is not examined, and nothing else of it."""
    closed = [words for question, words in CLOSED.items() if question in facts.closed]
    closed += [question for question in sorted(facts.closed) if question not in {*CLOSED, "views", "folder"}]
    if isinstance(facts.fits, RightMissing):
        closed.insert(0, "whether tables and views fit this program")
    if closed:
        yield warning(
            "database", f"this user may not see, so it is not examined: {', '.join(closed)}",
            "nothing for a user who only reads the views; to have it examined, run doctor as the user of sync", DBA,
        )  # fmt: skip


def _access(facts: Facts, role_prefix: str) -> Iterator[Finding]:
    server = facts.row("server")
    if server.get("is_superuser"):
        yield warning(
            "database", f"{server['user']} is a superuser, which this program does not need",
            "make a separate user for it: see docs/operations.md", DBA,
        )  # fmt: skip
    address, tls = server.get("address"), facts.row("tls")
    if address and not address.startswith(LOCAL) and tls and not tls["is_encrypted"]:
        yield warning(
            "database",
            f"the connection to {address} is not encrypted: passwords and calls can be read on the way",
            "add sslmode=verify-full and sslrootcert to DATABASE_URL",
            US,
        )
    elif tls and tls["is_encrypted"]:
        yield fine("database", f"the connection is encrypted ({tls['version']})")
    roles = facts.rows.get("roles", [])
    if roles:
        mine = [row["name"] for row in roles if row["is_member"]]
        yield fine("database", f"roles {role_prefix}_* are there; this user is a member of {', '.join(mine) or 'none'}")


def _speed(facts: Facts) -> Iterator[Finding]:
    statistics = facts.row("statistics")
    if statistics and statistics["is_missing"] and statistics["calls"] > ENOUGH_FOR_STATISTICS:
        yield warning(
            "database", "the server has no statistics of the calls yet: reports are slow", "run: ANALYZE", SERVER
        )
    if _setting(facts, "jit") == "on":
        yield warning(
            "database",
            "JIT is on for other programs' queries, and makes reports slower by seconds",
            f"ALTER DATABASE {facts.row('server').get('database', '...')} SET jit = off",
            SERVER,
        )
    if facts.row("locks").get("waiting"):
        yield warning(
            "database", "a replicator waits for a lock that another session holds",
            "SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity shows which", SERVER,
        )  # fmt: skip


def _writer(facts: Facts) -> Iterator[Finding]:
    writer = facts.row("writer")
    if not writer:
        return
    if facts.is_writer_dead:
        yield warning(
            "database",
            f"the lease is held by {writer['holder']}, which no longer runs",
            f"nothing: the lease becomes free in {writer['seconds_left']} s",
            "nobody",
        )
    else:
        yield fine("database", f"the writer is {writer['holder']}")


__all__ = ["of_clock", "of_database"]
