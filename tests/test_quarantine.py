"""`replicator quarantine` as its users meet it, and what of a hostile row reaches their terminal: nothing that acts."""

from __future__ import annotations

import base64
import json
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.report import quarantine_view
from replicator.store import quarantine
from replicator.store.rows import UnreadRow
from replicator.sync.engine.position import STEPPED_OVER
from tests.fix_commands import run

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

    from replicator.store.database import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD = b'{"id":"44ec8f61-6d9a-4553-a6ca-777f5f5ef95b","status":"completed","phone_number":"+12025550199"}'
HOSTILE = b'{"id":"\x1b[2J\xe2\x80\xae","a":"caf\xc3\xa9 \xff\n\xc2\x9b","n":NaN}'


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b'{"a": "b"}', '{"a": "b"}'),
        ("é, 漢字 €".encode(), "é, 漢字 €"),
        (b"\x1b]0;title\x07", r"\u001b]0;title\u0007"),
        (b"a\r\nb\tc\x00\x7f", r"a\u000d\u000ab\u0009c\u0000\u007f"),
        (b"\xff\xc3", r"\xff\xc3"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
        ("\u009b31m\u202e\u2066\u200f\u200b\u2028\ufeff".encode(), r"\u009b31m\u202e\u2066\u200f\u200b\u2028\ufeff"),
        ("\u05d0\u0627".encode(), r"\u05d0\u0627"),
        ("e\u0301".encode(), r"e\u0301"),
        ("\U000e0041\U0001f600".encode(), r"\U000e0041" + "\U0001f600"),
    ],
)
def test_only_what_shows_as_itself_is_shown(raw: bytes, shown: str) -> None:
    """Escape sequences, line breaks, bidi controls, right-to-left letters, marks, tags and broken UTF-8 are spelled out."""
    assert quarantine_view.visible(raw) == shown


@given(st.binary(max_size=50) | st.text(max_size=50).map(str.encode))
def test_whatever_the_bytes_the_text_is_one_printable_line(raw: bytes) -> None:
    """Nothing but printable characters, and it can be encoded."""
    shown = quarantine_view.visible(raw)
    assert shown.isprintable()
    shown.encode()


@pytest.fixture
def ids(database: Database) -> dict[str, int]:
    """Three rows in quarantine and one that was resolved; their ids."""
    rows = {
        "good": UnreadRow(None, "GET /calls?limit=100&offset=0", "an older parser", GOOD, NOON),
        "hostile": UnreadRow(None, "GET /calls?limit=100&offset=7", "JSON is malformed", HOSTILE, NOON + timedelta(1)),
        "unseen": UnreadRow(
            None,
            "GET /calls?limit=1&offset=3",
            STEPPED_OVER,
            NOON.isoformat().encode(),
            NOON,
            never_shown=(NOON, NOON + timedelta(1)),
        ),
        "resolved": UnreadRow(None, "GET /calls?limit=1&offset=9", "not an object", b"null", NOON),
    }
    found = {}
    with database.transaction() as tx:
        for name, row in rows.items():
            quarantine.keep(tx, "default", [row])
            found[name] = tx.execute("SELECT max(id) FROM replicator.quarantine").fetchall()[0][0]
        quarantine.mark_resolved(tx, [found["resolved"]], NOON)
    return found


@pytest.mark.slow
def test_the_quarantine_is_listed_shown_and_replayed(
    ids: dict[str, int], database: Database, database_url: str, tmp_path: Path
) -> None:
    """What the page says of the command, from the list to the replay, with its exit codes; no payload unless asked for."""

    def ask(*arguments: object) -> CompletedProcess[str]:
        return run("quarantine", *map(str, arguments), cwd=tmp_path, DATABASE_URL=database_url)

    def facts(*arguments: object) -> Any:
        return json.loads(ask(*arguments, "--json").stdout)

    listed = ask("list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout.index("JSON is malformed") < listed.stdout.index("an older parser")
    assert "not an object" not in listed.stdout
    assert "not an object" in ask("list", "--all").stdout
    assert [row["id"] for row in facts("list")] == [ids["hostile"], ids["unseen"], ids["good"]]
    assert "2 older ones" in ask("list", "--limit", 1).stdout

    shown = ask("show", ids["good"])
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"bytes      {len(GOOD)}" in shown.stdout
    assert "+1202555" not in listed.stdout + shown.stdout
    assert "+12025550199" in ask("show", "--raw", ids["good"]).stdout
    bold = ask("show", ids["hostile"], "--raw")
    assert r"\u001b[2J\u202e" in bold.stdout
    assert "\x1b" not in bold.stdout
    assert "\u202e" not in bold.stdout
    assert base64.b64decode(facts("show", "--raw", ids["hostile"])["raw_base64"]) == HOSTILE
    assert "raw_base64" not in facts("show", ids["hostile"])

    file = tmp_path / "row"
    saved = ask("save", ids["hostile"], file)
    assert (saved.returncode, saved.stderr) == (0, "")
    assert file.read_bytes() == HOSTILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = ask("save", ids["good"], file)
    assert (again.returncode, file.read_bytes()) == (2, HOSTILE)

    for wrong in (("show",), ("save", ids["good"]), ("replay", "--raw"), ("show", 999), ("replay", 999), ("lst",)):
        assert ask(*wrong).returncode == 2, wrong

    assert ask("replay", ids["good"]).returncode == 0
    assert ask("replay", ids["unseen"]).returncode == 1
    rest = ask("replay")
    assert rest.returncode == 1
    assert "unreadable 1 row" in rest.stdout
    assert "no bytes   1 row" in rest.stdout
    assert rest.stderr == ""
    assert facts("replay") == {
        "read": 0, "calls_inserted": 0, "calls_changed": 0, "calls_unchanged": 0, "calls_late": 0, "details_queued": 0,
        "proven": 0, "unreadable": 1, "without_bytes": 1, "left": 2,
    }  # fmt: skip
    with database.connection() as connection:
        assert connection.execute("SELECT phone_number, status FROM truedy.calls").fetchall() == [
            ("+12025550199", "completed")
        ]
        connection.execute("UPDATE replicator.quarantine SET resolved_at = now()")
    assert ask("replay").returncode == 0
    assert "nothing is in quarantine" in ask("list").stdout


@pytest.mark.slow
def test_the_options_of_earlier_releases_still_work(ids: dict[str, int], database_url: str, tmp_path: Path) -> None:
    """They print what the sub-command prints, end as it ends, and say on standard error how it is written now."""
    good, hostile, unseen = str(ids["good"]), str(ids["hostile"]), str(ids["unseen"])
    file = tmp_path / "a row"

    def ask(*arguments: str) -> CompletedProcess[str]:
        return run("quarantine", *arguments, cwd=tmp_path, DATABASE_URL=database_url)

    for old, new in (
        ([], ["list"]),
        (["--json"], ["list", "--json"]),
        (["--all"], ["list", "--all"]),
        (["--limit", "1"], ["list", "--limit", "1"]),
        ([good], ["show", good]),
        (["--show", good], ["show", good]),
        (["--raw", hostile, "--json"], ["show", hostile, "--raw", "--json"]),
        (["--replay", unseen], ["replay", unseen]),
        (["--replay", "999"], ["replay", "999"]),
    ):
        before, now = ask(*old), ask(*new)
        assert (before.returncode, before.stdout) == (now.returncode, now.stdout), old
        note, _, rest = before.stderr.partition("\n")
        assert rest == now.stderr
        written = [word for word in new if word != "--json"]
        assert note == f"`quarantine` has sub-commands now; the new form is: replicator quarantine {' '.join(written)}"

    saved = ask("--output", str(file), hostile)
    assert (saved.returncode, file.read_bytes()) == (0, HOSTILE)
    assert saved.stderr.endswith(f"replicator quarantine save {hostile} '{file}'\n")
    for wrong in (("--show",), ("--raw",), ("--replay", "--raw", good)):
        assert ask(*wrong).returncode == 2, wrong
