"""Writes heads and tokens outside of the database: a folder, or a bucket of S3 (the one door to `boto3` for heads).

A file appears whole or not at all, and never takes the place of a different one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from replicator.errors import ConfigurationError, OutputFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 256 * 1024
EXISTS = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class Place(Protocol):
    """Where heads are written. Each method raises OutputFailed or ConfigurationError where the place cannot be used."""

    name: str

    def put(self, name: str, content: bytes) -> bytes:
        """Write a file unless it exists; return what is there now."""

    def all(self, prefix: str, suffix: str) -> Iterator[tuple[str, bytes]]:
        """Yield (name, content) of the files whose names begin and end so, in the order of their names."""

    def get(self, name: str) -> bytes | None:
        """Return the content of a file; None where there is none."""


class Folder:
    """A folder, which is made where it does not exist."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path.absolute())

    def put(self, name: str, content: bytes) -> bytes:
        """Write a file under another name, flush it, and link it to its own name, which fails where one is there."""
        target, part = self._path / name, self._path / f".{name}.{os.getpid()}.part"
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            if (there := self.get(name)) is not None:
                return there
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            try:
                with suppress(FileExistsError):
                    os.link(part, target)
            finally:
                part.unlink(missing_ok=True)
            folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(folder)
            os.close(folder)
        except OSError as error:
            raise OutputFailed(
                f"no head can be written into {self._path}: {(error.strerror or '').lower()}",
                advice="make room, or name another folder",
            ) from None
        return self.get(name) or b""

    def all(self, prefix: str, suffix: str) -> Iterator[tuple[str, bytes]]:
        try:
            names = sorted(entry.name for entry in self._path.iterdir())
        except OSError as error:
            raise ConfigurationError(
                f"the folder {self._path} cannot be read: {(error.strerror or '').lower()}"
            ) from None
        for name in names:
            if name.startswith(prefix) and name.endswith(suffix) and (content := self.get(name)) is not None:
                yield name, content

    def get(self, name: str) -> bytes | None:
        try:
            with (self._path / name).open("rb") as file:
                return file.read(MOST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigurationError(f"{self._path / name} cannot be read: {(error.strerror or '').lower()}") from None


class Bucket:
    """A prefix in a bucket of S3, or of a store that speaks its protocol (AWS_ENDPOINT_URL)."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._bucket, self._prefix = place.netloc, place.path.strip("/")
        if not self._bucket:
            raise ConfigurationError(f"{url} names no bucket", advice="expected s3://bucket/prefix")
        self.name = f"s3://{self._bucket}/{self._prefix}"
        self._client = _client(self.name)

    def put(self, name: str, content: bytes) -> bytes:
        """Write an object on the condition that there is none."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - an extra

        try:
            with _failing(self.name):
                self._client.put_object(
                    Bucket=self._bucket, Key=self._key(name), Body=content, IfNoneMatch="*", ContentType="application/json",
                    ChecksumAlgorithm="SHA256",
                )  # fmt: skip
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in EXISTS:
                raise _refused(self.name, error) from None
        return self.get(name) or b""

    def all(self, prefix: str, suffix: str) -> Iterator[tuple[str, bytes]]:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - an extra

        try:
            with _failing(self.name):
                pages = self._client.get_paginator("list_objects_v2").paginate(
                    Bucket=self._bucket, Prefix=self._key(prefix)
                )
                keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        except ClientError as error:
            raise _refused(self.name, error) from None
        for key in sorted(keys):
            name = key.rpartition("/")[2]
            if key == self._key(name) and name.endswith(suffix) and (content := self.get(name)) is not None:
                yield name, content

    def get(self, name: str) -> bytes | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - an extra

        try:
            with _failing(self.name):
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(name))
                return bytes(answer["Body"].read(MOST_BYTES))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404"}:
                return None
            raise _refused(self.name, error) from None

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name


class _failing:  # noqa: N801 - used like a function
    """Turns the library's errors without an answer into ours."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - an extra

        if isinstance(error, BotoCoreError):
            raise _refused(self._name, error) from None


def _refused(name: str, error: Any) -> OutputFailed:
    answer = getattr(error, "response", {}) or {}
    why = answer.get("Error", {}).get("Code") or type(error).__name__
    return OutputFailed(
        f"{name} cannot be used: {why}", advice="look after its address, its rights and its credentials"
    )


def _client(name: str) -> Any:
    """Return a client. Raises ConfigurationError where the library or its settings (AWS_*) are not usable."""
    try:
        import boto3  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError(
            "heads in a bucket need the package boto3", advice="install it: pip install 'truedy-replicator[s3]'"
        ) from None
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - an extra

    try:
        return boto3.client("s3")
    except (BotoCoreError, ValueError) as error:  # its text may quote a setting
        raise ConfigurationError(
            f"{name} cannot be used with the settings of AWS as they are: {type(error).__name__}",
            advice="look after AWS_ENDPOINT_URL, AWS_DEFAULT_REGION, AWS_PROFILE and the files of AWS",
        ) from None


def of(place: str) -> Place:
    """Return the place that a setting or an option names."""
    return Bucket(place) if place.startswith("s3://") else Folder(Path(place).expanduser())


__all__ = ["Bucket", "Folder", "Place", "of"]
