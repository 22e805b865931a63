"""The two dialects of CSV: exact, and safe in spreadsheets. Nothing here needs a database.

LibreOffice is too large for CI, so that a spreadsheet calculates nothing is tested by a corpus of what it would calculate.
"""

from __future__ import annotations

import csv
import io
import re
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replicator.export import cells, delimited
from replicator.store.catalogue import Column
from tests.export.fix_files import read

pytestmark = pytest.mark.pure


TEXT = Column("text", "text")
PERFIDIOUS = "\",\r\n\t;'\\ =+-@\uff1d\uff0b\uff0d\uff20\u200b\ufeff\u2028\x1f0Na"
anything = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(anything, max_size=20) | st.text(PERFIDIOUS, max_size=12)
rows_of_two = st.lists(st.tuples(st.none() | texts, st.none() | texts), max_size=6)


def write(columns: list[Column], rows: list[tuple[str | None, ...]], *, is_spreadsheet: bool = False) -> str:
    line = delimited.writer(columns, is_spreadsheet=is_spreadsheet)
    return delimited.header(columns, is_spreadsheet=is_spreadsheet) + "".join(map(line, rows))


@given(rows_of_two)
@example([("", None), (None, ""), ('"', '""'), ("\r\n", "\n\r"), ("\\.", "\\N"), ("\\u0000", "\\x00"), ("NULL", "a,b")])
def test_every_text_comes_back_exactly(rows: list[tuple[str | None, ...]]) -> None:
    """Whatever Unicode holds, quotes, line breaks and escapes: the same text, and null is not the empty string."""
    text = write([TEXT, Column("b", "jsonb")], rows)
    assert read(text) == [["text", "b"], *map(list, rows)]
    plain = [["" if cell is None else cell for cell in row] for row in rows]
    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == [["text", "b"], *plain]


@given(st.lists(st.none() | texts, max_size=6))
def test_a_single_column_comes_back_too(column: list[str | None]) -> None:
    """Where a line is empty, it is a null, and the empty string is not an empty line."""
    assert read(write([TEXT], [(cell,) for cell in column])) == [["text"], *([cell] for cell in column)]


def test_the_form_of_each_type() -> None:
    """Numbers as they are, booleans as words, instants in ISO 8601 with their offset; quotes are around text only."""
    columns = [
        Column("a", "numeric(18,6)"),
        Column("b", "boolean"),
        Column("c", "timestamp with time zone"),
        Column("d", "timestamp without time zone"),
        Column("e", "date"),
        Column("f", "uuid"),
        Column("g", "double precision"),
        Column("h", "text"),
        Column("with space", "integer", is_array=True),
    ]
    row = (
        "-0.100000", "t", "2026-03-01 12:00:00.5+00", "2026-03-01 12:00:00", "2026-03-01",
        "aaaaaaaa-0000-4000-8000-000000000000", "1e-07", "x", "[1,2]",
    )  # fmt: skip
    assert write(columns, [row, (None,) * 9]) == (
        'a,b,c,d,e,f,g,h,"with space"\r\n'
        "-0.100000,true,2026-03-01T12:00:00.500000+00:00,2026-03-01T12:00:00.000000,2026-03-01,"
        'aaaaaaaa-0000-4000-8000-000000000000,1e-07,"x","[1,2]"\r\n'
        ",,,,,,,,\r\n"
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-03-01 12:00:00+00", "2026-03-01T12:00:00.000000+00:00"),
        ("2026-03-01 12:00:00.000001+00", "2026-03-01T12:00:00.000001+00:00"),
        ("12026-03-01 12:00:00.12+00", "12026-03-01T12:00:00.120000+00:00"),
        ("infinity", "infinity"),
        ("-infinity", "-infinity"),
        ("0044-03-15 12:00:00+00 BC", "0044-03-15 12:00:00+00 BC"),
    ],
)
def test_instants(text: str, written: str) -> None:
    """Six digits and the offset, always; what ISO 8601 cannot say stays as it is and is not made into another instant."""
    assert cells.instant(text) == written


ATTACKS = (
    "=1+1", "+12025550123", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x","y")', "\t=1", "\r=1", "\n=1",
    "\tx", "\rx", " =1", "   +1", "\u00a0=1", "\u3000=1", "\u200b=1", "\ufeff=1", "\u2060 \u00ad@a", "\x00=1", "\x0b=1", "\x85=1",
    "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(A1)", " \uff1d1", "'=1", "''=1", "' =1", "=", "-", "\u202e=1", "\ufe0f=1",
    "-1.5", "- well, yes", "\u115f=1", "\u180e=1", "-Infinity",
)  # fmt: skip
IN_THE_MIDDLE = (
    "a;=1+1",
    "a; =1",
    "x\t=1",
    "two\r\n=1",
    "two\n@SUM(A1)",
    "a;'=1",
    "a;b;\uff1d1",
    'a";=1',
    "a;\u200b-1",
)
HARMLESS = (
    "",
    "a",
    "hello = world",
    "it's 1+1",
    "'quoted'",
    "mail@example.net",
    "1-2",
    "a, -b",
    "€5",
    "0049",
    "漢字",
    ";",
    "''",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_spreadsheet_calculates_gets_an_apostrophe(attack: str) -> None:
    """The cell begins with an apostrophe, quoted or not: to a spreadsheet it is text."""
    assert delimited.neutral(attack)[0] == "'"
    assert delimited.restore(delimited.neutral(attack)) == attack


@pytest.mark.parametrize("attack", IN_THE_MIDDLE)
def test_so_does_what_another_separator_would_cut_free(attack: str) -> None:
    """Cut at semicolons, tabs and line breaks, as a spreadsheet with other settings does, no piece begins a formula."""
    for piece in re.split(r"[;\t\r\n]", delimited.neutral(attack)):
        assert not begins_a_formula(piece), piece
    assert delimited.restore(delimited.neutral(attack)) == attack


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays(text: str) -> None:
    """An apostrophe is put only where it protects."""
    assert delimited.neutral(text) == delimited.restore(text) == text


def begins_a_formula(text: str) -> bool:
    """Say by Unicode's own tables whether a formula comes first when what is no character to see is left out."""
    for character in text:
        if character in "=+-@\uff1d\uff0b\uff0d\uff20":
            return True
        if not (character.isspace() or unicodedata.category(character) in {"Cc", "Cf", "Zs", "Zl", "Zp"}):
            return False
    return False


@given(texts)
def test_no_text_is_a_formula_and_each_comes_back(text: str) -> None:
    """Of all of Unicode: made safe nothing begins a formula, tab or line break, and taking it back gives the same text."""
    safe = delimited.neutral(text)
    assert delimited.restore(safe) == text
    assert safe[:1] not in {"\t", "\r", "\n", "=", "+", "-", "@"}
    assert not any(map(begins_a_formula, re.split(r"[;\t\r\n]", safe)))


def test_every_character_that_is_not_to_be_seen_is_known() -> None:
    """Each space, control and format character of Unicode in front of a formula changes nothing."""
    unseen = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Zs", "Zl", "Zp"}
    ]
    assert len(unseen) > 200
    assert [character for character in unseen if delimited.neutral(f"{character}=1")[0] != "'"] == []


@given(rows_of_two)
def test_a_spreadsheet_file_gives_the_exact_texts_back(rows: list[tuple[str | None, ...]]) -> None:
    """The mark, the same dialect, and `restore`: nothing is lost on the way."""
    text = write([TEXT, TEXT], rows, is_spreadsheet=True)
    assert text.startswith("\ufeff")
    found = [[None if cell is None else delimited.restore(cell) for cell in row] for row in read(text[1:])]
    assert found == [["text", "text"], *map(list, rows)]


def test_numbers_stay_numbers_in_a_spreadsheet() -> None:
    """By the type of the column, not by looks: -1.5 as a number is one, as a text it is text; -Infinity is no number there."""
    columns = [Column("=a", "numeric(18,6)"), TEXT, Column("c", "double precision"), Column("d", "bigint")]
    text = write(
        columns, [("-1.500000", "-1.5", "-Infinity", "-7"), ("1", "+12025550123", "-1e-07", None)], is_spreadsheet=True
    )
    assert text == ('\ufeff"\'=a",text,c,d\r\n-1.500000,"\'-1.5","\'-Infinity",-7\r\n1,"\'+12025550123",-1e-07,\r\n')
