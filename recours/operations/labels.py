"""What claims, errors and answers are called when a person is told of them, in English and French."""

from recours.core.claim import Claim
from recours.core.error_text import classify
from recours.core.errors import Actor, ErrorKind
from recours.core.sentences import Said, sentence
from recours.core.text import clean
from recours.operations.api_results import Standing
from recours.operations.position import Closing, Why, closing_of
from recours.runs.ports import Refusal

STANDING: dict[str, dict[Standing, str]] = {
    "en": {
        Standing.FETCHED: "fetched",
        Standing.IN_HAND: "being fetched",
        Standing.NOT_SEEN: "not looked at yet",
        Standing.LEFT_ALONE: "left alone",
        Standing.UNNUMBERED: "no tracking number",
        Standing.NEW: "new",
        Standing.WAITING: "waiting",
        Standing.READY: "due",
        Standing.SETTLED: "needs a correction",
        Standing.SHELVED: "not wanted",
        Standing.GIVEN_UP: "given up",
    },
    "fr": {
        Standing.FETCHED: "obtenue",
        Standing.IN_HAND: "recherche en cours",
        Standing.NOT_SEEN: "pas encore examinée",
        Standing.LEFT_ALONE: "hors périmètre",
        Standing.UNNUMBERED: "sans numéro de suivi",
        Standing.NEW: "nouvelle",
        Standing.WAITING: "en attente",
        Standing.READY: "à traiter",
        Standing.SETTLED: "à corriger",
        Standing.SHELVED: "sans objet",
        Standing.GIVEN_UP: "abandonnée",
    },
}

KINDS: dict[str, dict[ErrorKind, str]] = {
    "en": {
        ErrorKind.INVALID_TRACKING: "invalid tracking number",
        ErrorKind.POD_NEVER_AVAILABLE: "no POD will exist",
        ErrorKind.ACCESS_DENIED: "parcel not on our contract",
        ErrorKind.RETURNED_TO_SENDER: "returned to the sender",
        ErrorKind.UNSUPPORTED_CARRIER: "carrier not supported",
        ErrorKind.NOT_FOUND: "number unknown to the carrier",
        ErrorKind.NOT_DELIVERED_YET: "not delivered yet",
        ErrorKind.POD_NOT_AVAILABLE_YET: "POD not there yet",
        ErrorKind.SERVER_ERROR: "carrier unavailable",
        ErrorKind.TIMEOUT: "no answer in time",
        ErrorKind.NETWORK: "network",
        ErrorKind.BAD_RESPONSE: "unusable answer",
        ErrorKind.RATE_LIMITED: "quota or pause",
        ErrorKind.AUTH_FAILED: "credentials rejected",
        ErrorKind.ACCOUNT_DENIED: "account may not use this service",
        ErrorKind.NOT_CONFIGURED: "no credentials",
        ErrorKind.INTERNAL_ERROR: "internal error",
    },
    "fr": {
        ErrorKind.INVALID_TRACKING: "numéro de suivi non valable",
        ErrorKind.POD_NEVER_AVAILABLE: "aucune preuve n'existera",
        ErrorKind.ACCESS_DENIED: "colis hors de notre contrat",
        ErrorKind.RETURNED_TO_SENDER: "retourné à l'expéditeur",
        ErrorKind.UNSUPPORTED_CARRIER: "transporteur non pris en charge",
        ErrorKind.NOT_FOUND: "numéro inconnu du transporteur",
        ErrorKind.NOT_DELIVERED_YET: "pas encore livré",
        ErrorKind.POD_NOT_AVAILABLE_YET: "preuve pas encore disponible",
        ErrorKind.SERVER_ERROR: "transporteur indisponible",
        ErrorKind.TIMEOUT: "pas de réponse à temps",
        ErrorKind.NETWORK: "réseau",
        ErrorKind.BAD_RESPONSE: "réponse inutilisable",
        ErrorKind.RATE_LIMITED: "quota ou pause",
        ErrorKind.AUTH_FAILED: "identifiants refusés",
        ErrorKind.ACCOUNT_DENIED: "droits insuffisants chez le transporteur",
        ErrorKind.NOT_CONFIGURED: "identifiants absents",
        ErrorKind.INTERNAL_ERROR: "erreur interne",
    },
}

# What a claim's standing means, as a sentence. {reference}, {at}, {next}, {asked}, {error} are filled in.
STATUS: dict[str, dict[Standing, str]] = {
    "en": {
        Standing.FETCHED: "{reference}: the proof of delivery was fetched on {at}.",
        Standing.IN_HAND: "{reference} is being fetched at this moment.",
        Standing.NOT_SEEN: "{reference} is new or was corrected: the next run looks at it.",
        Standing.LEFT_ALONE: "{reference}: no proof of delivery was asked for.",
        Standing.UNNUMBERED: "{reference} has no tracking number: it waits for one.",
        Standing.NEW: "{reference} is new: the next run of the fetch worker asks the carrier.",
        Standing.WAITING: "{reference} waits for its next try on {next}{error}.",
        Standing.READY: "{reference} is due: the next run of the scheduler asks the carrier{error}.",
        Standing.SETTLED: "{reference} is not asked about again unless it is corrected{error}.",
        Standing.SHELVED: "{reference}: the status of the claim says that no proof is wanted.",
        Standing.GIVEN_UP: "{reference} was given up; {asked}{error}.",
    },
    "fr": {
        Standing.FETCHED: "{reference} : la preuve de livraison a été obtenue le {at}.",
        Standing.IN_HAND: "{reference} : la recherche est en cours.",
        Standing.NOT_SEEN: "{reference} : réclamation nouvelle ou corrigée, la prochaine exécution l'examine.",
        Standing.LEFT_ALONE: "{reference} : aucune preuve de livraison n'a été demandée.",
        Standing.UNNUMBERED: "{reference} : le numéro de suivi manque encore.",
        Standing.NEW: "{reference} : réclamation nouvelle, le transporteur est interrogé à la prochaine exécution.",
        Standing.WAITING: "{reference} : prochain essai le {next}{error}.",
        Standing.READY: "{reference} : le transporteur est interrogé à la prochaine exécution{error}.",
        Standing.SETTLED: "{reference} : plus de recherche tant que rien n'est corrigé{error}.",
        Standing.SHELVED: "{reference} : le statut de la réclamation dit qu'aucune preuve n'est attendue.",
        Standing.GIVEN_UP: "{reference} : recherche abandonnée, {asked}{error}.",
    },
}

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


def asked_words(language: str, times: int) -> str:
    """How often the carrier was asked."""
    return ASKED[language][min(times, 2)].format(count=times)


# What is said instead of a standing's sentence: by why the claim is, or is not, tried.
INSTEAD: dict[str, dict[Why, str]] = {
    "en": {
        Why.NOT_ASKED: "{reference} is due, and nothing can be asked: {missing}{error}.",
        Why.CLOSED: "{reference} waits until {next}: {closing}{error}.",
        Why.BLOCKED: "{reference} waits until someone acts: {closing}{error}.",
        Why.ENDING: "{reference} has no retry left: the next run gives it up{error}.",
        Why.EXPIRING: "{reference} is given up at its next retry: its response deadline passed long ago{error}.",
    },
    "fr": {
        Why.NOT_ASKED: "{reference} : rien ne peut être demandé, {missing}{error}.",
        Why.CLOSED: "{reference} : en attente jusqu'au {next}, {closing}{error}.",
        Why.BLOCKED: "{reference} : en attente d'une intervention, {closing}{error}.",
        Why.ENDING: "{reference} : plus aucun essai, la prochaine exécution abandonne la recherche{error}.",
        Why.EXPIRING: "{reference} : date limite dépassée depuis longtemps, la recherche sera abandonnée{error}.",
    },
}

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

# Why nothing can be asked: no number, or no carrier that is known.
MISSING = {
    "en": ("it has no tracking number", "its carrier is not supported"),
    "fr": ("le numéro de suivi manque", "le transporteur n'est pas pris en charge"),
}

# Who can act on a claim.
ACTORS: dict[str, dict[Actor, str]] = {
    "en": {
        Actor.CLIENT: "the client",
        Actor.OPERATOR: "the operator of recours",
        Actor.CARRIER: "the carrier",
        Actor.NOBODY: "nothing to do, it is retried automatically",
    },
    "fr": {
        Actor.CLIENT: "le client",
        Actor.OPERATOR: "l'exploitant de recours",
        Actor.CARRIER: "le transporteur",
        Actor.NOBODY: "rien à faire, nouvel essai automatique",
    },
}

# How a fetch that was asked for ended, and what stood in its way.
ANSWERS: dict[str, dict[str, str]] = {
    "en": {
        "fetched": "{reference}: the proof of delivery is there{signed}.",
        "signed": ", signed by {signatory}",
        "not_fetched": "{reference}: no proof of delivery ({kind}): {error}.",
        "not_asked": "{reference}: the carrier was not asked ({kind}): {error}.",
        "next": " Next try: {next}.",
        "no_next": " It is not tried again by itself unless the claim is corrected.",
        "left": " No attempt was used up.",
        "unknown": "There is no claim '{reference}'.",
        "near": " Did you mean {near}?",
        "held": "{reference} is being fetched by another run right now; try again in a minute.",
        "has_pod": "{reference} already has its proof of delivery; nothing was fetched.",
        "not_wanted": "{reference}: the status of the claim says that no proof is wanted; nothing was fetched.",
        "settings": "recours cannot work with its settings; ask the operator. {faults}",
        "database": "The database cannot be used at the moment; nothing was changed. {fault}",
        "run": "The fetch could not be made; ask the operator. {fault}",
    },
    "fr": {
        "fetched": "{reference} : la preuve de livraison est là{signed}.",
        "signed": ", signée par {signatory}",
        "not_fetched": "{reference} : pas de preuve de livraison ({kind}) : {error}.",
        "not_asked": "{reference} : le transporteur n'a pas été interrogé ({kind}) : {error}.",
        "next": " Prochain essai : {next}.",
        "no_next": " Plus d'essai automatique tant que la réclamation n'est pas corrigée.",
        "left": " Aucune tentative n'a été comptée.",
        "unknown": "La réclamation « {reference} » n'existe pas.",
        "near": " Vouliez-vous dire {near} ?",
        "held": "{reference} : une autre exécution s'en occupe en ce moment ; réessayez dans une minute.",
        "has_pod": "{reference} a déjà sa preuve de livraison ; rien n'a été demandé.",
        "not_wanted": "{reference} : le statut de la réclamation dit qu'aucune preuve n'est attendue ; rien n'a été demandé.",
        "settings": "recours ne peut pas travailler avec ses réglages ; prévenez l'exploitant. {faults}",
        "database": "La base de données est inutilisable pour le moment ; rien n'a été modifié. {fault}",
        "run": "La recherche n'a pas pu se faire ; prévenez l'exploitant. {fault}",
    },
}


# ---------------------------------------------------------------- recorded errors


def quoted(language: str, text: str) -> str:
    """Words of a carrier, an older version or other software, in quotation marks."""
    return f"« {clean(text)} »" if language == "fr" else f'"{clean(text)}"'


def error_of(language: str, claim: Claim) -> str | None:
    """What the claim's row says of its last failure; None: nothing."""
    if not claim.error_text:
        return None
    return said_or_quoted(
        language, claim.said, claim.state.kind or classify(claim.error_text), claim.error_text
    )


def said_or_quoted(language: str, said: Said | None, kind: ErrorKind | None, text: str) -> str:
    """The sentence that `said` stands for; without one, the kind and the recorded text in quotation marks."""
    if said:
        return sentence(language, said)
    colon = " : " if language == "fr" else ": "
    return f"{KINDS[language][kind]}{colon}{quoted(language, text)}" if kind else quoted(language, text)


def reason_of(language: str, refusal: Refusal, carrier: str) -> str:
    """Why no call was made. `carrier`: its name for people."""
    if language == "en":
        return refusal.reason
    if refusal.said:
        return sentence(language, refusal.said)
    return CLOSINGS[language][closing_of(refusal)].format(carrier=carrier)


# ---------------------------------------------------------------- what a person could do


WHO_CAN_ACT = {
    Actor.CLIENT: "The client, or the person who corrects the claim for them.",
    Actor.OPERATOR: "The operator of recours.",
    Actor.CARRIER: "The carrier. Most of the time it passes by itself.",
    Actor.NOBODY: "Nothing to do: it is retried automatically.",
}

ADVICE = {
    ErrorKind.INVALID_TRACKING: (
        "Ask the client for the right tracking number and correct the claim: the next run starts afresh with it."
    ),
    ErrorKind.POD_NEVER_AVAILABLE: (
        "{carrier} will give no proof for this parcel: ask the client, or the carrier's customer service, for another one."
    ),
    ErrorKind.ACCESS_DENIED: (
        "The parcel is not on our contract with {carrier}: check that the number is the client's; the sender can ask for "
        "the proof with an account of their own."
    ),
    ErrorKind.RETURNED_TO_SENDER: (
        "{carrier} took the parcel back to its sender, so the recipient never received it and no proof of that exists. Ask "
        "the client whether the parcel came back."
    ),
    ErrorKind.UNSUPPORTED_CARRIER: (
        "Correct the carrier's name in the claim; 'recours carriers' lists those that there are."
    ),
    ErrorKind.NOT_FOUND: (
        "Compare the number and the carrier with the client's papers, and correct the claim if they differ: the next run "
        "starts afresh."
    ),
    ErrorKind.NOT_DELIVERED_YET: "Nothing to do as long as the parcel may still arrive: recours asks again automatically.",
    ErrorKind.POD_NOT_AVAILABLE_YET: (
        "Nothing to do: the parcel is delivered, and the carrier files its proof later. recours asks again automatically."
    ),
    ErrorKind.SERVER_ERROR: "Nothing to do unless it lasts: {carrier} is unavailable. 'recours status' shows whether its other claims get an answer.",
    ErrorKind.TIMEOUT: "Nothing to do unless it lasts: {carrier} answers too slowly.",
    ErrorKind.NETWORK: (
        "Nothing to do unless it lasts; then check that this machine reaches {carrier} ('recours carriers check')."
    ),
    ErrorKind.BAD_RESPONSE: (
        "Nothing to do unless it lasts: {carrier} sent no proof, or an answer that recours cannot read. The log says what "
        "it sent."
    ),
    ErrorKind.RATE_LIMITED: "Nothing to do: it goes on when the limit resets. 'recours status' shows the quotas.",
    ErrorKind.AUTH_FAILED: (
        "Correct the credentials of {carrier}, then try them with 'recours carriers check'. No attempt is used up meanwhile."
    ),
    ErrorKind.ACCOUNT_DENIED: (
        "The account at {carrier} is known but may not use this service. Ask {carrier} to enable it (or to list this "
        "machine's address), then run 'recours carriers check'. No attempt is used up meanwhile."
    ),
    ErrorKind.NOT_CONFIGURED: (
        "Set the credentials of {carrier}, then try them with 'recours carriers check'. No attempt is used up meanwhile."
    ),
    ErrorKind.INTERNAL_ERROR: (
        "This is an error in recours: the traceback is in the log of that run. Please report it with those lines."
    ),
}
