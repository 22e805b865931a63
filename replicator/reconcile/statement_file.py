"""Opens a party's file, whatever it is, and yields its lines: read by a mapping, or with the reason why not.

The file is read twice: once for its hash and its encoding, once for its lines. It must not change in between.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from replicator.errors import ConfigurationError
from replicator.reconcile import csv_file, xlsx_file
from replicator.reconcile.lines import Read, Unread
from replicator.reconcile.mapping import require
from replicator.reconcile.reading import Reader, is_blank

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from replicator.reconcile.mapping import Mapping
    from replicator.reconcile.reading import Cell

ZIP = b"PK\x03\x04"
OTHERS = {
    b"\xd0\xcf\x11\xe0": ("an Excel file of the old form (XLS)", "save it as XLSX or CSV"),
    b"%PDF": ("a PDF", "ask the party for the lines as CSV or XLSX"),
    b"\x1f\x8b": ("packed with gzip", "unpack it first"),
    b"{": ("JSON", "ask the party for CSV or XLSX"),
}
MOST_BYTES = 20 << 30


@dataclass(frozen=True, slots=True)
class Looked:
    """What a first look at a file found."""

    sha256: str
    bytes: int
    is_spreadsheet: bool
    encoding: str
    stamp: tuple[int, int]


def look(path: Path) -> Looked:
    """Return the hash, size and form of a file. Raises ConfigurationError where it is no statement."""
    digest, guess, size, head = hashlib.sha256(), csv_file.EncodingGuess(), 0, b""
    with opened(path) as stream:
        while piece := stream.read(csv_file.PIECE):
            head = head or piece[:8]
            size += len(piece)
            if size > MOST_BYTES:
                raise ConfigurationError(f"{path.name} has more than {MOST_BYTES >> 30} GiB", advice="split it")
            digest.update(piece)
            if not head.startswith(ZIP):
                guess.feed(piece)
        stamp = _stamp(stream)
    for mark, (what, advice) in OTHERS.items():
        if head.lstrip(b"\xef\xbb\xbf ").startswith(mark):
            raise ConfigurationError(f"{path.name} is {what}, and no statement that can be read", advice=advice)
    if not size:
        raise ConfigurationError(f"{path.name} is empty", advice="is it the right file?")
    is_spreadsheet = head.startswith(ZIP)
    return Looked(digest.hexdigest(), size, is_spreadsheet, "" if is_spreadsheet else guess.result(), stamp)


def read(path: Path, looked: Looked, mapping: Mapping, unread: list[str] | None = None) -> Iterator[Read]:
    """Yield each line of the file; `unread` gets the names of a spreadsheet's other sheets that are not empty. Raises ConfigurationError where its header does not fit, or it has changed."""
    with opened(path) as stream:
        if _stamp(stream) != looked.stamp:
            raise _changed(path)
        if looked.is_spreadsheet:
            yield from _spreadsheet(stream, mapping, [] if unread is None else unread)
        else:
            yield from _text(stream, mapping.format.encoding or looked.encoding, mapping)
        if _stamp(stream) != looked.stamp:
            raise _changed(path)


def opened(path: Path) -> IO[bytes]:
    """Open a file to read. Raises ConfigurationError where that is not possible."""
    try:
        require_file(path)
        return path.open("rb")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}", advice="check the path and its rights"
        ) from None


def require_file(path: Path) -> None:
    """Raise ConfigurationError where a path is a folder, or nothing is there."""
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder, and no file", advice="give the path of the party's file")
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path}", advice="give the path of the party's file")


def _stamp(stream: IO[bytes]) -> tuple[int, int]:
    found = os.fstat(stream.fileno())
    return found.st_mtime_ns, found.st_size


def _changed(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{path.name} changed while it was read; nothing was imported", advice="import it again")


def _text(stream: IO[bytes], encoding: str, mapping: Mapping) -> Iterator[Read]:
    try:
        found = csv_file.records(stream, encoding, mapping)
        header = next(found, None)
        if header is None or header.cells is None:
            raise ConfigurationError(
                "the header of the file cannot be read", advice="set encoding or delimiter under [format]"
            )
        reader = _reader(mapping, header.cells)
        for record in found:
            if record.cells is None:
                yield Read(Unread(record.number, record.problem or ""), record.original)
            elif not is_blank(record.cells):
                yield Read(reader.read(record.number, record.cells), record.original.rstrip("\r\n"))
    except UnicodeError:
        raise ConfigurationError(f"the file is not {encoding}", advice="set encoding under [format]") from None


def _spreadsheet(stream: IO[bytes], mapping: Mapping, unread: list[str]) -> Iterator[Read]:
    reader, width = None, 0
    for number, cells in xlsx_file.rows(stream, mapping, unread):
        if is_blank(cells):
            continue
        if reader is None:
            header = ["" if cell is None else str(cell) for cell in cells]
            reader, width = _reader(mapping, header), len(header)
        else:
            padded = [*cells, *[None] * (width - len(cells))]
            yield Read(reader.read(number, padded), xlsx_file.text(cells))
    if reader is None:
        raise ConfigurationError("the sheet has no row with a header", advice="set sheet under [format]")


def _reader(mapping: Mapping, header: Sequence[Cell]) -> Reader:
    names = [str(name) for name in header]
    return Reader(mapping, require(mapping, names), len(names))
