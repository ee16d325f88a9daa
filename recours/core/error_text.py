"""Error texts that other software wrote, French or English, turned into kinds of error.

Only for rows that we never tried ourselves: an answer that we received is translated by its carrier's table.
What no pattern knows is temporary.
"""

import re
from functools import lru_cache

from recours.core.errors import ErrorKind
from recours.core.sentences import kind_of_text
from recours.core.text import plain

_UNKNOWN = ErrorKind.SERVER_ERROR
_LONGEST = 2000

# The first pattern that is found decides: the narrower ones stand before the wider ones. Accents and case are gone.
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
        r"|aucun (colis|resultat|envoi)|(pas|non|pas ete) trouve",
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
# Status codes have three digits: no pattern asks for the digits of a longer number.
_LONG_NUMBER = re.compile(r"[0-9]{4,}")


def classify(text: str | None) -> ErrorKind:
    """The kind of error a text tells of, foreign or ours; `server_error`, which is temporary, if nothing is known."""
    if not text:
        return _UNKNOWN
    return _kind_of(_LONG_NUMBER.sub(lambda number: "0" * len(number[0]), text[:_LONGEST]))


# A million failures have few texts, which may differ in the tracking numbers that they repeat.
@lru_cache(maxsize=1024)
def _kind_of(text: str) -> ErrorKind:
    if ours := kind_of_text(text):
        return ours
    folded = plain(text).replace("\u2019", "'")
    return next((kind for kind, pattern in _PATTERNS if re.search(pattern, folded)), _UNKNOWN)
