"""What would be read as something else: it is read right, or refused in words."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from replicator.errors import ConfigurationError
from replicator.reconcile import statement_file
from replicator.reconcile.lines import Line, Total, Unread
from replicator.reconcile.mapping import Format, Mapping
from tests.reconcile.fix_statements import read, sheets

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure

HEADER = b"line_id,call_id,started_at,duration_seconds,phone_number,amount,currency,kind,description\n"


def test_a_total_with_the_sum_of_the_seconds_is_a_total(tmp_path: Path) -> None:
    """It is no usage: the statement's sum would be twice what it is. A line that names a call is one."""
    rows = b"L1,,2026-10-31 10:00:00,65,+1,1.50,,,\nTotal,,,65,,1.50,,,\nL2,,2026-10-31 10:00:00,65,+1,1,,,Total\n"
    found = [one.line for one in read(tmp_path / "s.csv", HEADER + rows)]
    assert [type(line) for line in found] == [Line, Total, Line]


def test_a_german_file_with_three_decimals(tmp_path: Path) -> None:
    """Is refused line by line until the mapping says the decimal sign, and never read a thousand times too high."""
    content = HEADER.replace(b",", b";") + b"L1;;;1.234;;0,045;;fee;\n"
    (refused,) = read(tmp_path / "s.csv", content)
    assert isinstance(refused.line, Unread)
    assert "set decimal under [format]" in refused.line.problem
    (found,) = read(tmp_path / "s.csv", content, Mapping(format=Format(decimal=",")))
    line = found.line
    assert isinstance(line, Line)
    assert (line.amount, line.duration_seconds) == (Decimal("0.045"), 1234)


def changed(path: Path, old: bytes, new: bytes) -> Path:
    """Change the text of the first sheet."""
    content, out = path.read_bytes(), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(out, "w") as after:
        for name in before.namelist():
            text = before.read(name)
            assert "sheet1" not in name or old in text
            after.writestr(name, text.replace(old, new) if "sheet1" in name else text)
    path.write_bytes(out.getvalue())
    return path


ID = "11111111-2222-3333-4444-555555555555"
PRICED: list[list[object]] = [
    ["call_id", "amount", "note"],
    [ID, 1.5, "=1+1"],
    [ID, "=1+1", 1],
    ["Total", "=SUM(B2:B3)", 1],
]


def test_a_formula_without_a_value_is_unreadable(tmp_path: Path) -> None:
    """The call is not free and not unpriced: nobody has computed it. In a column that is not read it does not matter."""
    path = sheets(tmp_path / "s.xlsx", Lines=PRICED)
    first, second, total = (one.line for one in statement_file.read(path, statement_file.look(path), Mapping()))
    assert isinstance(first, Line)
    for line in (second, total):
        assert isinstance(line, Unread)
        assert line.problem.startswith("amount: the file has a formula and not its value")
    changed(path, b'<c r="B3"><f>1+1</f><v /></c>', b'<c r="B3"><f>1+1</f><v>2</v></c>')
    found = [one.line for one in statement_file.read(path, statement_file.look(path), Mapping())]
    assert isinstance(found[1], Line)
    assert found[1].amount == 2
    changed(path, b'<c r="B3"><f>1+1</f><v>2</v></c>', b'<c r="B3" t="str"><f>1+1</f><v></v></c>')
    found = [one.line for one in statement_file.read(path, statement_file.look(path), Mapping())]
    assert isinstance(found[1], Line)  # the formula's value is an empty text
    assert found[1].amount is None


def test_sheets_that_were_not_read_are_named(tmp_path: Path) -> None:
    """Those that are not empty."""
    path = sheets(tmp_path / "s.xlsx", One=[["amount"], [1]], Two=[["amount"], [2]], Empty=[])
    unread: list[str] = []
    assert len(list(statement_file.read(path, statement_file.look(path), Mapping(), unread))) == 1
    assert unread == ["Two"]


@pytest.mark.parametrize("number", [b"1000000000000", b"1048577", b"1"])
def test_a_row_with_an_impossible_number_is_refused(number: bytes, tmp_path: Path) -> None:
    """And not counted up to."""
    path = sheets(tmp_path / "s.xlsx", One=[["amount"], [1]])
    changed(path, b'<row r="2"', b'<row r="' + number + b'"')
    with pytest.raises(ConfigurationError, match="a row has the number"):
        list(statement_file.read(path, statement_file.look(path), Mapping()))


def test_broken_compression_is_said(tmp_path: Path) -> None:
    """It is the file, and no defect of ours."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<a>" + "text " * 1000)
    content = bytearray(out.getvalue())
    at = content.index(b"workbook.xml") + len(b"workbook.xml")
    content[at : at + 8] = b"\xff" * 8
    path = tmp_path / "s.xlsx"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="cannot be read: error"):
        list(statement_file.read(path, statement_file.look(path), Mapping()))
