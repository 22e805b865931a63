"""The section of docs/measurements.md about what a user would use instead: made from the results of bench/peers.py."""

from __future__ import annotations

from typing import Any

PEERS = {"ours": "ours", "script": "script", "dlt": "dlt, tuned", "singer": "singer-sdk, target-postgres"}
NAMES = {"debian": "Debian's PostgreSQL, as its package comes", "embedded": "the embedded PostgreSQL"}
CHANGED, DELETED, NEW = 200, 20, 50
DID_NOT_PAY = (
    "**Making COPY's text for every row here**: psycopg's own formatting is written in C and as fast. Only segments are formatted here, because they are plain.",
    "**A regular expression for the words of a text**, in place of nine string functions: the same time.",
    "**urllib3 or http.client below the transport**: both take more CPU for a request on eight threads than hyper without httpx's "
    "objects for request and response.",
    "**More or fewer workers, another interval of the interpreter's switches, other thresholds of its collector**: no difference.",
    "**A longer or a shorter rest of the roll-ups beside a run**: with a longer one `sync` waits for its days at the end, with a "
    "shorter one the run itself is slowed.",
)


def section(found: dict[str, dict[str, Any]], million: dict[str, Any] | None = None) -> list[str]:
    """Return the section; `found` are the results by the name of the server, `million` is a w1 of ours with more calls."""
    some = next(iter(found.values()))
    lines = [
        "## Beside what a user would use instead",
        "",
        "`python -m bench.peers --keep` (and `--server embedded`) makes the programs' environments and measures whole",
        f"processes from start to exit, on one source, one server and one machine, in one run; medians of {some['rounds']}.",
        f"{some['calls']:,} calls, of which two thirds have a transcript of 20 segments on average, no rate limit; our roll-ups",
        "are up to date at the exit. *script*: a page, its transcripts, an upsert, and from the beginning each time. *dlt* and",
        "*singer*: as somebody who knows them sets them up (bench/rivals). w1: into an empty database; w2: at once again;",
        f"w3: {CHANGED} calls of any age changed, {DELETED} deleted, {NEW} new, then one run (ours: `sync --full`). In w2",
        "ours proves by a few requests that nothing is new or gone, and does not look for changes of old calls; the others read",
        f"the whole list. Our tables are made by `replicator migrate` before w1 ({some['ours']['migrate']:.1f} s more), theirs within",
        "it. Peak memory is that of the largest process; each has stored the same number of calls and segments. w4: ours alone, against",
        "a limit; the ideal is the requests divided by the rate. The first window's requests are sent at once, so that a copy of",
        "few windows takes less. JIT is said of the server; ours turns it off for its database.",
        "",
    ]
    for server, result in found.items():
        lines += [*_table(server, result), *_bars(result), ""]
    if million is not None:
        w1 = million["ours"]["w1"]
        lines += [
            f"w1 of ours with {million['calls']:,} calls (`--only ours --workloads w1 --rounds 1 --calls {million['calls']}",
            f"--name peers_million --keep`, on the embedded server): peak memory {w1['peak_mib']:.0f} MiB (at most 160).",
            "",
        ]
    lines += _limits(some)
    lines += [*_reading(some), "", *_disk(some), "", "What was tried and did not pay:", ""]
    return [*lines, *(f"- {one}" for one in DID_NOT_PAY)]


def _table(server: str, result: dict[str, Any]) -> list[str]:
    rows = [
        f"{NAMES[server]} ({result['server_version'].split()[0]}, jit {result['jit']}):",
        "",
        "| | w1 s | own CPU s | PostgreSQL's CPU s | WAL MB | peak MiB | w2 s | w2 requests | w3 s | "
        "w3: tuples for each change | w3: found of changed; missing of deleted |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for peer, name in PEERS.items():
        if peer not in result:
            continue
        w1, w2, w3 = (result[peer][workload] for workload in ("w1", "w2", "w3"))
        each = w3["tuples"] / (CHANGED + DELETED + NEW)
        rows.append(
            f"| {name} | {w1['seconds']:.1f} | {w1['own_cpu']:.1f} | {w1['server_cpu']:.1f} | {w1['wal_mb']:.0f} | "
            f"{w1['peak_mib']:.0f} | {w2['seconds']:.2f} | {w2['requests']:.0f} | {w3['seconds']:.2f} | {each:.0f} | "
            f"{w3['changed']:.0f}, {w3['deleted']:.0f} |"
        )
    return [*rows, ""]


def _bars(result: dict[str, Any]) -> list[str]:
    """Return each target beside what was measured."""
    ours = result["ours"]
    others = [result[peer] for peer in PEERS if peer in result and peer != "ours"]
    script, dlt = result.get("script"), result.get("dlt")
    w1, w3 = ours["w1"], ours["w3"]
    bars: list[tuple[str, float, float]] = []
    if script:
        bars.append(("w1, seconds over the script's", w1["seconds"] / script["w1"]["seconds"], 0.5))
        bars.append(("w1, PostgreSQL's CPU over the script's", w1["server_cpu"] / script["w1"]["server_cpu"], 2))
        bars.append(("w1, WAL over the script's", w1["wal_mb"] / script["w1"]["wal_mb"], 1.5))
    if dlt:
        bars.append(("w1, seconds over dlt's", w1["seconds"] / dlt["w1"]["seconds"], 0.4))
    bars += [("w1, peak MiB", w1["peak_mib"], 160), ("w2, seconds", ours["w2"]["seconds"], 0.7)]
    if others:
        bars.append(
            ("w2, seconds over the fastest other", ours["w2"]["seconds"] / min(o["w2"]["seconds"] for o in others), 0.5)
        )
        bars.append(
            ("w3, seconds over the fastest other", w3["seconds"] / min(o["w3"]["seconds"] for o in others), 1.2)
        )
    bars.append(("w3, tuples for each change", w3["tuples"] / (CHANGED + DELETED + NEW), 30))
    for name, words in (
        ("w4_a_second", "3,000 calls at 100 requests a second"),
        ("w4_a_minute", "250 at 100 a minute"),
    ):
        if name in result:
            bars.append((f"w4, {words}: seconds over the ideal", result[name]["seconds"] / result[name]["ideal"], 1.05))
            bars.append((f"w4, {words}: refused", result[name]["refused"], 0))
    answers = ours["answers"]
    bars.append(
        ("right after w1, the slowest of the README's questions, ms (p95)", answers["slowest_question_ms"], 100)
    )
    bars.append(("right after w1, the report, ms (p95)", answers["report_ms"], 100))
    return [
        "| | measured | target |",
        "| --- | ---: | ---: |",
        *(f"| {words} | {value:.2f} | {most:g}{'' if value <= most else ': not met'} |" for words, value, most in bars),
    ]


def _limits(result: dict[str, Any]) -> list[str]:
    """Return what limits the targets that are not met."""
    ours = result["ours"]
    w1, w2, w3 = ours["w1"], ours["w2"], ours["w3"]
    least = (w1["own_cpu"] + w1["server_cpu"]) / result["cores"]
    return [
        "What limits those that are not met:",
        "",
        f"- **w1**: the processors. {w1['own_cpu']:.1f} s of ours and {w1['server_cpu']:.1f} s of PostgreSQL's are {least:.1f} s on",
        f"  {result['cores']} cores before the source has any, of {w1['seconds']:.1f} s. About half of PostgreSQL's are the roll-ups, which the other",
        "  programs do not have: their reports would pay for them each time. Commits follow each other in the thread that decides;",
        "  committing beside it would use what is idle, at the price of proofs that are not yet stored.",
        f"- **w2**: Python's start. The {w2['requests']:.0f} requests and the transactions take a tenth of the {w2['seconds']:.2f} s.",
        f"- **w3**: {w3['requests']:.0f} requests, and each of the {result['calls']:,} calls is compared with its stored version, by",
        "  which deletions are found as well; the others find none. As each page decides the next one, pages do not overlap.",
        "- **The questions**: 7 and 8 of the README look for the other calls of each call's number when they are asked. Kept by call,",
        "  they would have to be written again with each later call of the number. The report is two dozen queries in one",
        "  snapshot, none of them much over 40 ms.",
        "",
    ]


def _reading(result: dict[str, Any]) -> list[str]:
    """Return what reading alone costs, with other clients."""
    if "read" not in result:
        return []
    return [
        "The same answers fetched and parsed, nothing kept:",
        "",
        "| client | seconds | CPU s |",
        "| --- | ---: | ---: |",
        *(f"| {kind} | {one['seconds']:.1f} | {one['own_cpu']:.1f} |" for kind, one in result["read"].items()),
    ]


def _disk(result: dict[str, Any]) -> list[str]:
    """Return the bytes of each table, for each of its calls or segments."""
    ours = result["ours"]
    calls, segments = result["calls"], ours["stored"]["segments"]
    rows = sorted(ours["disk"].items(), key=lambda one: -one[1])
    return [
        "Disk after it, indexes included (why something stands twice: docs/architecture.md):",
        "",
        "| table | MB | bytes per call | bytes per segment |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| `{name}` | {size / 1e6:.1f} | {size / calls:.0f} | "
            f"{f'{size / segments:.0f}' if name == 'truedy.transcript_segments' else ''} |"
            for name, size in rows
            if size >= 400_000
        ),
    ]
