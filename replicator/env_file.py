"""Reads the file `.env` in the working directory: its settings, and whether the file can be trusted.

The file's author decides where the key and the data go, so it is read only if it keeps the rule of trusted_files.py. If
it does not, that is an error that names the file; it is never skipped silently. Values are taken literally: `${NAME}`
is not replaced, so nothing of the environment gets into them.
"""

from __future__ import annotations

import stat
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv.parser import parse_stream

from replicator import trusted_files
from replicator.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME = ".env"
MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EnvFile:
    """The content of the file: its path (None: there is no file), the values by name in capitals, and notes about
    problems.
    """

    path: Path | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read(is_ours: Callable[[str], bool]) -> EnvFile:
    """Read the file in the working directory. `is_ours` says whether a name in capitals is one of our settings.

    Raises ConfigurationError, with the file's name, where it cannot be read or must not be trusted.
    """
    if not _is_there():
        return EnvFile()
    path = Path(NAME)
    try:
        path = path.absolute()
        text = trusted_files.read(path, most_bytes=MOST_BYTES)
    except OSError as error:
        why = trusted_files.said(error) if path.exists() else "it is a symbolic link that leads nowhere"
        raise ConfigurationError(
            f"the file {path} cannot be read: {why}",
            advice="let this user read it, remove it, or run the command in another folder",
        ) from None
    if isinstance(text, trusted_files.Refused):
        raise ConfigurationError(
            f"the file {path} is not used: {text.why}",
            advice=f"{text.advice}; or remove it, or run the command in another folder",
        )
    return parsed(path, text, is_ours)


def parsed(path: Path, text: str, is_ours: Callable[[str], bool]) -> EnvFile:
    """Return the settings in a text. If a name occurs twice, the last value counts. Pure."""
    values: dict[str, str] = {}
    notes: list[str] = []
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            notes.append(f"line {_first_line(binding.original.string, binding.original.line)} of {path} cannot be read")
        if binding.key is None:
            continue
        name = binding.key.upper()
        if not is_ours(name):
            continue
        if name in values:
            notes.append(f"{name} stands more than once in {path}: the last one counts")
        if binding.value is None:
            notes.append(f"{name} in {path} has no value (no `=`)")
        elif "${" in binding.value:
            notes.append(f"{name} in {path} holds ${{…}}, which is not replaced")
        values[name] = binding.value or ""
    return EnvFile(path, values, tuple(notes))


def _first_line(text: str, line: int) -> int:
    """Return the number of the line that is meant: a statement begins with the empty lines before it."""
    return line + len(text) - len(text.lstrip("\n")) if text.strip() else line


def _is_there() -> bool:
    """Say whether the working directory has such a file. A folder of that name, such as a virtual environment, does not
    count.

    A working directory that is gone, or that this user may not read, has no settings for this user.
    """
    try:
        facts = Path(NAME).lstat()
        if stat.S_ISLNK(facts.st_mode):
            with suppress(OSError):
                facts = Path(NAME).stat()
    except OSError:
        return False
    return not stat.S_ISDIR(facts.st_mode)


__all__ = ["NAME", "EnvFile", "parsed", "read"]
