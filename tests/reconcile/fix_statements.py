"""Writes statements in any dialect, and reads them back without a database."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import openpyxl

from replicator.reconcile import statement_file
from replicator.reconcile.mapping import FIELDS, Format, Mapping

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from replicator.reconcile.lines import Line, Read


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a statement is written."""

    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    line_end: str = "\r\n"
    quoting: int = csv.QUOTE_MINIMAL
    negative: str = "minus"
    dates: str = "%Y-%m-%dT%H:%M:%SZ"
    zone: ZoneInfo | None = None
    sign: str = "positive"

    def mapping(self) -> Mapping:
        """Return the mapping that says what the file does not show."""
        zone = "UTC" if self.zone is None else self.zone.key
        order = "mdy" if "%m/%d" in self.dates else "dmy" if "%d/%m" in self.dates else None
        encoding = self.encoding if self.encoding == "cp1252" else None
        return Mapping(
            format=Format(decimal=self.decimal, sign=self.sign, time_zone=zone, dates=order, encoding=encoding)
        )


def money(value: Decimal, dialect: Dialect) -> str:
    """Write an amount."""
    value = -value if dialect.sign == "negative" else value
    whole, _, decimals = f"{abs(value):f}".partition(".")
    text = f"{int(whole):,}".replace(",", dialect.thousands) + (dialect.decimal + decimals if decimals else "")
    if value >= 0:
        return text
    return {"minus": f"-{text}", "behind": f"{text}-", "brackets": f"({text})", "credit": f"{text} CR"}[
        dialect.negative
    ]


def write(lines: Sequence[Line], dialect: Dialect) -> bytes:
    """Return the file."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=dialect.delimiter, lineterminator=dialect.line_end, quoting=dialect.quoting)
    writer.writerow(FIELDS)
    for line in lines:
        started = line.started_at
        if started is not None and dialect.zone is not None:
            started = started.astimezone(dialect.zone)
        cells = {
            name: "" if (value := getattr(line, name)) is None else str(value) for name in FIELDS
        } | {
            "started_at": started.strftime(dialect.dates) if started else "",
            "amount": "" if line.amount is None else money(line.amount, dialect),
        }  # fmt: skip
        writer.writerow([cells[name] for name in FIELDS])
    return out.getvalue().encode(dialect.encoding)


def read(path: Path, content: bytes, mapping: Mapping | None = None) -> list[Read]:
    """Write a file and read it."""
    path.write_bytes(content)
    return list(statement_file.read(path, statement_file.look(path), mapping or Mapping()))


def sheets(path: Path, **named: list[list[object]]) -> Path:
    """Write a spreadsheet."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in named.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path
