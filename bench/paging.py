"""List requests of a certified walk beside those of naive paging, which loses rows; with and without churn and ties."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean

from bench import common
from tests.sync.fix_list_history import History, Shape

CALLS, SEEDS, PAGE = 9_990, 5, 100
QUIET = Shape(calls=CALLS, has_details=False, churning_requests=10_000)
TIES = replace(QUIET, tie_share=0.5, largest_tie=30)
SHAPES = {
    "quiet": QUIET,
    "ties of up to 10, half of the instants": replace(TIES, largest_tie=10),
    "ties of up to 30, half of the instants": TIES,
    "a creation or a deletion with each request": replace(QUIET, churn=1.0),
    "four creations or deletions with each request": replace(QUIET, churn=4.0),
    "ties of up to 30, and a creation or a deletion with each request": replace(TIES, churn=1.0),
}


def least(history: History) -> int:
    """Return the fewest pages that any proof of this list needs, if it stood still and its ties were known beforehand: each
    page but the first begins one row above the group in which the one before ended, and one more shows that it was the last.
    """
    created = sorted((life.created_at for life in history.lives.values()), reverse=True)
    pages, behind = 1, PAGE
    while behind < len(created):
        group = created.index(created[behind - 1])
        pages, behind = pages + 1, group - 1 + PAGE
    return pages + 1


def main() -> None:
    table = []
    for name, shape in SHAPES.items():
        counts, fewest, problems = [], [], 0
        for seed in range(SEEDS):
            history = History(seed, shape)
            fewest.append(least(history))
            problems += sum("missing" in problem for problem in history.run().check())
            counts.append(history.list_requests)
        naive = -(-CALLS // PAGE)
        row = {"source": name, "requests": round(mean(counts), 1), "naive": naive, "lost": problems}
        overheads = {"overhead": mean(counts) / naive - 1, "least_overhead": mean(fewest) / naive - 1}
        table.append({**row, **{key: round(value, 3) for key, value in overheads.items()}})
    result = {
        "what": "list requests of a whole walk, mean of the seeds",
        "calls": CALLS,
        "seeds": SEEDS,
        "table": table,
    }
    common.write("paging", result)
    print(result)


if __name__ == "__main__":
    main()
