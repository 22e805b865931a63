"""What a reader must not see, looked for by every way that we know of; and what a writer must not take back."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from replicator.store import embedded, migrate, rollups, schema_check
from replicator.store.database import Database
from tests.fix_roles import members

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBERS = ("+12025550147", "+12025550163")
CANARY = "kanarienvogel"
SIGNED = f"https://audio.example/1.mp3?X-Amz-Signature={CANARY}"
SECRETS = (CANARY, *(number[4:10] for number in NUMBERS))
"""A word that stands in every hidden text, and the middle of the numbers, which masks leave out."""
CALLS = 40
INSERT = (
    "INSERT INTO truedy.calls (id, account, agent_id, phone_number, from_number, direction, status, started_at, ended_at, "
    "duration_seconds, cost_usd, summary, recording_url, context, created_at, updated_at, raw, fingerprint, version, observed_at, "
    "first_seen_at, changed_at) VALUES (%(id)s, 'main', %(agent)s, %(theirs)s, %(ours)s, %(direction)s, 'completed', "
    "now() - interval '1 hour', now() - interval '59 minutes', 60, 0.1, %(text)s, %(url)s, %(context)s, now() - interval '61 minutes', "
    "now(), %(raw)s, '', 1, now(), now(), now())"
)
REFUSED = (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)


@pytest.fixture(scope="module")
def admin_url(postgres_server: embedded.Server, template: str) -> Iterator[str]:
    """A migrated database for all of these tests: what they try changes nothing."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.tcp_url_of("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield postgres_server.tcp_url_of(name)
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def filled(admin_url: str, role_prefix: str) -> dict[str, str]:
    """The roles in use, and a replica with a secret in every text that readers must not see, analysed by the server."""
    migrate.make_roles(admin_url, role_prefix)
    logins = members(admin_url, role_prefix)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        for number in range(CALLS):
            call_id, theirs = uuid.uuid4(), NUMBERS[number % 2]
            facts = {
                "context": {"last_error": f"{CANARY} failed", "note": CANARY},
                "phone_number": theirs,
                "unnamed": CANARY,
            }
            admin.execute(
                INSERT,
                {
                    "id": call_id, "agent": uuid.UUID(int=number % 3), "theirs": theirs, "ours": NUMBERS[1 - number % 2],
                    "direction": ("inbound", "outbound")[number % 2], "text": f"summary {CANARY}", "url": SIGNED,
                    "context": Jsonb(facts["context"]), "raw": Jsonb(facts),
                },
            )  # fmt: skip
            for statement in (
                "INSERT INTO truedy.call_versions (call_id, version, observed_at, fingerprint, raw) VALUES (%(id)s, 1, now(), '', %(raw)s)",
                "INSERT INTO truedy.transcripts (call_id, state, summary, segment_count, raw, last_error) VALUES (%(id)s, 'present', %(t)s, 1, %(raw)s, %(t)s)",
                "INSERT INTO truedy.transcript_segments (call_id, position, speaker, text, raw) VALUES (%(id)s, 0, 'contact', %(t)s, %(raw)s)",
                "INSERT INTO truedy.transcript_versions (call_id, fetched_at, summary, segments, raw) VALUES (%(id)s, now(), %(t)s, %(raw)s, %(raw)s)",
                "INSERT INTO truedy.recordings (call_id, state, recording_url, raw) VALUES (%(id)s, 'present', %(url)s, %(raw)s)",
                "INSERT INTO replicator.quarantine (account, request, reason, raw, raw_sha256, first_seen_at, last_seen_at) "
                "VALUES ('main', 'list', 'no id', %(bytes)s, uuid_send(%(id)s), now(), now())",
            ):
                admin.execute(
                    statement,
                    {"id": call_id, "raw": Jsonb(facts), "t": f"text {CANARY}", "url": SIGNED, "bytes": json.dumps(facts).encode()},
                )  # fmt: skip
        for number in NUMBERS:
            admin.execute(
                "INSERT INTO replicator.parties (account, number, party_key, key_id) VALUES ('main', %s, %s, 'a')",
                [number, uuid.uuid4().hex],
            )
        database = Database(admin_url)
        rollups.refresh(database, rollups.kept(schema_check.bundled("sql")))
        database.close()
        admin.execute("ANALYZE")
        assert count_in_statistics(admin) > 0
    return logins


def count_in_statistics(connection: psycopg.Connection[Any]) -> int:
    """Return how many columns have a secret in the server's statistics, as this login sees them."""
    rows = connection.execute("SELECT pg_stats::text FROM pg_stats").fetchall()
    return sum(any(secret in text for secret in SECRETS) for (text,) in rows)


@pytest.fixture
def reader(filled: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(filled["reader"], autocommit=True) as connection:
        yield connection


def holds_none(found: object) -> bool:
    return not any(secret in str(found) for secret in SECRETS)


def for_readers() -> list[str]:
    return [name for name, view in migrate._views().items() if view.audience == "reader"]


def test_the_secrets_are_there_to_be_seen(filled: dict[str, str]) -> None:
    """The watch works: an auditor sees them."""
    with psycopg.connect(filled["auditor"]) as auditor:
        for view in ("call_numbers", "call_texts", "transcript_segments"):
            assert not holds_none(auditor.execute(f"SELECT * FROM analytics.{view}").fetchall()), view


@pytest.mark.parametrize("shape", ["*", "v", "row_to_json(v)", "to_jsonb(v)", "md5(v::text)"])
def test_no_view_shows_a_secret(reader: psycopg.Connection[Any], shape: str) -> None:
    """Every column of every view, as columns, as a row, as JSON."""
    for view in for_readers():
        rows = reader.execute(f"SELECT {shape} FROM analytics.{view} v").fetchall()
        assert holds_none(rows), view


@pytest.mark.slow
def test_plans_and_settings_show_no_secret(reader: psycopg.Connection[Any]) -> None:
    """EXPLAIN in all its forms, and whatever a session may switch on to be told more."""
    told: list[str] = []
    reader.add_notice_handler(lambda notice: told.append(str(notice.message_primary) + str(notice.message_detail)))
    for setting in (
        "client_min_messages = debug5", "debug_print_parse = on", "debug_print_rewritten = on", "debug_print_plan = on",
        "debug_pretty_print = on", "row_security = off", "enable_seqscan = off", "bytea_output = escape", "log_min_error_statement = debug5",
    ):  # fmt: skip
        try:
            reader.execute(f"SET {setting}")
        except psycopg.errors.InsufficientPrivilege:
            continue
    for view in for_readers():
        for form in ("EXPLAIN (VERBOSE, COSTS)", "EXPLAIN (ANALYZE, VERBOSE, BUFFERS, SETTINGS, FORMAT JSON)"):
            assert holds_none(reader.execute(f"{form} SELECT * FROM analytics.{view}").fetchall()), view
    assert holds_none(told)


def test_statistics_show_no_secret(reader: psycopg.Connection[Any]) -> None:
    """Most common values and histograms of hidden columns are the owner's, in every catalog that has them."""
    assert count_in_statistics(reader) == 0
    for name in (
        "pg_stats",
        "pg_stats_ext",
        "pg_stats_ext_exprs",
        "pg_sequences",
        "pg_prepared_statements",
        "pg_cursors",
    ):
        assert holds_none(reader.execute(f"SELECT x::text FROM {name} x").fetchall()), name
    for name in (
        "pg_statistic",
        "pg_statistic_ext_data",
        "pg_largeobject",
        "pg_authid",
        "pg_user_mapping",
        "pg_hba_file_rules",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"SELECT * FROM {name}")


@pytest.mark.slow
def test_every_catalog_that_a_reader_may_read(reader: psycopg.Connection[Any]) -> None:
    """Each table and view of pg_catalog and information_schema, whole."""
    names = reader.execute(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v')"
    ).fetchall()
    assert len(names) > 150
    for (name,) in names:
        try:
            rows = reader.execute(f"SELECT x::text FROM {name} x").fetchall()
        except psycopg.errors.InsufficientPrivilege:
            continue
        assert holds_none(rows), name


def test_what_others_are_doing_is_not_shown(filled: dict[str, str], reader: psycopg.Connection[Any]) -> None:
    """The text of another session's statement, with a number in it, is not for a reader."""
    with psycopg.connect(filled["writer"]) as writer:
        writer.execute(
            f"SELECT 1 FROM truedy.calls WHERE phone_number = '{NUMBERS[0]}' AND summary = '{CANARY}' LIMIT 1"
        )
        rows = reader.execute("SELECT query, wait_event, application_name FROM pg_stat_activity").fetchall()
        assert len(rows) > 1
        assert holds_none([row for row in rows if "pg_stat_activity" not in row[0]])


TRIES = (
    "SELECT * FROM truedy.calls",
    "SELECT count(*) FROM truedy.calls TABLESAMPLE SYSTEM (100)",
    "TABLE truedy.transcript_segments",
    "TABLE replicator.parties",
    "TABLE replicator.quarantine",
    "TABLE rollup.facts",
    "TABLE analytics.call_numbers",
    "TABLE analytics.call_texts",
    "TABLE analytics.transcript_segments",
    "SELECT phone_number FROM analytics.calls c, LATERAL (SELECT phone_number FROM truedy.calls t WHERE t.id = c.call_id) t",
    "COPY truedy.calls TO STDOUT",
    "COPY (SELECT * FROM truedy.calls) TO STDOUT",
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "COPY (SELECT 1) TO '/tmp/never'",
    "EXPLAIN SELECT * FROM truedy.calls WHERE phone_number = 'x'",
    "SELECT query_to_xml('SELECT * FROM truedy.calls', true, false, '')",
    "SELECT table_to_xml('truedy.calls'::regclass, true, false, '')",
    "SELECT ts_stat('SELECT to_tsvector(summary) FROM truedy.calls')",
    "SELECT * FROM analytics.calls TABLESAMPLE SYSTEM (100)",
    "SELECT ctid FROM analytics.calls",
    "SELECT xmin FROM analytics.calls",
    "SELECT phone_number FROM analytics.calls",
    "DECLARE a CURSOR FOR TABLE truedy.calls",
    "CREATE TEMP TABLE mine AS SELECT * FROM analytics.calls",
    "CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE sql COST 0.0001 RETURN true",
    "CREATE FUNCTION public.leak(text) RETURNS boolean LANGUAGE sql COST 0.0001 RETURN true",
    "CREATE EXTENSION pageinspect",
    "CREATE EXTENSION citext",
    "CREATE PUBLICATION mine FOR ALL TABLES",
    "CREATE SUBSCRIPTION mine CONNECTION 'x' PUBLICATION y",
    "SELECT pg_create_logical_replication_slot('mine', 'test_decoding')",
    "SELECT pg_create_physical_replication_slot('mine')",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT pg_read_binary_file('PG_VERSION')",
    "SELECT pg_ls_dir('.')",
    "SELECT pg_stat_file('PG_VERSION')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/never')",
    "SELECT pg_current_logfile()",
    "SELECT pg_ls_logdir()",
    "SELECT pg_switch_wal()",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user",
    "SET SESSION AUTHORIZATION postgres",
    "SET session_replication_role = replica",
    "LOAD 'auto_explain'",
    "LOAD '$libdir/auto_explain'",
    "LOCK TABLE truedy.calls",
    "ANALYZE truedy.calls",
    "CLUSTER truedy.calls USING calls_pkey",
    "SELECT nextval('replicator.runs_id_seq')",
    "ALTER VIEW analytics.calls OWNER TO CURRENT_USER",
    "CREATE OR REPLACE VIEW analytics.calls AS SELECT 1 AS a",
    "GRANT SELECT ON truedy.calls TO CURRENT_USER",
    "DO $$ BEGIN PERFORM * FROM truedy.calls; END $$",
    "PREPARE mine AS SELECT * FROM truedy.calls",
    "MERGE INTO truedy.calls USING (SELECT 1) x ON true WHEN MATCHED THEN DO NOTHING",
)


@pytest.mark.parametrize("attempt", TRIES)
def test_what_a_reader_tries_is_refused(reader: psycopg.Connection[Any], attempt: str) -> None:
    """Each with an error, and none with a secret in the error."""
    with pytest.raises(psycopg.Error) as refused:
        reader.execute(attempt)
    said = refused.value
    assert holds_none([str(said), said.diag.message_detail, said.diag.message_hint, said.diag.context])


@pytest.mark.parametrize("role", ["owner", "writer", "auditor"])
def test_a_reader_becomes_nobody_else(reader: psycopg.Connection[Any], role_prefix: str, role: str) -> None:
    """Nor does it get what another role has."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(f"SET ROLE {role_prefix}_{role}")


def test_whole_databases_as_xml_hold_what_a_reader_may_see(reader: psycopg.Connection[Any]) -> None:
    """The functions that dump all tables leave out what is closed."""
    for statement in (
        "SELECT database_to_xml(true, false, '')::text", "SELECT schema_to_xml('truedy', true, false, '')::text",
        "SELECT schema_to_xml('replicator', true, false, '')::text", "SELECT schema_to_xml('analytics', true, false, '')::text",
    ):  # fmt: skip
        try:
            rows = reader.execute(statement).fetchall()
        except psycopg.Error as refused:
            rows = [(str(refused),)]
        assert holds_none(rows), statement


@pytest.fixture
def leaking(filled: dict[str, str], admin_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A reader whom an administrator gave a schema of his own, with a function that says what it is given, and costs nothing."""
    with psycopg.connect(filled["reader"], autocommit=True) as connection:
        user = connection.info.user
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute(f"CREATE SCHEMA mine AUTHORIZATION {user}")
        connection.execute(
            "CREATE FUNCTION mine.leak(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
            "$$ BEGIN RAISE NOTICE 'leak: %', $1; RETURN true; END $$"
        )
        yield connection


def test_a_leaky_function_below_a_view_is_given_nothing_hidden(leaking: psycopg.Connection[Any]) -> None:
    """However cheap it claims to be, so that it is pushed below joins and filters: it sees what the view shows."""
    told: list[str] = []
    leaking.add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
    for view in for_readers():
        columns = [
            column.name for column in leaking.execute(f"SELECT * FROM analytics.{view} LIMIT 0").description or ()
        ]
        tests = " AND ".join(f"mine.leak(v.{column})" for column in columns)
        leaking.execute(f"SELECT count(*) FROM analytics.{view} v WHERE {tests}")
        leaking.execute(f"SELECT count(*) FROM analytics.{view} v WHERE mine.leak(v)")
    assert len(told) > CALLS
    assert holds_none(told)


@pytest.mark.slow
def test_errors_of_a_cast_quote_what_is_shown_only(reader: psycopg.Connection[Any]) -> None:
    """An error that quotes its value (22P02) quotes a value of the view's column, also where the cast is pushed down."""
    said = []
    for view in for_readers():
        columns = [
            column.name for column in reader.execute(f"SELECT * FROM analytics.{view} LIMIT 0").description or ()
        ]
        for column in columns:
            for kind in ("integer", "inet"):
                try:
                    reader.execute(f"SELECT count(*) FROM analytics.{view} v WHERE v.{column}::text::{kind} IS NULL")
                except psycopg.Error as error:
                    said.append(f"{error} {error.diag.message_detail} {error.diag.context}")
    assert len(said) > 50
    assert holds_none(said)


WRITES = (
    "UPDATE truedy.call_versions SET raw = '{}'",
    "DELETE FROM truedy.call_versions",
    "TRUNCATE truedy.call_versions",
    "INSERT INTO truedy.call_versions SELECT * FROM truedy.call_versions ON CONFLICT (call_id, version) DO UPDATE SET raw = '{}'",
    "MERGE INTO truedy.call_versions v USING truedy.calls c ON v.call_id = c.id WHEN MATCHED THEN UPDATE SET raw = '{}'",
    "MERGE INTO truedy.call_versions v USING truedy.calls c ON v.call_id = c.id WHEN MATCHED THEN DELETE",
    "WITH x AS (DELETE FROM truedy.call_versions RETURNING 1) SELECT * FROM x",
    "UPDATE truedy.transcript_versions SET summary = ''",
    "DELETE FROM truedy.transcript_versions",
    "TRUNCATE truedy.transcript_versions",
    "UPDATE replicator.cost_changes SET new_usd = 0",
    "DELETE FROM replicator.cost_changes",
    "TRUNCATE replicator.cost_changes",
    "UPDATE replicator.verifications SET is_equal = true",
    "DELETE FROM replicator.verifications",
    "TRUNCATE replicator.verifications",
    "DELETE FROM truedy.calls",
    "TRUNCATE truedy.calls CASCADE",
    "DELETE FROM replicator.absences",
    "DELETE FROM replicator.runs",
    "DELETE FROM replicator.quarantine",
    "UPDATE replicator.schema_version SET version_num = '0'",
    "UPDATE replicator.reporting SET time_zone = 'UTC'",
    "ALTER TABLE truedy.call_versions DISABLE TRIGGER ALL",
    "ALTER TABLE truedy.call_versions RENAME TO gone",
    "ALTER TABLE truedy.call_versions DROP COLUMN raw",
    "DROP TABLE truedy.call_versions",
    "DROP SCHEMA truedy CASCADE",
    "SET session_replication_role = replica",
    "VACUUM FULL truedy.call_versions",
    "SELECT * FROM truedy.call_versions FOR UPDATE",
    "BEGIN; LOCK TABLE truedy.call_versions IN ACCESS EXCLUSIVE MODE",
)


@pytest.mark.parametrize("attempt", WRITES)
def test_a_writer_takes_nothing_back(filled: dict[str, str], admin_url: str, attempt: str) -> None:
    """Versions, earlier transcripts, changes of cost and verifications stay as they are, whatever the writer says."""
    with psycopg.connect(filled["writer"], autocommit=True) as writer, psycopg.connect(admin_url) as admin:
        before = history(admin)
        try:
            writer.execute(attempt)
        except psycopg.Error as refused:
            assert isinstance(refused, psycopg.errors.InsufficientPrivilege), refused  # noqa: PT017 - VACUUM warns only
        else:
            assert attempt.startswith("VACUUM")
        assert history(admin) == before


def history(connection: psycopg.Connection[Any]) -> list[Any]:
    found = []
    for name in (
        "truedy.call_versions",
        "truedy.transcript_versions",
        "replicator.cost_changes",
        "replicator.verifications",
    ):
        row = connection.execute(
            f"SELECT count(*), md5(string_agg(x::text, ',' ORDER BY x::text)) FROM {name} x"
        ).fetchone()
        found.append(row)
    connection.commit()
    return found
