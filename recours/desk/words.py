"""What claims, errors and answers are called when a person is told of them, in English and French."""

from recours.core.errors import ErrorKind
from recours.desk.answers import Standing

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
        ErrorKind.SERVER_ERROR: "carrier out of order",
        ErrorKind.TIMEOUT: "no answer in time",
        ErrorKind.NETWORK: "network",
        ErrorKind.BAD_RESPONSE: "unusable answer",
        ErrorKind.RATE_LIMITED: "quota or pause",
        ErrorKind.AUTH_FAILED: "our account was refused",
        ErrorKind.ACCOUNT_DENIED: "account lacks a right",
        ErrorKind.NOT_CONFIGURED: "no credentials",
        ErrorKind.INTERNAL_ERROR: "our own fault",
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
        ErrorKind.SERVER_ERROR: "transporteur en panne",
        ErrorKind.TIMEOUT: "pas de réponse à temps",
        ErrorKind.NETWORK: "réseau",
        ErrorKind.BAD_RESPONSE: "réponse inutilisable",
        ErrorKind.RATE_LIMITED: "quota ou pause",
        ErrorKind.AUTH_FAILED: "notre compte a été refusé",
        ErrorKind.ACCOUNT_DENIED: "droits insuffisants chez le transporteur",
        ErrorKind.NOT_CONFIGURED: "identifiants absents",
        ErrorKind.INTERNAL_ERROR: "erreur de notre part",
    },
}

# What a claim's standing means, as a sentence. {reference}, {at}, {next}, {attempts}, {error} are filled in.
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
        Standing.GIVEN_UP: "{reference} was given up after {attempts}{error}.",
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
        Standing.GIVEN_UP: "{reference} : recherche abandonnée après {attempts}{error}.",
    },
}

# How many attempts: one, and several.
ATTEMPTS = {"en": ("{count} attempt", "{count} attempts"), "fr": ("{count} tentative", "{count} tentatives")}

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
        "held": "{reference} is being fetched by another run at this moment; try again in a minute.",
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
