"""The file of names: what can be read, what is refused with its line, and that what was written is read back."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import ConfigurationError
from replicator.export.names_file import LONGEST, Named, described, parse, write

pytestmark = pytest.mark.pure

ID = UUID("01234567-89ab-4cde-8f01-23456789abcd")
texts = st.text(
    st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs", "Zs", "Cc", "Zl", "Zp"]),
    min_size=1,
    max_size=20,
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"agent_id,name\n{ID},Ann\n", [Named(ID, None, "Ann")]),
        (f"\ufeffAgent_ID;Name;Team\r\n{ID};Ann;Front desk\r\n", [Named(ID, None, "Ann", "Front desk")]),
        ("campaign_id\tname\nspring\tSpring\n\n", [Named(None, "spring", "Spring")]),
        (
            f"calls,agent_id,campaign_id,name,team\n7,{ID},,Ann,\n8,,spring,,\n",
            [Named(ID, None, "Ann"), Named(None, "spring", None)],
        ),
        (f'agent_id,name\n"{ID}","Smith, Ann"\n', [Named(ID, None, "Smith, Ann")]),
        ("agent_id,name\n", []),
    ],
)
def test_the_forms_that_are_read(content: str, expected: list[Named]) -> None:
    """Commas, semicolons or tabs, with or without Excel's mark; other columns are left alone; an empty name takes one away."""
    assert parse(content.encode()) == expected


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "does not name the columns"),
        (b"id,name\n1,Ann\n", "does not name the columns"),
        (b"agent_id,name\n7,Ann\n", "line 2 has an agent_id that is no id"),
        (f"agent_id,campaign_id,name\n{ID},spring,Ann\n".encode(), "line 2 names both"),
        (b"agent_id,campaign_id,name\n,,Ann\n", "line 2 names neither"),
        (f"agent_id,name\n{ID},Ann\n{ID},Bea\n".encode(), "line 3 names .* a second time"),
        (f"agent_id,name\n{ID},{'x' * (LONGEST + 1)}\n".encode(), "line 2 has a text of more than 200"),
        (f"agent_id,name\n{ID},a\0b\n".encode(), "NUL"),
        ("agent_id,name\n\u00e9".encode("latin-1"), "not UTF-8"),
        (f'agent_id,name\n{ID},"Ann\n'.encode(), "a quote is not closed"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(content: bytes, says: str) -> None:
    """Nothing of such a file is taken, and the advice says what a right one looks like."""
    with pytest.raises(ConfigurationError, match=says) as refused:
        parse(content)
    assert refused.value.hint


@given(st.lists(st.tuples(texts, st.none() | texts), max_size=5, unique_by=lambda pair: pair[0]))
def test_what_was_written_is_read_back(pairs: list[tuple[str, str | None]]) -> None:
    """Also names that begin like a formula, which stand with an apostrophe in the file."""
    names = [Named(None, one, name) for one, name in pairs]
    assert parse(write(names).encode()) == names


def test_formulas_are_made_safe_and_what_is_there_is_counted() -> None:
    """A campaign's id is text of the source."""
    names = [Named(None, "=1+1", None), Named(ID, None, "Ann")]
    assert "\r\n,'=1+1,," in write(names)
    assert described(names) == "1 agent, 1 campaign"
