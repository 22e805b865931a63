"""Opens the store of the archive's files that a setting names: a folder, or a bucket of S3."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from replicator.archive.recordings.folder_store import FolderStore
from replicator.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.archive.recordings.objects import Store


@contextmanager
def opened(where: str, data_dir: Path, *, lock_days: int = 0) -> Iterator[Store]:
    """Yield the store that REPLICATOR_ARCHIVE_STORE names; empty is a folder in the data directory.

    Raises ConfigurationError where it is none.
    """
    if where.startswith("s3://"):
        from replicator.archive.recordings import s3_store  # noqa: PLC0415 - boto3 is an extra

        with s3_store.opened(where, data_dir / "archive-unfinished", lock_days=lock_days) as store:
            yield store
        return
    if "://" in where:
        raise ConfigurationError(
            "REPLICATOR_ARCHIVE_STORE is no folder and no bucket", advice="give a folder, or s3://bucket/prefix"
        )
    yield FolderStore(Path(where).expanduser() if where else data_dir / "archive")


__all__ = ["opened"]
