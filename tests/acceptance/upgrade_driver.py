"""Runs workers of whatever version of recours is on the path, one for each line that it reads.

A line is a worker's name and the moment of its run; what is printed for it is an object with the run's report and what its
log said. It uses only what no version of the last years has changed.
"""

import json
import logging
import os
import sys
from datetime import datetime
from pathlib import Path

from recours.carriers.registry import CATALOG
from recours.runs.fetch import PODFetchWorker
from recours.runs.retry import PODRetryScheduler
from recours.runs.worker import Options
from recours.sandbox import SimulatedClock
from recours.settings.loading import load
from recours.wiring.databases import open_database
from recours.wiring.workers import make_worker

_WORKERS = {worker.name: worker for worker in (PODFetchWorker, PODRetryScheduler)}


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def main() -> None:
    said = _Kept()
    logging.getLogger("__main__").addHandler(said)
    logging.getLogger("__main__").setLevel(logging.INFO)
    settings = load(Path.cwd(), dict(os.environ), CATALOG)
    clock = opened = None
    for line in sys.stdin:
        name, moment = line.split()
        at = datetime.fromisoformat(moment)
        clock = clock or SimulatedClock(at)
        clock.advance(at - clock.now())
        said.lines.clear()
        if opened is None:
            opened = open_database(settings)
            said.lines += opened.remarks
        report = make_worker(_WORKERS[name], settings, opened, Options(batch_size=100), clock=clock).run()
        print(
            json.dumps({"report": report.as_json(), "status": report.exit_status, "said": said.lines}),
            flush=True,
        )


if __name__ == "__main__":
    main()
