"""A time-stamping authority of OpenSSL behind a local HTTP server, with certificates of its own."""

from __future__ import annotations

import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = """
[req]
distinguished_name = dn
prompt = no
[dn]
CN = {name}
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/signer.pem
signer_key = {folder}/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """An authority that can be switched off, or made to answer something else."""

    url: str
    roots: Path
    answers: dict[str, bytes] = field(default_factory=dict)
    """`instead`: what it answers to everything; `down`: it answers with 503."""
    asked: list[bytes] = field(default_factory=list)


def run(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def certify(folder: Path, name: str) -> None:
    """Make a root certificate and a signer's under it."""
    folder.mkdir(parents=True)
    config = folder / "openssl.cnf"
    config.write_text(CONFIG.format(folder=folder, name=name), encoding="utf-8")
    (folder / "serial").write_text("01\n", encoding="ascii")
    for who in ("ca", "signer"):
        run(folder, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", f"{who}.key")
    run(
        folder,
        "req",
        "-new",
        "-x509",
        "-key",
        "ca.key",
        "-out",
        "ca.pem",
        "-days",
        "30",
        "-config",
        str(config),
        "-extensions",
        "ca",
    )
    run(
        folder,
        "req",
        "-new",
        "-key",
        "signer.key",
        "-out",
        "signer.csr",
        "-config",
        str(config),
        "-subj",
        f"/CN={name} signer",
    )
    run(folder, "x509", "-req", "-in", "signer.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
        "-out", "signer.pem", "-extfile", str(config), "-extensions", "signer")  # fmt: skip


@contextmanager
def authority(folder: Path, name: str = "authority") -> Iterator[Authority]:
    """Give a running authority."""
    place = folder / name
    certify(place, name)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            there.asked.append(body)
            if "down" in there.answers:
                self.send_error(503)
                return
            if (data := there.answers.get("instead")) is None:
                (place / "query.tsq").write_bytes(body)
                run(
                    place,
                    "ts",
                    "-reply",
                    "-config",
                    "openssl.cnf",
                    "-section",
                    "own",
                    "-queryfile",
                    "query.tsq",
                    "-out",
                    "answer.tsr",
                )
                data = (place / "answer.tsr").read_bytes()
                there.answers["last"] = data
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        there = Authority(f"http://127.0.0.1:{server.server_port}/tsa", place / "ca.pem")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield there
        server.shutdown()
        thread.join()
