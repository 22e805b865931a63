"""The client of the Truedy Calls API: one method per endpoint, one attempt per call. No other module calls the API.

Every call sends exactly one request and returns a record or raises a SourceError. Other modules decide about waiting,
charging the budget and trying again. The key is sent only to the base URL's origin, and is in no message, repr or log.
`Reader` cannot change anything; `Client` can. Both may be shared by threads.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlencode

import msgspec

from replicator.errors import ConfigurationError, NotTheApi, SourceUnavailable, UnreadableAnswer
from replicator.source import fields
from replicator.source.envelope import Answer
from replicator.source.http_library import httpx
from replicator.source.parsing import parse_call_answer, parse_data, parse_page, parse_recording, parse_transcript
from replicator.source.statuses import is_success, refusal
from replicator.source.transport import (
    ACCEPT_ENCODING,
    CONNECT_TIMEOUT_SECONDS,
    LeanTransport,
    inflate,
    prepared,
    read_body,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from types import TracebackType
    from uuid import UUID

    from replicator.records import Call, Page, Recording, Transcript

__all__ = ["Answer", "BulkDeletion", "Client", "Reader"]

MAX_LIMIT = 100
_KEY = re.compile(r"[\x21-\x7e]{1,1000}")
_HOST = re.compile(r"[\w.:-]{1,253}")
_USER_AGENT = "truedy-replicator"
_TLS_ADVICE = (
    "the server did not prove that it is the one of TRUEDY_BASE_URL, so the key was not sent: check the address and this "
    "machine's clock; where an authority of your own signs, name its certificate by SSL_CERT_FILE"
)


class _Unset:
    """Stands for an argument that was not given, where None has a meaning."""


_UNSET: Final = _Unset()


@dataclass(frozen=True, slots=True)
class BulkDeletion:
    """What a bulk deletion did. Active calls are skipped and count as failed. Contract: Bulk Delete Calls."""

    deleted_count: int
    failed_count: int
    deleted_ids: tuple[UUID, ...]
    failed_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes
    date: datetime | None


class Reader:
    """Reads calls. `base_url` ends with /api/public/v1.

    Plain http is allowed for this machine only, unless `allow_http` is set. `timeout_seconds` limits a whole request.
    Raises ConfigurationError for a base URL or a key that cannot be right.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        timeout_seconds: float = 120,
        transport: httpx.BaseTransport | None = None,
        allow_http: bool = False,
    ) -> None:
        self._base_url = _checked_base_url(base_url, allow_http=allow_http)
        self._headers = httpx.Headers(
            {
                "Accept": "application/json",
                "Accept-Encoding": ACCEPT_ENCODING,
                "Authorization": f"Bearer {_checked_key(key)}",
                "User-Agent": _USER_AGENT,
            }
        )
        self._prepared = prepared(self._headers)
        self._key = key
        self._quoted_key = re.compile(re.escape(key.encode()), re.IGNORECASE)
        self._transport = transport or LeanTransport(timeout_seconds=timeout_seconds)
        # LeanTransport got these by its constructor; any other transport reads them from the request.
        timeout = httpx.Timeout(timeout_seconds, connect=min(CONNECT_TIMEOUT_SECONDS, timeout_seconds))
        self._extensions = {"timeout": timeout.as_dict()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def list_calls(
        self,
        *,
        limit: int = 50,
        offset: int = 0,
        status: str | None = None,
        direction: str | None = None,
        agent_id: UUID | None = None,
        created_before: str | None = None,
    ) -> Page:
        """Return one page. The source may ignore filters, so the rows have to be checked. Contract: List Calls."""
        if not 0 <= limit <= MAX_LIMIT or offset < 0:
            raise ValueError(f"limit goes from 0 to {MAX_LIMIT}, offset from 0")
        query = f"?limit={limit}&offset={offset}"
        filters = {
            "status": status, "direction": direction, "agent_id": agent_id, "created_before": created_before,
        }  # fmt: skip
        if given := {name: str(value) for name, value in filters.items() if value is not None}:
            query += f"&{urlencode(given)}"
        reply = self._send("GET", "/calls", query=query, is_collection=True)
        return parse_page(reply.body, limit=limit, offset=offset, server_time=reply.date)

    def get_call(self, call_id: UUID) -> Answer[Call]:
        """Return one call. Contract: Get Call."""
        reply = self._send("GET", f"/calls/{_id(call_id)}")
        return parse_call_answer(reply.body, server_time=reply.date, status=reply.status)

    def get_transcript(self, call_id: UUID) -> Answer[Transcript]:
        """Return a call's transcript, which can be empty; raises NotFound while there is none. Contract: Get
        Transcript.
        """
        reply = self._send("GET", f"/calls/{_id(call_id)}/transcript")
        return parse_transcript(reply.body, server_time=reply.date, status=reply.status)

    def get_recording(self, call_id: UUID) -> Answer[Recording]:
        """Return the URL of a call's recording; raises NotFound while there is none. Contract: Get Recording."""
        reply = self._send("GET", f"/calls/{_id(call_id)}/recording")
        return parse_recording(reply.body, server_time=reply.date, status=reply.status)

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        payload: Any = _UNSET,
        headers: Mapping[str, str] | None = None,
        is_collection: bool = False,
    ) -> _Reply:
        """Send one request, once. Raises a SourceError for everything but a 2xx."""
        what = f"{method} {path}"
        url, status = f"{self._base_url}{path}{query}", 0
        answered_headers: Mapping[str, str] = {}
        try:
            if method == "GET" and isinstance(self._transport, LeanTransport):
                status, answered_headers, body = self._transport.exchange(url, self._prepared)
                if encoding := answered_headers.get("content-encoding"):
                    body = inflate(body, encoding, status)
            else:
                response = self._transport.handle_request(self._request(method, url, payload, headers))
                status, answered_headers = response.status_code, response.headers
                body = read_body(response)
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            reason = _reason(error)
            advice = _TLS_ADVICE if "peer certificate" in reason else None
            raise SourceUnavailable(f"{what}: {reason}", advice=advice, status=status or None) from None
        except UnreadableAnswer as error:
            if is_success(status := error.status or status):
                raise UnreadableAnswer(f"{what}: {error.message}", status=status) from None
            body = b""
        if not is_success(status):
            # A server may quote the key it refuses, even as its error code.
            body = self._quoted_key.sub(b"", body)
            raise refusal(what, status, body, answered_headers, is_collection=is_collection, key=self._key)
        if body[:1] != b"{" and body.lstrip().startswith(b"<"):
            raise NotTheApi(f"{what} answered {status} with a web page, not the API's JSON", status=status)
        return _Reply(status, body, fields.http_date(answered_headers.get("date")))

    def _request(
        self, method: str, url: str, payload: Any = _UNSET, headers: Mapping[str, str] | None = None
    ) -> httpx.Request:
        """Return httpx's request, for a transport that is not ours, and for one with a payload."""
        if payload is _UNSET:
            return httpx.Request(method, url, headers=self._headers, extensions=self._extensions)
        every_header = httpx.Headers([*self._headers.items(), ("Content-Type", "application/json")])
        every_header.update(headers or {})
        content = msgspec.json.encode(payload)
        return httpx.Request(method, url, headers=every_header, content=content, extensions=self._extensions)


class Client(Reader):
    """Reads, places, changes and deletes calls."""

    def create_call(
        self,
        *,
        agent_id: UUID,
        phone_number: str,
        from_number: str | None = None,
        variables: Mapping[str, str] | None = None,
        call_settings: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Answer[Call]:
        """Place an outbound call and return it. Contract: Create Call.

        To repeat the request after SourceUnavailable without placing a second call, give the same `idempotency_key`
        both times. Without one, each request gets a new key.
        """
        body = {
            "agent_id": str(_id(agent_id)),
            "phone_number": phone_number,
            "from_number": from_number,
            "variables": variables,
            "call_settings": call_settings,
        }
        reply = self._send(
            "POST",
            "/calls",
            payload={name: value for name, value in body.items() if value is not None},
            headers={"X-Idempotency-Key": _checked_token(idempotency_key or str(uuid.uuid4()))},
            is_collection=True,
        )
        return parse_call_answer(reply.body, server_time=reply.date, status=reply.status)

    def update_call(
        self,
        call_id: UUID,
        *,
        context: Mapping[str, Any] | _Unset | None = _UNSET,
        call_settings: Mapping[str, Any] | _Unset | None = _UNSET,
    ) -> Answer[Call]:
        """Change `context` and/or `call_settings`; only what is given is sent. Contract: Update Call."""
        given = {"context": context, "call_settings": call_settings}
        payload = {name: value for name, value in given.items() if value is not _UNSET}
        if not payload:
            raise ValueError("nothing to update: give context or call_settings")
        reply = self._send("PATCH", f"/calls/{_id(call_id)}", payload=payload)
        return parse_call_answer(reply.body, server_time=reply.date, status=reply.status)

    def delete_call(self, call_id: UUID) -> Answer[None]:
        """Delete a finished call permanently. Contract: Delete Call."""
        reply = self._send("DELETE", f"/calls/{_id(call_id)}")
        return Answer(None, reply.date, reply.status)

    def bulk_delete(self, call_ids: Iterable[UUID]) -> Answer[BulkDeletion]:
        """Delete finished calls permanently; active ones are skipped. Contract: Bulk Delete Calls."""
        ids = [str(_id(call_id)) for call_id in call_ids]
        reply = self._send("POST", "/calls/bulk-delete", payload={"ids": ids})
        answer = parse_data(reply.body, server_time=reply.date, status=reply.status)
        data = answer.value if isinstance(answer.value, dict) else {}
        deleted, failed = _ids(data.get("deleted_ids")), _ids(data.get("failed_ids"))
        deleted_count, failed_count = fields.count(data.get("deleted_count")), fields.count(data.get("failed_count"))
        if deleted_count is None and "deleted_ids" not in data:
            raise UnreadableAnswer("the answer does not say what was deleted", status=reply.status)
        return Answer(
            BulkDeletion(
                len(deleted) if deleted_count is None else deleted_count,
                len(failed) if failed_count is None else failed_count,
                deleted,
                failed,
            ),
            answer.server_time,
            reply.status,
        )


def _id(value: UUID | str) -> UUID:
    """Return an id that can be put into a path, from a UUID or a string."""
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)


def _ids(value: Any) -> tuple[UUID, ...]:
    found = [fields.identifier(one) for one in value] if isinstance(value, list) else []
    return tuple(one for one in found if one is not None)


def _reason(error: Exception) -> str:
    """Say what happened to the connection, without quoting text that could contain a URL."""
    if isinstance(error, (httpx.ConnectTimeout, httpx.PoolTimeout)):
        kind = "no connection in time"
    elif isinstance(error, httpx.TimeoutException):
        kind = "no answer in time"
    elif isinstance(error, httpx.ConnectError):
        kind = "cannot connect"
    else:
        kind = "the connection broke"
    detail = str(error) if isinstance(error, httpx.TransportError) else ""
    return f"{kind} ({detail})" if detail and re.fullmatch(r"[A-Za-z0-9 ,.:()'_-]{1,100}", detail) else kind


def _checked_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ConfigurationError(
            "the API key is empty or holds white space, control or non-ASCII characters",
            advice="check TRUEDY_API_KEY (or TRUEDY_API_KEY_FILE): one line, as copied from the vendor's dashboard",
        )
    return key


def _checked_token(token: str) -> str:
    if not _KEY.fullmatch(token):
        raise ValueError("an idempotency key is printable ASCII without spaces")
    return token


def _checked_base_url(base_url: str, *, allow_http: bool) -> str:
    advice = "set TRUEDY_BASE_URL to something like https://api.truedy.ai/api/public/v1"
    try:
        url = httpx.URL(base_url.strip())
    except httpx.InvalidURL:
        raise ConfigurationError("the base URL is no URL", advice=advice) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError("the base URL does not start with https:// and a host", advice=advice)
    if not _HOST.fullmatch(url.host) or not 0 < (url.port or 443) < 2**16:
        raise ConfigurationError("the base URL's host or port is none", advice=advice)
    if url.userinfo or url.query or url.fragment or "?" in base_url or "#" in base_url:
        raise ConfigurationError("the base URL holds a user, a query or a fragment", advice=advice)
    if url.scheme == "http" and not allow_http and not _is_loopback(url.host):
        raise ConfigurationError(
            "the base URL is plain http: the key would cross the network unencrypted", advice=advice
        )
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
