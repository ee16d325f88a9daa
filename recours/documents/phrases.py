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
    fr="(livre|remis|distribue|delivre|(?<!avis )(?<!passage )depose(?!e?s? (au|en|dans|a) (un |le |la |l')?(point|relais|bureau|agence|consigne))|laisse|receptionne)e?s?|(retrait|remise|livraison) (effectue|realise)e?",
    en="delivered(?! (duty|at place))|handed over|handed(?= to)",
    de="zugestellt|ausgeliefert|ubergeben|ausgehandigt|abgegeben|abgeliefert|geliefert|(?<!filiale )(?<!paketshop )hinterlegt|eingelegt|eingeworfen|abgestellt|abgelegt",
    es="entregad[oa]s?|se entrego|depositad[oa]s?|se dejo|dejad[oa]s?",
    it="(consegnat|recapitat|lasciat)[oaie]",
    nl="bezorgd|afgeleverd|geleverd|overhandigd|uitgereikt|afgegeven|achtergelaten|neergelegd|brievenbus gestopt",
)
_CARRIER = r"(the |our |le |notre |un |den |dem |unseren?m? |el |un |il |l'|de |onze )?(driver|carrier|courier|chauffeur|transporteur|coursier|livreur|fahrer|zusteller|kurier|conductor|transportista|repartidor|mensajero|autista|corriere|vettore|bezorger|vervoerder|koerier|ups|dhl|gls|dpd|fedex|tnt|chronopost|colissimo|la poste|mondial relay|postnl|correos|seur|hermes|(local )?(postal|post) \w+|operator|partenaire|partner)"
# What the recipient did, or anybody but the carrier, who takes it from its sender.
_COLLECTED = _any(
    fr="(retire|recupere)e?s?",
    en="collected|picked up|taken",
    de="abgeholt|entnommen",
    es="(?<!de )(?<!su )(?<!para )(recogid|retirad)[oa]s?|recogio|retiro",
    it="(ritirat|prelevat)[oaie]",
    nl="opgehaald|afgehaald",
)
_RECEIVED = _any(
    fr="(recu|signe|accepte)e?s?",
    en="(received|accepted|took|signed)( for)?",
    de="angenommen|entgegengenommen|erhalten|quittiert|unterschrieben",
    es="(recibid|aceptad|firmad)[oa]s?|recibio|acepto|firmo",
    it="(ricevut|accettat|firmat)[oaie]",
    nl="ontvangen|aangenomen|getekend",
)
_SIGNED_FOR = "a signe|left ([^.;]{0,60} )?with|(left|placed|put) (in|at) (a|the|an|your)|posted through|released to|signed for it|lo recibio|voor ontvangst getekend"
_BY = r"par|by|von|durch|por|dal?|dalla|door"
RECIPIENT = _whole(
    titles=r"mm?\.|mme|mlle|mrs?|ms|herrn?|frau|sra?|sig(ra)?|dhr|mevr|mevrouw|mw",
    fr="destinataire|(le|la|un|une|par) (cliente?|voisine?)|mandataire|gardienn?e?",
    en="recipient|addressee|consignee|receiver|(the|a|by) (customer|neighbou?r)|resident",
    de=rf"empfanger(in)?|adressat(in)?|(der|die|dem|einem|einer) (kunde|kundin|nachbarn?|nachbarin)|bevollmachtigte[rn]?|(von|durch)(?! {_CARRIER})(?!.* erhalten$)",
    es="destinatari[oa]|(el|la|un|una) (cliente|vecin[oa])|autorizad[oa]",
    it="destinatari[oa]|(il|la|un|una|dal|dalla) (cliente|vicin[oa])|delegat[oa]",
    nl=rf"ontvanger|geadresseerde|de (klant|buurman|buurvrouw|buren)|gemachtigde|door(?! {_CARRIER})",
)
PICKUP_POINT = _whole(
    fr="point (de )?(relais|retrait|pickup)|relais|consigne|casier|guichet|bureau de poste|agence",
    en="lockers?|(parcel ?|our )shop|(pick-?up|collection|access|service) ?point|counter|post office|branch",
    de="packstation|paketshop|\\w*filiale|\\w*automaten?|schalter",
    es="taquilla|punto de (recogida|conveniencia|entrega)|oficina",
    it="locker|punto (di )?ritiro|ufficio postale|filiale",
    nl="pakketautomaat|afhaalpunt|servicepunt|pakketpunt|postkantoor",
)
BY_CARRIER = re.compile(rf"\b(?:{_BY}) {_CARRIER}\b")
CLAIM = _whole(
    words="reclam\\w+|reklamation|claim|klacht|demande|request|anfrage|solicitud|richiesta|aanvraag|enquiry|consulta|vraag",
    letters="courrier|e?mail|message|nachricht|meldung|schreiben|mensaje|messaggio|segnalazione|bericht|melding|report",
)
_CERTIFIED = (  # "certificamos la entrega del paquete", "attestiamo la consegna"
    r"(confirm|certif|attest|bestatig|bevestig)\w* (\w+ ){0,4}"
    "(livraison|distribution|delivery|zustellung|auslieferung|entrega|consegna|bezorging|aflevering)"
)
DELIVERED = re.compile(
    rf"\b(?:{_HANDED_OVER}|{_SIGNED_FOR}|{_CERTIFIED}|(?:{_COLLECTED}|{_RECEIVED}) (?:{_BY})(?! {_CARRIER}\b)|(?P<collected>{_COLLECTED})|(?P<received>{_RECEIVED}))(?!\w)"
)
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
BEGINS = re.compile(
    rf"\W*(?:{_STATUS_LABEL}(?:[a-z]+ ){{0,5}}|(?!(?:les|los|las|gli|i|alle|all|le \w+[ie]) )(?:[a-z]+ ){{0,2}}(?:\d+ )?)$"
)
_PARCELS = "(colis|parcels|packages|shipments|items|pieces|paketen?|sendungen|bultos|paquetes|envios|colli|pacchi|pakketten|zendingen)"
# What makes it a plan, an attempt, a condition or its contrary: anywhere before it in the sentence, or close to it.
NOT_YET = _whole(
    some=rf"(?P<count>\d+) (?:{_PARCELS} )?(sur|of|von|de|di|su|van) (?!(?P=count)\b)\d+( {_PARCELS})|von \d+ {_PARCELS} \w+ \d+",
    fr="soi(en)?t|sera|seront|serait|va etre|vont etre|prevue?s?|devrait|doit etre|pour etre|avant d'etre|estimee?s?|tent(e|ons|ative)|pour (voir|consulter)|lorsqu\\w*|quand|si (le|la|vous)|des que|une fois|souhaitee?|planifiee?|repute|n'ont|pas (pu|encore)|impossible|echec",
    en="to (see|view)|once|will|would|shall|should|could|cannot|can be|may be|to be|being|expected|scheduled|estimated|planned|requested(?=\\)| ?$)|if|when|until|unless|tried|try|trying|attempt\\w*|unable|failed",
    de="falsch|irrtumlich|wird|werden|soll\\w*|konnten?|kann|voraussichtlich\\w*|versuch\\w*|wenn|sobald|falls|gilt|gelten|geplant\\w*",
    es="sean?|para (ver|consultar)|seran?|se entregara|va a ser|previst[oa]|estimad[oa](?! (cliente|se[nñ]or|amig))|intent\\w*|cuando|una vez|en cuanto|programad[oa]|si (el|la|no)|hasta|se considera\\w*|pendiente|podra|debe",
    it="sia(no)?|venga(no)?|per (vedere|visualizzare)|sara|saranno|verra|verranno|previst[oa]|stimat[oa]|tentat\\w*|quando|non appena|una volta|programmat[oa]|se (il|la|non)|si intende|puo",
    nl="te (zien|bekijken)|wordt|worden|zal|zullen|verwacht\\w*|gepland\\w*|geprobeerd|poging|zodra|wanneer|voordat|kon|konden|moet",
)
RETURNED = re.compile(
    r"\b(?:retournee?s?|rendue?|returned|zuruckge\w+|zuruckgesandt|devuelt[oa]s?|restituit[oa]|resa?|teruggestuurd|geretourneerd)\b[^.;|]{0,60}\b(?:expediteur|sender|shipper|absender|versender|remitente|mittente|afzender|verzender)\b"
)
NEGATED = re.compile(
    r"\b(?:pas|non|avant|jamais|aucune?|not|isn't|wasn't|hasn't|never|before|nicht|kein\w*|no(?= ?$)|no (?:se|l[aeo]s?|nos|ha|han|hemos|fue|fueron|esta|estan|pud\w+|puede|podemos|recib\w+|recog\w+|retir\w+|firm\w+)|sin|antes de|prima di|niet|geen|noch)\b[^,;:]{0,40}$"
)
OF_A_RULE = _whole(
    fr="chaque jour|par jour|lorsqu\\w*|ou non|restent|reste visible|peuvent|vous attend|a (votre |sa )?disposition|en attente|mauvaise adresse|par erreur|jamais",
    en="every day|a day|each day|when|or not|awaiting|wrong address|by mistake|never|(ready|available|waiting|held) (for|at|until)|(shipments|parcels|packages|items) (stay|remain|are|can|will)",
    de="taglich|werden|wird|falsche\\w*|nie|niemals|wenn|sobald|oder nicht|bleiben|konnen|bereit|wartet",
    es="cada dia|al dia|cuando|o no|(se )?pueden|permanecen|se (conservan|guardan|muestran)|a su disposicion|pendiente|por error|nunca",
    it="ogni giorno|al giorno|quando|o no|restano|rimangono|possono|in giacenza|a (sua )?disposizione|in attesa|per errore|mai",
    nl="elke dag|per dag|zodra|wanneer|of niet|blijven|kunnen|klaar|wacht|verkeerde?|nooit",
)
# Whom it was handed to, or from whom it was taken: a parcel that begins its way, or comes back.
OF_ITS_SENDER = re.compile(
    rf"\b(?:(a|chez|de|par) l'expediteur|du remettant|(to|back to|from|at) (the |its )?(sender|shipper)|(an|bei|von|vom|beim) (den |dem |der )?absender\w*|(al|a su|del|de su|por el) remitente|(al|dal|del|presso il) mittente|(aan|bij|van|door) (de )?afzender"
    rf"|(au|to|to the|an|an den|dem|der|al|all'|aan|aan de|aan den) ?{_CARRIER})(?!\w)"
)
# Where a parcel is that was not delivered.
_ON_ITS_WAY = _any(
    fr="en cours|en transit|pris(e)? en charge|en attente|en preparation|avis de passage|un avis|vous attend|a retirer|retour(nee?)?|prochaine etape|etapes?",
    en="in transit|out for delivery|on its way|on the way|label created|awaiting|ready for (collection|pick-?up)|held until|picked up|shipped|return(ed|ing)?|delivery attempt|exception|a (card|notice)|card left",
    de="in zustellung|unterwegs|zur abholung|in bearbeitung|angekundigt|zuruck\\w*|rucksendung|retoure|zustellversuch|bearbeitet|wartet|benachrichtigungskarte|eine (karte|benachrichtigung)",
    es="en transito|en reparto|en camino|pendiente|devuel\\w+|devolucion|en ruta|admitido|aviso(?! legal)",
    it="in transito|in consegna|in attesa|in giacenza|ritorno|in lavorazione|partit[oa]|presa in carico|un avviso|resa?|restituit[oa]",
    nl="onderweg|ligt klaar|retour|wacht op|in behandeling|aangemeld|gesorteerd|een (bericht|briefje|kaartje)",
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
_PARCEL = "colis|envoi|expedition|numero|numeros?|suivi|parcel|package|shipment|consignment|tracking|number|\\w*nummer|sendung|paket|envio|paquete|bulto|spedizione|collo|pacco|zending|pakket"
# A number that nobody knows.
_UNKNOWN = _any(
    all=f"(?:{_PARCEL})\\b[^.;!?|]{{0,60}} (?:inconnue?|introuvable|ne figure (pas|plus)|n'existe (pas|plus)|unknown|(does|do) not exist|not (found|recogni[sz]ed|valid)|invalid|unbekannt|ungultig|nicht (gefunden|bekannt)|desconocid[oa]|no (existe|consta|es valido)|sconosciut[oa]|inesistente|non (esiste|valid[oa])|onbekend|ongeldig|niet (gevonden|bekend)|manquante?|perdue?|missing|lost|fehlt|verloren|vermisst|falta|extraviad[oa]|mancante|smarrit[oa]|non (e |risulta )?presente|ontbreekt|vermist)",
    fr="(aucune?|pas de|sans) (resultats?|donnees?|information)|ne correspond a aucun|aucune? (colis|envoi|expedition|suivi)\\b[^.;]{0,40}(trouve|correspond)e?|(n'avons|n'a) (pas|pu)( pu| ete)? (trouver?|localiser?)",
    en="no (results?|records?|matches|match)|no (data|shipments?|parcels?|information)[^.;]{0,30} found|(could not|cannot|can't|couldn't|unable to|did not|not) (find|found|locate|recogni[sz]e) (the|your|any|a|this|details|shipment|parcel)",
    de="keine (treffer|ergebnisse)|(keine|nicht) [^.;]{0,40}gefunden",
    es="sin resultados|ningun resultado|no (existe|consta) ningun|no (se ha|se han|hemos|se) (encontrado|encontro|localizado)",
    it="nessun risultato|non (e stat[oa]|sono stat[ie]|abbiamo|risulta)( \\w+)? ?trovat[oaie]|nessun[oa]? (spedizione|collo|pacco)[^.;]{0,30}trovat[oaie]",
    nl="geen (resultaten?|gegevens)|geen [^.;]{0,40}gevonden|niet (gevonden|vinden)",
)  # fmt: skip
_NEAR = "[^.;!?|]{0,80}?"
_NOT_THERE = rf"(?:{_MISSING})\b{_NEAR}\b(?:{_THERE})|(?:{_THERE})\b{_NEAR}\b(?:nicht|niet|pas|non)|unavailable|indisponible|introuvable"
# "This document is not available in English" is no matter. Of the signature, good letters say it too, where none was required.
NOT_THERE = re.compile(
    rf"\b(?:{_PROOF})\b(?:(?!signatur|unterschrift|firma|handtekening)[^.;!?|]){{0,80}}?\b(?:{_NOT_THERE})(?!\w)(?! (?:in|en|auf) \w)"
    rf"|\b(?:no|aucune?|kein\w*|ningun\w*|nessun\w*|geen) (?:{_PROOF})\b{_NEAR}\b(?:{_THERE})(?!\w)"
    rf"|\b(?:{_UNKNOWN})(?!\w)"
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

# Who signs a paper when a parcel begins its way.
SIGNED_AT_ITS_START = re.compile(
    r"\b(?:(signature|visa) (de l'expediteur|du (chauffeur|remettant|ramasseur))|(sender|shipper|driver)('s)? signature|signature of (the )?(sender|shipper|driver)|unterschrift (des )?(absenders|versenders|fahrers|einlieferers)|firma (del |dell'|de )?(remitente|conductor|expedidor|mittente|autista|corriere)|handtekening (van )?(de )?(afzender|verzender|chauffeur))(?!\w)"
)

# ---------------------------------------------------------------- other papers

_OTHER_PAPER = _any(
    all="cn ?2[23]|packing list|pro ?forma",
    fr="etiquette|(bordereau|bon) (de |d')(remise|expedition|transport|envoi|enlevement|ramassage|collecte|depot|retour|commande|preparation)|liste (de |des )(chargement|colisage|envois|colis)|manifeste|(recu|preuve|recepisse|attestation|justificatif|confirmation|demande|avis|ordre) (de |d')(depot|enlevement|expedition|collecte|ramassage|prise en charge|commande|retour|envoi|passage|refus|arrivee|instance)|declaration (en |de |pour la |sur l')?(douanes?|honneur|perte|non-reception)|facture|devis|autorisation|procuration|mandat|reclamation|plainte|retour a l'expediteur|colis (refuse|retourne)|conditions generales",
    en="((shipping|address|return|parcel|postage) )?label|packing slip|(\\w+('s)? )?manifest|((driver|daily|courier) )?(loading|hand-?over|collection|pick-?up|dispatch) (list|sheet|note)|(drop-?off|posting|deposit|shipment|shipping|dispatch|order) (receipt|confirmation|request|order|advice|notice)|(collection|pick-?up) (request|order)|(certificate|proof|receipt) of (posting|shipment|shipping|dispatch|deposit|mailing)|customs \\w+|(commercial |tax )?invoice|quotation|credit note|(permission|authori[sz]ation|authority|consent) to|(leave|release|safe ?place) (permission|authori[sz]ation)|power of attorney|claim form|(lost|missing|stolen) parcel|declaration of non-receipt|returned? (to (the )?sender|slip|form|note)|sorry we missed you|(missed|attempted|failed) delivery|(refused|returned) (shipment|parcel|package)|(general )?terms (and|of) \\w+",
    de="(\\w+)?(etikett|aufkleber|label|paketschein)|(ubergabe|lade|versand|abhol|einlieferungs|pack|sammel)liste|packzettel|einlieferungs\\w+|(versand|auftrags|bestell)bestatigung|versand(nachweis|beleg|anzeige)|abholauftrag|zoll\\w+|\\w*rechnung|gutschrift|(abstell|ablage)\\w+|garagenvertrag|vollmacht|benachrichtigung(skarte|sschein)?$|reklamation|nachforschungsauftrag|verlust\\w+|schadens?\\w+|annahme verweigert|rucksendung|retoure\\w*|zuruck an|(allgemeine )?\\w+bedingungen",
    es="etiqueta|(lista|hoja) de (carga|contenido|bultos|envios)|manifiesto|relacion de (envios|bultos)|(resguardo|justificante|comprobante|prueba|recibo) de (admision|imposicion|deposito|envio|expedicion)|(orden|solicitud|confirmacion) de (recogida|pedido|compra)|declaracion (de aduanas?|aduanera|jurada)|factura|presupuesto|(autorizacion|permiso)|aviso de (llegada|paso|ausencia|visita)|reclamacion|denuncia|(devuelto|devolucion|retorno)|(envio|paquete) (rechazado|devuelto)|condiciones generales",
    it="etichetta|distinta|bordero|manifesto|lista (di carico|dei colli)|(ricevuta|prova|attestazione|conferma) (di |d')(spedizione|accettazione|invio|deposito|ordine)|(richiesta|ordine) di (ritiro|presa)|dichiarazione (doganale|di mancata)|fattura|preventivo|autorizzazione|delega|avviso di (passaggio|giacenza|mancata)|reclamo|denuncia|reso|restituzione|(spedizione|pacco) (rifiutat[oa]|respint[oa])|condizioni generali",
    nl="(verzend|adres|retour)(label|etiket|lijst|bewijs|bevestiging|formulier)|paklijst|(laad|overdrachts|ophaal|vracht)lijst|ophaal(opdracht|verzoek)|bestelbevestiging|douane\\w*|\\w*factuur|offerte|toestemming|machtiging|volmacht|niet thuis|reclamatie|klacht|vermissing\\w*|schade\\w*|retour|(zending|pakket) geweigerd|algemene \\w*voorwaarden",
)  # fmt: skip
# In a line of its own, behind the carrier's name at most; a field "Authorisation: yes" is none.
OTHER_PAPER = re.compile(rf"^(?:[^\n:]{{0,30}} [-–] )?(?:{_OTHER_PAPER})\b[^\n:.;]{{0,60}}$", re.MULTILINE)

# A title that says what a page is: of a page whose picture is not read, this is all that it says.
TITLE = re.compile(rf"\b(?:{_PROOF})\b")
