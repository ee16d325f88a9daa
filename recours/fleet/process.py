"""The process of `recours worker`, from its start to SIGTERM. If the database is unavailable, it waits and retries."""

import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from recours.core.errors import RunError
from recours.core.text import plural
from recours.database.engine import SystemClock, clock_offset
from recours.fleet.fleet_worker import FleetWorker
from recours.fleet.health import HealthServer
from recours.fleet.job_queue import NoFleetError, remove_strange_jobs
from recours.host.logs import run_log
from recours.runs.log import log

if TYPE_CHECKING:
    from recours.fleet.procrastinate_queue import ProcrastinateQueue


_TIMEOUT_S = 1.0  # for sending a report to systemd


def systemd_notify(state: str) -> None:
    """Report a state, such as `READY=1`, to systemd if it started this process. Failures are only logged."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    if address.startswith("@"):  # a name in the abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(address)
            connection.sendall(state.encode())
    except OSError as error:
        log.warning(f"systemd was not notified of {state}: {error.strerror or error}")


_RECORD_EVERY_S = 60.0
_LOOK_EVERY_S = 0.1
_QUEUE_ENDS_WITHIN_S = 10.0  # how long the queue may take to end after the last job
_RESTART_AFTER_S = 1.0
_STABLE_AFTER_S = 5.0  # after this time without a fault, the queue counts as working
_STALLED_S = 60.0
_FAULT_AGAIN_S = 60.0  # how often a lasting fault is logged


@dataclass
class Process:
    """Starts and ends the job queue, the health endpoints and the regular saving of records."""

    fleet_worker: FleetWorker
    queue: "ProcrastinateQueue"
    slots: int
    watchdog_s: float | None = None  # systemd expects a report within this time; None: no watchdog
    is_ready: bool = field(default=False, init=False)
    # When the loop that processes jobs last reported.
    _alive_at: float = field(default_factory=monotonic, init=False)
    _ready_since: float = field(default=0.0, init=False)
    _has_logged_ready: bool = field(default=False, init=False)  # whether `Ready` was logged
    _end: threading.Event = field(default_factory=threading.Event, init=False)

    def run(self, port: int) -> None:
        """Work until the worker is stopped. `port`: for /health; 0: disabled. Raises RunError if work cannot begin."""
        health = HealthServer(self.fleet_worker, port, lambda: self.is_ready) if port else None
        threads = [
            threading.Thread(target=self._every, args=(_RECORD_EVERY_S, self._keep_record), daemon=True)
        ]
        if self.watchdog_s:
            alive = self.watchdog_s / 2, self._report_alive
            threads.append(threading.Thread(target=self._every, args=alive, daemon=True))
        for thread in threads:
            thread.start()
        try:
            self._supervise()
        finally:
            self._end.set()
            systemd_notify("STOPPING=1")
            for thread in threads:
                thread.join()
            if health:
                health.close()
            self.fleet_worker.close()

    def _supervise(self) -> None:
        """Run the job queue until the worker is stopped. Do not wait for a queue whose database does not respond."""
        jobs: Future[None] = Future()
        threading.Thread(target=self._run_jobs, args=(jobs,), name="jobs", daemon=True).start()
        worked_at = monotonic()
        while not jobs.done():
            if not self.fleet_worker.stopped or self.fleet_worker.is_working:
                worked_at = monotonic()
            elif monotonic() - worked_at >= _QUEUE_ENDS_WITHIN_S:
                run_log().warning("The job queue did not end: its database does not respond")
                return
            wait([jobs], _LOOK_EVERY_S)
        jobs.result()

    def _run_jobs(self, ending: "Future[None]") -> None:
        try:
            self._do_jobs()
        except BaseException as error:  # noqa: BLE001 (the main thread raises it)
            ending.set_exception(error)
        else:
            ending.set_result(None)

    def _do_jobs(self) -> None:
        """Process jobs until the worker is stopped. After a fault, start the queue again. Raises NoFleetError."""
        log = run_log()
        logged_at = 0.0
        while not self.fleet_worker.stopped:
            self._alive_at = monotonic()
            try:
                self.queue.run(self.fleet_worker, self.slots, self._note_ready)
            except NoFleetError:  # the operator must act, and notices a service that has failed
                raise
            except RunError as fault:
                if str(fault) != self.fleet_worker.queue_fault or monotonic() - logged_at >= _FAULT_AGAIN_S:
                    log.error(f"{fault}; trying again every {_RESTART_AFTER_S:.0f} s")
                    logged_at = monotonic()
                self.fleet_worker.queue_fault = str(fault)
                self._end.wait(_RESTART_AFTER_S)

    def _note_ready(self, is_ready: bool) -> None:
        """Note whether the queue processes jobs. After a fault, the queue counts as working only after a short time."""
        now = self._alive_at = monotonic()
        if is_ready and not self.is_ready:
            self._ready_since = now
            systemd_notify("READY=1")
        self.is_ready = is_ready
        is_stable = self.fleet_worker.queue_fault is None or now - self._ready_since >= _STABLE_AFTER_S
        if is_ready and is_stable and not self._has_logged_ready:
            run_log().info("Ready: waiting for jobs")
        if is_ready and is_stable:
            self.fleet_worker.queue_fault = None
        self._has_logged_ready = is_ready and is_stable

    def _report_alive(self) -> None:
        """Report to systemd's watchdog. If job processing has stalled, send nothing, so that systemd restarts it."""
        if monotonic() - self._alive_at < _STALLED_S:
            systemd_notify("WATCHDOG=1")

    def _every(self, seconds: float, do: Callable[[], None]) -> None:
        while not self._end.wait(seconds):
            do()

    def _keep_record(self) -> None:
        try:
            if isinstance(self.fleet_worker.clock, SystemClock):
                self.fleet_worker.clock.adjust(clock_offset(self.fleet_worker.app.database))
            self.fleet_worker.keep_record()
            if removed := remove_strange_jobs(self.fleet_worker.app.database):
                run_log().warning(f"Removed {plural(removed, 'job')} of other programs from the job queue")
        except RunError as fault:
            run_log().warning(f"Progress could not be recorded: {fault}")
        except Exception:  # noqa: BLE001 (the process goes on)
            run_log().exception("Progress could not be recorded (internal error)")
