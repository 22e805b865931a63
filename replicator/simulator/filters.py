"""Finds the calls that match a status, a direction and an agent. Results are kept until a call changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Facet = tuple[str, str, int]
"""A call's status and direction, and the number of its agent."""
Wanted = tuple[str | None, str | None, int | None]
"""The wanted facet; None matches any value."""


class Filters:
    """The cached results, and the facets of calls by index."""

    def __init__(self) -> None:
        self._facets: dict[int, Facet] = {}
        self._matching: dict[Wanted, list[int]] = {}
        self._version = -1

    def matching(
        self, order: Sequence[int], version: int, wanted: Wanted, facet_of: Callable[[int], Facet]
    ) -> list[int]:
        """Return the calls of `order` that match; the list must not be changed.

        `version` is different after each change; `facet_of` returns a call's present facet.
        """
        if self._version != version:
            self._matching, self._version = {}, version
        found = self._matching.get(wanted)
        if found is None:
            status, direction, agent = wanted
            found = []
            for index in order:
                facet = self._facets.get(index)
                if facet is None:
                    facet = self._facets[index] = facet_of(index)
                has_status, has_direction, has_agent = facet
                if (
                    (status is None or status == has_status)
                    and (direction is None or direction == has_direction)
                    and (agent is None or agent == has_agent)
                ):
                    found.append(index)
            self._matching[wanted] = found
        return found

    def forget(self, index: int) -> None:
        """Record that a call changed."""
        self._facets.pop(index, None)

    def clear(self) -> None:
        """Record that any call may have changed."""
        self._facets.clear()
