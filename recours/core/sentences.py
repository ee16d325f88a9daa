"""Sentences about failed fetches, one for each key. They may quote the carrier's own text.

The kind, the key and the carrier's text are stored. The sentence is rendered on display, in the reader's language.
Errors that other software wrote have no key. They are classified here too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Self

from recours.core.accounts import account_name
from recours.core.errors import ErrorKind
from recours.core.text import clean, plain
from recours.core.translations import LANGUAGES, N_, translate

LONGEST_NAME, LONGEST_MESSAGE = 60, 200

_K = ErrorKind


class Sentence(StrEnum):
    """A sentence without the carrier's own text. Values are stored and must not change.

    `{carrier}` is the carrier's name. The part in brackets quotes the carrier's text, and is omitted if there is none.
    Without brackets, the quotation is appended.
    """

    kind: ErrorKind | None  # None: the sentence does not determine the kind
    text: str

    # The defaults are for type checkers only: a lookup by value does not call this.
    def __new__(cls, value: str, kind: ErrorKind | None = None, text: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.kind = kind
        member.text = text
        return member

    # fmt: off
    # ---------------------------------------------------------------- the number
    NUMBER_MISSING = ("number_missing", _K.INVALID_TRACKING,
        N_("The claim has no tracking number"))
    NUMBER_MALFORMED = ("number_malformed", _K.INVALID_TRACKING,
        N_("This is not a {carrier} tracking number[ (example: {words})]"))
    NUMBER_REJECTED = ("number_rejected", _K.INVALID_TRACKING,
        N_("{carrier} rejects this tracking number as invalid"))
    NUMBER_REJECTED_MISTYPED = ("number_rejected_mistyped", _K.INVALID_TRACKING,
        N_("{carrier} rejects this tracking number as invalid; its check digit is wrong, so it is probably mistyped"))
    NUMBER_UNKNOWN = ("number_unknown", _K.NOT_FOUND,
        N_("{carrier} does not recognize this tracking number"))
    NUMBER_UNKNOWN_MISTYPED = ("number_unknown_mistyped", _K.NOT_FOUND,
        N_("{carrier} does not recognize this tracking number; its check digit is wrong, so it is probably mistyped"))
    NUMBER_REUSED = ("number_reused", _K.NOT_FOUND,
        N_("{carrier} only knows of an earlier parcel with this tracking number[ (delivered on {words})]"))
    PARCEL_TOO_OLD = ("parcel_too_old", _K.NOT_FOUND,
        N_("{carrier} no longer has data on this parcel because it is too old"))
    # ---------------------------------------------------------------- the parcel
    PARCEL_NOT_OURS = ("parcel_not_ours", _K.ACCESS_DENIED,
        N_("The parcel does not belong to our {carrier} contract"))
    PARCEL_DENIED = ("parcel_denied", _K.ACCESS_DENIED,
        N_("{carrier} accepts our account but denies access to this parcel"))
    PARCEL_NOT_CLIENTS = ("parcel_not_clients", _K.ACCESS_DENIED,
        N_("The parcel does not belong to the client's {carrier} contract"))
    PARCEL_DENIED_TO_CLIENT = ("parcel_denied_to_client", _K.ACCESS_DENIED,
        N_("{carrier} accepts the client's account but denies access to this parcel"))
    RETURNED = ("returned", _K.RETURNED_TO_SENDER,
        N_("{carrier} says that the parcel was returned to the sender[ ({words})]"))
    RETURN_DELIVERED = ("return_delivered", _K.RETURNED_TO_SENDER,
        N_("{carrier} says that the parcel was turned back before it was delivered, so it went to the sender[ "
           "({words})]"))
    DESTROYED = ("destroyed", _K.POD_NEVER_AVAILABLE,
        N_("{carrier} says that the parcel was destroyed, so it will never be delivered[ ({words})]"))
    SEIZED = ("seized", _K.POD_NEVER_AVAILABLE,
        N_("{carrier} says that the parcel was seized, so it will never be delivered[ ({words})]"))
    PROHIBITED = ("prohibited", _K.POD_NEVER_AVAILABLE,
        N_("{carrier} says that the contents of the parcel are prohibited, so it will never be delivered[ ({words})]"))
    CANCELLED = ("cancelled", _K.POD_NEVER_AVAILABLE,
        N_("{carrier} says that the shipment was canceled, so it will never be delivered[ ({words})]"))
    CARRIER_MISSING = ("carrier_missing", _K.UNSUPPORTED_CARRIER,
        N_("The claim names no carrier"))
    CARRIER_UNSUPPORTED = ("carrier_unsupported", _K.UNSUPPORTED_CARRIER,
        N_("The carrier {carrier} is not supported"))
    NOT_DELIVERED = ("not_delivered", _K.NOT_DELIVERED_YET,
        N_("The parcel has not been delivered yet[ ({words})]"))
    AT_PICKUP_POINT = ("at_pickup_point", _K.NOT_DELIVERED_YET,
        N_("The parcel has not been delivered yet: it is waiting for the recipient at a {carrier} pickup point"))
    # ---------------------------------------------------------------- the proof
    PROOF_PENDING = ("proof_pending", _K.POD_NOT_AVAILABLE_YET,
        N_("The parcel was delivered, but {carrier} has no proof of delivery yet"))
    PROOF_UNTRACKED = ("proof_untracked", _K.POD_NOT_AVAILABLE_YET,
        N_("{carrier} has not provided a proof of delivery yet; this attempt did not check whether the parcel was "
           "delivered[ ({words})]"))
    PROOF_FOR_PARTIES = ("proof_for_parties", _K.POD_NOT_AVAILABLE_YET,
        N_("The parcel was delivered, but {carrier} has not provided a proof yet; only the accounts of the "
           "sender, the recipient and the payer can get it"))
    PROOF_LINK_MISSING = ("proof_link_missing", _K.POD_NOT_AVAILABLE_YET,
        N_("The parcel was delivered, but {carrier} provides no link to a proof; with DHL Express credentials, "
           "recours can fetch the proofs of Express parcels"))
    PROOF_LINK_EMPTY = ("proof_link_empty", _K.POD_NOT_AVAILABLE_YET,
        N_("The parcel was delivered, but {carrier}'s link to the proof returned no document"))
    PROOF_IMAGELESS = ("proof_imageless", _K.POD_NEVER_AVAILABLE,
        N_("The parcel was delivered, but {carrier} has no image of the delivery; recours keeps the tracking record"))
    PROOF_UNSIGNED = ("proof_unsigned", _K.POD_NEVER_AVAILABLE,
        N_("{carrier} has no proof of delivery for this parcel because it was sent without signature"))
    PROOF_NEVER = ("proof_never", _K.POD_NEVER_AVAILABLE,
        N_("{carrier} has no proof of delivery for this parcel and will have none"))
    PROOFS_NOT_ISSUED = ("proofs_not_issued", _K.POD_NEVER_AVAILABLE,
        N_("The parcel was delivered[ ({words})], but {carrier} issues no proof of delivery"))
    PROOFS_ELSEWHERE = ("proofs_elsewhere", _K.POD_NEVER_AVAILABLE,
        N_("The parcel was delivered[ ({words})], but {carrier}'s tracking has no documents; with the "
           "credentials of a Colissimo contract, recours can fetch the proofs of Colissimo parcels"))
    PROOFS_TURNED_OFF = ("proofs_turned_off", _K.POD_NEVER_AVAILABLE,
        N_("The parcel was delivered, but {carrier} provides no proofs of delivery to our account"))
    PROOFS_TURNED_OFF_FOR_CLIENT = ("proofs_turned_off_for_client", _K.POD_NEVER_AVAILABLE,
        N_("The parcel was delivered, but {carrier} provides no proofs of delivery to the client's account"))
    # ---------------------------------------------------------------- the account
    CREDENTIALS_REJECTED = ("credentials_rejected", _K.AUTH_FAILED,
        N_("{carrier} rejects our credentials"))
    CREDENTIALS_UNCHECKED = ("credentials_unchecked", _K.AUTH_FAILED,
        N_("{carrier} rejected our account earlier, and has not accepted it since"))
    SERVICE_DENIED = ("service_denied", _K.ACCOUNT_DENIED,
        N_("{carrier} does not let our account use this service"))
    ADDRESS_DENIED = ("address_denied", _K.ACCOUNT_DENIED,
        N_("{carrier} does not accept calls from our IP address"))
    DOCUMENTS_DENIED = ("documents_denied", _K.ACCOUNT_DENIED,
        N_("{carrier} lets our account track parcels but not fetch documents"))
    PARCELS_DENIED = ("parcels_denied", _K.ACCESS_DENIED,
        N_("{carrier} denied us access to many parcels in one run[ ({words})]. If our account is the cause, have "
           "the carrier fix it, then run: recours reopen --error access_denied --carrier {typed}"))
    NOT_CONFIGURED = ("not_configured", _K.NOT_CONFIGURED,
        N_("{carrier} has no credentials[: set {words}]"))
    # ---------------------------------------------------------------- the carrier
    TOO_MANY_CALLS = ("too_many_calls", _K.RATE_LIMITED,
        N_("{carrier} asks us to wait: too many calls"))
    LIMIT_REACHED = ("limit_reached", _K.RATE_LIMITED,
        N_("{carrier} is at its limit"))
    UNAVAILABLE = ("unavailable", _K.SERVER_ERROR,
        N_("{carrier} is unavailable"))
    CARRIER_ERROR = ("carrier_error", _K.SERVER_ERROR,
        N_("{carrier} reports an internal error"))
    NO_ANSWER = ("no_answer", _K.TIMEOUT,
        N_("{carrier} did not answer in time"))
    UNREACHABLE = ("unreachable", _K.NETWORK,
        N_("{carrier} could not be reached: the connection failed"))
    BAD_CERTIFICATE = ("bad_certificate", _K.NETWORK,
        N_("{carrier} presented an invalid certificate, so nothing was sent"))
    CONNECTION_BROKEN = ("connection_broken", _K.NETWORK,
        N_("{carrier} closed the connection before its answer was complete"))
    ANSWER_UNREADABLE = ("answer_unreadable", _K.BAD_RESPONSE,
        N_("{carrier} sent an answer that cannot be read"))
    CODE_UNKNOWN = ("code_unknown", _K.BAD_RESPONSE,
        N_("{carrier} answered with an error code that recours does not know"))
    REQUEST_REJECTED = ("request_rejected", _K.BAD_RESPONSE,
        N_("{carrier} could not read our request"))
    PROOF_UNUSABLE = ("proof_unusable", _K.BAD_RESPONSE,
        N_("The carrier sent a document that is not a proof of delivery"))
    # ---------------------------------------------------------------- recours
    INTERRUPTED = ("interrupted", _K.INTERNAL_ERROR,
        N_("Several runs in a row died while fetching this claim"))
    INTERNAL = ("internal", _K.INTERNAL_ERROR,
        N_("recours itself failed; see its log for details"))
    EXPIRED = ("expired", None,
        N_("Given up: the claim's response deadline passed long ago[ (last answer: {words})]"))
    # fmt: on


@dataclass(frozen=True)
class SentenceParts:
    """A sentence and its parts. `carrier`: the display name; `words`: the carrier's own text."""

    key: Sentence
    carrier: str = ""
    words: str = ""
    client: str = ""  # address of the client whose account is meant; "": the default account, or no account


_S = Sentence

# Variants, for a client's account, of sentences about our account.
_OF_CLIENTS: dict[Sentence, str] = {
    _S.CREDENTIALS_REJECTED: N_("{carrier} rejects the credentials of {client}"),
    _S.CREDENTIALS_UNCHECKED: N_(
        "{carrier} rejected the account of {client} earlier, and has not accepted it since"
    ),
    _S.SERVICE_DENIED: N_("{carrier} does not let the account of {client} use this service"),
    _S.DOCUMENTS_DENIED: N_("{carrier} lets the account of {client} track parcels but not fetch documents"),
    _S.PARCELS_DENIED: N_(
        "{carrier} denied the account of {client} access to many parcels in one run[ ({words})]. If the account "
        "is the cause, have the carrier fix it, then run: recours reopen --error access_denied --carrier {typed} "
        "--account {client}"
    ),
    _S.NOT_CONFIGURED: N_("The {carrier} account of {client} cannot be used[: {words}]"),
}

# Variants, for a client's account, of sentences about our account and one parcel. They name no client, because they are
# stored.
OF_CLIENT = {
    _S.PARCEL_NOT_OURS: _S.PARCEL_NOT_CLIENTS,
    _S.PARCEL_DENIED: _S.PARCEL_DENIED_TO_CLIENT,
    _S.PROOFS_TURNED_OFF: _S.PROOFS_TURNED_OFF_FOR_CLIENT,
}
# Variants of the sentences above for emails to that client.
_YOURS: dict[Sentence, str] = {
    _S.PARCEL_NOT_CLIENTS: N_("The parcel does not belong to your {carrier} contract"),
    _S.PARCEL_DENIED_TO_CLIENT: N_("{carrier} accepts your account but denies access to this parcel"),
    _S.PROOFS_TURNED_OFF_FOR_CLIENT: N_(
        "The parcel was delivered, but {carrier} provides no proofs of delivery to your account"
    ),
}

# Variants of sentences, for numbers whose check digit is wrong.
MISTYPED = {_S.NUMBER_REJECTED: _S.NUMBER_REJECTED_MISTYPED, _S.NUMBER_UNKNOWN: _S.NUMBER_UNKNOWN_MISTYPED}

# Sentences whose quotation is an ISO date that recours wrote.
_DATED = frozenset({_S.NUMBER_REUSED, _S.PROOFS_NOT_ISSUED, _S.PROOFS_ELSEWHERE})
_ISO_DAY = re.compile(r"^(\d{4})-(\d\d)-(\d\d)", re.ASCII)

_LAST = N_("[: {words}]")  # appended to sentences without brackets
_SENTENCE = re.compile(r"(?P<before>[^\[]*)(?:\[(?P<words>[^\]]*)\](?P<after>.*))?", re.DOTALL)


def kind_of(key: Sentence) -> ErrorKind:
    return key.kind or ErrorKind.INTERNAL_ERROR


def sentence(language: str, explanation: SentenceParts, detail: str = "", *, to_client: bool = False) -> str:
    """Render a sentence without a final period. `detail`: a text to append for the log, such as an HTTP status.

    `to_client`: the reader is the client who owns the claim.
    """
    variants = _YOURS if to_client else _OF_CLIENTS if explanation.client else {}
    head, place, tail = _parts(language, variants.get(explanation.key, explanation.key.text))
    carrier, words = clean(explanation.carrier, LONGEST_NAME), clean(explanation.words, LONGEST_MESSAGE)
    client = clean(explanation.client, LONGEST_MESSAGE)
    if explanation.key is _S.NOT_CONFIGURED:
        words = names_text(language, words)
    if language == "fr" and explanation.key in _DATED:
        words = _ISO_DAY.sub(r"\3/\2/\1", words)
    if explanation.key not in _OF_CLIENTS:
        carrier = account_name(carrier, client)
    typed = f'"{carrier}"' if " " in carrier else carrier
    names = {"carrier": carrier, "client": client, "typed": typed}
    more = f" ({detail})" if detail else ""
    quoted = place.format(words=words) if words else ""
    return f"{head.format(**names)}{more}{quoted}{tail.format(**names)}"


_BETWEEN_NAMES = (N_(", or "), N_(" and "), N_("the environment"), N_("nowhere"))


def names_text(language: str, names: str) -> str:
    """Translate a list of setting names or sources, written in English: `A, B and C, or D`."""
    for word in _BETWEEN_NAMES:
        names = names.replace(word, translate(language, word))
    return names


@cache
def _parts(language: str, message: str) -> tuple[str, str, str]:
    """Return the text before the quotation, the quotation's pattern, and the text after it."""
    text = translate(language, message)
    parts = _SENTENCE.fullmatch(text if "[" in text else text + translate(language, _LAST))
    if parts is None:
        raise ValueError(f"not a sentence: {text}")
    return parts["before"], parts["words"], parts["after"]


def stored(key: str | None, carrier: str, words: str | None) -> SentenceParts | None:
    """Return the stored sentence; None if there is no key."""
    return SentenceParts(Sentence(key), carrier, words or "") if key else None


def carrier_message(reason: str) -> str:
    """Return the carrier's text in a stored English sentence about our account; "" if there is none.

    `Chronopost rejects our credentials: Invalid Password (credentials from .env)` → `Invalid Password`.
    """
    explanation = reason.rpartition(" (credentials from ")[0] or reason
    return explanation.partition(": ")[2].strip(" .")


def facts_of(explanation: SentenceParts | None) -> dict[str, str]:
    """Return the facts of a sentence that an event stores, for `explanation_in`."""
    return {"sentence": explanation.key, "words": explanation.words} if explanation else {}


def explanation_in(facts: Mapping[str, Any], carrier: str) -> SentenceParts | None:
    """Return the sentence that an event stored, if any."""
    explanation = stored(facts.get("sentence"), carrier, facts.get("words"))
    return explanation and replace(explanation, client=facts.get("client", ""))


def explanation_if_same(text: str, explanation: SentenceParts | None) -> SentenceParts | None:
    """Return the explanation if `text` is still its sentence in any language; otherwise None.

    Other software may have changed the text since, and the claim's carrier may have changed.
    """
    is_it = explanation is not None and any(text == sentence(language, explanation) for language in LANGUAGES)
    return explanation if is_it else None


def kind_of_text(text: str) -> ErrorKind | None:
    """Return the error kind of one of our sentences, with any carrier and quotation; None: the text is not ours."""
    folded = plain(text)
    for language in LANGUAGES:  # for an expired claim, the kind of its last answer
        head, words, _ = _parts(language, _S.EXPIRED.text)
        folded = folded.removeprefix(plain(head + words.partition("{words}")[0].rstrip("« "))).lstrip("« ")
    return next((kind for kind, pattern in _patterns() if pattern.match(folded)), None)


@cache
def _patterns() -> list[tuple[ErrorKind, re.Pattern[str]]]:
    """Return the patterns of all sentences, longest first, because some sentences start with a shorter sentence."""
    patterns = []
    for key in Sentence:
        for language in LANGUAGES:
            head, _, tail = (re.escape(plain(part)) for part in _parts(language, key.text))
            words = r"(?: \(.{1,250}\))?" if tail else ""
            text = f"{head}{words}{tail}".replace(re.escape("{carrier}"), r".{1,60}").replace(
                re.escape("{typed}"), r".{1,62}"
            )
            if key.kind:
                patterns.append((key.kind, re.compile(rf"{text}(?= ?[:(.;)»]|$)", re.DOTALL)))
    return sorted(patterns, key=lambda entry: -len(entry[1].pattern))


# ---------------------------------------------------------------- texts of other software
# The patterns apply only to rows that recours never fetched: each carrier's table maps the answers that recours gets.
# Unknown texts count as temporary errors.


_UNKNOWN = ErrorKind.SERVER_ERROR
_LONGEST = 2000

# The first match wins, so narrow patterns come before wide ones. Texts are lower case without accents.
_PATTERNS: tuple[tuple[ErrorKind, str], ...] = (
    (
        ErrorKind.RATE_LIMITED,
        r"rate.?limit|too many requests|trop de requetes|quota|\b429\b|limite (de|d') ?(requete|appel|debit)"
        r"|limite (quotidienne|journaliere)|daily limit|throttl",
    ),
    (
        ErrorKind.NOT_CONFIGURED,
        r"(credentials?|api.?key|cle api|identifiants?|configuration).{0,40}"
        r"(missing|not (set|configured|found)|manquante?s?|absente?s?|non configure)"
        r"|(missing|no|aucune?) (credentials?|api.?key|cle api|identifiants?)|not configured|non configure",
    ),
    (
        ErrorKind.AUTH_FAILED,
        r"\b401\b|unauthori[sz]ed|authenti(cation|fication)|(invalid|bad|wrong) (password|credentials?|api.?key|token)"
        r"|mot de passe|identifiants?( client)? (invalide|incorrect|errone)s?|(invalid|expired) token|jeton (expire|invalide)",
    ),
    (
        ErrorKind.ACCESS_DENIED,
        r"\b403\b|forbidden|access (is )?(denied|refused)|acces (refuse|interdit|non autorise)"
        r"|(not|n'est pas|non).{0,30}(your|our|votre|notre) (account|contract|compte|contrat)"
        r"|not authori[sz]ed|permission denied|n'appartient pas",
    ),
    (
        ErrorKind.RETURNED_TO_SENDER,
        r"return(ed|ing)? to (the )?(sender|shipper)|retour(ne|nee)? (a l'|vers l')?expediteur|renvoye a l'expediteur",
    ),
    (
        ErrorKind.UNSUPPORTED_CARRIER,
        r"(unsupported|unhandled) carrier|carrier.{0,40}(not supported|unsupported)|unknown carrier(?! error)"
        r"|carrier (is )?unknown(?! error)|transporteur( est| «[^»]{0,40}»)? inconnu\b"
        r"|transporteur.{0,40}(non (supporte|pris en charge|gere)|pas (supporte|pris en charge))",
    ),
    (
        ErrorKind.POD_NEVER_AVAILABLE,
        r"(no|without) signature (required|available)|signature (not required|non requise)|sans signature"
        r"|pod.{0,30}(never|jamais|not offered|not provided|unsupported|not supported)"
        r"|preuve.{0,30}(jamais|n'existe pas|non fournie|indisponible definitivement)|never (be )?available"
        r"|(pod|proof of delivery) (does not|doesn't) exist",
    ),
    (
        ErrorKind.POD_NOT_AVAILABLE_YET,
        r"(pod|proof|document|signature|image|preuve|justificatif).{0,40}"
        r"(not (yet )?(available|ready|found)|unavailable|pas (encore )?disponible|indisponible|non disponible"
        r"|introuvable|en attente)"
        r"|\bno (pod|proof)|aucune? (pod|preuve|justificatif)",
    ),
    (
        ErrorKind.NOT_DELIVERED_YET,
        r"not (yet )?(been )?delivered|undelivered|in transit|en transit|pas (encore )?(ete )?livre|non livre"
        r"|en cours (de livraison|d'acheminement)|out for delivery",
    ),
    (
        ErrorKind.INVALID_TRACKING,
        r"\b(invalid|malformed|wrong|incorrect|bad|missing|empty)\b"
        r"((?!gateway|json|xml|response|answer|request).){0,20}(tracking|parcel|shipment|skybill)"
        r"|\bno (valid )?(tracking|parcel|shipment|skybill) (number|id|code)|(pas de|aucun) numero"
        r"|(tracking|parcel|shipment|skybill)( number)?.{0,25}"
        r"(invalid|malformed|wrong format|incorrect|bad format|missing|is empty)"
        r"|(numero|n°|no) ?(de )?(suivi|colis).{0,25}(invalide|incorrect|errone|manquant|absent|mal forme|\bvide)"
        r"|(format|numero).{0,30}(suivi|colis).{0,25}(invalide|incorrect)|(suivi|colis) invalide"
        r"|format (de|du) numero",
    ),
    (
        ErrorKind.NOT_FOUND,
        r"(?<!host )not found|\b404\b|unknown (tracking|parcel|shipment|number)|introuvable|(?<!erreur )inconnu"
        r"|\bno (such|tracking info|parcel|shipment)|does not exist|n'existe pas|inexistant"
        r"|aucun (colis|resultat|envoi)|(pas|non|pas ete) trouve|does not know this number",
    ),
    (ErrorKind.TIMEOUT, r"time.?d? ?out|delai (d'attente )?(depasse|expire)|\b504\b|deadline exceeded"),
    (
        ErrorKind.NETWORK,
        r"connection|connexion|network|reseau|dns|name resolution|host not found|unreachable|injoignable|socket|ssl"
        r"|certificat",
    ),
    (
        ErrorKind.BAD_RESPONSE,
        r"(invalid|unexpected|malformed|empty|bad) (response|answer|json|xml|pdf)|reponse (invalide|inattendue|vide)"
        r"|pars(e|ing)|decod|unexpected",
    ),
    (
        ErrorKind.SERVER_ERROR,
        r"\b50\d\b|server error|erreur (du )?serveur|service.{0,15}(unavailable|indisponible)|internal error"
        r"|maintenance|erreur interne",
    ),
)
# Status codes have three digits: no pattern may match digits of a longer number.
_LONG_NUMBER = re.compile(r"[0-9]{4,}")


def classify(text: str | None) -> ErrorKind:
    """Return the kind of error that our own or other software's text describes; `server_error` if it is unknown."""
    if not text:
        return _UNKNOWN
    return _kind_of(_LONG_NUMBER.sub(lambda number: "0" * len(number[0]), text[:_LONGEST]))


# A million failures have few distinct texts, apart from their tracking numbers.
@lru_cache(maxsize=1024)
def _kind_of(text: str) -> ErrorKind:
    if ours := kind_of_text(text):
        return ours
    folded = plain(text).replace("\u2019", "'")
    return next((kind for kind, pattern in _PATTERNS if re.search(pattern, folded)), _UNKNOWN)
