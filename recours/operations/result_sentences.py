"""A claim, and a fetch that was asked for, told to a person: pure functions over what was recorded."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from recours.core.claim import Claim
from recours.core.errors import ErrorKind
from recours.core.sentences import sentence
from recours.core.text import LocalTime, clean, format_minute
from recours.operations.api_results import (
    AskOperatorError,
    ClaimStatus,
    CorrectReferenceError,
    FetchResult,
    NotWantedError,
    RecoursError,
    ShowExistingPODError,
    Standing,
    TryAgainSoonError,
    TryLaterError,
)
from recours.operations.labels import (
    ANSWERS,
    CLOSINGS,
    INSTEAD,
    KINDS,
    MISSING,
    STATUS,
    asked_words,
    error_of,
    quoted,
    reason_of,
)
from recours.operations.position import Position, closing_of
from recours.operations.records import ListedClaim, PastAttempt
from recours.runs.ports import Refusal
from recours.runs.source import RefusedClaim, Unfit


class ResultSentences:
    """Tells in one language, in local time."""

    def __init__(self, language: str, local: LocalTime) -> None:
        """`language`: en or fr."""
        self.language = language
        self._local = local
        self._words = ANSWERS[language]

    # ---------------------------------------------------------------- where a claim stands

    def status(self, listed: ListedClaim, where: Position, *, carrier: str, asked: int) -> ClaimStatus:
        """Where a claim stands. `carrier`: its name for people; `asked`: how often it was asked about the claim."""
        claim, stands = listed.claim, where.standing
        is_open = stands not in (Standing.FETCHED, Standing.LEFT_ALONE, Standing.NOT_SEEN)
        error = None if stands is Standing.FETCHED else error_of(self.language, claim)
        return ClaimStatus(
            reference=claim.reference,
            stage=stands,
            sentence=self._status_sentence(listed, where, clean(carrier, 60), error, asked),
            carrier=clean(carrier, 60),
            attempts=claim.retries_counted,
            next_try_at=where.next_at,
            kind=claim.state.kind if is_open else None,
            error=error,
            pod_path=listed.pod_url,
            signatory=clean(listed.signatory, 100) if listed.signatory else None,
            fetched_at=listed.fetched_at,
            actor=where.actor,
        )

    def _status_sentence(
        self, listed: ListedClaim, where: Position, carrier: str, error: str | None, asked: int
    ) -> str:
        before = " : " if self.language == "fr" else ": "
        closing = CLOSINGS[self.language][closing_of(where.refusal)] if where.refusal else ""
        sentence = INSTEAD[self.language].get(where.why) or STATUS[self.language][where.standing]
        return sentence.format(
            reference=clean(listed.claim.reference, 100),
            at=format_minute(listed.fetched_at, self._local) if listed.fetched_at else "?",
            next=format_minute(where.next_at, self._local) if where.next_at else "?",
            asked=asked_words(self.language, asked),
            missing=MISSING[self.language][listed.claim.number is not None],
            closing=closing.format(carrier=carrier),
            error=f"{before}{error.rstrip('.')}" if error else "",
        )

    # ---------------------------------------------------------------- how a fetch ended

    def fetched(self, listed: ListedClaim, attempt: PastAttempt, run_id: str) -> FetchResult:
        """The POD is there."""
        who = clean(attempt.signatory, 100) if attempt.signatory else None
        signed = self._say("signed", signatory=who) if who else ""
        return FetchResult(
            listed.claim.reference,
            fetched=True,
            sentence=self._say("fetched", reference=clean(listed.claim.reference, 100), signed=signed),
            attempt_used=True,
            pod_path=attempt.document_path,
            signatory=who,
            delivered_at=attempt.delivered_at,
            delivered_day=attempt.delivered_day,
            run_id=run_id,
        )

    def failed(
        self, listed: ListedClaim, attempt: PastAttempt, run_id: str, next_at: datetime | None
    ) -> FetchResult:
        """The attempt brought no POD. `next_at`: when a run tries the claim next; None: none does."""
        kind = ErrorKind(attempt.kind) if attempt.kind else ErrorKind.INTERNAL_ERROR
        error = self._error(attempt)
        text = self._no(listed.claim, "not_fetched", kind, error or "")
        if not attempt.used:
            text += self._say("left")
        elif next_at:
            text += self._say("next", next=format_minute(next_at, self._local))
        else:
            text += self._say("no_next")
        return FetchResult(
            listed.claim.reference,
            fetched=False,
            sentence=text,
            kind=kind,
            error=error,
            attempt_used=attempt.used,
            next_try_at=next_at,
            delivered_at=attempt.delivered_at,
            delivered_day=attempt.delivered_day,
            run_id=run_id,
        )

    def not_asked(
        self, listed: ListedClaim, refusal: Refusal, run_id: str, next_at: datetime | None
    ) -> FetchResult:
        """The queue refused the call. `next_at`: as above."""
        reason = reason_of(self.language, refusal, clean(listed.claim.carrier_name, 60))
        text = self._no(listed.claim, "not_asked", refusal.kind, reason) + self._say("left")
        if next_at:
            text += self._say("next", next=format_minute(next_at, self._local))
        return FetchResult(
            listed.claim.reference,
            fetched=False,
            sentence=text,
            kind=refusal.kind,
            error=reason,
            next_try_at=next_at,
            run_id=run_id,
        )

    def _error(self, attempt: PastAttempt) -> str | None:
        """The error in words; its kind is a field of its own."""
        if attempt.said:
            return sentence(self.language, attempt.said)
        return quoted(self.language, attempt.message) if attempt.message else None

    def _no(self, claim: Claim, key: str, kind: ErrorKind, error: str) -> str:
        return self._say(
            key,
            reference=clean(claim.reference, 100),
            kind=KINDS[self.language][kind],
            error=clean(error).rstrip("."),
        )

    # ---------------------------------------------------------------- what stood in the way

    def refused(self, refused: RefusedClaim, pod_path: str | None = None) -> RecoursError:
        """The error for a claim that cannot be fetched."""
        near = clean(refused.near, 100) if refused.near else None
        sentence = self._say(str(refused.why), reference=clean(refused.reference, 100))
        if refused.why is Unfit.UNKNOWN:
            sentence += self._say("near", near=near) if near else ""
            return CorrectReferenceError(sentence, refused.near)
        if refused.why is Unfit.HAS_POD:
            return ShowExistingPODError(sentence, pod_path)
        return (TryAgainSoonError if refused.why is Unfit.HELD else NotWantedError)(sentence)

    def held(self, reference: str) -> RecoursError:
        return self.refused(RefusedClaim(reference, Unfit.HELD, ""))

    def bad_settings(self, faults: Sequence[str]) -> RecoursError:
        told = tuple(clean(fault) for fault in faults)
        return AskOperatorError(self._say("settings", faults=" ".join(told)), told)

    def no_database(self, fault: str) -> RecoursError:
        return TryLaterError(self._say("database", fault=clean(fault, 500)))

    def bad_run(self, fault: str) -> RecoursError:
        return AskOperatorError(self._say("run", fault=clean(fault, 500)), (clean(fault, 500),))

    def _say(self, key: str, **facts: Any) -> str:
        return self._words[key].format(**facts)
