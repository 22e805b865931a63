"""The rules of the house: who may import whom, one door per dependency, everything documented."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import typer

from replicator import settings_page
from replicator.cli import app
from replicator.store.server import folder as data_folder
from tests import fix_module_map

TOP = Path(__file__).resolve().parents[1]
PACKAGE = TOP / "replicator"
MODULES = sorted(PACKAGE.rglob("*.py"))

RUNGS = {
    "safe_text": set(),
    "errors": {"safe_text"},
    "child": set(),
    "records": set(),
    "streams": {"errors"},
    "origins": set(),
    "trusted_files": {"errors"},
    "env_file": {"errors", "trusted_files"},
    "atomic_file": {"errors"},
    "source": {"errors", "records", "child"},
    "store": {"errors", "records"},
    "budget": {"errors", "records", "source", "store"},
    "archive": {"errors", "records", "atomic_file", "source", "store", "budget", "export"},
    "reconcile": {"errors", "records", "atomic_file", "store"},
    "sync": {"errors", "records", "source", "store", "budget", "archive"},
    "verify": {"errors", "records", "source", "store", "budget", "archive", "sync"},
    "simulator": {"errors"},
    "export": {"errors", "atomic_file", "store"},
    "report": {"errors", "records", "store", "sync", "verify", "archive", "reconcile"},
    "service": {"errors", "records", "store", "sync", "report", "archive", "reconcile"},
    "setting_values": {"sync", "archive"},
    "setting_fields": {"setting_values", "sync"},
    "settings_page": {"setting_fields"},
    "settings": {"errors", "env_file", "origins", "setting_fields", "setting_values", "trusted_files"},
    "assembly": {
        "errors", "records", "settings", "source", "store", "budget", "archive", "reconcile", "sync", "verify", "report",
        "service",
    },
    "guarding": {"errors", "settings", "assembly", "store", "archive"},
    "doctor": {
        "errors", "env_file", "trusted_files", "settings", "assembly", "records", "source", "store", "budget", "sync",
    },
    "demo_archive": {"errors", "child", "store", "archive"},
    "demo": {
        "errors", "child", "atomic_file", "settings", "assembly", "store", "sync", "service", "report", "archive", "reconcile",
        "demo_money",
        "demo_archive", "guarding", "streams",
    },
    "demo_money": {"errors", "atomic_file", "store", "reconcile"},
    "cli": {
        "errors", "atomic_file", "streams", "settings", "assembly", "guarding", "store", "sync", "verify", "service", "export", "report",
        "doctor", "demo", "simulator", "archive", "reconcile",
    },
    "__main__": {"streams", "cli"},
}  # fmt: skip
"""Each room, and the rooms that it may import. safe_text, which imports none, is for all of them."""

FLOORS = {
    "sync/coverage": {"coverage"},
    "sync/deletions": {"deletions", "coverage", "protocol"},
    "sync/content": {"content", "protocol"},
    "sync/protocol": {"protocol"},
    "sync/engine": {"engine", "protocol", "coverage", "deletions", "content", "options"},
}
"""Each room inside the engine's house, and what of it it may import."""

PURE = (
    "archive/chain.py", "archive/contents.py", "archive/gaps.py", "archive/kinds.py", "archive/payment/disclosure.py",
    "archive/payment/payment_cards.py", "archive/payment/payment_data.py", "archive/payment/payment_expiry.py",
    "archive/payment/payment_masking.py", "archive/payment/payment_numbers.py", "archive/payment/payment_rules.py",
    "archive/production/audit_path.py", "archive/production/bag.py", "archive/production/load_files.py",
    "archive/production/readable.py", "archive/recordings/addresses.py", "archive/recordings/failures.py",
    "archive/recordings/media.py", "archive/recordings/queue_rules.py", "archive/verification/comparison.py",
    "archive/verification/verification.py", "budget/key_budget.py", "budget/rules.py", "doctor/findings.py",
    "errors.py", "export/cells.py", "export/delimited.py", "export/names_file.py", "export/xlsx.py",
    "reconcile/amounts.py", "reconcile/bridge.py", "reconcile/classes.py", "reconcile/classify.py",
    "reconcile/disputes.py", "reconcile/frozen.py", "reconcile/instants.py", "reconcile/lines.py",
    "reconcile/mapping.py", "reconcile/matching.py", "reconcile/months.py", "reconcile/nearness.py",
    "reconcile/readiness.py", "reconcile/reading.py", "reconcile/sharing.py", "reconcile/sides.py", "reconcile/sums.py",
    "reconcile/unsettled.py",
    "reconcile/wording.py", "records.py", "report/archive.py", "report/axis.py", "report/blocks.py", "report/calls.py",
    "report/costs.py", "report/data_quality.py", "report/durations.py", "report/headlines.py", "report/markup.py",
    "report/money_rows.py", "report/periods.py", "report/plots.py", "report/rows.py", "report/tables.py",
    "report/wording.py", "safe_text.py", "simulator/exchange.py", "simulator/filters.py", "simulator/wire.py",
    "source/amounts.py", "source/envelope.py", "source/fields.py", "source/instants.py", "source/jsontext.py",
    "source/parsing.py", "source/salvage.py", "source/transcripts.py", "source/unknowns.py", "store/doubts.py",
    "store/rows.py", "store/sqlstates.py", "sync/content", "sync/coverage", "sync/deletions", "sync/engine",
    "sync/options.py", "sync/protocol", "verify/compare.py", "verify/sample.py",
)  # fmt: skip
"""Modules, and rooms of them, that only decide. Who adds one writes it here; who makes one impure has to take it out."""

IMPURE = {
    "alembic", "apscheduler", "asyncio", "httpx", "os", "pathlib", "psycopg", "pyreqwest", "queue", "random",
    "secrets", "select", "signal", "socket", "sqlalchemy", "subprocess", "sys", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
"""Doors to the world: network, database, clock, chance, environment, threads, files."""

DOORS = {
    "httpx": {
        "source/http_library.py",
        "source/client.py",
        "source/transport.py",
        "source/statuses.py",
        "source/envelope.py",
        "simulator/transport.py",
    },
    "pyreqwest": {"source/transport.py"},
    "apscheduler": {"service/schedule.py"},
    "pydantic": {"setting_fields.py", "settings.py", "demo.py"},
    "dotenv": {"env_file.py"},
    "alembic": {"store/migrate.py"},
    "uvicorn": {"service/web.py", "service/wire.py", "simulator/server.py"},
    "typer": {
        "cli/front.py",
        "cli/frame.py",
        "cli/commands.py",
        "cli/accounts.py",
        "cli/archive.py",
        "cli/archive_erasure.py",
        "cli/archive_export.py",
        "cli/recordings.py",
        "cli/names.py",
        "cli/archive_governance.py",
        "cli/quarantine.py",
        "cli/reconcile.py",
        "cli/reconcile_disputes.py",
        "cli/reconcile_match.py",
        "cli/reconcile_rates.py",
        "cli/sync.py",
        "cli/tools.py",
        "demo.py",
    },
    "pyarrow": {"export/parquet.py"},
    "openpyxl": {"reconcile/xlsx_file.py"},
    "cryptography": {"archive/heads/signing.py", "archive/heads/timestamps.py"},
    "rfc3161_client": {"archive/heads/timestamps.py"},
    "boto3": {"archive/heads/anchor_places.py", "archive/recordings/s3_store.py"},
    "botocore": {"archive/heads/anchor_places.py", "archive/recordings/s3_store.py"},
}
"""Where a dependency may be imported; psycopg and SQLAlchemy have the store for theirs."""


TESTED_BY_ITSELF = (
    "budget",
    "sync/content",
    "sync/coverage",
    "sync/deletions",
    "sync/engine",
    "sync/protocol",
    "verify",
)
"""Rooms of which each module has a test module of its name, in the mirrored folder."""

TESTED_ELSEWHERE = {
    "budget/requester.py": "sends over a real wire: tests/verify/test_run.py looks at its limits, refusals and bounds",
    "sync/coverage/page.py": "the shape of a page, and two sums of its numbers",
}
"""Modules of these rooms that have none, and why."""


LONGER = {"archive/production/verify_file.py": 800}
"""Modules that may be longer than others: this one is a program by itself, which a bag has to hold as one file."""


@cache
def imports(path: Path) -> set[str]:
    """Return the modules that a file imports, under `if TYPE_CHECKING` or not."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@cache
def runtime_imports(path: Path) -> set[str]:
    """Return what is imported when the program runs, not for types only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [
        node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    ]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nobody_imports_up_the_ladder(path: Path) -> None:
    """A room imports only rooms below it; source and store never each other; nobody imports the command line."""
    here = room(path)
    if here == "__init__":
        return
    rooms = {module.split(".")[1] for module in imports(path) if module.startswith("replicator.")}
    assert rooms - {here, "safe_text", "__version__"} <= RUNGS[here]


@pytest.mark.parametrize("dependency", DOORS)
def test_each_dependency_has_one_door(dependency: str) -> None:
    """A library of the outside world is imported where its door is, and nowhere else."""
    users = {name(path) for path in MODULES for module in imports(path) if module.split(".")[0] == dependency}
    assert users <= DOORS[dependency]


def test_databases_are_the_stores() -> None:
    """SQLAlchemy stays in the store; psycopg is used elsewhere for the demo's reports and for types only."""
    for path in MODULES:
        if room(path) == "store":
            continue
        used = {module.split(".")[0] for module in runtime_imports(path)} & {"psycopg", "sqlalchemy"}
        assert used <= ({"psycopg"} if name(path) == "demo.py" else set()), name(path)


def test_the_environment_has_one_door() -> None:
    """Settings come from settings.py: nothing else reads environment variables (but for what a child process inherits)."""
    readers = {name(path) for path in MODULES if re.search(r"os\.(environ|getenv)", path.read_text(encoding="utf-8"))}
    assert readers <= {"settings.py", "assembly.py", "store/embedded.py"}


def test_sync_and_serve_cannot_write_to_the_source() -> None:
    """Outside of its own room the writing client is named nowhere: what is put together can only read."""
    writing = re.compile(r"\b(Client|create_call|update_call|delete_call|bulk_delete)\b")
    for path in MODULES:
        if room(path) in {"source", "simulator"}:
            continue
        assert not writing.search(path.read_text(encoding="utf-8")), name(path)
    from replicator.source.client import Reader  # noqa: PLC0415 - only this test looks inside

    public = {attribute for attribute in dir(Reader) if not attribute.startswith("_")}
    assert public == {"close", "get_call", "get_recording", "get_transcript", "list_calls"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_every_module_says_what_it_is_and_is_short(path: Path) -> None:
    """A module begins with a docstring and has at most 400 lines; a function fits on a screen of 60."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), name(path)
    assert len(text.splitlines()) <= LONGER.get(name(path), 400), name(path)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [one.name for one in functions if (one.end_lineno or 0) - one.lineno >= 60] == []


@pytest.mark.parametrize("floor", FLOORS)
def test_nobody_imports_up_the_ladder_inside_the_engine(floor: str) -> None:
    """The rooms of sync/ have a ladder, too: what reads and proves does not know who decides and performs."""
    for path in (PACKAGE / floor).rglob("*.py"):
        used = {module.split(".")[2] for module in runtime_imports(path) if module.startswith("replicator.sync.")}
        assert used <= FLOORS[floor], name(path)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_keeps_its_name(path: Path) -> None:
    """No module is imported under another name, so that one name means one module everywhere."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("replicator"):
            folder = TOP.joinpath(*(node.module or "").split("."))
            renamed = [alias.name for alias in node.names if alias.asname and (folder / f"{alias.name}.py").exists()]
            assert renamed == [], name(path)


def files_behind(module: str) -> list[Path]:
    """Return the files of the package that importing a module of it reads: the packages around it, and itself."""
    parts = module.split(".")[1:]
    found = [PACKAGE.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)]
    return [path for path in [*found, PACKAGE.joinpath(*parts).with_suffix(".py")] if path.is_file()]


@pytest.mark.parametrize("pure", PURE)
def test_a_room_that_only_decides_reaches_nothing(pure: str) -> None:
    """Neither it nor anything that it imports when it runs, however far down, imports a door to the world. No clock is
    read either: there `now` is an argument.
    """
    place = PACKAGE / pure
    waiting, seen = sorted(place.rglob("*.py")) if place.is_dir() else [place], set()
    assert waiting
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        modules = {module for module in runtime_imports(path) if not module.startswith("urllib.parse")} - {"urllib"}
        assert not {module.split(".")[0] for module in modules} & IMPURE, name(path)
        assert not re.search(r"\b(datetime\.now|utcnow|time\.time)\b", path.read_text(encoding="utf-8")), name(path)
        waiting += [file for module in modules if module.startswith("replicator.") for file in files_behind(module)]


def test_rooms_do_not_import_in_circles() -> None:
    """No module is imported by something that it imports itself, not even for types only."""
    graph = {path: {file for module in imports(path) if module.startswith("replicator.")
                    for file in files_behind(module) if file.name != "__init__.py"} for path in MODULES}  # fmt: skip
    while leaves := [path for path, below in graph.items() if not below & graph.keys()]:
        for path in leaves:
            del graph[path]
    assert sorted(map(name, graph)) == []


@pytest.mark.parametrize("folder", TESTED_BY_ITSELF)
def test_each_module_that_decides_has_a_test_module(folder: str) -> None:
    """Its name and place say where its facts are proven. Modules without a function, and those excused by name, have none."""
    for path in (PACKAGE / folder).glob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        decides = any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes)
        has_tests = (TOP / "tests" / folder / f"test_{path.name}").is_file()
        assert has_tests is (decides and name(path) not in TESTED_ELSEWHERE), name(path)


def test_what_is_tested_elsewhere_is_there() -> None:
    """No excuse outlives its module."""
    assert [one for one in TESTED_ELSEWHERE if not (PACKAGE / one).is_file()] == []


def test_the_map_of_the_modules_is_as_they_are() -> None:
    """docs/architecture.md names every module once, by the first sentence of its own."""
    assert fix_module_map.PAGE.read_text(encoding="utf-8") == fix_module_map.page(), "run: make docs"
    named = [f"{room}/{line.split('`')[1]}" for room, lines in re.findall(
        r"^### `replicator/(.*?)/?`\n(.*?)(?=^### |^<!-- end)", fix_module_map.PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ) for line in lines.splitlines() if line.startswith("| `")]  # fmt: skip
    expected = [
        f"{path.parent.relative_to(PACKAGE).as_posix().strip('.')}/{path.name}"
        for path in MODULES
        if path.name != "__init__.py"
    ]
    assert sorted(named) == sorted(expected)


def test_every_setting_is_documented() -> None:
    """docs/settings.md is what the settings say of themselves."""
    assert (TOP / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page.document(), "run: make docs"


def test_every_command_and_option_is_documented() -> None:
    """docs/commands.md has a section for each command and names each of its options."""
    text = (TOP / "docs" / "commands.md").read_text(encoding="utf-8")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(commands)
    for command, details in commands.items():
        parts = {part: more for part, more in getattr(details, "commands", {}).items() if not more.hidden}
        for part in parts:
            assert f"{command} {part}" in sections[command]
        for parameter in [*details.params, *(parameter for part in parts.values() for parameter in part.params)]:
            for option in parameter.opts:
                assert not option.startswith("-") or option == "--help" or option in sections[command], option


def test_the_readme_names_every_room() -> None:
    """The table of rooms is complete."""
    text = (TOP / "README.md").read_text(encoding="utf-8")
    for folder in sorted(path.parent.name for path in (TOP / "replicator").glob("*/__init__.py")):
        assert f"`replicator/{folder}/`" in text, folder
    for folder in ("sql/views/", "sql/checks/", "migrations/", "tests/", "bench/", "docs/", "dashboards/"):
        assert f"`{folder}`" in text


def test_every_page_that_is_named_exists() -> None:
    """What the README, the pages, the code and its errors point to is there."""
    texts = [TOP / "README.md", *(TOP / "docs").glob("*.md"), *MODULES]
    named = {page for path in texts for page in re.findall(r"docs/[a-z_]+\.md", path.read_text(encoding="utf-8"))}
    assert {"docs/operations.md", "docs/commands.md"} <= named
    assert [page for page in sorted(named) if not (TOP / page).is_file()] == []


def test_nothing_names_a_machine() -> None:
    """No path of anybody's machine is committed."""
    private = re.compile(r"(/ro" + r"ot/|/ho" + r"me/\w+/|/wo" + r"rk/)")
    for path in [
        *TOP.glob("*.*"),
        *(
            p
            for d in ("replicator", "tests", "docs", "sql", "bench", "migrations", "dashboards")
            for p in (TOP / d).rglob("*.*")
        ),
    ]:
        if path.suffix in {".py", ".md", ".sql", ".toml", ".lock", ".json", ".ini", ".java", ".yaml"}:
            assert not private.search(path.read_text(encoding="utf-8")), path.name


def test_the_promises_are_those_of_the_results_and_the_tests() -> None:
    """docs/promises.md says what bench/results says, and each test that it names exists."""
    from bench import promises  # noqa: PLC0415 - only this test looks there

    assert promises.PAGE.read_text(encoding="utf-8") == promises.render(), "run: python -m bench.promises"
    for promise in promises.promises():
        assert promise.tests
        for test in promise.tests:
            file, _, name = test.partition("::")
            assert not name or f"def {name}(" in (TOP / file).read_text(encoding="utf-8"), test
            assert (TOP / file).is_file(), test


def test_the_figures_are_those_of_the_result_files() -> None:
    """docs/measurements.md says what bench/results says."""
    from bench import page  # noqa: PLC0415 - only this test looks there

    assert page.PAGE.read_text(encoding="utf-8") == page.render(), "run: python -m bench.page"


def test_what_we_put_into_the_data_folder_is_known_as_ours() -> None:
    """A folder in which something else lies is refused where others may write to it, and closed where all of it is ours."""
    made = {
        name
        for path in MODULES
        for name in re.findall(r'data_dir(?:\(\w+\))? / "([^"]+)"', path.read_text(encoding="utf-8"))
    }
    assert {"archive", "suppressions.jsonl"} <= made <= data_folder.OURS
