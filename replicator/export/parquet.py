"""Writes Parquet, with types. It is the only module that imports pyarrow, an optional extra.

Arrow parses cells from their text, exactly or not at all. A value that its type cannot hold (infinity as an instant,
NaN as money) ends the export with the column's name; it is never turned into null or rounded.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from replicator.errors import ConfigurationError, UnfitValue
from replicator.export.cells import form

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError:  # the extra is not installed
    pa = pq = None

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

    from replicator.store.catalogue import Column, Row

REQUIREMENT = "pyarrow>=23,<27"
"""The requirement as in pyproject.toml; a test compares the two."""

BATCH_ROWS = 4_096
BATCH_CHARACTERS = 8 * 2**20
GROUP_ROWS = 131_072
GROUP_BYTES = 32 * 2**20
"""A row group ends at this many rows or bytes in memory; only one batch of rows is held as Python text."""

MOST_DIGITS = 76
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")


def require() -> None:
    """Raise ConfigurationError where the extra is not installed."""
    if pa is None:
        raise ConfigurationError(
            "Parquet needs pyarrow, which is not installed",
            advice=f"run: {sys.executable} -m pip install '{REQUIREMENT}' (or export CSV)",
        )


def arrow_type(column: Column) -> Any:
    """Return the Arrow type of a column; text where no type holds each of its values exactly."""
    if column.is_array:
        return pa.string()
    numeric = _NUMERIC.fullmatch(column.type)
    if numeric is not None:
        precision, scale = int(numeric[1]), int(numeric[2])
        if not scale <= precision <= MOST_DIGITS:
            return pa.string()
        return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)  # noqa: PLR2004 - 128 bits
    types = {
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "real": pa.float32(),
        "double precision": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp with time zone": pa.timestamp("us", tz="UTC"),
        "timestamp without time zone": pa.timestamp("us"),
    }
    return types.get(re.sub(r"\(\d\)", "", column.type), pa.string())


def schema(columns: Sequence[Column], facts: Mapping[str, str]) -> Any:
    """Return the file's schema: names, types, nullability, comments; and facts about the file."""
    fields = [
        pa.field(column.name, arrow_type(column), nullable=column.is_nullable, metadata={"comment": column.comment})
        for column in columns
    ]
    return pa.schema(fields, metadata=dict(facts))


class Writer:
    """Writes rows into a file that need not be seekable."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], facts: Mapping[str, str]) -> None:
        self._schema = schema(columns, facts)
        self._forms = [form(column) for column in columns]
        self._writer = pq.ParquetWriter(file, self._schema, compression="snappy")
        self._rows: list[Row] = []
        self._characters = 0
        self._batches: list[Any] = []

    def write(self, row: Row) -> None:
        self._rows.append(row)
        self._characters += sum(map(len, filter(None, row)))
        if len(self._rows) >= BATCH_ROWS or self._characters >= BATCH_CHARACTERS:
            self._end_batch()
            rows, size = sum(len(batch) for batch in self._batches), sum(batch.nbytes for batch in self._batches)
            if rows >= GROUP_ROWS or size >= GROUP_BYTES:
                self._end_group()

    def finish(self) -> None:
        """Write the remaining rows, and the footer without which the file is not valid Parquet."""
        self._end_batch()
        self._end_group()
        self._writer.close()

    def _end_batch(self) -> None:
        if not self._rows:
            return
        arrays = [self._array(index, [row[index] for row in self._rows]) for index in range(len(self._forms))]
        self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows, self._characters = [], 0

    def _array(self, index: int, cells: list[str | None]) -> Any:
        change, field = self._forms[index], self._schema.field(index)
        texts = cells if change is None else [None if text is None else change(text) for text in cells]
        try:
            return pa.array(texts, pa.string()).cast(field.type)
        except pa.ArrowInvalid:
            raise UnfitValue(f"the column {field.name!r} holds a value that Parquet's {field.type} cannot") from None

    def _end_group(self) -> None:
        if self._batches:
            table = pa.Table.from_batches(self._batches, self._schema)
            self._writer.write_table(table, row_group_size=len(table))
            self._batches = []
