"""What standings, kinds of error, carriers' states, recorded errors and changes are called in English and French."""

from typing import Any

from recours.core.actions import OPERATOR, SERVICE, SOMEONE, ChangeKind, author_and_reason
from recours.core.claim import Claim
from recours.core.errors import Actor, ErrorKind
from recours.core.localized import Localized
from recours.core.pauses import Refusal
from recours.core.position import Closing, Evidence, Standing, closing_of
from recours.core.sentences import Said, carrier_message, classify, sentence
from recours.core.text import by_language, clean
from recours.operations.accounts import AccountCheck, AccountHealth, CheckVerdict, ListedAccount
from recours.reporting.records import PastChange

STANDING: dict[str, dict[Standing, str]] = by_language(
    {
        Standing.FETCHED: ("fetched", "obtenue"),
        Standing.IN_HAND: ("being fetched", "recherche en cours"),
        Standing.NOT_SEEN: ("not assessed yet", "pas encore examinée"),
        Standing.LEFT_ALONE: ("left alone", "hors périmètre"),
        Standing.UNNUMBERED: ("no tracking number", "sans numéro de suivi"),
        Standing.NEW: ("new", "nouvelle"),
        Standing.WAITING: ("waiting", "en attente"),
        Standing.READY: ("due", "à traiter"),
        Standing.SETTLED: ("needs a correction", "à corriger"),
        Standing.SHELVED: ("not wanted", "sans objet"),
        Standing.GIVEN_UP: ("given up", "abandonnée"),
    }
)

KINDS: dict[str, dict[ErrorKind, str]] = by_language(
    {
        ErrorKind.INVALID_TRACKING: ("invalid tracking number", "numéro de suivi non valable"),
        ErrorKind.POD_NEVER_AVAILABLE: ("no POD will exist", "aucune preuve n'existera"),
        ErrorKind.ACCESS_DENIED: ("parcel not on our contract", "colis hors de notre contrat"),
        ErrorKind.RETURNED_TO_SENDER: ("returned to the sender", "retourné à l'expéditeur"),
        ErrorKind.UNSUPPORTED_CARRIER: ("carrier not supported", "transporteur inconnu"),
        ErrorKind.NOT_FOUND: ("number unknown to the carrier", "numéro de suivi inconnu"),
        ErrorKind.NOT_DELIVERED_YET: ("not delivered yet", "pas encore livré"),
        ErrorKind.POD_NOT_AVAILABLE_YET: ("POD not there yet", "preuve pas encore disponible"),
        ErrorKind.SERVER_ERROR: ("carrier unavailable", "transporteur indisponible"),
        ErrorKind.TIMEOUT: ("no answer in time", "pas de réponse à temps"),
        ErrorKind.NETWORK: ("network", "réseau"),
        ErrorKind.BAD_RESPONSE: ("unusable answer", "réponse inutilisable"),
        ErrorKind.RATE_LIMITED: ("quota or pause", "quota ou pause"),
        ErrorKind.AUTH_FAILED: ("credentials rejected", "identifiants refusés"),
        ErrorKind.ACCOUNT_DENIED: ("account may not use this service", "compte sans accès au service"),
        ErrorKind.NOT_CONFIGURED: ("no credentials", "identifiants absents"),
        ErrorKind.INTERNAL_ERROR: ("internal error", "erreur interne"),
    }
)

UNKNOWN_CARRIER = {"en": "unknown carrier", "fr": "transporteur inconnu"}

# How often the carrier was asked, as far as attempts are recorded: never, once, several times.
ASKED = {
    "en": (
        "no call to the carrier is recorded",
        "the carrier was asked once",
        "the carrier was asked {count} times",
    ),
    "fr": (
        "aucun appel au transporteur n'est enregistré",
        "le transporteur a été interrogé une fois",
        "le transporteur a été interrogé {count} fois",
    ),
}


def times_asked(language: str, times: int) -> str:
    return ASKED[language][min(times, 2)].format(count=times)


# Of the evidence of a claim: it ends, or it is over.
EVIDENCE = {
    "en": (
        "{carrier} forgets this parcel on {day} at the latest: no proof can be had after that.",
        "{carrier} has probably forgotten this parcel: it keeps such data until {day} at the latest.",
    ),
    "fr": (
        "{carrier} efface les données de ce colis le {day} au plus tard : aucune preuve ne pourra être obtenue ensuite.",
        "{carrier} a sans doute effacé les données de ce colis, le {day} au plus tard.",
    ),
}


def evidence_text(texts: Localized, evidence: Evidence, carrier: str) -> str:
    """By when the carrier forgets the parcel. `carrier`: its name for people."""
    return EVIDENCE[texts.language][evidence.is_over].format(carrier=carrier, day=texts.day(evidence.ends_at))


# What keeps a carrier from being asked. {carrier} is filled in.
CLOSINGS: dict[str, dict[Closing, str]] = {
    "en": {
        Closing.STOPPED: "{carrier} was paused by a person",
        Closing.REJECTED: "{carrier} rejects our credentials",
        Closing.DENIED: "our account at {carrier} may not use this service",
        Closing.UNCONFIGURED: "{carrier} has no credentials here",
        Closing.LIMIT: "{carrier} is at its limit, or asked us to wait",
    },
    "fr": {
        Closing.STOPPED: "{carrier} est en pause, sur décision d'une personne",
        Closing.REJECTED: "{carrier} refuse nos identifiants",
        Closing.DENIED: "notre compte {carrier} n'a pas droit à ce service",
        Closing.UNCONFIGURED: "les identifiants {carrier} ne sont pas renseignés",
        Closing.LIMIT: "le quota {carrier} est épuisé, ou le transporteur demande d'attendre",
    },
}

# Who can act on a claim.
ACTORS: dict[str, dict[Actor, str]] = by_language(
    {
        Actor.CLIENT: ("the client", "le client"),
        Actor.OPERATOR: ("the operator of recours", "l'exploitant de recours"),
        Actor.CARRIER: ("the carrier", "le transporteur"),
        Actor.NOBODY: (
            "nothing to do, it is retried automatically",
            "rien à faire, nouvel essai automatique",
        ),
    }
)


COLON = {"en": ": ", "fr": " : "}


def quoted(language: str, text: str) -> str:
    """A text of a carrier or of other software, in quotation marks."""
    return f"« {clean(text)} »" if language == "fr" else f'"{clean(text)}"'


def error_of(language: str, claim: Claim) -> str | None:
    """What the claim's row says of its last failure; None: nothing."""
    if not claim.error_text:
        return None
    kind = claim.state.kind or classify(claim.error_text)
    return said_or_quoted(language, claim.said, kind, claim.error_text)


def said_or_quoted(
    language: str, said: Said | None, kind: ErrorKind | None, text: str, *, to_client: bool = False
) -> str:
    """The sentence that `said` stands for; without one, the kind and the recorded text in quotation marks."""
    if said:
        return sentence(language, said, to_client=to_client)
    return (
        f"{KINDS[language][kind]}{COLON[language]}{quoted(language, text)}"
        if kind
        else quoted(language, text)
    )


def reason_of(language: str, refusal: Refusal, carrier: str) -> str:
    """Why no call was made. `carrier`: its name for people."""
    if language == "en":
        return refusal.reason
    if refusal.said:
        return sentence(language, refusal.said)
    closing = closing_of(refusal)
    if closing is Closing.STOPPED and not refusal.stopped:  # by a run, as it failed again and again
        return f"{carrier} : {KINDS[language][refusal.kind]}"
    return CLOSINGS[language][closing].format(carrier=carrier)


# Whom the record calls by what they are.
_NAMES = {
    "en": {OPERATOR: "the operator", SERVICE: "the service", SOMEONE: "someone"},
    "fr": {OPERATOR: "l'opérateur", SERVICE: "le service", SOMEONE: "quelqu'un"},
}


def person_named(language: str, by: str) -> str:
    """Who did something. The name of a person stays as it is."""
    return _NAMES[language].get(by) or clean(by, 100)


def author_text(language: str, text: str) -> str:
    """`the operator: "strike"`, of what `authored` made."""
    who, reason = author_and_reason(text)
    named = person_named(language, who)
    return f"{named}{COLON[language]}{quoted(language, reason)}" if reason else named


def account_reason(language: str, listed: ListedAccount) -> str:
    """Why no work is done with a client's account; "": its health says all there is to say."""
    why = listed.why or ""
    is_by_person = listed.health is AccountHealth.PAUSED and not listed.until
    if why and is_by_person:
        return f"{'par' if language == 'fr' else 'by'} {author_text(language, why)}"
    if language == "en" or not why:
        return why
    if listed.health is AccountHealth.REFUSED:
        why = carrier_message(why)
    elif listed.health is AccountHealth.UNUSABLE or listed.until:
        why = ""  # it is in English; 'recours accounts list' has it
    return quoted(language, why) if why else ""


def check_error(language: str, check: AccountCheck) -> str:
    """What stood in the way of an account's check, or what the carrier said of it."""
    error = check.error or ""
    if language == "en":
        return error
    is_carriers = check.said and check.said.words and check.verdict is not CheckVerdict.NOT_TRIED
    return sentence(language, check.said) if check.said and not is_carriers else quoted(language, error)


# ---------------------------------------------------------------- what happened to a claim beside its attempts

_LONGEST_WHY = 300

CHANGES: dict[str, dict[str, str]] = by_language(
    {
        ChangeKind.EDITED: ("edited", "modifiée"),
        ChangeKind.SET_ASIDE: ("set aside", "mise de côté"),
        ChangeKind.RESUMED: ("no longer set aside", "reprise"),
        ChangeKind.REOPENED: ("reopened", "relancée"),
        ChangeKind.EXCLUDED: ("excluded", "exclue"),
        ChangeKind.ENROLLED: ("enrolled", "prise en charge"),
        ChangeKind.ATTACHED: ("attached", "preuve jointe"),
        ChangeKind.DETACHED: ("proof taken back", "preuve retirée"),
        ChangeKind.ASKED: ("fetch asked for", "recherche demandée"),
        ChangeKind.CORRECTED: ("corrected", "corrigée"),
    }
)
# What a change is of: columns of the service, or words for people.
_COLUMNS = {"status": "pod_fetch_status", "deadline": "response_deadline"}
_PARTS = {
    "en": {"number": "tracking number", "carrier": "carrier", "count": "count of retries", "kind": "kind"},
    "fr": {
        "number": "numéro de suivi",
        "carrier": "transporteur",
        "count": "nombre d'essais",
        "kind": "genre",
    },
}
_NONE = {"en": "none", "fr": "aucun"}
_QUOTED = {"en": "'{}'", "fr": "« {} »"}


def change_text(language: str, change: PastChange) -> str:
    """`edited: carrier UPS → DHL, response_deadline none → 2026-03-09`."""
    # Of a claim that is set aside or taken up again, the status is its own.
    is_own = change.what in (ChangeKind.SET_ASIDE, ChangeKind.RESUMED)
    names = _PARTS[language] | _COLUMNS | ({"status": "status"} if is_own else {})

    def part(name: str, value: Any) -> str:
        shown_name = names.get(name, clean(name, 40))
        match name, value:
            case "why", _:
                return _QUOTED[language].format(clean(value, _LONGEST_WHY))
            case _, [old, new]:
                before, after = (_NONE[language] if one is None else clean(one, 60) for one in (old, new))
                return f"{shown_name} {before} → {after}"
        return f"{shown_name} {_QUOTED[language].format(clean(value, 60))}"

    what = CHANGES[language].get(change.what, change.what)
    parts = [part(name, value) for name, value in change.details.items() if value is not None]
    return f"{what}{COLON[language]}{', '.join(parts)}" if parts else what
