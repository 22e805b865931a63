"""The file of disputes: what asks for too much, with both sides and why; nothing personal beyond the party's own line."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.fix_commands import run
from tests.reconcile.fix_month import Made, call_id, insert, theirs

if TYPE_CHECKING:
    from pathlib import Path

STATEMENT = f"""line_id,call_id,started_at,duration_seconds,phone_number,amount,kind,description
L1,{call_id(1)},2026-10-05T10:00:00Z,60,+15550000001,0.0600,usage,as agreed
L2,{call_id(2)},2026-10-05T11:00:00Z,60,+15550000002,0.0900,usage,"=HYPERLINK(""http://x"",""click"")"
L3,{call_id(3)},2026-10-05T12:00:00Z,60,+15550000003,0.0100,usage,too little
L4,00000000-0000-4000-8000-00000000abcd,2026-10-06T12:00:00Z,60,+15550000004,0.0700,usage,@SUM(1)
L5,,,,,5.00,fee,rental
L6,{call_id(6)},2026-10-07T12:00:00Z,60,+15550000006,0.0700,usage,accepted
"""


@pytest.mark.slow
def test_what_is_too_much_is_claimed_with_evidence(database_url: str, tmp_path: Path) -> None:
    """Two lines: a rate that differs, with every content of the call that was seen, and a call that is not ours. What is as
    agreed, too little, a fee or accepted is not in it; no cell is a formula; none of our numbers or texts is in it.
    """
    insert(
        database_url,
        [Made(n, f"2026-10-0{5 if n < 4 else 7}T{9 + n if n < 4 else 12}:00:00", 60, "0.0600") for n in (1, 2, 3, 6)],
    )
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE truedy.calls SET summary = 'Secret words'")
        for version, cost in ((1, "null"), (2, "0.0600")):
            connection.execute(
                "INSERT INTO truedy.call_versions (call_id, version, observed_at, fingerprint, raw) VALUES (%s, %s, %s, '', %s)",
                [call_id(2), version, f"2026-10-05T11:0{version}:00Z", f'{{"status": "completed", "duration_seconds": 60, "cost_usd": {cost}, "summary": "Secret"}}'],
            )  # fmt: skip
    (tmp_path / "october.csv").write_text(STATEMENT, encoding="utf-8")

    def reconcile(*words: str, code: int = 0) -> str:
        done = run("reconcile", *words, cwd=tmp_path, DATABASE_URL=database_url)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    month: tuple[Any, ...] = ("--period", "2026-10")
    reconcile("import", "october.csv", *month)
    assert "not matched yet" in reconcile("disputes", *month, "--output", "d.csv", code=2)
    assert not (tmp_path / "d.csv").exists()
    reconcile("match", *month)
    reconcile("accept", "1:7", "--reason", "agreed by mail")
    # Another party's lines and numbers are never in a file for the vendor.
    carrier = f"line_id,started_at,duration_seconds,phone_number,amount,kind\nC1,2026-10-09T10:00:00Z,60,{theirs(9)},0.0700,usage\n"
    (tmp_path / "carrier.csv").write_text(carrier, encoding="utf-8")
    (tmp_path / "carrier.toml").write_text('party = "carrier"\n', encoding="utf-8")
    reconcile("import", "carrier.csv", *month, "--mapping", "carrier.toml")
    reconcile("match", *month)
    assert "1 lines, 0.07 " in reconcile("disputes", *month, "--output", "c.csv", "--party", "carrier")
    assert "not matched yet" in reconcile("disputes", *month, "--output", "e.csv", "--party", "another", code=2)
    assert "2 lines, 0.10 " in reconcile("disputes", *month, "--output", "d.csv")
    assert "exists" in reconcile("disputes", *month, "--output", "d.csv", code=2)
    # As elsewhere, - is standard output: the same lines, and the sum on standard error.
    done = run("reconcile", "disputes", *month, "--output", "-", cwd=tmp_path, DATABASE_URL=database_url)
    assert (done.returncode, "standard output: 2 lines, 0.10 " in done.stderr) == (0, True)
    assert not (tmp_path / "-").exists()
    assert done.stdout.splitlines() == (tmp_path / "d.csv").read_text(encoding="utf-8").splitlines()
    assert "--json goes with a file" in reconcile("disputes", *month, "--output", "-", "--json", code=2)
    text = (tmp_path / "d.csv").read_text(encoding="utf-8-sig")
    rate, stranger = csv.DictReader(text.splitlines())
    assert (rate["line_id"], rate["their_amount"], rate["our_amount_usd"], rate["difference_usd"]) == (
        "L2",
        "0.0900",
        "0.060000",
        "0.030000",
    )
    assert rate["reason"].startswith("rate_differs: ")
    assert (
        rate["seen"]
        == "seen 2026-10-05 11:01:00 UTC: completed, 60 s, cost unknown; seen 2026-10-05 11:02:00 UTC: completed, 60 s, cost 0.0600"
    )
    assert rate["our_start"] == "2026-10-05T11:00:00+00:00"
    assert rate["description"] == '\'=HYPERLINK("http://x","click")'
    assert (stranger["line_id"], stranger["our_call_id"], stranger["description"]) == ("L4", "", "'@SUM(1)")
    assert "Secret" not in text
    assert not any(theirs(n) in text for n in (1, 2, 3, 6))
