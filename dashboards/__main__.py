"""`python -m dashboards` writes the files anew; with `--zip FILE` it packs what Superset imports."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from dashboards import dbt_sources, grafana, superset
from dashboards.boards import DASHBOARDS
from replicator.store import pages

HERE = Path(__file__).resolve().parent
DBT = HERE.parent / "dbt" / "models" / "truedy" / "sources.yml"


def files() -> dict[Path, str]:
    """Return what the files hold, by path."""
    made: dict[Path, dict[str, Any]] = {
        HERE / "grafana" / f"{dashboard.name}.json": grafana.render(dashboard) for dashboard in DASHBOARDS
    }
    page = pages.DICTIONARY.read_text(encoding="utf-8")
    columns = pages.columns_of(page)
    made[DBT] = dbt_sources.render(page, columns)
    made |= {HERE / "superset" / path: content for path, content in superset.render(DASHBOARDS, columns).items()}
    return {path: json.dumps(content, ensure_ascii=False, indent=2) + "\n" for path, content in made.items()}


def pack(target: Path) -> None:
    """Write the zip that Superset imports: everything below one folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted((HERE / "superset").rglob("*.yaml")):
            packed.write(path, Path("truedy") / path.relative_to(HERE / "superset"))


def written() -> list[Path]:
    """Return the files that are there."""
    found = [path for folder in ("grafana", "superset") for path in (HERE / folder).rglob("*.*")]
    return sorted([*found, *DBT.parent.glob("*.yml")])


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--zip"]:
        pack(Path(arguments[1]))
        return
    made = files()
    for path in set(written()) - set(made):
        path.unlink()
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
