"""Reads the database's address from `DATABASE_URL`, as libpq reads it.

Everything that libpq accepts is accepted: a URI (with several hosts, a socket's folder, or empty parts) or a string of
keywords such as `service=calls`; in a URI also the driver that SQLAlchemy adds to the scheme. If libpq cannot read a
text, its message quotes the text, which may be a password. So the message is never passed on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from replicator.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPECTED: Final = (
    "expected postgresql://user:password@host:5432/database, or libpq's keywords: host=... dbname=... user=..."
)
ESCAPES: Final = "in a user name, a password or a name of a database write @ as %40, / as %2F, : as %3A and % as %25"
WITH_DRIVER = re.compile(r"(postgres(?:ql)?)\+[a-z0-9_]+(?=://)")
SCHEME = re.compile(r"postgres(?:ql)?://")
TLS_VERSIONS: Final = frozenset({"tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"})
WORDS: Final[Mapping[str, frozenset[str]]] = {
    "sslmode": frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}),
    "channel_binding": frozenset({"disable", "prefer", "require"}),
    "gssencmode": frozenset({"disable", "prefer", "require"}),
    "sslcertmode": frozenset({"disable", "allow", "require"}),
    "sslnegotiation": frozenset({"postgres", "direct"}),
    "load_balance_hosts": frozenset({"disable", "random"}),
    "target_session_attrs": frozenset({"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}),
    "ssl_min_protocol_version": TLS_VERSIONS,
    "ssl_max_protocol_version": TLS_VERSIONS,
}
"""The values that libpq accepts for these. It quotes any other value when it connects, and psql shows that in the
terminal.
"""
NUMBERS: Final = frozenset(
    {"connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
)
BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")


@dataclass(frozen=True, slots=True)
class Target:
    """One database, or several servers of one.

    `parts` has libpq's keywords and may hold secrets; `place` holds none.
    """

    parts: Mapping[str, str] = field(repr=False)
    place: str
    """The address for messages: host:port/database, several hosts separated by commas."""

    @property
    def conninfo(self) -> str:
        """Return the connection string for libpq."""
        return make_conninfo("", **self.parts)

    def get(self, keyword: str) -> str | None:
        """Return a part, or the value from libpq's environment and service file."""
        return self.parts.get(keyword) or defaults().get(keyword)


def read(text: str) -> Target:
    """Return the target that a text describes. Raises ConfigurationError, without quoting the text."""
    text = WITH_DRIVER.sub(r"\1", text.strip(), count=1)
    if SCHEME.match(text):
        _refuse_ambiguous(text)
    elif re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text):
        raise ConfigurationError("DATABASE_URL is not a PostgreSQL URL", advice=EXPECTED)
    try:
        if "\0" in text:
            raise ConfigurationError("DATABASE_URL holds a NUL character", advice=EXPECTED)
        options = pq.Conninfo.parse(text.encode())
    except (psycopg.Error, UnicodeEncodeError) as error:
        raise ConfigurationError("DATABASE_URL cannot be read", advice=_advice(str(error))) from None
    parts = {option.keyword.decode(): option.val.decode() for option in options if option.val}
    ports = parts.get("port", "").split(",")
    if not all(port == "" or (port.isdecimal() and 0 < int(port) < 65536) for port in ports):  # noqa: PLR2004 - a port's limit
        raise ConfigurationError("DATABASE_URL has a port that is no number of a port", advice=ESCAPES)
    _refuse_values(parts)
    hosts, addresses = parts.get("host", "").split(","), parts.get("hostaddr", "").split(",")
    if (len(ports) > 1 and len(ports) != max(len(hosts), len(addresses))) or (
        "host" in parts and "hostaddr" in parts and len(hosts) != len(addresses)
    ):
        raise ConfigurationError(
            "DATABASE_URL names another number of ports or addresses than of hosts", advice=EXPECTED
        )
    return Target(parts, _place(parts))


def _refuse_values(parts: Mapping[str, str]) -> None:
    """Refuse values that libpq would quote in a message: a value in the wrong place may be a secret."""
    for name, value in parts.items():
        if name in WORDS and value.lower() not in WORDS[name]:
            expected = f"one of {', '.join(sorted(WORDS[name]))}"
        elif name in NUMBERS and not re.fullmatch(r"\s*[-+]?[0-9]{1,9}\s*", value):
            expected = "a whole number"
        else:
            continue
        raise ConfigurationError(
            f"DATABASE_URL has a value of {name} that libpq cannot read", advice=f"{name} is {expected}"
        )


def defaults() -> Mapping[str, str]:
    """Return the values that libpq adds: from the environment, from the service named there, or its own defaults."""
    return {option.keyword.decode(): option.val.decode() for option in pq.Conninfo.get_defaults() if option.val}


def _refuse_ambiguous(text: str) -> None:
    """Refuse a URI in which a part of a password would be read as a host or a database, and then be shown."""
    rest = text.partition("://")[2]
    end = re.search("[@/]", rest)  # as libpq looks for the end of user and password
    behind = rest[end.end() :] if end else ""
    if "@" in behind.partition("?")[0]:
        raise ConfigurationError("DATABASE_URL has an @ where libpq would misread it", advice=ESCAPES)
    if BAD_PERCENT.search(text):
        raise ConfigurationError("DATABASE_URL has a % without the code of a character behind it", advice=ESCAPES)


def _advice(said: str) -> str:
    if "query parameter" in said:
        return (
            "libpq does not know one of the parameters behind the ?; it knows sslmode, target_session_attrs and others"
        )
    return EXPECTED if "percent" not in said and "spaces" not in said else ESCAPES


def _place(parts: Mapping[str, str]) -> str:
    if "service" in parts and not ({"host", "hostaddr"} & set(parts)):
        return printable(f"service {parts['service']}")
    filled = {**defaults(), **parts}
    named = filled.get("host") or filled.get("hostaddr") or ""
    hosts = named.split(",") if named else ["libpq's default host"]
    ports = filled.get("port", "5432").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    pairs = zip(hosts, ports, strict=False)
    shown = ",".join(f"{f'[{host}]' if ':' in host else host}:{port or 5432}" for host, port in pairs)
    return printable(f"{shown}/{filled.get('dbname') or filled.get('user', '')}")


def printable(text: str) -> str:
    """Return the text with all invisible characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
