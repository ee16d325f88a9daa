"""The HTTP endpoints for monitoring a long-lived process. They are reachable only from the same machine.

`/health`: the process works and its database responds. `/ready`: the process accepts jobs, and a process of the fleet
looks for due claims. `/metrics`: this process's own counts and the text of RECOURS_METRICS_FILE, for Prometheus.

Every user of the machine can send requests. Frequent, slow or simultaneous requests must not delay the process's jobs,
which share a few database connections with the endpoints.
"""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from recours.bootstrap import metrics_text
from recours.core.errors import RunError
from recours.fleet.fleet_worker import FleetWorker
from recours.host.logs import run_log
from recours.settings.model import redactor

_LOOPBACK = "127.0.0.1"
_CONNECTIONS = 16  # open at the same time; further connections are closed
_PATIENCE_S = 10.0  # how long to wait for the next part of a request
_LONGEST_S = 30.0  # how long a request and its response may take together
_WAIT_S = 5.0  # how long to wait until another request to the same endpoint ends
_KEPT_S = 10.0  # how long the database part of /metrics is cached
_JSON = "application/json"
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class _Answer:
    status: int
    text: str
    kind: str = _JSON


class _Pages:
    """The endpoints. Each uses at most one database connection, regardless of the number of requests."""

    def __init__(self, fleet_worker: FleetWorker, is_ready: Callable[[], bool]) -> None:
        self._worker = fleet_worker
        self._is_ready = is_ready
        self._redact = redactor(fleet_worker.app.settings)
        self._pages = {"/health": self._health, "/ready": self._ready, "/metrics": self._metrics}
        self._health_lock = threading.Lock()
        self._metrics_lock = threading.Lock()
        self._recorded: tuple[float, str] | None = None  # the time and the database part of /metrics

    def answer(self, name: str) -> _Answer:
        """The response of an endpoint. If the endpoint fails, the response contains the error."""
        page = self._pages.get(name)
        if page is None:
            return _Answer(404, json.dumps({"pages": sorted(self._pages)}))
        try:
            return page()
        except RunError as fault:
            return _failed(503, self._redact(str(fault)))
        except Exception as error:  # noqa: BLE001 (the monitor is to see it, and the process goes on)
            run_log().exception(f"{name}: internal error")
            return _failed(500, f"Internal error ({type(error).__name__}); see the log for details")

    def _health(self) -> _Answer:
        with _exclusive(self._health_lock, "/health"):
            began = time.perf_counter()
            with self._worker.app.database.read() as connection:
                connection.exec_driver_sql("SELECT 1")
            took = time.perf_counter() - began
        fault = self._worker.fault
        facts = {
            "ok": True,
            "database_s": round(took, 4),
            "fault": None if fault is None else self._redact(fault),
            "done": self._worker.facts(),
        }
        return _Answer(200, json.dumps(facts))

    def _ready(self) -> _Answer:
        is_ready = self._is_ready() and not self._worker.is_silent
        return _Answer(200 if is_ready else 503, json.dumps({"ready": is_ready}))

    def _metrics(self) -> _Answer:
        with _exclusive(self._metrics_lock, "/metrics"):
            now = time.monotonic()
            if self._recorded is None or now - self._recorded[0] >= _KEPT_S:
                self._recorded = now, metrics_text(self._worker.app)
            recorded = self._recorded[1]
        facts = self._worker.facts().items()
        own = [
            "# HELP recours_worker_jobs_total Jobs that this process has done.",
            "# TYPE recours_worker_jobs_total counter",
            *(f'recours_worker_jobs_total{{job="{name}"}} {count}' for name, count in facts),
        ]
        return _Answer(200, "\n".join([*own, recorded]), _TEXT)


def _failed(status: int, fault: str) -> _Answer:
    return _Answer(status, json.dumps({"ok": False, "fault": fault}))


@contextmanager
def _exclusive(lock: threading.Lock, page: str) -> Iterator[None]:
    """Hold a lock within the context. Raises RunError if other requests hold the lock for too long."""
    if not lock.acquire(timeout=_WAIT_S):
        raise RunError(f"Other requests for {page} are in progress; send fewer requests")
    try:
        yield
    finally:
        lock.release()


class HealthServer(ThreadingHTTPServer):
    """An HTTP server on the loopback interface that limits the number and duration of connections."""

    daemon_threads = True  # threads end with the process

    def __init__(self, fleet_worker: FleetWorker, port: int, is_ready: Callable[[], bool]) -> None:
        """Start the server. Raises RunError if the port cannot be used."""
        self.pages = _Pages(fleet_worker, is_ready)
        self._began: dict[socket.socket, float] = {}  # start times of open connections
        try:
            super().__init__((_LOOPBACK, port), _Handler)
        except OSError as error:
            raise RunError(
                f"Port {port} of this machine cannot be used for /health ({error.strerror or error}). Choose another port with "
                "--port, or disable /health with --port 0."
            ) from error
        threading.Thread(target=self.serve_forever, name="health", daemon=True).start()
        run_log().info(f"Health: http://{_LOOPBACK}:{self.server_port}/health, /ready, /metrics")

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        del request, client_address
        return len(self._began) < _CONNECTIONS

    def process_request(self, request: Any, client_address: Any) -> None:
        self._began[request] = time.monotonic()
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Close connections that take too long, so that their threads end. Called twice a second."""
        for request, began in tuple(self._began.items()):
            if time.monotonic() - began >= _LONGEST_S:
                with suppress(OSError):  # already closed
                    request.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        self._began.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
        if not isinstance(sys.exception(), OSError):  # a client that hung up
            run_log().exception("Internal error in a request to /health, /ready or /metrics")


class _Handler(BaseHTTPRequestHandler):
    server: HealthServer
    timeout = _PATIENCE_S

    def do_GET(self) -> None:
        answer = self.server.pages.answer(self.path.partition("?")[0])
        body = answer.text.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing, because monitors send many requests."""
