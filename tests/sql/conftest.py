"""The small world in a database of its own, rolled back after each test, and short ways to ask it."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from replicator.store import rollups, schema_check
from replicator.store.database import Database
from tests.sql import fix_small_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store import embedded


def refresh(url: str) -> None:
    """Bring the roll-ups up to date."""
    with closing(Database(url)) as database:
        rollups.refresh(database, rollups.kept(schema_check.bundled("sql")))
        with database.connection() as connection:
            assert connection.execute("SELECT count(*) FROM rollup.stale").fetchone() == (0,)


@pytest.fixture(scope="session", params=["counted", "kept"])
def small_url(postgres_server: embedded.Server, template: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database with the small world in it, days in UTC: made once, as no test can change it for good.

    Once with every day to be counted from the calls, once with roll-ups that are up to date: reports must say the same.
    """
    name = f"small_{uuid.uuid4().hex}"
    url = postgres_server.tcp_url_of(name)
    with psycopg.connect(postgres_server.tcp_url_of("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        with psycopg.connect(url) as connection:
            fix_small_world.build(connection)
        if request.param == "kept":
            refresh(url)
        yield url
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def small(small_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """The small world; what a test does to it is rolled back, and committing is refused."""
    with psycopg.connect(small_url, row_factory=dict_row) as connection:
        with connection.transaction(force_rollback=True):
            yield connection


@pytest.fixture
def berlin(small: psycopg.Connection[dict[str, Any]]) -> psycopg.Connection[dict[str, Any]]:
    """The small world, days in Berlin."""
    small.execute("UPDATE replicator.reporting SET time_zone = 'Europe/Berlin'")
    return small


@pytest.fixture
def new_york(small: psycopg.Connection[dict[str, Any]]) -> psycopg.Connection[dict[str, Any]]:
    """The small world, days in New York."""
    small.execute("UPDATE replicator.reporting SET time_zone = 'America/New_York'")
    return small
