"""docs/promises.md: each promise in precise words, what is not promised, and the tests that prove it.

Figures come from bench/results; a test compares the page with what this makes, and sees that each test it names exists.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from bench.common import RESULTS
from replicator.sync.engine.freshness import credit_pass_seconds

PAGE = Path(__file__).resolve().parents[1] / "docs" / "promises.md"


class Promise(NamedTuple):
    """One promise. `tests` are files, or file::test."""

    title: str
    promised: str
    not_promised: str
    tests: tuple[str, ...]


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def promises() -> list[Promise]:
    deletions = {(row["calls"], row["deletions"]): row for row in load("deletions")["table"]}
    paging = {row["source"]: row for row in load("paging")["table"]}
    service, memory, renewal = load("service"), load("memory"), load("renewal")["table"]
    one, ten = deletions[1_000_000, 1], deletions[1_000_000, 10]
    quiet, churn = paging["quiet"], paging["a creation or a deletion with each request"]
    ties = paging["ties of up to 30, half of the instants"]
    both = paging["ties of up to 30, and a creation or a deletion with each request"]
    largest = memory["sizes"][-1]
    return [
        Promise(
            "Nothing that was observed is lost",
            "Once a batch of answers is committed, its rows survive kill, crash and restart. Rows and the coverage that they "
            "prove are committed together or not at all, so the next run continues where a killed one stopped.",
            "Calls that were created and deleted between two comparisons; contents that changed again before the next comparison.",
            (
                "tests/sync/test_kills.py::test_hundreds_of_kills_lose_nothing",
                "tests/sync/test_crash.py::test_a_database_that_is_killed_and_restarted_loses_nothing",
                "tests/sync/test_cuts.py",
                "tests/sync/engine/test_histories.py::test_many_histories_end_well",
            ),
        ),
        Promise(
            "Completeness is proven, not assumed",
            "Every call that was in the source's list when a time range was verified, and was created inside a range that is "
            "*proven*, is stored. Other ranges are *unsure*, with the reason. Overlap costs "
            f"{quiet['overhead']:.1%} more requests than naive paging on a quiet list, {churn['overhead']:.1%} with a creation "
            f"or a deletion at each request, and {ties['overhead']:.1%} where half of all instants hold up to 30 calls; for "
            f"a list that does not change, no proof needs fewer. With both at once it is {both['overhead']:.1%}.",
            "A proof where the source gives none: no order, no total, ties as large as a page that no filter splits, a cap. "
            "A capped list is proven where the source honours `created_before`. Where it does not, every combination of status, "
            "direction and agent is read, and the range stays unsure. "
            "A list that ends at a multiple of 500 is believed only when nothing is listed below its end by `created_before`, or "
            "its slices by status, direction or agent add up to it. Any other list of 500 "
            "or more calls is checked once a day by `created_before`, or, if that is ignored, by status, direction and up to "
            "20 agents, and counts as capped if these hold "
            "more than 50 calls beyond its own total. A cap that hides fewer calls, or hides them in every slice, is not noticed, "
            "nor is any cap of a source that ignores filters. A first look at an account that lists no call is called unsure until a call "
            "is seen.",
            (
                "tests/sync/engine/test_list_histories.py::test_many_histories_lose_nothing",
                "tests/sync/engine/test_histories.py::test_many_histories_end_well",
                "tests/sync/coverage/test_partitions.py",
                "tests/sync/coverage/test_facets.py::test_many_hostile_lists_lose_nothing",
                "tests/sync/coverage/test_ledger.py",
                "tests/sync/deletions/test_deletions.py::test_a_first_look_at_an_account_that_looks_empty",
            ),
        ),
        Promise(
            "At least the latest version",
            "After a change the row is updated to the source's content: at the latest within the bound of its age class "
            "(REPLICATOR_RENEWAL), and usually within one pass over the list with the requests that nothing else needs "
            f"(REPLICATOR_RENEWAL_SHARE, {renewal[0]['share']:g}). At {renewal[0]['limit_a_minute']} requests a minute, beside "
            f"the transcripts of new calls, 95 % of changes of calls of any age were seen within {_delays(renewal)} (simulated). "
            "A newer observation is "
            "never overwritten by an older one, in whatever order answers come; every observed content is kept. If the "
            "source's own time stamps lie in the future, or go back and stay there, the order of our requests decides, and this is reported. A transcript or "
            "recording counts as absent after three requests over at least a day, past its deadline (7 days unless set otherwise), and not "
            "while far more of them are missing than usual; an empty answer replaces nothing.",
            "Contents that changed again before the next comparison; a fixed delay that is independent of the number of calls and of the "
            "rate limit. While history and its transcripts are read, there may be no requests for a pass; then only the bound of each "
            "class holds. `analytics.update_delay` computes both, beside the achieved delay. Rows that cannot be read cost requests at "
            "each comparison, and make a pass longer. A transcript that came, or was replaced, without a sign of it in the row: "
            "`updated_at` is null, or did not move more than five minutes past our last request. An "
            "outage of more than two days that answers 404, if the account is too new for a usual rate of missing ones, or if few calls are affected.",
            (
                "tests/store/test_order.py::test_order_and_repetition_do_not_matter",
                "tests/sync/content/test_stamps.py",
                "tests/sync/content/test_calls.py",
                "tests/sync/engine/test_freshness.py",
                "tests/sync/engine/test_credit.py",
                "tests/sync/test_comparing.py",
                "tests/sync/test_absent_details.py",
                "tests/sync/engine/test_histories.py::test_transcripts_are_what_the_source_has",
                "tests/sync/engine/test_histories.py::test_the_simulation_sees",
            ),
        ),
        Promise(
            "New calls are prompt, even while a long history is read",
            f"With {service['backlog_calls']:,} calls of history at {service['limit_a_minute']} requests a minute, a call and its "
            f"transcript are stored {service['p50_seconds']} s (p50) and {service['p95_seconds']} s (p95) after the source has "
            f"them, while history gets {service['history_share_of_the_rest']:.1%} of the rest of the budget (simulated).",
            "The same if the rate limit allows fewer requests than new calls need.",
            ("tests/sync/engine/test_freshness.py",),
        ),
        Promise(
            "Deletions: late, but never invented",
            "A call is marked deleted after two 404s by id, ten minutes apart, each between two answers for a call that exists; "
            "never because of an error, an empty page, a filter, a resumed reading or another key. More than max(20, 1 %) at a "
            "time wait for the operator. The tombstone is an interval, and nothing is removed. That nothing was deleted is seen with one "
            f"request; one deletion among 1,000,000 calls is found with {one['mean']} (at most {one['most']}), ten with {ten['mean']} "
            f"(at most {ten['most']}).",
            "The instant or the author of a deletion. A source that shows a call as gone, twice, while it answers for others, "
            "is believed; if the call comes back, it is no longer deleted, and both facts are kept.",
            (
                "tests/sync/deletions/test_deletions.py",
                "tests/sync/deletions/test_rules.py",
                "tests/sync/deletions/test_bisect.py::test_requests_for_deletions_among_a_million",
                "tests/sync/engine/test_histories.py::test_many_histories_end_well",
            ),
        ),
        Promise(
            "Only the account that is stored",
            "A replica that holds calls writes nothing before the source has shown one of them, in its first page or by id. An "
            "empty account, another key and another base URL end the run, and nothing is inferred. Where several keys are given, "
            "each has to show such a call before anything else is asked through it. If nothing is stored, the first page "
            "is taken at its word, and the other keys have to show a call that it lists.",
            "Recognition after every remembered call was deleted: then the operator confirms it, with `sync --same-account`.",
            (
                "tests/sync/deletions/test_deletions.py::test_another_account_is_not_written",
                "tests/sync/deletions/test_deletions.py::test_an_empty_account_that_is_none",
                "tests/sync/deletions/test_deletions.py::test_no_key_of_another_account_is_written",
                "tests/sync/deletions/test_deletions.py::test_keys_of_two_accounts_are_not_mixed_in_an_empty_replica",
            ),
        ),
        Promise(
            "The budget is kept",
            "Never more requests than the limit in any window of the server's clock, counting retries, restarts and several "
            "processes; after a refusal nothing before its `reset_at`.",
            "Requests that other programs make with the same key; a machine whose clock is set while a process starts may "
            "cost one request too many. Where two commands use one key at a window's border (`serve` and `verify`), each knows of the "
            "other's requests under way (8 at most) only when they are answered: the headroom (5 of 100) covers most of them.",
            (
                "tests/budget/test_rules.py",
                "tests/budget/test_a_day.py",
                "tests/budget/test_durable.py",
                "tests/sync/test_run.py::test_the_limit_is_never_exceeded",
                "tests/sync/test_kills.py::test_killed_and_paused_processes_stay_inside_the_limit",
                "tests/sync/test_kills.py::test_hundreds_of_kills_lose_nothing",
            ),
        ),
        Promise(
            "Repeating is harmless",
            "Any command may be repeated or interrupted. A sync of an up-to-date replica sends at most two list requests and "
            "writes no row of the mirror.",
            "-",
            (
                "tests/sync/test_run.py::test_a_second_sync_asks_twice_at_most_and_writes_no_row",
                "tests/store/test_order.py::test_the_same_again_writes_nothing",
            ),
        ),
        Promise(
            "Bad input is contained",
            "If a value cannot be read, only its field is missing: the call, its status, times and cost count, and the field's "
            "bytes are kept and named. A row without an identity never stops the other 99; its bytes are kept, can be listed and "
            'read again. Every usual form of instants, money, durations and of "not known" is read; an ambiguous value is '
            "named and not guessed. Whatever the source answers, a run ends: it makes at most 400 list requests, plus 8 for each page of "
            "calls and as many as by id; by id at most 1,000, plus 8 for each call. A row that "
            "breaks its page is isolated once, costs later polls nothing, and is tried again each hour. Unknown "
            "fields and words are kept. Decompressed size, depth and digits have limits, and memory does not grow with the account: "
            f"{largest['peak_megabytes']} MB for {largest['calls']:,} calls.",
            "The meaning of fields that we do not know. Neighbours of a row that breaks its page are read, but rows of the "
            "very same instant only by chance.",
            (
                "tests/test_quarantine.py",
                "tests/test_limits.py",
                "tests/source/test_forms.py",
                "tests/source/test_instants.py",
                "tests/source/test_amounts.py",
                "tests/source/test_unknowns.py",
                "tests/sync/test_hostile_rows.py",
                "tests/budget/test_run_bound.py",
                "tests/sync/test_observed.py",
                "tests/sync/coverage/test_narrowing.py",
                "tests/store/test_exact.py",
                "tests/sync/engine/test_histories.py::test_a_row_that_cannot_be_read_costs_a_poll_nothing",
                "tests/sync/test_run.py::test_a_poisoned_row_costs_a_poll_nothing",
            ),
        ),
        Promise(
            "Money is exact",
            "Amounts go from the response's digits to `numeric` without binary floating point.",
            "That the vendor's amounts are right.",
            ("tests/store/test_exact.py", "tests/store/test_order.py::test_cost_keeps_every_digit"),
        ),
        Promise(
            "One writer for each account",
            "A process that was suspended cannot write after another one took over, even behind a transaction pooler. Services of several "
            "accounts on one database work side by side, and none affects the data of another.",
            "-",
            (
                "tests/store/test_pooler.py",
                "tests/store/test_lease_and_schema.py",
                "tests/store/test_accounts_apart.py",
                "tests/sync/test_accounts.py",
                "tests/sync/test_two_accounts.py",
            ),
        ),
        Promise(
            "What we say is tested",
            "Each promise names its tests; figures on this page come from result files. Known bugs are planted one by one, and "
            "the suite goes red for each.",
            "-",
            ("tests/test_planted.py", "tests/test_house.py"),
        ),
        Promise(
            "Faults heal without repair",
            "A database that is away, locked, full, restarted, or set back to an earlier state; a clock that is set; a process "
            "that was stopped, hangs, or is killed by one answer: when the fault ends, or the process is started again, the replica "
            "becomes equal to the source again, and nobody has to repair anything. A service that hangs ends itself within "
            "`REPLICATOR_HANG_SECONDS`; after three deaths in a row, answers are read in a separate process, and the one that kills it "
            "is left out.",
            "Deletions of calls that were stored only in the lost part of a database. A database that is set back by less than a rate window "
            "has forgotten charges of that window: a running sync charges them again, a program that starts then cannot. Deaths "
            "that are caused after an answer was read.",
            (
                "tests/sync/test_restored.py",
                "tests/sync/test_full_disk.py",
                "tests/service/test_schedule.py",
                "tests/sync/test_crash_loop.py",
                "tests/sync/test_database_faults.py",
                "tests/store/test_bloat.py",
                "tests/sync/test_calendar.py",
            ),
        ),
        Promise(
            "Reports are never behind what is stored",
            "A report reads up-to-date days from the roll-ups and every other day from the calls, in one statement: after each write, "
            "refreshed or not, its numbers equal a count of all calls. A change of the time zone, a stage or another rule is "
            "in every report at once. Every rate has its numerator and denominator beside it, and every sum of costs the pending ones.",
            "Speed while many days are out of date: after a rule was changed, or during a first sync, their calls are counted for "
            "each question until the roll-ups are refreshed.",
            (
                "tests/sql/test_rollups.py::test_reports_are_right_after_every_step",
                "tests/sql/test_rollups.py::test_an_independent_count_agrees",
                "tests/sql/test_reports.py",
                "tests/sql/test_layers.py",
                "tests/sql/test_checks.py",
            ),
        ),
        Promise(
            "Least exposure",
            "A reader sees views without numbers, texts or transcripts: masks of at most two characters at each end, and "
            "pseudonyms under a secret that is not in the database. docs/roles.md says who may do what; a test tries every right.",
            "Inference from aggregates; the database's owner and superusers.",
            ("tests/store/test_roles.py", "tests/sql/test_views_catalogue.py", "tests/report/test_browser.py"),
        ),
    ]


def _delays(table: list[dict[str, Any]]) -> str:
    """Return the measured delays in words: "4.6 minutes among 10,000 calls, …"."""
    return ", ".join(f"{row['p95_minutes']:g} minutes among {row['calls']:,} calls" for row in table)


BUDGETS = (95.0, 300.0, 1000.0)
"""Requests a minute that we may send, for the table of delays."""


def delay_table(table: list[dict[str, Any]]) -> list[str]:
    """Return the table of delays by number of calls and budget: measured where it was simulated, else computed."""
    share = table[0]["share"]
    lines = [
        "## How soon a change of any call is seen",
        "",
        "While no other lane needs the requests, one pass over all calls takes the time in this table (computed: pages of",
        f"96 new rows and 50 requests more, at {share:g} of the budget); a change is seen within one pass. Measured is the time until",
        "a change was stored, in virtual time, beside 2 new calls a minute with their transcripts (`python -m bench.renewal`).",
        "",
        "| calls | " + " | ".join(f"one pass at {budget:g} requests a minute" for budget in BUDGETS)
        + " | measured at 95: median | 95th percentile | longest | bar |",
        "| ---: |" + " ---: |" * (len(BUDGETS) + 4),
    ]  # fmt: skip
    for row in table:
        computed = [credit_pass_seconds(row["calls"], budget, share) or 0.0 for budget in BUDGETS]
        measured = (row["p50_minutes"], row["p95_minutes"], row["longest_minutes"], row["bar_minutes"])
        cells = [_minutes(one / 60) for one in computed] + [_minutes(one) for one in measured]
        lines.append(f"| {row['calls']:,} | {' | '.join(cells)} |")
    return [*lines, ""]


def _minutes(minutes: float) -> str:
    return f"{minutes:.1f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def render() -> str:
    lines = [
        "# Promises",
        "",
        "Made by `python -m bench.promises` from the figures in `bench/results`; a test compares the two, and sees that each test",
        "named here exists. *Observed* means: returned in a response that was committed.",
        "",
    ]
    for number, one in enumerate(promises(), start=1):
        tests = ", ".join(f"`{test}`" for test in one.tests)
        lines += [f"## {number}. {one.title}", "", one.promised, ""]
        lines += [f"*Not promised:* {one.not_promised}", ""] if one.not_promised != "-" else []
        lines += [f"*Proof:* {tests}", ""]
    lines += delay_table(load("renewal")["table"])
    return "\n".join(lines)


def main() -> None:
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
