"""The tap into target-postgres, as Meltano would run them: the state is kept in PEERS_FOLDER between two runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = Path(os.environ["PEERS_FOLDER"])
TAP, TARGET = os.environ["PEERS_TAP"], os.environ["PEERS_TARGET"]


def main() -> int:
    os.umask(0o077)
    tap = {"base_url": os.environ["TRUEDY_BASE_URL"], "api_key": os.environ["TRUEDY_API_KEY"]}
    target = {
        "sqlalchemy_url": os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:", 1),
        "default_target_schema": "truedy",
        "load_method": "upsert",
        "use_copy": True,
        "validate_records": False,
        "batch_size_rows": 10_000,
    }
    (FOLDER / "tap.json").write_text(json.dumps(tap), encoding="utf-8")
    (FOLDER / "target.json").write_text(json.dumps(target), encoding="utf-8")
    state = FOLDER / "state.json"
    reading = [TAP, str(HERE / "singer_tap.py"), "--config", "tap.json"]
    reading += ["--state", "state.json"] if state.exists() else []
    writing = [str(Path(TARGET).parent / "target-postgres"), "--config", "target.json"]
    with (FOLDER / "log").open("ab") as log:
        left = subprocess.Popen(reading, cwd=FOLDER, stdout=subprocess.PIPE, stderr=log)
        with subprocess.Popen(writing, cwd=FOLDER, stdin=left.stdout, stdout=subprocess.PIPE, stderr=log) as right:
            assert left.stdout is not None
            assert right.stdout is not None
            left.stdout.close()
            states = right.stdout.read().splitlines()
        code = left.wait() or right.returncode
    if code:
        sys.stderr.write((FOLDER / "log").read_text(encoding="utf-8", errors="replace")[-1500:])
    elif states:
        state.write_bytes(states[-1])
    return code


sys.exit(main())
