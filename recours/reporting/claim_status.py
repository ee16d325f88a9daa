"""The status of a claim for the service's own application, with a sentence in English or French."""

from dataclasses import dataclass
from datetime import date, datetime

from recours.core.claim import MANUAL
from recours.core.errors import Actor, ErrorKind
from recours.core.localized import Localized
from recours.core.position import Position, Standing, Why, closing_of
from recours.core.text import clean
from recours.core.translations import N_, translate
from recours.reporting.evidence import ClaimEvidence, piece_text
from recours.reporting.labels import ASKED, CLOSINGS, error_of, evidence_text, person_named
from recours.reporting.plan import day_in_line_text
from recours.reporting.records import ListedClaim
from recours.runs.refusals import ERASED


@dataclass(frozen=True)
class ClaimStatus:
    """The status of a claim. Datetimes are aware UTC, but `sentence` shows times in RECOURS_TIMEZONE."""

    reference: str
    stage: Standing
    sentence: str
    carrier: str  # display name
    attempts: int  # including the first fetch
    next_try_at: datetime | None = None  # earliest time of the next attempt; None: none
    kind: ErrorKind | None = None  # the error of the last attempt
    error: str | None = None  # this error as a sentence
    pod_path: str | None = None
    signatory: str | None = None
    fetched_at: datetime | None = None
    actor: Actor | None = None  # who can act; None: no action is needed
    evidence_until: datetime | None = None  # when the carrier deletes the parcel's data, if known
    # For a due claim, the estimated earliest day of its attempt. None: no other claims delay it, or its worker does
    # not run.
    not_before: date | None = None
    # What the claim's POD shows, as a phrase; None: the claim has no POD, or the POD was not examined.
    shows: str | None = None
    # Whether the evidence proves the delivery: proves, partly, not, unknown; None: the dispute is not known.
    support: str | None = None
    verdict: str | None = None  # the same as a sentence, with the missing evidence


# A sentence for each stage. {reference}, {status}, {at}, {next}, {asked}, {error} are filled in.
STATUS: dict[Standing, str] = {
    Standing.FETCHED: N_("{reference}: the proof of delivery was fetched on {at}."),
    Standing.IN_HAND: N_("{reference} is being fetched right now."),
    Standing.NOT_SEEN: N_("{reference} is new or was edited. The next run will assess it."),
    Standing.LEFT_ALONE: N_("{reference} is not enrolled: no proof of delivery was requested."),
    Standing.ERASED: ERASED,
    Standing.UNNUMBERED: N_("{reference} is waiting for a tracking number."),
    Standing.NEW: N_("{reference} is new. The next run of the fetch worker will ask the carrier."),
    Standing.WAITING: N_("{reference} is waiting for its next attempt on {next}.{error}"),
    Standing.READY: N_(
        "{reference} is due. The next run of the retry scheduler will ask the carrier.{error}"
    ),
    Standing.SETTLED: N_(
        "{reference} needs correction: the carrier is not asked again until someone corrects the claim.{error}"
    ),
    Standing.SHELVED: N_("{reference} has the status '{status}', so a proof is no longer needed."),
    Standing.GIVEN_UP: N_("recours gave up on {reference}: {asked}.{error}"),
}

# Sentences that replace the sentence of the stage. Keys are reasons for attempting a claim or not, or special cases:
# an excluded claim, a proof of unknown time, the last attempt before the deadline, a claim that is waiting in line.
INSTEAD: dict[str, str] = {
    Why.NOT_ASKED: N_("{reference} is due, but recours cannot ask the carrier: {missing}.{error}"),
    Why.CLOSED: N_("{reference} is waiting until {next}: {closing}.{error}"),
    Why.BLOCKED: N_("{reference} is blocked until someone acts: {closing}.{error}"),
    Why.ENDING: N_("{reference} has no retries left: recours gives up on it {end}.{error}"),
    Why.EXPIRING: N_(
        "The deadline of {reference} passed long ago: recours gives up on it at its next retry.{error}"
    ),
    "excluded": N_("{reference} is excluded: recours does not fetch its proof of delivery."),
    "undated": N_("{reference} has its proof of delivery."),
    "last_by_backoff": N_(
        "{reference} is waiting until {next} for one last attempt before its deadline.{error}"
    ),
    "last_due": N_("{reference} is due. The next run makes one last attempt before its deadline.{error}"),
    "last_in_line": N_(
        "{reference} is due for one last attempt before its deadline and is waiting in line.{error}"
    ),
    "new_in_line": N_("{reference} is new and waiting in line.{error}"),
    "ready_in_line": N_("{reference} is due and waiting in line.{error}"),
}

# When recours gives up on a claim that has no retries left: at a later time, or in the next run if that time is over.
END = (N_("on {at}"), N_("in the next run"))

# Why the carrier cannot be asked: no tracking number, or an unknown carrier.
MISSING = (N_("the claim has no tracking number"), N_("its carrier is not supported"))

_NO_EVIDENCE = ClaimEvidence()


class StatusSentences(Localized):
    """Writes claim statuses in one language."""

    def status(
        self,
        listed: ListedClaim,
        where: Position,
        *,
        carrier: str,
        asked_count: int,
        not_before: date | None = None,
        now: datetime | None = None,
        evidence: ClaimEvidence = _NO_EVIDENCE,
    ) -> ClaimStatus:
        """The status of a claim. `carrier`: display name; `asked_count`: how often the carrier was asked about it.

        `not_before`: the estimated earliest day of its attempt, as of `now`; None if no other claims delay the attempt.
        """
        claim = listed.claim
        standing = where.standing
        language = self.language
        carrier = clean(carrier, 60)
        form = INSTEAD.get(where.why) or STATUS[standing]
        if standing is Standing.LEFT_ALONE and claim.fetch_status == MANUAL:
            form = INSTEAD["excluded"]
        elif standing is Standing.FETCHED and not listed.fetched_at:
            form = INSTEAD["undated"]
        elif not_before is not None and where.why in (Why.NEW, Why.DUE):
            form = INSTEAD.get("last_in_line" if where.is_last else f"{standing}_in_line", form)
        elif where.is_last:
            form = INSTEAD.get(f"last_{where.why}", form)
        error = None if standing in (Standing.FETCHED, Standing.ERASED) else error_of(language, claim)
        closing = translate(language, CLOSINGS[closing_of(where.refusal)]) if where.refusal else ""
        sentences = [
            self(
                form,
                reference=clean(claim.reference, 100),
                status=clean(claim.claim_status or "", 100),
                at=self.minute(claim.erased.at if claim.erased else listed.fetched_at),
                next=self.minute(where.next_at),
                by=person_named(language, claim.erased.by) if claim.erased else "",
                asked=self(ASKED[min(asked_count, 2)], count=asked_count),
                missing=self(MISSING[claim.number is not None]),
                end=self(END[where.is_due], at=self.minute(where.state.next_at)),
                closing=closing.format(carrier=carrier),
                error=self(" Last result: {error}.", error=error.rstrip(".")) if error else "",
            )
        ]
        if not_before and now:
            sentences.append(day_in_line_text(self, not_before, now))
        if where.evidence and where.evidence.counts:
            sentences.append(evidence_text(self, where.evidence, carrier))
        is_open = standing not in (
            Standing.FETCHED,
            Standing.LEFT_ALONE,
            Standing.ERASED,
            Standing.NOT_SEEN,
        )
        pod = next((piece for piece in evidence.pieces if piece.path == listed.pod_url), None)
        return ClaimStatus(
            reference=claim.reference,
            stage=standing,
            sentence=" ".join(sentences),
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
            shows=piece_text(pod, self) if pod else None,
            support=evidence.verdict.support if evidence.verdict else None,
            verdict=evidence.verdict_text(language) or None,
        )
