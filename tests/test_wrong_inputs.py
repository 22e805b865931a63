"""A table of wrong inputs and what is said: in our words, with the right culprit, and whether waiting helps."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import pytest

from replicator.cli import app, usage
from replicator.cli.frame import Usage
from replicator.errors import BoundReached, ConfigurationError, Incomplete, NeverSynced, Stopped
from replicator.origins import ENVIRONMENT, unknown
from replicator.safe_text import shown
from replicator.settings import Settings
from replicator.store import migrate
from replicator.store.database import Database

if TYPE_CHECKING:
    from pathlib import Path

LIBRARY = (
    "Input should",
    "unable to parse",
    "Value error",
    "does not match the format",
    "%Y",
    "Traceback",
    "pydantic",
    "psycopg",
)

COMMAND_LINES = {
    "export calls --output a.csv --since yesterday": "'yesterday' is not a day: expected one such as 2026-03-01",
    "export calls --output a.csv --until 2026-13-01": "'2026-13-01' is not a day: expected one such as 2026-03-01",
    "sync --since 1.3.2026": "'1.3.2026' is not a day: expected one such as 2026-03-01",
    "sync --max-seconds abc": "expected a number",
    "sync --max-seconds 0": "expected a number that is at least 0.1",
    "sync --max-requests -3": "expected a number that is at least 1",
    "report --days x": "expected a whole number",
    "report --days 0": "expected a number that is at least 1",
    "report --days 99999": "expected a number that is at most 3660",
    "verify --max-requests 1.5": "expected a whole number",
    "recording notauuid": "expected the id of a call, such as 01234567-89ab-4cde-8f01-23456789abcd",
    "archive hold add case-1 --reason x --agent nosuch": "expected the id of an agent, such as 01234567-",
    "archive hold add case-1 --reason x --call nosuch": "expected the id of a call, such as 01234567-",
    "archive verify --public-key 00": "this is no public key: expected 64 hexadecimal digits",
    "quarantine show x": "expected a whole number",
    "deletions --release 0": "expected a number that is at least 1",
    "demo --calls 0": "expected a number that is at least 1",
    "stauts": "Did you mean 'status'?",
    "export": "Missing argument 'VIEW'",
    "sync --full --since 2026-01-01": "give one or the other",
    "sync --since 2026-02-01 --until 2026-01-01": "--since is a later day than --until",
}


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_a_wrong_word_of_the_command_line(line: str) -> None:
    """The option is named, what was expected is said in plain words, and nothing of the library is."""
    with pytest.raises(Usage) as refused:
        app(line.split(), standalone_mode=False, prog_name="replicator")
    parameter = getattr(refused.value, "param", None)
    refused.value.message = usage.plain(shown(refused.value.message), getattr(parameter, "name", None))
    said = refused.value.format_message()
    assert COMMAND_LINES[line] in said
    assert not any(word in said for word in LIBRARY)
    option = next(
        (word for word in line.split() if word.startswith("--") and word not in {"--output", "--reason"}), None
    )
    if said.startswith("Invalid value for"):
        assert option is None or option in said or "call_id" in said


@pytest.mark.pure
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("REPLICATOR_POL_SECONDS", "REPLICATOR_POLL_SECONDS"),
        ("TRUEDY_APIKEY", "TRUEDY_API_KEY"),
        ("REPLICATOR_COST_GIVEUP_DAYS", "REPLICATOR_COST_GIVE_UP_DAYS"),
        ("REPLICATOR_TIME_ZONE", "REPLICATOR_REPORTING_TIME_ZONE"),
        ("TRUEDY_SOMETHING_ELSE_ALTOGETHER", None),
    ],
)
def test_a_misspelt_setting_is_named_with_the_one_that_was_meant(name: str, meant: str | None) -> None:
    """Also in .env; a name that is like none is said to be unknown."""
    found = unknown({name: "5"}, ENVIRONMENT, {one.upper() for one in Settings.model_fields})
    assert [one.meant for one in found] == [meant]
    assert str(found[0]).startswith(f"unknown setting {name} in the environment; ")


SETTINGS = {
    "REPLICATOR_POLL_SECONDS=abc": "REPLICATOR_POLL_SECONDS: expected a number",
    "REPLICATOR_POLL_SECONDS=0": "REPLICATOR_POLL_SECONDS: expected a number that is at least 1",
    "REPLICATOR_WORKERS=1.5": "REPLICATOR_WORKERS: expected a whole number",
    "REPLICATOR_COST_GIVE_UP_DAYS=-1": "REPLICATOR_COST_GIVE_UP_DAYS: expected a number that is at least 0",
    "REPLICATOR_COST_GIVE_UP_DAYS=soon": "REPLICATOR_COST_GIVE_UP_DAYS: expected a whole number",
    "REPLICATOR_DETAILS=video": "REPLICATOR_DETAILS: expected transcript, recording, both with a comma, or none",
    "REPLICATOR_LOG_LEVEL=LOUD": "REPLICATOR_LOG_LEVEL: expected one of DEBUG, INFO, WARNING, ERROR",
    "REPLICATOR_ROLE_PREFIX=My-Team": "REPLICATOR_ROLE_PREFIX: expected small letters, digits and _, and no digit first",
    "REPLICATOR_RENEWAL=often": "REPLICATOR_RENEWAL: ",
    "REPLICATOR_HTTP_PORT=99999": "REPLICATOR_HTTP_PORT: expected a number that is at most 65535",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_wrong_setting(setting: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The setting is named, the configuration is at fault, and waiting does not help."""
    from replicator.settings import load  # noqa: PLC0415 - it reads the environment

    monkeypatch.chdir(tmp_path)
    name, _, value = setting.partition("=")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refused:
        load()
    said = refused.value.explain()
    assert SETTINGS[setting] in said
    assert "at fault: the configuration; waiting does not help." in said
    assert not any(word in said for word in LIBRARY)


@pytest.mark.parametrize(
    ("part", "says", "fault", "waiting"),
    [
        ("database", "does not exist on this server", "the configuration", False),
        ("role", "knows no such role|refuses the password|does not let this user in", "the configuration", False),
        ("port", r"nothing listens there \(connection refused\)", "the database", True),
    ],
)
def test_a_wrong_database(database_url: str, part: str, says: str, fault: str, *, waiting: bool) -> None:
    """A name that does not exist is configuration, and waiting does not help; a port where nothing listens may come up."""
    parts = urlsplit(database_url)
    user = f"{parts.username}:{parts.password}"
    wrong = {
        "database": parts._replace(path="/no_such_database"),
        "role": parts._replace(netloc=f"nobody_here:x@{parts.hostname}:{parts.port}"),
        "port": parts._replace(netloc=f"{user}@127.0.0.1:1"),
    }[part]
    database = Database(urlunsplit(wrong))
    with pytest.raises(Exception, match=says) as refused, database.connection():
        pass
    database.close()
    error = refused.value
    assert (error.fault, error.waiting_helps) == (fault, waiting)  # type: ignore[attr-defined]
    with pytest.raises(type(error), match=says):
        migrate.migrate(urlunsplit(wrong))


@pytest.mark.pure
def test_who_is_at_fault_when_work_ends_early() -> None:
    """A signal, an option and a missing sync are not the source's fault; only a source that fails is."""
    assert [one.fault.split(":")[0] for one in (Incomplete, Stopped, BoundReached, NeverSynced)] == [
        "the source", "nobody", "the command line", "the operator",
    ]  # fmt: skip
    assert [one.waiting_helps for one in (Incomplete, Stopped, BoundReached, NeverSynced)] == [
        True,
        False,
        False,
        False,
    ]
