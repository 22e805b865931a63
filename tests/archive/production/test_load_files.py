"""The lines of the load files, whatever the cells hold."""

from __future__ import annotations

import csv
import io

import pytest

from replicator.archive.production import load_files, verify_file
from tests.archive.fix_texts import HOSTILE

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_stays_a_cell(text: str) -> None:
    """Whatever it holds, a line is one line with as many cells as there are columns; no cell begins a formula."""
    cells = [text] * len(load_files.COLUMNS)
    line = load_files.csv_line(cells).decode()
    assert line.endswith("\r\n")
    assert line.count("\n") == 1
    (read,) = csv.reader(io.StringIO(line, newline=""))
    assert len(read) == len(cells)
    assert not any(
        cell.strip()[:1] in {"=", "+", "-", "@", "\uff1d"} for part in read for cell in part.split(";") if cell
    )
    dat = load_files.dat_line(cells).decode()
    assert dat.endswith("\xfe\r\n")
    assert dat.count("\n") == 1
    assert len(dat.removesuffix("\r\n").split("\x14")) == len(cells)
    assert dat.count("\xfe") == 2 * len(cells)


@pytest.mark.parametrize("text", HOSTILE)
def test_the_verifier_writes_the_same_lines(text: str) -> None:
    """Two implementations of the format agree."""
    assert verify_file.csv_line([text, "1"]) + b"\n" == load_files.csv_line([text, "1"])
    assert verify_file.dat_line([text, "1"]) + b"\n" == load_files.dat_line([text, "1"])


def test_plain_numbers_stay_numbers() -> None:
    """A negative amount gets no apostrophe; a phone number does, as a spreadsheet would calculate with it."""
    assert load_files.csv_line(["-0.125", "+4930901820", "-1-1"]) == b'"-0.125","\'+4930901820","\'-1-1"\r\n'


def test_the_concordance_form() -> None:
    """Its delimiters are U+0014 and U+00FE, a line break is U+00AE, and a byte order mark begins the file."""
    assert load_files.dat_line(["a", "b\nc", "þ®"]) == "þaþ\x14þb®cþ\x14þ\\u00fe\\u00aeþ\r\n".encode()
    assert load_files.dat_head().startswith(b"\xef\xbb\xbf\xc3\xbeBEGDOC\xc3\xbe\x14")
    assert load_files.csv_head().startswith(b'\xef\xbb\xbf"BEGDOC",')
    assert tuple(verify_file.COLUMNS) == load_files.COLUMNS
