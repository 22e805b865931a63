"""The small world in a database of its own, and short ways to ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import small_world
from psycopg.rows import dict_row

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def small(database_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """The small world, days in UTC; what a test does to it is lost with its database."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        small_world.build(connection)
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
