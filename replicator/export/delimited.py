r"""Writes CSV in two dialects. Pure: cells in, text out.

*csv* is RFC 4180 and exact: UTF-8, a header, commas, CRLF, doubled quotes. Text is always quoted and nothing else is.
So null (an empty cell) differs from the empty string (`""`), and a number from a text of digits. A line break inside a
text is not changed.

*spreadsheet* is the same with a byte order mark in front, and with safe text (CWE-1236). A spreadsheet takes a cell
that begins with = + - @ as a formula, quoted or not, and callers choose what they say. Such a cell gets an apostrophe
in front. This is also done where spaces or invisible characters come first, for the full-width forms of those four
characters, where the text begins with a tab or a line break, and behind a semicolon, a tab or a line break inside the
text, where a spreadsheet with another separator begins a cell. A text that already has apostrophes at such a place gets
one more, so `restore` is exact: it removes one apostrophe wherever one can have been added. Numbers, days, instants and
ids are not text and stay unchanged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from replicator.export.cells import Kind, form, kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replicator.store.catalogue import Column, Row

BYTE_ORDER_MARK = "\ufeff"
END = "\r\n"

_FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"
# Spaces (\s includes those of Unicode), controls, format characters, and other invisible characters; but not the
# separators.
_UNSEEN = (
    r"\s\x00-\x20\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u2028-\u202f\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    r"\U00013430-\U0001345f\U0001bca0-\U0001bcaf\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SKIPPED = rf"(?:(?![;\t\r\n])[{_UNSEEN}])*"
_AT_THE_BEGINNING = rf"'*{_SKIPPED}[{_FORMULA}\t\r\n]"
_IN_THE_MIDDLE = rf"'*{_SKIPPED}[{_FORMULA}]"
_UNSAFE = re.compile(rf"\A(?={_AT_THE_BEGINNING})|(?<=[;\t\r\n])(?={_IN_THE_MIDDLE})")
_MADE_SAFE = re.compile(rf"\A'(?={_AT_THE_BEGINNING})|(?<=[;\t\r\n])'(?={_IN_THE_MIDDLE})")


def neutral(text: str) -> str:
    """Return the text in a form that no spreadsheet takes as a formula."""
    return _UNSAFE.sub("'", text)


def restore(text: str) -> str:
    """Return the text that `neutral` was given."""
    return _MADE_SAFE.sub("", text)


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def header(columns: Sequence[Column], *, is_spreadsheet: bool) -> str:
    """Return the header line; names that are not plain words are quoted."""
    names = [neutral(column.name) if is_spreadsheet else column.name for column in columns]
    line = ",".join(name if re.fullmatch(r"\w+", name, re.ASCII) else quoted(name) for name in names) + END
    return BYTE_ORDER_MARK + line if is_spreadsheet else line


def writer(columns: Sequence[Column], *, is_spreadsheet: bool) -> Callable[[Row], str]:
    """Return a function that makes a line from a row."""
    cells = [_cell(column, is_spreadsheet=is_spreadsheet) for column in columns]

    def line(row: Row) -> str:
        return (
            ",".join(
                ["" if text is None else text if write is None else write(text) for write, text in zip(cells, row)]  # noqa: B905 - the database gives as many as were asked for
            )
            + END
        )

    return line


def _cell(column: Column, *, is_spreadsheet: bool) -> Callable[[str], str] | None:
    if kind(column) is not Kind.TEXT:
        return form(column) if not is_spreadsheet else _number_or_day(form(column))
    return (lambda text: quoted(neutral(text))) if is_spreadsheet else quoted


def _number_or_day(write: Callable[[str], str] | None) -> Callable[[str], str]:
    def cell(text: str) -> str:
        text = text if write is None else write(text)
        # -1.5 is a number; -Infinity is a formula to a spreadsheet.
        return text if text[0] != "-" or text[1:2].isdigit() else quoted(neutral(text))

    return cell
