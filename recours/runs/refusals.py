"""Sentences for people that state why an action on a claim is not possible."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from recours.core.claim import Claim
from recours.core.text import clean
from recours.core.translations import N_, translate


class Unfit(StrEnum):
    """Why a named claim cannot be fetched."""

    UNKNOWN = "unknown"
    HAS_POD = "has_pod"
    NOT_WANTED = "not_wanted"  # because of its claim status
    LEASED = "held"  # by a run, at this moment


ERASED = N_("{reference} was erased on {at} by {by}.")
NO_CARRIER = N_("There is no carrier '{carrier}'. Supported carriers: {known}.")

# Templates with {reference}, {near} and other facts.
_SENTENCES: dict[str, str] = {
    Unfit.UNKNOWN: N_("There is no claim '{reference}'."),
    "near": N_("There is no claim '{reference}'. Did you mean {near}?"),
    Unfit.HAS_POD: N_("{reference} already has its proof of delivery; nothing was done."),
    Unfit.NOT_WANTED: N_(
        "{reference} has the status '{status}': claims with this status are not fetched "
        "(RECOURS_SKIP_CLAIM_STATUSES)."
    ),
    Unfit.LEASED: N_("{reference} is being fetched by another run right now; try again in a minute."),
    "erased": ERASED,
    "in_use": N_("{reference} is in use by a run or by the service right now; try again in a minute."),
    "not_erased": N_(
        "{reference} was not erased: the service's database rejected the change to its row ({why})."
    ),
    "changed": N_("{what} was changed by someone else at the same time. Nothing was done; try again."),
    "has_failed": N_(
        "{reference} is already enrolled, and its first fetch failed. "
        "Run 'recours why {reference}' to see what happens next."
    ),
    "is_pending": N_("{reference} is already enrolled and waits for its first fetch."),
    "excluded": N_("{reference} is excluded. Run 'recours enroll {reference}' to enroll it again."),
    "reopened": N_("{reference} was already reopened or corrected; the next run assesses it again."),
    "no_retry_used": N_("{reference} has not used any retries yet, so there is nothing to restart."),
    "not_given_up": N_("{reference} is not given up. Run 'recours why {reference}' to see its status."),
    "no_correction": N_("{reference} already has this tracking number and this carrier."),
    "not_of_carrier": N_('"{number}" is not a {carrier} tracking number (example: {example}).'),
    "no_number": N_("A tracking number must have 1 to {longest} characters."),
    "no_room": N_(
        "'{text}' does not fit in the column {column} (type {type}). Change the type, then try again."
    ),
    "no_evidence": N_(
        "There is no proof of delivery for {reference} yet. "
        "Run 'recours why {reference}' to see what happens next."
    ),
    "file_changed": N_(
        "The file {file} is missing or was changed, so no dossier was created. "
        "Run 'recours verify {reference}' for details."
    ),
    "no_reason": N_("Enter a reason; it is recorded with the change."),
    "no_carrier": NO_CARRIER,
    # About an uploaded file or one of its lines.
    "large_file": N_("The file is larger than {mb} MB. Split it."),
    "many_rows": N_("The file has more than {most} rows. Split it."),
    "not_text": N_("The file cannot be read. Save it as CSV in your spreadsheet program."),
    "empty_file": N_("The file contains no claims."),
    "unreadable_line": N_(
        "This line cannot be read: a quotation mark is missing, or there are more cells than columns."
    ),
    "no_reference": N_("This line has no claim reference."),
    "empty_values": N_("{reference}: the line has neither a tracking number nor a carrier."),
    "conflict": N_("{reference} has different values on lines {lines}. Correct the file."),
    "repeated": N_("{reference} is already on line {line}."),
    "too_many": N_("{count} claims are too many at once. Choose at most {most}."),
}


@dataclass(frozen=True)
class ClaimRefusal:
    """`why`: the key of the sentence. `suggestion`: a similar reference. `facts`: other values of the template."""

    why: str
    reference: str = ""
    suggestion: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    def sentence(self, language: str = "en") -> str:
        facts = {"reference": clean(self.reference, 100), "near": clean(self.suggestion, 100), **self.facts}
        return translate(language, _SENTENCES["near" if self.suggestion else self.why]).format(**facts)

    @property
    def is_already_done(self) -> bool:
        return self.why in _SO_ALREADY


# The claim is already in the requested state.
_SO_ALREADY = frozenset(
    {"repeated", "no_correction", "excluded", "reopened", "no_retry_used", "has_failed", "is_pending"}
)


class ClaimsRefusedError(Exception):
    """Raised if a requested action is not possible. The message has one line, a sentence, for each claim or value."""

    def __init__(self, *refusals: ClaimRefusal | str) -> None:
        super().__init__("\n".join(text if isinstance(text, str) else text.sentence() for text in refusals))
        self.refusals = tuple(refusal for refusal in refusals if isinstance(refusal, ClaimRefusal))

    def sentences(self, language: str) -> str:
        return "\n".join(refusal.sentence(language) for refusal in self.refusals)


class UnfitClaimsError(ClaimsRefusedError):
    """Raised if named claims cannot be fetched."""


def refuse_unwanted(claim: Claim) -> ClaimRefusal:
    """Return the refusal of a claim whose own status excludes it from fetching."""
    return ClaimRefusal(Unfit.NOT_WANTED, claim.reference, facts={"status": clean(claim.claim_status, 30)})


def why_erased(claim: Claim) -> ClaimRefusal | None:
    """Return the refusal of a claim that was erased; None if it was not."""
    if claim.erased is None:
        return None
    facts = {"at": claim.erased.at.date().isoformat(), "by": clean(claim.erased.by, 100)}
    return ClaimRefusal("erased", claim.reference, facts=facts)
