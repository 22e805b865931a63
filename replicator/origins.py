"""Determines where each setting comes from: the program itself, the environment, the file `.env`, or the default, in
this order.

A value of an earlier place wins over one of a later place. Pure: the values of each place are given.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

PROGRAM, ENVIRONMENT, FILE, DEFAULT = "this program", "the environment", "the file .env", "the default"
ORDER = (PROGRAM, ENVIRONMENT, FILE, DEFAULT)
PREFIXES = ("TRUEDY_", "REPLICATOR_")
NEAR = 0.75
"""How similar two names must be (0 to 1) for one to count as a misspelling of the other."""
_KUBERNETES = re.compile(r"_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)\Z")
"""Endings of the variables that Kubernetes and Docker's links set for a service with the name of this program."""
_LINK = re.compile(r"(tcp|udp|sctp)://|\d+\Z|[0-9a-f.:]+\Z|(tcp|udp|sctp)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name with our prefix that is no setting, and the setting that was probably meant."""

    name: str
    origin: str
    meant: str | None

    def __str__(self) -> str:
        meant = f"did you mean {self.meant}?" if self.meant else "docs/settings.md lists all"
        return f"unknown setting {self.name} in {self.origin}; {meant}"


def merged(places: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values and their origins, by field. `places` are given by origin. An empty value counts as not set."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin in ORDER:
        for name, value in places.get(origin, {}).items():
            if name not in origins and value is not None and value != "":
                values[name], origins[name] = value, origin
    return values, origins


def first(names: Iterable[str], origins: Mapping[str, str]) -> str | None:
    """Return the name whose origin comes first; if two are equal, the one that is named first."""
    given = [name for name in names if name in origins]
    return min(given, key=lambda name: ORDER.index(origins[name]), default=None)


def unknown(given: Mapping[str, str], origin: str, known: Collection[str]) -> list[Unknown]:
    """Return the names that begin like our settings and are none, sorted by name."""
    found = []
    for name in sorted(given):
        if name in known or not name.startswith(PREFIXES):
            continue
        if _KUBERNETES.search(name) and _LINK.match(given[name]):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
        found.append(Unknown(name, origin, near[0] if near else None))
    return found


__all__ = ["DEFAULT", "ENVIRONMENT", "FILE", "ORDER", "PREFIXES", "PROGRAM", "Unknown", "first", "merged", "unknown"]
