"""Asks a time-stamping authority for RFC 3161 tokens over heads, and checks them. The one door to `rfc3161-client`.

A token shows that a head existed at a time, in the words of somebody who has no interest in it. The request holds a hash
and nothing of the archive. The library reads strict DER only: an authority that sends its certificates in another
order than DER's counts as one that gave no token.
"""

from __future__ import annotations

import http.client
from hashlib import sha256, sha512
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from replicator.errors import AuthorityUnavailable, ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime
    from urllib.parse import SplitResult

SECONDS = 20.0
MOST_BYTES = 64 * 1024
HASHES = {"2.16.840.1.101.3.4.2.1": sha256, "2.16.840.1.101.3.4.2.3": sha512}
OK = 200


def ask(authority: str, text: str) -> tuple[bytes, datetime]:
    """Return the authority's answer over a head, and the time that it states.

    Raises AuthorityUnavailable where the authority does not answer, or not with a token over this head; ConfigurationError
    where the address is none.
    """
    builder = _library().TimestampRequestBuilder()
    request = builder.data(text.encode()).build()
    answer = _send(authority, request.as_bytes())
    try:
        at = stated_at(answer, text)
        has_nonce = _library().decode_timestamp_response(answer).tst_info.nonce == request.nonce
    except ValueError as error:
        raise _unavailable(authority, str(error)) from None
    if not has_nonce:
        raise _unavailable(authority, "its answer is to another question")
    return answer, at


def stated_at(answer: bytes, text: str) -> datetime:
    """Return the time that a token states for a head. Raises ValueError where it is no token over this head."""
    try:
        token = _library().decode_timestamp_response(answer)
        if token.status not in (0, 1):
            raise ValueError("the authority refused")
        imprint = token.tst_info.message_imprint
        made = HASHES.get(imprint.hash_algorithm.dotted_string)
        if made is None or made(text.encode()).digest() != imprint.message:
            raise ValueError("the token is of another head")
        at: datetime = token.tst_info.gen_time
    except (AttributeError, TypeError) as error:
        raise ValueError(f"the answer is no token ({type(error).__name__})") from None
    return at


def check(answer: bytes, text: str, roots: bytes) -> datetime:
    """Return the time that a token states for a head, if an authority under one of these root certificates (PEM) signed
    it. Raises ValueError where it did not.
    """
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - an extra

    library, at = _library(), stated_at(answer, text)
    builder = library.VerifierBuilder()
    for root in load_pem_x509_certificates(roots):
        builder = builder.add_root_certificate(root)
    try:
        builder.build().verify_message(library.decode_timestamp_response(answer), text.encode())
    except library.VerificationError as error:
        raise ValueError(f"the token is not signed by this authority: {error}") from None
    return at


def check_address(authority: str) -> SplitResult:
    """Return the parts of an authority's address. Raises ConfigurationError where it is none."""
    try:
        place = urlsplit(authority)
        is_right = place.scheme in {"http", "https"} and bool(place.hostname) and place.port != 0
    except ValueError:  # brackets that hold no address, or a port that is no number of a port
        is_right = False
    if not is_right:
        raise ConfigurationError(
            f"{authority} is no address of a time-stamping authority", advice="expected http(s)://host/path"
        )
    return place


def _send(authority: str, body: bytes) -> bytes:
    """Send a request. Redirects are not followed, and an answer has few bytes."""
    place = check_address(authority)
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    connection = kind(place.hostname or "", place.port, timeout=SECONDS)
    try:
        path = (place.path or "/") + (f"?{place.query}" if place.query else "")
        connection.request("POST", path, body, {"Content-Type": "application/timestamp-query"})
        answer = connection.getresponse()
        content = answer.read(MOST_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _unavailable(authority, type(error).__name__) from None
    finally:
        connection.close()
    if answer.status != OK:
        raise _unavailable(authority, f"it answered with status {answer.status}")
    return content


def _unavailable(authority: str, why: str) -> AuthorityUnavailable:
    host = urlsplit(authority).hostname or ""
    return AuthorityUnavailable(f"the time-stamping authority {host} gave no token: {why}")


def _library() -> Any:
    try:
        import rfc3161_client  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError(
            "time stamps need the package rfc3161-client", advice="install it: pip install 'truedy-replicator[archive]'"
        ) from None
    return rfc3161_client


__all__ = ["ask", "check", "stated_at"]
