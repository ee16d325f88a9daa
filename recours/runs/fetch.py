"""`PODFetchWorker`: new claims, fetched for the first time."""

from datetime import timedelta

from recours.core.claim import Stage
from recours.runs.log import log
from recours.runs.worker import RULE, Worker


class PODFetchWorker(Worker):
    """The run of every 30 minutes."""

    name = "pod_fetch_worker"
    stage = Stage.NEW
    schedule = timedelta(minutes=30)
    usual_batch = 50
    set_aside_texts = "new claim not fetched", "new claims not fetched"
    # As in its own module, which knows this one: a test holds these to it.
    other_worker = "pod_retry_scheduler"
    other_schedule = timedelta(hours=1)
    others = Stage.READY

    @staticmethod
    def greet(batch_size: int, max_retries: int) -> None:
        del max_retries  # it never gives up
        log.info(RULE)
        log.info("POD FETCH WORKER - Starting")
        log.info(f"Batch size: {batch_size}")
        log.info(RULE)

    def say_found(self, ready: int) -> None:
        log.info(f"Found {ready} claim(s) to fetch" if ready else "No pending PODs to fetch")
