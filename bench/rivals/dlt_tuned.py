"""dlt, tuned: incremental on `updated_at` at its own side, transcripts in parallel, columns declared, CSV through COPY."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import dlt
from dlt.sources.helpers.requests import Client
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth
from dlt.sources.helpers.rest_client.paginators import OffsetPaginator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BASE = os.environ["TRUEDY_BASE_URL"] + "/"
AUTH = BearerTokenAuth(os.environ["TRUEDY_API_KEY"])
CLIENT = Client(raise_for_status=False)  # it keeps a session for each thread
AT_ONCE = 20
NOT_FOUND = 404
TYPES = {
    "id": "text", "agent_id": "text", "phone_number": "text", "from_number": "text", "direction": "text", "status": "text",
    "summary": "text", "recording_url": "text", "started_at": "timestamp", "ended_at": "timestamp",
    "created_at": "timestamp", "updated_at": "timestamp", "duration_seconds": "bigint", "cost_usd": "double",
    "context": "json",
}  # fmt: skip
SEGMENT_TYPES = {
    "call_id": "text", "position": "bigint", "speaker": "text", "text": "text", "start_seconds": "double",
}  # fmt: skip
UPDATED_AT = dlt.sources.incremental("updated_at", on_cursor_value_missing="include")


def columns(types: dict[str, str]) -> dict[str, Any]:
    return {name: {"data_type": kind} for name, kind in types.items()}


@dlt.resource(
    name="calls",
    primary_key="id",
    columns=columns(TYPES),
    write_disposition={"disposition": "merge", "strategy": "upsert"},
)
def calls(updated_at: Any = UPDATED_AT) -> Iterator[list[Any]]:  # noqa: ARG001 - dlt filters by it
    client = RESTClient(BASE, auth=AUTH, paginator=OffsetPaginator(limit=100, total_path="pagination.total"))
    yield from map(list, client.paginate("calls", data_selector="data"))


@dlt.transformer(
    data_from=calls,
    name="segments",
    merge_key="call_id",
    write_disposition="merge",
    columns=columns(SEGMENT_TYPES),
    parallelized=True,
)
def segments(page: list[Any]) -> Iterator[Callable[[], list[Any]]]:
    @dlt.defer
    def spoken(some: list[Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for call in some:
            answer = CLIENT.get(f"{BASE}calls/{call['id']}/transcript", auth=AUTH)
            if answer.status_code == NOT_FOUND:
                continue
            answer.raise_for_status()
            rows += [
                {
                    "call_id": call["id"],
                    "position": position,
                    "speaker": segment["speaker"],
                    "text": segment["text"],
                    "start_seconds": segment["timestamp"],
                }
                for position, segment in enumerate(answer.json()["data"]["transcript"])
            ]
        return rows

    talked = [call for call in page if call["duration_seconds"]]
    for first in range(0, len(talked), AT_ONCE):
        yield spoken(talked[first : first + AT_ONCE])


if __name__ == "__main__":
    destination = dlt.destinations.postgres(os.environ["DATABASE_URL"])
    pipeline = dlt.pipeline(
        "tuned", destination=destination, dataset_name="truedy", pipelines_dir=os.environ["PEERS_FOLDER"]
    )
    pipeline.run([calls, segments], loader_file_format="csv")
