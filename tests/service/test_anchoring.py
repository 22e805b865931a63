"""Heads beside the syncs of a service: what can never work is refused at the start, all else is logged and tried again."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from replicator.archive.heads import anchors
from replicator.errors import ConfigurationError
from replicator.service import anchoring
from replicator.service.anchoring import Schedule

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = cast("Any", None)
SECRET = "hunter2"


@pytest.mark.parametrize(
    "authority", ["http://tsa.example:99999/", "http://tsa.example:x/", "tsa.example", "http://[::1/"]
)
def test_an_authority_without_an_address_is_refused_at_the_start(authority: str, tmp_path: Path) -> None:
    """In words, before anything is written."""
    with (
        pytest.raises(ConfigurationError, match="no address of a time-stamping authority"),
        anchoring.anchored(NOTHING, "a", NOTHING, Schedule(str(tmp_path), 1.0, authority), threading.Event()),
    ):
        pytest.fail("it began")


@pytest.mark.parametrize("settings", [
    {"AWS_ENDPOINT_URL": "no address", "AWS_DEFAULT_REGION": "eu-1"},
    {"AWS_PROFILE": f"no-{SECRET}"},
])  # fmt: skip
def test_a_bucket_that_boto3_refuses_is_refused_at_the_start(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words too, and without the settings."""
    pytest.importorskip("boto3")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(ConfigurationError, match="the settings of AWS") as refused,
        anchoring.anchored(NOTHING, "a", NOTHING, Schedule("s3://bucket/heads", 1.0), threading.Event()),
    ):
        pytest.fail("it began")
    assert SECRET not in str(refused.value)


def test_a_defect_does_not_end_the_heads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged by its kind, without its text, and the next turn comes."""
    turns = threading.Semaphore(0)

    def broken(*_: object, **__: object) -> None:
        turns.release()
        raise ValueError(SECRET)

    monkeypatch.setattr(anchors, "anchor", broken)
    with (
        caplog.at_level(logging.WARNING),
        anchoring.anchored(NOTHING, "a", NOTHING, Schedule(str(tmp_path), 0.01), threading.Event()),
    ):
        assert turns.acquire(timeout=10)
        assert turns.acquire(timeout=10)
    assert "by a defect, which is tried again: ValueError" in caplog.text
    assert SECRET not in caplog.text
