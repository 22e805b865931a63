"""Starts another process of this program: the same Python, the same package, and no code from the working directory.

`python -m` looks for modules in the working directory first. A user who may write there could run code in our place,
with the API key: a file `json.py` would be enough.
"""

from __future__ import annotations

import sys
from pathlib import Path

TOP = str(Path(__file__).resolve().parents[1])
"""The folder that contains this package."""


def command(module: str) -> list[str]:
    """Return the command that runs a module of ours as a program; its arguments follow."""
    begin = (
        f"import sys; {TOP!r} in sys.path or sys.path.insert(0, {TOP!r}); "
        f"import runpy; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    return [sys.executable, "-P", "-c", begin]


def alone(script: Path) -> list[str]:
    """Return the command that runs a file that needs nothing but Python, isolated from folders and environment."""
    return [sys.executable, "-I", str(script)]


__all__ = ["alone", "command"]
