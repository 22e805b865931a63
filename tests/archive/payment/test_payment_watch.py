"""Payment data through a whole sync: what is stored, what is flagged, and what the views show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from replicator.archive.payment import disclosure, payment_rules, payment_watch
from replicator.archive.payment.payment_rules import PaymentData
from replicator.errors import ForeignChange
from replicator.simulator.conversations import Segment
from replicator.simulator.switches import Switches
from replicator.sync.content.calls import Policy
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store.database import Database
    from tests.sync.fix_source import Setting

NUMBER = "4111 1111 1111 1111"
SAID = (
    Segment("agent", "Hello, this call is recorded for quality. May I have your card number?", 0.0, 3.0),
    Segment("contact", "four one one one", 4.0, 5.0),
    Segment("agent", "okay", 5.0, 5.5),
    Segment("contact", "one one one one, one one one one, one one one one", 6.0, 9.0),
    Segment("agent", "And the security code?", 9.0, 10.0),
    Segment("contact", "it is 123", 10.0, 11.0),
)
SHOWN = [
    SAID[0].text,
    "[card number]",
    "okay",
    "[card number], one one one one",
    "And the security code?",
    "it is [security code]",
]
STILL = Switches(limit=None, correction_share=0.0, transcript_missing_share=0.0)
ALL = {"details": Policy(("transcript",)), "seals": True}


@pytest.fixture
def there(database: Database) -> Iterator[tuple[Setting, str]]:
    """A source with one call in which a card number is said, and nine others."""
    with source(database, calls=10, switches=STILL) as setting:
        call_id = setting.world.create(
            status="completed", summary=f"Paid with {NUMBER}.", context={"note": f"card {NUMBER}", "last_error": NUMBER}
        )
        setting.world.replace_transcript(call_id, SAID)
        yield setting, call_id


def shown(setting: Setting, call_id: str) -> list[str]:
    return [
        text for (text,) in setting.rows(
            f"SELECT text FROM analytics.transcript_segments WHERE call_id = '{call_id}' ORDER BY position"
        )
    ]  # fmt: skip


def everything(setting: Setting) -> str:
    """All text of the database that could hold the number."""
    tables = ("truedy.calls", "truedy.call_versions", "truedy.transcripts", "truedy.transcript_segments",
              "truedy.transcript_versions", "archive.payment_findings")  # fmt: skip
    return "\n".join(str(setting.rows(f"SELECT x::text FROM {table} x ORDER BY 1")) for table in tables)


def test_it_is_found_flagged_and_masked_in_the_views(there: tuple[Setting, str]) -> None:
    """The number's last four digits stay; the stored text is as it came; no finding holds a digit; others are untouched."""
    setting, call_id = there
    setting.sync(**ALL)
    assert shown(setting, call_id) == SHOWN
    assert setting.rows(
        f"SELECT text FROM truedy.transcript_segments WHERE call_id = '{call_id}' ORDER BY position"
    ) == [(one.text,) for one in SAID]
    texts = setting.rows(
        f"SELECT summary, context, last_error, has_payment_data FROM analytics.call_texts WHERE call_id = '{call_id}'"
    )[0]
    assert texts[0] == "Paid with [card number] 1111."
    assert "[card number] 1111" in texts[1]
    assert "4111" not in texts[1]
    assert texts[2:] == ("[payment data]", True)
    flagged = setting.rows(
        "SELECT call_id::text, card_number_findings, security_code_findings, payment_places, is_removed FROM analytics.payment_data"
    )
    assert flagged == [(call_id, 6, 1, "context, segment, summary, transcript_summary", False)]
    assert setting.value("SELECT count(*) FROM analytics.transcript_segments WHERE has_payment_data") == 3
    assert "4111" not in str(setting.rows("SELECT * FROM archive.payment_findings"))
    untouched = "SELECT count(*) FROM analytics.transcript_segments v JOIN truedy.transcript_segments s USING (call_id, position) WHERE NOT v.has_payment_data AND v.text IS DISTINCT FROM s.text"
    assert setting.value(untouched) == 0


@pytest.mark.parametrize("mode", [PaymentData.MASK, PaymentData.DROP_TRANSCRIPT])
def test_it_can_be_taken_out_before_it_is_stored(there: tuple[Setting, str], mode: PaymentData) -> None:
    """Then no row has it, neither a version nor a payload; what is stored is what is sealed; a second look changes nothing."""
    setting, call_id = there
    setting.sync(**ALL, payment_data=mode)
    stored = everything(setting)
    for secret in (NUMBER, "four one one one", "one one one one, one one", "it is 123"):
        assert secret not in stored
    expected = SHOWN if mode is PaymentData.MASK else ["[removed: payment data]"] * 6
    assert shown(setting, call_id) == expected
    assert setting.value("SELECT is_removed FROM analytics.payment_data") is True
    records = setting.value("SELECT count(*) FROM archive.records")
    again = setting.sync(**ALL, payment_data=mode)
    assert (again.counters.calls_changed, again.counters.calls_inserted) == (0, 0)
    assert setting.value("SELECT count(*) FROM archive.records") == records
    assert everything(setting) == stored


def test_a_replaced_transcript_is_looked_at_again(there: tuple[Setting, str]) -> None:
    """Findings of the segments that were replaced are gone, also where the archive was off meanwhile."""
    setting, call_id = there
    setting.sync(**ALL)
    setting.world.replace_transcript(call_id, (Segment("agent", "This line is being recorded", 0.0, 1.0), SAID[5]))
    with setting.database.transaction() as tx:
        tx.execute(
            "UPDATE truedy.transcripts SET due_at = now() - interval '1 minute', state = 'pending' WHERE call_id = %s",
            [call_id],
        )
    setting.sync(**ALL)
    assert shown(setting, call_id) == ["This line is being recorded", "it is 123"]
    assert setting.value("SELECT payment_places FROM analytics.payment_data") == "context, summary, transcript_summary"
    assert setting.value(f"SELECT position FROM archive.disclosures WHERE call_id = '{call_id}'") == 0


def test_what_was_stored_while_nobody_looked_is_found_by_a_scan(there: tuple[Setting, str]) -> None:
    """A scan ends as a sync with the archive on would have, once; a changed rule has all looked at again."""
    setting, call_id = there
    now = lambda: datetime.now(UTC)  # noqa: E731 - a clock
    setting.sync(details=Policy(("transcript",)))
    assert shown(setting, call_id) == [one.text for one in SAID]
    done = payment_watch.scan(setting.database, "default", now, lambda: False)
    assert (done.calls, done.findings, done.is_finished) == (11, 7, True)
    assert shown(setting, call_id) == SHOWN
    assert setting.value(f"SELECT rule FROM archive.disclosures WHERE call_id = '{call_id}'").startswith("en_")
    assert payment_watch.scan(setting.database, "default", now, lambda: False).calls == 0
    with setting.database.transaction() as tx:
        tx.execute("UPDATE archive.payment_rules SET is_on = false WHERE name = 'words_en'")
    again = payment_watch.scan(setting.database, "default", now, lambda: False)
    assert again.calls == 11
    assert shown(setting, call_id)[1] == "four one one one"
    setting.sync(details=Policy(("transcript",)))  # with the archive off: not everything is looked at any more
    assert payment_watch.scan(setting.database, "default", now, lambda: False).calls == 11


def test_a_scan_keeps_the_flag_of_what_was_taken_out(there: tuple[Setting, str]) -> None:
    """A text without digits cannot be found again, but that there were some stays known."""
    setting, _ = there
    setting.sync(**ALL, payment_data=PaymentData.MASK)
    before = setting.rows("SELECT call_id, place, position FROM archive.payment_findings ORDER BY 1, 2, 3")
    payment_watch.scan(setting.database, "default", lambda: datetime.now(UTC), lambda: False)
    assert setting.rows("SELECT call_id, place, position FROM archive.payment_findings ORDER BY 1, 2, 3") == before


def test_the_shipped_rows_are_the_shipped_rules(database: Database) -> None:
    """The migration's rows and the program's own are the same."""
    with database.transaction() as tx:
        watch = payment_watch.Watch.load(tx, "a")
    assert sorted(watch.rules.rows, key=lambda row: row.name) == sorted(payment_rules.SHIPPED, key=lambda row: row.name)
    assert watch.notices.rows == disclosure.DisclosureRules.of(disclosure.SHIPPED).rows


def test_a_row_that_is_no_rule_is_refused(database: Database) -> None:
    """A prefix that is no number, or a length that no card has, cannot be stored: a rule would fail every sync."""
    for prefixes, lengths in (
        ("{4x}", "{16}"),
        ("{}", "{16}"),
        ("{4}", "{8}"),
        ("{4}", "{}"),
        ("{4-}", "{16}"),
        ("{4111111}", "{16}"),
    ):
        with pytest.raises(ForeignChange), database.transaction() as tx:
            tx.execute(
                "INSERT INTO archive.payment_rules (name, kind, matches, prefixes, lengths) VALUES ('mine', 'issuer', '', %s, %s)",
                [prefixes, lengths],
            )
