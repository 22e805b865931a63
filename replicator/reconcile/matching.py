"""Matches the lines of a month's statements with our calls, by a ladder of rules, best first. Pure and deterministic.

The rungs: a person's decision; the call's id; another system's id that the call's payload has; both numbers, direction,
start and duration; the same with wider limits; start, duration and amount alone; and last, sums of a day or of the
month for lines that stand for many calls. From the third rung on, a line and a call match only where neither has
another one within reach: what fits two stays open, with its candidates.

Every line is in exactly one item, and so is every call of the month. The result does not depend on the order of lines
or calls: both are put into the order of their content first. Time: O(n log n).
"""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from replicator.reconcile import classify, nearness, sharing, sums
from replicator.reconcile.classes import Rule
from replicator.reconcile.nearness import Reach
from replicator.reconcile.sides import Item, Key, OurCall, StatedLine, Terms, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from replicator.reconcile.lines import Line
    from replicator.reconcile.months import Month

MOST_CANDIDATES = 5
SCORES = {
    Rule.ASSIGNED: 1.0,
    Rule.CALL_ID: 1.0,
    Rule.PROVIDER_ID: 0.99,
    Rule.SAME_NUMBERS_AND_TIMES: 0.95,
    Rule.NUMBERS_AND_TIMES: 0.9,
    Rule.LOOSE: 0.6,
    Rule.TIMES_AND_AMOUNT: 0.5,
}
"""How certain a match by each rule is at best; a rule with limits loses up to a tenth by the distance of the starts."""


def match(
    lines: Iterable[StatedLine],
    calls: Iterable[OurCall],
    month: Month,
    terms: Terms,
    assigned: Mapping[Key, UUID | None] | None = None,
    unread: Iterable[Key] = (),
) -> list[Item]:
    """Return one item for each line and for each call of the month, with its class.

    `calls` are those of the month, those near its border and those that a line names. `assigned` are a person's
    decisions: the call of a line, or None for a line of no call. `unread` are lines that could not be read.
    """
    ladder = _Ladder(lines, calls, month, terms)
    ladder.by_decision(assigned or {})
    ladder.by_call_id()
    ladder.by_provider_id()
    for rule, key, reach in _rungs(terms):
        ladder.by_nearness(rule, key, reach)
    ladder.by_sums()
    ladder.again()
    ladder.alone()
    return [*ladder.items, *(classify.unread_line(key) for key in sorted(unread))]


def _rungs(terms: Terms) -> list[tuple[Rule, Any, Reach]]:
    usual = Reach(terms.start_seconds, terms.seconds)
    rungs: list[tuple[Rule, Any, Reach]] = [
        (Rule.SAME_NUMBERS_AND_TIMES, nearness.numbers, Reach(0, 0)),
        (Rule.NUMBERS_AND_TIMES, nearness.numbers, Reach(5, 1)),
        (Rule.NUMBERS_AND_TIMES, nearness.numbers, usual),
        (Rule.LOOSE, nearness.numbers_by_digits, usual),
        (Rule.LOOSE, nearness.numbers_by_digits, Reach(terms.loose_start_seconds, terms.loose_seconds, True)),
        (Rule.LOOSE, nearness.called_number, usual),
        (Rule.LOOSE, nearness.calling_number, usual),
    ]
    if terms.compares_amounts:
        rungs.append((Rule.TIMES_AND_AMOUNT, nearness.amount, Reach(5, terms.seconds)))
    return rungs


def _content(stated: StatedLine) -> tuple[Any, ...]:
    """What lines are put in order by: what they say, and only then where they stand."""
    number, line = stated
    return (
        "" if line.started_at is None else line.started_at.isoformat(),
        line.line_id or "",
        line.duration_seconds or 0,
        line.amount is None,
        line.amount or 0,
        line.from_number or "",
        line.phone_number or "",
        line.description or "",
        number,
        line.number,
    )


class _Ladder:
    """The lines and calls that are still open, by their places in two lists, and the items made so far."""

    def __init__(self, lines: Iterable[StatedLine], calls: Iterable[OurCall], month: Month, terms: Terms) -> None:
        self.month, self.terms = month, terms
        self.items: list[Item] = []
        self.keys: list[Key] = []
        self.lines: list[Line] = []
        for statement, line in sorted(lines, key=_content):
            if line.kind == "usage":
                self.keys.append((statement, line.number))
                self.lines.append(line)
            else:
                self.items.append(classify.line_alone((statement, line.number), line, terms))
        self.calls = sorted(calls, key=lambda call: call.id.int)
        self.place_of = {call.id: place for place, call in enumerate(self.calls)}
        self.open_lines = dict.fromkeys(range(len(self.lines)))
        self.open_calls = dict.fromkeys(range(len(self.calls)))
        self.kept_apart: list[int] = []
        """Lines that a person, or the id of a call that is not stored, keeps from any other call."""
        self.billed: list[tuple[int, int]] = []
        """(line, call) of each match, by place."""

    def _line(self, place: int) -> tuple[Key, Line]:
        return self.keys[place], self.lines[place]

    def _take(self, lines: Sequence[int], call: int, rule: Rule, score: float) -> None:
        """Give a call to its lines."""
        rows = [self._line(place) for place in lines]
        if len(rows) == 1:
            (key, line), ours = rows[0], self.calls[call]
            self.items.append(classify.pair(key, line, ours, rule, score, self.month, self.terms))
        else:
            self.items += sharing.share(rows, self.calls[call], rule, score, self.month, self.terms)
        for place in lines:
            del self.open_lines[place]
        del self.open_calls[call]
        self.billed.append((lines[0], call))

    def by_decision(self, assigned: Mapping[Key, UUID | None]) -> None:
        if not assigned:
            return
        by_call: dict[int, list[int]] = {}
        for place, key in enumerate(self.keys):
            if key not in assigned:
                continue
            chosen = assigned[key]
            call = None if chosen is None else self.place_of.get(chosen)
            if call is None:
                self._keep_apart(place)
            else:
                by_call.setdefault(call, []).append(place)
        for call, lines in by_call.items():
            self._take(lines, call, Rule.ASSIGNED, SCORES[Rule.ASSIGNED])

    def _keep_apart(self, place: int) -> None:
        self.kept_apart.append(place)
        del self.open_lines[place]

    def by_call_id(self) -> None:
        """A line that names a call is compared with this call and with no other one."""
        by_call: dict[int, list[int]] = {}
        taken = {self.calls[call].id: (line, call) for line, call in self.billed}
        for place in list(self.open_lines):
            named = self.lines[place].call_id
            if named is None:
                continue
            call = self.place_of.get(named)
            if call is None:
                self._keep_apart(place)
            elif call in self.open_calls:
                by_call.setdefault(call, []).append(place)
            elif named in taken:
                self._again(place, call, SCORES[Rule.CALL_ID])
        for call, lines in by_call.items():
            self._take(lines, call, Rule.CALL_ID, SCORES[Rule.CALL_ID])

    def _again(self, place: int, call: int | None, score: float) -> None:
        key, line = self._line(place)
        ours = None if call is None else self.calls[call]
        self.items.append(classify.duplicate(key, line, ours, score, self.terms))
        del self.open_lines[place]

    def by_provider_id(self) -> None:
        named = {word for place in self.open_lines if (word := self.lines[place].provider_id)}
        if not named:
            return
        calls: dict[str, list[int]] = {}
        for place, call in enumerate(self.calls):
            for word in call.provider_ids:
                if word in named:
                    calls.setdefault(word, []).append(place)
        lines: dict[str, list[int]] = {}
        for place in self.open_lines:
            word = self.lines[place].provider_id
            if word in calls:
                lines.setdefault(word, []).append(place)
        for word, places in lines.items():
            own = calls[word]
            if len(own) == 1 and own[0] in self.open_calls:
                self._take(places, own[0], Rule.PROVIDER_ID, SCORES[Rule.PROVIDER_ID])
            elif len(own) == 1:
                for place in places:
                    self._again(place, own[0], SCORES[Rule.PROVIDER_ID])

    def by_nearness(self, rule: Rule, key: Any, reach: Reach) -> None:
        if not self.open_lines or not self.open_calls:
            return
        is_by_amount = rule is Rule.TIMES_AND_AMOUNT
        places = [place for place in self.open_lines if not is_by_amount or self._has_only_amount(place)]
        lines = nearness.bundled(places, self.lines, key, nearness.start_of_line, nearness.OTHER_NUMBER.get(key))
        if not lines:
            return
        calls = nearness.bundled(
            self.open_calls, self.calls, key, nearness.start_of_call, nearness.OTHER_NUMBER.get(key)
        )
        for ours, theirs in nearness.isolated(lines, calls, reach):
            lost = 0.1 * abs(ours.start - theirs.start) / reach.start if reach.start else 0.0
            self._take_bundle(ours.places, theirs.places, rule, round(SCORES[rule] - lost, 3))

    def _has_only_amount(self, place: int) -> bool:
        """Say whether a line has no number, and an amount that can be compared with a call's."""
        line = self.lines[place]
        return not _has_numbers(line) and line.currency == self.terms.currency

    def _take_bundle(self, lines: list[int], calls: list[int], rule: Rule, score: float) -> None:
        if len(calls) == 1:
            self._take(lines, calls[0], rule, score)
            return
        rows, ours = [self._line(place) for place in lines], [self.calls[place] for place in calls]
        items, left = sharing.pair_up(rows, ours, rule, score, self.month, self.terms)
        self.items += items
        for place in lines:
            del self.open_lines[place]
        without = {call.id for call in left}
        for place in calls:
            if self.calls[place].id not in without:
                del self.open_calls[place]
        self.billed.append((lines[0], calls[0]))

    def by_sums(self) -> None:
        """Compare what stands for many calls with the sum of those that are still open."""
        lines = [place for place in self.open_lines if sums.stands_for_many(self.lines[place], self.month)]
        if not lines or not self.terms.compares_amounts:
            return
        ours = [place for place in self.open_calls if self.month.holds(self.calls[place].billed_at)]
        found = sums.match(
            [(place, *self._line(place)) for place in lines],
            [(place, self.calls[place]) for place in ours],
            self.month,
            self.terms,
            Counter(statement for statement, _ in self.keys),
        )
        for items, places, calls in found:
            self.items += items
            for place in places:
                del self.open_lines[place]
            for place in calls:
                del self.open_calls[place]

    def again(self) -> None:
        """Find lines that say the same as one that has its call already."""
        if not self.open_lines:
            return
        wanted = {word: place for place in self.open_lines if (word := _fingerprint(self.lines[place])) is not None}
        if not wanted:
            return
        there: dict[Any, int] = {}
        for line, call in self.billed:
            word = _fingerprint(self.lines[line])
            if word in wanted:
                there[word] = call
        for place in list(self.open_lines):
            word = _fingerprint(self.lines[place])
            if word in there:
                self._again(place, there[word], SCORES[Rule.SAME_NUMBERS_AND_TIMES])

    def alone(self) -> None:
        """Make the items of what is left, with what it could be."""
        for_lines, for_calls = self._candidates()
        for place in (*self.kept_apart, *self.open_lines):
            key, line = self._line(place)
            self.items.append(classify.line_alone(key, line, self.terms, for_lines.get(place, ())))
        for place in self.open_calls:
            call = self.calls[place]
            if self.month.holds(call.billed_at):
                self.items.append(classify.call_alone(call, self.month, self.terms, for_calls.get(place, ())))

    def _candidates(self) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
        """Return for each open line the calls that it could be, and the other way round."""
        reach = Reach(self.terms.loose_start_seconds, self.terms.loose_seconds, True)
        key = nearness.numbers_by_digits
        lines = nearness.bundled(self.open_lines, self.lines, key, nearness.start_of_line)
        calls = nearness.bundled(self.open_calls, self.calls, key, nearness.start_of_call)
        for_lines: dict[int, list[str]] = {}
        for_calls: dict[int, list[str]] = {}
        for word in lines.keys() & calls.keys():
            for bundle in lines[word].rows:
                near = [place for one in calls[word].near(bundle, reach, MOST_CANDIDATES) for place in one.places]
                for place in bundle.places:
                    for_lines[place] = [str(self.calls[call].id) for call in near[:MOST_CANDIDATES]]
            for bundle in calls[word].rows:
                near = [place for one in lines[word].near(bundle, reach, MOST_CANDIDATES) for place in one.places]
                for place in bundle.places:
                    for_calls[place] = [name_of(self.keys[line]) for line in near[:MOST_CANDIDATES]]
        return (
            {place: words for place, words in for_lines.items() if words},
            {place: words for place, words in for_calls.items() if words},
        )


def _has_numbers(line: Line) -> bool:
    return bool(line.from_number or line.phone_number)


def _fingerprint(line: Line) -> Any:
    """What a line says, without its own id; None where it says too little to be recognised."""
    if line.started_at is None or not _has_numbers(line):
        return None
    return (
        line.started_at, line.duration_seconds, line.from_number, line.phone_number, line.direction, line.amount,
        line.currency,
    )  # fmt: skip


def in_order(items: Iterable[Item]) -> list[Item]:
    """Return the items in the order in which they are stored: lines by their place, then calls by their id."""
    alone = [
        (item.line is None, item.line or (0, 0), "" if item.call is None else str(item.call), item) for item in items
    ]
    return [item for *_, item in sorted(alone, key=itemgetter(0, 1, 2))]


__all__ = ["MOST_CANDIDATES", "SCORES", "in_order", "match"]
