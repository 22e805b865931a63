"""Computes the longest delay until a change of an old call is seen, by the age of the call. Pure.

The source does not report changes, so a change is seen when the call's place in the list is read again. The renewal
policy says how often, the budget how fast. `analytics.update_delay` computes the same in SQL, and shows the delay that
was achieved beside it; a test compares the two computations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replicator.sync.coverage.page import Lane
from replicator.sync.engine.credit import NEW_ROWS_A_PAGE, one_pass
from replicator.sync.engine.planner import SHARES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.sync.coverage.ledger import RenewalPolicy

RENEWAL_SHARE = 0.9 * SHARES[Lane.RENEWAL]
"""The share of requests on which renewal can rely: a little of its guaranteed share is lost, because the planner's
record of past requests fades (SPENT_HORIZON).
"""
GRACE_SECONDS = 120.0
"""One polling interval until the run notices that a look is due, and one rate window until the request may be sent."""


@dataclass(frozen=True, slots=True)
class AgeClass:
    """One age class of the renewal policy; `max_age_seconds` is None for the oldest."""

    number: int
    min_age_seconds: float
    max_age_seconds: float | None
    every_seconds: float


@dataclass(frozen=True, slots=True)
class Delay:
    """The cost of one renewal of an age class, and the longest delay until a change in it is seen (None: no bound is
    known).
    """

    list_requests: int
    needed_a_minute: float
    available_a_minute: float | None
    bound_seconds: float | None


def age_classes(policy: RenewalPolicy) -> list[AgeClass]:
    """Return the policy's age classes, youngest first."""
    found: list[AgeClass] = []
    since = 0.0
    for number, rule in enumerate(policy.rules, 1):
        until = None if number == len(policy.rules) else rule.age.total_seconds()
        found.append(AgeClass(number, since, until, rule.every.total_seconds()))
        since = rule.age.total_seconds()
    return found


def delays(classes: Sequence[tuple[float, int]], requests_per_minute: float | None) -> list[Delay]:
    """Return the delays of age classes, youngest first; each class is given as (seconds between two looks, number of
    calls).

    Renewal is guaranteed its share of the requests, and younger classes are served first. So the requests that they
    need each minute are not available, and each of them may be read once more in between. If one pass takes longer than
    the policy's period, a stretch may become due just behind the reader, so two passes are counted.
    """
    found: list[Delay] = []
    needed_by_younger, requests = 0.0, 0
    for every, calls in classes:
        list_requests = -(-calls // NEW_ROWS_A_PAGE)
        needed = 60 * list_requests / every
        requests += list_requests
        available = bound = None
        if requests_per_minute is not None:
            available = max(0.0, RENEWAL_SHARE * requests_per_minute - needed_by_younger)
            if available > 0:
                one_pass = 60 * requests / available
                passes = 1 if one_pass <= every else 2
                bound = every + passes * one_pass + GRACE_SECONDS
        found.append(Delay(list_requests, needed, available, bound))
        needed_by_younger += needed
    return found


def credit_pass_seconds(calls: int, requests_per_minute: float | None, share: float) -> float | None:
    """Return how long one pass over all calls takes on renewal credit; None without a limit to compute with, or a share."""
    if not requests_per_minute or share <= 0:
        return None
    return 60 * one_pass(calls) / (share * requests_per_minute)
