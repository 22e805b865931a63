"""The files of an erasure: the list beside the keys, and the certificate."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from replicator.archive.governance import certificate
from replicator.archive.governance.suppression_file import SuppressionFile

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure
FACTS = {
    "certificate": "of erasure 1", "account": "default", "asked_by": "ann", "asked_at": "now", "finished_at": None,
    "reason": "ticket 17", "numbers": 1, "decisions": {}, "removed": {}, "reached": "", "not_reached": "", "calls": [],
    "chain": None,
}  # fmt: skip


def test_a_disk_that_takes_little_at_once_gets_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write may take a part only; the rest follows."""
    write, file = os.write, SuppressionFile(tmp_path / "list.jsonl")
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:7]))
    file.add("default", "k", [("call", "a" * 32), ("number", "b" * 32)])
    assert file.read("default") == [("call", "a" * 32, "k"), ("number", "b" * 32, "k")]


@pytest.mark.parametrize("name", ["found.json", "found.txt"])
def test_a_certificate_is_two_files(tmp_path: Path, name: str) -> None:
    """Whichever of both names is given: neither is written over the other."""
    paths = certificate.write(tmp_path / name, FACTS)
    assert [path.name for path in paths] == ["found.json", "found.txt"]
    assert json.loads(paths[0].read_text())["reason"] == "ticket 17"
    assert paths[1].read_text().startswith("Certificate of erasure 1")
