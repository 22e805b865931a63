"""Answers the reading requests: the list, a call, its transcript, its recording, and the audio behind the recording's
link.
"""

from __future__ import annotations

import hashlib
import zlib
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl
from uuid import UUID

from replicator.simulator import wire
from replicator.simulator.births import to_us
from replicator.simulator.exchange import ApiError, Request, Response, not_found, validation
from replicator.simulator.recordings import MEDIA_TYPES, audio, kind_of, recording_url, signature
from replicator.simulator.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.simulator.deployment import Deployment

_MOST = 100
_BOMB_STATUS = 200


# The list.


def list_calls(deployment: Deployment, request: Request, request_id: str, now: datetime) -> Response:
    """Answer GET /calls."""
    switches = deployment.switches
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    limit, offset = _number(query, "limit", 50), _number(query, "offset", 0)
    if not switches.limit_unchecked and not (1 <= limit <= _MOST and offset >= 0):
        raise validation("limit must be from 1 to 100, offset not negative", {"limit": limit, "offset": offset})
    found: Sequence[int] = () if switches.empty_account else _found(deployment, query)
    delay = switches.list_seconds_per_1000 * len(found) / 1000
    delay += switches.deep_offset_seconds_per_1000 * max(offset, 0) / 1000
    if switches.deep_offset_timeout is not None and offset >= switches.deep_offset_timeout:
        raise ApiError(504, "timeout", "upstream timeout", delay=switches.deep_offset_timeout_seconds)
    total = len(found) if switches.cap is None else min(len(found), switches.cap)
    first = offset if offset >= 0 else max(0, total + offset)
    page = _page(deployment, found, first, max(0, min(first + limit, total) - first)) if limit > 0 else []
    if len(page) > 1 and switches.short_page_rate and deployment.random.random() < switches.short_page_rate:
        page = page[: deployment.random.randrange(1, len(page))]
    if deployment.poisoned and not deployment.poisoned.isdisjoint(page):
        raise ApiError(500, "internal_error", "could not serialise", delay=delay)
    if switches.gzip_bomb_bytes:
        body = _bomb(switches.gzip_bomb_bytes)
        headers = (("content-type", "application/json"), ("content-encoding", "gzip"))
        return Response(_BOMB_STATUS, body, headers, delay)
    has_more = {"": offset + len(page) < total, "always": True, "never": False}[switches.has_more_lies]
    shown: dict[str, object] = {"total": total, "limit": limit, "offset": offset, "has_more": has_more}
    if switches.total_missing:
        del shown["total"]
    rows = b",".join([_row(deployment, index, listed=True) for index in page])
    meta = deployment.meta(request_id, now)
    if switches.envelope_meta_pagination:
        shown.pop("has_more")
        body = b"".join((b'{"data":[', rows, b'],"meta":', meta, b",", to_json(shown)[1:-1], b"}}"))
    else:
        body = b"".join((b'{"data":[', rows, b'],"pagination":', to_json(shown), b',"meta":', meta, b"}}"))
    return Response(200, body, delay_seconds=delay)


def _number(query: dict[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError:
        raise validation(f"{name} must be an integer") from None


def _found(deployment: Deployment, query: dict[str, str]) -> Sequence[int]:
    """Return the calls that match the query, oldest first."""
    switches = deployment.switches
    wanted = {name: value for name, value in query.items() if value and name not in switches.ignored_filters}
    agent = wanted.get("agent_id")
    if agent is not None:
        try:
            agent = str(UUID(agent))
        except ValueError:
            raise validation("agent_id must be a UUID") from None
    found = deployment.world.matching(wanted.get("status"), wanted.get("direction"), agent)
    if switches.created_filters and ("created_after" in wanted or "created_before" in wanted):
        after, before = (_time(wanted, name) for name in ("created_after", "created_before"))
        found = deployment.world.between(found, after, before, is_inclusive=switches.created_bounds == "inclusive")
    return found


def _time(wanted: dict[str, str], name: str) -> datetime | None:
    if name not in wanted:
        return None
    try:
        at = datetime.fromisoformat(wanted[name].replace(" ", "+"))
    except ValueError:
        raise validation(f"{name} must be ISO 8601") from None
    return at if at.tzinfo else datetime.fromisoformat(wanted[name] + "+00:00")


def _page(deployment: Deployment, found: Sequence[int], first: int, count: int) -> list[int]:
    """Return `count` calls from place `first` on, in the deployment's order."""
    switches = deployment.switches
    if count <= 0:
        return []
    if switches.order == "unsorted":
        return deployment.scattered(found)[first : first + count]
    ascending = switches.order == "ascending"
    low = first if ascending else max(0, len(found) - first - count)
    high = first + count if ascending else len(found) - first
    page = _shuffled(deployment, found, low, min(high, len(found))) if switches.tie_shuffle else list(found[low:high])
    return page if ascending else page[::-1]


def _shuffled(deployment: Deployment, found: Sequence[int], low: int, high: int) -> list[int]:
    """Return found[low:high], after calls of one instant were put into a random order."""
    created = deployment.world.created_us
    start, end = low, high
    while start > 0 and created(found[start - 1]) == created(found[start]):
        start -= 1
    while end < len(found) and created(found[end]) == created(found[end - 1]):
        end += 1
    moment = deployment.requests if deployment.switches.tie_shuffle == "request" else deployment.world.updates

    def place(index: int) -> bytes:
        return hashlib.blake2b(b"%d:%d" % (moment, index), digest_size=8).digest()

    whole = [index for _, ties in groupby(found[start:end], created) for index in sorted(ties, key=place)]
    return whole[low - start : high - start]


@lru_cache(maxsize=2)
def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(b'{"data":[],"pad":"')]
    block = b"0" * 2**20
    parts.extend(packer.compress(block) for _ in range(size // len(block)))
    parts += [packer.compress(b'","pagination":{"total":0,"limit":100,"offset":0,"has_more":false}}'), packer.flush()]
    return b"".join(parts)


def _row(deployment: Deployment, index: int, *, listed: bool) -> bytes:
    switches, world = deployment.switches, deployment.world

    def make() -> bytes:
        embed = listed and bool(switches.transcript_in_rows)
        return wire.call_bytes(
            world.row_at(index),
            switches,
            settings=world.settings.get(index),
            segments=world.segments_at(index) if embed else None,
            index=index,
            embed=embed,
            is_bad=listed and world.odd(index, "bad row", switches.bad_row_share),
        )

    return (deployment.rows if listed else deployment.details).get(index, world.revision(index), make)


# One call.


def existing(deployment: Deployment, call_id: str) -> int:
    """Return the index of the call that a path names, or raise the 404 or 422."""
    index = None if deployment.switches.empty_account else deployment.world.index_of(call_id)
    if index is None:
        try:
            UUID(call_id)
        except ValueError:
            raise validation("call id must be a UUID") from None
        raise not_found("call not found")
    return index


def call_data(deployment: Deployment, index: int) -> bytes:
    """Return a call object as JSON."""
    if index in deployment.poisoned:
        raise ApiError(500, "internal_error", "could not serialise")
    return _row(deployment, index, listed=False)


def transcript_data(deployment: Deployment, call_id: str) -> bytes:
    """Return the transcript's `data`; the first read may move the row, or poison it."""
    index = existing(deployment, call_id)
    switches, world = deployment.switches, deployment.world
    if index in deployment.poisoned:
        raise ApiError(500, "internal_error", "could not serialise")

    def make() -> bytes:
        segments = world.segments_at(index)
        if segments is None:
            return b""
        shown = [] if switches.transcript_empty_in_detail and index % 2 else wire.transcript(segments, switches, index)
        return to_json({"transcript": shown, "summary": world.row_at(index)["summary"]})

    data = deployment.transcripts.get(index, world.revision(index), make)
    if not data:
        delay = switches.provider_seconds if switches.provider_errors_are_404 else 0.0
        raise ApiError(404, "not_found", "no transcript is available yet", delay=delay)
    if index not in deployment.read:
        deployment.read.add(index)
        if world.odd(index, "poison", switches.poison_share):
            deployment.poisoned.add(index)
            raise ApiError(500, "internal_error", "an unexpected error occurred")
        if switches.reading_moves_updated_at:
            world.change(index, {})
    return data


def recording_data(deployment: Deployment, call_id: str, now: datetime) -> bytes:
    """Return the recording's `data`; the first answer is cached on the row, as the contract says."""
    index = existing(deployment, call_id)
    switches, world = deployment.switches, deployment.world
    if not world.has_recording_at(index):
        raise not_found("no recording exists")
    if switches.provider_down_until is not None and now < switches.provider_down_until:
        if switches.provider_errors_are_404:
            raise ApiError(404, "not_found", "no recording exists", delay=switches.provider_seconds)
        raise ApiError(502, "provider_error", "the telephony provider misbehaves", delay=switches.provider_seconds)
    row = world.row_at(index)
    url = row["recording_url"]
    if url is None or switches.recording_signed_expiring:
        url = recording_url(switches, row["id"], to_us(now), deployment.requests)
    if row["recording_url"] is None:
        world.change(index, {"recording_url": url})
    data = {"recording_url": url}
    if switches.recording_extra_fields:
        data |= {"format": kind_of(switches, call_id), "duration_seconds": row["duration_seconds"]}
    return to_json(data)


# The storage, which is another host in a real deployment.


def stored_audio(deployment: Deployment, request: Request, name: str, now: datetime) -> Response:
    """Answer a recording's link. An API key that is sent here has leaked."""
    if "authorization" in request.headers:
        deployment.log.keys_sent_to_storage += 1
    switches, world = deployment.switches, deployment.world
    if request.method != "GET":
        return Response(405, headers=(("allow", "GET"),))
    name, _, hop = name.partition("/hop/")
    call_id, _, kind = name.rpartition(".")
    index = world.index_of(call_id)
    gone = index is None or not world.has_recording_at(index)
    if (
        index is None
        or gone
        or kind not in MEDIA_TYPES
        or world.odd(index, "storage missing", switches.storage_missing_share)
    ):
        return Response(404, b"<Error><Code>NoSuchKey</Code></Error>", _XML)
    if switches.recording_signed_expiring:
        query = dict(parse_qsl(request.query))
        expires = query.get("X-Expires", "0")
        is_signed = query.get("X-Signature") == signature(call_id, expires)
        if not is_signed or not expires.isdigit() or int(expires) < now.timestamp():
            return Response(403, b"<Error><Code>AccessDenied</Code></Error>", _XML)
    if world.odd(index, "storage inside", switches.storage_inside_share):
        return Response(302, headers=(("location", "http://169.254.169.254/latest/meta-data/"),))
    if world.odd(index, "storage html", switches.storage_html_share):
        return Response(200, b"<!DOCTYPE html><title>Please log in</title>", (("content-type", "audio/wav"),))
    hops = int(hop) if hop.isdigit() else 0
    if hops < switches.storage_redirects:
        return Response(302, headers=(("location", f"/storage/{name}/hop/{hops + 1}?{request.query}"),))
    response = _file(
        audio(call_id, switches.recording_seconds, kind), kind, request, has_ranges=not switches.storage_ignores_range
    )
    if switches.storage_cut_rate and deployment.random.random() < switches.storage_cut_rate:
        response.truncate_at = deployment.random.randrange(len(response.body)) if response.body else None
    return response


def _file(sound: bytes, kind: str, request: Request, *, has_ranges: bool) -> Response:
    """Answer with a file, or with the part of it that is asked for (Range, If-Range)."""
    tag = f'"{hashlib.blake2b(sound, digest_size=16).hexdigest()}"'
    headers: tuple[tuple[str, str], ...] = (("content-type", MEDIA_TYPES[kind]),)
    if not has_ranges:
        return Response(200, sound, headers)
    headers += (("accept-ranges", "bytes"), ("etag", tag))
    wanted = request.headers.get("range", "")
    is_same = request.headers.get("if-range", tag) == tag
    if is_same and wanted.startswith("bytes=") and wanted.count("-") == 1:
        start, _, end = wanted[6:].partition("-")
        if start.isdigit() and int(start) < len(sound) and (end.isdigit() or not end):
            last = min(int(end) if end else len(sound) - 1, len(sound) - 1)
            headers += (("content-range", f"bytes {start}-{last}/{len(sound)}"),)
            return Response(206, sound[int(start) : last + 1], headers)
        return Response(416, b"", (("content-range", f"bytes */{len(sound)}"),))
    return Response(200, sound, headers)


_XML = (("content-type", "application/xml"),)
