"""Signed heads outside: written once, never over a different one, stamped by an authority, and what they show."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer

from replicator.archive import chain, sealing
from replicator.archive.heads import anchor_places, anchors, signing, timestamps
from replicator.archive.kinds import Kind
from replicator.archive.sealing import Entry
from replicator.archive.verification import inspection
from replicator.errors import AuthorityUnavailable, ConfigurationError, OutputFailed
from replicator.service import anchoring
from replicator.store import sealed_heads
from tests.archive.fix_authority import Authority, authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.archive.heads.signing import Signer
    from replicator.store.database import Database

AT = datetime(2026, 11, 30, tzinfo=UTC)
CONTENT = chain.canonical({"kind": "gap", "account": "default"})


def seal(database: Database, count: int = 1, account: str = "default") -> chain.Block:
    content = chain.canonical({"kind": "gap", "account": account})
    with database.transaction() as tx:
        return sealing.append(tx, account, [Entry(Kind.GAP, None, AT, content)] * count, AT)


def summary(database: Database) -> dict[str, Any]:
    with database.connection() as connection:
        return sealed_heads.summary(connection, "default")


def codes(database: Database, found: anchors.Found) -> list[str]:
    verdict = inspection.verify(database, "default", found.heads)
    return [fault.code for fault in (*found.faults, *verdict.faults)]


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return signing.load(tmp_path / "keys" / "key")


@pytest.fixture
def folder(tmp_path: Path) -> anchor_places.Folder:
    return anchor_places.Folder(tmp_path / "heads")


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with authority(tmp_path_factory.mktemp("tsa")) as there:
        yield there


@pytest.fixture
def stamping(tsa: Authority) -> Authority:
    tsa.answers.clear()
    tsa.asked.clear()
    return tsa


def test_a_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    """With mode 0600, in a folder that is made for it; one that others may read is refused, as is what is no key."""
    path = tmp_path / "new" / "key"
    first = signing.load(path)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert signing.load(path).public_key == first.public_key
    assert [one.name for one in path.parent.iterdir()] == ["key"]
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="others may read"):
        signing.load(path)
    path.chmod(0o600)
    path.write_text("no key", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="no Ed25519 key"):
        signing.load(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        signing.load(tmp_path / "none", may_make=False)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        signing.load(tmp_path / "link")


def test_a_signature_holds_for_every_field(signer: Signer, database: Database) -> None:
    """A head with any field changed, added or left out is none."""
    text = signer.sign(seal(database, 3), AT)
    assert signing.read(text).head.last == 3
    fields = json.loads(text)
    for name, value in fields.items():
        for changed in (
            {**fields, name: (value + 1 if isinstance(value, int) else value[::-1])},
            {one: other for one, other in fields.items() if one != name},
            {**fields, "more": 1},
        ):
            if changed != fields:
                with pytest.raises(ValueError, match=r"signature|field|format|fromhex|non-hexadecimal|public key"):
                    signing.read(json.dumps(changed))
    for nonsense in ("", "[]", "{", '"x"', "{}", "null"):
        with pytest.raises(ValueError, match=r"JSON|field|dictionary"):
            signing.read(nonsense)


def test_heads_close_the_window(database: Database, signer: Signer, folder: anchor_places.Folder) -> None:
    """The status says what lies behind the newest head outside, and since when; a second head of the same block is none."""
    assert anchors.anchor(database, "default", signer, folder, lambda: AT).block is None
    assert summary(database)["block"] is None
    seal(database, 2)
    assert (summary(database)["open_records"], summary(database)["open_since"]) == (2, AT)
    first = anchors.anchor(database, "default", signer, folder, lambda: AT)
    assert (first.block, first.last_sequence) == (1, 2)
    again = anchors.anchor(database, "default", signer, folder, lambda: datetime.now(UTC))
    assert again == first
    assert (summary(database)["open_records"], summary(database)["open_since"]) == (0, None)
    seal(database, 5)
    assert summary(database)["open_records"] == 5
    anchors.anchor(database, "default", signer, folder, lambda: AT)
    found = anchors.find("default", folder, key=signer.public_key)
    assert ([head.last for head in found.heads], found.faults) == ([2, 7], ())
    assert codes(database, found) == []
    assert [head.last for head in anchors.kept(database, "default").heads] == [2, 7]


def test_accounts_do_not_see_each_others_heads(
    database: Database, signer: Signer, folder: anchor_places.Folder
) -> None:
    """Names that look alike in a file's name are different accounts."""
    for account in ("Default", "default", "de/fault", "ü" * 200):
        seal(database, 1, account)
        anchors.anchor(database, account, signer, folder, lambda: AT)
        assert len(anchors.find(account, folder).heads) == 1


def test_a_different_head_is_never_written_over(
    database: Database, signer: Signer, folder: anchor_places.Folder, database_url: str
) -> None:
    """Whoever makes the chain anew cannot anchor it over the old one, and verification shows it."""
    seal(database, 2)
    name = anchors.anchor(database, "default", signer, folder, lambda: AT).file
    before = folder.get(name)
    with psycopg.connect(database_url) as connection:
        for table in ("records", "blocks"):
            connection.execute(f"ALTER TABLE archive.{table} DISABLE TRIGGER USER")
        connection.execute("DELETE FROM archive.records; DELETE FROM archive.blocks")
    seal(database, 2)
    with pytest.raises(OutputFailed, match="another head of block 1"):
        anchors.anchor(database, "default", signer, folder, lambda: AT)
    assert folder.get(name) == before
    assert codes(database, anchors.find("default", folder)) == ["head"]
    assert codes(database, anchors.kept(database, "default")) == ["head"]


def test_what_is_no_head_is_told(
    database: Database, signer: Signer, folder: anchor_places.Folder, tmp_path: Path
) -> None:
    """A damaged file, and a head that another key signed."""
    seal(database, 2)
    name = anchors.anchor(database, "default", signer, folder, lambda: AT).file
    path = tmp_path / "heads" / name
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"last_sequence": 2', '"last_sequence": 3'), encoding="utf-8")
    assert [fault.code for fault in anchors.find("default", folder).faults] == ["head_file"]
    path.write_text(text, encoding="utf-8")
    other = signing.load(tmp_path / "other")
    assert [fault.code for fault in anchors.find("default", folder, key=other.public_key).faults] == ["head_key"]


@pytest.mark.slow
def test_time_stamps(
    database: Database, signer: Signer, folder: anchor_places.Folder, stamping: Authority, tmp_path: Path
) -> None:
    """A token lies beside its head, states a time, and is checked against the authority's own certificates."""
    seal(database, 2)
    done = anchors.anchor(database, "default", signer, folder, lambda: AT, authority=stamping.url)
    assert (done.tokens, done.waiting, done.token_error) == (1, 0, None)
    roots = stamping.roots.read_bytes()
    found = anchors.find("default", folder, roots=roots)
    assert (found.tokens, found.faults) == (1, ())
    token = folder.get(done.file.replace(anchors.HEAD, anchors.TOKEN))
    assert token is not None
    text = (folder.get(done.file) or b"").decode()
    assert abs((timestamps.check(token, text, roots) - datetime.now(UTC)).total_seconds()) < 300
    with pytest.raises(ValueError, match="another head"):
        timestamps.check(token, text + " ", roots)
    with authority(tmp_path, "stranger") as stranger, pytest.raises(ValueError, match="not signed by this authority"):
        timestamps.check(token, text, stranger.roots.read_bytes())
    assert b"default" not in stamping.asked[0]  # a hash is sent, and nothing of the archive


def test_an_authority_that_is_down_holds_nothing_up(
    database: Database, signer: Signer, folder: anchor_places.Folder, stamping: Authority
) -> None:
    """Heads are written and wait; the status warns; when it is back, all of them get their tokens."""
    stamping.answers["down"] = b""
    for count in range(1, 4):
        seal(database)
        done = anchors.anchor(database, "default", signer, folder, lambda: AT, authority=stamping.url)
        assert (done.tokens, done.waiting) == (0, count)
        assert "503" in (done.token_error or "")
    assert summary(database)["tokens_waiting"] == 3
    assert "gave no token" in summary(database)["token_error"]
    stamping.answers.clear()
    seal(database)
    done = anchors.anchor(database, "default", signer, folder, lambda: AT, authority=stamping.url)
    assert (done.tokens, done.waiting) == (4, 0)
    assert summary(database)["tokens_waiting"] == 0
    assert anchors.find("default", folder, roots=stamping.roots.read_bytes()).tokens == 4


def test_an_authority_is_not_believed(stamping: Authority) -> None:
    """No token, an old token, one over something else, and an address where nobody listens: each is no time stamp."""
    timestamps.ask(stamping.url, "the head")
    earlier = stamping.answers["last"]
    for answer in (b"", b"hello", os.urandom(3000), earlier[:-9]):
        stamping.answers["instead"] = answer
        with pytest.raises(AuthorityUnavailable):
            timestamps.ask(stamping.url, "the head")
    stamping.answers["instead"] = earlier
    with pytest.raises(AuthorityUnavailable, match="another question"):
        timestamps.ask(stamping.url, "the head")
    with pytest.raises(AuthorityUnavailable, match="another head"):
        timestamps.ask(stamping.url, "another one")
    with pytest.raises(AuthorityUnavailable, match="gave no token"):
        timestamps.ask("http://127.0.0.1:9/", "the head")
    for nonsense in ("ftp://x/", "nothing", "http://"):
        with pytest.raises(ConfigurationError, match="no address"):
            timestamps.ask(nonsense, "the head")


def test_heads_in_a_bucket(database: Database, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in S3: written on the condition that nothing is there, found by its prefix, refused by name."""
    with store() as url:
        for name, value in {
            "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "us-east-1",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="heads")
        bucket = anchor_places.of("s3://heads/some/prefix")
        seal(database, 2)
        done = anchors.anchor(database, "default", signer, bucket, lambda: AT)
        assert anchors.anchor(database, "default", signer, bucket, lambda: AT) == done
        assert bucket.put(done.file, b"another") != b"another"
        assert [head.last for head in anchors.find("default", bucket).heads] == [2]
        assert bucket.get("none") is None
        with pytest.raises(OutputFailed, match="NoSuchBucket"):
            anchor_places.of("s3://none/x").put("a", b"b")
    with pytest.raises(ConfigurationError, match="names no bucket"):
        anchor_places.of("s3:///x")


@contextmanager
def store() -> Iterator[str]:
    """Give the address of a running store that speaks S3."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OutputFailed, match="no head can be written"):
        anchor_places.Folder(tmp_path / "file").put("a", b"b")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        list(anchor_places.Folder(tmp_path / "none").all("", ""))


def test_a_service_writes_heads_on_its_schedule(
    database: Database, signer: Signer, folder: anchor_places.Folder, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """At once, at each interval, and a last one when it stops; what fails is logged and tried again."""
    seal(database)
    stop, schedule = threading.Event(), anchoring.Schedule(folder.name, 0.05)
    with anchoring.anchored(database, "default", signer, schedule, stop):
        wait_for(lambda: len(heads(folder)) == 1)
        seal(database)
        wait_for(lambda: len(heads(folder)) == 2)
        stop.set()
        seal(database)
    assert len(heads(folder)) == 3
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert not anchoring.once(database, "default", signer, anchoring.Schedule(str(tmp_path / "file"), 1))
    assert "could not be written outside" in caplog.text
    assert not anchoring.once(database, "default", signer, anchoring.Schedule(folder.name, 1, "http://127.0.0.1:9/"))
    assert "wait for their time stamp" in caplog.text


def heads(folder: anchor_places.Folder) -> list[Any]:
    try:
        return list(folder.all("", anchors.HEAD))
    except ConfigurationError:
        return []


def wait_for(is_true: Any, seconds: float = 20) -> None:
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if is_true():
            return
        pause.wait(0.05)
    raise AssertionError("it did not happen")
