"""Logins that are members of the roles, and a database as they see it."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict


@dataclass(frozen=True)
class Shown:
    """A database in which the roles are in use; by role, the URL of a login that is a member of it."""

    url: str
    logins: dict[str, str]

    def parts(self, role: str) -> dict[str, str]:
        """Return host, port, dbname, user and password of a role's login."""
        return {name: str(value) for name, value in conninfo_to_dict(self.logins[role]).items() if value}


def members(url: str, prefix: str) -> dict[str, str]:
    """Make a login for each role, and return the URLs of the database as seen by them."""
    made = {}
    with psycopg.connect(url, autocommit=True) as admin:
        for role in ("owner", "writer", "reader", "auditor", "archivist"):
            user = f"{role}_{uuid.uuid4().hex[:8]}"
            admin.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'pw' IN ROLE {prefix}_{role}")
            made[role] = re.sub(r"//[^@]*@", f"//{user}:pw@", url)
    return made
