"""The limits are in one place, and docs/architecture.md lists all of them as they are."""

from __future__ import annotations

import re
from pathlib import Path

from replicator.source import limits

PAGE = Path(__file__).resolve().parents[1] / "docs" / "architecture.md"


def test_every_limit_is_documented() -> None:
    """The section names each constant with its value."""
    section = PAGE.read_text(encoding="utf-8").partition("## Limits\n")[2].partition("\n## ")[0]
    said = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE))
    values = {name: getattr(limits, name) for name in vars(limits) if name.isupper()}
    assert said == {
        name: f"{value >> 20} MiB" if name.endswith("BYTES") else f"{value:,}" for name, value in values.items()
    }
