"""Both stores keep the same promises: a folder, and a bucket behind a real HTTP server that speaks S3 (moto)."""

from __future__ import annotations

import hashlib
import logging
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer

from replicator.archive.recordings import objects, s3_store, stores
from replicator.archive.recordings.folder_store import FolderStore
from replicator.archive.recordings.objects import ObjectDiffers, ObjectGone, ObjectHeld, StoreFailed
from replicator.errors import ConfigurationError
from tests.archive import fix_queue, fix_sound, fix_storage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.archive.recordings.objects import Store
    from replicator.store.database import Database

CONTENT = b"content of a file " * 1000
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server that speaks S3."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer(port=0, verbose=False)
    running.start()
    _, port = running.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    running.stop()


@pytest.fixture
def aws(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let boto3 go there; return the URL."""
    for name, value in {
        "AWS_ENDPOINT_URL": server, "AWS_ACCESS_KEY_ID": "canary-id", "AWS_SECRET_ACCESS_KEY": "canary-secret",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "store")
        return
    bucket = f"b{uuid.uuid4().hex}"
    request.getfixturevalue("aws")
    boto3.client("s3").create_bucket(Bucket=bucket)
    with stores.opened(f"s3://{bucket}/some/prefix", tmp_path) as opened:
        yield opened


def finished(folder: Path, content: bytes = CONTENT) -> Path:
    """A finished part."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid.uuid4()}.part"
    path.write_bytes(content)
    return path


def read(store: Store, place: str) -> bytes:
    with store.open(place) as blocks:
        return b"".join(blocks)


def test_a_file_comes_back_as_it_was(store: Store) -> None:
    """By its place, which is made of its hash; with its size; whole."""
    place = store.put(finished(store.working), HASH, "audio/wav")
    assert place == f"{HASH[:2]}/{HASH[2:4]}/{HASH}"
    assert read(store, place) == CONTENT
    assert store.size(place) == len(CONTENT)
    assert objects.examine(store, place) == objects.Examined(place, HASH, len(CONTENT))
    assert list(store.listed()) == [(place, len(CONTENT))]


def test_the_same_file_twice_is_one(store: Store) -> None:
    """The second put changes nothing, and is no error."""
    for _ in range(2):
        assert store.put(finished(store.working), HASH, "audio/wav") == objects.place_of(HASH)
    assert len(list(store.listed())) == 1


def test_many_at_once_are_one(store: Store) -> None:
    """Eight threads put the same file."""
    errors = []

    def put() -> None:
        try:
            store.put(finished(store.working), HASH, "audio/wav")
        except StoreFailed as error:
            errors.append(error)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert objects.examine(store, objects.place_of(HASH)).is_whole


def test_another_content_is_never_overwritten(store: Store) -> None:
    """What lies there stays, and the caller is told."""
    other = hashlib.sha256(b"other").hexdigest()
    if isinstance(store, FolderStore):
        path = Path(store.name) / objects.place_of(other)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"damaged")
    else:
        bucket, _, prefix = store.name.removeprefix("s3://").partition("/")
        boto3.client("s3").put_object(Bucket=bucket, Key=prefix + objects.place_of(other), Body=b"damaged")
    with pytest.raises(ObjectDiffers):
        store.put(finished(store.working, b"other"), other, "audio/wav")
    assert read(store, objects.place_of(other)) == b"damaged"
    assert not objects.examine(store, objects.place_of(other)).is_whole


def test_what_is_gone_is_told(store: Store) -> None:
    """As its own error, and as no size; removing twice is no error."""
    place = store.put(finished(store.working), HASH, "audio/wav")
    assert store.remove(place)
    assert not store.remove(place)
    assert store.size(place) is None
    with pytest.raises(ObjectGone):
        read(store, place)
    assert objects.examine(store, place).sha256 is None


@pytest.mark.parametrize(
    "place", ["../../etc/passwd", "/etc/passwd", "aa/bb/cc", "", f"00/00/{HASH}", f"{HASH[:2]}/{HASH[2:4]}/{HASH}\n"]
)
def test_a_place_never_leads_out_of_the_store(store: Store, place: str) -> None:
    """A changed row of the database names no other file."""
    for do in (store.size, store.remove, lambda one: read(store, one)):
        with pytest.raises(StoreFailed):
            do(place)


def test_files_are_listed_in_order(store: Store) -> None:
    """By rising place; what is no file of the archive is not listed."""
    places = []
    for index in range(30):
        content = str(index).encode()
        places.append(store.put(finished(store.working, content), hashlib.sha256(content).hexdigest(), "audio/wav"))
    if isinstance(store, FolderStore):
        (Path(store.name) / "aa" / "notes.txt").parent.mkdir(exist_ok=True)
        (Path(store.name) / "aa" / "notes.txt").write_text("not ours")
    assert [place for place, _ in store.listed()] == sorted(places)


def test_a_folders_files_are_for_their_owner(tmp_path: Path) -> None:
    """Folders that are made are 0700; a link in place of a file is not followed."""
    store = FolderStore(tmp_path / "store")
    place = store.put(finished(store.working), HASH, "audio/wav")
    assert (tmp_path / "store" / place).parent.stat().st_mode & 0o077 == 0
    target = tmp_path / "secret"
    target.write_text("secret")
    (tmp_path / "store" / place).unlink()
    (tmp_path / "store" / place).symlink_to(target)
    with pytest.raises(StoreFailed):
        read(store, place)


def test_a_large_file_goes_up_in_parts(aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its checksum; the whole is what it was, and a second time it is not overwritten."""
    monkeypatch.setattr(s3_store, "MULTIPART_BYTES", 5 * 1024 * 1024)
    boto3.client("s3").create_bucket(Bucket="large")
    content = bytes(range(256)) * 50_000
    sha256 = hashlib.sha256(content).hexdigest()
    with stores.opened("s3://large", tmp_path) as store:
        for _ in range(2):
            place = store.put(finished(store.working, content), sha256, "audio/wav")
        assert objects.examine(store, place).is_whole
        store.tidy()
    assert boto3.client("s3").list_multipart_uploads(Bucket="large").get("Uploads", []) == []


def test_object_lock_is_used_where_the_bucket_has_it(aws: str, tmp_path: Path) -> None:
    """For the days of the setting, or until what the recording is retained for; a bucket without it takes the file, too."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    client.create_bucket(Bucket="open")
    until = datetime.now(UTC) + timedelta(days=400)
    with stores.opened("s3://locked", tmp_path, lock_days=30) as store:
        place = store.put(finished(store.working), HASH, "audio/wav")
        found = client.head_object(Bucket="locked", Key=place)
        assert found["ObjectLockMode"] == "GOVERNANCE"
        assert timedelta(days=29) < found["ObjectLockRetainUntilDate"] - datetime.now(UTC) <= timedelta(days=30)
        # Who may not bypass is refused, and told so; who may removes it, with its versions.
        remove = store._client.delete_object  # type: ignore[attr-defined]

        def may_not(BypassGovernanceRetention: bool = False, **more: str) -> object:  # noqa: N803 - the API's own name
            return remove(**more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store._client, "delete_object", may_not)  # type: ignore[attr-defined]
            with pytest.raises(ObjectHeld):
                store.remove(place)
        assert store.remove(place)
        assert client.list_object_versions(Bucket="locked").get("Versions", []) == []
        other = hashlib.sha256(b"other").hexdigest()
        place = store.put(finished(store.working, b"other"), other, "audio/wav", until)
        kept = client.head_object(Bucket="locked", Key=place)["ObjectLockRetainUntilDate"]
        assert abs(kept - until) < timedelta(seconds=2)
    with stores.opened("s3://open", tmp_path, lock_days=30) as store:
        assert objects.examine(store, store.put(finished(store.working), HASH, "audio/wav")).is_whole


def test_a_bucket_that_cannot_be_used_is_told_without_a_secret(aws: str, tmp_path: Path) -> None:
    """A bucket that does not exist: our error, with what to do."""
    with stores.opened("s3://nowhere-at-all", tmp_path) as store:
        with pytest.raises(StoreFailed) as caught:
            store.put(finished(store.working), HASH, "audio/wav")
        assert "canary" not in caught.value.explain()
        with pytest.raises(StoreFailed):
            list(store.listed())


@pytest.mark.parametrize("where", ["s3://", "https://bucket", "gs://bucket/x"])
def test_what_is_no_store_is_refused(tmp_path: Path, where: str) -> None:
    """With what is expected."""
    with pytest.raises(ConfigurationError), stores.opened(where, tmp_path):
        pass


def test_recordings_go_into_a_bucket(aws: str, database: Database, tmp_path: Path) -> None:
    """The whole lane, with a bucket as its store; nothing of them stays on this machine."""
    boto3.client("s3").create_bucket(Bucket="recordings")
    sound = fix_sound.wav()
    with fix_storage.serving(fix_storage.file_server(sound)) as storage:
        (number,) = fix_queue.add_calls(database, [f"{storage.url}/a"])
        with stores.opened("s3://recordings/archive", tmp_path) as store:
            assert fix_queue.perform(database, store).stored == 1
            assert fix_queue.perform(database, store).strays == 0
            assert read(store, fix_queue.rows(database)[number]["place"]) == sound
            assert list(store.working.glob("*.part")) == []
