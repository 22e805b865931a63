"""What BI tools read of the views before they read a row: comments, types, names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.store import migrate, pages, views
from tests.sql import fix_small_world

SQL = Path(__file__).resolve().parents[2] / "sql"
FILES = sorted((SQL / "views").glob("*.sql"))
NAMES = [path.stem[3:] for path in FILES]

COLUMNS = (
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum) "
    "FROM pg_attribute a WHERE a.attrelid = format('analytics.%%I', %s::text)::regclass AND a.attnum > 0 "
    "AND NOT a.attisdropped"
)
TYPES = {
    "bigint", "boolean", "date", "double precision", "integer", "numeric(18,6)", "text", "timestamp with time zone", "uuid",
}  # fmt: skip

Connection = psycopg.Connection[Any]


def columns(url: str, view: str) -> list[tuple[str, str, str | None]]:
    with psycopg.connect(url) as connection:
        return connection.execute(COLUMNS, [view]).fetchall()


def test_the_views_are_those_of_the_files(database_url: str) -> None:
    """Each file makes the view of its name, a plain one, and nothing else; information_schema, which tools list, has all."""
    with psycopg.connect(database_url) as connection:
        made = connection.execute(
            "SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'analytics'::regnamespace ORDER BY relname"
        ).fetchall()
        listed = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'analytics' ORDER BY table_name"
        ).fetchall()
    assert made == [(name, "v") for name in sorted(NAMES)]
    assert [name for (name,) in listed] == sorted(NAMES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_begins_with_its_name_grain_and_units(path: Path) -> None:
    """Whoever opens the file reads what a row is, and in which units, before any SQL."""
    head = path.read_text(encoding="utf-8").partition("CREATE OR REPLACE VIEW")[0]
    assert head.startswith(f"-- analytics.{path.stem[3:]}\n-- Grain: one row per ")
    assert "Units: " in head


@pytest.mark.parametrize("view", NAMES)
def test_view_and_columns_are_described(database_url: str, view: str) -> None:
    """The view's comment states its grain and key; every column has a comment of its own."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT obj_description(%s::regclass)", [f"analytics.{view}"]).fetchone()
    described = columns(database_url, view)
    assert row is not None
    assert re.match(r"Grain: one row per [a-z].*Key: [a-z_, ]+\.$", row[0] or "")
    assert [name for name, _, comment in described if not (comment or "").strip().endswith(".")] == []
    keys = row[0].rpartition("Key: ")[2].rstrip(".").split(", ")
    assert set(keys) <= {name for name, _, _ in described}


@pytest.mark.parametrize("view", NAMES)
def test_types_are_those_that_bi_tools_understand(database_url: str, view: str) -> None:
    """No jsonb, array or interval, and no numeric without a scale."""
    assert {kind for _, kind, _ in columns(database_url, view)} <= TYPES


@pytest.mark.parametrize("view", NAMES)
def test_names_tell_types_and_comments_tell_units(database_url: str, view: str) -> None:
    """Instants end in _at, dates in _on, seconds, dollars, rates and booleans are known by their names."""
    rules = (
        (r".*_at|covered_(since|until)", {"timestamp with time zone"}, ""),
        (r".*_on|day", {"date"}, "day"),
        (r".*_seconds|seconds", {"integer", "bigint", "double precision"}, "second"),
        (r".*_minutes", {"double precision"}, "minute"),
        (r".*_usd", {"numeric(18,6)"}, "us dollars"),
        (r".*_(rate|share)", {"double precision"}, " over "),
        (r"(is|has)_.*|reaches_beginning", {"boolean"}, ""),
        (
            r"calls|.*_calls|conversations|holes|words|characters|.*_count|version",
            {"bigint", "integer"},
            "number of|length",
        ),
    )
    for name, kind, comment in columns(database_url, view):
        for pattern, kinds, unit in rules:
            if re.fullmatch(pattern, name):
                assert kind in kinds, name
                assert re.search(unit, (comment or "").lower()), name
        if kind == "timestamp with time zone":
            assert re.fullmatch(rules[0][0], name), name
        if kind == "boolean":
            assert re.fullmatch(rules[6][0], name), name


@pytest.mark.parametrize("view", NAMES)
def test_a_ratio_stands_beside_its_numerator_and_denominator(database_url: str, view: str) -> None:
    """A ratio's comment says "a over b", and a and b are columns: a roll-up divides sums by sums."""
    described = columns(database_url, view)
    names = {name for name, _, _ in described}
    for name, _, comment in described:
        if re.fullmatch(r".*_(rate|share)|average_.*|.*_per_.*", name):
            match = re.match(r"(\w+) over (\w+)", comment or "")
            assert match, name
            assert set(match.groups()) <= names, name


def test_the_dictionary_is_what_the_catalog_says(database_url: str) -> None:
    """docs/dictionary.md says what the views say of themselves, column by column."""
    with psycopg.connect(database_url) as connection:
        assert pages.DICTIONARY.read_text(encoding="utf-8") == pages.dictionary(connection), "run: make docs"


def test_days_name_their_time_zone(database_url: str) -> None:
    """Where there is a day, its time zone stands beside it."""
    for view in NAMES:
        described = columns(database_url, view)
        if any(kind == "date" for _, kind, _ in described):
            assert "reporting_time_zone" in {name for name, _, _ in described}, view


def test_only_views_for_auditors_show_what_is_personal(small: Connection) -> None:
    """Phone numbers, summaries, error texts and what was said are in no view but in those whose file says
    `-- Grant: auditor`, and each of those shows something of them.
    """
    fix_small_world.insert_a_recent_one(small)
    secrets = (fix_small_world.OURS, fix_small_world.THEIRS, "Secret", "Hello there")
    for view in views.load(SQL / "views"):
        rows = small.execute(f"SELECT v::text AS shown FROM analytics.{view.name} v").fetchall()
        shown = [secret for secret in secrets if any(secret in row["shown"] for row in rows)]
        assert rows
        assert bool(shown) is (view.audience == "auditor"), (view.name, shown)


def test_an_error_tells_nothing_that_the_view_does_not_show(small: Connection) -> None:
    """Whatever a reader makes of the columns of a view for all readers, an error that quotes a value quotes no personal one:
    the views give nothing to a condition that they do not show.
    """
    for view in views.load(SQL / "views"):
        if view.audience == "auditor":
            continue
        for name, kind, _ in columns(small.info.dsn + f" password={small.info.password}", view.name):
            if kind != "text":
                continue
            said = ""
            try:
                with small.transaction():
                    small.execute(f"SELECT * FROM analytics.{view.name} WHERE ({name} || '!')::integer > 0")
            except psycopg.Error as error:
                said = str(error)
            assert not re.search(r"Secret|Hello|\d{7}", said), (view.name, name, said)


@settings(max_examples=25)
@given(st.lists(st.text(st.sampled_from("+0123456789 ()-x\u0661a@Ω"), max_size=20), min_size=20, max_size=60))
def test_a_mask_never_shows_more_than_four_trailing_digits(small_url: str, numbers: list[str]) -> None:
    """Of whatever the source sends for a number, the mask shows at most its first and last two characters, and of seven
    characters never more than four.
    """
    with psycopg.connect(small_url) as connection, connection.transaction(force_rollback=True):
        for at, number in enumerate(numbers):
            connection.execute(
                "INSERT INTO truedy.calls (id, account, phone_number, from_number, direction, raw, fingerprint, version, "
                "observed_at, first_seen_at, changed_at) VALUES (%s, 'masks', %s, %s, 'outbound', '{}', '', 1, now(), now(), now())",
                [fix_small_world.call_id(1000 + at), number, number[::-1]],
            )
        masks = connection.execute(
            "SELECT n.other_party, c.other_party_masked, n.our_number, c.our_number_masked FROM analytics.calls c "
            "JOIN analytics.call_numbers n USING (call_id) WHERE c.account = 'masks'"
        ).fetchall()
    assert len(masks) == len(numbers)
    for row in masks:
        for number, mask in (row[:2], row[2:]):
            start, hidden, end = mask.partition("…")
            assert hidden
            assert number.startswith(start)
            assert number.endswith(end)
            assert len(re.findall(r"\d", end)) <= 4
            assert len(start) + len(end) <= min(4, max(0, len(number) - 3))


def test_a_reader_of_one_s_own_needs_no_right_but_on_the_views(small: Connection) -> None:
    """Without our roles too: USAGE and SELECT on schema analytics are enough for every view, and give nothing of the tables."""
    fix_small_world.insert_a_recent_one(small)
    small.execute("CREATE ROLE only_a_reader")  # the transaction is rolled back, and the role with it
    small.execute("GRANT USAGE ON SCHEMA analytics TO only_a_reader")
    small.execute("GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO only_a_reader")
    small.execute("SET LOCAL ROLE only_a_reader")
    for view in NAMES:
        assert small.execute(f"SELECT * FROM analytics.{view}").fetchall()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        small.execute("SELECT * FROM truedy.calls")


def test_migrating_again_leaves_the_views_alone(database_url: str) -> None:
    """A second `migrate` applies no view anew: the same views, not written again, with the rights given on them."""
    state = (
        "SELECT c.oid, c.xmin::text, r.ev_action::text, c.relacl::text, v.sha256, v.applied_at FROM replicator.views v "
        "JOIN pg_class c ON c.oid = format('analytics.%I', v.name)::regclass JOIN pg_rewrite r ON r.ev_class = c.oid "
        "WHERE v.name <> '(rollups)' ORDER BY v.name"
    )
    with psycopg.connect(database_url) as connection:
        connection.execute("GRANT SELECT ON analytics.calls TO PUBLIC")
        before = connection.execute(state).fetchall()
    assert len(before) == len(NAMES)
    assert list(migrate.migrate(database_url).views) == []
    with psycopg.connect(database_url) as connection:
        assert connection.execute(state).fetchall() == before
