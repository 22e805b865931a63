"""A change of the archive's settings leaves a record: of each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator import guarding
from replicator.settings import Settings, load

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_each_setting_of_the_archive_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has payment data stored as it came instead of masked is seen, as is who shortens what the vendor keeps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPLICATOR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("REPLICATOR_ARCHIVE", "on")
    monkeypatch.setenv("REPLICATOR_ARCHIVE_PAYMENT_DATA", "mask")
    seen = guarding.guard(load()).settings
    assert seen is not None
    assert seen["archive_payment_data"] == "mask"
    with_a_value = {name for name, field in Settings.model_fields.items() if field.default is not None}
    wanted = {name.removeprefix("replicator_") for name in with_a_value if name.startswith("replicator_archive")}
    assert wanted <= set(seen)
