"""The API for the service's own application: fetch or attach a POD, read a claim's status, manage a client's account.

Call the functions as `recours.fetch_claim`, `recours.attach` and so on, from any number of threads at once. They run in
the caller's process with the settings of this checkout. They install no signal handlers, and no log handlers that
outlast the call.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from recours.admin.actions import AccountResult, Actions
from recours.admin.attach import LONGEST_NAME
from recours.admin.fetch import fetch_claims
from recours.admin.results import AttachResult, FetchResult, RecoursError, ResultSentences
from recours.app import open_app
from recours.carriers.registry import CATALOG
from recours.core.errors import RunError
from recours.core.evidence import EvidenceKind
from recours.core.outcome import PROOF_KINDS
from recours.core.text import clean
from recours.core.translations import LANGUAGES
from recours.database.engine import DatabaseError
from recours.reporting.claim_reports import explanation_of
from recours.reporting.claim_status import ClaimStatus
from recours.runs.refusals import ClaimRefusal, Unfit
from recours.runs.source import can_be_reference, unknown_claim
from recours.settings.loading import load_at_home
from recours.settings.model import Settings, SettingsError


def fetch_claim(reference: str, *, by: str = "", language: str | None = None) -> FetchResult:
    """Fetch the POD of a claim now, regardless of its backoff, and return when the carrier has answered.

    Works like `pod_retry_scheduler.py --claim`, with the same queue, quotas, lease, records and log. The next run sends
    any resulting emails. Also works for pending and given-up claims. `by`: the person to record as the requester;
    "": none. `language`: the language of sentences, `en` or `fr`; None: RECOURS_LANGUAGE.

    Raises CorrectReferenceError, TryAgainSoonError, ShowExistingPODError, NotWantedError, TryLaterError,
    AskOperatorError. Each is a RecoursError with a sentence for people as its message.
    """
    with _translating_errors(language) as (settings, sentences):
        (outcome,) = fetch_claims(settings, sentences, [reference], by=clean(by, LONGEST_NAME))
    if isinstance(outcome, RecoursError):
        raise outcome
    return outcome


def defer_fetch(reference: str, *, language: str | None = None) -> None:
    """Ask a long-lived worker (`recours worker`) to fetch the POD of a claim now, and return without waiting.

    Call it after the transaction that writes the claim is committed. A new claim gets its ordinary first attempt; any
    other claim is fetched as with `fetch_claim`. A lost request does no harm, because workers find the claim within a
    minute.

    Raises CorrectReferenceError if the text cannot be a reference; TryLaterError; AskOperatorError on SQLite, without
    the extra `fleet`, or if `recours init-db --fleet` was never run.
    """
    from recours.fleet.job_queue import open_queue  # noqa: PLC0415 (few applications use it)

    with _translating_errors(language) as (settings, sentences):
        if not can_be_reference(reference):
            raise sentences.refused(ClaimRefusal(Unfit.UNKNOWN, reference))
        open_queue(settings).defer_fetch(reference)


def claim_status(reference: str, language: str | None = None) -> ClaimStatus:
    """Read a claim's status without calls or changes. Raises CorrectReferenceError, TryLaterError, AskOperatorError."""
    with _translating_errors(language) as (settings, sentences):
        app = open_app(settings)
        with closing(app.database):
            explanation = explanation_of(app, reference, language=sentences.language)
            if explanation is None:
                raise sentences.refused(unknown_claim(app.claims, reference))
            return explanation.status


def attach(
    reference: str,
    file: str | Path,
    *,
    by: str,
    kind: str = "letter",
    signed_by: str | None = None,
    at: date | None = None,
    language: str | None = None,
) -> AttachResult:
    """Attach a proof that a person has to a claim, as a copy of the file. The carrier is then no longer called.

    `by`: the person to record. `kind`: `letter`, `signature` or `photo`. `at`: the day or time of the delivery; a
    time without an offset is in RECOURS_TIMEZONE. Raises CorrectReferenceError; CorrectFileError if the file proves
    nothing or the given facts are impossible; TryAgainSoonError, TryLaterError, AskOperatorError.
    """
    if kind not in PROOF_KINDS:
        raise ValueError(f"kind must be one of {', '.join(PROOF_KINDS)}")
    if not (person := clean(by, LONGEST_NAME)):
        raise ValueError("by must name the person")
    with _acting(person, language) as actions:
        return actions.attach(
            reference, Path(file), Path(file).name, kind=EvidenceKind(kind), signed_by=signed_by, at=at
        )


def set_account(
    client: Any,
    carrier: str,
    credentials: Mapping[str, str],
    *,
    limits: Mapping[str, str] | None = None,
    check: bool = False,
    by: str = "the service's application",
    language: str | None = None,
) -> AccountResult:
    """Store a client's own credentials at a carrier, sealed, replacing earlier ones.

    `client`: the client's email address or id. `credentials`: values by the carrier's setting names, with or without
    their prefix, such as `account` and `password`. `limits`: by capability ("" for all calls), such as
    `{"": "100/day"}`; None: unchanged, initially the carrier's defaults. `check`: check the credentials with one real
    call. The credentials are stored even if the check fails. `by`: the person to record.

    Raises CorrectAccountError, TryLaterError, AskOperatorError.
    """
    with _acting(by, language) as actions:
        return actions.set_account(client, carrier, credentials, limits, check=check)


def check_account(
    client: Any, carrier: str, *, by: str = "the service's application", language: str | None = None
) -> AccountResult:
    """Check a client's credentials with one real call, within limits and pauses. `by`: the person to record.

    Raises CorrectAccountError if the client has no account with the carrier, TryLaterError, AskOperatorError.
    """
    with _acting(by, language) as actions:
        return actions.check_account(client, carrier)


@contextmanager
def _translating_errors(language: str | None) -> Iterator[tuple[Settings, ResultSentences]]:
    """Provide the settings and the sentences. Faults are raised as exceptions of the API, translated to `language`."""
    if language not in (None, *LANGUAGES):
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, or None")
    try:
        settings = load_at_home(os.environ, CATALOG)
    except SettingsError as fault:
        raise ResultSentences(language or LANGUAGES[0]).bad_settings(fault.faults) from fault
    sentences = ResultSentences(language or settings.mail.language, settings.policy.zone)
    try:
        yield settings, sentences
    except DatabaseError as fault:
        raise sentences.no_database(str(fault)) from fault
    except RunError as fault:
        raise sentences.bad_run(str(fault)) from fault


@contextmanager
def _acting(by: str, language: str | None) -> Iterator[Actions]:
    """Open the database and provide the actions of a person. Errors: see `_translating_errors`."""
    with _translating_errors(language) as (settings, sentences):
        app = open_app(settings)
        with closing(app.database):
            yield Actions(app, by, sentences.language)
