"""What a column means is written once, in sql/columns.toml: complete, without repetition, and true of the time of a report."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from replicator.store import columns, migrate, naming, schema_check, views
from tests.sql import fix_small_world

if TYPE_CHECKING:
    from pathlib import Path

SQL = schema_check.bundled("sql")
TEXTS = columns.load(SQL / "columns.toml")
VIEWS = {view.name: view for view in views.load(SQL / "views")}
TIMES = {
    name: match[1]
    for name, view in VIEWS.items()
    if (match := re.search(r"^-- Time: (.*)\.$", view.text, re.MULTILINE))
}

CREATED, STARTED, ENDED = "2025-03-31T10:00:00", "2025-06-30T10:00:00", "2025-09-30T10:00:00"
"""Of one call: in three days, weeks and months."""
DAYS = {
    "created_at": date(2025, 3, 31),
    "started_at, else created_at": date(2025, 6, 30),
    "ended_at, else created_at": date(2025, 9, 30),
}
OF_ALL_TIME = {"concurrency_hourly", "coverage_daily"}
"""Views whose rows are of hours and days themselves, whether calls are in them or not."""
ELSEWHERE = re.compile(r"\bcreat(ed|ion)\b|\bstarted\b|\bcalls (that )?ended\b", re.IGNORECASE)

COMMENTS = (
    "SELECT c.relname, a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'v' AND a.attnum > 0"
)


def comments(url: str, schema: str = "analytics") -> dict[tuple[str, str], str | None]:
    """Return the comment of each column of each view."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(COMMENTS, [schema]).fetchall()
    return {(view, column): comment for view, column, comment in rows}


def test_each_column_has_the_text_of_its_name(database_url: str) -> None:
    """Its comment is the one text, or the exception for this view; and no text and no exception is for nothing."""
    found = comments(database_url)
    for (view, column), comment in found.items():
        text = TEXTS.exceptions.get((view, column), TEXTS.columns.get(column, ""))
        assert text, (view, column)
        assert comment == text.replace("{time}", TIMES.get(view, "{time}")), (view, column)
        assert "{time}" not in comment, f"{view} needs a line `-- Time:`"
    assert TEXTS.exceptions.keys() <= found.keys()
    assert {column for view, column in found.keys() - TEXTS.exceptions.keys()} == set(TEXTS.columns)


def test_a_name_has_several_wordings_only_by_exceptions_that_differ() -> None:
    """No exception repeats a text: neither that of its column, nor that of another exception."""
    by_column = defaultdict(set)
    for (_, column), text in TEXTS.exceptions.items():
        by_column[column].add(text)
    written = (SQL / "columns.toml").read_text(encoding="utf-8").partition("[[exceptions]]")[2]
    for column, texts in by_column.items():
        assert TEXTS.columns[column] not in texts, column
        assert len(re.findall(rf'^column = "{column}"$', written, re.MULTILINE)) == len(texts), column


def test_no_view_file_has_a_text_of_its_own() -> None:
    """View files hold the SQL and their header; the header is the view's comment."""
    for view in VIEWS.values():
        assert "COMMENT ON" not in view.text, view.name
        assert view.comment.startswith("Grain: one row per "), view.name
        assert (f"Time: {TIMES.get(view.name)}." in view.comment) is (view.name in TIMES), view.name


def test_which_instant_counts_is_said_by_the_view_alone(database_url: str) -> None:
    """A report says in its header by which instant calls are counted. The text of a column, which others share, says nothing of
    it: so no cost by the calls' end counts calls that were "created".
    """
    for (view, column), comment in comments(database_url).items():
        if view in TIMES:
            assert not ELSEWHERE.search(comment or ""), (view, column, comment)


def test_the_instant_that_a_view_names_is_the_one_that_counts(small: psycopg.Connection[Any]) -> None:
    """A call that was created, connected and over in three different months is, in each report, where its header says."""
    for number, direction in ((201, "outbound"), (202, "inbound")):
        fix_small_world.insert(small, fix_small_world.Call(number, CREATED, "completed", 1, 60, "0.1000", direction))
        small.execute(
            "UPDATE truedy.calls SET started_at = %s, ended_at = %s, account = 'times' WHERE id = %s",
            [fix_small_world.at(STARTED), fix_small_world.at(ENDED), fix_small_world.call_id(number)],
        )
        small.execute(
            "INSERT INTO truedy.transcripts (call_id, state, segment_count, fetched_at) VALUES (%s, 'present', 1, now())",
            [fix_small_world.call_id(number)],
        )
        small.execute(
            "INSERT INTO truedy.transcript_segments (call_id, position, speaker, text, start_seconds, end_seconds, raw) "
            "VALUES (%s, 0, 'agent', 'Hello', 0, 1, '{}')",
            [fix_small_world.call_id(number)],
        )
        small.execute(
            "INSERT INTO replicator.cost_changes (call_id, old_usd, new_usd, observed_at) VALUES (%s, NULL, 0.1, now())",
            [fix_small_world.call_id(number)],
        )
    small.execute("INSERT INTO archive.chains (account) VALUES ('times')")
    for view, time in TIMES.items():
        if view in OF_ALL_TIME:
            continue
        [column] = {"day", "week_on", "month_on"} & set(VIEWS[view].columns) & shown(small, view)
        rows = small.execute(
            f"SELECT DISTINCT {column} AS day FROM analytics.{view} WHERE account = 'times'"
        ).fetchall()
        day = DAYS[time]
        first = {"day": day, "week_on": day - timedelta(day.weekday()), "month_on": day.replace(day=1)}
        assert [row["day"] for row in rows] == [first[column]], view


def shown(connection: psycopg.Connection[Any], view: str) -> set[str]:
    return {column.name for column in connection.execute(f"SELECT * FROM analytics.{view} LIMIT 0").description or ()}


@pytest.fixture
def other_texts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let the program be a release in which only a text differs: that of `peak_calls`."""
    folder = tmp_path / "sql"
    shutil.copytree(SQL, folder)
    file = folder / "columns.toml"
    text = file.read_text(encoding="utf-8")
    changed = text.replace('peak_calls = "Greatest', "peak_calls = \"It's 100 % new: greatest")
    assert changed != text
    file.write_text(changed, encoding="utf-8")
    bundled = schema_check.bundled
    monkeypatch.setattr(schema_check, "bundled", lambda name: folder if name == "sql" else bundled(name))
    return folder


def test_a_text_that_changed_alone_is_written(database_url: str, other_texts: Path) -> None:
    """The views that can have the column are applied anew, and no others; a comment of somebody else's stays."""
    before = comments(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("COMMENT ON COLUMN analytics.concurrency_hourly.busy_seconds IS 'theirs'")
    applied = migrate.migrate(database_url).views
    assert "concurrency_hourly" in applied
    assert all("peak_calls" in VIEWS[view].text for view in applied)
    changed = {key: text for key, text in comments(database_url).items() if text != before[key]}
    assert changed == {
        ("concurrency_hourly", "peak_calls"): "It's 100 % new: greatest number of calls that went on at once.",
        ("concurrency_hourly", "busy_seconds"): "theirs",
    }
    assert list(migrate.migrate(database_url).views) == []


def test_under_other_names_the_texts_are_there_too(empty_database: str) -> None:
    """Where schemas have other names, each column has its text, and a table that it names has the name that is used there."""
    migrate.migrate(empty_database, schemas=naming.parse("analytics=voice,replicator=books"))
    found = comments(empty_database, "voice")
    assert len(found) == len({key for key, text in found.items() if text})
    assert "books.reporting.stale_open_hours" in (found["calls", "is_stale_open"] or "")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ('[columns]\na = "A."\n[[exceptions]]\ncolumn = "a"\nviews = ["v"]\ntext = "B."\nwhy = ""', "needs a reason"),
        ('[columns]\n[[exceptions]]\ncolumn = "a"\nviews = ["v"]\ntext = "B."\nwhy = "W."', "a text in"),
        ('[columns]\na = "A."\n[[exceptions]]\ncolumn = "a"\nviews = ["v", "v"]\ntext = "B."\nwhy = "W."', "two exceptions"),
    ],
)  # fmt: skip
def test_an_exception_has_a_reason_and_is_one(wrong: str, says: str, tmp_path: Path) -> None:
    """A file in which a text differs without a reason, or is there twice, is refused."""
    file = tmp_path / "columns.toml"
    file.write_text(wrong, encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        columns.load(file)
