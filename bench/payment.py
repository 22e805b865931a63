"""How much payment data is found in transcripts, and how much else is taken for it: recall and precision on the corpus of
payment_corpus.py, and the speed.

    python -m bench.payment [--each N] [--seed N]
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import common
from bench.payment_corpus import HARD, NEGATIVES, POSITIVES, transcripts
from replicator.archive.payment.payment_data import find
from replicator.archive.payment.payment_rules import Rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.payment_corpus import Gold, Sample
    from replicator.archive.payment.payment_data import Found

PAGE = Path(__file__).resolve().parents[1] / "docs" / "archive-payment.md"
RESULT = common.RESULTS / "payment.json"
EACH = 1000
SEED = 14


def is_hidden(gold: Gold, found: list[Found]) -> bool:
    """Say whether every character that must not be readable is hidden by what was found."""
    return all(
        any(
            one.position == part.position and one.start <= part.start and part.hidden_end <= one.masked_end
            for one in found
        )
        for part in gold.parts
    )


def is_right(one: Found, sample: Sample) -> bool:
    """Say whether a finding lies on payment data."""
    return any(
        part.position == one.position and one.start < part.hidden_end and part.start < one.end
        for gold in sample.gold for part in gold.parts
    ) or (one.masked_end == one.start and bool(sample.gold))  # fmt: skip


def measure(seed: int, each: int) -> dict[str, Any]:
    """Return recall by form and kind, precision, and false alarms by kind of number."""
    rules = Rules()
    asked, hidden, kinds, kinds_hidden, alarms = (
        Counter[str](),
        Counter[str](),
        Counter[str](),
        Counter[str](),
        Counter[str](),
    )
    findings = right = characters = 0
    seconds = 0.0
    for sample in transcripts(seed, each):
        begun = time.perf_counter()
        found = find(sample.texts, rules)
        seconds += time.perf_counter() - begun
        characters += sum(len(text.text) for text in sample.texts)
        for gold in sample.gold:
            good = is_hidden(gold, found)
            asked[sample.name] += 1
            hidden[sample.name] += good
            if sample.name not in HARD:
                kinds[gold.kind] += 1
                kinds_hidden[gold.kind] += good
        correct = sum(is_right(one, sample) for one in found)
        findings += len(found)
        right += correct
        if not sample.gold:
            alarms[sample.name] += bool(found)
    usual = [name for name in POSITIVES if name not in HARD]
    return {
        "seed": seed,
        "transcripts": each * (len(POSITIVES) + len(NEGATIVES)),
        "recall": round(sum(hidden[name] for name in usual) / sum(asked[name] for name in usual), 4),
        "recall_by_kind": {kind: round(kinds_hidden[kind] / count, 4) for kind, count in sorted(kinds.items())},
        "recall_by_form": {name: round(hidden[name] / asked[name], 4) for name in POSITIVES},
        "known_to_be_missed": sorted(HARD),
        "precision": round(right / findings, 4),
        "false_alarms_by_kind": {name: round(alarms[name] / each, 4) for name in NEGATIVES},
        "megabytes_a_second": round(characters / seconds / 1e6, 2),
    }


def figures(result: dict[str, Any]) -> dict[str, str]:
    """Return the rows of the page's table."""
    kinds, forms = result["recall_by_kind"], result["recall_by_form"]
    values = {
        "recall of the usual forms": result["recall"],
        "of card numbers": kinds["card_number"],
        "of security codes": kinds["security_code"],
        "of expiry months": kinds["expiry"],
        "precision: findings that are right": result["precision"],
        "an id of 16 digits, without a word that says what it is, taken for a card number": result[
            "false_alarms_by_kind"
        ]["id of 16 digits, nothing said of it"],
        "found if the speaker corrects a digit in the middle": forms["corrected in the middle"],
        'found if speech recognition wrote "for" and "to" for four and two': forms["homophones (for, to, ate)"],
    }
    return {name: f"{100 * value:.2f} %" for name, value in values.items()}


def write_page(result: dict[str, Any]) -> None:
    """Write the figures into the page."""
    text = PAGE.read_text(encoding="utf-8")
    for name, value in figures(result).items():
        text = re.sub(rf"(?m)^\| {re.escape(name)} \| .* \|$", f"| {name} | {value} |", text)
    text = re.sub(
        r"on \S+ synthetic transcripts \(seed \S+\)",
        f"on {result['transcripts']:,} synthetic transcripts (seed {result['seed']})",
        text,
    )
    PAGE.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=EACH)
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args(list(arguments))
    result = measure(chosen.seed, chosen.each)
    print(f"{result['transcripts']:,} transcripts, seed {result['seed']}")
    print(f"recall {result['recall']:.2%}, precision {result['precision']:.2%}, {result['megabytes_a_second']} MB/s")
    for title in ("recall_by_kind", "recall_by_form", "false_alarms_by_kind"):
        print(title.replace("_", " ") + ":")
        for name, value in result[title].items():
            print(f"  {value:>8.2%}  {name}")
    if chosen.each == EACH and chosen.seed == SEED:
        common.write("payment", result)
        write_page(result)


if __name__ == "__main__":
    main(sys.argv[1:])
