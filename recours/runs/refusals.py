"""Why a person cannot do with a claim what they ask for, as a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from recours.core.claim import Claim
from recours.core.text import clean
from recours.core.translations import N_, translate


class Unfit(StrEnum):
    """Why a claim that was asked for by name cannot be fetched."""

    UNKNOWN = "unknown"
    HAS_POD = "has_pod"
    NOT_WANTED = "not_wanted"  # its claim status says so
    LEASED = "held"  # by a run, at this moment


ERASED = N_("{reference} was erased on {at} by {by}.")
NO_CARRIER = N_("There is no carrier '{carrier}'; known: {known}.")

# {reference}, {near} and other facts are filled in.
_SENTENCES: dict[str, str] = {
    Unfit.UNKNOWN: N_("There is no claim '{reference}'."),
    "near": N_("There is no claim '{reference}'. Did you mean {near}?"),
    Unfit.HAS_POD: N_("{reference} already has its proof of delivery; nothing was done."),
    Unfit.NOT_WANTED: N_(
        "{reference} has the status '{status}': such claims are not fetched (RECOURS_SKIP_CLAIM_STATUSES)."
    ),
    Unfit.LEASED: N_("{reference} is being fetched by another run right now; try again in a minute."),
    "erased": ERASED,
    "in_use": N_("{reference} is in use by a run or by the service right now; try again in a minute."),
    "not_erased": N_(
        "{reference} was not erased: the service's database refuses any change to its row ({why})."
    ),
    "changed": N_("{what} changed at this very moment; nothing was done, try again."),
    "has_failed": N_(
        "{reference} is enrolled: its first fetch failed. 'recours why {reference}' says what comes next."
    ),
    "is_pending": N_("{reference} is enrolled: it waits for its first fetch."),
    "excluded": N_("{reference} is excluded: 'recours enroll {reference}' brings it back."),
    "reopened": N_("{reference} was reopened or corrected already: the next run assesses it again."),
    "no_retry_used": N_("{reference} has used no retry yet: there is nothing to start over."),
    "not_given_up": N_("{reference} was not given up: 'recours why {reference}' says where it stands."),
    "no_correction": N_(
        "Nothing of {reference} would change: its tracking number and its carrier are these already."
    ),
    "not_of_carrier": N_('"{number}" is not a {carrier} tracking number (example: {example}).'),
    "no_number": N_("A tracking number is a text of 1 to {longest} characters."),
    "no_room": N_(
        "The column {column} has the type {type}, which cannot hold '{text}': extend the type, then try again."
    ),
    "no_evidence": N_(
        "There is no proof of {reference} yet: 'recours why {reference}' says what comes next."
    ),
    "file_changed": N_(
        "The file {file} is missing or was changed: no dossier was made. 'recours verify {reference}' says more."
    ),
    "no_reason": N_("Say why, for those who ask later."),
    "no_carrier": NO_CARRIER,
    # Of a file, or a line of it.
    "large_file": N_("The file is larger than {mb} MB: split it."),
    "many_rows": N_("The file has more than {most} rows: split it."),
    "not_text": N_("The file cannot be read: save it as CSV in the spreadsheet."),
    "empty_file": N_("The file names no claim."),
    "unreadable_line": N_(
        "This line cannot be read: is a quotation mark missing, or are there more cells than columns?"
    ),
    "no_reference": N_("This line names no claim."),
    "no_values": N_("{reference}: the line has neither a tracking number nor a carrier."),
    "conflict": N_("{reference} has different values on lines {lines}: correct the file."),
    "repeated": N_("{reference} stands on line {line} already."),
    "too_many": N_("{count} claims are too many at once: choose at most {most}."),
}


@dataclass(frozen=True)
class ClaimRefusal:
    """`why`: the key of its sentence. `suggestion`: the reference that was meant, perhaps. `facts`: what else is filled in."""

    why: str
    reference: str = ""
    suggestion: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    def sentence(self, language: str = "en") -> str:
        facts = {"reference": clean(self.reference, 100), "near": clean(self.suggestion, 100), **self.facts}
        return translate(language, _SENTENCES["near" if self.suggestion else self.why]).format(**facts)

    @property
    def is_so_already(self) -> bool:
        return self.why in _SO_ALREADY


# What was asked for is so already.
_SO_ALREADY = frozenset(
    {"repeated", "no_correction", "excluded", "reopened", "no_retry_used", "has_failed", "is_pending"}
)


class ClaimsRefusedError(Exception):
    """What was asked for cannot be done with what was named: a sentence for each, a line each."""

    def __init__(self, *refusals: ClaimRefusal | str) -> None:
        super().__init__("\n".join(text if isinstance(text, str) else text.sentence() for text in refusals))
        self.refusals = tuple(refusal for refusal in refusals if isinstance(refusal, ClaimRefusal))

    def sentences(self, language: str) -> str:
        return "\n".join(refusal.sentence(language) for refusal in self.refusals)


class UnfitClaimsError(ClaimsRefusedError):
    """Claims that were asked for by name cannot be fetched."""


def not_wanted(claim: Claim) -> ClaimRefusal:
    """Its own status sets it aside."""
    return ClaimRefusal(Unfit.NOT_WANTED, claim.reference, facts={"status": clean(claim.claim_status, 30)})


def why_erased(claim: Claim) -> ClaimRefusal | None:
    """Nothing is done with a claim that was erased."""
    if claim.erased is None:
        return None
    facts = {"at": claim.erased.at.date().isoformat(), "by": clean(claim.erased.by, 100)}
    return ClaimRefusal("erased", claim.reference, facts=facts)
