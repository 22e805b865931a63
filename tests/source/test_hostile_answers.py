"""What a hostile source says in its refusals: of all its words only a short code reaches an error, a terminal or a log."""

from __future__ import annotations

import gzip
import json
import logging
import re
import traceback
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from replicator.errors import SourceError
from replicator.source.client import Reader
from tests.fix_commands import run

if TYPE_CHECKING:
    from pathlib import Path

KEY = "truedy_secret_0123456789abcdef"
ID = UUID("44ec8f61-6d9a-4553-a6ca-777f5f5ef95b")
MARK = "planted"
NASTY = {
    "escape": "\x1b]0;planted\x07\x1b[2J\x1b[31mplanted", "eight bits": "\u009b31mplanted\u0090", "bidi": "\u202eplanted\u2066",
    "lines": "planted\r\nERROR root: planted\n", "nul": "planted\x00", "marks": "planted" + "\u0301" * 500,
    "separators": "planted\u2028planted\u2029\u0085", "format": "%s%n{0}${jndi:ldap://planted/}{planted}", "markup": "[bold red]planted[/]",
    "long": "planted " * 130_000, "surrogate": "planted\ud800", "number": "planted +12025550123", "html": "<script>planted</script>",
}  # fmt: skip


def shapes(text: str) -> list[Any]:
    """Return the places of an error answer into which a text can be put."""
    error = {"code": text, "message": text, "type": text, "details": {"reset_at": text, "limit": text, text: text}}
    return [
        {"error": error, "meta": {"ts": text}}, {"detail": {"error": error}}, {"detail": error}, {"detail": text}, {"error": text},
        {"detail": [{"loc": [text], "msg": text, "type": text}]}, [text], text, {text: text},
    ]  # fmt: skip


def bodies(text: str) -> list[bytes]:
    made = [json.dumps(shape).encode() for shape in shapes(text)]
    return [*made, text.encode("utf-8", "surrogatepass"), b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass")]


def answer(body: bytes, status: int, *headers: bytes, reason: bytes = b"X") -> bytes:
    head = [b"HTTP/1.1 %d %b" % (status, reason), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*head, b"", b""]) + body


def shown(error: SourceError) -> str:
    return "".join([error.message, error.explain(), repr(error), str(error), *traceback.format_exception(error)])


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409, 429, 500, 503])
def test_nothing_that_a_source_says_is_repeated(
    serve: Any, caplog: pytest.LogCaptureFixture, name: str, status: int
) -> None:
    """Whatever stands in whichever member of the body: the message is our own words, printable, on one line."""
    caplog.set_level(logging.DEBUG)
    waiting: list[bytes] = []
    server = serve(lambda wire, _: wire.send(waiting[-1]))
    errors = []
    with Reader(server.url, KEY) as reader:
        for body in bodies(NASTY[name]):
            waiting.append(answer(body, status))
            for ask in (reader.list_calls, lambda: reader.get_transcript(ID)):
                try:
                    ask()
                except SourceError as error:
                    errors.append(error)
    assert len(errors) > len(shapes(""))
    assert all(re.fullmatch(r"[ -~]{1,200}", error.message) for error in errors)
    assert all(error.code is None for error in errors)
    assert MARK not in "".join(map(shown, errors))
    assert MARK not in caplog.text


@pytest.mark.parametrize(
    "reason", [b"planted \x1b[31m", b"planted \xe2\x80\xae", b"planted \x9b31m", b"planted" * 3000, b"planted\tplanted"]
)
def test_nor_what_its_status_line_says(serve: Any, reason: bytes) -> None:
    """The reason phrase is free text of the server's."""
    for status in (200, 400, 500):
        with Reader(serve(answer(b"{}", status, reason=reason)).url, KEY) as reader:
            with pytest.raises(SourceError) as caught:
                reader.list_calls()
        assert MARK not in shown(caught.value)
        assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "header",
    [
        b"Retry-After: planted\x1b[31m", b"Date: planted \xe2\x80\xae", b"Location: javascript:planted", b"WWW-Authenticate: planted",
        b"Content-Type: text/planted", b"Content-Encoding: planted", b"X-RateLimit-Reset: planted", b"Set-Cookie: planted=1",
        b"Content-Length: planted", b"Transfer-Encoding: planted", b"X: a\x00planted", b"X" * 70_000 + b": planted", b"planted", b": planted",
    ],
)  # fmt: skip
def test_nor_what_its_headers_say(serve: Any, header: bytes) -> None:
    """Headers that are read, headers that end the connection, and headers that are none."""
    for status in (401, 503):
        with Reader(serve(answer(b"{}", status, header)).url, KEY, timeout_seconds=1) as reader:
            with pytest.raises(SourceError) as caught:
                reader.list_calls()
        assert MARK not in shown(caught.value)
        assert caught.value.message.isprintable()


def escaped(text: str) -> bytes:
    return "".join(f"\\u{ord(character):04x}" for character in text).encode()


@pytest.mark.parametrize(
    "code",
    [
        KEY.encode(), KEY.upper().encode(), escaped(KEY), KEY[:20].encode(), b"bad_" + KEY[5:25].encode(), KEY[-12:].encode(),
        escaped(KEY[:20]), b"key_" + KEY[10:26].upper().encode(), KEY[:6].encode() + escaped(KEY[6:]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_key_in_an_error_code_is_not_shown(serve: Any, code: bytes, is_packed: bool) -> None:
    """A server that quotes the key that it refuses as the error's code, whole or in part, as it is, escaped or packed."""
    body = b'{"error": {"code": "%b"}}' % code
    headers = (b"Content-Encoding: gzip",) if is_packed else ()
    for status in (401, 429, 500):
        said = answer(gzip.compress(body) if is_packed else body, status, *headers)
        with Reader(serve(said).url, KEY) as reader, pytest.raises(SourceError) as caught:
            reader.list_calls()
        assert caught.value.code is None
        assert KEY[5:17] not in shown(caught.value).lower()
        assert KEY[-12:] not in shown(caught.value).lower()


def test_codes_of_the_contract_are_shown(serve: Any) -> None:
    """The rule above takes nothing away that helps."""
    for code in (b"validation_error", b"rate_limit_exceeded", b"provider_error", b"invalid_api_key", b"not_found"):
        with Reader(serve(answer(b'{"error": {"code": "%b"}}' % code, 400)).url, KEY) as reader:
            with pytest.raises(SourceError) as caught:
                reader.list_calls()
        assert caught.value.code == code.decode()


@pytest.mark.slow
@pytest.mark.parametrize("status", [401, 422])
def test_the_command_repeats_nothing(serve: Any, database_url: str, tmp_path: Path, status: int) -> None:
    """`sync` and `sync --json` against such a source: standard output and error hold none of it, nor do the books."""
    body = json.dumps(shapes("".join(NASTY[name] for name in ("escape", "bidi", "lines")))[0]).encode()
    server = serve(answer(body, status, b"Retry-After: 0"))
    chosen = {"DATABASE_URL": database_url, "TRUEDY_API_KEY": KEY, "TRUEDY_BASE_URL": server.url}
    for more in ((), ("--json",)):
        done = run("sync", "--max-requests", "1", *more, cwd=tmp_path, **chosen)
        said = done.stdout + done.stderr
        assert server.requests
        assert str(status) in said
        assert MARK not in said
        assert all(character.isprintable() or character == "\n" for character in said), repr(said)
    told = run("status", "--json", cwd=tmp_path, **chosen)
    assert MARK not in told.stdout + told.stderr


def test_a_header_that_is_no_text_ends_nothing(serve: Any) -> None:
    """An answer with a header in another script is read like any other, and its other headers count."""
    for name in (b"X-Proxy", b"Date", b"Content-Type"):
        said = answer(b'{"data": [], "meta": {}}', 200, name + b": \xe2\x80\xae \xff", b"X-Last: 1")
        with Reader(serve(said).url, KEY) as reader:
            assert reader.list_calls().rows == 0
    packed = answer(gzip.compress(b'{"data": []}'), 200, b"X: \xff", b"Content-Encoding: gzip")
    with Reader(serve(packed).url, KEY) as reader:
        assert reader.list_calls().rows == 0
