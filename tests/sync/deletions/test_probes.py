"""Questions for suspected calls, and the controls between which they are asked."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from replicator.errors import NotFound
from replicator.records import Call
from replicator.source.parsing import parse_row
from replicator.sync.coverage.page import Lane
from replicator.sync.deletions.probes import Prober
from replicator.sync.deletions.rules import Absence
from replicator.sync.protocol.requests import Outcome, Probe, Request

pytestmark = pytest.mark.pure

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
CONTROL = UUID(int=1)


def answered(probe: Probe, *, is_there: bool, key: int = 0) -> Outcome:
    request = Request(Lane.CONFIRM, key, NOW + timedelta(minutes=1), probe=probe)
    if is_there:
        call = parse_row(b'{"id": "%s"}' % str(probe.call_id).encode())
        assert isinstance(call, Call)
        return Outcome(request, NOW, NOW, call=call)
    return Outcome(request, NOW, NOW, error=NotFound("it is not there"))


def test_the_last_request_of_a_window_is_the_control_after_the_questions() -> None:
    """Of five free requests four are questions; the fifth waits until they are answered, and is the control after them."""
    prober = Prober(timedelta(minutes=10), controls=deque([CONTROL]))
    prober.take(Absence(number, UUID(int=number), "suspected", 0, None, NOW) for number in range(100, 112))
    assert prober.ready(NOW, 6) == 1
    first = prober.next()
    assert first == Probe(CONTROL)
    assert prober.completed(first, answered(first, is_there=True)) == []
    assert prober.ready(NOW, 5) == 4
    asked = [prober.next() for _ in range(4)]
    assert all(probe.absence is not None for probe in asked)
    assert prober.ready(NOW, 1) == 0
    for probe in asked:
        assert prober.completed(probe, answered(probe, is_there=False)) == []
    assert prober.ready(NOW, 1) == 1
    last = prober.next()
    assert last == Probe(CONTROL)
    assert [absence.misses for absence in prober.completed(last, answered(last, is_there=True))] == [1, 1, 1, 1]


def test_a_single_free_request_is_still_used() -> None:
    """Where a window never has more, one question is asked rather than none."""
    prober = Prober(timedelta(minutes=10), controls=deque([CONTROL]))
    prober.take([Absence(1, UUID(int=100), "suspected", 0, None, NOW)])
    prober.control_at = NOW
    assert prober.ready(NOW, 1) == 1
    assert prober.next().absence is not None


@pytest.mark.parametrize(
    ("before", "asked", "after", "misses"),
    [(0, 0, 0, 1), (1, 1, 1, 1), (0, 1, 0, 0), (0, 0, 1, 0), (1, 0, 0, 0), (0, 1, 1, 0)],
)
def test_a_404_counts_between_two_controls_of_its_own_key(before: int, asked: int, after: int, misses: int) -> None:
    """Another key may be of another organisation, or may see fewer calls: it knows none of those that the first one shows."""
    prober = Prober(timedelta(minutes=10), controls=deque([CONTROL]))
    prober.take([Absence(1, UUID(int=100), "suspected", 0, None, NOW)])
    for key, is_there in ((before, True), (asked, False), (after, True)):
        assert prober.ready(NOW, 5) == 1
        probe = prober.next()
        found = prober.completed(probe, answered(probe, is_there=is_there, key=key))
    assert [(absence.misses, absence.state) for absence in found] == [(misses, "suspected")]
