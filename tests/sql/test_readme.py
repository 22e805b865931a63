"""The ten questions of the README are answered, by a reader, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.sql import fix_small_world

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
QUESTIONS = [
    query
    for block in re.findall(r"```sql\n(.*?)```", README, re.DOTALL)
    for query in block.split(";\n")
    if query.strip()
]

Connection = psycopg.Connection[Any]


def test_there_are_ten() -> None:
    """Numbered as the README says."""
    assert [int(number) for number in re.findall(r"^-- (\d+)\. ", "\n".join(QUESTIONS), re.MULTILINE)] == list(
        range(1, 11)
    )


@pytest.mark.parametrize("query", QUESTIONS, ids=lambda query: query.strip().splitlines()[0][3:40])
def test_a_question_is_answered_by_a_reader(small: Connection, query: str) -> None:
    """With rights on the views alone, and with rows: the small world and a call of an hour ago have something of each."""
    fix_small_world.insert_a_recent_one(small)
    small.execute(
        "UPDATE truedy.calls SET direction = 'outbound', phone_number = '+12025550123' WHERE id = %s",
        [fix_small_world.call_id(99)],
    )
    small.execute(
        "UPDATE truedy.calls SET cost_usd = 0.25, observed_at = now() WHERE id = %s", [fix_small_world.call_id(2)]
    )
    small.execute("CREATE ROLE only_a_reader")
    small.execute("GRANT USAGE ON SCHEMA analytics TO only_a_reader")
    small.execute("GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO only_a_reader")
    small.execute("SET LOCAL ROLE only_a_reader")
    assert small.execute(query).fetchall()
