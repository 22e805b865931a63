"""List requests of a certified walk beside those of naive paging, which loses rows; with and without churn and ties."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean

from bench import common

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "sync"))
from simulated import History, Shape

CALLS, SEEDS = 9_990, 5
SHAPES = {
    "quiet": Shape(calls=CALLS),
    "ties of up to 10, half of the instants": Shape(calls=CALLS, tie_share=0.5, largest_tie=10),
    "ties of up to 30, half of the instants": Shape(calls=CALLS, tie_share=0.5, largest_tie=30),
    "a creation or a deletion with each request": Shape(calls=CALLS, churn=1.0),
}


def main() -> None:
    table = []
    for name, shape in SHAPES.items():
        counts, problems = [], 0
        for seed in range(SEEDS):
            history = History(seed, shape).run()
            problems += sum("missing" in problem for problem in history.check())
            counts.append(history.list_requests)
        naive = -(-CALLS // 100)
        row = {"source": name, "requests": round(mean(counts), 1), "naive": naive, "lost": problems}
        table.append({**row, "overhead": round(mean(counts) / naive - 1, 3)})
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
