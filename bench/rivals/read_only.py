"""The limit of reading: the same list pages and transcripts, fetched and parsed, nothing kept. `read_only.py KIND`."""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BASE = os.environ["TRUEDY_BASE_URL"]
HEADERS = {"Authorization": f"Bearer {os.environ['TRUEDY_API_KEY']}"}
FIRST = f"{BASE}/calls?limit=100&offset=0"
parse = msgspec.json.decode


def others(first: Any) -> list[str]:
    return [f"{BASE}/calls?limit=100&offset={offset}" for offset in range(100, first["pagination"]["total"], 100)]


def transcripts(page: Any) -> list[str]:
    return [f"{BASE}/calls/{call['id']}/transcript" for call in page["data"] if call["duration_seconds"]]


def with_threads(get: Callable[[str], bytes], threads: int) -> None:
    first = parse(get(FIRST))
    with ThreadPoolExecutor(threads) as pool:
        pages = [first, *pool.map(lambda url: parse(get(url)), others(first))]
        for _ in pool.map(lambda url: parse(get(url)), [url for page in pages for url in transcripts(page)]):
            pass


async def with_tasks(get: Callable[[str], Awaitable[bytes]], tasks: int) -> None:
    first = parse(await get(FIRST))

    async def all_of(todo: list[str]) -> list[Any]:
        found: list[Any] = []

        async def work() -> None:
            while todo:
                found.append(parse(await get(todo.pop())))

        await asyncio.gather(*(work() for _ in range(tasks)))
        return found

    pages = [first, *await all_of(others(first))]
    await all_of([url for page in pages for url in transcripts(page)])


async def with_aiohttp() -> None:
    import aiohttp

    async with aiohttp.ClientSession(headers=HEADERS, connector=aiohttp.TCPConnector(limit=16)) as session:

        async def get(url: str) -> bytes:
            async with session.get(url) as answer:
                return await answer.read()

        await with_tasks(get, 16)


def main(kind: str) -> None:
    if kind == "aiohttp, 16 tasks":
        asyncio.run(with_aiohttp())
    elif kind == "urllib3, 8 threads":
        import urllib3

        pool = urllib3.PoolManager(maxsize=8, headers=HEADERS)
        with_threads(lambda url: pool.request("GET", url).data, 8)
    else:
        import httpx

        threads = {"httpx": 1, "httpx, 8 threads": 8}[kind]
        with httpx.Client(headers=HEADERS) as client:
            with_threads(lambda url: client.get(url).content, threads)


main(sys.argv[1])
