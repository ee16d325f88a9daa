"""The subjects of mails: what happened, then to what or to how many. Foreign text in them is cleaned and cut."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recours.core.accounts import carrier_of
from recours.core.carrier import Catalog
from recours.core.errors import ErrorKind
from recours.core.mail import FAULTS, EventName, MailKind, OutboxEvent, is_listed_with_others, kind_of, things
from recours.core.text import Texts, clean

_LONGEST = 150
_LONGEST_NAME, _LONGEST_REFERENCE = 30, 40


def subject_of(
    kind: MailKind,
    told: Sequence[OutboxEvent],
    language: str,
    catalog: Catalog,
    blocked: Mapping[str, int],
) -> str:
    """The subject of a mail about these events. `blocked`: how many claims wait, by the key of their account."""
    say, told = Texts(language, SUBJECTS[language]), things(told)
    if kind is MailKind.OPERATOR_SUMMARY:
        first, *more = _for_operator(told, say, catalog, blocked)
        subject = first + (say.counted("more", len(more)) if more else "")
    elif kind is MailKind.ACCOUNT_REFUSED:
        refused = say.counted("account_refused", len(told), carrier=_carrier(told[0], catalog))
        subject = refused + _blocked(told, say, blocked)
    elif kind is MailKind.POD_RETRIEVED:
        subject = say.counted("retrieved", len(told), reference=_reference(told[0]))
    else:
        subject = _ended(told, "claims", say, catalog)
    return clean(subject, _LONGEST)


def _for_operator(
    told: Sequence[OutboxEvent], say: Texts, catalog: Catalog, blocked: Mapping[str, int]
) -> Iterator[str]:
    """A phrase for each thing, the most urgent first."""
    of_clients: dict[str, list[OutboxEvent]] = {}
    for event in sorted((event for event in told if event.name in FAULTS), key=_rank):
        if is_listed_with_others(event):
            of_clients.setdefault(carrier_of(event.carrier), []).append(event)
            continue
        kind = kind_of(event)
        what: str = "parcels_denied" if kind is ErrorKind.ACCESS_DENIED else kind or "account_fault"
        yield say(what, carrier=_carrier(event, catalog)) + _blocked([event], say, blocked)
    for carrier, faults in of_clients.items():
        named = clean(catalog.name_of(carrier, carrier), _LONGEST_NAME)
        yield say.counted("accounts_of_clients", len(faults), carrier=named) + _blocked(faults, say, blocked)
    for name, concerned in ((EventName.POD_FAILED, "claims"), (EventName.GAVE_UP, "given_up")):
        if ended := [event for event in told if event.name is name]:
            yield _ended(ended, concerned, say, catalog)
    if expired := [event for event in told if event.name is EventName.EXPIRED]:
        yield say("expired") + say.counted("given_up", len(expired), reference=_reference(expired[0]))


def _rank(event: OutboxEvent) -> tuple[int, int]:
    return FAULTS.index(event.name), event.id


def _ended(told: Sequence[OutboxEvent], concerned: str, say: Texts, catalog: Catalog) -> str:
    """Claims without a proof, with the reason if they have one in common."""
    reasons = {(kind_of(event), event.carrier, not event.number) for event in told}
    ((kind, _, is_unnumbered),) = reasons if len(reasons) == 1 else {(None, "", False)}
    reason = "no_number" if kind is ErrorKind.INVALID_TRACKING and is_unnumbered else kind or "other"
    named = say(reason, carrier=_carrier(told[0], catalog))
    return named + say.counted(concerned, len(told), reference=_reference(told[0]))


def _blocked(told: Sequence[OutboxEvent], say: Texts, blocked: Mapping[str, int]) -> str:
    count = sum(blocked.get(key, 0) for key in {event.carrier for event in told})
    return say.counted("blocked", count) if count else ""


def _carrier(event: OutboxEvent, catalog: Catalog) -> str:
    return clean(catalog.name_of(event.carrier, event.carrier), _LONGEST_NAME)


def _reference(event: OutboxEvent) -> str:
    return clean(event.facts.get("reference") or "?", _LONGEST_REFERENCE)


_K = ErrorKind
SUBJECTS: dict[str, dict[str, Any]] = {
    "fr": {
        # Why a claim has no proof.
        "no_number": "Numéro de suivi manquant",
        _K.INVALID_TRACKING: "Numéro non valable chez {carrier}",
        _K.NOT_FOUND: "Numéro inconnu chez {carrier}",
        _K.ACCESS_DENIED: "{carrier} refuse l'accès à la livraison",
        _K.RETURNED_TO_SENDER: "Retour à l'expéditeur par {carrier}",
        _K.POD_NEVER_AVAILABLE: "Aucune preuve de livraison chez {carrier}",
        _K.UNSUPPORTED_CARRIER: "Transporteur {carrier} non pris en charge",
        _K.NOT_DELIVERED_YET: "Toujours pas livré par {carrier}",
        _K.POD_NOT_AVAILABLE_YET: "Toujours pas de preuve chez {carrier}",
        _K.SERVER_ERROR: "{carrier} indisponible",
        _K.TIMEOUT: "{carrier} ne répond pas",
        _K.NETWORK: "{carrier} injoignable",
        _K.BAD_RESPONSE: "Réponses inutilisables de {carrier}",
        _K.RATE_LIMITED: "{carrier} limite nos appels",
        _K.AUTH_FAILED: "{carrier} refuse nos identifiants",
        _K.ACCOUNT_DENIED: "Compte {carrier} sans accès au service",
        _K.NOT_CONFIGURED: "Identifiants {carrier} absents",
        _K.INTERNAL_ERROR: "Erreur interne de recours ({carrier})",
        "other": "Preuve de livraison introuvable",
        "expired": "Échéance dépassée",
        # What is wrong with an account.
        "parcels_denied": "{carrier} nous refuse de nombreux colis",
        "account_fault": "Compte {carrier} inutilisable",
        "accounts_of_clients": "{count} compte{s} de client{s} refusé{s} par {carrier}",
        "account_refused": (
            "Votre compte {carrier} est refusé",
            "Vos comptes sont refusés par {count} transporteurs",
        ),
        "retrieved": (
            "Preuve de livraison obtenue : dossier {reference}",
            "Preuve de livraison obtenue : {count} dossiers",
        ),
        # Whom it concerns.
        "claims": (" – dossier {reference}", " – {count} dossiers"),
        "given_up": (" – dossier {reference} abandonné", " – {count} dossiers abandonnés"),
        "blocked": " – {count} réclamation{s} bloquée{s}",
        "more": " (et {count} autre{s} point{s})",
    },
    "en": {
        "no_number": "Tracking number missing",
        _K.INVALID_TRACKING: "Number not valid at {carrier}",
        _K.NOT_FOUND: "Number unknown to {carrier}",
        _K.ACCESS_DENIED: "{carrier} refuses access to the delivery",
        _K.RETURNED_TO_SENDER: "Returned to the sender by {carrier}",
        _K.POD_NEVER_AVAILABLE: "No proof of delivery at {carrier}",
        _K.UNSUPPORTED_CARRIER: "Carrier {carrier} not supported",
        _K.NOT_DELIVERED_YET: "Still not delivered by {carrier}",
        _K.POD_NOT_AVAILABLE_YET: "Still no proof at {carrier}",
        _K.SERVER_ERROR: "{carrier} unavailable",
        _K.TIMEOUT: "{carrier} does not answer",
        _K.NETWORK: "{carrier} cannot be reached",
        _K.BAD_RESPONSE: "Unusable answers from {carrier}",
        _K.RATE_LIMITED: "{carrier} limits our calls",
        _K.AUTH_FAILED: "{carrier} rejects our credentials",
        _K.ACCOUNT_DENIED: "No access for our {carrier} account",
        _K.NOT_CONFIGURED: "{carrier} has no credentials",
        _K.INTERNAL_ERROR: "Internal error of recours ({carrier})",
        "other": "No proof of delivery",
        "expired": "Deadline passed",
        "parcels_denied": "{carrier} denies us many parcels",
        "account_fault": "The {carrier} account cannot be used",
        "accounts_of_clients": "{carrier} refuses {count} account{s} of clients",
        "account_refused": (
            "Your {carrier} account is refused",
            "Your accounts are refused by {count} carriers",
        ),
        "retrieved": (
            "Proof of delivery obtained: claim {reference}",
            "Proof of delivery obtained: {count} claims",
        ),
        "claims": (" – claim {reference}", " – {count} claims"),
        "given_up": (" – claim {reference} given up", " – {count} claims given up"),
        "blocked": " – {count} claim{s} blocked",
        "more": " (and {count} more)",
    },
}
