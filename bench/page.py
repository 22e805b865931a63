"""docs/measurements.md, made from the result files and from nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench import peers_page

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "measurements.md"


LEAST_SHARE, MOST_SHARE = 0.5, 1.15


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def render() -> str:
    write, sync, memory, simulator = (load(name) for name in ("write_path", "sync", "memory", "simulator"))
    service, paging, deletions = load("service"), load("paging"), load("deletions")
    found = {(row["calls"], row["deletions"]): row for row in deletions["table"]}
    numbers = sorted({row["deletions"] for row in deletions["table"]})
    rows = write["rows"]
    lines = [
        "# Measurements",
        "",
        "Made by `make bench` from the files in `bench/results`; a test compares the two. Medians of several rounds in one",
        f"run each, on a machine with {sync['cores']} cores that other work shared, Python {sync['python']}: believe the",
        "ratios more than the rates.",
        "",
        "## The write path: parsed records to committed rows",
        "",
        f"{rows['calls']:,} calls with {rows['call_versions']:,} versions, {rows['transcript_segments']:,} segments,",
        f"{rows['transcripts']:,} transcripts and {rows['recordings']:,} recordings, raw payloads included, in durable",
        "batches as a run commits them, beside one bare `COPY` of the same rows into the same tables.",
        "",
        "| | |",
        "| --- | ---: |",
        f"| calls a second | {write['calls_per_second']:,} |",
        f"| segments a second | {write['segments_per_second']:,} |",
        f"| seconds, ours | {write['seconds']} |",
        f"| seconds, bare COPY | {write['bare_copy_seconds']} |",
        f"| share of the speed of a bare COPY (target 0.5{'' if write['share_of_bare_copy'] >= LEAST_SHARE else ': not met'}) | "
        f"{write['share_of_bare_copy']} |",
        f"| the rounds | {', '.join(str(share) for share in write['shares'])} |",
        f"| the same share, without the triggers that tell the roll-ups | {write['share_without_triggers']} |",
        f"| time with those triggers over time without | {write['time_with_triggers_over_without']} |",
        f"| seconds of own CPU, ours and the bare COPY | {write['own_cpu_seconds']}, {write['bare_own_cpu_seconds']} |",
        "",
        "What limits it: the bare COPY sends rows that are ready, all in one transaction. Ours has to decide first: it reads what is",
        "stored of each call, compares, and makes the versions, the rows of what is to be asked for, and the books of the run. That",
        "is done in one thread, which waits for the server's part in between.",
        "",
        "## A whole fresh sync beside a bare client",
        "",
        f"{sync['calls']:,} calls and {sync['segments']:,} segments by {sync['requests']:,} requests on {sync['workers']} threads,",
        "the rate limit off, beside two bare clients that make the same requests on as many threads, parse them, and keep",
        "nothing: httpx as it comes with `json`, and our own transport and parser.",
        "",
        "| | |",
        "| --- | ---: |",
        f"| seconds, sync | {sync['seconds']} |",
        f"| seconds, bare client of plain httpx | {sync['plain_httpx_seconds']} |",
        f"| ratio to plain httpx (target 1.25) | {sync['ratio_to_plain_httpx']} |",
        f"| the rounds | {', '.join(str(ratio) for ratio in sync['ratios_to_plain_httpx'])} |",
        f"| seconds, bare client of our own | {sync['bare_seconds']} |",
        f"| ratio to our own (target 1.25: not met) | {sync['ratio']} |",
        f"| the rounds | {', '.join(str(ratio) for ratio in sync['ratios'])} |",
        f"| requests a second | {sync['requests_per_second']:,} |",
        "",
        "What limits it: one Python process. Requests, parsing, deciding and the formatting of rows share one interpreter",
        "lock, so what a sync does beside its requests comes on top of them; only PostgreSQL's own work is hidden behind. A",
        "second process for the requests would hide more, at twice the memory and for nobody's use: at the real limit of 100",
        "requests a minute the process is idle more than 99 % of the time.",
        "",
        "## Memory, and requests per call",
        "",
        "One `replicator sync` of an empty replica. Memory must not grow with the account, and stays under 200 MB.",
        "",
        "| calls | segments | peak memory | requests | per call | of them lists, per call | hours at 100 a minute |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {size['calls']:,} | {size['segments']:,} | {size['peak_megabytes']} MB | {size['requests']:,} | "
        f"{size['requests_per_call']} | {size['list_requests_per_call']} | {size['hours_at_100_per_minute']} |"
        for size in memory["sizes"]
    ]
    lines += [
        "",
        "Listing costs a hundredth of a request a call; nearly all requests are transcripts and recordings of connected",
        "calls. New calls, their transcripts and recordings go first, so a replica is useful long before it is complete.",
        "",
        "## What is new, while history is read",
        "",
        f"The service in virtual time, {service['hours']:g} hours of it: {service['backlog_calls']:,} older calls to be read at",
        f"{service['limit_a_minute']} requests a minute, of which {service['allowed_a_minute']} are ours, a poll each minute,",
        f"{service['calls_a_minute']:g} new calls a minute, transcripts some tens of seconds after a call's end. The product's",
        "planner, ledger, budget and details policy, against a source that is arithmetic.",
        "",
        "| | |",
        "| --- | ---: |",
        f"| seconds from when the source has call and transcript until both are stored, median | {service['p50_seconds']} |",
        f"| the same, 95th percentile (target 120: two polls) | {service['p95_seconds']} |",
        f"| the longest of {service['judged_transcripts']:,}; never stored: {service['never_stored']} | {service['longest_seconds']} |",
        f"| seconds from a call's end until that is stored, median and 95th percentile | {service['end_p50_seconds']}, {service['end_p95_seconds']} |",
        f"| share of what new calls leave of the budget that history gets (target 0.95) | {service['history_share_of_the_rest']} |",
        f"| requests a minute, of {service['allowed_a_minute']} | {service['used_a_minute']} |",
        f"| requests over the limit | {service['over_the_limit']} |",
        "| longest wait of a lane that has work, in seconds | "
        + ", ".join(f"{lane} {wait}" for lane, wait in service["longest_wait_seconds"].items())
        + " |",
        f"| simulated days a second | {service['simulated_days_a_second']} |",
        "",
        "## Certified paging beside naive paging",
        "",
        f"List requests of a whole walk over {paging['calls']:,} calls (simulated, mean of {paging['seeds']} seeds; the list moves",
        "until the walk is over). Naive paging is what everybody does; it loses rows in all but the quiet list. The least is what",
        "any proof needs of the list as it was at first, if nothing moved: a page must begin above the group of equal instants in",
        "which the one before ended. The target is 15 %.",
        "",
        "| source | naive | ours | overhead | least overhead | calls lost by ours |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {row['source']} | {row['naive']} | {row['requests']} | {row['overhead']:.1%} | {row['least_overhead']:.1%} | "
            f"{row['lost']} |"
            for row in paging["table"]
        ),
        "",
        "## Finding deletions",
        "",
        "List requests that find all deletions, mean and worst of the seeds, beside a full pass. Each deletion is then asked",
        "for twice by id, between controls.",
        "",
        "| calls | full pass | " + " | ".join(f"{n} deleted" for n in numbers) + " |",
        "| ---: | ---: |" + " ---: |" * len(numbers),
        *(
            f"| {calls:,} | {calls // deletions['page']:,} | "
            + " | ".join(f"{found[calls, n]['mean']} ({found[calls, n]['most']})" for n in numbers)
            + " |"
            for calls in sorted({row["calls"] for row in deletions["table"]})
        ),
        "",
        *archive(load("archive"), load("payment")),
        "",
        *money(load("reconcile"), load("reconcile_match")),
        "",
        *reports(load("reports"), load("reports_debian")),
        "",
        *ordinary(load("ordinary_server")),
        "",
        *peers(),
        "## The simulated source",
        "",
        f"{simulator['requests_per_second']:,} transcript requests a second on one core ({simulator['client']}): it is not what is measured.",
        "",
    ]
    return "\n".join(lines)


def archive(found: dict[str, Any], payment: dict[str, Any]) -> list[str]:
    """Return the section about the archive."""
    share = found["time_on_over_off"]
    views = ", ".join(f"`{name}` {ms}" for name, ms in found["views_p95_ms"].items())
    return [
        "## The archive",
        "",
        f"A fresh sync of {found['calls']:,} calls with the archive off and on in turn, {found['records']:,} records sealed",
        "(`python -m bench.archive`). A chain of a million records verified: the chain, and every content against what is stored.",
        "",
        "| | |",
        "| --- | ---: |",
        f"| seconds, off and on, the rate limit off | {found['seconds_off']}, {found['seconds_on']} |",
        f"| time on over off, median of the pairs (target 1.15{'' if share <= MOST_SHARE else ': not met'}) | {share} |",
        f"| the same at {found['limited_requests_a_second']} requests a second, {found['limited_calls']:,} calls | "
        f"{found['limited_time_on_over_off']} |",
        f"| WAL on over off (target 1.15) | {found['wal_on_over_off']} |",
        f"| seconds to verify {found['verified_records']:,} records (target 60) | {found['verify_seconds']} |",
        f"| memory that it takes, MB more than before | {found['verify_memory_growth_mib']} |",
        f"| seconds to seal them late | {found['seal_late_seconds']} |",
        f"| the archive's views after a first sync of {found['viewed_calls']:,} calls, milliseconds, 95th percentile (target 100) | "
        f"{views} |",
        f"| payment data in {payment['transcripts']:,} synthetic transcripts: recall, precision | {payment['recall']:.2%}, "
        f"{payment['precision']:.2%} |",
        "",
        "What limits the time where nothing limits the requests: a sync is then bound by one processor, that of its interpreter.",
        "What the archive adds to it is the search of every text for payment data and the recording notice, and the contents,",
        "commitments and rows of the records; the database computes its hashes meanwhile. At sixty times the vendor's limit the time",
        "goes by while answers are waited for, and the archive costs none. Tried, with no gain: to have the threads that read answers",
        "look for payment data, and longer queues for them; all threads share the interpreter.",
    ]


def money(imported: dict[str, Any], matched: dict[str, Any]) -> list[str]:
    """Return the section about statements."""
    words = {"by_id": "by the vendor's ids", "by_numbers_and_times": "by numbers and times"}
    return [
        "## Statements",
        "",
        "A CSV statement imported (targets: a million lines in 120 seconds, flat memory), and its lines matched with as many calls",
        "(target: a million in 300 seconds). `python -m bench.reconcile`, `python -m bench.reconcile_match`.",
        "",
        "| lines | import, s | peak MB | "
        + " | ".join(f"matched {word}, s | peak MB" for word in words.values())
        + " |",
        "| ---: | ---: | ---: |" + " ---: | ---: |" * len(words),
        *(
            f"| {int(size):,} | {one['seconds']} | {one['peak_mb']} | "
            + " | ".join(
                f"{matched[kind][size]['seconds']} | {matched[kind][size]['megabytes_at_the_peak']}" for kind in words
            )
            + " |"
            for size, one in imported["import"].items()
        ),
        "",
        "Matching holds the lines and the calls of one month in memory, because the best partner of a line is known only when",
        "all are: about 1.1 GB for both sides of a month with a million calls.",
    ]


def reports(found: dict[str, Any], debian: dict[str, Any]) -> list[str]:
    """Return the section about the reports' views, on the embedded server and on Debian's."""
    touched = {row["question"]: row for row in found["touched"]}
    there = {pass_: {row["question"]: row["p95_ms"] for row in debian[pass_]} for pass_ in ("kept", "touched")}
    slow = [f"{name} ({most})" for name, most in there["touched"].items() if most > 100]
    filled, sizes = found["filled"], found["megabytes"]
    return [
        "## The reports",
        "",
        f"{found['calls']:,} calls and {found['segments']:,} segments over three years, made by SQL; 40 agents, 6 campaigns, 30",
        "numbers of ours. Each question is asked over one connection, warm, as a BI tool asks it. *Kept*: the roll-ups of every",
        f"day are up to date. *Touched*: a call of today was just written, so today's {found['calls_of_today']:,} calls are counted",
        "for each question. Milliseconds; the target is 100 at the 95th percentile. The last two columns are of",
        f"{debian['server']} (`python -m bench.reports --server debian --name reports_debian`).",
        "",
        "| question | kept, p50 | p95 | today touched, p50 | p95 | Debian: kept, p95 | touched, p95 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {row['question']} | {row['p50_ms']} | {row['p95_ms']} | {touched[row['question']]['p50_ms']} | "
            f"{touched[row['question']]['p95_ms']} | {there['kept'][row['question']]} | "
            f"{there['touched'][row['question']]} |"
            for row in found["kept"]
        ),
        "",
        f"Above the target on Debian's server while today is touched: {'; '.join(slow)}.",
        "What limits them: that server reads the",
        "table of statuses as a whole for each call of the day, as EXPLAIN shows; a refresh ends it, within a minute usually.",
        "`migrate` has turned JIT off for that database (docs/operations.md): with it on, each question is compiled first, which",
        "takes many times as long as running it.",
        "",
        f"Rows of kept days that differ from the definition, on five days over the span: {found['rows_that_differ']}.",
        "",
        "What it costs:",
        "",
        "| | |",
        "| --- | ---: |",
        f"| seconds to compute one day of all roll-ups anew ({found['calls'] // 1096:,} calls a day) | "
        f"{filled['refresh_seconds_a_day']:.2f} |",
        f"| seconds for a migration that makes all roll-ups anew, the conversations of all transcripts included | "
        f"{filled['migrate_with_conversations']:,.0f} |",
        *(f"| megabytes of `{name}`, indexes included | {size:,} |" for name, size in sizes.items() if size >= 50),
        "",
        "What was chosen from this:",
        "",
        "- **Roll-ups in tables by day, not materialized views**: a refresh touches the days that were written, not three",
        "  years, and a report reads what is not refreshed yet from the calls, in the same statement.",
        "- **Indexes** on the three instants that make a day (creation, start, end), each as the expression that the roll-up asks",
        "  for, so that a touched day is read by its index; and on a party with its instant, for attempts. Tables of roll-ups are",
        "  indexed by day and account alone: they are small, and every report asks for days.",
        "- **fillfactor** 90 for calls, 80 for the detail queues: updates stay on their pages (HOT) for four of five and more",
        "  (`tests/store/test_bloat.py`). No index stands on a column that moves with every change.",
        "- **No partitions**: a partitioned table's key must hold the partition's column, so a call could no longer be found or",
        "  replaced by its id alone; and reports do not read the calls. What partitions would give, dropping old months at once,",
        "  is what this archive must not do.",
    ]


def ordinary(found: dict[str, Any]) -> list[str]:
    """Return the section about a server that is not ours."""
    words = {
        "sync": "first sync",
        "questions": "the README's ten questions",
        "report": "the report",
        "status": "status",
    }
    most = {"sync": 1.3, "questions": 2, "report": 2, "status": 2}
    return [
        "## On a server as its package sets it up",
        "",
        f"A first sync of {found['calls']:,} calls, and right after it the README's questions as an analyst's tool asks them, the",
        f"report and `status`: PostgreSQL {found['server_version']} with jit {found['jit']} and its own settings, beside the",
        "embedded server, in turn (`python -m bench.ordinary_server URL`). Our statements say `jit = off`, and a sync makes the",
        "statistics of new tables; the questions are an analyst's and say nothing. Measured before `migrate` turned JIT off for a",
        "database of its own.",
        "",
        "| | seconds there | embedded | ratio | most |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {words[part]} | {found[part]['ordinary']} | {found[part]['embedded']} | {found[part]['ratio']} | {most[part]} |"
            for part in words
        ),
    ]


def peers() -> list[str]:
    """Return the section about what a user would use instead, of the servers on which it was measured."""
    found = {name: load(f"peers_{name}") for name in peers_page.NAMES if (RESULTS / f"peers_{name}.json").exists()}
    million = RESULTS / "peers_million.json"
    return [*peers_page.section(found, load("peers_million") if million.exists() else None), ""] if found else []


def main() -> None:
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
