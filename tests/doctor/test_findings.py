"""What facts mean, without asking anybody for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from replicator.doctor import database, findings, source, surroundings
from replicator.doctor.findings import Finding
from replicator.errors import BadKey, ConfigurationError, RateLimited, RightMissing, SourceUnavailable
from replicator.store.diagnosis import Facts

pytestmark = pytest.mark.pure


SERVER = {
    "version": 15, "version_text": "15.4", "is_standby": False, "encoding": "UTF8", "database": "d", "user": "u", "backend": 1,
    "address": "127.0.0.1", "is_superuser": False, "may_make_roles": False, "may_make_schemas": True,
    "now": datetime.now(UTC), "bytes": 10**6,
}  # fmt: skip
NOW = datetime(2026, 11, 29, tzinfo=UTC)
HERE = surroundings.Here(
    "/x", "ann", 1000, True, True, Path("/data"), 1000, 0o700, True, 10**12, 10**9, Path("/usr/lib/postgresql/15/bin"),
)  # fmt: skip


def facts(*, pooled: bool = False, dead: bool = False, schema: bool = True, **rows: Any) -> Facts:
    known = {"server": [SERVER], "rights": [{"may_read": True, "may_write": True}]}
    return Facts({**known, **rows}, {}, None, schema, pooled, dead)


def of(given: Facts, *, embedded: bool = False) -> list[Finding]:
    return list(database.of_database(given, "h:5432/d", is_embedded=embedded, role_prefix="truedy"))


def bad(found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.level != "ok"]


@pytest.mark.parametrize(
    ("codes", "worst"), [((), 0), ((1,), 1), ((1, 3), 3), ((3, 4), 4), ((1, 4, 2, 3), 2), ((7,), 7)]
)
def test_the_worst_is_what_must_be_settled_first(codes: tuple[int, ...], worst: int) -> None:
    """Configuration before the database, the database before access, access before the source; warnings are no errors."""
    found = [Finding("error", "machine", "x", exit_code=code) for code in codes]
    assert findings.exit_code([*found, findings.warning("machine", "w", "a"), findings.fine("machine", "f")]) == worst


def test_a_healthy_database_has_no_bad_finding() -> None:
    """Nothing is said to be wrong where nothing is."""
    assert bad(of(facts())) == []


@pytest.mark.parametrize(
    ("rows", "level", "code", "says"),
    [
        ({"server": [{**SERVER, "version": 14, "version_text": "14.9"}]}, "error", 4, "15 or newer"),
        ({"server": [{**SERVER, "encoding": "SQL_ASCII"}]}, "error", 4, "SQL_ASCII"),
        ({"server": [{**SERVER, "is_standby": True}]}, "error", 4, "standby"),
        ({"server": [{**SERVER, "is_superuser": True}]}, "warning", 0, "superuser"),
        ({"settings": [{"name": "default_transaction_read_only", "value": "on"}]}, "error", 4, "read only"),
        ({"settings": [{"name": "session_replication_role", "value": "replica"}]}, "error", 4, "triggers"),
        ({"settings": [{"name": "jit", "value": "on"}]}, "warning", 0, "JIT"),
        ({"settings": [{"name": "fsync", "value": "off"}]}, "warning", 0, "fsync"),
        ({"settings": [{"name": "statement_timeout", "value": "5000"}]}, "warning", 0, "5000 ms"),
        ({"settings": [{"name": "log_error_verbosity", "value": "default"}]}, "warning", 0, "log quotes rows"),
        ({"settings": [{"name": "max_connections", "value": "10"}], "sessions": [{"used": 8}]}, "warning", 0, "8 of 10"),
        ({"zone": [{"name": "Mars/Base", "is_known": False}]}, "error", 4, "Mars/Base"),
        ({"wanted_zone": [{"is_known": False}]}, "error", 2, "REPLICATOR_REPORTING_TIME_ZONE"),
        ({"publications": [{"publication": "p", "name": "truedy.calls"}]}, "error", 4, "truedy.calls"),
        ({"statistics": [{"is_missing": True, "calls": 5000}]}, "warning", 0, "statistics"),
        ({"locks": [{"waiting": 1}]}, "warning", 0, "waits for a lock"),
        ({"rights": [{"may_read": True, "may_write": False}]}, "warning", 0, "only read"),
        ({"schemas": [{"name": "truedy", "may_use": False}]}, "warning", 0, "may not use truedy"),
        ({"server": [{**SERVER, "address": "10.1.2.3"}], "tls": [{"is_encrypted": False}]}, "warning", 0, "not encrypted"),
        ({"relations": [{"schema": "analytics", "name": "mine"}]}, "warning", 0, "analytics.mine"),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_what_to_do(rows: dict[str, Any], level: str, code: int, says: str) -> None:
    """One fact that is wrong makes one finding, with its level, exit code and advice."""
    (found,) = bad(of(facts(**rows)))
    assert (found.level, found.exit_code) == (level, code)
    assert says in found.what
    assert found.advice
    assert found.fault


def test_what_stands_where_we_would_migrate_is_an_error() -> None:
    """Before the first migration whatever is in schemas of our names is somebody else's; the right to make them is needed."""
    clash = facts(schema=False, relations=[{"schema": "rollup", "name": "revenue"}], rights=[])
    (found,) = bad(of(clash))
    assert (found.level, "rollup.revenue" in found.what) == ("error", True)
    closed = facts(schema=False, server=[{**SERVER, "may_make_schemas": False}], rights=[])
    (found,) = bad(of(closed))
    assert "GRANT CREATE ON DATABASE d TO u" in found.advice


def test_a_question_that_fails_hides_no_other() -> None:
    """It is a warning with its reason; what most users may not see is none."""
    given = replace(facts(settings=[{"name": "jit", "value": "on"}]), unseen={"tls": "refused", "folder": "refused"})
    assert [one.what.partition(":")[0] for one in bad(of(given))] == [
        "JIT is on for other programs' queries, and makes reports slower by seconds", "not examined (tls)",
    ]  # fmt: skip


def test_what_a_user_may_not_see_is_not_judged() -> None:
    """Our own views are not somebody else's because the list of them cannot be read; without roles, none is granted."""
    views = [{"schema": "analytics", "name": "calls"}, {"schema": "rollup", "name": "days"}]
    rows = {"relations": views, "rights": [{"may_read": False, "may_write": False}]}
    unseen = dict.fromkeys(("views", "book", "zone"), "refuses this user (42501)")
    given = replace(
        facts(**rows), unseen=unseen, closed=frozenset(unseen), fits=RightMissing("refuses this user (42501)")
    )
    rights, hidden = bad(of(given))
    assert "GRANT" not in rights.advice
    assert hidden.what == (
        "this user may not see, so it is not examined: whether tables and views fit this program, whether somebody else's "
        "objects are in our schemas, the time zone of the reports"
    )
    theirs = replace(facts(relations=[{"schema": "truedy", "name": "mine"}], views=[]), closed=frozenset())
    assert "truedy.mine" in bad(of(theirs))[0].what


def test_a_pooler_and_the_writer() -> None:
    """A pooler is fine; a dead holder of the lease is said with when it frees itself."""
    assert any("pooler" in one.what for one in of(facts(pooled=True)) if one.level == "ok")
    writer = [{"holder": "serve (process 7 on h)", "host": "h", "pid": 7, "is_live": True, "seconds_left": 12}]
    assert bad(of(facts(writer=writer))) == []
    (found,) = bad(of(facts(writer=writer, dead=True)))
    assert "12 s" in found.advice


@pytest.mark.parametrize(("ahead", "is_said"), [(0.0, False), (59.0, False), (-120.0, True), (3600.0, True)])
def test_clocks_that_are_apart(ahead: float, is_said: bool) -> None:
    """A minute apart is said, of the database and of the source; how long the question took is no difference."""
    sent, received = NOW, NOW + timedelta(seconds=5)
    theirs = (received if ahead > 0 else sent) + timedelta(seconds=ahead)
    assert bool(bad(list(database.of_clock(theirs, sent, received)))) is is_said
    asked = source.Asked(3, None, theirs, sent, received)
    assert bool(bad(list(source.of_source(asked, None, base_url="b", configured_limit=100)))) is is_said


@pytest.mark.parametrize(
    ("failure", "level", "code"),
    [(BadKey("401"), "error", 3), (SourceUnavailable("x"), "error", 1), (RateLimited("429"), "warning", 0)],
)
def test_what_the_source_says(failure: Any, level: str, code: int) -> None:
    """A refusal is the finding that a sync would end with; a rate limit is waited for, and no fault."""
    asked = source.Asked(None, failure, None, NOW, NOW)
    (found,) = bad(list(source.of_source(asked, None, base_url="b", configured_limit=None)))
    assert (found.level, found.exit_code) == (level, code)
    assert "not asked" in bad(list(source.of_source(source.Asked(), None, base_url="b", configured_limit=1)))[0].what


def test_what_the_books_say_of_the_source() -> None:
    """A limit that is lower than configured, and calls that came from elsewhere."""
    given = facts(
        budgets=[{"key_id": "k", "learned_limit": 50, "is_refused": False}], source=[{"base_url": "c", "total": 1}]
    )
    said = [
        one.what
        for one in bad(
            list(source.of_source(source.Asked(1, None, NOW, NOW, NOW), given, base_url="b", configured_limit=100))
        )
    ]
    assert "allows 50 requests" in said[0]
    assert "came from c" in said[1]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"data_owner": 0}, "belongs to root"),
        ({"data_mode": 0o777}, "others may write"),
        ({"data_owner": None, "is_writable": False}, "cannot be made"),
        ({"has_account": False}, "no account"),
        ({"has_home": False}, "no home"),
        ({"folder": None}, "working directory"),
        ({"free_bytes": 10**7}, "10 MB are free"),
        ({"free_bytes": 5 * 10**8}, "are free"),
        ({"shared_bytes": 10**7}, "/dev/shm"),
        ({"binaries": ConfigurationError("no PostgreSQL on this machine")}, "no PostgreSQL"),
    ],
)
def test_what_is_wrong_with_the_machine(changed: dict[str, Any], says: str) -> None:
    """Each is one finding with what to do; a machine that is fine has none."""
    assert bad(list(surroundings.of_machine(HERE))) == []
    (found,) = bad(list(surroundings.of_machine(replace(HERE, **changed))))
    assert says in found.what
    assert found.advice or says == "no PostgreSQL"
    assert bad(list(surroundings.of_machine(replace(HERE, data_dir=None)))) == []
