"""Results of fetching and attaching, and errors of actions, each with a sentence in English or French."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recours.accounts.rules import OF_INSTALLATION, AccountRefusedError
from recours.admin.attach import REFUSED, NotAttachedError
from recours.core.errors import TRAITS, ErrorKind
from recours.core.evidence import DocumentFlaw
from recours.core.localized import Localized
from recours.core.outcome import StoredDocument
from recours.core.pauses import Refusal
from recours.core.text import clean
from recours.core.translations import N_
from recours.reporting.evidence import ClaimEvidence, piece_text, source_name
from recours.reporting.labels import explain_or_quote, reason_of
from recours.reporting.records import ListedClaim, PastAttempt
from recours.runs.refusals import ClaimRefusal, Unfit


@dataclass(frozen=True)
class FetchResult:
    """The result of a requested fetch, summed up by `sentence`. Datetimes are aware UTC."""

    reference: str
    fetched: bool
    sentence: str
    kind: ErrorKind | None = None  # None: the POD was fetched
    error: str | None = None  # the carrier's answer, or why no call was made
    attempt_used: bool = False  # False: the carrier was not asked, or the failure does not count
    next_try_at: datetime | None = None
    pod_path: str | None = None
    signatory: str | None = None
    delivered_at: datetime | None = None
    run_id: str = ""
    delivered_day: str | None = None  # an ISO date, if the carrier gave no time


@dataclass(frozen=True)
class AttachResult:
    """The result of attaching a file, summed up by `sentence`."""

    reference: str
    sentence: str
    path: str  # the path of the stored file
    sha256: str
    is_pod: bool  # the file is now the claim's POD; otherwise `pod_path` takes precedence
    pod_path: str
    shows: str  # what the file shows, as a phrase
    # Whether the claim's evidence proves the delivery: proves, partly, not, unknown; None: the dispute is not known.
    support: str | None = None


class RecoursError(Exception):
    """Nothing was fetched or changed. The message is a sentence for people, in the requested language."""


class CorrectReferenceError(RecoursError):
    """No claim has this reference: correct it. `suggestion`: the most similar reference."""

    def __init__(self, sentence: str, suggestion: str | None = None) -> None:
        super().__init__(sentence)
        self.suggestion = suggestion


class CorrectFileError(RecoursError):
    """The file proves nothing about the claim, or its details are impossible: correct them or use another file."""


class CorrectAccountError(RecoursError):
    """The client, carrier or account does not exist, or the credentials or limits are invalid: correct the input."""


class TryAgainSoonError(RecoursError):
    """A run is fetching the claim: try again in a minute."""


class ShowExistingPODError(RecoursError):
    """The claim already has its POD: show it. `pod_path`: its path."""

    def __init__(self, sentence: str, pod_path: str | None = None) -> None:
        super().__init__(sentence)
        self.pod_path = pod_path


class NotWantedError(RecoursError):
    """The claim's status says that a POD is no longer needed: leave the claim, or change its status."""


class TryLaterError(RecoursError):
    """The database cannot be used right now: try again later, and tell the operator if the error persists."""


class AskOperatorError(RecoursError):
    """Only the operator can fix the settings, folders or network of this machine. `faults`: one sentence per fault."""

    def __init__(self, sentence: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.faults = faults


# ---------------------------------------------------------------- sentences

# Results of requested fetches, and errors.
ANSWERS: dict[str, str] = {
    "fetched": N_("{reference}: proof of delivery fetched{signed}."),
    "signed": N_(", signed by {signatory}"),
    "not_fetched": N_("{reference}: no proof of delivery ({kind}): {error}."),
    "not_asked": N_("{reference}: the carrier was not asked ({kind}): {error}."),
    "next": N_(" Next attempt: {next}."),
    "no_next": N_(" recours does not retry it unless the claim is corrected."),
    "left": N_(" No attempt was used."),
    "attached": N_("{reference}: proof of delivery attached. It shows: {shows}."),
    "beside": N_(
        "{reference}: attached as further evidence; the current proof of delivery takes precedence. It "
        "shows: {shows}."
    ),
    "settings": N_("recours cannot use its settings; ask the operator. {faults}"),
    "database": N_("The database cannot be used right now; nothing was changed. {fault}"),
    "run": N_("The fetch failed; ask the operator. {fault}"),
}


class ResultSentences(Localized):
    """Creates results in one language."""

    def fetched(self, listed: ListedClaim, attempt: PastAttempt, run_id: str) -> FetchResult:
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
        """The result of an attempt without a POD. `next_at`: when the next attempt is due; None: no further attempt."""
        kind = ErrorKind(attempt.kind) if attempt.kind else ErrorKind.INTERNAL_ERROR
        error = None
        if attempt.explanation or attempt.message:
            error = explain_or_quote(self.language, attempt.explanation, None, attempt.message or "")
        reference = listed.claim.reference
        if not attempt.used:
            outlook = self._say("left")
        elif next_at:
            outlook = self._say("next", next=self.minute(next_at))
        else:
            outlook = self._say("no_next")
        return FetchResult(
            reference,
            fetched=False,
            sentence=self._no_pod("not_fetched", reference, kind, error or "") + outlook,
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
        """The result if the queue refused the call. `next_at`: see `failed`."""
        reference = listed.claim.reference
        reason = reason_of(self.language, refusal, clean(listed.claim.carrier_name, 60))
        text = self._no_pod("not_asked", reference, refusal.kind, reason) + self._say("left")
        if next_at:
            text += self._say("next", next=self.minute(next_at))
        return FetchResult(
            reference,
            fetched=False,
            sentence=text,
            kind=refusal.kind,
            error=reason,
            next_try_at=next_at,
            run_id=run_id,
        )

    def _no_pod(self, key: str, reference: str, kind: ErrorKind, error: str) -> str:
        label = self(TRAITS[kind].label)
        return self._say(key, reference=clean(reference, 100), kind=label, error=clean(error).rstrip("."))

    def attached(
        self, reference: str, document: StoredDocument, pod_url: str, evidence: ClaimEvidence
    ) -> AttachResult:
        """The result of attaching `document`. `pod_url`: the claim's current POD; `evidence`: all its evidence."""
        piece = next(piece for piece in evidence.pieces if piece.sha256 == document.sha256)
        shows = piece_text(piece, self)
        verdict = evidence.verdict
        text = evidence.verdict_text(self.language)
        is_pod = document.path == pod_url
        key = "attached" if is_pod else "beside"
        return AttachResult(
            reference,
            sentence=f"{self._say(key, reference=clean(reference, 100), shows=shows)} {text}".strip(),
            path=document.path,
            sha256=document.sha256,
            is_pod=is_pod,
            pod_path=pod_url,
            shows=shows,
            support=verdict.support if verdict else None,
        )

    def not_attached(self, refused: NotAttachedError) -> RecoursError:
        facts = {name: self._fact(name, fact) for name, fact in refused.facts.items()}
        text = self(REFUSED[refused.why], **facts)
        return (TryAgainSoonError if refused.why == "changed" else CorrectFileError)(text)

    def account_refused(self, refused: AccountRefusedError) -> RecoursError:
        text = refused.sentences(self.language)
        if refused.why in OF_INSTALLATION:
            return AskOperatorError(text, (text,))
        return (TryAgainSoonError if refused.why == "changed" else CorrectAccountError)(text)

    def refused(self, refused: ClaimRefusal, pod_path: str | None = None) -> RecoursError:
        """Return the error for a claim that cannot be fetched."""
        text = refused.sentence(self.language)
        if refused.why is Unfit.UNKNOWN:
            return CorrectReferenceError(text, refused.suggestion)
        if refused.why is Unfit.HAS_POD:
            return ShowExistingPODError(text, pod_path)
        return (TryAgainSoonError if refused.why is Unfit.LEASED else NotWantedError)(text)

    def bad_settings(self, faults: Sequence[str]) -> RecoursError:
        lines = tuple(clean(fault) for fault in faults)
        return AskOperatorError(self._say("settings", faults=" ".join(lines)), lines)

    def no_database(self, fault: str) -> RecoursError:
        return TryLaterError(self._say("database", fault=clean(fault, 500)))

    def bad_run(self, fault: str) -> RecoursError:
        return AskOperatorError(self._say("run", fault=clean(fault, 500)), (clean(fault, 500),))

    def _fact(self, name: str, fact: str) -> str:
        """Format a fact about a file that was not attached."""
        if name == "reason":
            return DocumentFlaw.translated(self.language, fact)
        if name == "source":
            return source_name(self.language, fact)
        return self.printed_time(fact) if name in ("at", "created") else fact

    def _say(self, key: str, **facts: Any) -> str:
        return self(ANSWERS[key], **facts)
