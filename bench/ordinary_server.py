"""A first sync and the reports right after it on a server as its package sets it up, beside the embedded one.

    python -m bench.ordinary_server postgresql://postgres@127.0.0.1:5432/postgres

The server is a throw-away: databases are made and dropped in it. Both are measured in one run, in turn.
"""

from __future__ import annotations

import re
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from bench import common
from replicator.budget.durable import Limits
from replicator.report import figures
from replicator.service.rollup_refresh import refreshed
from replicator.source.client import Reader
from replicator.store import migrate, status
from replicator.store.database import Database
from replicator.sync.run import Options, Run

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS, ROUNDS, TIMES = 3_000, 5, 3
README = Path(__file__).parents[1] / "README.md"


def questions() -> list[str]:
    """Return the ten questions of the README."""
    block = re.search(r"```sql\n(-- 1\..*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    return [one.strip() for one in re.split(r"^-- \d+\. .*$", block[1], flags=re.MULTILINE) if one.strip()]


def seconds(do: Callable[[], object]) -> float:
    begun = time.perf_counter()
    do()
    return time.perf_counter() - begun


def measure(admin: str, url: str, key: str) -> dict[str, float]:
    """Make a database, sync into it, and ask at once; return seconds."""
    name = f"bench_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    where = psycopg.conninfo.make_conninfo(admin, dbname=name)
    try:
        migrate.migrate(where)
        database = Database(where)
        with Reader(url, key) as reader:

            def sync() -> None:
                with refreshed(database, threading.Event()):
                    Run(database, [(key, reader)], Options(base_url=url, limits=Limits(None))).perform()

            found = {"sync": seconds(sync)}
        with psycopg.connect(where, autocommit=True) as analyst:

            def ask() -> None:
                for question in questions():
                    analyst.execute(question.encode()).fetchall()

            found["questions"] = min(seconds(ask) for _ in range(TIMES))
        found["status"] = min(seconds(lambda: status.read(database, "default")) for _ in range(TIMES))
        found["report"] = min(seconds(lambda: figures.read(database, "default", 30)) for _ in range(TIMES))
        database.close()
        return found
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def main(server: str) -> None:
    with common.database() as embedded, common.source(CALLS) as (url, key):
        own = psycopg.conninfo.make_conninfo(embedded, dbname="postgres")
        measure(own, url, key)  # the source has cached its rows from here on
        rounds = [(measure(server, url, key), measure(own, url, key)) for _ in range(ROUNDS)]
    with psycopg.connect(server) as connection:
        row = connection.execute("SELECT current_setting('server_version'), current_setting('jit')").fetchone()
    assert row is not None
    result: dict[str, Any] = {
        "what": "first sync and the reports right after it: a server as its package sets it up, and the embedded one",
        "calls": CALLS,
        "rounds": ROUNDS,
        "server_version": row[0],
        "jit": row[1],
    }
    for part in ("sync", "questions", "report", "status"):
        result[part] = {
            "ordinary": common.middle([there[part] for there, _ in rounds]),
            "embedded": common.middle([here[part] for _, here in rounds]),
            "ratio": common.middle([there[part] / here[part] for there, here in rounds]),
        }
    common.write("ordinary_server", result)
    print(result)


if __name__ == "__main__":
    main(sys.argv[1])
