"""What a request is called where it is told: in the quarantine, in the log."""

from __future__ import annotations

from uuid import UUID

import pytest

from replicator.sync.coverage.ledger import EVERYTHING
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.walk import Walk
from replicator.sync.protocol.requests import Probe, Request
from tests.sync.fix_values import NOW, a_detail, a_request

pytestmark = pytest.mark.pure

CALL = "/calls/00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (a_request(walk=Walk(Lane.FRESH, EVERYTHING, 0)), "GET /calls?limit=100&offset=0"),
        (a_request(walk=Walk(Lane.BACKFILL, EVERYTHING, 12_345, limit=7)), "GET /calls?limit=7&offset=12345"),
        (
            a_request(walk=Walk(Lane.SLICE, EVERYTHING, 3, filter=(("status", "busy"), ("direction", "inbound")))),
            "GET /calls?limit=100&offset=3&status=busy&direction=inbound",
        ),
        (a_request(detail=a_detail(1, "recording")), f"GET {CALL}/recording"),
        (a_request(probe=Probe(UUID(int=1))), f"GET {CALL}"),
        (Request(Lane.FRESH, 0, NOW), "nothing"),
    ],
)
def test_a_request_is_told_as_it_is_sent(request_: Request, told: str) -> None:
    """A page with its limit, offset and filters; a detail and a call by their path."""
    assert str(request_) == told
