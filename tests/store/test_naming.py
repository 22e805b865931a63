"""Other names for our schemas: what the setting means, and what of a text is renamed."""

from __future__ import annotations

import psycopg
import pytest

from replicator.errors import ConfigurationError
from replicator.store.naming import AS_IT_IS, THE_USUAL, USUAL, Names, cursor_class, parse

pytestmark = pytest.mark.pure

OTHERS = parse("analytics=voice, rollup=voice_sums,replicator=r_1,truedy=t")


def test_the_setting_says_the_names() -> None:
    """White space does not matter, schemas that are not named keep their own, and it is written as it is read."""
    names = parse(" rollup = voice_sums ,")
    assert names == Names(rollup="voice_sums")
    assert str(names) == "rollup=voice_sums"
    assert parse(str(OTHERS)) == OTHERS
    assert (names.all, names.of("rollup")) == (
        ("analytics", "billing", "replicator", "voice_sums", "truedy"),
        "voice_sums",
    )


@pytest.mark.parametrize("text", [None, "", " ", ",", "rollup=rollup"])
def test_no_setting_is_the_usual_names(text: str | None) -> None:
    """The cursor is psycopg's own then, and no text is looked at."""
    assert parse(text) == THE_USUAL
    assert cursor_class(parse(text)) is psycopg.Cursor
    assert str(parse(text)) == ""
    sql = "SELECT 1 FROM rollup.facts"
    assert THE_USUAL.renamed(sql) is sql


@pytest.mark.parametrize(
    "text",
    ["sums=x", "rollup", "rollup=", "=x", "rollup=a,rollup=b", "rollup=analytics", "rollup=x,analytics=x", "rollup=Big", "rollup=a b",
     'rollup="x"', "rollup=pg_x", "rollup=public", "rollup=information_schema", "rollup=" + "x" * 52, "rollup=x;DROP", "rollup=1x", "rollup=x\n;"],
)  # fmt: skip
def test_a_wrong_setting_is_named(text: str) -> None:
    """What is no four plain, different names is refused with the setting's name."""
    with pytest.raises(ConfigurationError, match="REPLICATOR_SCHEMAS"):
        parse(text)


def test_a_name_may_begin_like_a_forbidden_one() -> None:
    """And has 51 characters at most."""
    for name in ("public_calls", "information_schema_2", "_", "x" * 51):
        assert parse(f"rollup={name}").rollup == name


def test_a_name_is_told_back() -> None:
    """Each schema by what our SQL calls it; somebody else's stays what it is."""
    assert [OTHERS.usual(OTHERS.of(usual)) for usual in USUAL] == list(USUAL)
    assert OTHERS.usual("public") == "public"
    assert OTHERS.usual("rollup") == "rollup"


@pytest.mark.parametrize(
    ("sql", "renamed"),
    [
        ("SELECT * FROM rollup.facts", "SELECT * FROM voice_sums.facts"), ('FROM "rollup"."facts"', 'FROM "voice_sums"."facts"'),
        ("nspname = 'rollup'", "nspname = 'voice_sums'"), ("CREATE SCHEMA IF NOT EXISTS rollup", "CREATE SCHEMA IF NOT EXISTS voice_sums"),
        ('DROP SCHEMA "truedy" CASCADE', 'DROP SCHEMA "t" CASCADE'), ("to_regclass('truedy.calls')", "to_regclass('t.calls')"),
        ("analytics.calls JOIN truedy.calls", "voice.calls JOIN t.calls"), ("replicator.%s", "r_1.%s"), ("rollup.{}", "voice_sums.{}"),
    ],
)  # fmt: skip
def test_a_schema_is_renamed_in_each_form(sql: str, renamed: str) -> None:
    """Before a dot, in quotes or not, alone in a string, and after the word SCHEMA."""
    assert OTHERS.renamed(sql) == renamed


@pytest.mark.parametrize(
    "sql",
    ["SELECT rollup FROM x", "my_rollup.facts", "x.rollup.facts", "'a rollup'", "rollups.facts", "SCHEMA rollup_2", "rollup .facts",
     "the replicator stops.", AS_IT_IS + "SELECT * FROM rollup.facts", ""],
)  # fmt: skip
def test_what_is_no_schema_of_ours_stays(sql: str) -> None:
    """A column, a longer name, a word of a sentence, and a statement that is somebody else's."""
    assert OTHERS.renamed(sql) == sql


def test_names_that_are_swapped_are_renamed_once() -> None:
    """A new name is not taken for an old one, whatever it looks like."""
    names = Names(rollup="truedy_rollup", truedy="rollup_truedy")
    assert names.renamed("rollup.a truedy.b") == "truedy_rollup.a rollup_truedy.b"
