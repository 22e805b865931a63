"""Files as parties write them: any dialect reads back equal, and hostile or broken files end in a reason with a line number."""

from __future__ import annotations

import csv
import io
import tempfile
import time
import tracemalloc
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import ConfigurationError
from replicator.reconcile import mapping_file, statement_file, xlsx_file
from replicator.reconcile.lines import Line, Unread
from replicator.reconcile.mapping import Format, Mapping, parse
from tests.reconcile.fix_statements import Dialect, read, write

pytestmark = pytest.mark.pure

HEADER = b"line_id,call_id,started_at,duration_seconds,phone_number,amount,currency,kind,description\n"
ONE = Line(
    2, "L1", UUID("11111111-2222-3333-4444-555555555555"), "CA1", datetime(2026, 10, 31, 23, 30, tzinfo=UTC), 65, "+15550001",
    "+15550002", "outbound", Decimal("1234.5600"), "USD", "usage", 'Anruf "Müller", 5;00 €',
)  # fmt: skip


def lines_of(path: Path, content: bytes, mapping: Mapping | None = None) -> list[Line]:
    found = [one.line for one in read(path, content, mapping)]
    assert [one for one in found if isinstance(one, Unread)] == []
    return found  # type: ignore[return-value]


def problems_of(path: Path, content: bytes, mapping: Mapping | None = None) -> dict[int, str]:
    return {one.line.number: one.line.problem for one in read(path, content, mapping) if isinstance(one.line, Unread)}


DIALECTS = {
    "plain": Dialect(),
    "semicolons and commas": Dialect(delimiter=";", decimal=",", thousands="."),
    "tabs": Dialect(delimiter="\t", line_end="\n"),
    "pipes": Dialect(delimiter="|", thousands=","),
    "BOM": Dialect(encoding="utf-8-sig"),
    "UTF-16": Dialect(encoding="utf-16", delimiter="\t"),
    "UTF-16 without BOM": Dialect(encoding="utf-16-le"),
    "big-endian UTF-16 without BOM": Dialect(encoding="utf-16-be"),
    "Windows": Dialect(encoding="cp1252", delimiter=";", decimal=","),
    "old Mac line ends": Dialect(line_end="\r"),
    "all quoted": Dialect(quoting=csv.QUOTE_ALL, thousands=","),
    "days first in Berlin": Dialect(dates="%d/%m/%Y %H:%M:%S", zone=ZoneInfo("Europe/Berlin")),
    "months first in New York": Dialect(dates="%m/%d/%Y %I:%M:%S %p", zone=ZoneInfo("America/New_York")),
    "charges are negative": Dialect(sign="negative", negative="brackets"),
    "credits": Dialect(negative="credit"),
}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_dialect_reads_back_equal(dialect: Dialect, tmp_path: Path) -> None:
    """Instants, amounts with their decimals, quotes and letters beyond ASCII."""
    lines = [
        ONE,
        replace(ONE, number=3, amount=Decimal("-0.05"), kind="credit"),
        replace(ONE, number=4, amount=Decimal(0), call_id=None),
    ]
    assert lines_of(tmp_path / "s.csv", write(lines, dialect), dialect.mapping()) == lines


WORDS = st.text(
    st.characters(codec="cp1252", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=5, max_size=20
).filter(lambda word: word.strip() == word)
LINES = st.builds(
    Line,
    number=st.just(0),
    line_id=st.none() | WORDS,
    call_id=st.none() | st.uuids(),
    provider_id=st.just("CA12345"),
    started_at=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
        lambda at: at.replace(microsecond=0, fold=0)
    ),
    duration_seconds=st.none() | st.integers(0, 10000),
    from_number=st.none() | WORDS,
    phone_number=st.none() | WORDS,
    direction=st.sampled_from([None, "inbound", "outbound"]),
    amount=st.decimals(-(10**9) + 1, 10**9 - 1, allow_nan=False, allow_infinity=False, places=4)
    | st.decimals(-10, 10, places=2),
    currency=st.sampled_from(["USD", "EUR"]),
    kind=st.sampled_from(["usage", "fee", "tax", "credit", "discount"]),
    description=st.none() | WORDS | st.just("two\nlines"),
)
# Zones without an hour that is there twice; the forms of a date that every zone can write.
ANY_DIALECT = st.builds(
    Dialect,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.just("."),
    thousands=st.sampled_from(["", ",", "'"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    negative=st.sampled_from(["minus", "behind", "brackets", "credit"]),
    dates=st.sampled_from(["%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d %b %Y %H:%M:%S"]),
    zone=st.sampled_from([ZoneInfo("UTC"), ZoneInfo("Asia/Kolkata"), ZoneInfo("America/Phoenix")]),
    sign=st.sampled_from(["positive", "negative"]),
) | st.builds(Dialect, delimiter=st.just(";"), decimal=st.just(","), thousands=st.sampled_from(["", ".", "\u00a0"]))


@given(st.lists(LINES, min_size=1, max_size=5), ANY_DIALECT)
def test_a_statement_written_in_any_dialect_reads_back_equal(lines: list[Line], dialect: Dialect) -> None:
    """All values of all lines."""
    with tempfile.TemporaryDirectory() as folder:
        found = lines_of(Path(folder) / "s.csv", write(lines, dialect), dialect.mapping())
    assert [replace(line, number=0) for line in found] == lines


def test_a_line_is_kept_as_it_came_with_its_number(tmp_path: Path) -> None:
    """A cell with line breaks is one record, numbered by the line on which it begins; blank lines count."""
    content = b'amount,description\n1,"a\nb"\n\n 2 ,"say ""x"""\n,,\nx,y\n'
    found = read(tmp_path / "s.csv", content)
    assert [(one.line.number, one.original) for one in found] == [
        (2, '1,"a\nb"'), (5, ' 2 ,"say ""x"""'), (7, "x,y"),
    ]  # fmt: skip
    assert isinstance(found[2].line, Unread)
    assert found[2].line.problem == "amount ('x'): it is no amount"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (b"L1,,,,,,,usage,", "amount: there is none, and the line names no call"),
        (b"L1,no-uuid,,,,1,,,", "call_id: it is no id of a call"),
        (b"L1,,10/11/2026,,,1,,,", "started_at ('10/11/2026'): day and month could be either; set dates"),
        (b"L1,,,1:2:3:4,,1,,,", "duration_seconds ('1:2:3:4'): it is no duration"),
        (b'L1,,,,,"1,5",,,', "set decimal under [format]"),
        (b"L1,,,,,1,XX,,", "currency ('XX'): it is no currency"),
        (b"L1,,,,,$1,EUR,,", "the amount has another one, USD"),
        (b"L1,,,,,1,,setup,", "kind ('setup'): the mapping does not know it; say what it is under [kinds]"),
        (b"L1,,,1", "it has 4 cells, and the header has 9"),
        (b"L1,,,,,1,,,,extra", "it has 10 cells, and the header has 9"),
        (b"L1\x00,,,,,1,,,", "it has a NUL byte"),
        (b"L1,,,,,1,,,\xff\xfe", "it has bytes that are not of the file's encoding"),
        (b'"L1"x,,,,,1,,,', "its quotes do not end as they should"),
        (b"L1,,,,,1,,," + b"x" * 200_000, "a cell has more than 100,000 characters"),
        (b"L1,,,,,1,,," + b"x" * 3_000_000, "it has more than 1,000,000 characters"),
        (b"L" * 300 + b",,,,,1,,,", "line_id: it has more than 200 characters"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(row: bytes, said: str, tmp_path: Path) -> None:
    """And the lines around it are read."""
    good = b"L0,,,,,1,USD,fee,caf\xc3\xa9 caf\xc3\xa9 caf\xc3\xa9\n"
    found = read(tmp_path / "s.csv", HEADER + good + row + b"\n" + good)
    assert [one.line.number for one in found] == [2, 3, 4]
    assert isinstance(found[1].line, Unread)
    assert said in found[1].line.problem
    assert not isinstance(found[0].line, Unread)
    assert not isinstance(found[2].line, Unread)
    assert "\x00" not in found[1].original
    found[1].original.encode()


def test_a_quote_that_is_never_closed_costs_one_line(tmp_path: Path) -> None:
    """Not the rest of the file: in the middle, and at the end."""
    good = b"L0,,,,,1,USD,fee,x\n"
    for after in (100, 3):
        content = HEADER + good + b'L1,,,,,1,,,"open\n' + good * after
        found = read(tmp_path / "s.csv", content)
        assert [one.line.number for one in found if isinstance(one.line, Unread)] == [3]
        assert len(found) == after + 2


def test_the_amount_of_a_call_may_be_missing(tmp_path: Path) -> None:
    """It is not priced yet."""
    (line,) = lines_of(tmp_path / "s.csv", HEADER + b"L1,11111111-2222-3333-4444-555555555555,,,,,,,\n")
    assert line.amount is None


def test_a_formula_is_a_text(tmp_path: Path) -> None:
    """It is not computed, is kept as it came, and is no amount."""
    found = read(tmp_path / "s.csv", HEADER + b"L1,,,,,=1+1,,,\nL2,,,,,1,,,=cmd|' /C calc'!A0\n")
    assert isinstance(found[0].line, Unread)
    assert not isinstance(found[1].line, Unread)
    assert found[1].line.description == "=cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"), (b"\n\n", "no line with a header"), (b"a,b\n1,2\n", "no column with the amount"), (b"%PDF-1.7", "is a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old form"), (b"\x1f\x8b\x08", "gzip"), (b'{"a": 1}', "JSON"), (b"amount,Amount\n1,2\n", None),
        (b"amount,amount\n1,2\n", "2 columns amount"), (b"PK\x03\x04 is no zip", "begins like a spreadsheet"),
    ],
)  # fmt: skip
def test_what_is_no_statement_is_refused(content: bytes, said: str | None, tmp_path: Path) -> None:
    """With what it is; a column whose name is exactly ours wins."""
    if said is None:
        assert lines_of(tmp_path / "s.csv", content)[0].amount == 1
        return
    with pytest.raises(ConfigurationError, match=said):
        read(tmp_path / "s.csv", content)


def test_a_delimiter_is_found_by_the_columns(tmp_path: Path) -> None:
    """Also where Excel's own line says it, and where lines stand in front of the header."""
    assert lines_of(tmp_path / "a.csv", b"sep=;\namount;description\n1;a,b,c\n")[0].description == "a,b,c"
    mapping = Mapping(format=Format(skip_lines=2))
    assert (
        lines_of(tmp_path / "b.csv", b"Invoice 7, October\nTruedy, Inc.\n\namount;description\n1;x\n", mapping)[
            0
        ].number
        == 5
    )


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(HEADER + b"L0,,,,,1,USD,fee,x\n" * 10)
    found = statement_file.read(path, statement_file.look(path), Mapping())
    next(found)
    path.write_bytes(HEADER)
    with pytest.raises(ConfigurationError, match="changed while it was read"):
        list(found)


TYPED = [
    ["line_id", "started_at", "duration_seconds", "phone_number", "amount", "kind"],
    ["L1", datetime(2026, 10, 31, 23, 30), 65, 15550002, 0.1 + 0.2, "usage"],  # noqa: DTZ001
    [None, None, None, None, None, None],
    [7.0, "2026-10-31 22:00:00", 65.0, "+1555", 12, "fee"],
    ["=1+1", None, None, None, "(1,234.50)", None],
    ["L4", None, None, None, True, None],
    ["L5", 45000.5, None, "x", 1, None],
]


def spreadsheet(path: Path, rows: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_a_spreadsheet_is_read_by_its_types(tmp_path: Path) -> None:
    """Numbers as the spreadsheet shows them, days and times in the statement's zone, texts as in any file."""
    content = spreadsheet(tmp_path / "s.xlsx", TYPED).read_bytes()
    found = [one.line for one in read(tmp_path / "s.xlsx", content, Mapping(format=Format(time_zone="Europe/Berlin")))]
    assert [line.number for line in found] == [2, 4, 5, 6, 7]
    first, second = found[:2]
    assert isinstance(first, Line)
    assert isinstance(second, Line)
    assert first == Line(
        2,
        "L1",
        started_at=datetime(2026, 10, 31, 22, 30, tzinfo=UTC),
        duration_seconds=65,
        phone_number="15550002",
        amount=Decimal("0.3"),
    )
    assert (second.line_id, second.amount, second.duration_seconds, second.kind) == ("7", Decimal(12), 65, "fee")
    assert [isinstance(one, Unread) for one in found[2:]] == [True] * 3


def test_a_sheet_is_chosen_by_its_name(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["summary"])
    book.create_sheet("Lines").append(["amount"])
    book["Lines"].append([5])
    book.save(tmp_path / "s.xlsx")
    content = (tmp_path / "s.xlsx").read_bytes()
    assert lines_of(tmp_path / "s.xlsx", content, Mapping(format=Format(sheet="Lines")))[0].amount == 5
    with pytest.raises(ConfigurationError, match="has no sheet Other"):
        read(tmp_path / "s.xlsx", content, Mapping(format=Format(sheet="Other")))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what it says of its size, in little time and memory; and what says less than it holds is cut there."""
    bomb = io.BytesIO()
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/sharedStrings.xml", "w") as member,
    ):
        for _ in range(300):
            member.write(b" " * (1 << 20))
    tracemalloc.start()
    begun = time.process_time()
    with pytest.raises(ConfigurationError, match="unpacks to more than is read"):
        read(tmp_path / "s.xlsx", bomb.getvalue())
    assert time.process_time() - begun < 2
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()
    content = spreadsheet(tmp_path / "t.xlsx", TYPED).read_bytes()
    for bound, least in (("MOST_MEMBERS", 3), ("MOST_BYTES", 1000)):
        with monkeypatch.context() as patch:
            patch.setattr(xlsx_file, bound, least)
            with pytest.raises(ConfigurationError, match="unpacks to more than is read"):
                read(tmp_path / "s.xlsx", content)


def test_xml_entities_are_refused(tmp_path: Path) -> None:
    content = spreadsheet(tmp_path / "s.xlsx", TYPED).read_bytes()
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, b'<!DOCTYPE x [<!ENTITY a "b">]>' + text if "sheet1" in name else text)
    with pytest.raises(ConfigurationError, match="declares XML entities"):
        read(tmp_path / "s.xlsx", out.getvalue())


@given(st.binary(max_size=300))
def test_no_bytes_end_in_anything_but_lines_or_a_reason(content: bytes) -> None:
    """Behind a good header, behind a mark of each form, or alone."""
    with tempfile.TemporaryDirectory() as folder:
        for head in (b"", b"amount,description\n", b"PK\x03\x04", b"\xff\xfe", b"\xef\xbb\xbfamount\n"):
            try:
                for one in read(Path(folder) / "s.csv", head + content):
                    one.original.encode()
                    assert "\x00" not in one.original
            except ConfigurationError:
                pass


def test_twilio_and_telnyx_are_shipped(tmp_path: Path) -> None:
    """Their columns, their signs and their ways to write a time; the party is the carrier."""
    twilio = (
        b'"Call Sid","Parent Call Sid","Status","Direction","From","To","Start Time","End Time","Duration","Price","Price Unit"\n'
        b'"CA1","","completed","outbound-api","+15550001","+15550002","Sat, 31 Oct 2026 13:05:09 +0000","","65","-0.01400","USD"\n'
        b'"CA2","","busy","inbound","+15550001","+15550002","2026-10-31 13:05:09 UTC","","0","","USD"\n'
    )
    mapping = mapping_file.load("twilio")
    first, second = lines_of(tmp_path / "twilio.csv", twilio, mapping)
    assert (mapping.party, first.provider_id, first.amount, first.direction) == (
        "twilio",
        "CA1",
        Decimal("0.01400"),
        "outbound",
    )
    assert (second.amount, second.direction, second.started_at) == (None, "inbound", first.started_at)
    telnyx = (
        b"Unique CDR ID,Call UUID,Direction,Originating Number,Terminating number,Start Timestamp(UTC),Call duration,Billable time,Cost,Currency\n"
        b"7,4b679aae-b7e7-11ef-9fe0-02420aef3920,outbound,+15550001,+15550002,2026-10-31 13:05:09,50,60,0.0020,USD\n"
    )
    mapping = mapping_file.load("telnyx")
    (line,) = lines_of(tmp_path / "telnyx.csv", telnyx, mapping)
    assert (mapping.party, line.line_id, line.duration_seconds, line.amount) == ("telnyx", "7", 50, Decimal("0.0020"))
    assert line.started_at == first.started_at
    detail = b"id,cli,cld,direction,started_at,call_sec,billed_sec,rate,cost,currency,telnyx_leg_id\nx,+1,+2,inbound,2026-10-31T13:05:09Z,50,60,0.002,0.002,USD,leg\n"
    (line,) = lines_of(tmp_path / "detail.csv", detail, mapping)
    assert (line.provider_id, line.from_number, line.phone_number) == ("leg", "+1", "+2")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"colums": {}}, "colums"), ({"columns": {"price": "x"}}, "'price'"), ({"columns": {"line_id": "x"}}, "which column is the amount"),
        ({"columns": {"amount": []}}, "no text"), ({"format": {"decimal": ";"}}, "decimal is ';'"), ({"format": {"time_zone": "Mars/Base"}}, "time_zone"),
        ({"format": {"time_zone": "../../etc/passwd"}}, "time_zone"), ({"kinds": {"x": "y"}}, "kinds has 'x'"), ({"party": "A B"}, "party"),
        ({"format": {"reversed": ["x"]}}, "reversed has 'x'"), ({"format": {"reversed": "credit"}}, "no list of words"),
        ({"format": {"skip_lines": True}}, "skip_lines"), ({"format": {"currency": "dollars"}}, "currency"), ({"columns": 5}, "no table"),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse(values, "x.toml")


def test_a_mapping_is_found_by_name_or_file(tmp_path: Path) -> None:
    """And its version changes with all that it says."""
    path = tmp_path / "mine.toml"
    path.write_text('[columns]\namount = ["Total", "Net"]\n[kinds]\n"Setup Fee" = "fee"\n', encoding="utf-8")
    mine = mapping_file.load(str(path))
    assert (mine.name, mine.party, mine.kinds) == ("mine", "vendor", {"setup fee": "fee"})
    assert mine.version != replace(mine, format=Format(decimal=",")).version
    assert mine.as_dict()["version"] == mine.version
    for wrong, said in (
        ("nobody", "there is no mapping"),
        (str(tmp_path / "none.toml"), "cannot be read"),
        (__file__, "there is no mapping"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            mapping_file.load(wrong)
    path.write_text("[columns\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="no TOML"):
        mapping_file.load(str(path))
