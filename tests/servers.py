"""The PostgreSQL servers of this machine beside the embedded one: Debian's, and those that OTHER_POSTGRES names.

OTHER_POSTGRES holds folders with `initdb` and `postgres`, with colons between them, so that versions can be tried for which this
machine has no package. Each version is tried once.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from replicator.store import embedded

NAMED = os.environ.get("OTHER_POSTGRES", "")
"""Read when the tests begin: each test has an empty environment."""


def version(bin_dir: Path) -> str:
    """Return the major version of the server in a folder."""
    said = subprocess.run([str(bin_dir / "postgres"), "--version"], check=True, capture_output=True, text=True)
    found = re.search(r"\) (\d+)", said.stdout)
    assert found is not None
    return found[1]


def all_of_them() -> dict[str, Path]:
    """Return the folders of binaries by major version: the embedded one, Debian's, and the named ones."""
    folders = [
        embedded.find_binaries(),
        *sorted(Path("/usr/lib/postgresql").glob("*/bin")),
        *(Path(name) for name in NAMED.split(":") if name),
    ]
    found: dict[str, Path] = {}
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            found.setdefault(version(folder), folder)
    return found
