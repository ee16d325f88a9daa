"""Why a person cannot do with a claim what they ask for: a sentence in English or French."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from recours.core.claim import Claim
from recours.core.text import clean
from recours.runs.source import Suggests, can_be_reference, unknown_claim

_SENTENCES: dict[str, dict[str, str]] = {
    "en": {
        "unknown": "There is no claim '{reference}'.",
        "near": "There is no claim '{reference}'. Did you mean {near}?",
        "changed": "{what} changed at this very moment; nothing was done, try again.",
        "leased": "{reference} is being fetched by a run at this moment; try again in a minute.",
        "not_wanted": "{reference} has the status '{status}': such claims are not fetched (RECOURS_SKIP_CLAIM_STATUSES).",
        "nothing_to_fetch": "{reference} has its POD: there is nothing to fetch.",
        "has_failed": "{reference} is enrolled: its first fetch failed. 'recours why {reference}' says what comes next.",
        "is_pending": "{reference} is enrolled: it waits for its first fetch.",
        "has_pod": "{reference} has its POD: no run works on it.",
        "excluded": "{reference} is excluded: 'recours enroll {reference}' brings it back.",
        "nothing_to_retry": "{reference} has its POD: there is nothing to try again.",
        "reopened": "{reference} was reopened or corrected already: the next run assesses it again.",
        "not_given_up": "{reference} has not given up: {standing}.",
        "nothing_to_correct": "{reference} has its POD: there is nothing to correct.",
        "no_correction": "Nothing of {reference} would change: its tracking number and its carrier are these already.",
        "no_carrier": "There is no carrier '{carrier}'; known: {known}.",
        "not_of_carrier": '"{number}" is not a {carrier} tracking number (example: {example}).',
        "no_number": "A tracking number is a text of 1 to {longest} characters.",
        "no_reason": "Say why, for those who ask later.",
        "too_many": "{count} claims are too many at once: choose at most {most}.",
    },
    "fr": {
        "unknown": "La réclamation « {reference} » n'existe pas.",
        "near": "La réclamation « {reference} » n'existe pas. Vouliez-vous dire {near} ?",
        "changed": "{what} : modification simultanée ; rien n'a été fait, réessayez.",
        "leased": "{reference} : une exécution s'en occupe en ce moment ; réessayez dans une minute.",
        "not_wanted": "{reference} a le statut « {status} » : de telles réclamations ne sont pas recherchées (RECOURS_SKIP_CLAIM_STATUSES).",
        "nothing_to_fetch": "{reference} a déjà sa preuve de livraison : rien à demander.",
        "has_failed": "{reference} est déjà prise en charge : sa première recherche a échoué.",
        "is_pending": "{reference} est déjà prise en charge : elle attend sa première recherche.",
        "has_pod": "{reference} a déjà sa preuve de livraison : aucune exécution ne s'en occupe.",
        "excluded": "{reference} est déjà exclue.",
        "nothing_to_retry": "{reference} a déjà sa preuve de livraison : rien à relancer.",
        "reopened": "{reference} a déjà été relancée ou corrigée : la prochaine exécution l'examine.",
        "not_given_up": "{reference} n'est pas abandonnée : {standing}.",
        "nothing_to_correct": "{reference} a déjà sa preuve de livraison : rien à corriger.",
        "no_correction": "{reference} a déjà ce numéro de suivi et ce transporteur : rien ne changerait.",
        "no_carrier": "Le transporteur « {carrier} » n'existe pas ; connus : {known}.",
        "not_of_carrier": "« {number} » n'est pas un numéro de suivi {carrier} (exemple : {example}).",
        "no_number": "Un numéro de suivi est un texte de 1 à {longest} caractères.",
        "no_reason": "Indiquez le motif, pour ceux qui le demanderont plus tard.",
        "too_many": "{count} réclamations à la fois, c'est trop : choisissez-en {most} au plus.",
    },
}


@dataclass(frozen=True)
class ClaimRefusal:
    """What was asked for cannot be done with a claim. `why`: the key of its sentence; `facts`: what is filled in.

    A fact that is a mapping has its text by language.
    """

    why: str
    facts: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, claim: Claim, why: str, **facts: str | Mapping[str, str]) -> "ClaimRefusal":
        return cls(why, {"reference": claim.reference, **facts})

    def sentence(self, language: str) -> str:
        facts = {name: fact if isinstance(fact, str) else fact[language] for name, fact in self.facts.items()}
        return _SENTENCES[language][self.why].format(**facts)


class ClaimsRefusedError(Exception):
    """With what was named, what was asked for cannot be done: a sentence for each, a line each."""

    def __init__(self, *refused: ClaimRefusal | str) -> None:
        super().__init__("\n".join(one if isinstance(one, str) else one.sentence("en") for one in refused))
        self.refused = tuple(one for one in refused if isinstance(one, ClaimRefusal))

    def sentences(self, language: str) -> str:
        return "\n".join(one.sentence(language) for one in self.refused)


class Finds(Suggests, Protocol):
    """Reads claims by their references."""

    def find(self, reference: str) -> Claim | None: ...


def sort_out(
    claims: Finds, references: Sequence[str], why_not: Callable[[Claim], ClaimRefusal | None]
) -> tuple[list[Claim], dict[str, ClaimRefusal]]:
    """The claims of these references with which it can be done, and why not with the others, by their references."""
    found, refused = [], {}
    for reference in dict.fromkeys(references):
        claim = claims.find(reference) if can_be_reference(reference) else None
        if claim is None:
            refused[reference] = unknown(claims, reference)
        elif fault := why_not(claim):
            refused[reference] = fault
        else:
            found.append(claim)
    return found, refused


def named(
    claims: Finds, references: Sequence[str], why_not: Callable[[Claim], ClaimRefusal | None]
) -> list[Claim]:
    """The claims of these references. Raises ClaimsRefusedError if it cannot be done with all of them."""
    found, refused = sort_out(claims, references, why_not)
    if refused:
        raise ClaimsRefusedError(*refused.values())
    return found


def unknown(claims: Suggests, reference: str) -> ClaimRefusal:
    """What is said of a reference that is none, with the nearest one."""
    near = unknown_claim(claims, reference).near
    facts = {"reference": clean(reference, 100)}
    return (
        ClaimRefusal("near", facts | {"near": clean(near, 100)}) if near else ClaimRefusal("unknown", facts)
    )


def not_wanted(claim: Claim) -> ClaimRefusal:
    """Its own status sets it aside."""
    return ClaimRefusal.of(claim, "not_wanted", status=clean(claim.claim_status, 30))
