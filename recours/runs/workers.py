"""Both workers, for all that has to do with either."""

from recours.runs.fetch import PODFetchWorker
from recours.runs.retry import PODRetryScheduler
from recours.runs.worker import Worker

# Where runs of both begin at the same time, in this order: it matters for the calls that each leaves to the other.
BOTH_WORKERS: tuple[type[Worker], ...] = (PODFetchWorker, PODRetryScheduler)
