"""`replicator export` as its users meet it: processes, exit codes, signals, rights, memory."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import signal
import stat
import subprocess
import sys
import time
import uuid
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow.parquet as pq
import pytest

from replicator.export import parquet, running
from replicator.export.question import FORMATS, Asked
from replicator.export.running import Target
from replicator.store.database import Database
from tests.export.fix_files import read
from tests.fix_commands import environment, run, start
from tests.fix_memory import measure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import CompletedProcess

pytestmark = pytest.mark.slow  # each test starts processes
TOP = Path(__file__).resolve().parents[2]
VIEWS = """
CREATE VIEW analytics.daily AS SELECT date '2026-03-01' + n AS day, 'a' || n % 2 AS account, n, '+1202555010' || n AS phone
FROM generate_series(0, 9) n;
CREATE VIEW analytics.said AS SELECT '=1+1'::text AS text;
COMMENT ON COLUMN analytics.said.text IS 'What was said: personal data.';
CREATE VIEW analytics.long AS SELECT n FROM generate_series(1, 200000) n;
CREATE VIEW analytics.slow AS SELECT n, pg_sleep(0.01)::text AS slept FROM generate_series(1, 100000) n;
"""


@pytest.fixture
def url(database: Database, database_url: str) -> str:
    with database.connection() as connection:
        connection.execute(VIEWS)
    return database_url


def export(url: str, folder: Path, *arguments: str) -> CompletedProcess[str]:
    return run("export", *arguments, cwd=folder, DATABASE_URL=url)


def cells(path: Path) -> list[list[str | None]]:
    return read(path.read_bytes().decode())


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_view_becomes_a_file(url: str, tmp_path: Path) -> None:
    """What the page says: the file, its mode, the line about it, the facts as JSON; nothing on standard error in a pipe."""
    done = export(url, tmp_path, "analytics.daily", "--output", "a.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert "10 rows of analytics.daily as of 20" in done.stdout
    assert "a.csv\nsha256 " in done.stdout
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o600
    assert cells(tmp_path / "a.csv")[:2] == [
        ["day", "account", "n", "phone"],
        ["2026-03-01", "a0", "0", "+12025550100"],
    ]
    for name in ("a.csv", "b.parquet"):
        done = export(url, tmp_path, "daily", "--output", name, "--overwrite", "--json")
        facts = json.loads(done.stdout)
        content = (tmp_path / name).read_bytes()
        assert facts.pop("seconds") > 0
        assert re.fullmatch(r"20\d\d-.*\+00:00", facts.pop("snapshot_at"))
        assert facts == {
            "view": "analytics.daily", "format": "csv" if name == "a.csv" else "parquet", "file": name, "rows": 10,
            "bytes": len(content), "sha256": sha256(content).hexdigest(), "columns": ["day", "account", "n", "phone"], "numbers_as_text": 0,
        }  # fmt: skip
    assert pq.read_table(tmp_path / "b.parquet").num_rows == 10


def test_every_view_of_ours_is_exported_in_every_format(url: str, tmp_path: Path) -> None:
    """No view of the product has a column that a format does not take."""
    views = [path.stem[3:] for path in sorted((TOP / "sql" / "views").glob("*.sql"))]
    assert len(views) >= 9
    with closing(Database(url)) as database:
        for view in views:
            for chosen in FORMATS:
                running.export(database, Asked(view), Target(str(tmp_path / f"{view}.{chosen}"), chosen))


def test_rows_and_columns_are_chosen(url: str, tmp_path: Path) -> None:
    """--since and --until include their days, --account and --columns choose; values are values, whatever they say."""

    def days(*arguments: str) -> list[str | None]:
        done = export(url, tmp_path, "daily", "--output", "-", "--columns", "n", *arguments)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("n\n")
        return done.stdout.split()[1:]

    assert days("--since", "2026-03-03", "--until", "2026-03-05") == ["2", "3", "4"]
    assert days("--since", "2026-03-09") == ["8", "9"]
    assert days("--until", "2026-03-01") == ["0"]
    assert days("--account", "a1", "--until", "2026-03-05") == ["1", "3"]
    assert days("--account", "' OR true --") == []
    done = export(url, tmp_path, "daily", "--output", "-", "--columns", "phone,day", "--until", "2026-03-01")
    assert done.stdout == 'phone,day\n"+12025550100",2026-03-01\n'
    done = export(
        url,
        tmp_path,
        "daily",
        "--output",
        "-",
        "--format",
        "spreadsheet",
        "--columns",
        "phone",
        "--until",
        "2026-03-01",
    )
    assert done.stdout == '\ufeffphone\n"\'+12025550100"\n'


def test_wrong_questions_end_with_two(url: str, tmp_path: Path) -> None:
    """Names, options and places that cannot be are said with what to do, and nothing is written."""
    (tmp_path / "old.csv").write_bytes(b"old")
    os.mkfifo(tmp_path / "pipe.csv")
    for arguments, says in (
        (("dayly", "--output", "a.csv"), "did you mean daily?"),
        (("truedy.calls", "--output", "a.csv"), "only views of schema analytics"),
        (("daily", "--output", "a.csv", "--columns", "n,fone"), "did you mean phone?"),
        (("said", "--output", "a.csv", "--since", "2026-03-01"), "no day or month to choose by"),
        (("daily", "--output", "a.csv", "--since", "yesterday"), "yesterday"),
        (("daily", "--output", "a.xls"), "does not tell the format"),
        (("daily", "--output", "old.csv"), "--overwrite"),
        (("daily", "--output", "none/a.csv"), "No such file or directory"),
        (("daily", "--output", "pipe.csv", "--overwrite"), "no ordinary file"),
        (("daily", "--output", "-", "--json"), "--json"),
        (("daily",), "--output"),
    ):
        done = export(url, tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert says in done.stderr, (arguments, done.stderr)
        assert "Traceback" not in done.stderr
    assert (tmp_path / "old.csv").read_bytes() == b"old"
    assert files(tmp_path) == ["old.csv", "pipe.csv"]
    assert stat.S_ISFIFO((tmp_path / "pipe.csv").stat().st_mode)


def test_a_place_that_cannot_be_is_said_before_the_database_is_asked(tmp_path: Path) -> None:
    """The mistake that is nearest is named first, and at once."""
    (tmp_path / "a.csv").write_bytes(b"")
    done = export("postgresql://nobody@127.0.0.1:1/none", tmp_path, "calls", "--output", "a.csv")
    assert (done.returncode, "--overwrite" in done.stderr) == (2, True)


def test_personal_data_is_said(url: str, tmp_path: Path) -> None:
    """On standard error, where the catalog's comments say so; standard output stays the rows alone."""
    done = export(url, tmp_path, "said", "--output", "-")
    assert (done.stdout, "holds personal data" in done.stderr) == ('text\n"=1+1"\n', True)
    done = export(url, tmp_path, "transcript_segments", "--output", "a.csv")
    assert "analytics.transcript_segments holds personal data" in done.stderr
    assert export(url, tmp_path, "calls", "--output", "b.csv").stderr == ""


@pytest.fixture
def reader(url: str) -> Iterator[tuple[str, psycopg.Connection[Any]]]:
    """A user without any right of its own, and a connection of the owner who can give some."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'pw'")
        try:
            yield re.sub(r"//[^@]*@", f"//{name}:pw@", url), owner
        finally:
            owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_the_grants_that_are_named_are_enough(reader: tuple[str, psycopg.Connection[Any]], tmp_path: Path) -> None:
    """A reader follows the advice, one GRANT after the other, and exports; nothing else was needed."""
    theirs, owner = reader
    advised = []
    for _ in range(5):
        done = export(theirs, tmp_path, "calls", "--output", "a.csv")
        if done.returncode == 0:
            break
        assert done.returncode == 4, done.stderr
        match = re.search(r"GRANT (.*)", done.stderr)
        assert match, done.stderr
        advised.append(match[1].rpartition(" TO ")[0])
        owner.execute(match[0])
    assert advised == ["USAGE ON SCHEMA analytics", "SELECT ON analytics.calls"]
    assert "call_id" in (tmp_path / "a.csv").read_text()
    owner.execute(re.sub(r".*//([^:]*):.*", r"GRANT SELECT (day, n) ON analytics.daily TO \1", theirs))
    assert (
        "may not read these columns of analytics.daily: account, phone"
        in export(theirs, tmp_path, "daily", "--output", "b.csv").stderr
    )
    assert export(theirs, tmp_path, "daily", "--output", "b.csv", "--columns", "n,day").returncode == 0


def test_a_database_without_the_schema_is_said(empty_database: str, tmp_path: Path) -> None:
    """Nothing was migrated yet: code 4 and the remedy."""
    done = export(empty_database, tmp_path, "calls", "--output", "a.csv")
    assert (done.returncode, "replicator migrate" in done.stderr, files(tmp_path)) == (4, True, [])


def test_all_rows_are_of_one_instant(url: str, tmp_path: Path) -> None:
    """What is committed while the export reads is not in it: an export is one snapshot."""
    with psycopg.connect(url, autocommit=True) as writer:
        writer.execute(
            "CREATE TABLE pairs (n integer); INSERT INTO pairs SELECT generate_series(1, 200);"
            "CREATE FUNCTION later() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT count(*) FROM pairs';"
            "CREATE VIEW analytics.pairs AS SELECT n, later() AS seen, pg_sleep(0.01)::text AS slept FROM pairs"
        )
        process = start("export", "pairs", "--output", "a.csv", cwd=tmp_path, DATABASE_URL=url)
        while process.poll() is None:
            writer.execute("INSERT INTO pairs VALUES (0)")
            time.sleep(0.02)
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert writer.execute("SELECT count(*) > 210 FROM pairs").fetchone() == (True,)
    seen = {row[1] for row in cells(tmp_path / "a.csv")[1:]}
    assert len(seen) == 1, seen
    assert len(cells(tmp_path / "a.csv")) - 1 == int(seen.pop() or 0)
    assert out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_leaves_no_file(url: str, tmp_path: Path, number: signal.Signals) -> None:
    """In the middle of an export: the name stays free, the database stops working for it, and the exit code is 1.
    After a SIGKILL a hidden file stays, and the next export to that name removes it.
    """
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("whoever runs the tests ignores this signal, as under nohup, and so does every child")
    process = start("export", "slow", "--output", "a.csv", cwd=tmp_path, DATABASE_URL=url)
    working = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'"
    with psycopg.connect(url, autocommit=True) as watcher:
        until(lambda: watcher.execute(working).fetchone() == (1,))
        time.sleep(0.3)
        assert [name.startswith(".replicator-export-") for name in files(tmp_path)] == [True]
        begun = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert time.monotonic() - begun < 5
        assert out == ""
        if number == signal.SIGKILL:
            assert len(files(tmp_path)) == 1
            assert export(url, tmp_path, "daily", "--output", "a.csv").returncode == 0
            assert files(tmp_path) == ["a.csv"]
            watcher.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'")
            return
        assert (process.returncode, err) == (1, "stopped by a signal; nothing was kept\n")
        assert files(tmp_path) == []
        until(lambda: watcher.execute(working).fetchone() == (0,))


def test_a_lost_database_leaves_no_file(url: str, tmp_path: Path) -> None:
    """The server ends the session in the middle, or its statement_timeout does: code 4, and the name stays free."""
    process = start("export", "slow", "--output", "a.csv", cwd=tmp_path, DATABASE_URL=url)
    with psycopg.connect(url, autocommit=True) as admin:
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'"
        until(lambda: admin.execute(ended).fetchone() == (1,))
        _, err = process.communicate(timeout=20)
        assert (process.returncode, "what to do:" in err, files(tmp_path)) == (4, True, [])
        admin.execute(f"ALTER DATABASE {url.rsplit('/', 1)[1]} SET statement_timeout = '300ms'")
    done = export(url, tmp_path, "slow", "--output", "a.csv")
    assert (done.returncode, "statement_timeout" in done.stderr, files(tmp_path)) == (4, True, [])


def test_a_full_disk_leaves_no_file(url: str, tmp_path: Path) -> None:
    """A file that may not grow, and standard output onto a full device: code 1, what is wrong, no file."""
    # Without PYTHONDONTWRITEBYTECODE the limit would leave half a compiled module for every later process.
    settings = environment({"DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"})
    limited = subprocess.run(
        [sys.executable, "-m", "replicator", "export", "long", "--output", "a.csv"],
        cwd=tmp_path, env=settings, capture_output=True, text=True, check=False, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )  # fmt: skip
    assert (limited.returncode, "could not be written: File too large" in limited.stderr) == (1, True), limited.stderr
    assert files(tmp_path) == []
    if not Path("/dev/full").exists():
        return
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "replicator", "export", "daily", "--output", "-"],
            cwd=tmp_path, env=settings, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("the file could not be written: No space left on device\n")


def test_a_pipe_that_closes_early_is_no_defect(url: str, tmp_path: Path) -> None:
    """`| head -2` gets its lines; the export ends with 1, because not all was taken, and says nothing."""
    with start("export", "long", "--output", "-", cwd=tmp_path, DATABASE_URL=url) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert [process.stdout.readline(), process.stdout.readline()] == ["n\n", "1\n"]
        process.stdout.close()
        assert (process.stderr.read(), process.wait(60)) == ("", 1)


def test_parquet_goes_into_a_pipe_and_not_onto_a_terminal(url: str, tmp_path: Path) -> None:
    """The bytes in a pipe are the file; a terminal is refused with 2 before anything is asked."""
    command = [sys.executable, "-m", "replicator", "export", "daily", "--output", "-", "--format", "parquet"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment({"DATABASE_URL": url}), capture_output=True, check=True
    )
    (tmp_path / "a.parquet").write_bytes(done.stdout)
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 10
    ours, theirs = pty.openpty()
    try:
        refused = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment({"DATABASE_URL": url}),
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(theirs)
        os.close(ours)
    assert (refused.returncode, "not for a terminal" in refused.stderr) == (2, True)


def test_without_pyarrow_the_command_to_install_it_is_said(url: str, tmp_path: Path) -> None:
    """The extra is named as pip takes it, in the version that pyproject.toml asks for; CSV needs nothing."""
    (tmp_path / "pyarrow.py").write_text("raise ImportError\n")
    environment_ = {**environment({"DATABASE_URL": url}), "PYTHONPATH": os.pathsep.join([str(tmp_path), str(TOP)])}

    def ask(name: str) -> CompletedProcess[str]:
        command = [sys.executable, "-m", "replicator", "export", "daily", "--output", name]
        return subprocess.run(command, cwd=tmp_path, env=environment_, capture_output=True, text=True, check=False)

    done = ask("a.parquet")
    assert done.returncode == 2
    assert f"{sys.executable} -m pip install '{parquet.REQUIREMENT}'" in done.stderr
    assert f'parquet = ["{parquet.REQUIREMENT}"]' in (TOP / "pyproject.toml").read_text()
    assert ask("a.csv").returncode == 0


def test_progress_is_shown_in_a_terminal_and_where_it_is_asked_for(url: str, tmp_path: Path) -> None:
    """Rows, megabytes and a rate on standard error; the rows alone on standard output."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "replicator", "export", "daily", "--output", "a.csv"]
    settings = environment({"DATABASE_URL": url, "TERM": "xterm"})
    for more, is_shown in ((), True), (("--overwrite", "--no-progress"), False):
        done = subprocess.run(
            [*command, *more], cwd=tmp_path, env=settings, stdout=subprocess.PIPE, stderr=theirs, check=True
        )
        assert b"10 rows of" in done.stdout
        os.write(theirs, b".")
        said = os.read(ours, 65536).decode()
        assert (re.search(r"10 rows, 0\.0 MB, [\d,]+ rows a second", said) is not None) is is_shown, said
    os.close(theirs)
    os.close(ours)


BIG = """
CREATE VIEW analytics.big AS SELECT n, md5(n::text)::uuid AS id, repeat(md5(n::text), 10) AS text,
    n / 7::numeric(18,6) AS exact, (n / 7.0)::numeric(18,6) AS cost_usd, now() AS at, NULL::text AS nothing
FROM generate_series(1, 300000) n
"""


@pytest.mark.parametrize(
    ("name", "chosen", "megabytes"),
    [("a.csv", "csv", 130), ("a.csv", "spreadsheet", 130), ("a.parquet", "parquet", 400)],
)
def test_memory_does_not_grow_with_the_view(
    database: Database, database_url: str, tmp_path: Path, name: str, chosen: str, megabytes: int
) -> None:
    """300,000 rows, some 130 MB of them, pass through a process that holds little more than for one row."""
    with database.connection() as connection:
        connection.execute(BIG)
    arguments = ("export", "big", "--output", name, "--format", chosen, "--json")
    done = measure(*arguments, cwd=tmp_path, DATABASE_URL=database_url)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["rows"] == 300_000
    assert chosen == "parquet" or facts["bytes"] > 120_000_000
    if chosen == "parquet":
        metadata = pq.ParquetFile(tmp_path / name).metadata
        assert metadata.num_rows == 300_000
        assert metadata.num_row_groups >= 3
    assert done.peak_megabytes < megabytes, done.peak_megabytes


def until(condition: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)
