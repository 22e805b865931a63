"""Checks what an export is asked for: a view, its columns, its rows, a format. Pure.

What the user typed is compared with the names in the catalog; an unknown name is refused with the nearest known one.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from replicator.errors import ConfigurationError, RightMissing
from replicator.store.catalogue import Choice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from replicator.store.catalogue import Column, Offer, View

CSV, SPREADSHEET, PARQUET, XLSX = "csv", "spreadsheet", "parquet", "xlsx"
FORMATS = (CSV, SPREADSHEET, XLSX, PARQUET)
ENDINGS = {".csv": CSV, ".xlsx": XLSX, ".parquet": PARQUET, ".pq": PARQUET}
STDOUT = "-"
MONTH = "month_on"
DAY_COLUMNS = ("day", "created_on", MONTH)
PERSONAL = "personal data"
"""Views and columns with personal data have these words in their comments."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The user's choice, not yet compared with the database. Days include both ends."""

    view: str
    columns: tuple[str, ...] | None = None
    since: date | None = None
    until: date | None = None
    account: str | None = None


def format_of(output: str, chosen: str | None) -> str:
    """Return the format: the chosen one, else by the file's ending; CSV for standard output."""
    if chosen is not None:
        if chosen not in FORMATS:
            raise ConfigurationError(
                f"there is no format {chosen!r}{_nearest(chosen, FORMATS)}", advice=f"--format is {_or(FORMATS)}"
            )
        return chosen
    if output == STDOUT:
        return CSV
    ending = Path(output).suffix.lower()
    if ending not in ENDINGS:
        raise ConfigurationError(
            "the file's name does not tell the format",
            advice=f"end it in {_or(tuple(ENDINGS))}, or add --format {_or(FORMATS)}",
        )
    return ENDINGS[ending]


def read_columns(text: str | None) -> tuple[str, ...] | None:
    """Read `a,b`; None is all of them."""
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ConfigurationError(
            "--columns has an empty name", advice="expected names with commas between, such as a,b"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"--columns names {', '.join(twice)} more than once", advice="name each column once")
    return names


def choose_name(there: Offer, asked: str) -> str:
    """Return the name of the view that is asked for, with the schema or without."""
    name = asked.removeprefix(f"{there.schema}.")
    if name in there.oids:
        return name
    schema, dot, _ = asked.rpartition(".")
    what = (
        f"only views of schema {there.schema} are exported, not {asked!r}"
        if dot and schema != there.schema
        else f"there is no view {asked!r}"
    )
    raise ConfigurationError(
        f"{what}{_nearest(name.rpartition('.')[2], there.names)}",
        advice=f"the views are: {', '.join(there.names)}" if there.oids else "run: replicator migrate",
    )


def choose(there: Offer, view: View, asked: Asked) -> Choice:
    """Return what to read. Raises ConfigurationError where the view has no such column, RightMissing where this user
    may not read it.
    """
    by_name = {column.name: column for column in view.columns}
    wanted = tuple(by_name) if asked.columns is None else asked.columns
    unknown = [name for name in wanted if name not in by_name]
    if unknown:
        near = _nearest(unknown[0], list(by_name)) if len(unknown) == 1 else ""
        raise ConfigurationError(
            f"{view.full_name} has no column {', '.join(map(repr, unknown))}{near}",
            advice=f"its columns are: {', '.join(by_name)}",
        )
    if asked.since is not None and asked.until is not None and asked.since > asked.until:
        raise ConfigurationError("--since is later than --until", advice="both days are included")
    day = None
    if asked.since is not None or asked.until is not None:
        day = next((by_name[name] for name in DAY_COLUMNS if name in by_name and by_name[name].type == "date"), None)
        if day is None:
            raise ConfigurationError(
                f"{view.full_name} has no day or month to choose by",
                advice="leave out --since and --until: export all of it",
            )
    if asked.account is not None and "account" not in by_name:
        raise ConfigurationError(f"{view.full_name} has no column 'account'", advice="leave out --account")
    columns = tuple(by_name[name] for name in wanted)
    used = [*columns, *([day] if day else []), *([by_name["account"]] if asked.account is not None else [])]
    _check_rights(there, view, used, asked.columns is not None)
    # A row of months is chosen if the month has one of the days.
    since = (
        asked.since.replace(day=1) if asked.since is not None and day is not None and day.name == MONTH else asked.since
    )
    return Choice(view, columns, day, since, asked.until, asked.account)


def _check_rights(there: Offer, view: View, used: Sequence[Column], is_part: bool) -> None:
    if not there.is_usable:
        raise RightMissing(
            f"the user {there.user!r} may not use schema {there.schema}",
            advice=_grant(f"USAGE ON SCHEMA {there.schema}", there),
        )
    denied = list(dict.fromkeys(column.name for column in used if not column.is_readable))
    if not denied:
        return
    if not any(column.is_readable for column in view.columns):
        raise RightMissing(
            f"the user {there.user!r} may not read {view.full_name}",
            advice=_grant(f"SELECT ON {_quoted(there.schema)}.{_quoted(view.name)}", there),
        )
    raise RightMissing(
        f"the user {there.user!r} may not read these columns of {view.full_name}: {', '.join(denied)}",
        advice=_grant(
            f"SELECT ({', '.join(map(_quoted, denied))}) ON {_quoted(there.schema)}.{_quoted(view.name)}", there
        )
        + ("" if is_part else "; or name the others in --columns"),
    )


def _grant(right: str, there: Offer) -> str:
    return f"as the owner of the views: GRANT {right} TO {_quoted(there.user)}"


def _quoted(name: str) -> str:
    is_plain = name.isascii() and name.isidentifier() and name == name.lower()
    return name if is_plain else '"' + name.replace('"', '""') + '"'


def is_personal(choice: Choice) -> bool:
    """Say whether the export holds personal data, by the comments of the view and the chosen columns."""
    return any(PERSONAL in text.lower() for text in (choice.view.comment, *(c.comment for c in choice.columns)))


def _nearest(word: str, words: Sequence[str]) -> str:
    near = difflib.get_close_matches(word.lower(), words, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _or(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" or {words[-1]}"
