"""The URL to copy: it connects to the same database, and holds no password."""

from __future__ import annotations

import pytest

from replicator.store.connection_url import shareable

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("given", "filled", "expected"),
    [
        ("postgresql://ann:geheim@db.example.org/calls", {}, "postgresql://ann@db.example.org:5432/calls"),
        ("postgresql+psycopg://ann:geheim@db/calls", {}, "postgresql://ann@db:5432/calls"),
        (
            "host=db1,db2 port=5433 user=ann password=geheim dbname=calls sslmode=verify-full target_session_attrs=read-write",
            {},
            "postgresql://ann@db1:5433,db2:5433/calls?sslmode=verify-full&target_session_attrs=read-write",
        ),
        ("postgresql://u:geheim@[::1]:6000/d%2Fb", {}, "postgresql://u@[::1]:6000/d%2Fb"),
        ("postgresql:///x?host=/var/run/postgresql", {"user": "me"}, "postgresql://me@%2Fvar%2Frun%2Fpostgresql:5432/x"),
        ("postgresql://", {"host": "db", "user": "me", "password": "geheim", "sslmode": "prefer"}, "postgresql://me@db:5432/me"),
        ("postgresql://a%40b:geheim@db/c?sslpassword=geheim", {}, "postgresql://a%40b@db:5432/c"),
    ],
)  # fmt: skip
def test_the_url_has_all_but_the_password(given: str, filled: dict[str, str], expected: str) -> None:
    """Hosts, ports, user, database and what a client needs of TLS; libpq's own variables fill what is left out."""
    assert shareable(given, filled) == expected
    assert "geheim" not in shareable(given, filled)
