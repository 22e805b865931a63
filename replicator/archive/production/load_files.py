r"""Makes the lines of a bag's load files: CSV for spreadsheets, Concordance DAT for review platforms. Pure.

One line is one record of the archive. BEGDOC and ENDDOC are its number in the archive, so that the same document has the
same number in each production; GROUPID (the call) holds a call's documents together.

- Both: UTF-8 with a byte order mark, CRLF; characters that cannot be seen are shown as `\uNNNN`.
- CSV: every cell quoted; a line break inside a cell is a space; a cell that a spreadsheet would run as a formula
  (CWE-1236) has an apostrophe in front (export/delimited.py), except plain numbers.
- DAT: each cell between U+00FE, cells with U+0014 between them, a line break inside a cell is U+00AE. Where a text has
  these characters itself they are shown as `\u00fe` and `\u00ae`.

The native JSON has the exact text in any case. archive/production/verify_file.py makes each line again, from what is sealed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from replicator.archive.production.readable import visible
from replicator.export.delimited import BYTE_ORDER_MARK, END, neutral, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

CALL_FIELDS: Final = (
    "created_at", "started_at", "ended_at", "direction", "status", "from_number", "phone_number", "duration_seconds",
    "cost_usd", "agent_id", "summary",
)  # fmt: skip
"""What a call's line shows of its payload, under the contract's names."""
COLUMNS: Final = (
    "BEGDOC", "ENDDOC", "GROUPID", "KIND", "STATE", "OBSERVED_AT", *map(str.upper, CALL_FIELDS), "MEDIA_TYPE", "SHA256",
    "NATIVE_PATH", "TEXT_PATH", "HTML_PATH",
)  # fmt: skip
QUOTE, SEPARATOR, LINE_BREAK = "\u00fe", "\u0014", "\u00ae"
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def csv_line(cells: Iterable[str]) -> bytes:
    """Return a line of load.csv."""
    return (",".join(quoted(_safe(visible(cell).replace("\n", " "))) for cell in cells) + END).encode()


def dat_line(cells: Iterable[str]) -> bytes:
    """Return a line of load.dat."""
    return (SEPARATOR.join(f"{QUOTE}{_dat(visible(cell))}{QUOTE}" for cell in cells) + END).encode()


def csv_head() -> bytes:
    return BYTE_ORDER_MARK.encode() + csv_line(COLUMNS)


def dat_head() -> bytes:
    return BYTE_ORDER_MARK.encode() + dat_line(COLUMNS)


def _safe(text: str) -> str:
    return text if _NUMBER.fullmatch(text) else neutral(text)


def _dat(text: str) -> str:
    return text.replace(QUOTE, "\\u00fe").replace(LINE_BREAK, "\\u00ae").replace("\n", LINE_BREAK)


__all__ = ["CALL_FIELDS", "COLUMNS", "csv_head", "csv_line", "dat_head", "dat_line"]
