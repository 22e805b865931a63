"""TLS towards the source by attack: who cannot prove the name never sees a byte of a request, and the message says why."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from replicator.errors import SourceUnavailable
from replicator.source.client import Reader
from replicator.source.transport import LeanTransport
from tests.fix_commands import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl for certificates")

KEY = "truedy_secret_0123456789"
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{"data": [], "meta": {}}'
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)


def authority(folder: Path, name: str) -> None:
    openssl(folder, "req", "-x509", *EC, "-days", "2", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip


def certificate(folder: Path, name: str, by: str, san: str, *, days: int = 2, usage: str = "serverAuth") -> None:
    openssl(folder, "req", *EC, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=localhost")
    (folder / f"{name}.ext").write_text(
        f"subjectAltName={san}\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage={usage}\n", encoding="ascii"
    )
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-extfile", f"{name}.ext", "-days", str(days))  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates: one that is right, and each way of being wrong."""
    made: Path = tmp_path_factory.mktemp("certificates")
    authority(made, "ours")
    authority(made, "other")
    certificate(made, "right", "ours", "DNS:localhost")
    certificate(made, "another name", "ours", "DNS:evil.example")
    certificate(made, "similar name", "ours", "DNS:localhost.evil.example,DNS:*.localhost")
    certificate(made, "no name but the old field", "ours", "email:localhost@evil.example")
    certificate(made, "expired", "ours", "DNS:localhost", days=-1)
    certificate(made, "by another", "other", "DNS:localhost")
    certificate(made, "for clients", "ours", "DNS:localhost", usage="clientAuth")
    openssl(made, "req", "-x509", *EC, "-days", "2", "-keyout", "of itself.key", "-out", "of itself.pem", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE")  # fmt: skip
    return made


@dataclass
class Server:
    """A TLS server, and what came out of its TLS: requests."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    """A connection has ended."""

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/v1"


@pytest.fixture
def serve(folder: Path) -> Iterator[Any]:
    """Start servers with a certificate of the folder."""
    listeners: list[socket.socket] = []

    def start(name: str, *, only: ssl.TLSVersion | None = None) -> Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        if only is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = context.maximum_version = only
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        server = Server(listener.getsockname()[1])
        threading.Thread(target=_accept, args=(listener, context, server), daemon=True).start()
        return server

    yield start
    for listener in listeners:
        listener.close()


def _accept(listener: socket.socket, context: ssl.SSLContext, server: Server) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    server.requests.append(secure.recv(65536))
                    secure.sendall(ANSWER)
            except OSError as error:
                server.refused.append(str(error))
            server.over.set()


def failure(folder: Path, url: str) -> SourceUnavailable:
    transport = LeanTransport(root_certificate_pem=(folder / "ours.pem").read_bytes())
    with Reader(url, KEY, transport=transport) as reader, pytest.raises(SourceUnavailable) as caught:
        reader.list_calls()
    return caught.value


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("another name", "it is for another name"),
        ("similar name", "it is for another name"),
        ("no name but the old field", "it is for another name"),
        ("expired", "Expired"),
        ("by another", "UnknownIssuer"),
        ("of itself", "UnknownIssuer"),
        ("for clients", "peer certificate"),
    ],
)
def test_who_is_not_the_source_gets_nothing(folder: Path, serve: Any, name: str, said: str) -> None:
    """A certificate that is wrong in one respect: refused before a byte of the request, with the reason and what to do, and
    without the names that a stranger wrote into it.
    """
    server = serve(name)
    error = failure(folder, server.url)
    assert said in error.message
    assert "SSL_CERT_FILE" in error.explain()
    assert "evil" not in error.explain()
    assert server.over.wait(10)
    assert (server.requests, len(server.refused)) == ([], 1)


def test_the_right_one_is_believed(folder: Path, serve: Any) -> None:
    """The same authority, a certificate for the name: the key is sent."""
    server = serve("right")
    with Reader(
        server.url, KEY, transport=LeanTransport(root_certificate_pem=(folder / "ours.pem").read_bytes())
    ) as reader:
        assert reader.list_calls().rows == 0
    assert KEY.encode() in server.requests[0]


def test_an_address_is_another_name(folder: Path, serve: Any) -> None:
    """A certificate for localhost proves nothing of 127.0.0.1."""
    server = serve("right")
    assert "another name" in failure(folder, f"https://127.0.0.1:{server.port}/v1").message
    assert server.over.wait(10)
    assert server.requests == []


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_tls_is_not_spoken(folder: Path, serve: Any, version: str) -> None:
    """A server of TLS 1.0 or 1.1 only: no connection, no key."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        only = getattr(ssl.TLSVersion, version)
    server = serve("right", only=only)
    assert "ProtocolVersion" in failure(folder, server.url).message
    assert server.over.wait(10)
    assert server.requests == []


def test_plain_http_in_the_place_of_tls(folder: Path) -> None:
    """Whoever answers in clear where TLS is expected sees the beginning of a handshake, and no key."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        got: list[bytes] = []

        def answer() -> None:
            with listener.accept()[0] as connection:
                got.append(connection.recv(65536))
                connection.sendall(ANSWER)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        failure(folder, f"https://localhost:{listener.getsockname()[1]}/v1")
        thread.join(5)
    assert got[0][:1] == b"\x16"
    assert b"GET" not in got[0]
    assert KEY.encode() not in got[0]


ASK = (
    "import sys; from replicator.source.client import Reader; print(Reader(sys.argv[1], sys.argv[2]).list_calls().rows)"
)


@pytest.mark.parametrize(
    ("variable", "is_believed"), [("SSL_CERT_FILE", True), ("REQUESTS_CA_BUNDLE", False), ("", False)]
)
def test_an_authority_of_ones_own(folder: Path, serve: Any, variable: str, is_believed: bool) -> None:
    """SSL_CERT_FILE names it, as docs/operations.md says; without it, it is unknown."""
    server = serve("right")
    chosen = environment({variable: str(folder / "ours.pem")} if variable else {})
    done = subprocess.run(
        [sys.executable, "-c", ASK, server.url, KEY], env=chosen, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert (done.returncode == 0) is is_believed, done.stderr
    assert server.over.wait(10)
    assert bool(server.requests) is is_believed
    assert is_believed or "UnknownIssuer" in done.stderr


def test_tls_cannot_be_turned_off(folder: Path, serve: Any) -> None:
    """None of the variables by which other programs are told to believe everybody does anything here."""
    server = serve("by another")
    off = {"PYTHONHTTPSVERIFY": "0", "NODE_TLS_REJECT_UNAUTHORIZED": "0", "CURL_INSECURE": "1", "SSL_VERIFY": "false"}
    done = subprocess.run(
        [sys.executable, "-c", ASK, server.url, KEY], env=environment(off), capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode != 0
    assert server.over.wait(10)
    assert server.requests == []
