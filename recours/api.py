"""For the service's own application: a claim's POD fetched now, and where a claim stands.

Both are called as `recours.fetch_claim` and `recours.claim_status`, from any thread and any number of them at once.
They work in the caller's process with the settings of this checkout, and put nothing into it: no signal handler, and
no log handler beyond the call.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from recours.carriers.registry import CATALOG
from recours.core.errors import RunError
from recours.core.mail import LANGUAGES
from recours.database.engine import DatabaseError
from recours.database.reports.records import DatabaseRecords
from recours.logs import lines_to, local, run_log
from recours.operations.position import Standing
from recours.operations.records import ListedClaim
from recours.operations.results import (
    AskOperatorError,
    ClaimStatus,
    CorrectReferenceError,
    FetchResult,
    NotWantedError,
    RecoursError,
    ResultSentences,
    ShowExistingPODError,
    TryAgainSoonError,
    TryLaterError,
)
from recours.runs.lane import lane_key
from recours.runs.retry import PODRetryScheduler
from recours.runs.source import RefusedClaim, RefusedError, Unfit, can_be_reference, unknown_claim
from recours.runs.summary import Report
from recours.runs.worker import Options, Worker
from recours.settings.loading import load_at_home
from recours.settings.model import Settings, SettingsError
from recours.settings.sources import process_environment
from recours.wiring.carriers import catalog_of, log_file, redactor
from recours.wiring.databases import TO_BE_READ, Opened, open_database
from recours.wiring.one_claim import status_of
from recours.wiring.operations import open_operations, operations_over
from recours.wiring.workers import make_worker

__all__ = [
    "AskOperatorError",
    "ClaimStatus",
    "CorrectReferenceError",
    "FetchResult",
    "NotWantedError",
    "RecoursError",
    "ShowExistingPODError",
    "Standing",
    "TryAgainSoonError",
    "TryLaterError",
    "claim_status",
    "defer_fetch",
    "fetch_claim",
]


def fetch_claim(reference: str, *, language: str | None = None) -> FetchResult:
    """Fetch the POD of a claim now, whatever its backoff; returns when the carrier has answered.

    It goes the way of `pod_retry_scheduler.py --claim`: the same queue and quotas, lease, records and log; mails that
    come of it are sent by the next run. Also for a claim that is pending, or that was given up. `language`: of the
    sentences, `en` or `fr`; None: RECOURS_LANGUAGE.

    Raises CorrectReferenceError, TryAgainSoonError, ShowExistingPODError, NotWantedError, TryLaterError,
    AskOperatorError: each a RecoursError whose text is a sentence for a person.
    """
    outcome = fetch_claims([reference], language=language)[0]
    if isinstance(outcome, RecoursError):
        raise outcome
    return outcome


def fetch_claims(
    references: Sequence[str],
    *,
    language: str | None = None,
    begun: Callable[[Worker], None] = lambda _worker: None,
) -> list[FetchResult | RecoursError]:
    """The same for several claims in one run; in their order, and for those that cannot be fetched, why not.

    `begun` is called with the worker before it runs: its `stats` grow meanwhile, and it can be stopped. Raises what concerns
    all of them: TryLaterError, AskOperatorError.
    """
    with _told(language) as (settings, sentences), lines_to(log_file(settings, PODRetryScheduler.name)):
        opened = open_database(settings)
        with closing(opened.database):
            return _Fetching(settings, opened, sentences, begun).all(list(dict.fromkeys(references)))


def defer_fetch(reference: str, *, language: str | None = None) -> None:
    """Have a long-lived worker (`recours worker`) fetch the POD of a claim at once; returns without waiting for it.

    Call it when the transaction that writes the claim has been committed. A new claim gets its first attempt, as a
    scheduled run would make it; another one is fetched as by `fetch_claim`. What is lost on the way does no harm: the claim
    is found within a minute. Raises CorrectReferenceError if it can be no claim's reference; TryLaterError; AskOperatorError on SQLite, without the extra `fleet`, or if
    `recours init-db --fleet` was never run.
    """
    from recours.fleet.opening import open_queue  # noqa: PLC0415 (few applications use it)

    with _told(language) as (settings, sentences):
        if not can_be_reference(reference):
            raise sentences.refused(RefusedClaim(reference, Unfit.UNKNOWN, ""))
        open_queue(settings).defer_fetch(reference)


def claim_status(reference: str, *, language: str | None = None) -> ClaimStatus:
    """Where a claim stands. Asks no carrier and changes nothing. Raises CorrectReferenceError, TryLaterError, AskOperatorError."""
    with _told(language) as (settings, sentences):
        operations = open_operations(settings)
        with closing(operations.database):
            listed = operations.records.find(reference)
            if listed is None:
                raise sentences.refused(unknown_claim(operations.claims, reference))
            return status_of(operations, listed, sentences)


# ---------------------------------------------------------------- what both need


@contextmanager
def _told(language: str | None) -> Iterator[tuple[Settings, ResultSentences]]:
    """The settings, and who tells; a fault on the way becomes the error that says it in that language."""
    if language not in (None, *LANGUAGES):
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, or None")
    try:
        settings = load_at_home(process_environment(), CATALOG)
    except SettingsError as fault:
        raise ResultSentences(language or LANGUAGES[0], local).bad_settings(fault.faults) from fault
    sentences = ResultSentences(language or settings.mail.language, local)
    try:
        yield settings, sentences
    except DatabaseError as fault:
        raise sentences.no_database(str(fault)) from fault
    except RunError as fault:
        raise sentences.bad_run(str(fault)) from fault


@dataclass
class _Fetching:
    """Fetches by a run of the scheduler over claims that were asked for, and tells how each ended."""

    settings: Settings
    opened: Opened
    sentences: ResultSentences
    begun: Callable[[Worker], None]

    def all(self, references: Sequence[str]) -> list[FetchResult | RecoursError]:
        told: dict[str, FetchResult | RecoursError] = {}
        while wanted := tuple(reference for reference in references if reference not in told):
            options = Options(batch_size=len(wanted), claims=wanted)
            worker = make_worker(PODRetryScheduler, self.settings, self.opened, options, mails=False)
            try:
                report = self._run(worker)
            except RefusedError as refused:
                for claim in refused.refused:
                    listed = self._records.find(claim.reference) if claim.why is Unfit.HAS_POD else None
                    told[claim.reference] = self.sentences.refused(claim, listed.pod_url if listed else None)
            else:
                told |= {reference: self._outcome(reference, worker, report) for reference in wanted}
        return [told[reference] for reference in references]

    def _run(self, worker: Worker) -> Report:
        log = run_log()
        worker.greet(len(worker.options.claims), worker.policy.max_retries)
        for remark in self.opened.remarks:
            log.log(logging.WARNING if remark.startswith(TO_BE_READ) else logging.INFO, remark)
        self.begun(worker)
        try:
            report = worker.run()
        except RefusedError as refused:
            for sentence in str(refused).splitlines():
                log.error(sentence)
            raise
        except RunError as fault:
            log.error(str(fault))
            raise
        except Exception:
            log.exception("The run ended by an internal error")
            raise
        if report.fault:
            log.error(report.fault)
        return report

    @cached_property
    def _records(self) -> DatabaseRecords:
        columns, redact = self.opened.schema.columns, redactor(self.settings)
        return DatabaseRecords(self.opened.database, catalog_of(self.settings), columns, redact)

    def _next_of(self, listed: ListedClaim) -> datetime | None:
        """When a run tries the claim next, as `claim_status` says it."""
        operations = operations_over(
            self.settings, self.opened.database, self.opened.schema, self.opened.clock
        )
        return operations.position(listed.claim, None).next_at

    def _outcome(self, reference: str, worker: Worker, report: Report) -> FetchResult | RecoursError:
        """What the run recorded of the claim; if nothing: what kept the carrier from being asked."""
        listed = self._records.find(reference)
        if listed is None:
            return self.sentences.refused(RefusedClaim(reference, Unfit.UNKNOWN, ""))
        ours = [a for a in self._records.attempts(listed.claim.id) if a.run_id == worker.run_id]
        if ours and ours[-1].outcome == "success":
            return self.sentences.fetched(listed, ours[-1], worker.run_id)
        if ours:
            return self.sentences.failed(listed, ours[-1], worker.run_id, self._next_of(listed))
        if report.fault:
            return self.sentences.bad_run(report.fault)
        if refusal := worker.refusals.get(lane_key(listed.claim)):
            return self.sentences.not_asked(listed, refusal, worker.run_id, self._next_of(listed))
        # Another run was faster, or somebody edited the claim.
        return self.sentences.refused(RefusedClaim(reference, Unfit.LEASED, ""))
