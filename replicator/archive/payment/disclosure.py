"""Finds the notice that a call is recorded in the beginning of a transcript, by patterns of words. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from replicator.records import Segment

BETWEEN = 60
"""How many characters a % of a pattern stands for at most."""
MOST_CHARACTERS = 2000
"""Of a segment, no more is looked at: a notice is a sentence."""


@dataclass(frozen=True, slots=True)
class DisclosureRule:
    """One row of archive.disclosure_rules. `pattern` is words in any case, in which % stands for other text."""

    name: str
    language: str
    pattern: str
    most_seconds: int = 60
    most_segments: int = 6
    is_on: bool = True


def _rules(language: str, *patterns: tuple[str, str]) -> tuple[DisclosureRule, ...]:
    return tuple(DisclosureRule(f"{language}_{name}", language, pattern) for name, pattern in patterns)


SHIPPED = (
    *_rules("en", ("call_recorded", "call%record"), ("conversation_recorded", "conversation%record"),
            ("line_recorded", "recorded line"), ("recording_this", "recording this%call"), ("will_record", "we%record%call"),
            ("recorded_for", "recorded for%purposes"), ("being_recorded", "being recorded"), ("consent", "consent to%record")),
    *_rules("de", ("anruf", "anruf%aufgezeichnet"), ("gespraech", "gespräch%aufgezeichnet"), ("telefonat", "telefonat%aufgezeichnet"),
            ("aufzeichnen", "zeichnen%auf"), ("aufnahme", "gespräch%aufgenommen"), ("zwecke", "aufgezeichnet")),
    *_rules("es", ("llamada_grabada", "llamada%graba"), ("conversacion", "conversación%graba"), ("grabando", "estamos grabando"),
            ("siendo_grabada", "siendo grabad")),
    *_rules("fr", ("appel", "appel%enregistr"), ("conversation", "conversation%enregistr")),
)  # fmt: skip


@dataclass(frozen=True)
class DisclosureRules:
    """The rules that are on. Compiled when they are first needed."""

    rows: tuple[DisclosureRule, ...] = SHIPPED

    @classmethod
    def of(cls, rows: Iterable[DisclosureRule]) -> DisclosureRules:
        return cls(tuple(sorted((row for row in rows if row.is_on), key=lambda row: row.name)))

    @cached_property
    def _compiled(self) -> tuple[tuple[DisclosureRule, re.Pattern[str]], ...]:
        return tuple((row, _compile(row.pattern)) for row in self.rows if row.is_on and row.pattern.strip(" %"))

    @cached_property
    def most_segments(self) -> int:
        return max((row.most_segments for row in self.rows), default=0)

    @cached_property
    def _clues(self) -> tuple[str, ...]:
        """The longest word of each pattern, without those that hold another one: a text with none of them has no notice, and that
        is said in a fraction of the time of all patterns.
        """
        words = {max(rule.pattern.lower().replace("%", " ").split(), key=len) for rule, _ in self._compiled}
        return tuple(sorted(word for word in words if not any(one in word for one in words - {word})))

    def find(self, segments: Sequence[Segment]) -> tuple[int, str] | None:
        """Return (position of the segment, name of the rule) of the first notice; None where there is none.

        A segment counts if it is among the first ones and begins early enough. What the contact says is no notice.
        """
        said = [segment for segment in segments[: 4 * self.most_segments] if segment.speaker != "contact"]
        texts = [segment.text[:MOST_CHARACTERS].lower() for segment in said[: self.most_segments]]
        whole = "\n".join(texts)
        if not any(map(whole.__contains__, self._clues)):
            return None
        for number, (segment, text) in enumerate(zip(said, texts, strict=False)):
            for rule, pattern in self._compiled:
                is_late = segment.start_seconds is not None and segment.start_seconds > rule.most_seconds
                if number < rule.most_segments and not is_late and pattern.search(text):
                    return segment.position, rule.name
        return None


def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern. Its words are plain text, so no pattern of an operator can be slow or wrong."""
    parts = [r"\s+".join(map(re.escape, part.split())) for part in pattern.lower().split("%")]
    return re.compile(f".{{0,{BETWEEN}}}?".join(part for part in parts if part), re.DOTALL)


__all__ = ["SHIPPED", "DisclosureRule", "DisclosureRules"]
