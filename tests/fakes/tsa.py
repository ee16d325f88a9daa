"""A timestamping authority on this machine: `openssl ts` behind a server that makes mistakes on request."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

NEEDS_OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
_CONFIGURATION = """
[req]
distinguished_name = name
prompt = no
[name]
CN = Test
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[authority]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


def openssl(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=True).stdout


def make_authority(folder: Path) -> None:
    """Create the keys and certificates of an authority, with the root certificate `root.pem`."""
    folder.mkdir()
    (folder / "cnf").write_text(_CONFIGURATION)
    (folder / "serial").write_text("01\n")
    of_root = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "cnf")
    openssl(folder, "req", "-x509", *of_root, "-keyout", "root.key", "-out", "root.pem", "-days", "9000",
            "-subj", "/CN=Root", "-extensions", "root")  # fmt: skip
    openssl(folder, "req", *of_root, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Authority")
    openssl(folder, "x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-set_serial", "7",
            "-out", "tsa.pem", "-days", "9000", "-extfile", "cnf", "-extensions", "authority")  # fmt: skip


@dataclass
class Authority:
    """A server. `manner`: how it answers; by default correctly."""

    folder: Path
    manner: str = "right"
    queries: list[bytes] = field(default_factory=list)
    url: str = ""

    def token(self, query: bytes) -> bytes:
        (self.folder / "query").write_bytes(query)
        return openssl(self.folder, "ts", "-reply", "-config", "cnf", "-section", "tsa", "-queryfile", "query",
                       "-signer", "tsa.pem", "-inkey", "tsa.key")  # fmt: skip

    def query(self, digest: str) -> bytes:
        """A query created by openssl, whose nonce differs from the client's."""
        return openssl(self.folder, "ts", "-query", "-digest", digest, "-sha256", "-cert")

    def answer(self, query: bytes) -> Iterator[bytes]:
        """The parts of the body."""
        self.queries.append(query)
        right = self.token(query)
        if self.manner == "endless":
            while True:
                yield right
        if self.manner == "slow":
            for n in range(len(right)):
                yield right[n : n + 1]
                time.sleep(0.2)
        digest = query[query.index(b"\x04\x20") + 2 :][:32].hex()
        wrong: dict[str, Callable[[], bytes]] = {
            "another nonce": lambda: self.token(self.query(digest)),
            "another imprint": lambda: self.token(self.query("ab" * 32)),
            "a forged signature": lambda: right[:-4] + bytes(4),
            "garbage": lambda: b"<html>Sign in</html>",
            "cut": lambda: right[:-9],
            "empty": lambda: b"",
            "refused": lambda: self.token(b""),
        }
        yield wrong.get(self.manner, lambda: right)()


@contextmanager
def authority_in(folder: Path) -> Iterator[Authority]:
    authority = Authority(folder)
    make_authority(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            query = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(500 if authority.manner == "HTTP 500" else 200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            try:
                for piece in authority.answer(query):
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                pass  # the client has disconnected

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority.url = f"http://127.0.0.1:{server.server_port}/tsr"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield authority
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
