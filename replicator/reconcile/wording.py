"""Says in lines of text what came of a matching, a month and a close. Pure; the same words everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replicator.reconcile import unsettled
from replicator.reconcile.amounts import digits_of, usd
from replicator.reconcile.bridge import SUMS, WORDS, StepCode
from replicator.reconcile.classes import CLASSES, Class, Note
from replicator.reconcile.lines import USD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from replicator.reconcile.closing import Closed
    from replicator.reconcile.month_matching import Matched
    from replicator.reconcile.showing import PartyMonth, Shown
    from replicator.reconcile.unsettled import Foreign

ALWAYS = frozenset({StepCode.OUR_SUM, StepCode.RESIDUE, StepCode.STATEMENT_TOTAL})


def bridge_lines(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the bridge as a column of amounts, as wide as they need; steps without an item are left out."""
    rows: list[tuple[StepCode, str, Decimal]] = []
    for step in steps:
        code = StepCode(step["step"])
        if not step["items"] and not step["amount_usd"] and code not in ALWAYS:
            continue
        if code is StepCode.LINES_SUM and not any(one["amount_usd"] for one in steps if one["step"] == "not_on_lines"):
            continue
        rows.append((code, f"{step['items']:,}", step["amount_usd"]))
    digits = max((digits_of(amount) for _, _, amount in rows), default=2)
    shown = [(code, items, usd(amount, with_sign=code not in SUMS, digits=digits)) for code, items, amount in rows]
    name, count, sum_ = (
        max((len(one) for one in column), default=0)
        for column in (
            (WORDS[code] for code, _, _ in shown),
            (items for _, items, _ in shown),
            (text for *_, text in shown),
        )
    )
    return [
        f"  {'=' if code in SUMS else ' '} {WORDS[code]:<{name}}  {items:>{count}}  {amount:>{sum_}}"
        for code, items, amount in shown
    ]


def matched(done: Matched) -> str:
    """Return what a matching found."""
    steps = [
        {"step": step.code.value, "items": step.items, "amount_usd": step.amount, "running_usd": step.running} for step in done.steps
    ]  # fmt: skip
    return "\n".join(
        [
            f"{done.party} {done.period}: {done.lines:,} lines and {done.calls:,} calls matched",
            "  " + ", ".join(f"{name} {count:,}" for name, count in done.classes.items()),
            *bridge_lines(steps),
            *_beside(done.foreign),
        ]
    )


def month(shown: Shown, share: Decimal) -> str:
    """Return the state of a month."""
    lines: list[str] = []
    for party in shown.parties:
        lines += _party(party, share)
    lines += [
        f"{party}: not matched yet; run: replicator reconcile match --period {shown.period}"
        for party in shown.unmatched
    ]
    return "\n".join([*lines, *_close(shown)])


def _party(one: PartyMonth, share: Decimal) -> list[str]:
    lines = [
        f"{one.party}, matched {one.matched_at:%Y-%m-%d %H:%M} UTC; the bridge, in US dollars:",
        *bridge_lines(one.bridge),
        *_beside(one.foreign),
    ]
    foreign = unsettled.in_words(one.foreign, only_open=True)
    for row in one.classes:
        about = CLASSES[Class(row["class"])]
        if row["open_items"]:
            left = f", {row['accepted_items']:,} accepted" if row["accepted_items"] else ""
            also = f" and {foreign}" if row["class"] == Class.OTHER_CURRENCY and foreign else ""
            lines.append(
                f"  {row['class']}: {row['open_items']:,} open{left}, {usd(row['open_usd'])}{also}. {about.meaning} {about.advice}"
            )
    lines += _items(one.items, one.open_items)
    if one.unreadable:
        lines.append(f"  {one.unreadable:,} lines cannot be read: correct the mapping and import again")
    if one.is_inverted:
        lines.append("  most charges are negative: the mapping's sign is probably wrong ([format] sign)")
    lines += [f"  out of date: {word}" for word in one.stale]
    state = "within" if one.is_within(share) else "ABOVE"
    also = f", and {foreign}" if foreign else ""
    lines.append(
        f"  open: {usd(one.open_usd)} of {usd(one.statement_usd)}{also}, {state} the tolerance of {share * 100:f} %"
    )
    return lines


def _beside(foreign: Sequence[Foreign]) -> list[str]:
    """Return the line about what is in no sum; none where everything is in US dollars."""
    text = unsettled.in_words(foreign)
    return [f"  in another currency, and in none of these sums: {text}"] if text else []


def _items(items: Sequence[Mapping[str, Any]], total: int) -> list[str]:
    lines = []
    for item in items:
        words = [item["item"], item["class"], usd(item["delta_usd"], with_sign=True)]
        if item["call_id"] is not None and ":" in item["item"]:
            words.append(f"call {item['call_id']}")
        if item["currency"] not in {None, USD} and item["stated_amount"] is not None:
            words.append(f"the line says {usd(item['stated_amount'])} {item['currency']}")
        if item["note"]:
            words.append(item["note"])
        if item["candidates"]:
            is_there = item["note"] == Note.BILLED_BEFORE
            words.append(f"{'on the statement of' if is_there else 'could be'} {item['candidates']}")
        lines.append("    " + "  ".join(words))
    if total > len(items):
        lines.append(f"    and {total - len(items):,} more: analytics.reconciliation_items")
    return lines


def _close(shown: Shown) -> list[str]:
    one = shown.close
    if one is None:
        return [f"{shown.period} is not closed"]
    again = f" (close {one.number}: {one.reason})" if one.number > 1 else ""
    lines = [
        f"{shown.period} was closed {one.closed_at:%Y-%m-%d %H:%M} UTC by {one.closed_by}{again}: {one.calls:,} calls, {usd(one.our_sum_usd)}"
    ]
    if one.doubts:
        lines.append(f"  closed in spite of: {'; '.join(one.doubts)} (reason: {one.anyway_reason})")
    if not shown.is_whole:
        lines.append("  THE FROZEN AMOUNTS WERE CHANGED: their hash differs from the hash of the close")
    lines += [
        f"  seen in {row['seen_period']}: {row['change']}, {row['calls']:,} calls, {usd(row['delta_usd'], with_sign=True)}"
        for row in shown.changes
    ]
    return lines


def closed(done: Closed) -> str:
    """Return what a close froze."""
    one = done.close
    if not done.is_new:
        return (
            f"{one.period} has been closed since {one.closed_at:%Y-%m-%d %H:%M} UTC (by {one.closed_by}); nothing was changed. "
            "To close it again: --reopen REASON"
        )
    lines = [
        f"{one.period} is closed (close {one.number}): {one.calls:,} calls, {usd(one.our_sum_usd)} US dollars",
        f"  sha256 {one.sha256}",
    ]
    if one.doubts:
        lines.append(f"  closed in spite of: {'; '.join(one.doubts)} (reason: {one.anyway_reason})")
    return "\n".join(lines)


__all__ = ["bridge_lines", "closed", "matched", "month", "usd"]
