"""One run of a worker, in this process."""

from collections.abc import Callable

from recours.app import open_database
from recours.bootstrap import make_worker
from recours.runs.summary import Report
from recours.runs.worker import Options, Worker
from recours.runs.workers import PODRetryScheduler
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
    opened = open_database(settings)
    try:
        worker = make_worker(
            kind, settings, opened, options or Options(batch_size=100), clock=clock, jitter=lambda: 0.0
        )
        change(worker)
        return worker.run()
    finally:
        opened.database.close()
