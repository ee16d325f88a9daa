"""The sentences about failed fetches, in English and French: one for each key, with the carrier's own words quoted in it.

Kind, key and words are stored; a sentence is made of them wherever it is shown, in the language of its reader. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any, Self

from recours.core.accounts import account_name
from recours.core.errors import ErrorKind
from recours.core.text import clean, names_text, plain

LONGEST_NAME, LONGEST_MESSAGE = 60, 200

_K = ErrorKind


class Sentence(StrEnum):
    """What there is to say, apart from the carrier's own words. Values are stored and must not change.

    `{carrier}` is filled in. In brackets: where the words go, if there are any; without brackets they come last.
    """

    kind: ErrorKind | None  # None: the sentence itself tells none
    texts: tuple[str, str]  # in English and French

    # The defaults are for looking one up by its value, which does not come here.
    def __new__(cls, value: str, kind: ErrorKind | None = None, en: str = "", fr: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.kind, member.texts = kind, (en, fr)
        return member

    # fmt: off
    # ---------------------------------------------------------------- the number
    NUMBER_MISSING = ("number_missing", _K.INVALID_TRACKING,
        "Invalid tracking number: the claim has none",
        "Numéro de suivi invalide : la réclamation n'en a pas")
    NUMBER_MALFORMED = ("number_malformed", _K.INVALID_TRACKING,
        "This is not a {carrier} tracking number[ (example: {words})]",
        "Ce n'est pas un numéro de suivi {carrier}[ (exemple : {words})]")
    NUMBER_REJECTED = ("number_rejected", _K.INVALID_TRACKING,
        "{carrier} rejects this tracking number as invalid",
        "{carrier} juge le numéro de suivi invalide")
    NUMBER_REJECTED_MISTYPED = ("number_rejected_mistyped", _K.INVALID_TRACKING,
        "{carrier} rejects this tracking number as invalid, and its check digit is wrong: it is probably mistyped",
        "{carrier} juge le numéro de suivi invalide, et sa clé de contrôle est fausse : c'est sans doute une faute de frappe")
    NUMBER_UNKNOWN = ("number_unknown", _K.NOT_FOUND,
        "{carrier} does not know this number",
        "Numéro inconnu chez {carrier}")
    NUMBER_UNKNOWN_MISTYPED = ("number_unknown_mistyped", _K.NOT_FOUND,
        "{carrier} does not know this number, and its check digit is wrong: it is probably mistyped",
        "Numéro inconnu chez {carrier}, et sa clé de contrôle est fausse : c'est sans doute une faute de frappe")
    NUMBER_REUSED = ("number_reused", _K.NOT_FOUND,
        "{carrier} knows only an earlier parcel with this number[ (delivered on {words})]",
        "{carrier} ne connaît sous ce numéro qu'un colis livré bien avant cette commande")
    PARCEL_TOO_OLD = ("parcel_too_old", _K.NOT_FOUND,
        "{carrier} does not show this parcel any more: it is too old",
        "Colis trop ancien : introuvable désormais chez {carrier}")
    # ---------------------------------------------------------------- the parcel
    PARCEL_NOT_OURS = ("parcel_not_ours", _K.ACCESS_DENIED,
        "The parcel does not belong to our {carrier} contract",
        "Le colis n'appartient pas à notre contrat {carrier}")
    PARCEL_DENIED = ("parcel_denied", _K.ACCESS_DENIED,
        "{carrier} accepts our account, but refuses this parcel",
        "Accès refusé à ce colis : {carrier} accepte pourtant notre compte")
    PARCEL_NOT_CLIENTS = ("parcel_not_clients", _K.ACCESS_DENIED,
        "The parcel does not belong to the client's {carrier} contract",
        "Le colis n'appartient pas au contrat {carrier} du client")
    PARCEL_DENIED_TO_CLIENT = ("parcel_denied_to_client", _K.ACCESS_DENIED,
        "{carrier} accepts the client's account, but refuses this parcel",
        "Accès refusé à ce colis : {carrier} accepte pourtant le compte du client")
    RETURNED = ("returned", _K.RETURNED_TO_SENDER,
        "{carrier} says that the parcel was returned to the sender[ ({words})]",
        "{carrier} indique que le colis est retourné à l'expéditeur")
    RETURN_DELIVERED = ("return_delivered", _K.RETURNED_TO_SENDER,
        "{carrier} says that the parcel turned back and was then delivered, so to its sender[ ({words})]",
        "{carrier} indique que le colis a fait demi-tour avant d'être livré : retour à l'expéditeur")
    DESTROYED = ("destroyed", _K.POD_NEVER_AVAILABLE,
        "{carrier} says that the parcel was destroyed, so it will never be delivered[ ({words})]",
        "{carrier} indique que le colis a été détruit : la preuve de livraison n'existera jamais")
    SEIZED = ("seized", _K.POD_NEVER_AVAILABLE,
        "{carrier} says that the parcel was seized, so it will never be delivered[ ({words})]",
        "{carrier} indique que le colis a été saisi : la preuve de livraison n'existera jamais")
    PROHIBITED = ("prohibited", _K.POD_NEVER_AVAILABLE,
        "{carrier} says that the contents of the parcel are prohibited, so it will never be delivered[ ({words})]",
        "{carrier} indique que le contenu du colis est interdit : la preuve de livraison n'existera jamais")
    CANCELLED = ("cancelled", _K.POD_NEVER_AVAILABLE,
        "{carrier} says that the shipment was cancelled, so it will never be delivered[ ({words})]",
        "{carrier} indique que l'envoi a été annulé : la preuve de livraison n'existera jamais")
    CARRIER_MISSING = ("carrier_missing", _K.UNSUPPORTED_CARRIER,
        "Unsupported carrier: the claim names none",
        "Transporteur non pris en charge : la réclamation n'en indique aucun")
    CARRIER_UNSUPPORTED = ("carrier_unsupported", _K.UNSUPPORTED_CARRIER,
        "The carrier {carrier} is not supported",
        "Le transporteur {carrier} n'est pas pris en charge")
    NOT_DELIVERED = ("not_delivered", _K.NOT_DELIVERED_YET,
        "The parcel is not delivered yet[ ({words})]",
        "Le colis n'est pas encore livré")
    AT_PICKUP_POINT = ("at_pickup_point", _K.NOT_DELIVERED_YET,
        "The parcel is not delivered yet: it waits at a {carrier} pick-up point for its recipient",
        "Le colis n'est pas encore livré : il attend son destinataire dans un point de retrait {carrier}")
    # ---------------------------------------------------------------- the proof
    PROOF_PENDING = ("proof_pending", _K.POD_NOT_AVAILABLE_YET,
        "The parcel is delivered, but {carrier} has no proof yet",
        "Le colis est livré, mais la preuve n'est pas encore disponible chez {carrier}")
    PROOF_UNTRACKED = ("proof_untracked", _K.POD_NOT_AVAILABLE_YET,
        "{carrier} has given no proof yet; whether the parcel is delivered is asked at the next attempt[ ({words})]",
        "La preuve n'est pas encore disponible chez {carrier} ; le suivi du colis sera consulté à la prochaine "
        "tentative[ (« {words} »)]")
    PROOF_FOR_PARTIES = ("proof_for_parties", _K.POD_NOT_AVAILABLE_YET,
        "The parcel is delivered, but {carrier} has given no proof yet; it gives one to the accounts of the sender, "
        "the receiver and the payer only",
        "Le colis est livré, mais la preuve n'est pas encore disponible ; {carrier} ne la donne qu'aux comptes de "
        "l'expéditeur, du destinataire et du payeur")
    PROOF_LINK_MISSING = ("proof_link_missing", _K.POD_NOT_AVAILABLE_YET,
        "The parcel is delivered, but {carrier} gives no link to a proof; with DHL Express credentials the proofs of "
        "Express parcels can be fetched",
        "Le colis est livré, mais la preuve n'est pas disponible, faute de lien chez {carrier} ; des identifiants "
        "DHL Express donnent accès à celles des colis Express")
    PROOF_LINK_EMPTY = ("proof_link_empty", _K.POD_NOT_AVAILABLE_YET,
        "The parcel is delivered, but {carrier}'s link to the proof gave no document",
        "Le colis est livré, mais la preuve n'est pas disponible : le lien {carrier} ne mène à aucun document")
    PROOF_UNSIGNED = ("proof_unsigned", _K.POD_NEVER_AVAILABLE,
        "{carrier} keeps no proof for this parcel: it was sent without signature",
        "{carrier} n'a pas de preuve de livraison pour ce colis, envoyé sans signature")
    PROOF_NEVER = ("proof_never", _K.POD_NEVER_AVAILABLE,
        "{carrier} has no proof of delivery for this parcel and will have none",
        "Chez {carrier}, la preuve de livraison de ce colis n'existe pas et n'existera pas")
    PROOFS_NOT_ISSUED = ("proofs_not_issued", _K.POD_NEVER_AVAILABLE,
        "The parcel was delivered[ ({words})], but {carrier} issues no proof of delivery",
        "Le colis a été livré[ ({words})], mais la preuve de livraison n'est jamais fournie par {carrier}")
    PROOFS_ELSEWHERE = ("proofs_elsewhere", _K.POD_NEVER_AVAILABLE,
        "The parcel was delivered[ ({words})], but {carrier}'s tracking has no document; for a Colissimo parcel, the "
        "credentials of a Colissimo contract would give the proof of delivery",
        "Le colis a été livré[ ({words})], mais la preuve de livraison n'existe pas dans le suivi {carrier} ; pour un "
        "Colissimo, les identifiants d'un contrat Colissimo la donneraient")
    PROOFS_TURNED_OFF = ("proofs_turned_off", _K.POD_NEVER_AVAILABLE,
        "The parcel is delivered, but {carrier} gives no proofs to our account",
        "Le colis est livré, mais la preuve de livraison n'est jamais fournie à notre compte {carrier}")
    PROOFS_TURNED_OFF_FOR_CLIENT = ("proofs_turned_off_for_client", _K.POD_NEVER_AVAILABLE,
        "The parcel is delivered, but {carrier} gives no proofs to the client's account",
        "Le colis est livré, mais la preuve de livraison n'est jamais fournie au compte {carrier} du client")
    # ---------------------------------------------------------------- the account
    CREDENTIALS_REJECTED = ("credentials_rejected", _K.AUTH_FAILED,
        "{carrier} rejects our credentials",
        "{carrier} refuse nos identifiants")
    CREDENTIALS_UNCHECKED = ("credentials_unchecked", _K.AUTH_FAILED,
        "{carrier} did not say whether it accepts our account again",
        "{carrier} n'a pas dit si notre compte est de nouveau accepté")
    SERVICE_DENIED = ("service_denied", _K.ACCOUNT_DENIED,
        "{carrier} does not let our account use this service",
        "{carrier} n'ouvre pas ce service à notre compte")
    ADDRESS_DENIED = ("address_denied", _K.ACCOUNT_DENIED,
        "{carrier} does not accept calls from our IP address",
        "{carrier} n'accepte pas les appels de notre adresse IP")
    DOCUMENTS_DENIED = ("documents_denied", _K.ACCOUNT_DENIED,
        "{carrier} lets our account track parcels, but gives it no documents",
        "{carrier} laisse notre compte suivre les colis, mais ne lui donne aucun document")
    PARCELS_DENIED = ("parcels_denied", _K.ACCESS_DENIED,
        "{carrier} denied us many parcels in one run[ ({words})]. If our account is why, have that mended, then: "
        "recours reopen --error access_denied --carrier {typed}",
        "Accès refusé par {carrier} pour de nombreux colis en une exécution[ ({words})]. Si notre compte en est la "
        "cause, faites-le corriger, puis : recours reopen --error access_denied --carrier {typed}")
    NOT_CONFIGURED = ("not_configured", _K.NOT_CONFIGURED,
        "{carrier} has no credentials[: set {words}]",
        "Identifiants {carrier} absents[ : renseignez {words}]")
    # ---------------------------------------------------------------- the carrier
    TOO_MANY_CALLS = ("too_many_calls", _K.RATE_LIMITED,
        "{carrier} asks us to wait: too many calls",
        "{carrier} nous demande d'attendre : trop de requêtes")
    LIMIT_REACHED = ("limit_reached", _K.RATE_LIMITED,
        "{carrier} is at its limit",
        "Le quota {carrier} est épuisé")
    UNAVAILABLE = ("unavailable", _K.SERVER_ERROR,
        "{carrier} is unavailable",
        "Le service {carrier} est indisponible")
    CARRIER_ERROR = ("carrier_error", _K.SERVER_ERROR,
        "{carrier} reports an internal error",
        "{carrier} signale une erreur interne")
    NO_ANSWER = ("no_answer", _K.TIMEOUT,
        "{carrier} did not answer in time",
        "{carrier} n'a pas répondu : délai dépassé")
    UNREACHABLE = ("unreachable", _K.NETWORK,
        "{carrier} could not be reached: no connection could be made",
        "{carrier} est injoignable : aucune connexion n'a pu être établie")
    BAD_CERTIFICATE = ("bad_certificate", _K.NETWORK,
        "{carrier} showed a certificate that is not valid, so nothing was sent",
        "{carrier} présente un certificat non valable : rien n'a été envoyé")
    CONNECTION_BROKEN = ("connection_broken", _K.NETWORK,
        "{carrier} broke the connection before its answer was complete",
        "{carrier} a interrompu la connexion avant la fin de sa réponse")
    ANSWER_UNREADABLE = ("answer_unreadable", _K.BAD_RESPONSE,
        "{carrier} sent an answer that cannot be read",
        "{carrier} a envoyé une réponse invalide")
    CODE_UNKNOWN = ("code_unknown", _K.BAD_RESPONSE,
        "{carrier} answered with an error code that recours does not know",
        "{carrier} a envoyé une réponse inattendue, au code d'erreur inconnu")
    REQUEST_REJECTED = ("request_rejected", _K.BAD_RESPONSE,
        "{carrier} could not read our request",
        "{carrier} n'a pas pu lire notre requête")
    PROOF_UNUSABLE = ("proof_unusable", _K.BAD_RESPONSE,
        "What the carrier sent as a proof is not one",
        "Ce que le transporteur a envoyé comme preuve n'en est pas une")
    # ---------------------------------------------------------------- recours
    INTERRUPTED = ("interrupted", _K.INTERNAL_ERROR,
        "Several runs in a row ended while they were fetching this claim",
        "Plusieurs exécutions de suite se sont arrêtées pendant le traitement de cette réclamation")
    INTERNAL = ("internal", _K.INTERNAL_ERROR,
        "recours itself failed; its log has the details",
        "recours a rencontré une erreur ; son journal en donne le détail")
    EXPIRED = ("expired", None,
        "Given up: its response deadline has long passed[ (last answer: {words})]",
        "Recherche abandonnée : l'échéance de réponse est passée depuis longtemps[ (dernière réponse : « {words} »)]")
    # fmt: on


@dataclass(frozen=True)
class Said:
    """A sentence with what it is made of. `carrier`: its name for people; `words`: the carrier's own."""

    key: Sentence
    carrier: str = ""
    words: str = ""
    client: str = ""  # the address of the one whose account it is about; "": the house's, or about none


_S = Sentence

# What a sentence about our account becomes if the account is a client's: in English and French.
_OF_CLIENTS: dict[Sentence, tuple[str, str]] = {
    _S.CREDENTIALS_REJECTED: (
        "{carrier} rejects the credentials of {client}",
        "{carrier} refuse les identifiants de {client}"),
    _S.CREDENTIALS_UNCHECKED: (
        "{carrier} did not say whether it accepts the account of {client} again",
        "{carrier} n'a pas dit si le compte de {client} est de nouveau accepté"),
    _S.SERVICE_DENIED: (
        "{carrier} does not let the account of {client} use this service",
        "{carrier} n'ouvre pas ce service au compte de {client}"),
    _S.DOCUMENTS_DENIED: (
        "{carrier} lets the account of {client} track parcels, but gives it no documents",
        "{carrier} laisse le compte de {client} suivre les colis, mais ne lui donne aucun document"),
    _S.PARCELS_DENIED: (
        "{carrier} denied the account of {client} many parcels in one run[ ({words})]. If the account is why, have that "
        "mended, then: recours reopen --error access_denied --carrier {typed} --account {client}",
        "Accès refusé par {carrier} au compte de {client} pour de nombreux colis en une exécution[ ({words})]. Si ce "
        "compte en est la cause, faites-le corriger, puis : "
        "recours reopen --error access_denied --carrier {typed} --account {client}"),
    _S.NOT_CONFIGURED: (
        "The {carrier} account of {client} cannot be used[: {words}]",
        "Le compte {carrier} de {client} est inutilisable[] : recours accounts list"),
}  # fmt: skip

# What a sentence about our account and one parcel becomes if the account is a client's. It names none: rows keep it.
OF_CLIENT = {
    _S.PARCEL_NOT_OURS: _S.PARCEL_NOT_CLIENTS,
    _S.PARCEL_DENIED: _S.PARCEL_DENIED_TO_CLIENT,
    _S.PROOFS_TURNED_OFF: _S.PROOFS_TURNED_OFF_FOR_CLIENT,
}
# And what that client reads: in English and French.
_YOURS: dict[Sentence, tuple[str, str]] = {
    _S.PARCEL_NOT_CLIENTS: (
        "The parcel does not belong to your {carrier} contract",
        "Le colis n'appartient pas à votre contrat {carrier}"),
    _S.PARCEL_DENIED_TO_CLIENT: (
        "{carrier} accepts your account, but refuses this parcel",
        "Accès refusé à ce colis : {carrier} accepte pourtant votre compte"),
    _S.PROOFS_TURNED_OFF_FOR_CLIENT: (
        "The parcel is delivered, but {carrier} gives no proofs to your account",
        "Le colis est livré, mais la preuve de livraison n'est jamais fournie à votre compte {carrier}"),
}  # fmt: skip

# What a sentence about a number becomes if the number's check digit is wrong.
MISTYPED = {
    _S.NUMBER_REJECTED: _S.NUMBER_REJECTED_MISTYPED,
    _S.NUMBER_UNKNOWN: _S.NUMBER_UNKNOWN_MISTYPED,
}

# Where the words go that have no place of their own.
_LAST = {"en": "[: {words}]", "fr": "[ : « {words} »]"}
_SENTENCE = re.compile(r"(?P<before>[^\[]*)(?:\[(?P<words>[^\]]*)\](?P<after>.*))?", re.DOTALL)


def kind_of(key: Sentence) -> ErrorKind:
    return key.kind or ErrorKind.INTERNAL_ERROR


def sentence(language: str, said: Said, detail: str = "", *, to_client: bool = False) -> str:
    """The sentence, without a full stop. `detail`: for the log, such as an HTTP status. Never raises for odd words.

    `to_client`: its reader is the client whose claim it is about.
    """
    variants = _YOURS if to_client else _OF_CLIENTS if said.client else {}
    before, place, after = _parts(language, *variants.get(said.key, said.key.texts))
    carrier, words = clean(said.carrier, LONGEST_NAME), clean(said.words, LONGEST_MESSAGE)
    client = clean(said.client, LONGEST_MESSAGE)
    if said.key is _S.NOT_CONFIGURED:
        words = names_text(language, words)
    if said.key not in _OF_CLIENTS:
        carrier = account_name(carrier, client)
    typed = f'"{carrier}"' if " " in carrier else carrier
    names = {"carrier": carrier, "client": client, "typed": typed}
    more = f" ({detail})" if detail else ""
    quoted = place.format(words=words) if words else ""
    return f"{before.format(**names)}{more}{quoted}{after.format(**names)}"


@cache
def _parts(language: str, en: str, fr: str) -> tuple[str, str, str]:
    """What stands before the words, around them, and after them."""
    text = fr if language == "fr" else en
    found = _SENTENCE.fullmatch(text if "[" in text else text + _LAST[language])
    if found is None:
        raise ValueError(f"this is no sentence: {text}")
    return found["before"], found["words"], found["after"]


def stored(key: str | None, carrier: str, words: str | None) -> Said | None:
    """What was stored; None if no key was."""
    return Said(Sentence(key), carrier, words or "") if key else None


def carrier_message(reason: str) -> str:
    """What a carrier said, out of the English sentence about our account that is kept; "": it said nothing.

    `Chronopost rejects our credentials: Invalid Password (credentials from .env)` → `Invalid Password`.
    """
    said = reason.rpartition(" (credentials from ")[0] or reason
    return said.partition(": ")[2].strip(" .")


def facts_of(said: Said | None) -> dict[str, str]:
    """What an event keeps of a sentence, for `said_by`."""
    return {"sentence": said.key, "words": said.words} if said else {}


def said_by(facts: Mapping[str, Any], carrier: str) -> Said | None:
    """What an event kept; None if it kept no sentence."""
    said = stored(facts.get("sentence"), carrier, facts.get("words"))
    return said and replace(said, client=facts.get("client", ""))


def said_in(text: str, said: Said | None) -> Said | None:
    """What a stored text says, if it is still the sentence that we made of this, in whatever language; else None.

    Other software may have written another one since, and the claim may have another carrier today.
    """
    is_it = said is not None and any(text == sentence(language, said) for language in _LAST)
    return said if is_it else None


def kind_of_text(text: str) -> ErrorKind | None:
    """The kind of error that a sentence of this table tells of, whatever the carrier and its words; None: it is none."""
    folded = plain(text)
    for language in _LAST:  # of a claim that expired, the kind is that of the last answer
        before, words, _ = _parts(language, *_S.EXPIRED.texts)
        folded = folded.removeprefix(plain(before + words.partition("{words}")[0].rstrip("« "))).lstrip("« ")
    return next((kind for kind, pattern in _patterns() if pattern.match(folded)), None)


@cache
def _patterns() -> list[tuple[ErrorKind, re.Pattern[str]]]:
    """The longer sentences first: some begin like shorter ones."""
    found = []
    for key in Sentence:
        for language in _LAST:
            before, _, after = (re.escape(plain(part)) for part in _parts(language, *key.texts))
            words = r"(?: \(.{1,250}\))?" if after else ""
            text = f"{before}{words}{after}".replace(re.escape("{carrier}"), r".{1,60}").replace(
                re.escape("{typed}"), r".{1,62}"
            )
            if key.kind:
                found.append((key.kind, re.compile(rf"{text}(?= ?[:(.;)]|$)", re.DOTALL)))
    return sorted(found, key=lambda each: -len(each[1].pattern))
