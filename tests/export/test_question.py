"""What an export is asked for, against what there is: names, columns, days, rights, formats."""

from __future__ import annotations

from datetime import date

import pytest

from replicator.errors import ConfigurationError, RightMissing
from replicator.export import question
from replicator.export.question import Asked
from replicator.store.catalogue import Column, Offer, View

pytestmark = pytest.mark.pure


DAILY = View(
    "daily",
    "Grain: one row per day.",
    (
        Column("created_on", "date"),
        Column("day", "date"),
        Column("account", "text"),
        Column("said", "text", comment="Personal data of callers."),
    ),
)
NOW = View("now", "The text is personal data.", (Column("lag", "double precision"), Column("day", "text")))
THERE = Offer("bi", True, {"daily": 1, "now": 2}, {"daily": "", "now": ""})


@pytest.mark.parametrize(
    ("output", "chosen", "format_"),
    [
        ("a.csv", None, "csv"),
        ("folder.parquet/A.CSV", None, "csv"),
        ("a.parquet", None, "parquet"),
        ("a.PQ", None, "parquet"),
        ("-", None, "csv"),
        ("-", "parquet", "parquet"),
        ("a.txt", "spreadsheet", "spreadsheet"),
    ],
)
def test_the_format_is_chosen_or_guessed(output: str, chosen: str | None, format_: str) -> None:
    """What is chosen goes first, then the file's ending; standard output is CSV."""
    assert question.format_of(output, chosen) == format_


@pytest.mark.parametrize(
    ("output", "chosen", "says"),
    [("a.xls", None, "does not tell"), ("a", None, "does not tell"), ("a.csv", "parqet", "did you mean parquet?")],
)
def test_an_unknown_format_is_refused(output: str, chosen: str | None, says: str) -> None:
    """Nothing is guessed from an ending that says nothing, and the formats are listed."""
    with pytest.raises(ConfigurationError, match=says) as refused:
        question.format_of(output, chosen)
    assert "csv, spreadsheet, xlsx or parquet" in refused.value.hint


@pytest.mark.parametrize("asked", ["daily", "analytics.daily"])
def test_a_view_is_named_with_its_schema_or_without(asked: str) -> None:
    """Both names mean the same view."""
    assert question.choose_name(THERE, asked) == "daily"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("dialy", "no view 'dialy'; did you mean daily?"),
        ("DAILY", "no view 'DAILY'; did you mean daily?"),
        ("truedy.daily", "only views of schema analytics are exported, not 'truedy.daily'; did you mean daily?"),
        ('daily"; DROP TABLE x; --', "there is no view"),
        ("", "there is no view ''"),
    ],
)
def test_an_unknown_view_is_answered_with_the_nearest_and_the_list(asked: str, says: str) -> None:
    """A wrong name ends with 2, the nearest one where one is near, and all that there are."""
    with pytest.raises(ConfigurationError) as refused:
        question.choose_name(THERE, asked)
    assert says in refused.value.message
    assert "daily, now" in refused.value.hint


def test_columns_come_in_the_order_asked_for() -> None:
    """--columns chooses and orders; without it all come in the view's order."""
    asked = Asked("daily", question.read_columns("said, day"))
    assert [column.name for column in question.choose(THERE, DAILY, asked).columns] == ["said", "day"]
    assert question.choose(THERE, DAILY, Asked("daily")).columns == DAILY.columns


@pytest.mark.parametrize("text", ["", "a,", ",", "a,b,a"])
def test_columns_that_cannot_be_meant_are_refused(text: str) -> None:
    """An empty name and a repeated one are mistakes."""
    with pytest.raises(ConfigurationError):
        question.read_columns(text)


def test_an_unknown_column_is_answered_with_the_nearest_and_the_list() -> None:
    """SQL is no column, whatever it says."""
    with pytest.raises(ConfigurationError, match="no column 'acount'; did you mean account") as refused:
        question.choose(THERE, DAILY, Asked("daily", ("acount",)))
    assert "created_on, day, account, said" in refused.value.hint
    with pytest.raises(ConfigurationError, match="no column"):
        question.choose(THERE, DAILY, Asked("daily", ("day, pg_sleep(9)",)))


def test_days_are_those_of_the_view() -> None:
    """`day` goes before `created_on`; it must be a date, and the first day not behind the last."""
    first, last = date(2026, 3, 1), date(2026, 3, 31)
    chosen = question.choose(THERE, DAILY, Asked("daily", since=first, until=last))
    assert (chosen.day, chosen.since, chosen.until) == (Column("day", "date"), first, last)
    assert question.choose(THERE, DAILY, Asked("daily")).day is None
    with pytest.raises(ConfigurationError, match="no day or month to choose by"):
        question.choose(THERE, NOW, Asked("now", since=first))
    with pytest.raises(ConfigurationError, match="later than"):
        question.choose(THERE, DAILY, Asked("daily", since=last, until=first))


def test_an_account_needs_its_column() -> None:
    """A view without accounts cannot be asked for one."""
    assert question.choose(THERE, DAILY, Asked("daily", account="a")).account == "a"
    with pytest.raises(ConfigurationError, match="no column 'account'"):
        question.choose(THERE, NOW, Asked("now", account="a"))


def test_a_missing_right_is_named_as_its_grant() -> None:
    """USAGE on the schema, SELECT on the view, SELECT on columns: whichever is missing, for the user as SQL spells it."""

    def advice(there: Offer, view: View, asked: Asked) -> str:
        with pytest.raises(RightMissing) as refused:
            question.choose(there, view, asked)
        assert refused.value.exit_code == 4
        return refused.value.hint

    denied = [Column(column.name, column.type, is_readable=False) for column in DAILY.columns]
    nothing = View("daily", "", tuple(denied))
    some = View("daily", "", (DAILY.columns[0], *denied[1:]))
    outside = Offer('Bi "x"', False, THERE.oids, THERE.comments)
    assert 'GRANT USAGE ON SCHEMA analytics TO "Bi ""x"""' in advice(outside, DAILY, Asked("daily"))
    assert "GRANT SELECT ON analytics.daily TO bi" in advice(THERE, nothing, Asked("daily"))
    assert "GRANT SELECT (day, account, said) ON analytics.daily TO bi" in advice(THERE, some, Asked("daily"))
    assert "GRANT SELECT (said) ON" in advice(THERE, some, Asked("daily", ("created_on", "said")))
    readable = Asked("daily", ("created_on",))
    assert question.choose(THERE, some, readable).columns == DAILY.columns[:1]
    # What rows are chosen by must be readable too.
    assert "GRANT SELECT (day) ON" in advice(THERE, some, Asked("daily", ("created_on",), since=date(2026, 3, 1)))
    assert "GRANT SELECT (account) ON" in advice(THERE, some, Asked("daily", ("created_on",), account="a"))


def test_personal_data_is_known_by_its_comment() -> None:
    """The view's comment, or that of a column that is exported."""
    assert question.is_personal(question.choose(THERE, NOW, Asked("now", ("lag",))))
    assert question.is_personal(question.choose(THERE, DAILY, Asked("daily")))
    assert not question.is_personal(question.choose(THERE, DAILY, Asked("daily", ("day",))))
