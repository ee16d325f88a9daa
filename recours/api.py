"""For the service's own application: a claim's POD fetched now or attached, where a claim stands, a client's account.

All are called as `recours.fetch_claim`, `recours.attach` and so on, from any thread and any number of them at once.
They work in the caller's process with the settings of this checkout, and put nothing into it: no signal handler, and
no log handler beyond the call.
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
    """Fetch the POD of a claim now, whatever its backoff; returns when the carrier has answered.

    It goes the way of `pod_retry_scheduler.py --claim`: the same queue and quotas, lease, records and log; mails that
    come of it are sent by the next run. Also for a claim that is pending, or that was given up. `by`: the person who asks
    for it, who is recorded; "": nobody is. `language`: of the sentences, `en` or `fr`; None: RECOURS_LANGUAGE.

    Raises CorrectReferenceError, TryAgainSoonError, ShowExistingPODError, NotWantedError, TryLaterError,
    AskOperatorError: each a RecoursError whose text is a sentence for a person.
    """
    with _translating_errors(language) as (settings, sentences):
        (outcome,) = fetch_claims(settings, sentences, [reference], by=clean(by, LONGEST_NAME))
    if isinstance(outcome, RecoursError):
        raise outcome
    return outcome


def defer_fetch(reference: str, *, language: str | None = None) -> None:
    """Have a long-lived worker (`recours worker`) fetch the POD of a claim at once; returns without waiting for it.

    Call it when the transaction that writes the claim has been committed. A new claim gets its first attempt, as a
    scheduled run would make it; another one is fetched as by `fetch_claim`. What is lost on the way does no harm: the claim
    is found within a minute. Raises CorrectReferenceError if it can be no claim's reference; TryLaterError; AskOperatorError on SQLite, without the extra `fleet`, or if
    `recours init-db --fleet` was never run.
    """
    from recours.fleet.job_queue import open_queue  # noqa: PLC0415 (few applications use it)

    with _translating_errors(language) as (settings, sentences):
        if not can_be_reference(reference):
            raise sentences.refused(ClaimRefusal(Unfit.UNKNOWN, reference))
        open_queue(settings).defer_fetch(reference)


def claim_status(reference: str, language: str | None = None) -> ClaimStatus:
    """Where a claim stands. Asks no carrier and changes nothing. Raises CorrectReferenceError, TryLaterError, AskOperatorError."""
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
    """Give a claim a proof that a person has; the file is copied. The claim's carrier is not asked any more.

    `by`: the person, who is recorded; `kind`: `letter`, `signature` or `photo`; `at`: of the delivery, a day or a time, which
    without an offset is in RECOURS_TIMEZONE. Raises CorrectReferenceError; CorrectFileError if the file proves nothing, or
    what was said of it cannot be; TryAgainSoonError, TryLaterError, AskOperatorError.
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
    """Keep a client's own credentials at a carrier, sealed, in the place of those that it had.

    `client`: its address or its number. `credentials`: by the names of the carrier's settings, with or without its prefix:
    `account`, `password`. `limits`: by the kind of call, "" for all: `{"": "100/day"}`; None: as they are, at first the
    carrier's. `check`: try them with one real call; they are kept whatever it answers. `by`: who is recorded.

    Raises CorrectAccountError, TryLaterError, AskOperatorError.
    """
    with _acting(by, language) as actions:
        return actions.set_account(client, carrier, credentials, limits, check=check)


def check_account(
    client: Any, carrier: str, *, by: str = "the service's application", language: str | None = None
) -> AccountResult:
    """Try a client's credentials with one real call, within limits and pauses. `by`: who is recorded.

    Raises CorrectAccountError if it has no account there, TryLaterError, AskOperatorError.
    """
    with _acting(by, language) as actions:
        return actions.check_account(client, carrier)


@contextmanager
def _translating_errors(language: str | None) -> Iterator[tuple[Settings, ResultSentences]]:
    """The settings, and the sentences; a fault on the way becomes the error that says it in that language."""
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
    """What a person does; see `_translating_errors`."""
    with _translating_errors(language) as (settings, sentences):
        app = open_app(settings)
        with closing(app.database):
            yield Actions(app, by, sentences.language)
