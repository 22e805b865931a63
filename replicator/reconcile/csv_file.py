r"""Reads a CSV file of any usual dialect as records, each with the line of the file on which it begins and its own text.

It streams, and no line, cell or record can be larger than its bound: what is larger is a record that cannot be read. Where
quotes do not end as they should, the line on which they began is such a record, and reading goes on with the next line:
one stray quote does not swallow the rest of the file. Bytes that the encoding does not know become \xNN in the text.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from replicator.errors import ConfigurationError
from replicator.reconcile.mapping import DELIMITERS, find
from replicator.safe_text import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.reconcile.mapping import Mapping

MOST_LINE = 1_000_000
"""Characters of a line; what is behind them is dropped, and the line cannot be read."""
MOST_CELL = 100_000
MOST_LINES_OF_A_RECORD = 50
"""A quoted cell may have line breaks; one that goes on for longer is a quote that was never closed."""
PIECE = 1 << 20
_SEPARATOR = re.compile(r"sep=(.)\r?\n?\Z")
_BROKEN = re.compile("[\udc80-\udcff]")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
ESCAPE = "replicator-escape"


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Write each byte that cannot be decoded as the lone surrogate that stands for it, in every encoding."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return wrong.decode("ascii", "surrogateescape"), error.end


codecs.register_error(ESCAPE, _mark)
csv.field_size_limit(MOST_CELL)


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `cells` is None where it cannot be read, and `problem` says why."""

    number: int
    cells: list[str] | None
    original: str = field(repr=False)
    problem: str | None = None


@dataclass(slots=True)
class EncodingGuess:
    """Decides the encoding of a file from all of its bytes, given piece by piece."""

    head: bytes = b""
    valid: int = 0
    """Characters beyond ASCII that are UTF-8."""
    invalid: int = 0
    _decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")(ESCAPE))

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        if len(self.head) < PIECE:
            self.head += piece[: PIECE - len(self.head)]
        if piece.isascii() and not self._decoder.getstate()[0]:
            return
        text = self._decoder.decode(piece)
        broken = len(_BROKEN.findall(text))
        self.invalid += broken
        self.valid += len(text) - len(text.encode("ascii", "ignore")) - broken

    def result(self) -> str:
        """Return the codec's name: by a byte order mark, by the zeros of UTF-16, or UTF-8 unless most of it is none."""
        for mark, name in _BOMS:
            if self.head.startswith(mark):
                return name
        sample = self.head[:4096]
        half = len(sample) // 2
        if half and sample[1::2].count(0) > 0.8 * half:
            return "utf-16-le"
        if half and sample[0::2].count(0) > 0.8 * half:
            return "utf-16-be"
        return "cp1252" if self.invalid > self.valid else "utf-8"


def records(stream: IO[bytes], encoding: str, mapping: Mapping) -> Iterator[Record]:
    """Yield the header and then each record. Raises ConfigurationError where there is no header."""
    text = io.TextIOWrapper(stream, encoding=encoding, errors=ESCAPE, newline="")
    lines = _Lines(text)
    for _ in range(mapping.format.skip_lines):
        lines.take()
    header, delimiter = _header(lines, mapping)
    lines.give_back(*header)
    yield from _records(lines, delimiter)
    text.detach()


class _Lines:
    """The physical lines of a file, numbered; lines can be given back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._number = 0
        self._back: deque[tuple[int, str]] = deque()

    def take(self) -> tuple[int, str] | None:
        """Return the next line with its number, or None at the end. One that is too long has no line break."""
        if self._back:
            return self._back.popleft()
        line = self._text.readline(MOST_LINE)
        if not line:
            return None
        self._number += 1
        if len(line) == MOST_LINE and line[-1] not in "\r\n":
            while (rest := self._text.readline(MOST_LINE)) and rest[-1] not in "\r\n":
                pass
        return self._number, line

    def give_back(self, *lines: tuple[int, str]) -> None:
        self._back.extendleft(reversed(lines))


def _header(lines: _Lines, mapping: Mapping) -> tuple[list[tuple[int, str]], str]:
    """Return the physical lines of the header, and the delimiter. Lines without content in front of it are skipped."""
    given = mapping.format.delimiter
    while (first := lines.take()) is not None:
        if separator := _SEPARATOR.match(first[1]):
            given = given or separator[1]
        elif first[1].strip(" \t\r\n,;|"):
            break
    if first is None:
        raise ConfigurationError("the file has no line with a header", advice="is it the right file?")
    if given:
        return [first], given

    def fits(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([first[1]], delimiter=delimiter), [])
        try:
            return len(find(mapping, cells)), len(cells)
        except ConfigurationError:
            return 1, len(cells)  # it has the columns, and some twice

    return [first], max(DELIMITERS, key=fits)


class _TooManyLinesError(Exception):
    """A record has more lines than a cell with line breaks explains."""


def _records(lines: _Lines, delimiter: str) -> Iterator[Record]:
    taken: list[tuple[int, str]] = []

    def physical() -> Iterator[str]:
        while (line := lines.take()) is not None:
            taken.append(line)
            if len(taken) > MOST_LINES_OF_A_RECORD:
                raise _TooManyLinesError
            yield line[1].replace("\x00", "\ufffd") if "\x00" in line[1] else line[1]

    while True:
        taken.clear()
        # Strict: a quote in the wrong place is an error, and not a guess.
        reader = csv.reader(physical(), delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                yield _record(taken, cells)
                taken.clear()
        except (csv.Error, _TooManyLinesError) as error:
            first, *others = taken
            lines.give_back(*others)
            yield Record(first[0], None, _readable(first[1]), _why(error, first[1]))
        else:
            return


def _record(taken: list[tuple[int, str]], cells: list[str]) -> Record:
    number, text = taken[0] if len(taken) == 1 else (taken[0][0], "".join(line for _, line in taken))
    if len(text) < MOST_LINE and text.isascii() and "\x00" not in text:
        return Record(number, cells, text)
    problem = None
    if len(text) >= MOST_LINE:
        problem, text = f"it has more than {MOST_LINE:,} characters", text[:MOST_CELL]
    elif "\x00" in text:
        problem = "it has a NUL byte"
    elif _BROKEN.search(text):
        problem = "it has bytes that are not of the file's encoding; set encoding under [format]"
    return Record(number, None if problem else cells, _readable(text), problem)


def _why(error: Exception, text: str) -> str:
    if len(text) >= MOST_LINE:
        return f"it has more than {MOST_LINE:,} characters"
    if isinstance(error, csv.Error) and "limit" in str(error):
        return f"a cell has more than {MOST_CELL:,} characters"
    return "its quotes do not end as they should"


def _readable(text: str) -> str:
    r"""Return a text that the database can store: bytes without a character, and NUL, as \xNN."""
    return re.sub("[\x00\ud800-\udfff]", lambda found: escaped(found[0]), text[:MOST_CELL])
