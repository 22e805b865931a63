"""Opens a connection to PostgreSQL, or says why that is not possible.

libpq reports a failed connection only as text, without the server's error code. The text may quote any part of
DATABASE_URL and is in the server's language. So it is compared with a table and never passed on.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import pq

from replicator.errors import RightMissing
from replicator.store.sqlstates import AWAY, CLASSES, STATES, WRONG, Meaning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.errors import DatabaseError
    from replicator.store.target import Target

APPLICATION: Final = "truedy-replicator"
CONNECT_TIMEOUT_SECONDS: Final = 10

ADDRESS: Final = "check host and port in DATABASE_URL, that the server runs, and that no firewall is in between"
TLS: Final = "check sslmode, sslrootcert, sslcert and sslkey in DATABASE_URL; docs/operations.md has the usual ones"
SPELLING: Final = "correct it in DATABASE_URL or in libpq's variable"

BAD_VALUE: Final = (
    r'invalid (?:integer value ".*" for connection option "(\w+)"|port number|"?(\w+)"? value)|could not match'
)

FAILURES: Final[Sequence[tuple[str, Meaning]]] = (
    # What the server answers. The code is not in libpq's text.
    ("password authentication failed|Wrong password", STATES["28P01"]),
    (
        "no password supplied",
        Meaning(
            WRONG, "asks for a password, and none is set", "put it into DATABASE_URL, PGPASSWORD or a password file"
        ),
    ),
    (
        "no pg_hba.conf entry .*no encryption",
        Meaning(
            WRONG,
            "does not let this user in without TLS (pg_hba.conf)",
            "set sslmode=require, or verify-full with sslrootcert, in DATABASE_URL",
        ),
    ),
    (
        "no pg_hba.conf entry|pg_hba.conf rejects",
        Meaning(
            WRONG,
            "does not let this user in from here (pg_hba.conf)",
            "have its administrator allow this user, database and address, or correct DATABASE_URL",
        ),
    ),
    (
        r'role ".*" does not exist|no such user|user not found',
        Meaning(
            WRONG, "knows no such role", "correct the user in DATABASE_URL, or have it created (CREATE ROLE ... LOGIN)"
        ),
    ),
    (
        "is not permitted to log in",
        Meaning(
            WRONG,
            "does not let this role log in",
            "name another user in DATABASE_URL, or have the server's administrator run: ALTER ROLE {user} LOGIN",
        ),
    ),
    (r'database ".*" does not exist|no such database', STATES["3D000"]),
    (
        "permission denied for database",
        Meaning(
            RightMissing,
            "does not let this user connect to this database",
            "have its administrator run: GRANT CONNECT ON DATABASE {database} TO {user}. Where the roles are in use, make the "
            "user a member of the one that docs/operations.md names for what it is to do: each of them may connect",
        ),
    ),
    (
        "is not currently accepting connections",
        # Somebody closed it, for a copy or an upgrade, and opens it again: a service must outlive that.
        Meaning(
            AWAY,
            "lets nobody in",
            "wait until whoever closed it opens it again: ALTER DATABASE {database} ALLOW_CONNECTIONS true",
        ),
    ),
    ("authentication failed for user", CLASSES["28"]),
    (
        "too many (connections|clients)|remaining connection slots|no more connections|[Mm]ax client connections|query_wait_timeout",
        STATES["53300"],
    ),
    ("the database system is |not accepting connections", STATES["57P03"]),
    (
        "unsupported startup parameter",
        Meaning(
            WRONG,
            "lies behind a pooler that refuses a parameter",
            "take `options` out of DATABASE_URL and PGOPTIONS out of the environment, or have the pooler ignore it "
            "(PgBouncer: ignore_startup_parameters)",
        ),
    ),
    (
        "unrecognized configuration parameter|invalid value for parameter|invalid command-line argument|permission denied to set",
        Meaning(WRONG, "refuses a setting of the session", "correct `options` in DATABASE_URL, or PGOPTIONS"),
    ),
    # Errors before anything is sent.
    (BAD_VALUE, Meaning(WRONG, "is given with a parameter that libpq cannot read", SPELLING)),
    # What kind of server it is.
    (
        "(session|server) is (not )?(read-only|in hot standby)",
        Meaning(
            AWAY,
            "has no server at present that target_session_attrs asks for",
            "check target_session_attrs, and that the primary is among the hosts in DATABASE_URL",
        ),
    ),
    # Security that one side requires and the other does not offer.
    (
        "does not support SSL",
        Meaning(WRONG, "has no TLS, and sslmode asks for it", "set up TLS there, or sslmode=prefer"),
    ),
    (
        "certificate verify failed|root certificate|does not match host name|could not load system root",
        Meaning(
            WRONG,
            "shows a TLS certificate that cannot be verified",
            "set sslrootcert in DATABASE_URL to the file of its authority (or sslrootcert=system), and use the name that the "
            "certificate is for",
        ),
    ),
    ("certificate|private key|SSL error|sslmode|alert", Meaning(WRONG, "cannot be reached over TLS as it is set", TLS)),
    (
        "[Cc]hannel binding",
        Meaning(WRONG, "offers no channel binding, and channel_binding asks for it", "set channel_binding=prefer"),
    ),
    (
        "authentication method requirement",
        Meaning(
            WRONG, "asks for another authentication than require_auth allows", "correct require_auth, or the server"
        ),
    ),
    ("GSSAPI", Meaning(WRONG, "offers no GSSAPI as gssencmode asks for", "set gssencmode=disable in DATABASE_URL")),
    ("peer .*required|requirepeer", Meaning(WRONG, "runs as another user than requirepeer says", SPELLING)),
    (
        "definition of service|service file",
        Meaning(WRONG, "is named by a service that cannot be found", "check service, PGSERVICE and PGSERVICEFILE"),
    ),
    (
        "invalid .*value|invalid port|could not match",
        Meaning(WRONG, "is given with a parameter that libpq cannot read", SPELLING),
    ),
    # The network.
    (
        "[Tt]emporary failure in name resolution|Try again",
        Meaning(
            AWAY, "cannot be reached: names cannot be looked up at present (DNS)", "check the network of this machine"
        ),
    ),
    (
        "failed to resolve host|could not translate host name",
        Meaning(AWAY, "cannot be reached: its host name is not known (DNS)", ADDRESS),
    ),
    (
        "[Tt]imeout expired|timed out",
        Meaning(AWAY, "cannot be reached: nobody answers in time", ADDRESS),
    ),
    ("Connection refused", Meaning(AWAY, "cannot be reached: nothing listens there (connection refused)", ADDRESS)),
    (
        'on socket ".*" failed: No such file',
        Meaning(
            AWAY, "cannot be reached: there is no such socket", "check the folder in `host`, and that the server runs"
        ),
    ),
    (
        'on socket ".*" failed: Permission denied',
        Meaning(
            WRONG, "cannot be reached: this user may not use its socket", "run as another user, or use host=127.0.0.1"
        ),
    ),
    (
        "[Uu]nreachable|No route to host|Cannot assign",
        Meaning(AWAY, "cannot be reached: there is no route to it", ADDRESS),
    ),
    (
        "expected authentication request|invalid response to SSL negotiation|unsupported frontend protocol",
        Meaning(WRONG, "cannot be reached: what listens there is no PostgreSQL", ADDRESS),
    ),
    (
        "server closed the connection|Connection reset|SSL SYSCALL|terminating connection|no longer|Broken pipe",
        Meaning(AWAY, "cannot be reached: the connection was closed at its start", ADDRESS),
    ),
    # A server in another language: a word for FATAL, a colon and two spaces, which libpq itself never writes.
    (
        r"failed: [^\s:][^:\n]{2,30}:  ",
        Meaning(
            AWAY,
            "refuses the connection, and says why in words that are not known here",
            "check user, password and the database's name in DATABASE_URL; the server's log has the reason",
        ),
    ),
)
"""What libpq, the server and the usual poolers say, and what it means. The first match counts.

{user} and {database} in an advice are those of the connection, as SQL names. Only a meaning that shows that the server
knows the user names it: anything else in the place of a user may be a secret.
"""

UNKNOWN: Final = Meaning(
    AWAY, "cannot be reached, for a reason that is not known here", f"look into the server's log; {ADDRESS}"
)
KEYWORDS: Final = frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())
ATTEMPT = re.compile(r"^- host: .*?, hostaddr: \S+: ", re.MULTILINE)


def connect(target: Target, cursor_factory: type[psycopg.Cursor[Any]] = psycopg.Cursor) -> psycopg.Connection[Any]:
    """Return a new connection in autocommit mode, without prepared statements. Raises psycopg's error."""
    options: dict[str, Any] = {"fallback_application_name": APPLICATION, "client_encoding": "UTF8"}
    if target.get("connect_timeout") is None:
        options["connect_timeout"] = CONNECT_TIMEOUT_SECONDS
    return psycopg.connect(
        target.conninfo, autocommit=True, prepare_threshold=None, cursor_factory=cursor_factory, **options
    )


def unavailable(error: Exception, place: str) -> DatabaseError:
    """Return our error for a connection that could not be made. With several hosts, one that may become available
    counts.
    """
    origin = getattr(error, "orig", None) or error  # SQLAlchemy wraps it
    if isinstance(origin, psycopg.errors.ConnectionTimeout):
        found = [_meaning("timeout expired")]
    else:
        found = [_meaning(part) for part in ATTEMPT.split(str(origin))]
    # Waiting helps if it helps for one host; the errors of the others are reported too.
    chosen = next((one for one in found if one.kind is AWAY), found[-1])
    others = [one.what for one in dict.fromkeys(found) if one is not chosen]
    also = f" (another host {'; another '.join(others)})" if others else ""
    return chosen.kind(f"the database at {place} {chosen.what}{also}", advice=_with_names(chosen.advice, origin))


def _with_names(advice: str | None, error: Exception) -> str | None:
    """Return an advice with the names of the connection that failed; where they are not known, with dots for them."""
    wire = getattr(error, "pgconn", None)
    for name, value in (("{user}", getattr(wire, "user", b"")), ("{database}", getattr(wire, "db", b""))):
        if advice is not None:
            advice = advice.replace(name, sql_name(value.decode("utf-8", "replace")) if value else "...")
    return advice


def sql_name(name: str) -> str:
    """Return a name as it is written in a statement: quoted where it has to be."""
    return name if re.fullmatch("[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


def _meaning(text: str) -> Meaning:
    meant = next((meant for pattern, meant in FAILURES if re.search(pattern, text)), UNKNOWN)
    found = re.search(BAD_VALUE, text)
    name = (found[1] or found[2]) if found else None
    if meant.advice == SPELLING and name in KEYWORDS:
        return replace(meant, what=f"is given with a value of {name} that libpq cannot read")
    return meant


__all__ = ["connect", "sql_name", "unavailable"]
