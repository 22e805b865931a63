"""A store that is a bucket of S3, or of something that speaks S3. The one module that imports boto3.

A file is put only where none is (`If-None-Match: *`), with its SHA-256, which the bucket compares with what arrived.
Credentials, region and endpoint come from boto3's own places (AWS_… variables, profiles, the machine's role).
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from replicator.archive.recordings.objects import (
    BLOCK_BYTES,
    ObjectDiffers,
    ObjectGone,
    ObjectHeld,
    StoreFailed,
    checked,
    examine,
    place_of,
)
from replicator.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MULTIPART_BYTES = 64 * 1024 * 1024
"""Larger files are sent in parts of this size."""
MOST_PARTS = 10_000
ABANDONED_AFTER = timedelta(days=1)
_THERE = {"PreconditionFailed", "412"}
_GONE = {"NoSuchKey", "404", "NotFound"}
_HELD = {"AccessDenied", "403"}
_AGAIN = {"ConditionalRequestConflict", "409"}
TRIES = 3


class S3Store:
    """The store in one bucket, below one prefix."""

    def __init__(self, client: Any, bucket: str, prefix: str, working: Path, *, lock_days: int = 0) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._working = working
        self._lock_days = lock_days
        self._has_lock: bool | None = None

    @property
    def name(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    @property
    def working(self) -> Path:
        return self._working

    def put(self, part: Path, sha256: str, media_type: str, retain_until: datetime | None = None) -> str:
        place = place_of(sha256)
        shared = {"Bucket": self._bucket, "Key": self._prefix + place}
        more = {"ContentType": media_type, "Metadata": {"sha256": sha256}, **self._lock(retain_until)}
        for attempt in range(TRIES):
            with _failing("the recording could not be put into the bucket") as failed:
                if part.stat().st_size > MULTIPART_BYTES:
                    self._put_in_parts(part, shared, more)
                else:
                    checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
                    with part.open("rb") as file:
                        self._client.put_object(
                            **shared, **more, Body=file, IfNoneMatch="*",
                            ChecksumAlgorithm="SHA256", ChecksumSHA256=checksum,
                        )  # fmt: skip
            if failed.code in _AGAIN and attempt < TRIES - 1:
                continue  # another process is putting the same file
            if failed.code in _THERE:
                if not examine(self, place).is_whole:
                    raise ObjectDiffers(f"another content lies at the place of {sha256} in the bucket")
            elif failed.error is not None:
                raise failed.error
            return place
        raise StoreFailed("the bucket refuses the recording: another process puts the same one")

    def size(self, place: str) -> int | None:
        size: int | None = None
        with _failing("the bucket could not be asked") as failed:
            size = int(
                self._client.head_object(Bucket=self._bucket, Key=self._prefix + checked(place))["ContentLength"]
            )
        if failed.error is not None and failed.code not in _GONE:
            raise failed.error
        return size

    @contextmanager
    def open(self, place: str) -> Iterator[Iterator[bytes]]:
        body: Any = None
        with _failing("the recording could not be read from the bucket") as failed:
            body = self._client.get_object(Bucket=self._bucket, Key=self._prefix + checked(place))["Body"]
        if failed.code in _GONE:
            raise ObjectGone(f"the store has no file {place}")
        if failed.error is not None:
            raise failed.error
        try:
            yield self._blocks(body)
        finally:
            body.close()

    def remove(self, place: str) -> bool:
        """Remove a file with all its versions: else a bucket that keeps versions would still have it.

        A lock of mode GOVERNANCE is bypassed where the bucket refuses without that, and the user may.
        """
        key = self._prefix + checked(place)
        was_there = self.size(place) is not None
        with _failing("the recording could not be removed from the bucket") as failed:
            for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key):
                for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    self._remove_version({"Bucket": self._bucket, "Key": key, "VersionId": version["VersionId"]})
        if failed.code in _HELD:
            raise ObjectHeld("the bucket does not let a recording go")
        if failed.error is not None:
            raise failed.error
        return was_there

    def _remove_version(self, version: dict[str, str]) -> None:
        with _failing("") as failed:
            self._client.delete_object(**version)
        if failed.error is not None:
            self._client.delete_object(**version, BypassGovernanceRetention=True)

    def listed(self) -> Iterator[tuple[str, int]]:
        with _failing("the bucket could not be listed") as failed:
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            ):
                for entry in page.get("Contents", []):
                    place = entry["Key"].removeprefix(self._prefix)
                    if len(place) == len(place_of("0" * 64)) and place == place_of(place[6:]):
                        yield place, int(entry["Size"])
        if failed.error is not None:
            raise failed.error

    def tidy(self) -> None:
        """End uploads in parts that began a day ago: their parts cost money, and are not seen."""
        before = datetime.now(UTC) - ABANDONED_AFTER
        with _failing("abandoned uploads could not be ended") as failed:
            for page in self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            ):
                for one in page.get("Uploads", []):
                    if one["Initiated"] < before:
                        self._client.abort_multipart_upload(
                            Bucket=self._bucket, Key=one["Key"], UploadId=one["UploadId"]
                        )
        if failed.error is not None:
            raise failed.error

    def _lock(self, retain_until: datetime | None) -> dict[str, Any]:
        """Return the retention of a new object, where the bucket can lock objects and one is wanted."""
        least = datetime.now(UTC) + timedelta(days=self._lock_days) if self._lock_days else None
        until = max((one for one in (least, retain_until) if one is not None), default=None)
        if until is None:
            return {}
        if self._has_lock is None:
            with _failing("the bucket's Object Lock could not be asked for") as failed:
                found = self._client.get_object_lock_configuration(Bucket=self._bucket)
                self._has_lock = found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"
            if failed.code in {"ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration", "404"}:
                self._has_lock = False
            elif failed.error is not None:
                raise failed.error
        return {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until} if self._has_lock else {}

    def _put_in_parts(self, part: Path, shared: dict[str, Any], more: dict[str, Any]) -> None:
        client = self._client
        size = max(MULTIPART_BYTES, -(-part.stat().st_size // MOST_PARTS))
        number = client.create_multipart_upload(**shared, **more, ChecksumAlgorithm="SHA256")["UploadId"]
        try:
            sent: list[dict[str, object]] = []
            with part.open("rb") as file:
                while block := file.read(size):
                    checksum = base64.b64encode(hashlib.sha256(block).digest()).decode()
                    answer = client.upload_part(
                        **shared, UploadId=number, PartNumber=len(sent) + 1, Body=block, ChecksumSHA256=checksum
                    )
                    sent.append({"PartNumber": len(sent) + 1, "ETag": answer["ETag"], "ChecksumSHA256": checksum})
            client.complete_multipart_upload(
                **shared, UploadId=number, MultipartUpload={"Parts": sent}, IfNoneMatch="*"
            )
        except BaseException:  # a Ctrl-C, too: what was uploaded would be kept, and charged, for ever
            with _failing("the upload could not be ended"):
                client.abort_multipart_upload(**shared, UploadId=number)
            raise

    def _blocks(self, body: Any) -> Iterator[bytes]:
        with _failing("the recording could not be read from the bucket") as failed:
            while block := body.read(BLOCK_BYTES):
                yield block
        if failed.error is not None:
            raise failed.error


@dataclass(slots=True)
class _Failure:
    code: str = ""
    error: StoreFailed | None = None


@contextmanager
def _failing(what: str) -> Iterator[_Failure]:
    """Yield what went wrong inside, as our error: botocore's own texts may hold keys of the bucket."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - an extra

    failed = _Failure()
    try:
        yield failed
    except ClientError as error:
        failed.code = str(error.response.get("Error", {}).get("Code", ""))
        failed.error = StoreFailed(f"{what}: {failed.code or 'refused'}")
    except (BotoCoreError, OSError) as error:
        failed.error = StoreFailed(f"{what}: {type(error).__name__}")


@contextmanager
def opened(where: str, working: Path, *, lock_days: int = 0) -> Iterator[S3Store]:
    """Yield the store at `s3://bucket/prefix`. Raises ConfigurationError where boto3 or the bucket's name is missing."""
    bucket, _, prefix = where.removeprefix("s3://").partition("/")
    if not bucket:
        raise ConfigurationError("REPLICATOR_ARCHIVE_STORE names no bucket", advice="give s3://bucket/prefix")
    try:
        import boto3  # noqa: PLC0415 - an extra
        from botocore.config import Config  # noqa: PLC0415 - an extra
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError(
            "the archive's store is a bucket, and boto3 is not installed",
            advice="pip install 'truedy-replicator[s3]', or give a folder in REPLICATOR_ARCHIVE_STORE",
        ) from None
    try:
        client = boto3.session.Session().client(
            "s3", config=Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=15, read_timeout=60)
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            f"the bucket of REPLICATOR_ARCHIVE_STORE cannot be used: {type(error).__name__}",
            advice="set AWS_REGION (or AWS_DEFAULT_REGION) and credentials as boto3 takes them",
        ) from None
    try:
        yield S3Store(client, bucket, prefix, working, lock_days=lock_days)
    finally:
        client.close()


__all__ = ["MULTIPART_BYTES", "S3Store", "opened"]
