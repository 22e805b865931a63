"""Makes the URL that a person copies into psql or a BI tool: the database's address, without its password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from replicator.store import target

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT: Final = ("sslmode", "sslrootcert", "channel_binding", "target_session_attrs")
"""Parameters that a client needs too. None of them is a secret."""


def shareable(text: str, filled: Mapping[str, str] | None = None) -> str:
    """Return the URL of the database that DATABASE_URL names. It never holds a password.

    `filled` are the values that libpq adds from its own variables; None reads them. Raises ConfigurationError where
    the text cannot be read.
    """
    given = target.defaults() if filled is None else filled
    parts = {**given, **target.read(text).parts}
    hosts = (parts.get("host") or parts.get("hostaddr") or "localhost").split(",")
    ports = parts.get("port", "5432").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    # A socket's folder has slashes, which end the host of a URL: it is escaped.
    where = ",".join(
        f"{f'[{host}]' if ':' in host else quote(host, safe='')}:{port or 5432}"
        for host, port in zip(hosts, ports, strict=False)
    )
    user = quote(parts.get("user", ""), safe="")
    name = quote(parts.get("dbname") or parts.get("user", ""), safe="")
    # The default of libpq is not worth a place in the URL.
    more = "&".join(
        f"{one}={quote(parts[one], safe='/')}" for one in KEPT if parts.get(one) not in {None, "", "prefer", "any"}
    )
    return target.printable(f"postgresql://{f'{user}@' if user else ''}{where}/{name}{f'?{more}' if more else ''}")


__all__ = ["shareable"]
