"""The small world with the roles in use, for clients that people look at it with; and those clients, where they are installed."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.store import migrate
from tests.fix_roles import Shown, members
from tests.sql import fix_small_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store import embedded


@pytest.fixture(scope="session")
def shown(postgres_server: embedded.Server, template: str, role_prefix: str) -> Iterator[Shown]:
    """A database with the small world in it, in which the roles are in use: made once, as nobody here can write."""
    name = f"bi_{uuid.uuid4().hex}"
    url = postgres_server.tcp_url_of(name)
    with psycopg.connect(postgres_server.tcp_url_of("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        with psycopg.connect(url) as connection:
            fix_small_world.build(connection)
            # One call of now, as some views are of the last days and the small world grows old.
            connection.execute(
                "UPDATE truedy.calls SET created_at = now() WHERE id = "
                "(SELECT id FROM truedy.calls WHERE agent_id IS NOT NULL ORDER BY created_at DESC LIMIT 1)"
            )
        migrate.make_roles(url, role_prefix)
        yield Shown(url, members(url, role_prefix))
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
