"""The checker's own test: each known bug is planted, and the tests that are there to catch it go red.

`make planted` prints the table.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import fix_pooler
from tests.fix_planted_bugs import BUGS, NOT_YET, Bug

TOP = Path(__file__).resolve().parents[1]
FAILED = 1
"""pytest's exit code where tests ran and some failed."""


def run(tests: tuple[str, ...], plant: str | None) -> tuple[int, str]:
    """Run tests in a process of their own, with a bug planted or none; return the exit code and what was said."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PLANT", "KILLS"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "tests.fix_planted_bugs", "-p", "no:randomly", "-p", "no:cacheprovider",
         "--tb=line", "--no-header", *tests],
        cwd=TOP, env={**kept, "PYTHONPATH": str(TOP), **({"PLANT": plant} if plant else {})}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug: Bug) -> None:
    """With the bug the tests fail, as failures and not as errors; that they are green without it, the suite shows."""
    if (
        any("test_pooler" in test for test in bug.tests)
        and fix_pooler.binary() is None
        and os.environ.get("CI") != "true"
    ):
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    code, said = run(bug.tests, bug.name)
    assert code == FAILED, said[-3000:]
    assert re.search(r"^\d+ failed", said, re.MULTILINE), said[-3000:]
    assert " error" not in said.splitlines()[-1], said[-3000:]


def test_every_bug_of_the_catalogue_is_named() -> None:
    """Those that are planted and those whose room is not built together are the catalogue; all of their tests exist."""
    assert len({bug.name for bug in BUGS} | set(NOT_YET)) == len(BUGS) + len(NOT_YET) == 26
    for bug in BUGS:
        for test in bug.tests:
            file, _, name = test.partition("::")
            text = (TOP / file).read_text(encoding="utf-8")
            assert not name or f"def {name.partition('[')[0]}(" in text, test


def main() -> int:
    """Print the table: each bug, whether its tests are green without it, and red with it."""
    width = max(len(name) for name in [*NOT_YET, *(bug.name for bug in BUGS)])
    wrong = 0
    tests = tuple(dict.fromkeys(test for bug in BUGS for test in bug.tests))
    code, said = run(tests, None)
    wrong += code != 0
    lines = [f"without a bug: {said.splitlines()[-1]}"]
    print(lines[0], flush=True)  # noqa: T201 - this is its output
    for bug in BUGS:
        code, said = run(bug.tests, bug.name)
        is_caught = code == FAILED and "failed" in said
        wrong += not is_caught
        word = "caught" if is_caught else "NOT CAUGHT"
        print(f"{bug.name:{width}}  {word:10}  {said.splitlines()[-1]}", flush=True)  # noqa: T201 - this is its output
    for name, reason in NOT_YET.items():
        print(f"{name:{width}}  not yet     {reason}", flush=True)  # noqa: T201 - this is its output
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
