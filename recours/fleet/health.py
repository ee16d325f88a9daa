"""What a monitor asks a long-lived process, over HTTP and on this machine alone.

`/health`: the process works, its database answers. `/ready`: it takes jobs. `/metrics`: what Prometheus scrapes, the text
of RECOURS_METRICS_FILE and this process's own counts.
"""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from recours.core.errors import RunError
from recours.fleet.station import Station
from recours.logs import run_log
from recours.wiring.workers import metrics_text

_LOOPBACK = "127.0.0.1"
_PATIENCE_S = 10.0
_JSON, _TEXT = "application/json", "text/plain; version=0.0.4; charset=utf-8"


class HealthServer:
    """A server of the loopback interface. Its threads end with the process."""

    def __init__(self, station: Station, port: int, is_ready: Callable[[], bool]) -> None:
        """Raises RunError if the port is taken."""
        pages = {
            "/health": lambda: _health(station),
            "/ready": lambda: _ready(is_ready()),
            "/metrics": lambda: _metrics(station),
        }

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE_S

            def do_GET(self) -> None:
                page = pages.get(self.path.partition("?")[0])
                try:
                    status, kind, text = (
                        page() if page else (404, _JSON, json.dumps({"pages": sorted(pages)}))
                    )
                except RunError as fault:
                    status, kind, text = 503, _JSON, json.dumps({"ok": False, "fault": str(fault)})
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Monitors ask often: nothing of it is logged."""

        try:
            self._server = ThreadingHTTPServer((_LOOPBACK, port), Handler)
        except OSError as error:
            raise RunError(
                f"Port {port} of this machine cannot be used for /health ({error.strerror or error}). Choose another one with "
                "--port, or none with --port 0."
            ) from error
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()
        run_log().info(f"Health: http://{_LOOPBACK}:{self.port}/health, /ready, /metrics")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _health(station: Station) -> tuple[int, str, str]:
    began = time.perf_counter()
    station.opened.database.ping()
    facts = {
        "ok": True,
        "database_s": round(time.perf_counter() - began, 4),
        "fault": station.fault,
        "done": station.facts(),
    }
    return 200, _JSON, json.dumps(facts)


def _ready(is_ready: bool) -> tuple[int, str, str]:
    return 200 if is_ready else 503, _JSON, json.dumps({"ready": is_ready})


def _metrics(station: Station) -> tuple[int, str, str]:
    own = [
        "# HELP recours_worker_jobs_total Pieces of work that this process has done.",
        "# TYPE recours_worker_jobs_total counter",
        *(f'recours_worker_jobs_total{{job="{name}"}} {count}' for name, count in station.facts().items()),
    ]
    text = metrics_text(station.settings, station.opened)
    return 200, _TEXT, "\n".join([*own, text])
