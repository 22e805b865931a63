"""DATABASE_URL is read as libpq reads it, in all its forms, and no part of it that may be secret is ever shown."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict

from replicator.errors import ConfigurationError, ReplicatorError
from replicator.store import migrate, target
from replicator.store.database import Database

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "Hush7Canary"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("postgresql://u:p@h:5433/d", "h:5433/d"),
        ("postgres://u:p@h/d", "h:5432/d"),
        ("postgresql://u@h1,h2/d", "h1:5432,h2:5432/d"),
        ("postgresql://u@h1:1,h2:2/d?target_session_attrs=read-write&load_balance_hosts=random", "h1:1,h2:2/d"),
        ("postgresql:///d?host=h1,h2&port=1,2&user=u", "h1:1,h2:2/d"),
        ("postgresql://u@[2001:db8::1]:5433/d", "[2001:db8::1]:5433/d"),
        ("postgresql://%2Fvar%2Frun%2Fpostgresql/d", "/var/run/postgresql:5432/d"),
        ("postgresql:///d?host=/tmp", "/tmp:5432/d"),
        ("host=h port=5433 dbname=d user=u password='a b\\'c'", "h:5433/d"),
        ("host = h hostaddr=192.0.2.1 dbname=d", "h:5432/d"),
        ("hostaddr=192.0.2.1 dbname=d", "192.0.2.1:5432/d"),
        ("service=calls", "service calls"),
        ("postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=system&options=-c%20geqo%3Doff", "h:5432/d"),
        ("postgresql+psycopg://u:p@h/d", "h:5432/d"),
        ("postgresql+psycopg2://u:p@h/d", "h:5432/d"),
        ("postgresql+asyncpg://u:p@h/d", "h:5432/d"),
        ("  postgresql://u:p@h/d\n", "h:5432/d"),
        (f"postgresql://u:a%40{SECRET}@h/d", "h:5432/d"),
        (f"postgresql://u:a?{SECRET}#x@h/d", "h:5432/d"),
        (f"postgresql://u@h/d?password=x@{SECRET}&sslpassword={SECRET}", "h:5432/d"),
        (f"host=h dbname=d password={SECRET}@x", "h:5432/d"),
        ("postgresql://u@h/d%1B%5B2J%E2%80%AE", r"h:5432/d\x1b[2J\u202e"),
    ],
)
def test_what_libpq_accepts_is_accepted(text: str, place: str) -> None:
    """Each form is read, shown without secrets and control characters, and given on as it was."""
    read = target.read(text)
    assert read.place == place
    assert SECRET not in repr(read)
    assert conninfo_to_dict(read.conninfo) == read.parts


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://u:abc@{SECRET}@h/x",
        f"postgresql://u:{SECRET}/abc@h/x",
        f"postgresql://u:abc/{SECRET}@h/x",
        f"postgresql://u:{SECRET}%zz@h/x",
        f"postgresql://u:{SECRET}%@h/x",
        f"postgresql://u:{SECRET}%00@h/x",
        f"postgresql://u:a@{SECRET}?b@h/x",
        f"postgresql://u:{SECRET}/d",
        f"postgresql://u@h:{SECRET}/d",
        "postgresql://u@h:70000/d",
        f"postgresql://u@h/d?{SECRET}=1",
        f"postgresql://u@h/d?{SECRET}",
        f"postgresql://u {SECRET}@h/d",
        f"host=h password=a {SECRET}",
        f"host=h password='{SECRET}",
        f"host=h {SECRET}=1",
        "host=h1,h2 port=1,2,3",
        "host=h1,h2 hostaddr=192.0.2.1",
        f"mysql://u:{SECRET}@h/d",
        f"jdbc:postgresql://h/d?password={SECRET}",
        f"sqlite:///{SECRET}",
        f"POSTGRESQL://u:{SECRET}@h/d",
        f"postgresql//u:{SECRET}@h/d",
        f"psql postgresql://u:{SECRET}@h/d",
        f"postgresql://u:{SECRET}\0@h/d",
        SECRET,
    ],
)
def test_what_it_would_misread_is_refused(text: str) -> None:
    """What libpq refuses, and what it would take apart in the wrong place, is a wrong setting; nothing of it is quoted."""
    with pytest.raises(ConfigurationError) as raised:
        target.read(text)
    said = raised.value.explain()
    assert "DATABASE_URL" in said
    assert SECRET not in said
    assert raised.value.__context__ is None or raised.value.__suppress_context__


def test_libpqs_own_variables_fill_the_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty URI is what the variables, or the service that they name, say."""
    monkeypatch.setenv("PGHOST", "pghost")
    monkeypatch.setenv("PGPORT", "5439")
    monkeypatch.setenv("PGDATABASE", "calls")
    assert target.read("postgresql://").place == "pghost:5439/calls"
    assert target.read("").place == "pghost:5439/calls"
    file = tmp_path / "services"
    file.write_text("[prod]\nhost=prodhost\ndbname=prod\n", encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    monkeypatch.setenv("PGSERVICE", "prod")
    assert target.read("postgresql://").place == "prodhost:5439/prod"


def test_every_form_leads_to_the_database(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrations and the pool reach the same database by each form, past a host where nobody listens."""
    parts = conninfo_to_dict(database_url)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        dead = probe.getsockname()[1]
    user, password, port, name = parts["user"], parts["password"], parts["port"], parts["dbname"]
    file = tmp_path / "services"
    lines = "".join(f"{key}={value}\n" for key, value in parts.items())
    file.write_text(f"[calls]\n{lines}", encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    for text in (
        f"postgresql://{user}:{password}@127.0.0.1:{dead},127.0.0.1:{port}/{name}?target_session_attrs=read-write",
        f"postgresql+psycopg2://{user}:{password}@127.0.0.1:{port},127.0.0.1:{dead}/{name}",
        f"postgresql:///{name}?host=127.0.0.1,127.0.0.1&port={dead},{port}&user={user}&password={password}",
        f"host=127.0.0.1 port={port} dbname={name} user={user} password='{password}'",
        "service=calls",
        "postgresql://?service=calls",
    ):
        assert list(migrate.migrate(text).views) == []
        with closing(Database(text)) as database, database.connection() as connection:
            assert connection.execute("SELECT current_database()::text").fetchone() == (name,)


@pytest.mark.parametrize("name", sorted({*target.WORDS, *target.NUMBERS}))
def test_a_value_that_libpq_would_quote_is_refused_before_it(name: str) -> None:
    """A word or a number that libpq does not take is refused with the parameter's name, and not quoted."""
    for text in (f"postgresql://u@h/d?{name}={SECRET}", f"host=h dbname=d {name}={SECRET}"):
        with pytest.raises(ConfigurationError, match=f"value of {name} that libpq cannot read") as raised:
            target.read(text)
        assert SECRET not in raised.value.explain()


def test_a_password_stays_out_of_every_failure(database_url: str) -> None:
    """A wrong password, host, parameter or database is explained, and no value of DATABASE_URL but its place is shown."""
    parts = conninfo_to_dict(database_url)
    port, name, user = parts["port"], parts["dbname"], parts["user"]
    here = f"host=127.0.0.1 port={port} dbname={name}"
    for text in (
        f"{here} user={user} password={SECRET}",
        f"{here} user={user} password=x sslmode={SECRET}",
        f"{here} user={SECRET} password={SECRET}",
        f"{here} user={user} password=x options='-c {SECRET}={SECRET}'",
        f"{here} user={user} password=x options='{SECRET}'",
        f"{here} user={user} password=x target_session_attrs={SECRET}",
        f"{here} user={user} password=x keepalives_idle={SECRET}",
        f"{here} user={user} password=x sslmode=require sslcert=/{SECRET} sslkey=/{SECRET}",
        f"{here} user={user} password=x sslmode=verify-full sslrootcert=/{SECRET}",
        f"host=127.0.0.1 port=1 dbname={name} user={SECRET} password={SECRET}",
    ):
        for attempt in (_open, migrate.migrate):
            with pytest.raises(ReplicatorError) as raised:
                attempt(text)
            assert SECRET not in raised.value.explain()


def _open(text: str) -> None:
    with closing(Database(text)) as database, database.connection():
        pass
