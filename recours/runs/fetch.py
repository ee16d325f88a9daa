"""`PODFetchWorker`: new claims, fetched for the first time."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from recours.core.claim import Stage
from recours.runs.leasing import Limits
from recours.runs.log import log
from recours.runs.worker import LATE_AFTER, RULE, Worker

# The other worker, whose module knows this one: a test holds these to it.
SCHEDULER, SCHEDULERS_RUNS = "pod_retry_scheduler", timedelta(hours=1)


class PODFetchWorker(Worker):
    """The run of every 30 minutes."""

    name = "pod_fetch_worker"
    stage = Stage.NEW
    schedule = timedelta(minutes=30)
    usual_batch = 50
    set_aside_texts = "new claim not fetched", "new claims not fetched"

    @staticmethod
    def greet(batch_size: int, max_retries: int) -> None:
        """In the form of the guide's header."""
        del max_retries  # it never gives up
        log.info(RULE)
        log.info("POD FETCH WORKER - Starting")
        log.info(f"Batch size: {batch_size}")
        log.info(RULE)

    def limits(self, lanes: Collection[str]) -> Limits:
        """Failed claims with a nearer deadline have the calls that they need, if their worker runs at all."""
        now = self.deps.clock.now()
        last = self.deps.journal.last_run(SCHEDULER, now)
        others = Stage.READY if last is not None and now - last <= LATE_AFTER * SCHEDULERS_RUNS else None
        return replace(super().limits(lanes), others=others)

    def say_found(self, ready: int, locked: int) -> None:
        """How many claims are pending."""
        if ready or not locked:
            log.info(f"Found {ready} claim(s) to fetch" if ready else "No pending PODs to fetch")
