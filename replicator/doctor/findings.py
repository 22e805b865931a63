"""A finding: what was checked, its state, whose fault it is, what to do, and with which exit code a command would end.
Pure.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from replicator.errors import ReplicatorError

Level = Literal["ok", "warning", "error"]
Area = Literal["settings", "machine", "database", "source"]
WORST_FIRST = (2, 4, 3, 1)
"""Exit codes in the order in which their problems must be solved: nothing can be reached while settings are wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    level: Level
    area: Area
    what: str
    fault: str = ""
    advice: str = ""
    exit_code: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def fine(area: Area, what: str) -> Finding:
    return Finding("ok", area, what)


def warning(area: Area, what: str, advice: str, fault: str = "the configuration") -> Finding:
    return Finding("warning", area, what, fault, advice)


def error(area: Area, what: str, advice: str, *, exit_code: int, fault: str) -> Finding:
    return Finding("error", area, what, fault, advice, exit_code)


def of(area: Area, failure: ReplicatorError) -> Finding:
    """Return the finding for an error with which a command would end."""
    return Finding("error", area, failure.message, failure.fault, failure.hint, failure.exit_code)


def exit_code(findings: Iterable[Finding]) -> int:
    """Return the exit code for the worst finding; 0 where none is an error."""
    codes = {one.exit_code for one in findings if one.level == "error"}
    return next((code for code in WORST_FIRST if code in codes), max(codes, default=0))


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield lines for people: one for each finding, and below a problem what to do."""
    for one in findings:
        yield f"{one.level:<8} {one.area:<9} {one.what}"
        if one.level != "ok" and one.advice:
            for number, line in enumerate(one.advice.split("\n")):
                yield f"{'':18} {'what to do: ' if not number else ''}{line}"


__all__ = ["Area", "Finding", "Level", "error", "exit_code", "fine", "lines", "of", "warning"]
