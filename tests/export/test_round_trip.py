"""From PostgreSQL into a file and back: every value of every type, whatever the session says of their spelling."""

from __future__ import annotations

import uuid
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from replicator.errors import UnfitValue
from replicator.export import delimited, running
from replicator.export.question import Asked
from replicator.export.running import Target
from replicator.store.database import Database
from tests.export.fix_files import read
from tests.export.test_delimited import texts

if TYPE_CHECKING:
    from pathlib import Path

rows = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**31), 2**31 - 1),
        st.none() | texts,
        st.none() | st.decimals("-999999999999.999999", "999999999999.999999", places=6),
        st.none()
        | st.decimals(allow_nan=False, allow_infinity=False).filter(lambda number: abs(number.adjusted()) < 300),
        st.none() | st.datetimes(timezones=st.just(UTC)),
        st.none() | st.datetimes(),
        st.none() | st.dates(),
        st.none() | st.booleans(),
        st.none() | st.uuids(allow_nil=True),
        st.none() | st.floats(),
        st.none() | st.integers(-(2**15), 2**15 - 1),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(width=32),
    ),
    max_size=4,
)
edge = (
    -1, "", Decimal("0.1"), Decimal("1e-40"), datetime(1, 1, 1, tzinfo=UTC), datetime.max,  # noqa: DTZ901 - that is the column's type
    date(1, 1, 1), False, uuid.UUID(int=0), 0.1 + 0.2, -1, -(2**63), 0.10000000149011612,
)  # fmt: skip
one_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def fill(database: Database, found: list[tuple[Any, ...]]) -> None:
    with database.transaction() as tx:
        tx.execute("TRUNCATE public.odd, public.back")
        for row in found:
            tx.execute(f"INSERT INTO public.odd VALUES ({', '.join(['%s'] * len(row))})", row)


def write(database: Database, path: Path, format_: str, view: str = "odd") -> running.Exported:
    return running.export(database, Asked(view), Target(str(path), format_, may_replace=True))


@pytest.mark.slow
@given(rows)
@example([edge, (None,) * 13])
@settings(one_database, max_examples=60)
def test_postgres_reads_its_csv_back(odd: Database, tmp_path: Path, found: list[tuple[Any, ...]]) -> None:
    """COPY FROM takes the file as it is, and the table that it makes is the one that was exported, null for null."""
    fill(odd, found)
    path = tmp_path / "odd.csv"
    assert write(odd, path, "csv").rows == len(found)
    with odd.transaction() as tx:
        with tx.cursor().copy("COPY public.back FROM STDIN (FORMAT csv, HEADER, ENCODING 'UTF8')") as copy:
            copy.write(path.read_bytes())
        for one, other in (("odd", "back"), ("back", "odd")):
            assert tx.execute(f"TABLE public.{one} EXCEPT ALL TABLE public.{other}").fetchall() == []
        assert (
            tx.execute("SELECT exact::text FROM public.odd EXCEPT ALL SELECT exact::text FROM public.back").fetchall()
            == []
        )


@pytest.mark.slow
@given(rows)
@example([edge, (None,) * 13])
@settings(one_database, max_examples=60)
def test_parquet_holds_the_very_values(odd: Database, tmp_path: Path, found: list[tuple[Any, ...]]) -> None:
    """Typed and equal to the last digit: what Python put into PostgreSQL comes out of the file."""
    fill(odd, found)
    path = tmp_path / "odd.parquet"
    assert write(odd, path, "parquet").rows == len(found)
    with odd.connection() as connection:
        stored = connection.execute("SELECT number, said, cost_usd, exact::text, at, local_at, day, is_open, id::text, "
                                    "seconds, small, large, single::float8 FROM public.odd").fetchall()  # fmt: skip
    # repr tells -0.0 from 0.0 and NaN from null; the instants' time zones have two names.
    assert sorted(map(plain, pq.read_table(path).to_pylist())) == sorted(plain(dict(enumerate(row))) for row in stored)


def plain(row: dict[Any, Any]) -> str:
    return repr([value.astimezone(UTC) if getattr(value, "tzinfo", None) else value for value in row.values()])


@given(rows)
@settings(one_database, max_examples=20)
def test_a_spreadsheet_file_differs_in_its_apostrophes_only(
    odd: Database, tmp_path: Path, found: list[tuple[Any, ...]]
) -> None:
    """Without the mark and the apostrophes it is the exact file, but for numbers that are no numbers to a spreadsheet."""
    fill(odd, found)
    write(odd, tmp_path / "exact.csv", "csv")
    write(odd, tmp_path / "safe.csv", "spreadsheet")
    safe = (tmp_path / "safe.csv").read_bytes().decode("utf-8-sig")
    again = [[None if cell is None else delimited.restore(cell) for cell in row] for row in read(safe)]
    assert again == read((tmp_path / "exact.csv").read_bytes().decode())


def test_the_spelling_does_not_depend_on_settings(odd: Database, database_url: str, tmp_path: Path) -> None:
    """A database with another time zone, date style, number of digits and encoding gives the same bytes."""
    fill(odd, [(*edge[:1], "ä€😀", *edge[2:])])
    first = write(odd, tmp_path / "a.csv", "csv")
    with odd.connection() as connection:
        name = database_url.rsplit("/", 1)[1]
        for setting in (
            "timezone = 'Asia/Kathmandu'", "datestyle = 'SQL, DMY'", "extra_float_digits = -10", "bytea_output = 'escape'",
            "intervalstyle = 'sql_standard'", "client_encoding = 'EUC_JP'",
        ):  # fmt: skip
            connection.execute(f"ALTER DATABASE {name} SET {setting}")
    with closing(Database(database_url)) as other:
        second = write(other, tmp_path / "b.csv", "csv")
    assert first.sha256 == second.sha256
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_lists_and_json_are_json(odd: Database, tmp_path: Path) -> None:
    """What has no type of its own in a file is text that others read: lists as JSON, not in PostgreSQL's braces."""
    with odd.transaction() as tx:
        tx.execute(
            "CREATE VIEW analytics.lists AS SELECT ARRAY['a,\"b', NULL, '']::text[] AS words, '{\"a\": 1.10}'::jsonb AS facts, "
            "interval '1 day 2 seconds' AS length, '\\xff00'::bytea AS raw"
        )
    write(odd, tmp_path / "a.csv", "csv", "lists")
    write(odd, tmp_path / "a.parquet", "parquet", "lists")
    row = ['["a,\\"b",null,""]', '{"a": 1.10}', "P1DT2S", "\\xff00"]
    assert read((tmp_path / "a.csv").read_bytes().decode())[1] == row
    table = pq.read_table(tmp_path / "a.parquet")
    assert list(table.to_pylist()[0].values()) == row
    assert [str(field.type) for field in table.schema] == ["string"] * 4


@pytest.mark.parametrize(
    ("column", "value", "type_"),
    [
        ("at", "infinity", "timestamp"), ("at", "10000-01-01 00:00+00", "timestamp"), ("day", "-infinity", "date32"),
        ("day", "0044-03-15 BC", "date32"), ("cost_usd", "NaN", "decimal128"),
    ],
)  # fmt: skip
def test_what_parquet_cannot_hold_ends_the_export(
    odd: Database, tmp_path: Path, column: str, value: str, type_: str
) -> None:
    """Nothing becomes null or another value: the column is named, no file is left, and CSV holds it as it is."""
    with odd.transaction() as tx:
        tx.execute(f"INSERT INTO public.odd ({column}) VALUES (%s)", [value])
    with pytest.raises(UnfitValue, match=rf"'{column}' holds a value that Parquet's {type_}"):
        write(odd, tmp_path / "a.parquet", "parquet")
    assert list(tmp_path.iterdir()) == []
    write(odd, tmp_path / "a.csv", "csv")
    assert value.partition(" ")[0] in (tmp_path / "a.csv").read_text()


def test_an_empty_view_has_its_header_and_its_schema(odd: Database, tmp_path: Path) -> None:
    """Of no rows the names and the types are known all the same."""
    write(odd, tmp_path / "a.csv", "csv")
    assert (tmp_path / "a.csv").read_text() == (
        "number,said,cost_usd,exact,at,local_at,day,is_open,id,seconds,small,large,single\n"
    )
    done = write(odd, tmp_path / "a.parquet", "parquet")
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert (done.rows, file.metadata.num_rows) == (0, 0)
    assert {field.name: str(field.type) for field in file.schema_arrow} == {
        "number": "int32", "said": "string", "cost_usd": "decimal128(18, 6)", "exact": "string", "at": "timestamp[us, tz=UTC]",
        "local_at": "timestamp[us]", "day": "date32[day]", "is_open": "bool", "id": "string", "seconds": "double",
        "small": "int16", "large": "int64", "single": "float",
    }  # fmt: skip
    assert all(field.nullable for field in file.schema_arrow)
    assert file.schema_arrow.field("said").metadata[b"comment"] == b"What was said."
    assert file.schema_arrow.metadata[b"view"] == b"analytics.odd"
    assert datetime.fromisoformat(file.schema_arrow.metadata[b"snapshot_at"].decode()) == done.snapshot_at


def test_row_groups_are_bounded(odd: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By rows and by bytes, and every row is in one of them, in their order."""
    with odd.transaction() as tx:
        tx.execute(
            "INSERT INTO public.odd (number, said) SELECT n, repeat('x', n %% 7) FROM generate_series(1, 200) n", []
        )
    for name, value in {"BATCH_ROWS": 10, "GROUP_ROWS": 50}.items():
        monkeypatch.setattr(f"replicator.export.parquet.{name}", value)

    def groups() -> list[int]:
        write(odd, tmp_path / "a.parquet", "parquet")
        file = pq.ParquetFile(tmp_path / "a.parquet")
        assert file.read().column("number").to_pylist() == list(range(1, 201))
        return [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]

    assert groups() == [50] * 4
    monkeypatch.setattr("replicator.export.parquet.GROUP_BYTES", 1)
    assert groups() == [10] * 20
    monkeypatch.setattr("replicator.export.parquet.BATCH_CHARACTERS", 1)
    assert set(groups()) == {1}
