"""Reports do not depend on the language of the database: in Turkish, for example, the small letter of I is no i."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.types.json import Jsonb

from replicator.store import migrate
from tests.sql import fix_small_world
from tests.sql.fix_small_world import Call, call_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store import embedded
    from tests.fix_servers import Server


@pytest.fixture
def turkish(postgres_server: Server | embedded.Server) -> Iterator[str]:
    """The URL of a migrated database that compares and lowers letters as Turkish does."""
    name = f"turkish_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.tcp_url_of("postgres"), autocommit=True) as admin:
        try:
            admin.execute(
                f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C'"
            )
        except psycopg.errors.FeatureNotSupported:
            pytest.skip("this server was built without ICU")
        url = postgres_server.tcp_url_of(name)
        migrate.migrate(url)
        yield url
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_words_of_the_source_mean_the_same_in_turkish(turkish: str) -> None:
    """Statuses, classes of errors, goals and withheld numbers are recognised in capitals, too."""
    with psycopg.connect(turkish) as connection:
        assert connection.execute("SELECT lower('INVALID')").fetchone() == ("\u0131nval\u0131d",)
        connection.execute("UPDATE replicator.reporting SET goal_path = '{won}', goal_values = '{win}'")
        connection.execute("INSERT INTO replicator.error_classes VALUES (1, 'invalid line', 'carrier')")
        fix_small_world.insert(connection, Call(1, "2025-05-05T05:05:05", "VOICEMAIL", 5, 60))
        connection.execute(
            "UPDATE truedy.calls SET context = %s, phone_number = 'UNAVAILABLE' WHERE id = %s",
            [Jsonb({"last_error": "INVALID LINE 7", "won": "WIN"}), call_id(1)],
        )
        found = connection.execute(
            "SELECT stage, error_class, is_goal, is_party_known FROM rollup.facts WHERE call_id = %s", [call_id(1)]
        ).fetchone()
        assert found == ("machine", "carrier", True, False)
