"""Signs the heads of chains with Ed25519, and checks the signatures. The one door to `cryptography`.

A head is a small JSON document: the account, a block with its hash and last sequence, when it was signed, the public key,
and the signature over the canonical form of everything else. The key lies in a file of its own that only its owner can
read, outside of the database. It is made when it is first needed.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replicator.archive import chain
from replicator.archive.verification.verification import Head
from replicator.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from replicator.archive.chain import Block

FORMAT = "truedy-archive-head-1"
MOST_BYTES = 4096
NEEDS = "install it: pip install 'truedy-replicator[archive]'"


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head as it was signed."""

    head: Head
    sealed_at: str
    signed_at: str
    key: str
    """The public key that signed it, in hex."""
    text: str
    """The document."""


class Signer:
    """Signs heads with one key."""

    def __init__(self, key: Any) -> None:
        self._key = key

    @property
    def public_key(self) -> str:
        """The public key in hex."""
        return str(self._key.public_key().public_bytes_raw().hex())

    def sign(self, block: Block, now: datetime) -> str:
        """Return the signed head of a block as text."""
        fields = {
            "format": FORMAT, "account": block.account, "block": block.block, "last_sequence": block.last,
            "hash": block.hash.hex(), "sealed_at": chain.instant(block.sealed_at), "signed_at": chain.instant(now),
            "key": self.public_key,
        }  # fmt: skip
        signature = self._key.sign(chain.canonical(fields)).hex()
        return json.dumps({**fields, "signature": signature}, indent=1, ensure_ascii=True) + "\n"


def read(text: str, where: str = "") -> SignedHead:
    """Return a signed head, whose signature is right. Raises ValueError with the reason where the text is none."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - an extra

    try:
        fields = dict(json.loads(text))
        signature = bytes.fromhex(fields.pop("signature"))
        if fields["format"] != FORMAT:
            raise ValueError("it has another format")
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(fields["key"]))
        key.verify(signature, chain.canonical(fields))
        head = Head(
            str(fields["account"]),
            int(fields["block"]),
            int(fields["last_sequence"]),
            bytes.fromhex(fields["hash"]),
            where,
        )
        return SignedHead(head, str(fields["sealed_at"]), str(fields["signed_at"]), str(fields["key"]), text)
    except InvalidSignature:
        raise ValueError("its signature is wrong") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it lacks a field or has a wrong one ({type(error).__name__})") from None
    except json.JSONDecodeError:
        raise ValueError("it is no JSON") from None


def load(path: Path, *, may_make: bool = True) -> Signer:
    """Return the signer with the key of a file. Where it does not exist, it is made, if it may be.

    Raises ConfigurationError where the file cannot be used, or where others may read it.
    """
    _check_installed()
    if may_make and not path.exists():
        _make(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(
            f"the signing key {path} cannot be read: {(error.strerror or '').lower()}",
            advice="REPLICATOR_ARCHIVE_KEY_FILE names it; `replicator archive anchor` makes it where it does not exist",
        ) from None
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid not in {0, os.geteuid()}:
            raise ConfigurationError(
                f"the signing key {path} is no file of this user", advice="name a file of your own"
            )
        if facts.st_mode & 0o077:
            raise ConfigurationError(
                f"others may read or write the signing key {path} (mode {stat.S_IMODE(facts.st_mode):04o})",
                advice=f"whoever read it can sign for you: make a new key, or, if nobody did, chmod 600 {path}",
            )
        content = file.read(MOST_BYTES)
    return Signer(_key(content, path))


def _key(content: bytes, path: Path) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - an extra

    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(
            f"the signing key {path} is no Ed25519 key in PEM without a password",
            advice="make one with: openssl genpkey -algorithm ed25519",
        )
    return key


def _make(path: Path) -> None:
    """Make a new key in a new file, which appears only when it is complete."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - an extra
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):  # another process has made one at the same time: that one is used
            os.link(part, path)
    except OSError as error:
        raise ConfigurationError(
            f"the signing key {path} cannot be made: {(error.strerror or '').lower()}",
            advice="REPLICATOR_ARCHIVE_KEY_FILE names the file; its folder must be one that this user may write",
        ) from None
    finally:
        part.unlink(missing_ok=True)


def _check_installed() -> None:
    try:
        import cryptography  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise ConfigurationError("signed heads need the package cryptography", advice=NEEDS) from None


__all__ = ["FORMAT", "SignedHead", "Signer", "load", "read"]
