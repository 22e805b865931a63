"""The list of what was erased, kept once more beside the keys: so a database that is restored from an earlier state erases
it again. One JSON object a line, only added to; it holds keyed hashes, and nothing of a person.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replicator.errors import ConfigurationError, OutputFailed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Line = tuple[str, str, str]
"""(kind, key, key id)"""


@dataclass(frozen=True, slots=True)
class SuppressionFile:
    """The file. It may not exist yet."""

    path: Path

    def read(self, account: str) -> list[Line]:
        """Return the lines of an account. Raises ConfigurationError where the file cannot be read.

        A last line that a crash cut off is left out: what it named is written again.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"the list of what was erased cannot be read at {self.path}: {type(error).__name__}",
                advice="make it readable, or restore it from its backup: without it, erased calls could come back",
            ) from None
        *lines, _rest = text.split("\n")
        found: list[Line] = []
        for number, line in enumerate(lines, 1):
            try:
                one = json.loads(line)
                if one["account"] == account:
                    found.append((str(one["kind"]), str(one["key"]), str(one["key_id"])))
            except (ValueError, KeyError, TypeError):
                if line.strip():
                    raise ConfigurationError(
                        f"line {number} of {self.path} is no entry of the list of what was erased",
                        advice="restore the file from its backup, or remove this line if it was never whole",
                    ) from None
        return found

    def add(self, account: str, key_id: str, entries: Iterable[tuple[str, str]]) -> None:
        """Append (kind, key), and return when the disk has them. Raises OutputFailed where they cannot be written."""
        lines = "".join(
            json.dumps({"account": account, "kind": kind, "key": key, "key_id": key_id}) + "\n" for kind, key in entries
        )
        if not lines:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                # A line that a crash cut off is taken away first.
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    os.ftruncate(descriptor, size - len(_last_line(descriptor, size)))
                rest = lines.encode()
                while rest:  # a disk that is nearly full takes less at once
                    rest = rest[os.write(descriptor, rest) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise OutputFailed(
                f"the list of what was erased cannot be written at {self.path}: {error.strerror}",
                advice="make room, or set REPLICATOR_ARCHIVE_SUPPRESSIONS to another file; nothing of this call was erased",
            ) from None


def _last_line(descriptor: int, size: int) -> bytes:
    """Return what stands behind the last end of a line."""
    begin = max(0, size - 4096)
    return os.pread(descriptor, size - begin, begin).rpartition(b"\n")[2]
