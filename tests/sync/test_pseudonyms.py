"""Pseudonyms of phone numbers: stable, keyed by a secret that the database never sees, written once with their calls."""

from __future__ import annotations

import hmac
from contextlib import closing
from hashlib import blake2b, md5, sha1, sha256, sha512
from threading import Event
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.simulator.switches import Switches
from replicator.store import lease, parties
from replicator.store.database import Database
from replicator.sync import commit, pseudonyms, replay
from replicator.sync.content.calls import Policy
from replicator.sync.pseudonyms import LONGEST, Pseudonyms
from tests.sync.fix_source import Setting, source

SECRET = "correct horse battery staple, forty characters"
NAMES, OTHERS = Pseudonyms(SECRET.encode()), Pseudonyms(b"another secret of more than thirty-two characters")
KEYS = (
    "SELECT n.other_party, n.our_number, c.other_party_key, c.our_number_key FROM analytics.calls c "
    "JOIN analytics.call_numbers n USING (call_id) ORDER BY call_id"
)
WRITTEN = (
    "SELECT (SELECT array_agg((ctid, xmin, xmax)::text ORDER BY number) FROM replicator.parties), "
    "(SELECT party_key_id FROM replicator.source_state)"
)


def named(there: Setting) -> int:
    """Check every call's keys against its numbers; return how many keys there are."""
    found = 0
    for other, ours, other_key, our_key in there.rows(KEYS):
        for number, key in ((other, other_key), (ours, our_key)):
            assert key == (NAMES.of("default", number) if number else None)
            found += key is not None
    return found


@given(st.text(), st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=2 * LONGEST))
def test_a_pseudonym_is_stable_and_of_128_bits(account: str, number: str) -> None:
    """The same number of the same account has the same key, spaces around it aside; nothing and what is too long has none."""
    account = account.encode(errors="replace").decode()
    key = NAMES.of(account, number)
    assert (key is None) == (not number.strip() or len(number) > LONGEST)
    if key is not None:
        assert NAMES.of(account, number.strip()) == NAMES.of(account, number) == key
        assert len(key) == 32
        assert int(key, 16) >= 0
        assert OTHERS.of(account, number) != key
        assert NAMES.of(account + "x", number) != key


def test_the_secret_is_not_shown() -> None:
    """Neither the object's text nor the name of the key tells the secret, nor a plain hash of it."""
    assert SECRET not in repr(NAMES)
    assert NAMES.key_id not in {digest(SECRET.encode()).hexdigest()[:16] for digest in (md5, sha1, sha256, sha512)}


def test_calls_carry_the_keys_of_their_numbers(database: Database) -> None:
    """After a sync every call with a number has its keys, in and outbound; a second one writes none of them again."""
    with source(database, calls=150) as there:
        there.sync(pseudonyms=NAMES)
        assert named(there) > 200
        assert there.value("SELECT count(DISTINCT party_key) = count(*) FROM replicator.parties")
        before = there.rows(WRITTEN)
        there.world.update(there.world.live_ids()[3], context={"a": 1})
        there.sync(pseudonyms=NAMES)
        assert there.rows(WRITTEN) == before


def test_a_key_is_written_with_its_call_or_not_at_all(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the keys cannot be written, the calls of the same batch are not stored either."""

    def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(commit, "name_parties", fail)
    with source(database, calls=50) as there:
        with pytest.raises(RuntimeError):
            there.sync(pseudonyms=NAMES)
        assert there.value("SELECT count(*) FROM truedy.calls") == 0


@pytest.mark.slow
def test_a_key_that_appears_or_changes_reaches_every_number(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a secret nobody is named; one that appears names all that are stored, another one renames all, and what came
    while there was none is named when it is back. In batches, and an interrupted one is done again.
    """
    monkeypatch.setattr(pseudonyms, "BATCH_CALLS", 40)
    with source(database, calls=150) as there:
        there.sync()
        assert {row[2:] for row in there.rows(KEYS)} == {(None, None)}
        there.sync(pseudonyms=OTHERS)
        assert there.value("SELECT party_key_id FROM replicator.source_state") == OTHERS.key_id
        keys = {row[2:] for row in there.rows(KEYS)}
        stop = Event()
        stop.set()
        there.sync(pseudonyms=NAMES, stop=stop)
        assert there.value("SELECT party_key_id FROM replicator.source_state") is None
        there.sync(pseudonyms=NAMES)
        known = named(there)
        assert known > 200
        assert not keys & {row[2:] for row in there.rows(KEYS)} - {(None, None)}
        assert there.rows("SELECT DISTINCT key_id FROM replicator.parties") == [(NAMES.key_id,)]
        new = there.world.create(phone_number="+12025550177", direction="outbound")
        there.sync()
        assert there.rows(f"SELECT other_party_key FROM analytics.calls WHERE call_id = '{new}'") == [(None,)]
        there.sync(pseudonyms=NAMES)
        assert named(there) > known


def test_each_batch_is_a_sign_of_life(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service is restarted where it shows none: with millions of calls, a new secret would restart it for ever."""
    monkeypatch.setattr(pseudonyms, "BATCH_CALLS", 40)
    with source(database, calls=150) as there:
        there.sync()
    held = lease.acquire(database, "default", "test")
    signs: list[int] = []
    pseudonyms.catch_up(database, held, "default", NAMES, pulse=lambda: signs.append(1))
    lease.release(database, held)
    assert len(signs) == 4


@pytest.mark.slow
def test_what_is_read_again_is_named_too(database: Database) -> None:
    """A call that comes out of quarantine has its keys, as if it had been readable at once."""
    with source(database, calls=20, switches=Switches(limit=None)) as there:
        there.sync(pseudonyms=NAMES)
        gone = there.value(
            "SELECT id FROM truedy.calls WHERE phone_number IS NOT NULL AND direction = 'outbound' LIMIT 1"
        )
        with database.transaction() as tx:
            tx.execute(
                "INSERT INTO replicator.quarantine (account, request, reason, raw, raw_sha256, first_seen_at, last_seen_at) "
                "SELECT 'default', 'list', 'unreadable then', convert_to(raw::text, 'UTF8'), '', now(), now() "
                "FROM truedy.calls WHERE id = %s",
                [gone],
            )
            tx.execute("DELETE FROM truedy.calls WHERE id = %s", [gone])
            for table in ("call_versions", "transcripts", "transcript_segments", "recordings"):
                tx.execute(f"DELETE FROM truedy.{table} WHERE call_id = %s", [gone])
            tx.execute("DELETE FROM replicator.parties")
        assert replay.replay(database, "default", Policy(), pseudonyms=NAMES).calls_inserted == 1
        assert there.value(f"SELECT other_party_key IS NOT NULL FROM analytics.calls WHERE call_id = '{gone}'")


def test_a_number_that_is_none_is_no_obstacle(database: Database) -> None:
    """Whatever the source sends for a number is stored; what is empty, withheld or too long for a number has no key."""
    odd = ["anonymous", "sip:a@b.example", "", "   ", "x" * 100_000, "+1 555", "Ω" * 128, "0"]
    with source(database, calls=0) as there:
        for number in odd:
            there.world.create(phone_number=number, direction="outbound")
        there.sync(pseudonyms=NAMES)
        assert there.value("SELECT count(*) FROM truedy.calls") == len(odd)
        named(there)
        assert there.value("SELECT count(other_party_key) FROM analytics.calls") == len(odd) - 5


def test_the_secret_is_nowhere_in_the_database(database: Database) -> None:
    """No row of any table holds it, as text or in hexadecimal digits."""
    with source(database, calls=30) as there:
        there.sync(pseudonyms=NAMES)
        tables = there.rows(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('truedy', 'replicator')"
        )
        assert len(tables) > 15
        for (table,) in tables:
            for (row,) in there.rows(f"SELECT t::text FROM {table} t"):
                assert SECRET not in row
                assert SECRET.encode().hex() not in row


def test_a_reader_cannot_find_the_number_by_trying(logins: dict[str, str]) -> None:
    """A reader who knows the candidates, the account and how keys are made, but not the secret, finds none of them."""
    with closing(Database(logins["writer"])) as theirs, source(theirs, calls=60) as there:
        there.sync(pseudonyms=NAMES)
        candidates = {number for row in there.rows("SELECT number FROM replicator.parties") for number in row}
    with psycopg.connect(logins["reader"]) as reader:
        rows = reader.execute("SELECT other_party_key, our_number_key FROM analytics.calls").fetchall()
        for name in ("replicator.parties", "analytics.call_numbers", "truedy.calls"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), reader.transaction():
                reader.execute(f"SELECT * FROM {name}")
    seen = {key for row in rows for key in row if key}
    assert len(seen) == len(candidates)
    guessed = set()
    for number in candidates:
        for text in (number, f"default{number}", f"default\0{number}", f"truedy-replicator party\0default\0{number}"):
            for digest in (md5, sha1, sha256, sha512, blake2b):
                guessed |= {digest(text.encode()).hexdigest()[:32], digest(text.encode()).hexdigest()[-32:]}
                for key in (b"", b"default", b"truedy", NAMES.key_id.encode()):
                    guessed.add(hmac.new(key, text.encode(), digest).hexdigest()[:32])
    assert not seen & guessed
    assert seen == {NAMES.of("default", number) for number in candidates}


def test_nothing_is_asked_where_there_is_nothing_to_name(database: Database) -> None:
    """No numbers, no statement."""
    with database.transaction() as tx:
        assert parties.add(tx, "default", NAMES.key_id, {}) == 0
