"""Makes the databases of earlier releases: `python tests/store/releases/make.py NAME COMMIT`, with Debian's PostgreSQL installed.

Takes the program of a commit out of git into a temporary folder, lets it migrate an empty database and sync a small simulated
account, and writes the database as NAME.sql.gz: plain SQL with INSERTs, without owners, so that every server and every
driver can restore it. The simulator is the present one; its calls are made up.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from replicator.store import embedded

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[2]
CALLS = 40


def make(name: str, commit: str) -> None:
    """Write NAME.sql.gz from the program of a commit."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o711)
        program = folder / "program"
        packed = subprocess.run(["git", "archive", commit], cwd=TOP, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(program, filter="data")
        bin_dir = max(Path("/usr/lib/postgresql").glob("*/bin"))
        with embedded.running(folder / "server", bin_dir=bin_dir) as server:
            _fill(program, server.url)
            dump = [str(bin_dir / "pg_dump"), "--no-owner", "--no-privileges", "--rows-per-insert=500", server.url]
            text = subprocess.run(dump, check=True, capture_output=True).stdout.decode()
    text = re.sub(r"\(process \d+ on [^)]*\)', '[^']*'", "(process 1 on somewhere)', 'somewhere/boot'", text)
    text = re.sub(r"\(process \d+ on [^)]*\)", "(process 1 on somewhere)", text)
    assert socket.gethostname() not in re.findall(r"[\w.-]+", text), "the machine's name is in the dump"
    # Neither splitlines() nor text=True: a view may hold a carriage return or a vertical tab, which ends no line.
    lines = (line for line in text.split("\n") if not line.startswith("\\"))
    target = HERE / f"{name}.sql.gz"
    target.write_bytes(gzip.compress(("\n".join(lines)).encode(), mtime=0))
    sys.stdout.write(f"{target.name}: {target.stat().st_size:,} bytes\n")


def _fill(program: Path, url: str) -> None:
    """Let the program migrate and sync."""
    kept = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG"}}
    simulate = [sys.executable, "-m", "replicator.simulator", "--calls", str(CALLS), "--seed", "7", "--limit", "0"]
    with subprocess.Popen(
        simulate, cwd=TOP, env={**kept, "PYTHONPATH": str(TOP)}, stdout=subprocess.PIPE, text=True
    ) as source:
        assert source.stdout is not None
        there = json.loads(source.stdout.readline())
        environment = {
            **kept, "PYTHONPATH": str(program), "DATABASE_URL": url, "TRUEDY_BASE_URL": there["base_url"],
            "TRUEDY_API_KEY": there["key"], "TRUEDY_REQUESTS_PER_MINUTE": "0",
        }  # fmt: skip
        try:
            for command in (["migrate"], ["sync", "--quiet"]):
                subprocess.run([sys.executable, "-m", "replicator", *command], cwd=program, env=environment, check=True)
        finally:
            source.terminate()


if __name__ == "__main__":
    make(*sys.argv[1:3])
