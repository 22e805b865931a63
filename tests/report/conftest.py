"""A small world whose days are counted from today, and a real browser."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import browser
import near_world
import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.report.rows import Figures


@pytest.fixture
def near(database_url: str) -> Iterator[psycopg.Connection]:
    """The near world in a database of its own."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        near_world.build(connection)
        yield connection


@pytest.fixture
def found(near: psycopg.Connection, database_url: str) -> Figures:
    """The figures of the near world over 30 days."""
    return near_world.read(database_url)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    """A running browser. Without one the tests are skipped, and where CI says that it is CI they fail."""
    program = browser.binary()
    if program is None:
        reason = "chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("browser")
    with browser.running(program, folder / "profile") as running:
        yield running
