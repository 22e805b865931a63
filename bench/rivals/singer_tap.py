"""A tap of singer-sdk: calls, and the transcript of each call that was talked in.

The source has no filter for `updated_at`, so older rows are dropped here, before their transcripts are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.pagination import OffsetPaginator, SinglePagePaginator
from singer_sdk.streams import RESTStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk import Stream

PAGE = 100
NOT_FOUND = 404
TEXTS = ("agent_id", "phone_number", "from_number", "direction", "status", "summary", "recording_url")
INSTANTS = ("started_at", "ended_at", "created_at", "updated_at")


class Pages(OffsetPaginator):
    def has_more(self, response: Any) -> bool:
        return bool(response.json()["pagination"]["has_more"])


class Truedy(RESTStream[int]):
    @property
    def url_base(self) -> str:
        return str(self.config["base_url"])

    @property
    def authenticator(self) -> Any:
        return BearerTokenAuthenticator(token=self.config["api_key"])


class Calls(Truedy):
    name = "calls"
    path = "/calls"
    records_jsonpath = "$.data[*]"
    primary_keys = ("id",)
    replication_key = "updated_at"
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True),
        *(th.Property(name, th.StringType) for name in TEXTS),
        *(th.Property(name, th.DateTimeType) for name in INSTANTS),
        th.Property("duration_seconds", th.IntegerType),
        th.Property("cost_usd", th.NumberType),
        th.Property("context", th.ObjectType(additional_properties=True)),
    ).to_dict()

    def get_new_paginator(self) -> Any:
        return Pages(start_value=0, page_size=PAGE)

    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:  # noqa: ARG002 - the SDK calls it so
        return {"limit": PAGE, "offset": next_page_token or 0}

    def get_records(self, context: Any) -> Iterator[Any]:
        since = self.get_starting_timestamp(context)
        seen = since.strftime("%Y-%m-%dT%H:%M:%S") if since else ""
        for row in super().get_records(context):
            if row["updated_at"] is None or row["updated_at"][: len(seen)] >= seen:
                yield row

    def generate_child_contexts(self, record: Any, context: Any) -> Iterator[Any]:  # noqa: ARG002 - the SDK calls it so
        if record["duration_seconds"]:
            yield {"call_id": record["id"]}


class Transcripts(Truedy):
    name = "transcripts"
    path = "/calls/{call_id}/transcript"
    parent_stream_type = Calls
    state_partitioning_keys = ()
    primary_keys = ("call_id", "position")
    schema = th.PropertiesList(
        th.Property("call_id", th.StringType, required=True),
        th.Property("position", th.IntegerType, required=True),
        th.Property("speaker", th.StringType),
        th.Property("text", th.StringType),
        th.Property("timestamp", th.NumberType),
    ).to_dict()

    def get_new_paginator(self) -> Any:
        return SinglePagePaginator()

    def validate_response(self, response: Any) -> None:
        if response.status_code != NOT_FOUND:
            super().validate_response(response)

    def parse_response(self, response: Any) -> Iterator[Any]:
        if response.status_code != NOT_FOUND:
            for position, segment in enumerate(response.json()["data"]["transcript"]):
                yield {
                    "position": position,
                    "speaker": segment["speaker"],
                    "text": segment["text"],
                    "timestamp": segment["timestamp"],
                }

    def post_process(self, row: Any, context: Any = None) -> Any:
        return {**row, "call_id": context["call_id"]}


class TapTruedy(Tap):
    name = "tap-truedy"
    message_writer_class = MsgSpecWriter
    config_jsonschema = th.PropertiesList(
        th.Property("base_url", th.StringType, required=True),
        th.Property("api_key", th.StringType, required=True, secret=True),
    ).to_dict()

    def discover_streams(self) -> list[Stream]:
        return [Calls(self), Transcripts(self)]


if __name__ == "__main__":
    TapTruedy.cli()
