"""A small world whose days are counted from today, and a real browser."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.report import fix_browser, fix_near_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.report.rows import Figures


@pytest.fixture
def near(database_url: str) -> Iterator[psycopg.Connection]:
    """The near world in a database of its own."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        fix_near_world.build(connection)
        yield connection


@pytest.fixture
def found(near: psycopg.Connection, database_url: str) -> Figures:
    """The figures of the near world over 30 days."""
    return fix_near_world.read(database_url)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fix_browser.Browser]:
    """A running browser. Without one the tests are skipped, and where CI says that it is CI they fail."""
    program = fix_browser.binary()
    if program is None:
        reason = "chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("browser")
    with fix_browser.running(program, folder / "profile") as running:
        yield running
