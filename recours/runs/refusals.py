"""Why a person cannot do with a claim what they ask for, as a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recours.core.claim import Claim
from recours.core.text import clean
from recours.core.translations import N_, translate
from recours.runs.source import UNFIT, Unfit, unknown_claim

if TYPE_CHECKING:
    from recours.database.claims import ClaimRepository

NO_CARRIER = N_("There is no carrier '{carrier}'; known: {known}.")

_SENTENCES: dict[str, str] = {
    "changed": N_("{what} changed at this very moment; nothing was done, try again."),
    "has_failed": N_(
        "{reference} is enrolled: its first fetch failed. 'recours why {reference}' says what comes next."
    ),
    "is_pending": N_("{reference} is enrolled: it waits for its first fetch."),
    "excluded": N_("{reference} is excluded: 'recours enroll {reference}' brings it back."),
    "reopened": N_("{reference} was reopened or corrected already: the next run assesses it again."),
    "not_given_up": N_("{reference} was not given up: 'recours why {reference}' says where it stands."),
    "no_correction": N_(
        "Nothing of {reference} would change: its tracking number and its carrier are these already."
    ),
    "not_of_carrier": N_('"{number}" is not a {carrier} tracking number (example: {example}).'),
    "no_number": N_("A tracking number is a text of 1 to {longest} characters."),
    "no_room": N_(
        "The column {column} has the type {type}, which cannot hold '{text}': extend the type, then try again."
    ),
    "no_reason": N_("Say why, for those who ask later."),
    "no_carrier": NO_CARRIER,
    "too_many": N_("{count} claims are too many at once: choose at most {most}."),
}


@dataclass(frozen=True)
class ClaimRefusal:
    """What was asked for cannot be done with a claim. `why`: the key of its sentence; `facts`: what is filled in."""

    why: str
    facts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, claim: Claim, why: str, **facts: str) -> "ClaimRefusal":
        return cls(why, {"reference": claim.reference, **facts})

    def sentence(self, language: str) -> str:
        return translate(language, (UNFIT | _SENTENCES)[self.why]).format(**self.facts)


class ClaimsRefusedError(Exception):
    """With what was named, what was asked for cannot be done: a sentence for each, a line each."""

    def __init__(self, *refused: ClaimRefusal | str) -> None:
        super().__init__("\n".join(one if isinstance(one, str) else one.sentence("en") for one in refused))
        self.refused = tuple(one for one in refused if isinstance(one, ClaimRefusal))

    def sentences(self, language: str) -> str:
        return "\n".join(one.sentence(language) for one in self.refused)


def unknown(claims: "ClaimRepository", reference: str) -> ClaimRefusal:
    """What is said of a reference that is none, with the nearest one."""
    suggestion = unknown_claim(claims, reference).suggestion
    facts = {"reference": clean(reference, 100), "near": clean(suggestion or "", 100)}
    return ClaimRefusal("near" if suggestion else Unfit.UNKNOWN, facts)


def not_wanted(claim: Claim) -> ClaimRefusal:
    """Its own status sets it aside."""
    return ClaimRefusal.of(claim, Unfit.NOT_WANTED, status=clean(claim.claim_status, 30))
