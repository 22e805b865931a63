"""Sources that answer oddly, behind the real client: what `tests/budget/test_run_bound.py` runs the real engine against.

An oddity is a function of (source, path, query, the answer as it should be) that returns (status, body bytes). Some keep to one
oddity for ever, others draw a new one for each request.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

    Oddity = Callable[["Hostile", str, dict[str, str], dict[str, Any]], "Answer"]
Answer = tuple[int, bytes]
START = datetime(2026, 3, 1, tzinfo=UTC)


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


@dataclass
class Hostile:
    """A list of calls, newest first, and what is odd about it."""

    oddity: Oddity
    calls: int = 130
    seed: int = 1
    requests: int = 0
    lists: int = 0
    by_id: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.rows = [self.call(number) for number in range(self.calls)][::-1]

    def call(self, number: int) -> dict[str, Any]:
        at = START + timedelta(minutes=number)
        return {
            "id": str(UUID(int=(4 << 76) + (8 << 60) + number + 1)), "status": "completed", "direction": "outbound",
            "phone_number": f"+1202555{number % 10000:04d}", "from_number": "+12025550000",
            "created_at": at.isoformat(), "updated_at": at.isoformat(), "started_at": at.isoformat(),
            "ended_at": (at + timedelta(minutes=1)).isoformat(), "duration_seconds": 60, "cost_usd": 0.25,
        }  # fmt: skip

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        limit, offset = int(query["limit"]), int(query["offset"])
        rows = [
            row for row in self.rows if all(row[name] == query.get(name, row[name]) for name in ("status", "direction"))
        ]
        shown = rows[offset : offset + limit]
        return {
            "data": shown,
            "pagination": {
                "total": len(rows),
                "limit": limit,
                "offset": offset,
                "has_more": offset + limit < len(rows),
            },
            "meta": {"ts": datetime.now(UTC).isoformat()},
        }

    def transport(self) -> httpx.MockTransport:
        def answer(request: httpx.Request) -> httpx.Response:
            parts = urlsplit(str(request.url))
            path = parts.path.removeprefix("/api/public/v1")
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            self.requests += 1
            if path == "/calls":
                self.lists += 1
                right = self.page(query)
            else:
                self.by_id += 1
                right = {"data": self.single(path)}
            status, body = self.oddity(self, path, query, right)
            return httpx.Response(status, content=body)

        return httpx.MockTransport(answer)

    def single(self, path: str) -> Any:
        if path.endswith("/transcript"):
            return {"transcript": [{"speaker": "agent", "text": "Hello"}], "summary": None}
        if path.endswith("/recording"):
            return {"recording_url": "https://audio.example/1.mp3"}
        return next((row for row in self.rows if path.endswith(row["id"])), None)


# What a list answers ------------------------------------------------------------------------------------------------


def on_lists(change: Callable[[Hostile, dict[str, str], dict[str, Any]], Answer | dict[str, Any]]) -> Oddity:
    """Return the oddity that changes answers to list requests and leaves all others."""

    def odd(there: Hostile, path: str, query: dict[str, str], right: dict[str, Any]) -> Answer:
        if path != "/calls":
            return 200, dump(right)
        found = change(there, query, right)
        return found if isinstance(found, tuple) else (200, dump(found))

    return odd


def with_pagination(**values: Callable[[Hostile, dict[str, str]], Any]) -> Oddity:
    def change(there: Hostile, query: dict[str, str], right: dict[str, Any]) -> dict[str, Any]:
        more = {name: value(there, query) for name, value in values.items()}
        return {**right, "pagination": {**right["pagination"], **more}}

    return on_lists(change)


def with_rows(rows: Callable[[Hostile, dict[str, str], list[dict[str, Any]]], Any]) -> Oddity:
    return on_lists(lambda there, query, right: {**right, "data": rows(there, query, right["data"])})


def each_row(change: Callable[[Hostile, dict[str, Any]], Any]) -> Oddity:
    return with_rows(lambda there, _, rows: [change(there, dict(row)) for row in rows])


def past_the_end(answer: Answer) -> Oddity:
    return on_lists(lambda _, query, right: answer if int(query["offset"]) and not right["data"] else right)


def shuffled(there: Hostile, _: dict[str, str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return there.random.sample(rows, len(rows))


def grown(there: Hostile, query: dict[str, str], _: dict[str, Any]) -> dict[str, Any]:
    """Show calls at every offset that nobody has seen yet, older and older: a list without an end."""
    first = 10_000_000 - there.lists * 100
    rows = [{**there.call(0), "id": str(UUID(int=(5 << 76) + first + n)), "created_at": at} for n, at in (
        (n, (START - timedelta(seconds=there.lists * 100 + n)).isoformat()) for n in range(int(query["limit"])))]  # fmt: skip
    return {"data": rows, "pagination": {"total": there.lists * 100 + 200}, "meta": {}}


def renumbered(there: Hostile, _: dict[str, str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Show the same calls with other ids each time."""
    return [{**row, "id": str(UUID(int=there.random.getrandbits(127) | 1 << 126))} for row in rows]


def restamped(there: Hostile, _: dict[str, str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Show the same calls, created earlier each time."""
    return [
        {**row, "created_at": (START - timedelta(seconds=100 * there.lists + n)).isoformat()}
        for n, row in enumerate(rows)
    ]


def everything(there: Hostile, _query: dict[str, str], _rows: Any) -> list[dict[str, Any]]:
    return there.rows


LISTS: dict[str, Oddity] = {
    "right": on_lists(lambda _, __, right: right),
    "data is null where empty": on_lists(lambda _, __, right: {**right, "data": right["data"] or None}),
    "data is null always": on_lists(lambda _, __, right: {**right, "data": None}),
    "data is missing": on_lists(lambda _, __, right: {name: right[name] for name in ("pagination", "meta")}),
    "data is {}": on_lists(lambda _, __, right: {**right, "data": {}}),
    "data is {calls}": on_lists(lambda _, __, right: {**right, "data": {"calls": right["data"]}}),
    "data is a number": on_lists(lambda _, __, right: {**right, "data": 7}),
    "data is a word": on_lists(lambda _, __, right: {**right, "data": "calls"}),
    "data is a list in a text": on_lists(lambda _, __, right: {**right, "data": json.dumps(right["data"])}),
    "a bare list": on_lists(lambda _, __, right: (200, dump(right["data"]))),
    "no body": on_lists(lambda *_: (200, b"")),
    "204": on_lists(lambda *_: (204, b"")),
    "no body where empty": on_lists(lambda _, __, right: right if right["data"] else (200, b"")),
    "204 where empty": on_lists(lambda _, __, right: right if right["data"] else (204, b"")),
    "a web page": on_lists(lambda *_: (200, b"<!doctype html><title>Sign in</title>")),
    "a web page behind the first page": on_lists(lambda _, query, right: (200, b"<html>") if query["offset"] != "0" else right),
    "200 with an error": on_lists(lambda *_: (200, dump({"error": {"code": "oops", "message": "x"}}))),
    "200 with an error behind the first page": on_lists(lambda _, query, right: right if query["offset"] == "0" else (200, dump({"error": {"code": "x"}}))),
    "cut JSON": on_lists(lambda _, __, right: (200, dump(right)[:-40])),
    "half the answers cut": on_lists(lambda there, _, right: (200, dump(right)[: -40 if there.random.random() < 0.5 else None])),
    "redirects": on_lists(lambda *_: (302, b"")),
    "redirects behind the first page": on_lists(lambda _, query, right: right if query["offset"] == "0" else (302, b"")),
    "404 past the end": past_the_end((404, dump({"detail": "Invalid page."}))),
    "422 past the end": past_the_end((422, dump({"error": {"code": "validation_error"}}))),
    "416 past the end": past_the_end((416, b"")),
    "400 past the end": past_the_end((400, dump({"error": {"code": "bad_offset"}}))),
    "500 past the end": past_the_end((500, dump({"error": {"code": "internal_error"}}))),
    "null past the end": past_the_end((200, b'{"data": null}')),
    "nothing past the end": past_the_end((200, b"")),
    "an error past the end": past_the_end((200, dump({"error": {"code": "x"}}))),
    "422 in the middle": on_lists(lambda _, query, right: right if query["offset"] == "0" else (422, dump({"error": {"code": "x"}}))),
    "500 for one offset": on_lists(lambda _, query, right: right if not int(query["offset"]) <= 60 < int(query["offset"]) + int(query["limit"]) else (500, dump({"error": {"code": "x"}}))),
    "500 behind the first page": on_lists(lambda _, query, right: right if query["offset"] == "0" else (500, b"")),
    "500 half of the time": on_lists(lambda there, _, right: right if there.random.random() < 0.5 else (500, b"")),
    "filters are refused": on_lists(lambda _, query, right: right if "status" not in query else (422, b"{}")),
    "total in a text": with_pagination(total=lambda there, _: str(len(there.rows))),
    "total below zero": with_pagination(total=lambda *_: -1),
    "total is 0": with_pagination(total=lambda *_: 0),
    "total is huge": with_pagination(total=lambda *_: 10**15),
    "total is null": with_pagination(total=lambda *_: None),
    "total is a list": with_pagination(total=lambda *_: [1]),
    "total is the page's": with_pagination(total=lambda _, query: int(query["offset"]) + int(query["limit"])),
    "total changes": with_pagination(total=lambda there, _: there.random.randrange(500)),
    "total grows": with_pagination(total=lambda there, _: 130 + 100 * there.lists),
    "total falls": with_pagination(total=lambda there, _: max(0, 130 - there.lists)),
    "total is round": with_pagination(total=lambda *_: 500),
    "has_more always": with_pagination(has_more=lambda *_: True),
    "no pagination": on_lists(lambda _, __, right: {"data": right["data"]}),
    "the same page for every offset": with_rows(lambda there, *_: there.rows[:100]),
    "the same page for every offset, no total": on_lists(lambda there, *_: {"data": there.rows[:100]}),
    "everything for every offset": with_rows(everything),
    "everything, no total": on_lists(lambda there, *_: {"data": there.rows}),
    "one row at a time": with_rows(lambda _, __, rows: rows[:1]),
    "seven rows at a time, no total": on_lists(lambda _, __, right: {"data": right["data"][:7]}),
    "rows repeated": with_rows(lambda _, __, rows: [row for row in rows for _ in (0, 1)]),
    "any order": with_rows(shuffled),
    "any order, no total": on_lists(lambda there, query, right: {"data": shuffled(there, query, right["data"])}),
    "any rows": with_rows(lambda there, *_: there.random.sample(there.rows, 100)),
    "any rows, no total": on_lists(lambda there, *_: {"data": there.random.sample(there.rows, 100)}),
    "oldest first": with_rows(lambda there, query, _: there.rows[::-1][int(query["offset"]) : int(query["offset"]) + 100]),
    "other ids each time": with_rows(renumbered),
    "earlier each time": with_rows(restamped),
    "a list without an end": on_lists(grown),
    "a list without an end or a total": on_lists(lambda there, query, right: {"data": grown(there, query, right)["data"]}),
    "no ids": each_row(lambda _, row: {name: row[name] for name in row if name != "id"}),
    "the same id": each_row(lambda there, row: {**row, "id": there.rows[0]["id"]}),
    "rows are null": with_rows(lambda _, __, rows: [None] * len(rows)),
    "rows are lists": with_rows(lambda _, __, rows: [list(row) for row in rows]),
    "half of the rows are words": with_rows(lambda _, __, rows: [row if n % 2 else "x" for n, row in enumerate(rows)]),
    "created_at null": each_row(lambda _, row: {**row, "created_at": None}),
    "created_at equal": each_row(lambda _, row: {**row, "created_at": START.isoformat()}),
    "created_at in the future": each_row(lambda _, row: {**row, "created_at": "2099" + row["created_at"][4:]}),
    "created_at is no instant": each_row(lambda _, row: {**row, "created_at": "yesterday"}),
    "created_at at random": each_row(lambda there, row: {**row, "created_at": (START + timedelta(seconds=there.random.randrange(10**6))).isoformat()}),
    "every second created_at null": with_rows(lambda _, __, rows: [{**row, "created_at": row["created_at"] if n % 2 else None} for n, row in enumerate(rows)]),
    "updated_at at random": each_row(lambda there, row: {**row, "updated_at": (START + timedelta(seconds=there.random.randrange(10**6))).isoformat()}),
    "cost at random": each_row(lambda there, row: {**row, "cost_usd": there.random.random()}),
    "the clock of 1999": on_lists(lambda _, __, right: {**right, "meta": {"ts": "1999-01-01T00:00:00Z"}}),
    "the clock of 2099": on_lists(lambda _, __, right: {**right, "meta": {"ts": "2099-01-01T00:00:00Z"}}),
    "a clock at random": on_lists(lambda there, _, right: {**right, "meta": {"ts": there.random.choice(["2026-01-01T00:00:00Z", "2030-01-01T00:00:00Z"])}}),
}  # fmt: skip
"""One oddity for ever. `test_bounds.py` says which of them are read to the end all the same."""


def on_singles(change: Callable[[Hostile, str, dict[str, Any]], Answer | dict[str, Any]]) -> Oddity:
    """Return the oddity that changes answers to requests for one call, transcript or recording."""

    def odd(there: Hostile, path: str, _query: dict[str, str], right: dict[str, Any]) -> Answer:
        if path == "/calls":
            return 200, dump(right)
        found = change(there, path, right)
        return found if isinstance(found, tuple) else (200, dump(found))

    return odd


SINGLES: dict[str, Oddity] = {
    "null": on_singles(lambda *_: {"data": None}),
    "nothing": on_singles(lambda *_: (200, b"")),
    "204": on_singles(lambda *_: (204, b"")),
    "a number": on_singles(lambda *_: {"data": 7}),
    "a list": on_singles(lambda *_: {"data": []}),
    "a web page": on_singles(lambda *_: (200, b"<html>")),
    "an error": on_singles(lambda *_: (200, dump({"error": {"code": "x"}}))),
    "404": on_singles(lambda *_: (404, dump({"error": {"code": "not_found"}}))),
    "404 from a proxy": on_singles(lambda *_: (404, b"<html>")),
    "403": on_singles(lambda *_: (403, dump({"error": {"code": "x"}}))),
    "422": on_singles(lambda *_: (422, dump({"error": {"code": "x"}}))),
    "500": on_singles(lambda *_: (500, dump({"error": {"code": "x"}}))),
    "502 of the provider": on_singles(lambda *_: (502, dump({"error": {"code": "provider_error"}}))),
    "redirects": on_singles(lambda *_: (307, b"")),
    "empty segments": on_singles(lambda *_: {"data": {"transcript": [{}]}}),
    "other words each time": on_singles(
        lambda there, *_: {"data": [{"speaker": "agent", "text": str(there.requests)}]}
    ),
}


def mixed(there: Hostile, path: str, query: dict[str, str], right: dict[str, Any]) -> Answer:
    """Draw another oddity for each request, and none for a third of them."""
    if there.random.random() < 1 / 3:
        return 200, dump(right)
    return there.random.choice(list((LISTS if path == "/calls" else SINGLES).values()))(there, path, query, right)
