"""What documents say of a delivery: tables of phrases in the languages of the carriers' countries.

They are searched for in folded text: no accents, no capitals, single blanks. `( ...)?` and the like are patterns.
"""

import re


def _any(**languages: str) -> str:
    return "|".join(languages.values())


def _whole(**languages: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{_any(**languages)})(?!\w)")


# ---------------------------------------------------------------- deliveries

# Participles only: "delivery" and "livraison" stand on every page of a carrier. "Collected" alone may be from the sender.
_HANDED_OVER = _any(
    fr="(livre|remis|distribue|delivre|depose|receptionne)e?s?",
    en="delivered(?! (duty|at place))|handed over|handed to",
    de="zugestellt|ausgeliefert|ubergeben|ausgehandigt|abgegeben|abgeliefert|geliefert|hinterlegt",
    es="entregad[oa]s?|se entrego|depositad[oa]s?",
    it="(consegnat|recapitat)[oaie]",
    nl="bezorgd|afgeleverd|geleverd|overhandigd|uitgereikt|afgegeven",
)
_TAKEN_BY = _any(
    fr="(retire|recupere|recu|signe|accepte)e?s? par|a signe",
    en="left ([^.;]{0,60} )?with|left (in|at) (a|the|an|your)|(signed( for)?|collected|picked up|accepted|received|taken) by|signed for it",
    de="(angenommen|entgegengenommen|unterschrieben|quittiert|abgeholt) (von|durch)|(von|durch) [^.;]{2,60}(abgeholt|angenommen)",
    es="(recogid|retirad|recibid|firmad|aceptad)[oa]s? por|lo recibio",
    it="(ritirat|ricevut|firmat|accettat)[oaie] da",
    nl="(opgehaald|aangenomen|ontvangen|getekend) door|door [^.;]{2,60}(opgehaald|aangenomen)|voor ontvangst getekend",
)
_CERTIFIED = (  # "certificamos la entrega del paquete", "attestiamo la consegna"
    r"(confirm|certif|attest|bestatig|bevestig)\w* (\w+ ){0,4}"
    "(livraison|distribution|delivery|zustellung|auslieferung|entrega|consegna|bezorging|aflevering)"
)
DELIVERED = re.compile(rf"\b(?:{_HANDED_OVER}|{_TAKEN_BY}|{_CERTIFIED})(?!\w)")
STATUS = re.compile(
    rf"(?:(colis|envoi|parcel|package|shipment|sendung|paket|envio|paquete|collo|pakket|zending) )?(?:{_HANDED_OVER})"
)
_STATUS_LABEL = r"(?:[a-z]+ )?(?:statut|etat|status|estado|stato|evenement|event|ereignis|evento)\w*(?: (?:actuel|actual|attuale))? ?:? ?"
# What makes a participle a statement: a verb before it, or that the sentence begins with it.
HAPPENED = _whole(
    fr="a|ont|ete|est|sont",
    en="was|were|been|is|are|successfully|it",
    de="wurden?|ist|sind|hat|haben|erfolgreich",
    es="fue|fueron|sido|ha|han|esta|se|lo",
    it="stat[oaie]|sono|risulta|avvenuta|e",
    nl="is|zijn|werd|werden|heeft",
)
BEGINS = re.compile(rf"\W*(?:{_STATUS_LABEL})?(?:[a-z]+ ){{0,2}}(?:\d+ )?$")
# What makes it a plan, an attempt, a condition or its contrary: anywhere before it in the sentence, or close to it.
NOT_YET = _whole(
    fr="sera|seront|serait|va etre|vont etre|prevue?s?|devrait|doit etre|pour etre|avant d'etre|estimee?s?|tent(e|ons|ative)|pour (voir|consulter)|lorsqu\\w*|quand|si (le|la|vous)|repute|n'ont|pas (pu|encore)|impossible|echec",
    en="to (see|view)|will|would|shall|should|could|cannot|can be|may be|to be|being|expected|scheduled|estimated|if|when|until|unless|tried|try|trying|attempt\\w*|unable|failed",
    de="wird|werden|soll\\w*|konnten?|kann|voraussichtlich\\w*|versuch\\w*|wenn|sobald|falls|gilt|gelten|geplant\\w*",
    es="para (ver|consultar)|seran?|se entregara|va a ser|previst[oa]|estimad[oa](?! (cliente|se[nñ]or|amig))|intent\\w*|cuando|si (el|la|no)|hasta|se considera\\w*|pendiente|podra|debe",
    it="per (vedere|visualizzare)|sara|saranno|verra|verranno|previst[oa]|stimat[oa]|tentat\\w*|quando|se (il|la|non)|si intende|puo",
    nl="te (zien|bekijken)|wordt|worden|zal|zullen|verwacht\\w*|gepland\\w*|geprobeerd|poging|zodra|wanneer|voordat|kon|konden|moet",
)
NEGATED = re.compile(
    r"\b(?:pas|non|avant|jamais|aucune?|not|isn't|wasn't|hasn't|never|before|nicht|kein\w*|no (?:se|ha|han|fue|esta)|antes de|prima di|niet|geen|noch)\b[^,;:]{0,40}$"
)
OF_A_RULE = _whole(
    fr="chaque jour|par jour|lorsqu\\w*|a l'expediteur",
    en="every day|a day|each day|when|to (the |its )?(sender|shipper)",
    de="taglich|werden|wenn|sobald|an den absender",
    es="cada dia|al dia|cuando|al remitente",
    it="ogni giorno|al giorno|quando|al mittente",
    nl="elke dag|per dag|zodra|wanneer|aan de afzender",
)
# Where a parcel is that was not delivered.
_ON_ITS_WAY = _any(
    fr="en cours|en transit|pris(e)? en charge|en attente|en preparation|avis de passage|vous attend|a retirer|retour(nee?)?|prochaine etape|etapes?",
    en="in transit|out for delivery|on its way|on the way|label created|awaiting|ready for (collection|pick-?up)|held until|picked up|shipped|return(ed|ing)?|delivery attempt|exception",
    de="in zustellung|unterwegs|zur abholung|in bearbeitung|angekundigt|zuruck\\w*|zustellversuch|bearbeitet|wartet",
    es="en transito|en reparto|en camino|pendiente|devuel\\w+|devolucion|en ruta|admitido",
    it="in transito|in consegna|in attesa|in giacenza|ritorno|in lavorazione|partit[oa]|presa in carico",
    nl="onderweg|ligt klaar|retour|wacht op|in behandeling|aangemeld|gesorteerd",
)  # fmt: skip
ON_ITS_WAY = re.compile(rf"\b(?:{_ON_ITS_WAY})(?!\w)")
STATUS_ON_ITS_WAY = re.compile(rf"\b{_STATUS_LABEL}(?:{_ON_ITS_WAY})(?!\w)")
STEP_BEFORE = re.compile(rf"\b(?:{_ON_ITS_WAY})[^\d.;]{{0,30}}$")
STEP_BEHIND = re.compile(rf"[^\d.;]{{0,15}}\b(?:{_ON_ITS_WAY})(?!\w)")

# ---------------------------------------------------------------- there is no proof

_PROOF = _any(
    fr="preuves?|justificatif|document|bordereau|recepisse",
    en="proof|p\\.?o\\.?d|document|(delivery )?receipt",
    de="\\w*(nachweis|beleg)|dokument",
    es="comprobante|prueba|justificante|documento|albaran",
    it="prova|bolla",
    nl="\\w*bewijs",
)
OF_A_SIGNATURE = _whole(
    fr="signature|signee?|signataire|emargement",
    en="signed|signatory",
    de="unterschrift|unterschrieben|quittiert",
    es="firma|firmad[oa]",
    it="firmat[oa]",
    nl="handtekening|getekend|ondertekend",
)
_MISSING = _any(
    fr="indisponible|introuvable|inexistante?|aucune?|en cours de (generation|traitement|preparation)|(ne|n')\\b[^.;]{0,30} (pas|plus)|(sera|seront) (\\w+ ){0,2}disponibles?|impossible",
    en="unavailable|no|not|cannot|isn't|will be (\\w+ ){0,2}available|is being (generated|processed|prepared)|could not|unable",
    de="nicht|kein\\w*|wird (erstellt|generiert)|steht innerhalb",
    es="no|sin|ningun\\w*|estara disponible|sera enviado|no se pudo",
    it="non|nessun\\w*|sara disponibile|impossibile",
    nl="niet|geen|wordt (aangemaakt|gegenereerd)|binnen \\d+",
)  # fmt: skip
_THERE = _any(
    fr="disponible|trouve\\w*|enregistree?|affichee?|generee?|fournie?|existe\\w*|dispos\\w+",
    en="available|found|retrieved|displayed|exists?|on file|generated|be",
    de="verfugbar|gefunden|vorhanden|abrufbar|vor|hinterlegt|erstellt|verfugung",
    es="disponible|encontrad[oa]|existe|disponemos|generar|generado",
    it="disponibile|trovat[oa]|presente|esiste|generare",
    nl="beschikbaar|gevonden|vastgelegd|aanwezig|aangemaakt",
)
_NEAR = "[^.;!?|]{0,80}?"
_NOT_THERE = rf"(?:{_MISSING})\b{_NEAR}\b(?:{_THERE})|(?:{_THERE})\b{_NEAR}\b(?:nicht|niet|pas|non)|unavailable|indisponible|introuvable"
# "This document is not available in English" is no matter. Of the signature, good letters say it too, where none was required.
NOT_THERE = re.compile(
    rf"\b(?:{_PROOF})\b(?:(?!signatur|unterschrift|firma|handtekening)[^.;!?|]){{0,80}}?\b(?:{_NOT_THERE})(?!\w)(?! (?:in|en|auf) \w)"
    rf"|\b(?:no|aucune?|kein\w*|ningun\w*|nessun\w*|geen) (?:{_PROOF})\b{_NEAR}\b(?:{_THERE})(?!\w)"
)

# ---------------------------------------------------------------- pages of portals

ERROR_PAGE = _whole(
    codes=r"(error|erreur|http|fehler|errore|fout|status|statut|code)( code)?[ :\"]{0,4}[45]\d\d|[45]\d\d (not found|forbidden|unauthorized|internal server error|bad gateway|service unavailable)",
    fr="(page|ressource) (demandee )?(est )?introuvable|erreur (technique|interne|est survenue)|une erreur|momentanement indisponible|maintenance|reessayer?z? (plus tard|ulterieurement)|trop de requetes|session a expire|acces (refuse|interdit)",
    en="(page|resource) not found|(an|internal|unexpected|server) error|bad gateway|something went wrong|temporarily unavailable|try again later|too many requests|session (has )?(expired|timed out)|access denied",
    de="(interner|technischer|ein) fehler|wartungsarbeiten|spater (noch einmal|erneut)|zu viele anfragen|sitzung ist abgelaufen|zugriff verweigert|seite (wurde )?nicht gefunden",
    es="(un|se ha producido un) error|error (interno|tecnico)|mantenimiento|intentelo (mas tarde|de nuevo)|sesion (ha )?caducad[oa]|acceso denegado|pagina (solicitada|no encontrada)",
    it="(un|si e verificato un) errore|errore (interno|tecnico)|manutenzione|riprova\\w* piu tardi|sessione (e )?scaduta|accesso negato|pagina (richiesta )?non",
    nl="(interne|technische) fout|er is iets misgegaan|een fout|onderhoud|probeer het later|sessie is verlopen|toegang geweigerd|pagina (is )?niet gevonden",
)  # fmt: skip
# Words of a login, a banner or a menu, which stand around good documents too.
MENU = _whole(
    all="cookies?|cookie-\\w+|captcha|robot|log ?in|password|e-?mail",
    fr="se connecter|connectez-vous|identifiez-vous|mot de passe|identifiant|veuillez patienter",
    en="sign ?in|user ?name|javascript",
    de="anmelden|anmeldung|passwort|kennwort|benutzername|kein roboter",
    es="iniciar sesion|identifiquese|contrasena",
    it="accedi|accesso",
    nl="inloggen|wachtwoord",
)

# ---------------------------------------------------------------- signatures

_SIGNATURE = "(signature|unterschrift|firma|handtekening)"
NO_SIGNATURE = re.compile(
    rf"\b(?:(no|without|sans|aucune|keine|ohne|sin|senza|nessuna|geen|zonder) (\w+ )?{_SIGNATURE}"
    rf"|{_SIGNATURE}[ :]{{0,3}}(is |was |n'est |est |ist |war |wurde )?(not|non|pas|nicht|no|niet|unavailable|indisponible|waived|none|aucune|keine)"
    r"|driver release|unsigned|non signee?|contactless|sans contact|kontaktlos|contactloos|sin contacto)(?!\w)"
)

# A title that says what a page is: of a page whose picture is not read, this is all that it says.
TITLE = re.compile(rf"\b(?:{_PROOF})\b")
