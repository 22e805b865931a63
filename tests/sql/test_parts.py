"""SQL that several files share stands in sql/parts, once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from replicator.store import parts, schema_check

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure


SQL = schema_check.bundled("sql")


def test_each_part_is_there_and_shared() -> None:
    """Every part that a file names is there; every part is in at least two files, and says what it is."""
    files = [*(SQL / "views").glob("*.sql"), *(SQL / "rollups").glob("*.sql")]
    named = Counter(name for path in files for _, name in parts.PART.findall(path.read_text(encoding="utf-8")))
    there = {path.stem for path in (SQL / "parts").glob("*.sql")}
    assert named.keys() == there
    assert min(named.values()) >= 2
    for name in there:
        assert (SQL / "parts" / f"{name}.sql").read_text(encoding="utf-8").startswith("-- ")
    for path in files:
        assert not parts.PART.search(parts.read(path)), path.name


def test_a_part_is_put_in_as_its_line_is_indented(tmp_path: Path) -> None:
    """The header of a part is left out; its lines are indented like the line that names it."""
    for folder in ("views", "parts"):
        (tmp_path / folder).mkdir()
    (tmp_path / "parts" / "both.sql").write_text("-- Two columns.\na,\n    b\n", encoding="utf-8")
    file = tmp_path / "views" / "10_x.sql"
    file.write_text("SELECT\n  {both}\nFROM {both} t;\n", encoding="utf-8")
    assert parts.read(file) == "SELECT\n  a,\n      b\nFROM {both} t;\n"
