"""A process of `recours worker`, from its start to SIGTERM: it waits for a database that is away, and starts over."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from recours.core.errors import RunError
from recours.database.engine import SystemClock, clock_offset
from recours.fleet.health import HealthServer
from recours.fleet.jobs import JobQueue, NoFleetError
from recours.fleet.notify import systemd_notify
from recours.fleet.station import Station
from recours.logs import run_log

_RECORD_EVERY_S = 60.0
_AGAIN_AFTER_S = 1.0
_FAULT_AGAIN_S = 60.0  # a fault that lasts is logged that often


@dataclass
class Process:
    """The parts of the process that are not work: records, health, and the job queue's beginning and end."""

    station: Station
    clock: SystemClock  # the station's
    queue: JobQueue
    slots: int
    watchdog_s: float | None = None  # how often systemd waits for a sign of life
    is_ready: bool = field(default=False, init=False)
    _ended: threading.Event = field(default_factory=threading.Event, init=False)

    def run(self, port: int) -> None:
        """Work until the station is stopped. `port`: of /health; 0: none. Raises RunError if it cannot begin."""
        health = HealthServer(self.station, port, lambda: self.is_ready) if port else None
        threads = [
            threading.Thread(target=self._every, args=(_RECORD_EVERY_S, self._keep_record), daemon=True)
        ]
        if self.watchdog_s:
            alive = self.watchdog_s / 2, lambda: systemd_notify("WATCHDOG=1")
            threads.append(threading.Thread(target=self._every, args=alive, daemon=True))
        for thread in threads:
            thread.start()
        try:
            self._do_jobs()
        finally:
            self._ended.set()
            systemd_notify("STOPPING=1")
            for thread in threads:
                thread.join()
            if health:
                health.close()
            self.station.close()

    def _do_jobs(self) -> None:
        """Begin anew whenever the database went away, until the station is stopped. Raises NoFleetError."""
        log, told, waited = run_log(), "", 0.0
        while not self.station.stopped:
            try:
                self.queue.run(self.station, self.slots, self._note_ready)
            except NoFleetError:  # a person must act, and a service that failed is seen
                raise
            except RunError as fault:
                if str(fault) != told or waited >= _FAULT_AGAIN_S:
                    log.error(f"{fault}; trying again every {_AGAIN_AFTER_S:.0f} s")
                    told, waited = str(fault), 0.0
                self._ended.wait(_AGAIN_AFTER_S)
                waited += _AGAIN_AFTER_S

    def _note_ready(self, is_ready: bool) -> None:
        self.is_ready = is_ready
        if is_ready:
            systemd_notify("READY=1")
            run_log().info("Ready: jobs are done as they come")

    def _every(self, seconds: float, do: Callable[[], None]) -> None:
        while not self._ended.wait(seconds):
            do()

    def _keep_record(self) -> None:
        try:
            self.clock.adjust(clock_offset(self.station.opened.database))
            self.station.keep_record()
        except RunError as fault:
            run_log().warning(f"What was done could not be recorded: {fault}")
        except Exception:  # noqa: BLE001 (the process goes on)
            run_log().exception("What was done could not be recorded: an internal error")
        if self.station.is_outdated and not self.station.stopped:
            run_log().warning(
                "The database was brought up to date by another version of recours: this process ends, to be started anew"
            )
            self.station.stop()
