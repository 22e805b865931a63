"""What every room's tests stand on: a real PostgreSQL, an empty environment. No PostgreSQL is a failure, never a skip."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from replicator.store import embedded, migrate
from replicator.store.database import Database
from tests import fix_servers
from tests.fix_roles import members

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = ("TRUEDY_", "REPLICATOR_", "DATABASE_URL", "PG")

hypothesis.settings.register_profile("ours", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("quick", parent=hypothesis.settings.get_profile("ours"), max_examples=20)
hypothesis.settings.load_profile("ours")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres", default="embedded", help="The server to run on: embedded, debian, or a version (16)."
    )
    parser.addoption(
        "--one-case", action="store_true", help="Of a test with several cases run the first, unless it is a pure one."
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave one case of each test that is not pure, where that is asked for (`make quick`)."""
    if not config.getoption("--one-case"):
        return
    first = {item.nodeid.partition("[")[0]: item for item in sorted(items, key=lambda item: item.nodeid, reverse=True)}
    kept = [item for item in items if item.get_closest_marker("pure") or first[item.nodeid.partition("[")[0]] is item]
    left = set(items) - set(kept)
    config.hook.pytest_deselected(items=[item for item in items if item in left])
    items[:] = kept


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(OURS) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def reachable_folder() -> Iterator[Path]:
    """A temporary folder that other accounts can pass through, as the server's account must."""
    folder = Path(tempfile.mkdtemp(prefix="replicator-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[embedded.Server]:
    """The PostgreSQL that was chosen, one for each test process."""
    chosen = request.config.getoption("--postgres")
    with (
        fix_servers.quick_folder() as folder,
        fix_servers.running(chosen, folder / "postgres", fix_servers.QUICK) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def template(postgres_server: embedded.Server) -> str:
    """The name of a migrated database to be cloned."""
    migrate.migrate(postgres_server.tcp_url)
    return embedded.DATABASE


@pytest.fixture
def empty_database(postgres_server: embedded.Server) -> Iterator[str]:
    """The URL of a new database with nothing in it."""
    with fix_servers.new_database(postgres_server, "template1") as url:
        yield url


@pytest.fixture
def database_url(postgres_server: embedded.Server, template: str) -> Iterator[str]:
    """The URL of a new, migrated database."""
    with fix_servers.new_database(postgres_server, template) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A new, migrated database, open."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def role_prefix() -> str:
    """What this session's roles begin with: roles belong to the whole server."""
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.fixture
def logins(database_url: str, role_prefix: str) -> dict[str, str]:
    """A new, migrated database with the roles in use: by role, the URL of a login that is a member of it."""
    migrate.make_roles(database_url, role_prefix)
    return members(database_url, role_prefix)


@pytest.fixture(autouse=True)
def _pure(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that is marked pure may neither connect to anything nor start a process."""
    if request.node.get_closest_marker("pure") is None:
        return

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("this test is marked pure, and would leave its process")

    for owner, name in ((socket.socket, "connect"), (socket.socket, "bind"), (subprocess, "Popen"), (os, "fork")):
        monkeypatch.setattr(owner, name, refuse)
