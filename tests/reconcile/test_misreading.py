"""What would be read as something else: it is read right, or refused in words."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from replicator.reconcile.lines import Line, Total, Unread
from replicator.reconcile.mapping import Format, Mapping
from tests.reconcile.fix_statements import read

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
