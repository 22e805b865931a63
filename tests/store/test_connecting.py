"""Why no connection can be had is said in our words: what happened, whose fault it is, whether waiting helps."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from replicator.errors import DatabaseMisconfigured, DatabaseUnavailable, RightMissing
from replicator.store.connecting import FAILURES, sql_name, unavailable
from replicator.store.database import Database
from tests.fix_commands import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.errors import DatabaseError

Fault = type["DatabaseError"]
AWAY, WRONG = DatabaseUnavailable, DatabaseMisconfigured


def failure(conninfo: str) -> DatabaseError:
    """Return the error of a connection that cannot be had."""
    with (
        closing(Database(conninfo)) as database,
        pytest.raises((AWAY, WRONG, RightMissing)) as raised,
        database.connection(),
    ):
        pass
    return raised.value


@pytest.mark.parametrize(
    ("change", "fault", "said"),
    [
        ({"password": "wrong"}, WRONG, "refuses the password"),
        ({"password": None}, WRONG, "asks for a password"),
        ({"user": "nobody_at_all"}, WRONG, "refuses the password"),
        ({"dbname": "no_such_database"}, WRONG, "does not exist on this server"),
        ({"port": "1"}, AWAY, "cannot be reached: nothing listens there"),
        ({"host": "no.such.host.invalid"}, AWAY, "its host name is not known"),
        ({"host": "/no/such/folder"}, AWAY, "there is no such socket"),
        ({"sslmode": "require"}, WRONG, "has no TLS"),
        ({"options": "-c no_such_setting=1"}, WRONG, "refuses a setting of the session"),
        ({"target_session_attrs": "standby"}, AWAY, "has no server at present that target_session_attrs asks for"),
        ({"gssencmode": "require"}, WRONG, "GSSAPI"),
        ({"require_auth": "none"}, WRONG, "require_auth allows"),
        ({"service": "no_such_service"}, WRONG, "named by a service that cannot be found"),
    ],
)
def test_a_real_refusal_is_explained(database_url: str, change: dict[str, str | None], fault: Fault, said: str) -> None:
    """What a real server and a real libpq refuse."""
    parts = {**conninfo_to_dict(database_url), **change}
    error = failure(make_conninfo("", **{name: value for name, value in parts.items() if value is not None}))
    assert type(error) is fault
    assert said in error.message
    assert error.hint


def test_a_role_may_lack_what_a_connection_needs(database_url: str) -> None:
    """No login, no CONNECT, no connection left for it: each is said as what it is."""
    role = f"r{database_url[-12:]}"
    name = database_url.rsplit("/", 1)[1]
    parts = {**conninfo_to_dict(database_url), "user": role, "password": "x"}
    conninfo = make_conninfo("", **parts)
    with psycopg.connect(database_url.rsplit("/", 1)[0] + "/postgres", autocommit=True) as admin:
        try:
            admin.execute(f"CREATE ROLE {role} PASSWORD 'x'")
            error = failure(conninfo)
            assert (type(error), "does not let this role log in" in error.message) == (WRONG, True)
            assert error.hint.endswith(f"ALTER ROLE {role} LOGIN")
            admin.execute(f"ALTER ROLE {role} LOGIN; REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
            error = failure(conninfo)
            assert (error.exit_code, "connect to this database" in error.message) == (4, True)
            assert f"GRANT CONNECT ON DATABASE {name} TO {role}." in error.hint
            admin.execute(f"GRANT CONNECT ON DATABASE {name} TO {role}; ALTER ROLE {role} CONNECTION LIMIT 0")
            error = failure(conninfo)
            assert (type(error), "no connection left" in error.message) == (AWAY, True)
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            error = failure(database_url)
            assert (type(error), "lets nobody in" in error.message) == (AWAY, True)
            assert error.hint.endswith(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true; REVOKE ALL ON DATABASE {name} FROM {role}")
            admin.execute(f"DROP ROLE {role}")


def test_a_name_in_an_advice_can_be_run() -> None:
    """A name that is no plain word is quoted; a connection whose names are not known has dots for them."""
    assert [sql_name(name) for name in ("ann", "Ann", 'a"b', "a b")] == ["ann", '"Ann"', '"a""b"', '"a b"']
    error = unavailable(psycopg.OperationalError('FATAL:  permission denied for database "d"'), "h:5432/d")
    assert "GRANT CONNECT ON DATABASE ... TO ...." in error.hint


def test_no_advice_has_a_placeholder_for_a_name() -> None:
    """`name` in the place of a name would be run as it stands."""
    for _, meant in FAILURES:
        assert not re.search(r"(DATABASE|ROLE|TO) name\b", meant.advice or ""), meant


@pytest.mark.slow
def test_a_service_that_may_not_connect_ends(database_url: str, tmp_path: Path) -> None:
    """A missing right is code 4 for every command, and for the service's first sync too: waiting changes nothing."""
    role, name = f"r{database_url[-12:]}", database_url.rsplit("/", 1)[1]
    url = make_conninfo("", **{**conninfo_to_dict(database_url), "user": role, "password": "x"})
    settings = {"DATABASE_URL": url, "TRUEDY_API_KEY": "k", "TRUEDY_BASE_URL": "http://127.0.0.1:1/api/public/v1"}
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'; REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
        try:
            for command in (["status"], ["migrate"], ["serve"]):
                done = run(*command, cwd=tmp_path, **settings)
                assert done.returncode == 4, done.stderr
                assert "at fault: the user's rights; waiting does not help." in done.stderr
        finally:
            admin.execute(f"DROP ROLE {role}")


@pytest.mark.slow
def test_a_wrong_setting_ends_a_command_at_once(database_url: str, tmp_path: Path) -> None:
    """A database that is not there is the configuration's fault for every command, also for the service's first sync:
    code 2, without a traceback and without waiting.
    """
    settings = {
        "DATABASE_URL": f"{database_url}_not", "TRUEDY_API_KEY": "k", "TRUEDY_BASE_URL": "http://127.0.0.1:1/api/public/v1",
    }  # fmt: skip
    for command in (["status"], ["migrate"], ["sync", "--quiet"], ["serve"]):
        done = run(*command, cwd=tmp_path, **settings)
        assert done.returncode == 2, done.stderr
        assert "does not exist on this server" in done.stderr
        assert "at fault: the configuration; waiting does not help." in done.stderr
        assert "Traceback" not in done.stderr


@pytest.fixture
def web_server() -> Iterator[int]:
    """The port of something that answers every connection as a web server does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    with listener.accept()[0] as wire:
                        wire.recv(1000)
                        wire.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def test_something_else_may_listen(web_server: int) -> None:
    """A web server is no PostgreSQL; and of several hosts, the one that may still come decides."""
    error = failure(f"postgresql://u:p@127.0.0.1:{web_server}/d")
    assert (type(error), "no PostgreSQL" in error.message) == (WRONG, True)
    both = failure(f"postgresql://u:p@127.0.0.1:{web_server},127.0.0.1:1/d")
    assert type(both) is AWAY
    assert "nothing listens there" in both.message
    assert "no PostgreSQL" in both.message


@pytest.mark.slow
def test_silence_is_bounded() -> None:
    """Somebody who accepts and says nothing is given up after the time that DATABASE_URL states."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = failure(f"postgresql://u:p@127.0.0.1:{listener.getsockname()[1]}/d?connect_timeout=2")
    assert "nobody answers in time" in error.message


@pytest.mark.parametrize(
    ("text", "fault", "said"),
    [
        ('FATAL:  no pg_hba.conf entry for host "::1", user "u", database "d", no encryption', WRONG, "without TLS"),
        ('FATAL:  no pg_hba.conf entry for host "::1", user "u", database "d", SSL encryption', WRONG, "from here"),
        ('FATAL:  Peer authentication failed for user "u"', WRONG, "does not let this user in"),
        ("FATAL:  the database system is starting up", AWAY, "starting"),
        ("FATAL:  sorry, too many clients already", AWAY, "no connection left"),
        ("FATAL:  remaining connection slots are reserved for roles", AWAY, "no connection left"),
        ("SSL error: certificate verify failed", WRONG, "cannot be verified"),
        ('server certificate for "a" does not match host name "b"', WRONG, "cannot be verified"),
        ('root certificate file "/x" does not exist', WRONG, "cannot be verified"),
        ('private key file "/x" has group or world access', WRONG, "over TLS as it is set"),
        ("channel binding is required, but server did not offer it", WRONG, "channel binding"),
        ("FATAL:  unsupported startup parameter: options", WRONG, "pooler"),
        ("session is read-only", AWAY, "target_session_attrs"),
        ("server is in hot standby mode", AWAY, "target_session_attrs"),
        ("server closed the connection unexpectedly", AWAY, "closed at its start"),
        ("connection to server failed: No route to host", AWAY, "no route"),
        ("FATAL:  Passwort-Authentifizierung", AWAY, "in words that are not known here"),
        ("FATALE:  autenticazione", AWAY, "in words that are not known here"),
        ("something new", AWAY, "for a reason that is not known here"),
    ],
)
def test_what_cannot_be_provoked_here_is_known_by_its_words(text: str, fault: Fault, said: str) -> None:
    """What libpq, servers and poolers say elsewhere; the rest is not passed on."""
    error = unavailable(
        psycopg.OperationalError(f'connection failed: connection to server at "h", port 5 failed: {text}'), "h:5432/d"
    )
    assert type(error) is fault
    assert said in error.message
