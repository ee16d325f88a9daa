"""One run of a worker in this process."""

from collections.abc import Callable
from dataclasses import replace

from recours.app import open_database
from recours.bootstrap import make_worker
from recours.runs.summary import Report
from recours.runs.worker import Options, PODRetryScheduler, Worker
from recours.sandbox import SimulatedClock
from recours.settings.model import Settings


def run_once(
    settings: Settings,
    clock: SimulatedClock,
    kind: type[Worker] = PODRetryScheduler,
    *,
    options: Options | None = None,
    change: Callable[[Worker], None] = lambda _: None,
) -> Report:
    app = replace(open_database(settings), clock=clock)
    try:
        worker = make_worker(kind, app, options or Options(batch_size=100), jitter=lambda: 0.0)
        change(worker)
        return worker.run()
    finally:
        app.database.close()
