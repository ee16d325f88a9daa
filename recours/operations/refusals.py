"""Why a person cannot do with a claim what they ask for: a sentence in English or French."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recours.core.claim import Claim
from recours.core.text import clean
from recours.runs.source import UNFIT, Unfit, unknown_claim

if TYPE_CHECKING:
    from recours.database.claims import ClaimRepository

_SENTENCES: dict[str, dict[str, str]] = {
    "en": {
        "changed": "{what} changed at this very moment; nothing was done, try again.",
        "has_failed": "{reference} is enrolled: its first fetch failed. 'recours why {reference}' says what comes next.",
        "is_pending": "{reference} is enrolled: it waits for its first fetch.",
        "excluded": "{reference} is excluded: 'recours enroll {reference}' brings it back.",
        "reopened": "{reference} was reopened or corrected already: the next run assesses it again.",
        "not_given_up": "{reference} was not given up: 'recours why {reference}' says where it stands.",
        "no_correction": "Nothing of {reference} would change: its tracking number and its carrier are these already.",
        "not_of_carrier": '"{number}" is not a {carrier} tracking number (example: {example}).',
        "no_number": "A tracking number is a text of 1 to {longest} characters.",
        "no_room": "The column {column} has the type {type}, which cannot hold '{text}': extend the type, then try again.",
        "no_reason": "Say why, for those who ask later.",
        "too_many": "{count} claims are too many at once: choose at most {most}.",
    },
    "fr": {
        "changed": "{what} : modification simultanée ; rien n'a été fait, réessayez.",
        "has_failed": "{reference} est déjà prise en charge : sa première recherche a échoué.",
        "is_pending": "{reference} est déjà prise en charge : elle attend sa première recherche.",
        "excluded": "{reference} est déjà exclue.",
        "reopened": "{reference} a déjà été relancée ou corrigée : la prochaine exécution l'examine.",
        "not_given_up": "{reference} n'est pas abandonnée : « recours why {reference} » dit où en est la recherche.",
        "no_correction": "{reference} a déjà ce numéro de suivi et ce transporteur : rien ne changerait.",
        "not_of_carrier": "« {number} » n'est pas un numéro de suivi {carrier} (exemple : {example}).",
        "no_number": "Un numéro de suivi est un texte de 1 à {longest} caractères.",
        "no_room": "La colonne {column} est du type {type}, qui ne peut pas contenir « {text} » : étendez ce type, puis réessayez.",
        "no_reason": "Indiquez le motif, pour ceux qui le demanderont plus tard.",
        "too_many": "{count} réclamations à la fois, c'est trop : choisissez-en {most} au plus.",
    },
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
        return (UNFIT[language] | _SENTENCES[language])[self.why].format(**self.facts)


class ClaimsRefusedError(Exception):
    """With what was named, what was asked for cannot be done: a sentence for each, a line each."""

    def __init__(self, *refused: ClaimRefusal | str) -> None:
        super().__init__("\n".join(one if isinstance(one, str) else one.sentence("en") for one in refused))
        self.refused = tuple(one for one in refused if isinstance(one, ClaimRefusal))

    def sentences(self, language: str) -> str:
        return "\n".join(one.sentence(language) for one in self.refused)


def unknown(claims: "ClaimRepository", reference: str) -> ClaimRefusal:
    """What is said of a reference that is none, with the nearest one."""
    near = unknown_claim(claims, reference).near
    facts = {"reference": clean(reference, 100), "near": clean(near or "", 100)}
    return ClaimRefusal("near" if near else Unfit.UNKNOWN, facts)


def not_wanted(claim: Claim) -> ClaimRefusal:
    """Its own status sets it aside."""
    return ClaimRefusal.of(claim, Unfit.NOT_WANTED, status=clean(claim.claim_status, 30))
