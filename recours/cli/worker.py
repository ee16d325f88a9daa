"""`recours worker`: a long-lived worker in a fleet."""

import os
import signal
import threading
from math import ceil
from typing import TYPE_CHECKING

import click

from recours import __version__
from recours.accounts.opened import make_catalog
from recours.app import App, log_file, open_database
from recours.cli.common import database_option, report_faults, settings_for
from recours.cli.console import carriers_option, number_option, status_of, verbose_option
from recours.core.errors import RunError
from recours.database.engine import DatabaseError
from recours.fleet import LOG_NAME
from recours.fleet.fleet_worker import FleetWorker
from recours.fleet.job_queue import open_queue
from recours.fleet.process import Process
from recours.host import logs
from recours.settings.model import Settings

if TYPE_CHECKING:
    from recours.fleet.procrastinate_queue import ProcrastinateQueue

_RETRY_INTERVAL_S = 5.0
# SIGHUP is sent when the terminal is closed; it does not exist on Windows.
_STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
# Enough for any concurrency, because no transaction is open during a call. The job queue uses three more connections.
_CONNECTIONS = 4


@click.command("worker", context_settings={"help_option_names": ["-h", "--help"]})
@number_option("--concurrency", 1, 64, 8, "Fetch this many claims at the same time, 1 to 64.")
@carriers_option
@number_option("--max-retries", 1, 20, 4, "Give up on a claim after this many retries, 1 to 20.")
@number_option(
    "--port", 0, 65535, 9464, "Port for /health, /ready and /metrics on 127.0.0.1; 0 disables them."
)
@database_option
@verbose_option
def command(
    *, concurrency: int, carriers: tuple[str, ...], max_retries: int, port: int,
    database_url: str | None, verbose: bool,
) -> None:  # fmt: skip
    """Fetch new claims as they arrive and retry failed ones when they are due, until SIGTERM. Requires PostgreSQL.

    You can run any number of these workers on any number of machines, alongside workers that cron starts. A job queue in
    the database (Procrastinate) wakes them; 'recours init-db --fleet' creates its tables.
    """
    settings = settings_for(database_url)
    with report_faults():
        queue = open_queue(settings)
        log = logs.set_up(log_file(settings, LOG_NAME), verbose=verbose)
    try:
        keys = [key for name in carriers for key in make_catalog(settings).keys_of(name)]
        _work(settings, queue, tuple(dict.fromkeys(keys)), concurrency, max_retries, port)
    except RunError as fault:
        logs.run_log().error(str(fault))
        raise SystemExit(status_of(fault)) from fault
    finally:
        log.close()


def _work(
    settings: Settings,
    queue: "ProcrastinateQueue",
    carriers: tuple[str, ...],
    concurrency: int,
    max_retries: int,
    port: int,
) -> None:
    """Run the process until it is stopped. Raises RunError if it cannot start."""
    threads = min(settings.carrier_concurrency, concurrency)
    slots = ceil(concurrency / threads)
    logs.run_log().info(
        f"recours {__version__} worker: up to {concurrency} claims at once, {slots} slices of {threads}"
    )
    asked_to_stop = threading.Event()
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda *_: asked_to_stop.set())
    app = _wait_for_database(settings, asked_to_stop)
    if app is None:
        return
    app.log_remarks()
    fleet_worker = FleetWorker(app, threads, carriers, max_retries)
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda *_: fleet_worker.stop())
    if asked_to_stop.is_set():
        fleet_worker.stop()
    watchdog = os.environ.get("WATCHDOG_USEC", "")
    process = Process(
        fleet_worker,
        queue,
        slots,
        watchdog_s=int(watchdog) / 1e6 if watchdog.isdigit() else None,
    )
    process.run(port)
    logs.run_log().info("Stopped; no work in progress")


def _wait_for_database(settings: Settings, asked_to_stop: threading.Event) -> App | None:
    """Return the app as soon as its database answers, or None if the process is stopped first.

    Raises DatabaseError if the database answers with an error.
    """
    while not asked_to_stop.is_set():
        try:
            return open_database(settings, connections=_CONNECTIONS)
        except DatabaseError as fault:
            if fault.is_from_server:
                raise
            logs.run_log().error(f"{fault}; retrying every {_RETRY_INTERVAL_S:.0f} s")
            asked_to_stop.wait(_RETRY_INTERVAL_S)
    return None
