"""Runs one `replicator sync` in a process of its own and measures the most memory that it ever held."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fix_commands import environment

if TYPE_CHECKING:
    from pathlib import Path

WATCHER = """
import json, os, subprocess, sys, threading
process = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
killer = threading.Timer(float(sys.argv[1]), process.kill)
killer.start()
_, status, usage = os.wait4(process.pid, 0)
killer.cancel()
process.returncode = os.waitstatus_to_exitcode(status)
with open("measured", "w") as file:
    json.dump([process.returncode, usage.ru_maxrss], file)
"""
"""Linux counts into a process's peak what its parent held when it was started: a small parent measures, not pytest."""


@dataclass(frozen=True)
class Measured:
    """How a process ended and what it took."""

    returncode: int
    stdout: str
    stderr: str
    peak_megabytes: float


def measure(*arguments: str, cwd: Path, timeout: float = 120, **settings: str) -> Measured:
    """Run a command to its end."""
    command = [sys.executable, "-c", WATCHER, str(timeout), sys.executable, "-m", "replicator", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment(settings), capture_output=True, text=True, check=True)
    returncode, peak = json.loads((cwd / "measured").read_text())
    return Measured(returncode, done.stdout, done.stderr, peak / (2**20 if sys.platform == "darwin" else 2**10))
