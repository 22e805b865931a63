"""The script that is written in two hours: one list page after the other, the transcript of each call that was talked in,
an upsert for each page. It starts from the beginning each time.
"""

from __future__ import annotations

import os
import time
from typing import Any

import httpx
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

PAGE = 100
metadata = sa.MetaData(schema="truedy")
texts = ("agent_id", "phone_number", "from_number", "direction", "status", "summary", "recording_url")
instants = ("started_at", "ended_at", "created_at", "updated_at")
calls = sa.Table(
    "calls",
    metadata,
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    *(sa.Column(name, sa.Text) for name in texts),
    *(sa.Column(name, sa.DateTime(timezone=True)) for name in instants),
    sa.Column("duration_seconds", sa.Integer),
    sa.Column("cost_usd", sa.Numeric),
    sa.Column("context", postgresql.JSONB(none_as_null=True)),
)
segments = sa.Table(
    "transcript_segments",
    metadata,
    sa.Column("call_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("speaker", sa.Text),
    sa.Column("text", sa.Text),
    sa.Column("start_seconds", sa.Numeric),
)


def get(client: httpx.Client, path: str, **query: int) -> Any:
    """Return the answer's JSON, or None where there is nothing; wait while the source refuses."""
    pause = 1.0
    while (answer := client.get(path, params=query)).status_code == httpx.codes.TOO_MANY_REQUESTS:
        time.sleep(pause)
        pause = min(60.0, pause * 2)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    return answer.raise_for_status().json()


def upsert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    new = postgresql.insert(table)
    keys = [column.name for column in table.primary_key]
    others = {column.name: new.excluded[column.name] for column in table.columns if column.name not in keys}
    connection.execute(new.on_conflict_do_update(index_elements=keys, set_=others), rows)


def main() -> None:
    engine = sa.create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1))
    headers = {"Authorization": f"Bearer {os.environ['TRUEDY_API_KEY']}"}
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS truedy"))
        metadata.create_all(connection)
    with httpx.Client(base_url=os.environ["TRUEDY_BASE_URL"], headers=headers, timeout=30) as client:
        offset, is_more = 0, True
        while is_more:
            page = get(client, "/calls", limit=PAGE, offset=offset)
            spoken = []
            for call in page["data"]:
                answer = get(client, f"/calls/{call['id']}/transcript") if call["duration_seconds"] else None
                spoken += [
                    {
                        "call_id": call["id"],
                        "position": position,
                        "speaker": segment["speaker"],
                        "text": segment["text"],
                        "start_seconds": segment["timestamp"],
                    }
                    for position, segment in enumerate(answer["data"]["transcript"] if answer else ())
                ]
            with engine.begin() as connection:
                upsert(connection, calls, [{c.name: call.get(c.name) for c in calls.columns} for call in page["data"]])
                upsert(connection, segments, spoken)
            offset, is_more = offset + PAGE, page["pagination"]["has_more"]


main()
