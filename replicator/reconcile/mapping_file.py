"""Finds a mapping by its name, among those that are shipped, or by its file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from replicator.errors import ConfigurationError
from replicator.reconcile.mapping import Mapping, parse

PRESETS = Path(__file__).parent / "presets"
DEFAULT = "default"
MOST_BYTES = 100_000


def presets() -> list[str]:
    """Return the names of the mappings that are shipped."""
    return sorted([DEFAULT, *(path.stem for path in PRESETS.glob("*.toml"))])


def load(name: str | None) -> Mapping:
    """Return a mapping: None is the default one, which reads columns by our own names.

    Raises ConfigurationError where there is none with this name, or its file is wrong.
    """
    if name in {None, DEFAULT}:
        return Mapping()
    path = Path(str(name))
    shipped = PRESETS / f"{name}.toml"
    if path.suffix != ".toml":
        if str(name) not in presets():
            raise ConfigurationError(
                f"there is no mapping {name}",
                advice=f"shipped are: {', '.join(presets())}; your own is a file that ends with .toml",
            )
        path = shipped
    try:
        content = path.read_bytes()
        if len(content) > MOST_BYTES:
            raise ConfigurationError(f"the mapping {path.name} is too large", advice="a mapping has a few lines")
        values = tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(
            f"the mapping {path} cannot be read: {error.strerror}", advice="check the path and its rights"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        where = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is not UTF-8"
        raise ConfigurationError(
            f"the mapping {path.name} is no TOML: {where}", advice="see docs/commands.md, reconcile import"
        ) from None
    return parse({"name": path.stem} | values, path.name)
