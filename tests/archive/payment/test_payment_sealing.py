"""Payment data that is masked otherwise than before: what was sealed stays provable, and what is stored now is sealed, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from replicator.archive.payment.payment_rules import PaymentData
from replicator.archive.verification import inspection
from replicator.simulator.switches import Switches
from replicator.sync.content.calls import Policy
from tests.archive.payment.test_payment_watch import NUMBER, SAID
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from replicator.store.database import Database
    from tests.sync.fix_source import Setting

STILL = Switches(limit=None, correction_share=0.0, transcript_missing_share=0.0)
ALL = {"details": Policy(("transcript",)), "seals": True}
MODES = (PaymentData.KEEP, PaymentData.MASK, PaymentData.DROP_TRANSCRIPT)


def read_again(setting: Setting, call_id: str, mode: PaymentData) -> None:
    """A sync in which nothing of the call moved but `updated_at`, and its transcript is read again."""
    setting.world.update(call_id)
    with setting.database.transaction() as tx:
        tx.execute(
            "UPDATE truedy.transcripts SET due_at = now() - interval '1 minute', state = 'pending' WHERE call_id = %s",
            [call_id],
        )
        tx.execute("UPDATE truedy.calls SET updated_at = updated_at - interval '1 day' WHERE id = %s", [call_id])
    setting.sync(**ALL, payment_data=mode)


@pytest.mark.parametrize("first", MODES)
def test_another_way_of_masking_leaves_the_archive_whole(database: Database, first: PaymentData) -> None:
    """From each mode to each: whole after every sync; the current row is as the mode says; the same again adds nothing."""
    with source(database, calls=10, switches=STILL) as setting:
        call_id = setting.world.create(status="completed", summary=f"Paid with {NUMBER}.", context={"note": NUMBER})
        setting.world.replace_transcript(call_id, SAID)
        setting.sync(**ALL, payment_data=first)
        for mode in (*MODES, PaymentData.KEEP):
            for is_again in (False, True):
                versions = setting.value("SELECT count(*) FROM truedy.call_versions")
                read_again(setting, call_id, mode)
                found = inspection.verify(database, "default")
                assert (found.faults, found.unsealed) == ([], 0), (mode, is_again)
                has_number = NUMBER in setting.value(f"SELECT summary FROM truedy.calls WHERE id = '{call_id}'")
                assert has_number is (mode is PaymentData.KEEP)
                if is_again:
                    assert setting.value("SELECT count(*) FROM truedy.call_versions") == versions
