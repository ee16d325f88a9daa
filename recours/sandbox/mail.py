"""A mail server on loopback that stores emails as files. It has only the SMTP that the demo and the tests need."""

import socketserver
import threading
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"
_LONGEST_LINE = 4096  # bytes


class MailSandbox:
    """Runs between `start` and `stop` or in a `with` block. Stores emails in `folder` as `0001.eml` and so on."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        """Prepare the server. It does not listen before `start`; port 0 picks a free port."""
        self.folder = folder
        self._port = port
        self._lock = threading.Lock()
        self._count = 0
        self._server: _Server | None = None

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.eml"))

    def environment(self) -> dict[str, str]:
        """The settings that make recours send its emails here. Raises RuntimeError while the server is not running."""
        if self._server is None:
            raise RuntimeError("the mail sandbox has not been started")
        return {
            "SMTP_HOST": HOST,
            "SMTP_PORT": str(self._server.server_address[1]),
            "SMTP_SECURITY": "none",
            "SMTP_FROM": "pods@shop.example",
        }

    def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._server = _Server(self._port, self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def keep(self, content: bytes) -> None:
        with self._lock:
            self._count += 1
            (self.folder / f"{self._count:04d}.eml").write_bytes(content)


_ANSWERS = {
    b"EHLO": "250 sandbox",
    b"HELO": "250 sandbox",
    b"MAIL": "250 OK",
    b"RCPT": "250 OK",
    b"RSET": "250 OK",
    b"NOOP": "250 OK",
    b"DATA": "354 End with a dot",
    b"QUIT": "221 Bye",
}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, box: MailSandbox) -> None:
        self.box = box
        super().__init__((HOST, port), _Session)


class _Session(socketserver.StreamRequestHandler):
    """One client. Unknown commands are refused, as SMTP requires."""

    server: _Server
    timeout = 30
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self._say("220 sandbox: nothing is delivered")
        try:
            while line := self.rfile.readline(_LONGEST_LINE):
                verb = line[:4].upper().strip()
                self._say(_ANSWERS.get(verb, "502 Not here"))
                if verb == b"DATA":
                    self._take()
                if verb == b"QUIT":
                    return
        except (ConnectionError, TimeoutError):
            return

    def _take(self) -> None:
        lines: list[bytes] = []
        while (line := self.rfile.readline(_LONGEST_LINE)) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        self.server.box.keep(b"".join(lines))
        self._say("250 Kept")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")
