"""The PostgreSQL servers that the tests run on: our embedded one, Debian's as its package comes, and other major versions.

`pytest --postgres NAME` chooses: `embedded` (the default), `debian` (the newest of Debian's packages, in a cluster that
Debian's own tools make: its configuration, JIT and TLS on), or a major version such as `16` (binaries that `.ci/servers`
put into build/postgresql-16). Run as a program, this file runs the tests that depend on the server on each of the others,
and says which it did not run.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg

from replicator.store import embedded
from replicator.store.server.account import Account, chosen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Tests may lose their database with the machine, so they need not wait for its disk.
QUICK = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "100",
    "max_wal_size": "256MB",
}  # fmt: skip
TOP = Path(__file__).resolve().parents[1]
DEBIAN = Path("/usr/lib/postgresql")
OTHERS = ("debian", "16", "17")
DEPENDING = (
    "tests/store/test_lease_and_schema.py", "tests/store/test_roles.py", "tests/store/test_foreign_objects.py",
    "tests/store/test_rights_survive.py", "tests/store/test_upgrades.py", "tests/store/test_sqlstates.py",
    "tests/sql/test_readme.py", "tests/sync/test_accounts.py",
)  # fmt: skip
"""What runs on each of the other servers: migrations, rights, leases, codes, whole syncs, and the README's questions."""
ON_DEBIAN = (
    *(place for place in DEPENDING if not place.startswith("tests/sql")), "tests/sql", "tests/store/test_accounts_apart.py",
    "tests/store/test_exact.py", "tests/store/test_jit.py", "tests/store/test_locks.py", "tests/store/test_order.py",
    "tests/store/test_publications.py", "tests/store/test_reporting_settings.py", "tests/store/test_shadowing.py", "tests/store/test_statistics.py",
    "tests/store/test_sticky_states.py", "tests/sync/test_rights.py", "tests/sync/test_run.py",
)  # fmt: skip
"""Debian's server as its package comes is what most users have: there the tests of the store, all of tests/sql and whole syncs run."""


@dataclass(frozen=True)
class Server:
    """A running server as the tests use it; `url` is of a database that may become the template."""

    url: str
    port: int
    bin_dir: Path

    @property
    def tcp_url(self) -> str:
        return self.url

    def url_of(self, database: str) -> str:
        """Return the URL of another database of this server."""
        return f"{self.url.rsplit('/', 1)[0]}/{database}"

    tcp_url_of = url_of

    @property
    def account(self) -> Account:
        """Who runs it: Debian's `postgres` where root started it, else the user."""
        return chosen(None)


def newest_of_debian() -> str | None:
    """Return the newest major version of Debian's packages here, None where there is none."""
    found = sorted(int(path.parts[-3]) for path in DEBIAN.glob("*/bin/initdb"))
    return str(found[-1]) if found and shutil.which("pg_virtualenv") else None


def binaries(version: str) -> Path:
    """Return the folder of the programs of a major version that `.ci/servers` brings."""
    return TOP / "build" / f"postgresql-{version}" / "bin"


def version(bin_dir: Path) -> str:
    """Return the major version of the server in a folder."""
    said = subprocess.run([str(bin_dir / "postgres"), "--version"], check=True, capture_output=True, text=True)
    found = re.search(r"\) (\d+)", said.stdout)
    assert found is not None
    return found[1]


def all_of_them() -> dict[str, Path]:
    """Return the folders of programs by major version: the embedded one, Debian's, and those in build."""
    folders = [embedded.find_binaries(), *sorted(DEBIAN.glob("*/bin")), *sorted(TOP.glob("build/postgresql-*/bin"))]
    found: dict[str, Path] = {}
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            found.setdefault(version(folder), folder)
    return found


def missing(name: str) -> str | None:
    """Return what is missing to run on this server, None where nothing is."""
    if name == "embedded":
        return None
    if name == "debian":
        return None if newest_of_debian() else "Debian's packages postgresql and postgresql-common are not installed"
    if (binaries(name) / "initdb").exists():
        return None
    return f"there is no PostgreSQL {name} in build/postgresql-{name}: .ci/servers brings it"


@contextmanager
def running(name: str, folder: Path, settings: Mapping[str, str]) -> Iterator[Server | embedded.Server]:
    """Give a server of this kind. `settings` are for speed only: what a crash may lose, how many may connect."""
    reason = missing(name)
    assert reason is None, reason
    if name == "debian":
        with _debian(newest_of_debian() or "", folder.parent, settings) as server:
            yield server
    else:
        bin_dir = None if name == "embedded" else binaries(name)
        with embedded.running(folder, settings=settings, bin_dir=bin_dir) as server:
            yield server


@contextmanager
def _debian(version: str, folder: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    """Give a cluster made by Debian's pg_virtualenv in a folder of its own inside of `folder`; it goes when its standard input
    ends.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = [word for item in settings.items() for word in ("-o", "{}={}".format(*item))]
    command = ["pg_virtualenv", "-t", "-v", version, *options, "--", "sh", "-c", "env; echo READY; exec cat"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    with subprocess.Popen(
        command, env={**kept, "PGPORT": str(port), "TMPDIR": str(folder)}, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        said: dict[str, str] = {}
        for line in process.stdout:
            word, _, value = line.rstrip("\n").partition("=")
            if word == "READY":
                break
            said[word] = value
        else:
            raise AssertionError(f"Debian's PostgreSQL {version} does not start: {said}")
        user, password = quote(said["PGUSER"]), quote(said["PGPASSWORD"])
        server = Server(
            f"postgresql://{user}:{password}@127.0.0.1:{port}/{embedded.DATABASE}", port, DEBIAN / version / "bin"
        )
        try:
            with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {embedded.DATABASE}")
            yield server
        finally:
            process.stdin.close()
            process.stdout.read()


MEMORY, ENOUGH_BYTES = Path("/dev/shm"), 4 * 2**30


@contextmanager
def quick_folder() -> Iterator[Path]:
    """Give a new folder that other accounts can pass through, in memory where there is enough: a clone of a database is a
    thousand small files, which no test needs after its end.
    """
    has_memory = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES
    folder = Path(tempfile.mkdtemp(prefix="replicator-tests-", dir=MEMORY if has_memory else None))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_database(server: Server | embedded.Server, template: str) -> Iterator[str]:
    """Give the URL of a new database, a copy of the template; it is dropped in the end."""
    name = f"test_{uuid.uuid4().hex}"
    admin = server.tcp_url_of("postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.tcp_url_of(name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def main(options: Sequence[str]) -> int:
    """Run the tests that depend on the server on each of the other servers, with these options of pytest; return 0 where none
    failed.
    """
    code = 0
    for name in OTHERS:
        places = ON_DEBIAN if name == "debian" else DEPENDING
        if (reason := missing(name)) is not None:
            print(f"NOT RUN on PostgreSQL {name}: {reason}", flush=True)  # noqa: T201 - for whoever runs it
            code = code or int(os.environ.get("CI") == "true")
            continue
        print(f"on PostgreSQL {name}:", flush=True)  # noqa: T201
        command = [sys.executable, "-m", "pytest", *options, "--postgres", name, *places]
        code = subprocess.run(command, cwd=TOP, check=False).returncode or code
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
