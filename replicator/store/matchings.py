"""Reads a month's lines and calls for matching, and stores what came of it: items, bridge, and a person's decisions.

It does not interpret them: reconcile/ does. Rows are tuples in the order of the columns named here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from replicator.store.copying import copy_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    import psycopg

Row = tuple[Any, ...]

LINES = """
SELECT l.statement, l.number, l.line_id, l.call_id, l.provider_id, l.started_at, l.duration_seconds, l.from_number,
    l.phone_number, l.direction, l.amount, l.currency, l.kind, l.description
FROM billing.lines l
WHERE l.statement = ANY(%s) AND l.problem IS NULL
"""
UNREAD = "SELECT statement, number FROM billing.lines WHERE statement = ANY(%s) AND problem IS NOT NULL ORDER BY 1, 2"
CALLS = """
SELECT f.call_id, f.cost_usd,
    CASE WHEN f.cost_state = 'pending' AND f.cost_given_up_at < now() THEN 'given_up' ELSE f.cost_state END, f.created_at,
    f.started_at, f.ended_at, f.duration_seconds, c.from_number, c.phone_number, f.direction, f.agent_id, f.is_connected, f.is_deleted
FROM rollup.facts f
JOIN truedy.calls c ON c.id = f.call_id
WHERE f.account = %(account)s AND coalesce(f.ended_at, f.created_at, '-infinity') >= %(since)s
    AND coalesce(f.ended_at, f.created_at, '-infinity') < %(until)s
UNION ALL
SELECT f.call_id, f.cost_usd,
    CASE WHEN f.cost_state = 'pending' AND f.cost_given_up_at < now() THEN 'given_up' ELSE f.cost_state END, f.created_at,
    f.started_at, f.ended_at, f.duration_seconds, c.from_number, c.phone_number, f.direction, f.agent_id, f.is_connected, f.is_deleted
FROM (
    SELECT call_id AS id FROM billing.lines WHERE statement = ANY(%(statements)s) AND call_id IS NOT NULL
    UNION SELECT unnest(%(named)s::uuid[])
) n
JOIN truedy.calls c ON c.id = n.id
JOIN rollup.facts f ON f.call_id = c.id
WHERE f.account = %(account)s AND NOT (coalesce(f.ended_at, f.created_at, '-infinity') >= %(since)s
    AND coalesce(f.ended_at, f.created_at, '-infinity') < %(until)s)
"""
"""The calls from `since` to `until`, and those elsewhere that a line or a decision names."""
FORMER = """
SELECT x.call_id, array_agg(DISTINCT x.old_usd)
FROM replicator.cost_changes x
JOIN truedy.calls c ON c.id = x.call_id
WHERE c.account = %(account)s AND x.old_usd IS NOT NULL AND x.observed_at >= %(over)s
    AND coalesce(c.ended_at, c.created_at, '-infinity') >= %(since)s
    AND coalesce(c.ended_at, c.created_at, '-infinity') < %(until)s
GROUP BY x.call_id
"""
"""Only what changed when the month was over: a statement of a whole month has all that changed before."""
PROVIDER_IDS = """
SELECT DISTINCT c.id, l.provider_id
FROM truedy.calls c
CROSS JOIN LATERAL jsonb_path_query(c.raw, 'strict $.**') AS v
JOIN billing.lines l ON l.provider_id = v #>> '{}' AND l.statement = ANY(%(statements)s)
WHERE c.account = %(account)s AND jsonb_typeof(v) = 'string'
    AND coalesce(c.ended_at, c.created_at, '-infinity') >= %(since)s
    AND coalesce(c.ended_at, c.created_at, '-infinity') < %(until)s
"""
"""Wherever a call's payload has a provider's id that a line names."""
HAS_PROVIDER_IDS = (
    "SELECT EXISTS (SELECT FROM billing.lines WHERE statement = ANY(%(statements)s) AND provider_id IS NOT NULL)"
)
BILLED_ELSEWHERE = """
SELECT DISTINCT ON (i.call_id) i.call_id, m.period
FROM billing.matchings m
JOIN billing.items i ON i.matching = m.id
WHERE m.account = %(account)s AND m.party = %(party)s AND m.period <> %(period)s AND m.superseded_at IS NULL
    AND i.line IS NOT NULL AND i.class <> 'duplicate_line'
    AND (i.class IN ('period_boundary', 'late_adjustment') OR i.call_id = ANY(%(others)s::uuid[])) AND i.call_id IS NOT NULL
ORDER BY i.call_id, m.period
"""
"""Calls that statements of other months bill: those at a border, and `others`, which are not of this month."""
STATEMENTS = (
    "SELECT id, name, time_zone, lines, unreadable, total, stated_total, imported_at FROM billing.statements "
    "WHERE account = %s AND party = %s AND period = %s AND replaced_by IS NULL AND lines > 0 ORDER BY id"
)
"""One without a line is no statement: it withdrew the one that it replaced."""
PARTIES = "SELECT DISTINCT party FROM billing.statements WHERE account = %s AND period = %s AND replaced_by IS NULL AND lines > 0 ORDER BY 1"
MONTH_OF_CALLS = """
SELECT count(*), max(c.changed_at), count(*) FILTER (WHERE f.cost_state = 'pending' AND f.cost_given_up_at >= now()), coalesce(sum(f.cost_usd), 0),
    count(*) FILTER (WHERE f.cost_state <> 'not_expected')
FROM rollup.facts f
JOIN truedy.calls c ON c.id = f.call_id
WHERE f.account = %s AND coalesce(f.ended_at, f.created_at, '-infinity') >= %s
    AND coalesce(f.ended_at, f.created_at, '-infinity') < %s
"""
GIVEN_UP = """
SELECT count(*)
FROM rollup.facts f
WHERE f.account = %s AND coalesce(f.ended_at, f.created_at, '-infinity') >= %s
    AND coalesce(f.ended_at, f.created_at, '-infinity') < %s
    AND f.cost_state = 'pending' AND f.cost_given_up_at < now() AND f.cost_given_up_at >= %s
"""
ITEM_COLUMNS = (
    "matching", "item", "class", "rule", "score", "statement", "line", "call_id", "ours_usd", "theirs_usd", "note", "is_open",
    "calls", "candidates",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Matching:
    """The newest matching of a month and a party."""

    id: int
    account: str
    party: str
    period: str
    made_at: datetime
    made_by: str
    time_zone: str
    statements: list[int]
    calls: int
    calls_changed_at: datetime | None
    last_decision: int | None
    lines: int
    unreadable: int
    our_sum_usd: Decimal
    statement_usd: Decimal


@dataclass(frozen=True, slots=True)
class Made:
    """What a new matching was made from, and its sums."""

    account: str
    party: str
    period: str
    made_by: str
    time_zone: str
    terms: Mapping[str, Any]
    statements: Sequence[int]
    calls: int
    calls_changed_at: datetime | None
    last_decision: int | None
    lines: int
    unreadable: int
    our_sum_usd: Decimal
    statement_usd: Decimal


def begin(tx: psycopg.Connection[Any]) -> None:
    """Let no other matching begin before this one's transaction ends, and read everything as of one moment."""
    tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    tx.execute("LOCK TABLE billing.matchings IN SHARE ROW EXCLUSIVE MODE")


def reporting(tx: psycopg.Connection[Any], account: str, period_since: datetime) -> tuple[str, int]:
    """Return the reporting time zone, and the seconds that the shortest call is billed as (0: not known)."""
    row = tx.execute(
        "SELECT r.time_zone, greatest(r.billing_minimum_seconds, coalesce((SELECT max(c.minimum_seconds) "
        "FROM billing.rate_cards c WHERE c.account = %s AND c.valid_from <= %s "
        "AND coalesce(c.valid_until, 'infinity') > %s), 0)) FROM replicator.reporting r",
        [account, period_since, period_since],
    ).fetchone()
    assert row is not None  # noqa: S101 - the table has one row
    return str(row[0]), int(row[1])


def statements(tx: psycopg.Connection[Any], account: str, party: str, period: str) -> list[dict[str, Any]]:
    """Return the statements in force of a month and a party."""
    return tx.cursor(row_factory=dict_row).execute(STATEMENTS, [account, party, period]).fetchall()


def parties(tx: psycopg.Connection[Any], account: str, period: str) -> list[str]:
    """Return the parties that have a statement of the month in force."""
    return [str(party) for (party,) in tx.execute(PARTIES, [account, period])]


def is_inverted(tx: psycopg.Connection[Any], ids: Sequence[int]) -> bool:
    """Say whether most lines that bill a call have a negative amount."""
    row = tx.execute(
        "SELECT count(*) FILTER (WHERE amount < 0) > count(*) FILTER (WHERE amount > 0) FROM billing.lines "
        "WHERE statement = ANY(%s) AND kind = 'usage'",
        [list(ids)],
    ).fetchone()
    return bool(row and row[0])


def lines(tx: psycopg.Connection[Any], ids: Sequence[int]) -> Iterator[Row]:
    """Yield the readable lines of these statements."""
    yield from tx.cursor().stream(LINES, [list(ids)], size=5000)


def unread(tx: psycopg.Connection[Any], ids: Sequence[int]) -> list[tuple[int, int]]:
    """Return the places of the lines that cannot be read."""
    return tx.execute(UNREAD, [list(ids)]).fetchall()


def calls(tx: psycopg.Connection[Any], values: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the calls of the stretch, and those that the lines name."""
    yield from tx.cursor().stream(CALLS, values, size=5000)


def former(tx: psycopg.Connection[Any], values: Mapping[str, Any]) -> dict[UUID, list[Decimal]]:
    """Return the costs that calls of the stretch had before."""
    return dict(tx.execute(FORMER, values).fetchall())


def provider_ids(tx: psycopg.Connection[Any], values: Mapping[str, Any]) -> dict[UUID, list[str]]:
    """Return by call the providers' ids that lines name and that its payload has."""
    found: dict[UUID, list[str]] = {}
    row = tx.execute(HAS_PROVIDER_IDS, values).fetchone()
    if row is None or not row[0]:
        return found
    for call, word in tx.execute(PROVIDER_IDS, values):
        found.setdefault(call, []).append(word)
    return found


def billed_elsewhere(
    tx: psycopg.Connection[Any], account: str, party: str, period: str, others: Sequence[UUID]
) -> dict[UUID, str]:
    """Return by call the month whose statement bills it, of those at a border and of `others`."""
    values = {"account": account, "party": party, "period": period, "others": list(others)}
    return dict(tx.execute(BILLED_ELSEWHERE, values).fetchall())


def month_of_calls(
    tx: psycopg.Connection[Any], account: str, since: datetime, until: datetime
) -> tuple[int, datetime | None, int, Decimal, int]:
    """Return of a month's calls: their number, the last change, those with a cost to come, the sum in US dollars, and
    those that should have a cost.
    """
    row = tx.execute(MONTH_OF_CALLS, [account, since, until]).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return row[0], row[1], row[2], row[3], row[4]


def given_up(
    tx: psycopg.Connection[Any], account: str, since: datetime, until: datetime, matched_at: datetime | None
) -> int:
    """Return how many costs of a month were given up after it was matched: time alone does that, and changes no call."""
    row = tx.execute(GIVEN_UP, [account, since, until, matched_at]).fetchone()
    return 0 if row is None else int(row[0])


def newest(tx: psycopg.Connection[Any], account: str, party: str, period: str) -> Matching | None:
    """Return the newest matching of a month and a party."""
    return (
        tx.cursor(row_factory=class_row(Matching))
        .execute(
            "SELECT id, account, party, period, made_at, made_by, time_zone, statements, calls, calls_changed_at, last_decision, "
            "lines, unreadable, our_sum_usd, statement_usd FROM billing.matchings "
            "WHERE account = %s AND party = %s AND period = %s AND superseded_at IS NULL",
            [account, party, period],
        )
        .fetchone()
    )


def save(tx: psycopg.Connection[Any], made: Made, items: Iterable[Row], steps: Iterable[Row]) -> int:
    """Store a matching in place of the one before, whose items go; return its id.

    `items` are rows of ITEM_COLUMNS without the first, `steps` (position, step, items, amount_usd, running_usd).
    """
    where = [made.account, made.party, made.period]
    tx.execute(
        "DELETE FROM billing.items i USING billing.matchings m WHERE i.matching = m.id AND m.account = %s AND m.party = %s "
        "AND m.period = %s AND m.superseded_at IS NULL",
        where,
    )
    tx.execute(
        "UPDATE billing.matchings SET superseded_at = clock_timestamp() WHERE account = %s AND party = %s AND period = %s "
        "AND superseded_at IS NULL",
        where,
    )
    row = tx.execute(
        "INSERT INTO billing.matchings (made_at, account, party, period, made_by, time_zone, terms, statements, calls, calls_changed_at, "
        "last_decision, lines, unreadable, our_sum_usd, statement_usd) "
        "VALUES (now(), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            *where, made.made_by, made.time_zone, Jsonb(dict(made.terms)), list(made.statements), made.calls, made.calls_changed_at,
            made.last_decision, made.lines, made.unreadable, made.our_sum_usd, made.statement_usd,
        ],
    ).fetchone()  # fmt: skip
    assert row is not None  # noqa: S101 - RETURNING gives one row
    matching = int(row[0])
    copy_rows(tx, "billing.items", ITEM_COLUMNS, ((matching, *item) for item in items))
    tx.cursor().executemany(
        "INSERT INTO billing.bridge_steps (matching, position, step, items, amount_usd, running_usd) VALUES (%s, %s, %s, %s, %s, %s)",
        [(matching, *step) for step in steps],
    )
    return matching


def assigned(tx: psycopg.Connection[Any], account: str, party: str, period: str) -> list[tuple[int, int, UUID | None]]:
    """Return the newest decision for each line of which one was assigned: (statement, line, call or None)."""
    return tx.execute(
        "SELECT DISTINCT ON (statement, line) statement, line, call_id FROM billing.decisions WHERE account = %s AND party = %s "
        "AND period = %s AND kind = 'assign' ORDER BY statement, line, id DESC",
        [account, party, period],
    ).fetchall()


def last_decision(tx: psycopg.Connection[Any], account: str, party: str, period: str) -> int | None:
    """Return the id of the newest assignment, which a matching must have followed."""
    row = tx.execute(
        "SELECT max(id) FROM billing.decisions WHERE account = %s AND party = %s AND period = %s AND kind = 'assign'",
        [account, party, period],
    ).fetchone()
    return None if row is None else row[0]


def decide(tx: psycopg.Connection[Any], decision: Mapping[str, Any]) -> None:
    """Keep a person's decision: a value for each column but id and made_at."""
    tx.execute(
        "INSERT INTO billing.decisions (account, party, period, kind, statement, line, call_id, class, delta_usd, reason, made_by) "
        "VALUES (%(account)s, %(party)s, %(period)s, %(kind)s, %(statement)s, %(line)s, %(call_id)s, %(class)s, %(delta_usd)s, "
        "%(reason)s, %(made_by)s)",
        decision,
    )


__all__ = [
    "ITEM_COLUMNS", "Made", "Matching", "assigned", "begin", "billed_elsewhere", "calls", "decide", "former", "given_up", "is_inverted", "last_decision", "lines",
    "month_of_calls", "newest", "parties", "provider_ids", "reporting", "save", "statements", "unread",
]  # fmt: skip
