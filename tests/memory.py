"""Runs one `replicator sync` in a process of its own and measures the most memory that it ever held."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commands import environment

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """How a process ended and what it took."""

    returncode: int
    stdout: str
    stderr: str
    peak_megabytes: float


def measure(*arguments: str, cwd: Path, timeout: float = 120, **settings: str) -> Measured:
    """Run a command to its end."""
    out, err = cwd / "stdout", cwd / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "replicator", *arguments], cwd=cwd, env=environment(settings),
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
        )  # fmt: skip
        killer = threading.Timer(timeout, process.kill)
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Measured(process.returncode, out.read_text(), err.read_text(), usage.ru_maxrss / unit)
