"""Maps the HTTP status of an answer to an error class. Pure.

Messages hold the request (method and path, never the query), the status and the API's short error code. The server's
own words are never repeated, because they may quote a payload.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from replicator.errors import (
    BadKey,
    Forbidden,
    NotFound,
    NotTheApi,
    PaymentRequired,
    RateLimited,
    RequestRefused,
    SourceError,
    SourceUnavailable,
)
from replicator.safe_text import echoes
from replicator.source import fields
from replicator.source.envelope import parse_error

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_STATUS: dict[int, type[SourceError]] = {
    401: BadKey,
    402: PaymentRequired,
    403: Forbidden,
    408: SourceUnavailable,
    425: SourceUnavailable,
}


def is_success(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 - HTTP's own


def refusal(
    what: str, status: int, body: bytes, headers: Mapping[str, str], *, is_collection: bool, key: str = ""
) -> SourceError:
    """Return the error for an answer that is no success.

    `what` is the request as method and path. `is_collection`: the path exists in every deployment of the API, so a 404
    means that this is not the API. For other paths a 404 means that a call or a detail does not exist. Only a JSON
    answer can say so, because a proxy's 404 proves nothing. A code that contains a part of the `key` is not repeated.
    """
    found = parse_error(body, headers=headers, date=fields.http_date(headers.get("date")))
    if found.code is not None and echoes(found.code, key):
        found = replace(found, code=None)
    message = f"{what} answered {status}" + (f" ({found.code})" if found.code else "")
    known = {"status": status, "code": found.code, "server_time": found.server_time}
    if status == 429 or (status >= 500 and found.is_rate_limit):  # noqa: PLR2004
        return RateLimited(
            message,
            reset_at=found.reset_at,
            limit=found.limit,
            retry_after_seconds=found.retry_after_seconds,
            status=status,
            code=found.code,
            server_time=found.server_time,
        )
    return _kind(status, is_collection=is_collection, is_json=found.is_json)(
        message,
        **known,  # type: ignore[arg-type]
    )


def _kind(status: int, *, is_collection: bool, is_json: bool) -> type[SourceError]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:  # noqa: PLR2004
        return SourceUnavailable
    if status == 404:  # noqa: PLR2004
        if is_collection:
            return NotTheApi
        return NotFound if is_json else SourceUnavailable
    # The API never answers 1xx or 3xx. A redirect is never followed, so the key is sent nowhere else.
    return RequestRefused if status >= 400 else NotTheApi  # noqa: PLR2004
