"""What the service's own application gets: where a claim stands, how a fetch ended, or what stood in the way.

Each has a sentence for people in English or French.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from recours.core.errors import TRAITS, Actor, ErrorKind
from recours.core.localized import Localized
from recours.core.outcome import StoredDocument
from recours.core.pauses import Refusal
from recours.core.position import Position, Standing, Why, closing_of
from recours.core.recorded_phrases import DocumentFlaw
from recours.core.text import clean
from recours.core.translations import N_, translate
from recours.operations.accounts import OF_INSTALLATION, AccountRefusedError
from recours.operations.attach import REFUSED, NotAttachedError
from recours.reporting.evidence import ClaimEvidence, piece_text, source_name
from recours.reporting.labels import (
    CLOSINGS,
    colon,
    error_of,
    evidence_text,
    explain_or_quote,
    reason_of,
    times_asked,
)
from recours.reporting.plan import day_in_line_text
from recours.reporting.records import ListedClaim, PastAttempt
from recours.runs.source import RefusedClaim, Unfit


@dataclass(frozen=True)
class ClaimStatus:
    """Where a claim stands. Datetimes are aware UTC; `sentence` says it all for a person, in RECOURS_TIMEZONE."""

    reference: str
    stage: Standing
    sentence: str
    carrier: str  # as people write it
    attempts: int  # that were made, the first fetch among them
    next_try_at: datetime | None = None  # when a run tries it at the earliest; None: it is not tried
    kind: ErrorKind | None = None  # of what the last attempt ended with
    error: str | None = None  # the same, as it stands in the claim
    pod_path: str | None = None
    signatory: str | None = None
    fetched_at: datetime | None = None
    actor: Actor | None = None  # who can do something about it; None: nothing is in the way
    evidence_until: datetime | None = None  # by when its carrier has forgotten the parcel, if that is known
    # The day before which no run tries one that is due, an estimate. None: it does not wait for others, or its worker does
    # not run.
    not_before: date | None = None
    # What can be read on its POD, as a phrase; None: it has none, or it was not examined.
    shows: str | None = None
    # How far all its evidence carries the dispute: proves, partly, not, unknown; None: nobody says what is disputed.
    support: str | None = None
    verdict: str | None = None  # the same as a sentence, with what is missing


@dataclass(frozen=True)
class FetchResult:
    """How a fetch that was asked for ended. Datetimes are aware UTC; `sentence` says it all for a person."""

    reference: str
    fetched: bool
    sentence: str
    kind: ErrorKind | None = None  # None: the POD is there
    error: str | None = None  # what the carrier said, or what kept it from being asked
    attempt_used: bool = False  # False: nothing was asked, or what came is not the claim's fault
    next_try_at: datetime | None = None
    pod_path: str | None = None
    signatory: str | None = None
    delivered_at: datetime | None = None
    run_id: str = ""
    delivered_day: str | None = None  # an ISO date, where the carrier gave no time


@dataclass(frozen=True)
class AttachResult:
    """What came of a file that a person attached. `sentence` says it all for a person."""

    reference: str
    sentence: str
    path: str  # where it is stored
    sha256: str
    is_pod: bool  # the claim's POD from now on; else `pod_path` is, which goes before it
    pod_path: str
    shows: str  # what can be read on it, as a phrase
    # How far all evidence of the claim carries its dispute: proves, partly, not, unknown; None: nobody says what is disputed.
    support: str | None = None


class RecoursError(Exception):
    """Nothing was fetched and nothing was changed. The text is a sentence for a person, in the language asked for."""


class CorrectReferenceError(RecoursError):
    """There is no such claim: correct the reference. `suggestion`: the one that was meant, perhaps."""

    def __init__(self, sentence: str, suggestion: str | None = None) -> None:
        super().__init__(sentence)
        self.suggestion = suggestion


class CorrectFileError(RecoursError):
    """The file proves nothing about the claim, or what was said of it cannot be: correct it, or take another one."""


class CorrectAccountError(RecoursError):
    """There is no such client, carrier or account, or the credentials or limits cannot be used: correct them."""


class TryAgainSoonError(RecoursError):
    """A run holds the claim at this moment: try again in a minute."""


class ShowExistingPODError(RecoursError):
    """The claim has its POD already: show that. `pod_path`: where it lies."""

    def __init__(self, sentence: str, pod_path: str | None = None) -> None:
        super().__init__(sentence)
        self.pod_path = pod_path


class NotWantedError(RecoursError):
    """The claim's own status says that no POD is wanted any more: leave it, or change the status."""


class TryLaterError(RecoursError):
    """The database cannot be used now: try later, and tell the operator if it lasts."""


class AskOperatorError(RecoursError):
    """Settings, folders or the network of this machine: only the operator can mend it. `faults`: a sentence each."""

    def __init__(self, sentence: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.faults = faults


# ---------------------------------------------------------------- the sentences

# What a claim's standing means, as a sentence. {reference}, {at}, {next}, {asked}, {error} are filled in.
STATUS: dict[Standing, str] = {
    Standing.FETCHED: N_("{reference}: the proof of delivery was fetched on {at}."),
    Standing.IN_HAND: N_("{reference} is being fetched at this moment."),
    Standing.NOT_SEEN: N_("{reference} is new or was corrected: the next run assesses it."),
    Standing.LEFT_ALONE: N_("{reference}: no proof of delivery was asked for."),
    Standing.UNNUMBERED: N_("{reference} has no tracking number: it waits for one."),
    Standing.NEW: N_("{reference} is new: the next run of the fetch worker asks the carrier."),
    Standing.WAITING: N_("{reference} waits for its next try on {next}{error}."),
    Standing.READY: N_("{reference} is due: the next run of the scheduler asks the carrier{error}."),
    Standing.SETTLED: N_("{reference} is not asked about again unless it is corrected{error}."),
    Standing.SHELVED: N_("{reference}: the status of the claim says that no proof is wanted."),
    Standing.GIVEN_UP: N_("{reference} was given up; {asked}{error}."),
}

# What is said instead of a standing's sentence: by why the claim is, or is not, tried; of its last attempt before its
# deadline; and of one that waits for its turn.
INSTEAD: dict[str, str] = {
    Why.NOT_ASKED: N_("{reference} is due, and nothing can be asked: {missing}{error}."),
    Why.CLOSED: N_("{reference} waits until {next}: {closing}{error}."),
    Why.BLOCKED: N_("{reference} waits until someone acts: {closing}{error}."),
    Why.ENDING: N_("{reference} has no retry left: it is given up {end}{error}."),
    Why.EXPIRING: N_(
        "{reference} is given up at its next retry: its response deadline passed long ago{error}."
    ),
    "last_by_backoff": N_("{reference} waits for one last attempt before its deadline, on {next}{error}."),
    "last_due": N_("{reference} is due: the next run makes one last attempt before its deadline{error}."),
    "last_in_line": N_(
        "{reference} is due for one last attempt before its deadline and waits for its turn{error}."
    ),
    "new_in_line": N_("{reference} is new and waits for its turn{error}."),
    "ready_in_line": N_("{reference} is due and waits for its turn{error}."),
}

# When a claim without a retry left is given up: it is due, or it still waits for the time of its next one.
END = (N_("on {at}"), N_("by the next run"))

# Why nothing can be asked: no number, or no carrier that is known.
MISSING = (N_("it has no tracking number"), N_("its carrier is not supported"))

# How a fetch that was asked for ended, and what stood in its way.
ANSWERS: dict[str, str] = {
    "fetched": N_("{reference}: the proof of delivery is there{signed}."),
    "signed": N_(", signed by {signatory}"),
    "not_fetched": N_("{reference}: no proof of delivery ({kind}): {error}."),
    "not_asked": N_("{reference}: the carrier was not asked ({kind}): {error}."),
    "next": N_(" Next try: {next}."),
    "no_next": N_(" It is not tried again by itself unless the claim is corrected."),
    "left": N_(" No attempt was used up."),
    "attached": N_("{reference}: the proof of delivery is there, attached by hand. It shows: {shows}."),
    "beside": N_(
        "{reference}: attached beside the proof of delivery that goes before it. It shows: {shows}."
    ),
    "settings": N_("recours cannot work with its settings; ask the operator. {faults}"),
    "database": N_("The database cannot be used at the moment; nothing was changed. {fault}"),
    "run": N_("The fetch could not be made; ask the operator. {fault}"),
}


_NO_EVIDENCE = ClaimEvidence()


class ResultSentences(Localized):
    """Results in one language."""

    def status(
        self,
        listed: ListedClaim,
        where: Position,
        *,
        carrier: str,
        asked: int,
        not_before: date | None = None,
        now: datetime | None = None,
        evidence: ClaimEvidence = _NO_EVIDENCE,
    ) -> ClaimStatus:
        """Where a claim stands. `carrier`: its name for people; `asked`: how often it was asked about the claim.

        `not_before`: the day before which its turn does not come, as of `now`; None: it does not wait for others.
        """
        claim, stands, language = listed.claim, where.standing, self.language
        carrier = clean(carrier, 60)
        is_open = stands not in (Standing.FETCHED, Standing.LEFT_ALONE, Standing.NOT_SEEN)
        error = None if stands is Standing.FETCHED else error_of(language, claim)
        closing = translate(language, CLOSINGS[closing_of(where.refusal)]) if where.refusal else ""
        form = self._form(where, waits=not_before is not None)
        waits = f" {day_in_line_text(self, not_before, now)}" if not_before and now else ""
        end = self(END[where.is_due], at=self.minute(where.state.next_at))
        return ClaimStatus(
            reference=claim.reference,
            stage=stands,
            sentence=self(
                form,
                reference=clean(claim.reference, 100),
                at=self.minute(listed.fetched_at),
                next=self.minute(where.next_at),
                asked=times_asked(language, asked),
                missing=self(MISSING[claim.number is not None]),
                end=end,
                closing=closing.format(carrier=carrier),
                error=f"{colon(language)}{error.rstrip('.')}" if error else "",
            )
            + waits
            + self._evidence(where, carrier),
            carrier=carrier,
            attempts=where.state.attempts,
            next_try_at=where.next_at,
            kind=claim.state.kind if is_open else None,
            error=error,
            pod_path=listed.pod_url,
            signatory=clean(listed.signatory, 100) if listed.signatory else None,
            fetched_at=listed.fetched_at,
            actor=where.actor,
            evidence_until=where.evidence.ends_at if where.evidence else None,
            not_before=not_before,
            shows=self._shows(evidence, listed.pod_url),
            support=evidence.verdict.support if evidence.verdict else None,
            verdict=evidence.verdict_text(language) or None,
        )

    def _shows(self, evidence: ClaimEvidence, pod_url: str | None) -> str | None:
        pod = next((piece for piece in evidence.pieces if piece.path == pod_url), None)
        return piece_text(pod, self) if pod else None

    def _evidence(self, where: Position, carrier: str) -> str:
        """A sentence to follow, where the end of the evidence counts."""
        if where.evidence is None or not where.evidence.counts:
            return ""
        return " " + evidence_text(self, where.evidence, carrier)

    def _form(self, where: Position, *, waits: bool) -> str:
        """The sentence about where a claim stands, with what is to be filled in."""
        key = ""
        if waits and where.why in (Why.NEW, Why.DUE):
            key = "last_in_line" if where.is_last else f"{where.standing}_in_line"
        elif where.is_last:
            key = f"last_{where.why}"
        return INSTEAD.get(key) or INSTEAD.get(where.why) or STATUS[where.standing]

    # ---------------------------------------------------------------- how a fetch ended

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
        """The attempt brought no POD. `next_at`: when a run tries the claim next; None: none does."""
        kind = ErrorKind(attempt.kind) if attempt.kind else ErrorKind.INTERNAL_ERROR
        has_error = attempt.explanation or attempt.message
        error = (
            explain_or_quote(self.language, attempt.explanation, None, attempt.message or "")
            if has_error
            else None
        )
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
        """The queue refused the call. `next_at`: as above."""
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

    # ---------------------------------------------------------------- a file that was attached

    def attached(
        self, reference: str, document: StoredDocument, pod_url: str, evidence: ClaimEvidence
    ) -> AttachResult:
        """`pod_url`: what the claim's names now; `evidence`: all of the claim's."""
        piece = next(piece for piece in evidence.pieces if piece.sha256 == document.sha256)
        shows = piece_text(piece, self)
        verdict, text = evidence.verdict, evidence.verdict_text(self.language)
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

    # ---------------------------------------------------------------- a client's account

    def account_refused(self, refused: AccountRefusedError) -> RecoursError:
        text = refused.sentences(self.language)
        if refused.why in OF_INSTALLATION:
            return AskOperatorError(text, (text,))
        return (TryAgainSoonError if refused.why == "changed" else CorrectAccountError)(text)

    # ---------------------------------------------------------------- what stood in the way

    def refused(self, refused: RefusedClaim, pod_path: str | None = None) -> RecoursError:
        """The error for a claim that cannot be fetched."""
        text = refused.sentence(self.language)
        if refused.why is Unfit.UNKNOWN:
            return CorrectReferenceError(text, refused.near)
        if refused.why is Unfit.HAS_POD:
            return ShowExistingPODError(text, pod_path)
        return (TryAgainSoonError if refused.why is Unfit.LEASED else NotWantedError)(text)

    def bad_settings(self, faults: Sequence[str]) -> RecoursError:
        shown = tuple(clean(fault) for fault in faults)
        return AskOperatorError(self._say("settings", faults=" ".join(shown)), shown)

    def no_database(self, fault: str) -> RecoursError:
        return TryLaterError(self._say("database", fault=clean(fault, 500)))

    def bad_run(self, fault: str) -> RecoursError:
        return AskOperatorError(self._say("run", fault=clean(fault, 500)), (clean(fault, 500),))

    def _fact(self, name: str, fact: str) -> str:
        """A fact of a file that was not attached."""
        if name == "reason":
            return DocumentFlaw.translated(self.language, fact)
        if name == "source":
            return source_name(self.language, fact)
        return self.printed(fact) if name in ("at", "created") else fact

    def _say(self, key: str, **facts: Any) -> str:
        return self(ANSWERS[key], **facts)
