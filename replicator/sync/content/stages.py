"""What a call's status means to the engine: whether the call is over, and whether it was connected. Pure.

The rows of replicator.status_stages define it (store/stages.py loads them at the start of a run, and again in a long
run). For a status without a row, the call's own times decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from replicator.records import Call

NOT_CONNECTED = frozenset({"not_answered", "busy", "not_placed", "cancelled"})
"""Stages of calls that neither a person nor a machine answered, unless their times say otherwise."""
_SEPARATORS = re.compile("[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def key(word: str) -> str:
    """Return a word in lower case and without separators, as far as its characters are ASCII."""
    return _SEPARATORS.sub("", word.translate(_LOWER))


@dataclass(frozen=True, slots=True)
class Stage:
    """What a status means."""

    name: str
    is_terminal: bool


@dataclass(frozen=True, slots=True)
class Stages:
    """All known statuses, by their exact word and by `key` of it."""

    by_word: Mapping[str, Stage] = field(default_factory=dict)
    by_key: Mapping[str, Stage] = field(default_factory=dict)

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[str, str, bool]]) -> Stages:
        """Make the stages from rows of (status, stage, is_terminal)."""
        ordered = sorted(rows, key=lambda row: row[0].encode("utf-8", "surrogatepass"), reverse=True)
        by_word = {status: Stage(stage, is_terminal) for status, stage, is_terminal in ordered}
        return cls(by_word, {key(status): stage for status, stage in by_word.items()})

    def of(self, status: str | None) -> Stage | None:
        """Return what a status means; None where no row defines it."""
        if status is None:
            return None
        return self.by_word.get(status) or self.by_key.get(key(status))

    def is_open(self, status: str | None) -> bool:
        """Say whether a status is known to mean that the call still goes on."""
        stage = self.of(status)
        return stage is not None and not stage.is_terminal

    def is_over(self, call: Call) -> bool:
        """Say whether the call has ended: by its status, or for an unknown status by `ended_at`."""
        stage = self.of(call.status)
        return call.ended_at is not None if stage is None else stage.is_terminal

    def was_connected(self, call: Call) -> bool:
        """Say whether a person or a machine answered: by the call's times, and otherwise by its stage."""
        if call.started_at is not None or (call.duration_seconds or 0) > 0:
            return True
        stage = self.of(call.status)
        return stage is not None and stage.name not in NOT_CONNECTED


CONTRACT = Stages.of_rows(
    [
        ("queued", "open", False),
        ("ringing", "open", False),
        ("in_progress", "open", False),
        ("completed", "answered", True),
        ("failed", "not_placed", True),
        ("no_answer", "not_answered", True),
        ("busy", "busy", True),
        ("voicemail", "machine", True),
    ]
)
"""The contract's own statuses, for simulations. A real run uses the rows of its database."""
