"""What documents say that prove nothing, and those that do: tables of phrases in French, English and German.

They are searched for in folded text: no accents, no capitals, single blanks. `( ...)?` and the like are patterns.
"""

import re


def _one_of(*phrases: str) -> str:
    return f"(?:{'|'.join(phrases)})"


def _whole(*phrases: str) -> re.Pattern[str]:
    return re.compile(rf"\b{_one_of(*phrases)}\b")


# ---------------------------------------------------------------- there is no proof

# The subject must be the proof: "no signature is available" is said by good letters too, where none was required.
_PROOF = _one_of(
    r"proof[- ]of[- ]delivery", r"p\.?o\.?d\.?", "delivery (notification|receipt|document|note)", "document",
    "preuves?( de livraison)?", "justificatif( de livraison)?", "bordereau( de livraison)?",
    "zustellnachweis", "ablieferungsnachweis", "liefernachweis", "abliefer(ungs)?beleg", "dokument", "nachweis", "beleg",
)  # fmt: skip
_IS_MISSING = _one_of(
    "not (yet )?(been )?(be )?(available|found|retrieved|displayed|exist)", "could not be", "cannot be", "can not be", "can't be",
    "isn't available", "unavailable", "does not exist", r"will be (\w+ ){0,2}available", "is being (generated|processed|prepared)",
    "(n'est|n'a|ne peut|ne sont)( pas| plus| encore)*( ete| etre)?( pas| encore)? ?(disponible|trouvee?|affichee?|generee?|fournie?)s?",
    "n'existe(nt)? pas", "(pas|non) (encore )?disponible", "indisponible", "introuvable", "inexistante?",
    r"(sera|seront) (\w+ ){0,2}disponibles?", "en cours de (generation|traitement|preparation)",
    "(derzeit |noch |leider )*(nicht|nicht mehr) (verfugbar|gefunden|vorhanden|abrufbar|vor)", "liegt (noch |leider |derzeit )*nicht vor",
    "wird (erstellt|generiert)",
)  # fmt: skip
_IS_THERE = _one_of(
    "available", "found", "exists?", "disponible", "trouvee?", "enregistree?", "verfugbar", "vorhanden", "gefunden", "vor"
)  # fmt: skip
_BETWEEN = r"((?!signatur|unterschrift)[^.;:!?]){0,60}? ?"
_IN_A_LANGUAGE = " (in|en|auf) "  # "this document is not available in English"
NOT_THERE = re.compile(
    rf"\b{_PROOF}\b{_BETWEEN}\b{_IS_MISSING}\b(?!{_IN_A_LANGUAGE})"
    rf"|\b(no|aucune?|kein(e|en)?) {_PROOF}\b{_BETWEEN}\b{_IS_THERE}\b"
)

# ---------------------------------------------------------------- pages of portals

ERROR_PAGE = _whole(
    # Errors
    r"(error|erreur|http|fehler|status|statut|code)( code)?[ :\"]{0,4}[45]\d\d",
    r"[45]\d\d (not found|forbidden|unauthorized|internal server error|bad gateway|service unavailable|gateway time-?out)",
    "(page|seite|ressource|resource) (not found|introuvable|nicht gefunden)", "internal server error", "bad gateway",
    "(service|site|dienst|system) (temporarily |momentanement |temporairement |est |is |ist )*(unavailable|indisponible|nicht (erreichbar|verfugbar)|down)",
    "erreur (technique|interne|serveur)", "technischer fehler",
    "(an|une|ein) (unexpected |internal |technical |unerwarteter )?(error|erreur|fehler)( interne| technique| inattendue)? "
    "(has occurred|occurred|est survenue|s'est produite|ist aufgetreten)",
    "(site|service|wartung|maintenance)s? (en|under|in|is|wird) (maintenance|gewartet)", "(en|under|in) (cours de )?maintenance", "wartungsarbeiten",
    "too many requests", "trop de requetes", "zu viele anfragen", "try again later", "reessayez? (plus tard|ulterieurement)",
    "spater (noch einmal|erneut)",
    # Logins
    "(votre |your |ihre )?(session|sitzung) (has |a |ist |is )?(expired|expire|timed out|abgelaufen)",
    "access denied", "acces (refuse|interdit)", "zugriff verweigert",
    "(please|veuillez|bitte) (vous )?(connecter|identifier|authentifier|melden sie sich|loggen|einloggen|anmelden)",
    "(connectez|identifiez|authentifiez)-vous", "se connecter", "mot de passe", "identifiant", "password", "user ?name", "log ?in", "sign ?in",
    "passwort vergessen", "benutzername", "kennwort", "anmelden", "anmeldung",
    # What stands before a page
    "cookies?", "captcha", "not a robot", "pas un robot", "kein roboter", "verif(y|iez) (that )?(you are|vous etes)", "enable javascript",
)  # fmt: skip

# ---------------------------------------------------------------- deliveries

STATES_DELIVERY = _whole(
    "(a ete|est|ont ete|sont) (bien |correctement )?(livre|remis|distribue|delivre)e?s?", "livraison (effectuee|realisee|terminee)",
    "remise?s? (au|aux) (destinataire|client|voisin|gardien)", "(retire|recupere) par (le |son )?(destinataire|client)",
    "remise? (a|contre|en main)", "livree? (a|au|aux|chez)", "signe par",
    "(was|were|has been|have been|is|successfully) (successfully )?(delivered|handed over)", "delivered (on|to|at|in)", "signed (for )?by",
    "received by",
    "(wurde|ist)[^.;:!?]{0,60}? (zugestellt|ausgeliefert|ubergeben)", "zustellung erfolgt", "erfolgreich zugestellt",
    "(statut|status|etat|evenement|event|ereignis|sendungsstatus)( actuel)?[ :]{0,3}(livre|delivered|zugestellt|remis)",
    "(livree?s?|delivered|zugestellt)(?= ?([.!,;)]|[-–] |$))",
)  # fmt: skip
STATUS = re.compile("(colis |envoi )?(livree?s?|remise?s?|distribuee?s?)|delivered|zugestellt")  # of a cell
STATES_NO_DELIVERY = _whole(
    "(n'a|n'est) pas (encore )?(ete )?(livre|remis)", "en cours (de livraison|d'acheminement)", "en attente de (livraison|prise en charge)",
    "livraison impossible", "non livree?s?", "(sera|seront|serait) (livre|remis|distribue)e?s?",
    "not (yet )?(been )?delivered", "out for delivery", "in transit", "on its way", "label created", "could not be delivered",
    "will be delivered",
    "noch nicht zugestellt", "in zustellung", "unterwegs", "nicht zugestellt werden", r"(wird|werden) (\w+ ){0,6}zugestellt",
    "(retournee?|returned|retour) (a l'expediteur|to (the )?sender)", "zuruck an (den )?absender",
)  # fmt: skip
# A sentence that goes on with the date of a delivery, or has it behind "wurde am". Times and titles have signs of their own.
# Before the date stands a day of the week at most: in a list of events "livré LE HAVRE" is followed by another event's date.
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_SENTENCE = r"(?:[^.;:!?|]|:\d|(?<=\b[a-z])\.|(?<=\b[a-z]{2})\.)"
STATED_ON = re.compile(
    rf"\b(livre|remis|distribue|delivre)e?s?\b{_SENTENCE}{{0,80}}?\ble (?=(?:(?:[a-z]{{2,5}}di|dimanche),? )?\d)"
    rf"|\b(delivered|handed over|left)\b{_SENTENCE}{{0,80}}?\bon (?=(?:[a-z]{{3,6}}day,? |[a-z]{{3}},? )?(?:{_MONTH} )?\d)"
    r"|\b(wurde|ist) (?P<german>)(?:[^;:!?|]|:\d){0,120}?\b(zugestellt|ausgeliefert|ubergeben)\b"
)
NEGATED = _whole(
    "sera", "serait", "will be", "would be", "shall be", "pas", "not", "non", "prevue?", "soll", "wird", "nicht", "to be", "avant", "before"
)  # fmt: skip
# Words of deliveries. Italian, Spanish and Dutch too: their proofs are not known better.
_DELIVERED = _one_of(
    "livre", "remise? (a|au|aux|le|en|contre) ", "distribue", "receptionn", "recu ", "retire",
    "delivered", "delivery (date|time|location)", "received", "collected", "handed", "signed",
    "zugestellt", "zustell(datum|ung|zeit)", "ausgeliefert", "ubergeben", "angenommen", "entgegen", "abgeholt",
    "consegn", "entreg", "bezorgd", "geleverd",
)  # fmt: skip
SPEAKS_OF_DELIVERY = re.compile(rf"\b{_DELIVERED}")

# ---------------------------------------------------------------- signatures

OF_A_SIGNATURE = _whole(
    "signature", "signee?", "signed", "signataire", "emargement", "unterschrift", "unterschrieben"
)
NO_SIGNATURE = _whole(
    r"(no|without|sans|aucune|keine|ohne) (\w+ )?(signature|unterschrift)",
    "(signature|unterschrift)[ :]{0,3}(is |was |n'est |est |ist |war |wurde )?(not|non|pas|nicht|unavailable|indisponible|waived|none|aucune|keine)",
    "unsigned", "non signee?", "contactless", "sans contact", "kontaktlos",
)  # fmt: skip
