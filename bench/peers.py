"""Our `sync` beside what a user would use instead, on one source, one server and one machine, in one run.

    python -m bench.peers [--server debian] [--rounds 3] [--calls 20000] [--only ours,script] [--workloads w1,w2,w3,w4]

The programs are in bench/rivals; each gets an environment of its own under build/peers and a database of its own. Workloads:
w1 a first copy into an empty database; w2 the same again at once; w3 200 calls of any age changed, 20 deleted, 50 new, then
one run; w4 3,000 calls at 100 requests a second, and 250 calls at 100 a minute, each begun with a window. Times are of the whole process, from its
start to its exit; PostgreSQL's are those of all its processes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import psycopg

from bench import common, ordinary_server
from replicator.report import figures
from replicator.store import migrate
from replicator.store.database import Database
from tests import fix_servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

TOP = Path(__file__).resolve().parents[1]
RIVALS = TOP / "bench" / "rivals"
ENVIRONMENTS = TOP / "build" / "peers"
PACKAGES = {
    "script": ("httpx==0.28.*", "sqlalchemy==2.1.*", "psycopg[binary]==3.3.*", "msgspec", "aiohttp", "urllib3"),
    "dlt": ("dlt[postgres]==1.31.*", "pyarrow"),
    "tap": ("singer-sdk[msgspec]==0.54.*",),
    "target": ("meltanolabs-target-postgres==0.8.*",),
}
PEERS = ("ours", "script", "dlt", "singer")
TUNED = {
    "NORMALIZE__WORKERS": "2", "LOAD__WORKERS": "4", "EXTRACT__WORKERS": "8", "EXTRACT__MAX_PARALLEL_ITEMS": "32",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
}  # fmt: skip
READS = ("httpx", "httpx, 8 threads", "urllib3, 8 threads", "aiohttp, 16 tasks")
CHANGES = {"change": 200, "delete": 20, "create": 50}
SPOKEN = {"ours": "transcript_segments", "script": "transcript_segments", "dlt": "segments", "singer": "transcripts"}
"""The table in which each has its segments."""
TICKS = os.sysconf("SC_CLK_TCK")
TIMES = 20
"""How often each question is asked."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source's process."""

    url: str
    key: str
    process: subprocess.Popen[str]

    def ask(self, **wanted: int) -> dict[str, Any]:
        """Change the source; return what changed, and the requests since the last time."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        return said


@contextmanager
def source(calls: int, limit: int = 0, window: float = 60.0) -> Iterator[Source]:
    command = [sys.executable, "-m", "bench.peers_source", "--calls", str(calls), "--limit", str(limit)]
    command += ["--window", str(window)]
    with subprocess.Popen(command, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield Source(ready["base_url"], ready["key"], process)
        process.stdin.close()


def python_of(name: str) -> str:
    """Return the Python of a peer's environment, which is made where it is missing."""
    folder = ENVIRONMENTS / name
    if not (folder / ".ready").exists():
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", str(folder)], check=True)
        python = str(folder / "bin" / "python")
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *PACKAGES[name]], check=True)
        (folder / ".ready").touch()
    return str(folder / "bin" / "python")


def command_of(peer: str, *, is_full: bool = False) -> list[str]:
    if peer == "ours":
        return [sys.executable, "-m", "replicator", "sync", "--quiet", "--json", *(["--full"] if is_full else [])]
    if peer == "script":
        return [python_of("script"), str(RIVALS / "script.py")]
    if peer == "dlt":
        return [python_of("dlt"), str(RIVALS / "dlt_tuned.py")]
    return [python_of("tap"), str(RIVALS / "singer.py")]


def settings_of(peer: str, database: str, at: Source, folder: Path, limit: int, window: float) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    own: dict[str, str] = {}
    if peer == "ours":
        own = {"TRUEDY_REQUESTS_PER_MINUTE": str(limit), "TRUEDY_WINDOW_SECONDS": f"{window:g}"}
        own["REPLICATOR_HEADROOM"] = "0"
    elif peer == "dlt":
        own = TUNED
    elif peer == "singer":
        own = {"PEERS_TAP": python_of("tap"), "PEERS_TARGET": python_of("target")}
    return {
        **kept, **own, "TRUEDY_BASE_URL": at.url, "TRUEDY_API_KEY": at.key, "DATABASE_URL": database,
        "PEERS_FOLDER": str(folder),
    }  # fmt: skip


@contextmanager
def new_database(admin: str) -> Iterator[str]:
    name = f"peers_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield admin.rsplit("/", 1)[0] + f"/{name}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def server_seconds(postmaster: int) -> float:
    """Return the CPU seconds of PostgreSQL: the postmaster, what it has waited for, and its children that live."""
    spent = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(entry.name) == postmaster:
            spent += sum(map(int, words[11:15]))
        elif int(words[1]) == postmaster:
            spent += sum(map(int, words[11:13]))
    return spent / TICKS


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: the URL of its database `postgres`, and its first process."""

    admin: str
    postmaster: int

    def written(self, database: str) -> tuple[int, int]:
        """Return (bytes of WAL so far, tuples written in this database so far)."""
        with psycopg.connect(self.admin, autocommit=True) as connection:
            wal = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
            tuples = connection.execute(
                "SELECT tup_inserted + tup_updated + tup_deleted FROM pg_stat_database WHERE datname = %s",
                [database.rsplit("/", 1)[1]],
            ).fetchone()
        assert wal is not None
        assert tuples is not None
        return int(wal[0]), int(tuples[0])


@contextmanager
def server(name: str) -> Iterator[Server]:
    """Give a server as it comes: durable, with its own settings."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with fix_servers.running(name, Path(folder) / "postgres", {}) as running:
            admin = running.tcp_url_of("postgres")
            with psycopg.connect(admin) as connection:
                row = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
            assert row is not None
            yield Server(admin, int(row[0].split()[0]))


def run(command: Sequence[str], env: Mapping[str, str], at: Server, database: str) -> dict[str, float]:
    """Run a program to its end; return what it and the server spent."""
    wal, tuples = at.written(database)
    busy = server_seconds(at.postmaster)
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=dict(env), cwd=env["PEERS_FOLDER"], stdout=said, stderr=said)
        _, code, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(code)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{command} ended with {process.returncode}: {said.read()[-2000:].decode()}")
    spent = server_seconds(at.postmaster) - busy
    time.sleep(1.5)  # PostgreSQL reports its statistics after a second at the latest
    wal_after, tuples_after = at.written(database)
    return {
        "seconds": seconds,
        "own_cpu": usage.ru_utime + usage.ru_stime,
        "server_cpu": spent,
        "peak_mib": usage.ru_maxrss / 1024,
        "wal_mb": (wal_after - wal) / 1e6,
        "tuples": tuples_after - tuples,
    }


def found_of(peer: str, database: str, said: Mapping[str, Any]) -> dict[str, int]:
    """Return how many of the changes, deletions and new calls a peer's database has."""
    gone = {"ours": "SELECT call_id::text FROM replicator.absences WHERE ended_at IS NULL"}
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT id::text, round(cost_usd::numeric, 6)::text FROM truedy.calls").fetchall()
        missing = {row[0] for row in connection.execute(gone[peer].encode())} if peer in gone else set()
    stored: dict[str, str] = dict(rows)
    changed = sum(stored.get(call_id) == f"{float(cost):.6f}" for call_id, cost in said["costs"].items())
    created = sum(call_id in stored for call_id in said["created"])
    return {"changed": changed, "created": created, "deleted": sum(one in missing for one in said["deleted"])}


def check_stored(stored: Mapping[str, Mapping[str, int]], calls: int) -> None:
    """End where one has not stored what the others have: what is not stored costs nothing."""
    most = max(one["segments"] for one in stored.values())
    for peer, one in stored.items():
        # A call may end between two measurements, and have a transcript then.
        if one["calls"] != calls or one["segments"] < 0.999 * most:
            raise SystemExit(f"{peer} has stored {one} of {calls:,} calls and {most:,} segments")


def measure(peer: str, at: Server, calls: int, workloads: Sequence[str]) -> dict[str, Any]:
    """One peer, one database, one source: w1, w2 and w3, each after the other."""
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        origin = stack.enter_context(source(calls))
        database = stack.enter_context(new_database(at.admin))
        env = settings_of(peer, database, origin, folder, 0, 60)
        warm_up(origin)
        origin.ask()
        if peer == "ours":
            begun = time.perf_counter()
            migrate.migrate(database)
            found["migrate"] = time.perf_counter() - begun
        checkpoint(at)
        found["w1"] = run(command_of(peer), env, at, database)
        found["w1"]["requests"] = origin.ask()["requests"]
        with psycopg.connect(database) as connection:
            row = connection.execute(
                f"SELECT (SELECT count(*) FROM truedy.calls), (SELECT count(*) FROM truedy.{SPOKEN[peer]})"
            ).fetchone()
        assert row is not None
        found["stored"] = {"calls": row[0], "segments": row[1]}
        if "w2" in workloads:
            checkpoint(at)
            found["w2"] = run(command_of(peer), env, at, database)
            found["w2"]["requests"] = origin.ask()["requests"]
        if "w3" in workloads:
            said = origin.ask(**CHANGES)
            checkpoint(at)
            found["w3"] = run(command_of(peer, is_full=True), env, at, database)
            found["w3"]["requests"] = origin.ask()["requests"]
            found["w3"] |= found_of(peer, database, said)
        found["disk"] = sizes(database)
    return found


def after_a_first_load(at: Server, calls: int) -> dict[str, float]:
    """Return `asked` of a database that a first copy has just filled."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        origin = stack.enter_context(source(calls))
        database = stack.enter_context(new_database(at.admin))
        migrate.migrate(database)
        run(command_of("ours"), settings_of("ours", database, origin, folder, 0, 60), at, database)
        return asked(database)


def asked(database: str) -> dict[str, float]:
    """Return milliseconds, the 95th percentile of each: the slowest of the README's questions, and the whole report."""

    def slow(do: Callable[[], object]) -> float:
        taken = []
        for _ in range(TIMES):
            begun = time.perf_counter()
            do()
            taken.append(time.perf_counter() - begun)
        return 1000 * quantiles(taken, n=20, method="inclusive")[-1]

    # Not prepared: a BI tool sends each question's text.
    with psycopg.connect(database, autocommit=True, prepare_threshold=None) as analyst:
        questions = [slow(partial(analyst.execute, one.encode())) for one in ordinary_server.questions()]
    ours = Database(database)
    report = slow(lambda: figures.read(ours, "default", 30))
    ours.close()
    return {"slowest_question_ms": max(questions), "report_ms": report}


def warm_up(origin: Source) -> None:
    """Let the source make each of its answers once: from then on it only sends them."""
    env = {"TRUEDY_BASE_URL": origin.url, "TRUEDY_API_KEY": origin.key}
    subprocess.run([python_of("script"), str(RIVALS / "read_only.py"), READS[2]], env=env, check=True)


def checkpoint(at: Server) -> None:
    with psycopg.connect(at.admin, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def sizes(database: str) -> dict[str, int]:
    """Return the bytes of each table, its indexes and long values included."""
    with psycopg.connect(database) as connection:
        return dict(
            connection.execute(
                "SELECT n.nspname || '.' || c.relname, pg_total_relation_size(c.oid) FROM pg_class c "
                "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') "
                "AND n.nspname IN ('truedy', 'replicator', 'rollup') AND pg_total_relation_size(c.oid) > 100000"
            ).fetchall()
        )


def limited(peer: str, at: Server, calls: int, limit: int, window: float) -> dict[str, float]:
    """A first copy from a source with a limit: seconds, and the ideal: each window is filled at once, and the last one too."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        origin = stack.enter_context(source(calls, limit, window))
        database = stack.enter_context(new_database(at.admin))
        env = settings_of(peer, database, origin, folder, limit, window)
        if peer == "ours":
            migrate.migrate(database)
        spent = run(command_of(peer), env, at, database)
        said = origin.ask()
    return {
        **spent,
        "requests": said["requests"],
        "refused": said["refused"],
        "ideal": said["requests"] * window / limit,
    }


def read_only(origin: Source, kind: str) -> dict[str, float]:
    env = {"TRUEDY_BASE_URL": origin.url, "TRUEDY_API_KEY": origin.key, "PATH": os.environ["PATH"]}
    begun = time.perf_counter()
    process = subprocess.Popen([python_of("script"), str(RIVALS / "read_only.py"), kind], env=env)
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise SystemExit(f"reading with {kind} ended with {process.returncode}")
    return {"seconds": time.perf_counter() - begun, "own_cpu": usage.ru_utime + usage.ru_stime}


def middle(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure over the rounds."""
    return {name: round(median(one[name] for one in rounds), 3) for name in rounds[0]}


def compared(at: Server, peers: Sequence[str], workloads: Sequence[str], rounds: int, calls: int) -> dict[str, Any]:
    """Return by peer the medians of its workloads, and how fast ours answers right after a first load."""
    every: dict[str, list[dict[str, Any]]] = {peer: [] for peer in peers}
    for number in range(rounds):
        for peer in peers:
            one = measure(peer, at, calls, workloads)
            every[peer].append(one)
            print(number, peer, json.dumps(one), flush=True)
    check_stored({peer: some[-1]["stored"] for peer, some in every.items()}, calls)
    found: dict[str, Any] = {}
    for peer, some in every.items():
        found[peer] = {name: middle([one[name] for one in some]) for name in workloads if name in some[0]}
        found[peer]["disk"] = some[-1]["disk"]
    if "ours" in peers:
        found["ours"]["stored"] = every["ours"][-1]["stored"]
        found["ours"]["migrate"] = round(median(one["migrate"] for one in every["ours"]), 3)
        if "answers" in workloads:
            found["ours"]["answers"] = middle([after_a_first_load(at, calls)])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="debian", help="debian, embedded, 16 or 17")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--only", default=",".join(PEERS))
    parser.add_argument("--workloads", default="w1,w2,w3,w4,read,answers")
    parser.add_argument("--keep", action="store_true", help="write the result file")
    parser.add_argument("--name", help="of the result file; peers_SERVER unless told")
    given = parser.parse_args()
    peers, workloads = given.only.split(","), given.workloads.split(",")
    if shutil.which("pg_virtualenv") is None and given.server == "debian":
        raise SystemExit("Debian's packages postgresql and postgresql-common are needed")
    result: dict[str, Any] = {
        "what": "programs for the same job, in one run",
        "calls": given.calls,
        "rounds": given.rounds,
    }
    with server(given.server) as at:
        with psycopg.connect(at.admin) as connection:
            row = connection.execute("SELECT current_setting('server_version'), current_setting('jit')").fetchone()
        assert row is not None
        result |= {"server_version": row[0], "jit": row[1]}
        if "w1" in workloads:
            result |= compared(at, peers, workloads, given.rounds, given.calls)
        if "w4" in workloads:
            for name, calls, limit, window in (("a_second", 3_000, 100, 1.0), ("a_minute", 250, 100, 60.0)):
                rounds = [limited("ours", at, calls, limit, window) for _ in range(given.rounds)]
                print(name, json.dumps(rounds), flush=True)
                result[f"w4_{name}"] = middle(rounds)
        if "read" in workloads:
            with source(given.calls) as origin:
                warm_up(origin)
                for kind in READS:
                    result.setdefault("read", {})[kind] = middle([read_only(origin, kind) for _ in range(given.rounds)])
    print(json.dumps(result, indent=2))
    if given.keep:
        common.write(given.name or f"peers_{given.server}", result)


if __name__ == "__main__":
    main()
