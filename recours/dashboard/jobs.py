"""Fetches that somebody asked for on the page: they go on though the page is closed, and what they do is recorded."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from recours.api import fetch_claims
from recours.operations.api_results import FetchResult, RecoursError
from recours.runs.worker import Worker


@dataclass
class Job:
    """A run over claims that were asked for, in a thread of its own."""

    references: Sequence[str]
    language: str
    outcomes: list[FetchResult | RecoursError] = field(default_factory=list)
    fault: str | None = None  # what concerned all of them
    _worker: Worker | None = None
    _thread: threading.Thread | None = None

    def start(self) -> "Job":
        """Begin. Not a daemon: the server waits for the calls under way when it is told to end."""
        self._thread = threading.Thread(target=self._run, name="fetch-job")
        self._thread.start()
        return self

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended."""
        return self._thread is not None and not self._thread.is_alive()

    @property
    def done(self) -> int:
        """How many attempts have ended."""
        return self._worker.stats.total if self._worker else 0

    @property
    def fetched(self) -> int:
        """How many PODs came."""
        return sum(isinstance(outcome, FetchResult) and outcome.fetched for outcome in self.outcomes)

    def _begun(self, worker: Worker) -> None:
        self._worker = worker

    def _run(self) -> None:
        try:
            self.outcomes = fetch_claims(self.references, language=self.language, begun=self._begun)
        except RecoursError as error:
            self.fault = str(error)
        except Exception as error:
            # The run wrote its traceback to the log. Here nobody would see it.
            self.fault = f"{type(error).__name__}: logs/pod_retry_scheduler.log"
            raise
