"""Reads a capped list through its filters by value: it is divided by status, direction and agent again and again, until
each part is below the cap. Pure.

A part is a conjunction of values. A part that is not capped and was read to its end needs no further division. A part
at the cap is read too, because its rows may show values that were not known, and is then divided by each filter that
it does not have. First come the parts that divide it once, by the next filter in order; then those by the other
filters, which reach the calls whose value of the first is not known. A value that a row shows is tried from then on.
A filter that a row does not match is ignored by the source, and no more parts are made with it. So the reading ends:
each part is read once, and the parts are as many as the combinations of the known values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from replicator.store.doubts import Doubt
from replicator.sync.coverage.advance import advance
from replicator.sync.coverage.filters import BEFORE, DIMENSIONS, learned
from replicator.sync.coverage.ledger import Interval, Ledger
from replicator.sync.coverage.list_end import ROUND_CALLS
from replicator.sync.coverage.page import Filter, Lane
from replicator.sync.coverage.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replicator.sync.coverage.page import Seen


@dataclass(frozen=True, slots=True)
class Facets:
    """The parts of one stretch. `base` is the filter by time that all of them have; empty where there is none."""

    hole: Interval
    base: Filter
    total: int
    """The total of the plain list: a part with as many calls is capped."""
    values: Filter
    """The known values, as (name, value) pairs."""
    ignored: frozenset[str] = frozenset()
    """Filters that the source was seen to ignore."""
    todo: tuple[Filter, ...] = ()
    """Parts that divide a capped part by the next filter in order."""
    later: tuple[Filter, ...] = ()
    """Parts that divide a capped part by one of the other filters."""
    tried: frozenset[Filter] = frozenset()
    complete: tuple[Filter, ...] = ()
    """Parts that were read to their end and are not capped."""
    capped: tuple[Filter, ...] = ()
    """Parts that were divided; the first is the list itself."""
    part: Filter = ()
    """The part that is read now."""
    walk: Walk | None = None
    """None: nothing is left to read."""
    most: int = 0
    """The largest total that the present part gave."""
    proven: Ledger = field(default_factory=Ledger)
    """What the present part has proven of the stretch, for the calls that match it."""

    @property
    def doubt(self) -> Doubt:
        """What is to be said of the stretch in the end."""
        if not any(self._has_values(name) for name in DIMENSIONS):
            return Doubt.UNHONOURED
        is_left = any(not self._is_divided(part) and not self._is_covered(part) for part in self.capped)
        return Doubt.SPLIT_CAP if is_left else Doubt.SLICED

    def _has_values(self, name: str) -> bool:
        return name not in self.ignored and any(name == one for one, _ in self.values)

    def _is_divided(self, part: Filter) -> bool:
        """Say whether a filter is left that divides the part further."""
        names = {name for name, _ in part}
        return any(name not in names and self._has_values(name) for name in DIMENSIONS)

    def _is_covered(self, part: Filter) -> bool:
        """Say whether the part lies within one that was read completely."""
        return any(set(one) <= set(part) for one in self.complete)


def begin(hole: Interval, base: Filter, total: int, values: Iterable[tuple[str, str]]) -> Facets:
    """Begin to divide the list: first by the first filter of which values are known."""
    return _next(_divided(Facets(hole, base, total, tuple(values)), ()))


def absorb(facets: Facets, seen: Seen, ignored: frozenset[str], values: Filter) -> Facets:
    """Take the answer to the page of `facets.walk`. `ignored` names the filters that some row of it does not match,
    `values` are those that its rows show.
    """
    walk, facets = facets.walk, _learned(facets, values)
    if walk is None or seen.total is None or BEFORE in ignored:
        return replace(facets, walk=None)
    if ignored:
        return _next(replace(facets, ignored=facets.ignored | ignored))
    outcome = advance(walk, seen, oldest_known=None)
    proven = facets.proven
    for piece in outcome.pieces:
        proven = proven.record(piece)
    facets = replace(facets, walk=outcome.walk, proven=proven, most=max(facets.most, seen.total))
    if outcome.walk is not None and not outcome.is_unsorted:
        return facets
    known = [at for at in seen.created if at is not None]
    is_passed = bool(known) and known[-1] < facets.hole.since
    if not is_passed and facets.most and (facets.most >= facets.total or facets.most % ROUND_CALLS == 0):
        return _next(_divided(facets, facets.part))
    is_complete = proven.is_proven(facets.hole) and not outcome.is_unsorted
    return _next(replace(facets, complete=(*facets.complete, facets.part)) if is_complete else facets)


def skip(facets: Facets) -> Facets:
    """Leave the present part, because its page fails; its calls may be missing."""
    return _next(facets)


def _divided(facets: Facets, part: Filter) -> Facets:
    return _with_parts(replace(facets, capped=(*facets.capped, part)), part, facets.values)


def _learned(facets: Facets, values: Filter) -> Facets:
    """Add values that were not known; each also divides the parts that were divided without it."""
    fresh = learned(facets.values, values)
    if not fresh:
        return facets
    facets = replace(facets, values=(*facets.values, *fresh))
    for part in facets.capped:
        facets = _with_parts(facets, part, fresh)
    return facets


def _with_parts(facets: Facets, part: Filter, values: Filter) -> Facets:
    """Add the parts of a capped part that these values make."""
    names = {name for name, _ in part}
    following = next((name for name in DIMENSIONS if name not in names and facets._has_values(name)), None)  # noqa: SLF001 - its own module
    made = {
        tuple(sorted((*part, one), key=lambda pair: DIMENSIONS.index(pair[0]))): one[0]
        for one in values
        if one[0] not in names and one[0] not in facets.ignored
    }
    fresh = {child: name for child, name in made.items() if child not in facets.tried}
    first = tuple(child for child, name in fresh.items() if name == following)
    return replace(
        facets,
        tried=facets.tried | fresh.keys(),
        todo=(*first, *facets.todo),
        later=(*facets.later, *(child for child, name in fresh.items() if name != following)),
    )


def _next(facets: Facets) -> Facets:
    """Go on with the next part that can still show something."""
    waiting = (*facets.todo, *facets.later)
    for index, part in enumerate(waiting):
        if facets.ignored.isdisjoint(name for name, _ in part) and not facets._is_covered(part):  # noqa: SLF001 - its own module
            rest = index + 1
            split = max(0, len(facets.todo) - rest)
            left = waiting[rest:]
            walk = Walk(Lane.SLICE, facets.hole, 0, filter=(*facets.base, *part))
            return replace(facets, part=part, walk=walk, most=0, proven=Ledger(), todo=left[:split], later=left[split:])
    return replace(facets, walk=None, todo=(), later=())
