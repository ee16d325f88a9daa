"""Fetches requested claims immediately, in a run of the scheduler."""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from recours.admin.results import FetchResult, RecoursError, ResultSentences
from recours.app import App, log_file, open_database
from recours.bootstrap import make_worker
from recours.core.errors import RunError
from recours.database.engine import DatabaseError
from recours.host.logs import lines_to, run_log
from recours.reporting.snapshot import Reports
from recours.runs.refusals import ClaimRefusal, Unfit, UnfitClaimsError
from recours.runs.source import can_be_reference
from recours.runs.summary import Report
from recours.runs.worker import Options, PODRetryScheduler, Worker
from recours.settings.model import Settings


def fetch_claims(
    settings: Settings,
    sentences: ResultSentences,
    references: Sequence[str],
    *,
    by: str = "",
    on_start: Callable[[Worker], None] = lambda _worker: None,
) -> list[FetchResult | RecoursError]:
    """Fetch these claims in one run, and return the result or error for each claim, in order.

    `by`: the person who requested the fetch. `on_start` receives the worker before the run, so that the caller can read
    its `stats` and stop it. Raises RunError for errors that affect all claims.
    """
    with lines_to(log_file(settings, PODRetryScheduler.name)):
        app = open_database(settings)
        with closing(app.database):
            return _fetch(app, sentences, list(dict.fromkeys(references)), by, on_start)


def _fetch(
    app: App,
    sentences: ResultSentences,
    references: Sequence[str],
    by: str,
    on_start: Callable[[Worker], None],
) -> list[FetchResult | RecoursError]:
    results: dict[str, FetchResult | RecoursError] = {
        reference: sentences.refused(ClaimRefusal(Unfit.UNKNOWN, reference))
        for reference in references
        if not can_be_reference(reference)
    }
    while remaining := tuple(reference for reference in references if reference not in results):
        options = Options(batch_size=len(remaining), claims=remaining, by=by)
        worker = make_worker(PODRetryScheduler, app, options, mails=False)
        try:
            report = _run(worker, app, on_start)
        except UnfitClaimsError as refused:
            for claim in refused.refusals:
                listed = Reports(app).records.find(claim.reference) if claim.why is Unfit.HAS_POD else None
                results[claim.reference] = sentences.refused(claim, listed.pod_url if listed else None)
        else:
            results |= {name: _outcome(app, sentences, name, worker, report) for name in remaining}
    return [results[reference] for reference in references]


def _run(worker: Worker, app: App, on_start: Callable[[Worker], None]) -> Report:
    log = run_log()
    worker.log_header(len(worker.options.claims), worker.policy.max_retries)
    app.log_remarks()
    on_start(worker)
    try:
        report = worker.run()
    except UnfitClaimsError as refused:
        for sentence in str(refused).splitlines():
            log.error(sentence)
        raise
    except RunError as fault:
        log.error(str(fault))
        raise
    except Exception:
        log.exception("The run failed with an internal error")
        raise
    if report.fault:
        log.error(report.fault)
    return report


def _outcome(
    app: App, sentences: ResultSentences, reference: str, worker: Worker, report: Report
) -> FetchResult | RecoursError:
    """Return what the run recorded for the claim, or why the carrier was not asked."""
    reports = Reports(app)
    listed = reports.records.find(reference)
    if listed is None:
        return sentences.refused(ClaimRefusal(Unfit.UNKNOWN, reference))
    attempts = reports.records.attempts(listed.claim.id)
    attempt = next((attempt for attempt in reversed(attempts) if attempt.run_id == worker.run_id), None)
    if attempt and attempt.outcome == "success":
        return sentences.fetched(listed, attempt, worker.run_id)
    # The next attempt, as in `claim_status`.
    next_at = reports.positions([listed])[listed.claim.id].next_at
    if attempt:
        return sentences.failed(listed, attempt, worker.run_id, next_at)
    if report.fault:
        return sentences.bad_run(report.fault)
    if refusal := worker.refusals.get(listed.claim.account_key):
        return sentences.not_asked(listed, refusal, worker.run_id, next_at)
    # Another run leased the claim first, or someone edited it.
    return sentences.refused(ClaimRefusal(Unfit.LEASED, reference))


# Claims per run. A run looks up all its claims before it starts, and a stopping server waits for the run in progress.
_CLAIMS_PER_RUN = 500


@dataclass
class RequestedFetch:
    """Successive runs over claims that a person requested."""

    settings: Settings
    sentences: ResultSentences
    references: Sequence[str]
    by: str
    # The results of the completed runs, in the order of the references.
    outcomes: list[FetchResult | RecoursError] = field(default_factory=list)
    fault: str | None = None  # the error that prevented all remaining fetches
    _worker: Worker | None = None

    @property
    def progress(self) -> int:
        """The number of claims processed so far."""
        worker = self._worker
        over = len(self.outcomes)
        return min(over + worker.stats.total, len(self.references)) if worker else over

    @property
    def fetched(self) -> int:
        return sum(isinstance(outcome, FetchResult) and outcome.fetched for outcome in self.outcomes)

    def run(self) -> None:
        """Fetch all claims. If the server is stopped, no further run starts."""
        try:
            for first in range(0, len(self.references), _CLAIMS_PER_RUN):
                if threading.main_thread().is_alive():  # otherwise the server was stopped
                    part = self.references[first : first + _CLAIMS_PER_RUN]
                    self.outcomes += fetch_claims(
                        self.settings, self.sentences, part, by=self.by, on_start=self._note_worker
                    )
                    self._worker = None
        except DatabaseError as fault:
            self.fault = str(self.sentences.no_database(str(fault)))
        except RunError as fault:
            self.fault = str(self.sentences.bad_run(str(fault)))

    def _note_worker(self, worker: Worker) -> None:
        self._worker = worker
