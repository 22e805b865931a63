"""Writes a report where it was asked for: as a whole or not at all, and for its owner's eyes only."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from replicator.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import date


ADVICE = "--output takes a file in a folder that this user may write to, or - for standard output"


def default_name(today: date) -> Path:
    """Return the file's name where none was given."""
    return Path(f"truedy-report-{today.isoformat()}.html")


def write(path: Path, text: str) -> None:
    """Write the file anew: whoever looks sees the old one or the new one, and nobody but its owner can read it."""
    # Replacing would put a file in the place of a device or a pipe: root would do that to /dev/null.
    if path.exists() and not path.is_file():
        raise ConfigurationError("the report cannot be written: that is no ordinary file", advice=ADVICE)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
    except OSError as error:
        raise ConfigurationError(
            f"the report cannot be written: {error.strerror}",
            advice=ADVICE,
        ) from None


__all__ = ["default_name", "write"]
