"""Tables of phrases in documents about a delivery, in the languages of the carriers' countries.

The phrases are matched against folded text, which has single spaces, no accents and no capitals. Phrases such as
`( ...)?` are regular expressions.
"""

import re

from recours.evidence import carrier_names


def _any(**languages: str) -> str:
    return "|".join(languages.values())


def _whole(**languages: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{_any(**languages)})(?!\w)")


# ---------------------------------------------------------------- deliveries

# Only participles, because nouns such as "delivery" and "livraison" are on every page of a carrier. "Collected" alone
# may mean that the parcel was collected from its sender.
_HANDED_OVER = _any(
    fr="(livre|(?<!de )(?<!la )(?<!en )remis(?!e?s? en (?!mains? ))|distribue|delivre|(?<!avis )(?<!passage )depose(?!e?s? (au|en|dans|a) (un |le |la |l')?(point|relais|bureau|agence|consigne))|laisse|receptionne)e?s?",
    en="delivered(?! (duty|at place))|handed over|handed(?= to)",
    de="zugestellt|ausgeliefert|ubergeben|ausgehandigt|abgegeben|abgeliefert|geliefert|(?<!filiale )(?<!paketshop )hinterlegt|eingelegt|eingeworfen|abgestellt|abgelegt|deponiert|platziert",
    es="entregad[oa]s?|entrego|entregaron|depositad[oa]s?|se dejo|dejad[oa]s?|puest[oa]s? en manos",
    it="(consegnat|recapitat|lasciat)[oaie]",
    nl="bezorgd|afgeleverd|geleverd|overhandigd|uitgereikt|afgegeven|achtergelaten|(neer)?gelegd|brievenbus gestopt",
)
_CARRIER = rf"(the |our |le |notre |un |den |dem |unseren?m? |el |un |il |l'|de |onze )?(driver|carrier|courier|chauffeur|transporteur|coursier|livreur|fahrer|zusteller|kurier|conductor|transportista|repartidor|mensajero|autista|corriere|vettore|bezorger|vervoerder|koerier|{carrier_names.ANY_NAME}|(local )?(postal|post) \w+|operator\w*|operador\w*|agente?|airline|partenaire|partner)( local\w*)?"
# Verbs for taking a parcel. The recipient does this, or anyone except the carrier who takes it from its sender.
_COLLECTED = _any(
    fr="(retire|recupere)e?s?",
    en="collected|picked up|taken",
    de="abgeholt|entnommen",
    es="(?<!de )(?<!su )(?<!para )(recogid|retirad)[oa]s?|recogio|retiro",
    it="(ritirat|prelevat)[oaie]",
    nl="opgehaald|afgehaald|meegenomen|uitgenomen",
)
_RECEIVED = _any(
    fr="(recu|signe|accepte)e?s?",
    en="(received|accepted|took|signed)( for)?",
    de="angenommen|entgegengenommen|erhalten|quittiert|unterschrieben",
    es="(recibid|aceptad|firmad)[oa]s?|recibio|acepto|firmo",
    it="(ricevut|accettat|firmat)[oaie]",
    nl="ontvangen|aangenomen|getekend|in ontvangst genomen",
)
# A noun with a verb that makes it a statement: "the delivery was made".
_DONE = _any(
    fr="(livraison|remise|distribution|retrait) (a (bien )?ete )?(effectuee?|realisee?|faite)",
    en="delivery (was |has been )?(made|completed|effected)",
    de="(zustellung|auslieferung|ubergabe|ablieferung) (ist |wurde |erfolgreich )?(erfolgt(?! (am|an|in|gegen|durch|nur|innerhalb|auf)\\b)|erfolgte|vollzogen|abgeschlossen)",
    es="entrega (se |fue |ha sido )?(efectuo|realizo|efectuada|realizada|completada)",
    it="(consegna|ritiro) (e |e stata |e stato )?(avvenut[oa]|effettuat[oa]|eseguit[oa]|completat[oa])|avvenuta consegna",
    nl="(bezorging|aflevering|overdracht) (heeft |is )?(plaatsgevonden|gedaan|voltooid)",
    succeeded="(livraison|delivery|zustellung|auslieferung|entrega|consegna|bezorging|aflevering) (was |is |est |ist )?(reussie|successful(ly)?( made)?|erfolgreich|exitosa|riuscita|geslaagd)|successful delivery|erfolgreiche zustellung",
)
DONE = re.compile(
    r"erfolgte?|effectue|realise|actual|effective|avvenut|^(?!.*(date|datum|tag|zeit|fecha|dia|data|jour|moment)).* (le|on|am|el|il|op)$"
)
_RECEIVED_WELL = "recue?s? en (bon|parfait) etat|received (in (good|perfect) (order|condition)|complete)|in (gutem|einwandfreiem|ordnungsgemassem) zustand (erhalten|ubernommen)|(recibid|ricevut)[oa] (en buen|in buon)[oe]? \\w+|in goede (staat|orde) ontvangen|ontvangen in goede (staat|orde)|(erhalten|empfangen) in (gutem|einwandfreiem)"
_SIGNED_FOR = "a signe|left ([^.;]{0,60} )?with|(left|placed|put) (in|at) (a|the|an|your)|posted through|released to|signed for it|lo recibio|voor ontvangst getekend"
_BY = r"par|by|von|durch|por|dal?|dalla|door"
RECIPIENT = _whole(
    titles=r"mm?\.|mme|mlle|mrs?|ms|herrn?|frau|sra?|sig(ra)?|dhr|mevr|mevrouw|mw",
    fr="destinataire|j'ai( bien)?|je vous confirme avoir|(le|la|un|une|par) (cliente?|voisine?)|mandataire|gardienn?e?",
    en="i|recipient|addressee|consignee|receiver|(the|a|by) (customer|neighbou?r)|resident",
    de=rf"ich habe|habe ich|empfanger(in)?|adressat(in)?|(der|die|dem|einem|einer) (kunde|kundin|nachbarn?|nachbarin)|bevollmachtigte[rn]?|(von|durch)(?! {_CARRIER})(?!.* erhalten$)",
    es="destinatari[oa]|(el|la|un|una) (cliente|vecin[oa])|autorizad[oa]",
    it="ho|destinatari[oa]|(il|la|un|una|dal|dalla) (cliente|vicin[oa])|delegat[oa]",
    nl=rf"ik heb|mijn \\w+ heeft|ontvanger|geadresseerde|de (klant|buurman|buurvrouw|buren)|gemachtigde|door(?! {_CARRIER})",
)
PICKUP_POINT = _whole(
    fr="point (de )?(relais|retrait|pickup)|relais|consigne|casier|guichet|bureau de poste|agence",
    en="lockers?|(parcel ?|our )shop|(pick-?up|collection|access|service) ?point|counter|post office|branch",
    de="packstation|paketshop|\\w*filiale|\\w*automaten?|schalter",
    es="taquilla|punto (de (recogida|conveniencia|entrega)|pack)|oficina",
    it="locker|punto (di )?ritiro|ufficio postale|filiale",
    nl="pakketautomaat|afhaalpunt|servicepunt|pakketpunt|postkantoor",
)
BY_CARRIER = re.compile(rf"\b(?:{_BY}) {_CARRIER}\b")
CLAIM = _whole(
    words="aangifte|declaration|declaracion|\\w*anmeldung|payment|paiement|\\w*zahlung|pago|pagamento|betaling|reclam\\w+|\\w*nachforsch\\w*|beschwerde|\\w*antrag|\\w*auftrag|complaint|plainte|query|ricerca|onderzoek|order|commande|bestell\\w+|pedido|ordine|dat(a|en|os|i)|gegevens|donnees|information\\w*|reklamation|claim|klacht|demande|request|anfrage|solicitud|richiesta|aanvraag|enquiry|consulta|vraag",
    letters="courrier|e?mail|message|nachricht|meldung|schreiben|mensaje|messaggio|segnalazione|bericht|melding|report",
)
_CERTIFIED = (  # "certificamos la entrega del paquete", "attestiamo la consegna"
    r"(confirm|conferm|certif|attest|bestatig|bevestig)\w* (\w+ ){0,4}"
    "(livraison|distribution|delivery|zustellung|auslieferung|entrega|consegna|bezorging|aflevering)"
)
_RECEIPT = r"(confirm|conferm|certif|attest|bestatig|bevestig|recon)\w* (\w+ ){0,3}(reception|receipt|erhalt|empfang|recepcion|ricezione|ricevimento|ontvangst)"
DELIVERED = re.compile(
    rf"\b(?:{_HANDED_OVER}|{_SIGNED_FOR}|{_DONE}|{_RECEIVED_WELL}|{_CERTIFIED}|(?:{_COLLECTED}|{_RECEIVED}) (?:{_BY})(?! {_CARRIER}\b)|(?P<collected>{_COLLECTED})|(?P<received>{_RECEIVED}|{_RECEIPT}))(?!\w)"
)
# Phrases that mean a delivery only together with the parcel's number, a date and a person. Without these, the phrases
# may be about a depot or a message.
_DELIVERY_NOUN = "livraison|remise|distribution|retrait|delivery|collection|zustellung|auslieferung|ubergabe|ablieferung|aushandigung|abholung|entrega|recogida|consegna|recapito|ritiro|bezorging|aflevering|levering|overdracht|afgifte"
_DONE_WITH = "enregistr\\w*|constatee?|effectuee?|realisee?|achevee?|terminee?|situe|record(s|ed)|register(s|ed)|logged|completed|made|took place|shows?|finished|verzeichnet|erfasst?|registrier\\w+|protokolliert|vermerkt|dokumentiert|erfolgte?|vollzogen|abgeschlossen|registr(a|o|ada|ado|ata|ato|eerd|eerde)|efectu(o|ada)|realiz(o|ada)|complet(o|ada|ata)|consta|situa|produjo|effettuat[oa]|avvenut[oa]|eseguit[oa]|colloca|geregistreerd|vastgelegd|voltooid|afgerond|plaatsgevonden|genoteerd"
_ARRIVED = _any(
    fr="(vient|venons) de (\\w+ ){0,2}(deposer|remettre|livrer|confier)|pris par|en (sa|votre|leur) possession|a (bien )?eu (son|sa|le|la|votre)|presentation reussie|appose\\w*|arrivee?s?|parvenue?s?|entre vos mains|a atteint|glissee?s?|confie(e?s?)?|pris(e|es)? (livraison|possession)|emportee?s?|chez vous|dans votre boite|emargee?s?|donnee?s?|pris en main",
    en="popped|got|has it|acknowledge(d|s)? receipt|signature (was )?(given|taken|obtained)|arrived|reached|turned up|came|in your hands|with you|completed|went through|took|is at your|on your|dropped (off|through)|slipped|pushed|posted|gave it|given",
    de="bekommen|geleistet|angekommen|eingetroffen|erreicht|in empfang|herausgegeben|ausgegeben|liegt|bei ihnen|mitgenommen|uberreicht|verwahrt|empfangen|uberlassen|geworfen|gesteckt|gegeben",
    es="se quedo con|en poder de|llego|llegad[oa]|esta en (tu|su)|en (tus|sus) manos|se llevo|se hizo cargo|has recogido|introducid[oa]|metid[oa]|dejamos|dejaron|dieron|dio|(?<!con )(?<!la )(?<!sin )(?<!de )(?<!una )firma(?! del)",
    it="apposto|arrivat[oa]|giunt[oa]|pervenut[oa]|nelle (tue|sue) mani|e nella|pres[oa] in consegna|dat[oa] a|imbucat[oa]|depositat[oa]|inserit[oa]|(?<!con )(?<!la )(?<!senza )(?<!di )(?<!una )firma(?! del)",
    nl="gekregen|gezet|aangekomen|bij (je|u)|in (de|je|uw) brievenbus|terechtgekomen|gearriveerd|overgedragen|tekende|gegeven|gestopt|uitgegeven",
)
TAKEN = re.compile(
    rf"\b(?:{_COLLECTED}|{_RECEIVED}|{_RECEIPT}|{_ARRIVED}|(?:{_DELIVERY_NOUN})\b[^;|]{{0,80}}?\b(?:{_DONE_WITH})|(?:{_DONE_WITH})\b[^;|]{{0,60}}?\b(?:{_DELIVERY_NOUN}))(?!\w)"
)
SIGNED = re.compile("sign|unterschr|firm|getek|ondert|quitt")
OF_MESSAGES = re.compile(
    "recu|receiv|record|register|enregistr|erhalten|erfasst|registr|recib|ricev|ontvang|geregistr"
)
COLLECTED = re.compile(
    f"{_COLLECTED}|has recogido|herausgegeben|ausgegeben|emportee?s?|se llevo|took|uitgegeven|consegnat[oa]"
)
# A depot or another facility of a carrier that parcels pass through.
_AT = r"(?:reached|left|atteint|erreicht|verlassen|bereikt|alcanzo|raggiunto|notre|our|unser\w*|nuestr\w+|nostr\w+|onze|par|by|von|durch|por|da|dal|dalla|door|at|in|into|to|from|im|ins|am|an|beim?|au|aux|a|dans|du|de|en|al|alla|all'|dal|nel|nell'|nella|presso|bij|op|naar|van|sur|auf|on|su|sul|sulla|onto)(?: (?!\d)[\w']+){0,2}?"
FACILITY = re.compile(
    rf"\b{_AT} ?\b(?:depot|hub|inleverpunt|annahmestelle|drop-?off|agence|centre|center|centro|terminal|\w*sorting|tri|plateforme|facility|filiale|niederlassung|\w*zentrum|zustellbasis|delegacion|sorteercentrum|gare|station|sede|customs|douane\w*|zoll\w*|aduana\w*|dogana|airport|aeroport|flughafen)\b"
)
WAITING_PLACE = re.compile(
    rf"\b{_AT} ?\b(?:relais|(?:pick-?up|service|collection|access) ?point|\w*shop|consigne|servicepunt|point|punto|estafette|bureau|post office|postamt|oficina|ufficio|postkantoor|locker|packstation)\b"
)
STATUS = re.compile(
    rf"(?:(colis|envoi|parcel|package|shipment|sendung|paket|envio|paquete|collo|pakket|zending) )?(?:{_HANDED_OVER})"
)
_STATUS_LABEL = r"(?:[a-z]+ )?(?:statut|etat|status|estado|stato|evenement|event|ereignis|evento)\w*(?: (?:actuel|actual|attuale))? ?:? ?"
# Verbs that make a following participle a statement. At the start of a sentence, a participle needs no verb.
HAPPENED = _whole(
    fr="a|ai|j'ai|avons|avoir|ont|ete|est|sont",
    en="was|were|been|is|are|have|having|had|successfully|it",
    de="wurden?|ist|sind|hat|habe|haben|erfolgreich",
    es="fue|fueron|sido|he|ha|han|hemos|haber|esta|se|lo",
    it="stat[oaie]|sono|risulta|avvenuta|e|ho|aver|abbiamo",
    nl="is|zijn|werd|werden|heeft|heb|hebben",
)
BEGINS = re.compile(
    rf"\W*(?:{_STATUS_LABEL}(?:[a-z]+ ){{0,5}}|(?!(?:les|los|las|gli|i|alle|all|le \w+[ie]) )(?:[a-z]+ ){{0,2}}(?:\d+ )?)$"
)
_PARCELS = "(colis|parcels|packages|shipments|items|pieces|paketen?|sendungen|bultos|paquetes|envios|colli|pacchi|pakketten|zendingen)"
# Words that make a statement a plan if they precede its participle in the clause.
NOT_YET = _whole(
    fr="rendez-vous|rdv|soi(en)?t|sera|seront|serait|peu(t|vent) etre|pourra\\w*|puiss\\w+|devr\\w+|bientot|va etre|vont etre|prevue?s?|devrait|doit|pour etre|avant d'etre|estimee?s?|pour (voir|consulter)|souhaitee?|planifiee?|programmee?|repute",
    en="to (see|view)|will|would|shall|should|could|cannot|can be|may be|to be|being|expected|scheduled|estimated|planned|booked|requested(?=\\)| ?$)|must|soon|appointment",
    de="bald|in kurze|termin|muss|mussen|wird|werden|soll\\w*|kann|voraussichtlich\\w*|gilt|gelten|geplant\\w*",
    es="sean?|para (ver|consultar)|seran?|se entregara|va a ser|previst[oa]|estimad[oa](?! (cliente|se[nñ]or|amig))|programad[oa]|se considera\\w*|podra\\w*|debe\\w*|pronto|cita",
    it="sia(no)?|venga(no)?|per (vedere|visualizzare)|sara|saranno|verra|verranno|previst[oa]|stimat[oa]|programmat[oa]|si intende|puo|potra\\w*|deve|presto|appuntamento",
    nl="te (zien|bekijken)|wordt|worden|zal|zullen|verwacht\\w*|gepland\\w*|moet\\w*|binnenkort|spoedig|afspraak",
)
# Words that make a statement a condition, anywhere in the sentence.
CONDITION = _whole(
    fr="pour que|afin de|lorsqu\\w*|quand|si (le|la|vous|votre|ce|l'\\w+)|s'il|des que|une fois|en cas|afin que|avant (que|de|d'\\w+)",
    en="so that|in order|once|if|when(ever)?(?! (it|you|he|she|they) (was|were|had))|until|unless|in case|as soon as|before (it|you|being|we|delivery)",
    de="damit (?=ihr|der|die|das|wir|sie|1z|\\w*\\d)|wenn|sobald|falls|sofern|im falle|bis das|bevor",
    es="para que|a fin de|cuando|una vez|en cuanto|si (el|la|no|su|usted|ha)|hasta que|en caso|antes de",
    it="affinche|perche|quando|non appena|una volta|se (il|la|non|lo|avete|si)|qualora|in caso|prima (di|che)|finche|fino alla",
    nl="zodat|opdat|zodra|wanneer|voordat|totdat|tot het|indien|als (het|de|u|je|er)",
)
# Words that, anywhere in the sentence, make a statement someone else's claim, a mistake or a partial delivery.
_YOUR = r"(l[ea]s?|votre|vos|your|the|that|ihr\w*|de[rmn]|die|das|l[ao]s?|el|sus?|vs|vostr[oiae]|il|uw|je|jullie|de|het|vuestr[oa]s?|tua?)"
_SITE = r"(\w*site|siti?o|\w*seite|web|pagina|\w*suivi|\w*tracking|app|chat\w*|bot|sms|hotline|portal\w*|sendungs\w+|anzeige|status|statut|systeme?|seguimiento|tracciatura|tracciamento|sistema|estado|stato|track|systeem|declarations?|notification|mail)"
DOUBT = _whole(
    attributed=rf"(selon|d'apres|according to|laut|gemass|segun|secondo|stando a|volgens|contrary to|contrairement a|entgegen|contrariamente a|in tegenstelling tot)( \w+)? ?({_YOUR} )?{_SITE}",
    said_by=rf"(?:{_YOUR} {_SITE}|(?:votre|vos|your|ihr\w*|vostr[oiae]|uw|jullie|vuestr[oa]s?) \w+) (\w+ ){{0,2}}(says?|said|shows?|showed|claims?|claimed|alleges?|tells?|donne|soutient|sostiene|afirma|beweert|stelt|states?|dit|indiqu\w+|affich\w+|pretend\w*|sagt\w*|zeigt\w*|behauptet\w*|dice|decia|indica(ba|va)?|muestra|mostraba|mostra(va)?|riporta(va)?|zegt|zei|vermeld\w*|toont|toonde|pone|aparece|figura|steht|staat|repond\\w*|antwortet|responde|risponde|antwoordt)",
    told="(vous|you|sie|u|jullie|il|it|they|man) (\\w+ ){0,2}(say|said|claim|claimed|state|stated|insist|affirmez|pretendez|dites|soutenez|indiquez|assurez|repond\\w*|behaupten|sagen|geben an|erklaren|stelt|stellen|beweert|beweren|zegt|zeggen)|sostenete|affermate|dichiarate|sostiene che|afirman?|dicen|aseguran?|sostienen",
    driver="(driver|chauffeur|livreur|fahrer|zusteller|repartidor|mensajero|corriere|autista|bezorger) (\\w+ )?(states|says|claims|affirme|dit|pretend|soutient|behauptet|sagt|dice|afirma|asegura|sostiene|zegt|beweert|stelt)",
    formerly="(nous|vous) (vous |nous )?avions|we (had|told|concluded|informed you wrongly)|(wir|sie) hatten|wir gingen|habiamos|(le|les) dijimos|partiamos|avevamo|we (hadden|gingen)|had(den)? (u|je)",
    marked="((marked|shown|showing|listed|flagged|displayed) as|annoncee?s?|affichee?s?|(indiquee?s?|indicad[oa]|indicat[oa]) (livree?s?|comme|como|come)|marquee?s?|gekennzeichnet|markiert|angezeigt|angeblich\\w*|marcad[oa]|figura|segnat[oa]|gemarkeerd|weergegeven)",
    alleged="allege\\w*|suppose\\w*|presume\\w*|pretendu\\w*|soi-disant|vermeintlich\\w*|supuest\\w+|presunt\\w+|possibly|perhaps|maybe|peut-etre|moglicherweise|vielleicht|quizas?|tal vez|posiblemente|forse|probabil\\w+|mogelijk|misschien|wellicht|presumibil\\w+|zogenaamd|vermoedelijk",
    mistaken="erroneous\\w*|wrong\\w*|by mistake|(par|por|per) err(eur|or|ore)|erreur de|a tort|par megarde|erronee?s?|erronea\\w*|irrtumlich\\w*|versehentlich\\w*|falsch\\w*|equivocad\\w+|indebidamente|erroneamente|sbagliat\\w+|ten onrechte|abusievelijk|per vergissing|verkeerde?|(mauvaise|fausse) \\w+",
    part=rf"(?P<count>\d+) (?:{_PARCELS} )?(sur|of|von|de|di|su|van) (?!(?P=count)\b)\d+( {_PARCELS})|von \d+ {_PARCELS} \w+ \d+|partiel\\w*|partial\\w*|partly|teilweise|deels|parcial\\w*|parzial\\w*|gedeeltelijk|(autres|other|remaining|anderen|ubrigen|otros|demas|altr[ie]|andere|overige) (\\w+ )?(colis|parcels|packages|pieces|pakete|sendungen|bultos|paquetes|colli|pacchi|pakketten|(ont|were|have|wurden|fueron|sono|zijn)\\b)|the (others|rest|balance)|(?<!les )(deux|trois) colis|(?<!the )(?<!all )(two|three) parcels|(?<!die )(?<!alle )(zwei|drei) pakete|(?<!los )(dos|tres) (bultos|paquetes)|(?<!i )(due|tre) (colli|pacchi)|(?<!de )(?<!alle )(twee|drie) pakketten",
    neither="weder|neither|noch (ik|wij|de|mijn)|ni (moi|yo|el|la|mon|ma)|ne io",
    another="(anstatt|statt|instead of|au lieu (de|d')|en lugar de|invece di|in plaats van|unbeteiligt\\w*|another (person|address|house))",
    reported="(message|mails?|e-?mails?|notification|bericht|nachricht|meldung|mensaje|messaggio|avviso) (that|que|dass|dat|che)",
    deemed="deemed|considered|regarded|treated as|repute\\w*|presume\\w*|geldt|gelden|gilt|se considera\\w*|si considera|considere\\w*",
    somebody="(la |une? |the |any |a |der |die |einer? |una? |de |een )?(person(ne|a)?|persoon|individual) (qui|who|that|die|que|che)|(date|jour|moment|tijdstip|datum|zeitpunkt|tag|fecha|hora|momento|data|ora|time) (a laquelle|ou|on which|at which|when|waarop|an dem|zu dem|zu welchem|en (la )?que|in cui)|celui qui|whoever|anyone|chi (ha|riceve|ritira)|quien",
)
# Words that negate a statement or make it an attempt. They precede the participle in its clause, or follow it in some
# languages.
_NOT = _any(
    fr="pas|non|ni|ne|n'|jamais|aucune?|rien|n'ont|tent(e|ons|ative)|impossible|echec|sans (avoir|etre)",
    en="not|\\w+n't|never|nothing|nobody|neither|nor|tried|try|trying|attempt\\w*|unable|failed|fails?|no(?= ?$)",
    de="nicht|nichts|kein\\w*|nie|niemals|niemand|konnten?|versuch\\w*|\\w+versuch\\w*",
    es="ni|no (?:se|l[aeo]s?|nos|ha|han|hemos|haber|fue|fueron|esta|estan|consta|pud\\w+|puede|podemos|recib\\w+|recog\\w+|retir\\w+|firm\\w+)|sin|nunca|nada|nadie|ningun\\w*|intent\\w*|pendiente|imposible",
    it="(?<!\\d )(?<!\\. )mai|nulla|niente|nessun\\w*|tentat\\w*|impossibile",
    nl="niet|niets|geen|nog|nooit|niemand|geprobeerd|\\w*poging",
)
NEGATED = re.compile(rf"\b(?:{_NOT})\b[^,;:]{{0,60}}$")
CLAUSE_END = re.compile(
    r",(?! ?\d)|[:–—](?!\d)|\b(?:but|mais|aber|sondern|pero|sino|maar|puis|then|dann|daraufhin|luego|poi|daarna|and|et|und|y)\b"
)
OF_A_RULE = _whole(
    fr="chaque jour|par jour|lorsqu\\w*|ou non|restent|reste visible|peuvent|vous attend|a (votre |sa )?disposition|en attente|jamais",
    en="every day|a day|each day|or not|awaiting|never|(ready|available|waiting|held) (for|at|until)|(shipments|parcels|packages|items) (stay|remain|are|can|will)|available here once",
    de="taglich|werden(?! konnte)|wird|nie|niemals|wenn|sobald|oder nicht|bleiben|konnen|bereit|wartet",
    es="cada dia|al dia|cuando|o no|(se )?pueden|permanecen|se (conservan|guardan|muestran)|a su disposicion|pendiente|nunca|le espera",
    it="ogni giorno|al giorno|quando|o no|restano|rimangono|possono|in giacenza|a (sua )?disposizione|in attesa|(ti|la|vi) (aspetta|attende)",
    nl="elke dag|per dag|zodra|wanneer|of niet|blijven|kunnen|klaar|wacht|nooit",
)
# Words about a parcel that is taken from its sender, returned to its sender or handed to a carrier.
OF_ITS_SENDER = re.compile(
    rf"\b(?:(a|chez|de|par) l'expediteur|du remettant|(to|back to|from|at) (the |its |your |original )*(sender|shipper|consignor)|(an|bei|von|vom|beim) (den |dem |der )?(absender|versender|einsender|handler)\w*|you, the sender|(votre|le colis) retour|(your |the )?return(ed)? (parcel|shipment|package|item)|(ihre?|die) (retoure|rucksendung)|retouren?paket|su devolucion|(il|suo) reso|(uw|je) retour|retourpakket|(abgegeben|afgegeven|deposee?|dropped( off)?|handed in|depositad[oa]|depositat[oa]|ingeleverd|eingeliefert) (durch|von|door|par|by|por|da)(?! {_CARRIER})|einlieferer\w*|inleveraar|deposant|(chez|from|with|bei|beim|von|presso|al|dal|del|bij|van|to|au|du|en el|en|from the|to the|le) (\w+ ){0, 2}(fournisseur|vendeur|venditore|fornitore|verkaufer|lieferanten|vendedor|proveedor|seller|merchant|supplier|verkoper|leverancier|webshop)|notre entrepot|our warehouse|aan ons|to us|(al|a su|del|de su|por el) remitente|(al|dal|del|presso il) mittente|(aan|bij|van|door) (de )?afzender"
    rf"|(remise?s? a|au|to|to the|an|an den|dem|der|al|all'|aan|aan de|aan den) ?{_CARRIER})(?!\w)"
)
# Words before a participle that mean that the carrier took the parcel from its sender.
BY_US = re.compile(
    r"\b(?:nous (?:l')?avons|nous a|we(?: have)?|wir haben|uns|hemos|nos l[oa]|abbiamo|ci ha|wij? hebben)\b[^,;:.|]{0,60}$"
)
# Words of a statement about every parcel in a list.
OF_ALL = re.compile(
    r"\b(?:all|both|every|each|tous|toutes|chaque|alle|beide|jede[rs]?|todos|todas|cada|tutti|tutte|ogni|elke|iedere|(?:les|die|the|los|las|i|le|de) (?:\d+|deux|trois|quatre|two|three|four|zwei|drei|vier|dos|tres|cuatro|due|tre|quattro|twee|drie)|(?P<count>\d+) (?:\w+ ){0,3}(?:sur|of|von|de|su|van) (?P=count))\b"
)
# After a participle, the person who signs or takes the parcel: "was collected on Friday, 11 September by Nguyen".
BY_SOMEBODY = re.compile(rf"[^;|]{{0,60}}?\b(?:{_BY})(?! {_CARRIER}\b)(?! (?:post|bar|car|camion)\b) \w")
# Statements by the recipient or the sender, such as "I have not received".
_RECEIVE = r"(vue?|gesehen|vist[oa]|gezien|signe|signed|unterschrieben|firmad[oa]|firmat[oa]|getekend|re(cu|cev)\w*|receiv\w*|got|seen|arrived|erhal?t\w*|erhielt\w*|empfang\w*|bekommen|angekommen|erreicht|recib\w+|llego|llegad[oa]|ricev\w+|arrivat[oa]|ontvang\w*|gekregen|aangekomen)"
NOT_RECEIVED = re.compile(
    rf"\b(?:{_NOT}|no he|no hemos|non|sin haber)\b(?! \w+ (?:retour|return|reserv))[^,;:.]{{0,50}}?\b{_RECEIVE}\b(?! (?:any |no |more |further |keine |de )*(?:\w*message|e?-?mail|notification|nachricht|correo|messagg|bericht|invoice|rechnung|facture|reply|answer|antwort|reponse|respuesta|risposta|antwoord))|\b{_RECEIVE}\b[^,;:.]{{0,20}}\b(?:nicht|niet|never)\b|\bnon[- ]?(?:reception|receipt|ontvangst)\b"
)
YOU_OR_ME = re.compile(
    r"\b(?:vous|vos|votre|tu|te|ta|ton|you|your|sie|ihnen|ihre?[mnr]?|du|dein\w*|dir|usted|ustedes|tus?|has|lei|voi|hai|tu[oae]|vostr\w|suoi?|uw?|jij|je|jouw|me|my|i|moi|j'ai|ich|mir|mich|meine?\w?|yo|mi|io|mio|ho|ik|mij|mijn)\b"
)
ME = re.compile(r"\b(?:je|j'ai|mon|ma|i|my|ich|meine?|mir|yo|mi|io|mio|ik|mijn)\b")
# Statements that a parcel did not arrive.
OBJECTION = _whole(
    lost="(est |is |as |was )?(perdue?|introuvable|manquante?|manque|lost|missing|stolen|verloren|vermisst|verschollen|fehlt|gestohlen|extraviad[oa]|perdid[oa]|falta|robad[oa]|smarrit[oa]|pers[oa]|manca|mancante|rubat[oa]|vermist|zoek|kwijt|ontbreekt|gestolen)",
    destroyed="detruite?|destroyed|disposed of|zerstort|vernichtet|entsorgt|destruid[oa]|distrutt[oa]|vernietigd",
    disputed="(?P<disputed>(je|nous|i|we|ich|wir|yo|io|ik|wij|lo|la|ci|dit) (conteste\\w*|nie|nions|dispute|deny|bestreiten?|contesto|nego|betwist\\w*|ontken\\w*|niego)|(dat|das|this|lo) (betwist|bestreite|contesto|dispute) (ik|ich|i)?|impugno|rechazo|(toujours|encore|still|immer noch|todavia|sigo|ancora|nog steeds) (rien|nothing|nichts|nada|igual|nulla|niente|niets))",
    mixed="denies|bestreitet|niega|nega|ontkent|(autre|another|(ein |zu einem )ander\\w*|otr[oa]|altr[oa]|ander) (colis|envoi|parcel|package|item|shipment|paket|sendung|envio|paquete|spedizione|pacco|collo|pakket|zending)|(ne|n'a|does|did|stimmt|no|non|komt) (\\w+ ){0,2}(correspond\\w*|match|uberein|coincide|corrisponde|overeen)( pas| nicht| niet)?",
    waiting="(pour|to|zur|zum|para|per|om|van|for|zu) (\\w+ ){0,3}(recuperer|retirer|collect(ion)?|pick ?up|abholen|abholung|recoger\\w*|recogida|ritir\\w+|ophalen|afhal\\w+) ?(?=$|[.,|(]|until|jusqu|bis|hasta|fino|tot|by|par|von|door|por|da)|(pour|to|para|per|om) (le|la|it|lo) (recuperer|retirer|collect|ritirar\\w+|op te halen)",
    outstanding="outstanding|steh(t|en) noch aus|volgen? nog|faltan? por|quedan? pendiente|ancora da|reste(nt)? a (livr|distrib|recev|venir)\\w*|manque toujours",
    refused="refusee?|refused|rejected|annahmeverweiger\\w*|verweigert|rehusad[oa]|rechazad[oa]|rifiutat[oa]|respint[oa]|geweigerd|weigert",
    returned="(?P<returned>(est|sera|ete|a ete) (retournee?|renvoyee?|rendue?)|retour a l'expediteur|(sent|brought|being|was|been) (back|returned)(?! to (the |our )?(depot|hub))|returned? to (the )?(sender|shipper)|zuruckge(schickt|sandt|geben|bracht)|zuruckgesendet|devuelt[oa]|rientrat[oa]|teruggekomen|zuruckgekommen|revenue?|restituit[oa]|rispedit[oa]|reso al|teruggestuurd|teruggegeven|geretourneerd|retour afzender)",
    searched="(reste|encore|toujours|still( being)?|weiter(hin)?|sigue|todavia|tuttora|ancora|nog( steeds)?) (\\w+ )?(recherchee?|traced|looked|searched|missing|gesucht|busc\\w+|sin aparecer|ricercat[oa]|introvabile|gezocht|zoek)|(enquete|recherche|investigation|search|nachforschung|suche|investigacion|busqueda|ricerca|indagine|onderzoek) (est |is |lauft |esta |e )?(en cours|ouverte?|ongoing|open(ed)?|under way|noch|gestartet|abierta|en curso|aperta|in corso|loopt|gestart)|(ouvert|opened|started|eingeleitet|abierto|iniciado|avviato|gestart) (\\w+ )?(enquete|investigation|search|nachforschung|investigacion|ricerca|onderzoek)",
    corrected="(statut|status|estado|stato|information|scan|firma|signature|unterschrift|handtekening|preuve|proof|nachweis|comprobante|prova|bewijs|livraison|delivery|entrega|consegna|zustellung|bezorging)\\b[^.;]{0,60}\\b(erronee?|incorrecte?|incorrect|wrong|false|falsch\\w*|unrichtig|err[oó]ne[oa]|errat[oa]|sbagliat[oa]|onjuist|foutief|corrige|corrected|korrigiert|corregid[oa]|rettificat[oa]|gecorrigeerd|annulee?|cancelled|void|storniert|anulad[oa]|annullat[oa]|geannuleerd|ungultig|invalid[oa]?|ongeldig|disregard|vervalt|nichtig|gegenstandslos|withdrawn|retracted|sin efecto|no longer (valid|correct)|plus valable|piu valid[oa]|niet langer geldig)",
    none="(aucune|pas de|no|not? yet|kein\\w*|sin|nessuna|geen) (consta |existe |hay |risulta )?(la |su |the )?(livraison|delivery|zustellung|entrega|consegna|bezorging|aflevering)(?! (note|receipt))|(consta|risulta) (la )?(entrega|consegna)(?= (no|non))|(zustellung|delivery|livraison|entrega|consegna|bezorging)\\b(?!.{0,40}(sign|unterschrift|firma|handtek|note|receipt))[^.;|]{0,30}\\b(nicht|not|pas|non|no|niet)\\b (erfolgt|moglich|take|made|possible|eu|avvenuta|possibile|se|fue|posible|gelukt|mogelijk|plaats)|dat klopt niet|(das|dies) (stimmt nicht|ist falsch|war falsch)|(that|this) (is|was) (not (correct|right|true)|wrong|incorrect|untrue)|ce n'est pas (exact|vrai|correct)|no es (correcto|cierto)|non (e|corrisponde) (corretto|esatto|vero|al vero)",
    held="(toujours|encore) (dans|a|en|au)|still (in|at|on)|liegt (noch|zur|bei)|noch (in|im|bei) (der|dem|unse\\w+|depot|zustellbasis)|sigue en|todavia|aun (esta|en)|si trova ancora|ancora in|e in giacenza|nog (in|bij|op|onderweg|steeds)|(retenu|blocked|held|festgehalten|retenid[oa]|trattenut[oa]|vastgehouden)",
)
TO_FILL_IN = re.compile(
    r"\b(?:a (remplir|completer)|to be (completed|filled)|please (complete|fill)|auszufullen|ausfullen|(a|debe) (rellenar|cumplimentar)\w*|da compilare|in te vullen|invullen)(?!\w)"
)
# Words that mark the document, or the number on it, as an example.
EXAMPLE = re.compile(
    r"(?<![.@\w])(?:specimen|mock-?up|dummy|fictitious|fictif|fictive|fiktiv\w*|ficticio|fittizio|fictief|(?:samples?|examples?|exemples?|beispiele?|ejemplos|esempi|voorbeelden|muster|ejemplo|esempio|voorbeeld|model)(?! \w+ x)\b(?= ?(?:[-–:|]|$|of |for |d'|de |di |van |einer? |un |document|\w*number|tracking|trackingnum|numero|nummer|\w*sendung|colis|parcel|\w*dokument|preuve|proof|only|illustration))|musterdokument|mustermann|testdokument|test document|documento de prueba|not a (?:real|valid) \w+|ohne (?:rechtliche )?gultigkeit|sans valeur(?! contractuelle)|sin validez|senza valore|not valid)\b"
)
# Phrases that say where an undelivered parcel is.
_ON_ITS_WAY = _any(
    fr="en cours|en livraison|en transit|pris(e)? en charge|en attente|en preparation|avis(?! de (reception|livraison))|vous attend|a retirer|retour(nee?)?|prochaine etape|etapes?",
    en="in transit|out for delivery|on its way|on the way|label created|awaiting|ready for (collection|pick-?up)|held until|picked up|shipped|return(ed|ing)?|delivery attempt|exception|a (card|notice)|card left",
    de="in zustellung|unterwegs|zur abholung|in bearbeitung|angekundigt|zuruck\\w*|rucksendung|retoure|zustellversuch|bearbeitet|wartet|benachrichtigungskarte|eine (karte|benachrichtigung)",
    es="en transito|en reparto|en camino|pendiente|devuel\\w+|devolucion|en ruta|admitido|aviso(?! legal)",
    it="in transito|in consegna|in attesa|in giacenza|ritorno|in lavorazione|partit[oa]|presa in carico|avviso(?! di (ricev|consegna))|resa?|restituit[oa]",
    nl="onderweg|in bezorging|ligt klaar|retour|wacht op|in behandeling|aangemeld|gesorteerd|een (bericht|briefje)|kaartje|(?<!deze )kaart",
)  # fmt: skip
ON_ITS_WAY = re.compile(rf"\b(?:{_ON_ITS_WAY})(?!\w)")
# Texts, other than objections, that mark a row of a list as an undelivered parcel's.
UNDELIVERED = re.compile(
    rf"\b(?:{_ON_ITS_WAY}|absente?|ausente|assente|not (?:in|home)|no answer|niet thuis|nicht angetroffen|abwesend|closed|ferme|chiuso|cerrado|gesloten|geschlossen|(?:not|non|nicht|niet|no) \w+)(?!\w)"
)
STEP_BEFORE = re.compile(
    rf"\b(?:{_ON_ITS_WAY})\b[^\d.;]{{0,30}}$|\b(?:etape|step|schritt|paso|passo|fase|stap) \d[^.;|]{{0,20}}$"
)
MAIL_REPORT = re.compile(
    r"\b(?:postmaster|mailer-daemon|message report|delivery status notification|(?:bericht|message|messaggio|mensaje|nachricht|e-?mail) (?:is|was|wurde|a ete|e stato|ha sido) (?:afgeleverd|delivered|zugestellt|remis|consegnato|entregado))\b|\(pec\)|zustellbestatigung ihrer e-?mail"
)
STEP_BEHIND = re.compile(
    rf" ?(?:en|in|within|innerhalb von|binnen|entro|sous) \d+ ?(?:h|heures|hours|stunden|horas|ore|uur|j|jours|days|tagen?|dias|giorni|dagen)\b|[^;|?]{{0,40}}?__| ?(?:durch|von|par|by|por|da|door) ?:| {_PARCELS}\b(?! \w*\d)|[^\d.;]{{0,15}}\b(?:{_ON_ITS_WAY})(?!\w)"
)

# ---------------------------------------------------------------- no proof available

_PROOF = _any(
    fr="preuves?|justificatif|document|bordereau|recepisse",
    en="proof|p\\.?o\\.?d|document|(delivery )?receipt",
    de="\\w*(nachweis|beleg)|dokument",
    es="comprobante|prueba|justificante|documento|albaran",
    it="prova|bolla",
    nl="\\w*bewijs",
)
OF_A_SIGNATURE = re.compile(
    r"\b(?:signature|signee?|signataire|emargement|signed|signatory|unterschrift|unterschrieben|quittiert|firma|firmad[oa]|firmat[oa]|handtekening|getekend|ondertekend)(?!\w)"
)
_NONE = r"not|no|cannot|could not|unable|pas|plus|aucune?|impossible|non|nicht|kein\w*|niet|geen|sin|ningun\w*|nessun\w*|impossibile"
_THERE = r"available|found|retrieved|displayed|exists?|on file|disponible|trouve\w*|enregistree?|existe\w*|verfugbar|gefunden|vorhanden|abrufbar|encontrad[oa]|disponibile|trovat[oa]|esiste|beschikbaar|gevonden|vastgelegd|aanwezig"
_WITHIN = r"(?:(?!signatur|unterschrift|firma|handtekening)[^.;!?|]){0,80}?"
# "This document is not available in English" does not count. An unavailable signature does not count either, because
# valid letters mention it if no signature was required.
NOT_THERE = re.compile(
    rf"\b(?:{_PROOF})\b{_WITHIN}\b(?:unavailable|indisponible|introuvable|(?:{_NONE})\b{_WITHIN}\b(?:{_THERE})|(?:{_THERE})\b{_WITHIN}\b(?:nicht|niet|pas|non))(?!\w)(?! (?:in|en|auf) \w)"
    rf"|\b(?:no|aucune?|kein\w*|ningun\w*|nessun\w*|geen) (?:{_PROOF})\b{_WITHIN}\b(?:{_THERE})(?!\w)"
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
# ---------------------------------------------------------------- signatures

_SIGNATURE = "(signature|unterschrift|firma|handtekening)"
NO_SIGNATURE = re.compile(
    rf"\b(?:(no|without|sans|aucune|keine|ohne|sin|senza|nessuna|geen|zonder) (\w+ )?{_SIGNATURE}"
    rf"|{_SIGNATURE}[ :]{{0,3}}(is |was |n'est |est |ist |war |wurde )?(not|non|pas|nicht|no|niet|unavailable|indisponible|waived|none|aucune|keine)"
    r"|driver release|unsigned|non signee?|contactless|sans contact|kontaktlos|contactloos|sin contacto)(?!\w)"
)

# ---------------------------------------------------------------- other documents

# Groups of words in the titles of documents that are not proofs. A proof may also answer a claim or an order.
_LIST = r"(feuille|bordereau|bon|liste|lists?|sheet|note|notes?|slip|manifest\w*|lista|hoja|relacion|distinta|lijst|receipt|recu|recepisse|preuve|proof|certificate|certificat|attestation|justificatif|resguardo|albaran|bolla|bolletta|justificante|comprobante|recibo|prova|ricevuta|bewijs|ordre|orden|order|ordine|request|demande|solicitud|richiesta|confirmation|confirmacion|conferma|advice|avis|aviso|avviso)"
_START = r"(chargement|depot|enlevement|ramassage|collecte|prise en charge|expedition|envois?|commande|colisage|preparation|remise (au|a la|aux) (transporteur|poste|chauffeur)|retour|refus|loading|hand-?over|collection|pick-?up|dispatch|packing|posting|mailing|shipping|shipment|deposit|drop-?off|order|return|recogida|carga|contenido|envio|expedicion|imposicion|admision|deposito|pedido|compra|devolucion|carico|ritiro|spedizione|accettazione|invio|ordine|presa in carico|reso|export\w*|esportazione|ausfuhr)"
OTHER_PAPER = re.compile(
    "|".join(
        (
            r"\b(?:\w*e?tiquet\w+|\w*label|\w*aufkleber|\w*paketschein|etichett\w+|(?<!delivery )manifest\w*|distinta(?! di consegna)|packing list|packzettel|paklijst|pakbon|cn ?2[23]|pro ?forma)\b",
            rf"\b{_LIST}s? (?:(?:de|des|du|d'|di|del|della|of|for|to) ?(?:la |les? |los )?)?{_START}\b|\b{_START} {_LIST}\b",
            r"\b(?:versand|verlade?|lade|ubergabe|abhol|abgabe|einlieferungs|pack|sammel|auftrags|bestell|retouren?|rucksende|storno)(?:liste|zettel|schein|beleg|nachweis|quittung|bestatigung|auftrag|anzeige|avis)\b",
            r"\b(?:verzend|laad|overdrachts|ophaal|afgifte|inlever|vracht|retour|bestel|pak)(?:lijst|bon|bewijs|bevestiging|formulier|opdracht|verzoek|label)\b",
            r"\b(?:douan\w*|customs|\w*zoll\w*|aduan\w+|dogan\w+|ausfuhr\w+|uitvoer\w+|exportation|exportacion|esportazione|facture|invoice|\w*rechnung|factura|fattura|\w*factuur|devis|quot(?:e|ation)|angebot|presupuesto|preventivo|offerte|gutschrift|credit note|nota de credito)\b",
            r"\b(?:autori[sz]\w+|permission|permiso|permesso|consent|(?:abstell|ablage)\w*(?:genehmigung|vereinbarung|erlaubnis|vertrag)|garagenvertrag|\w*vollmacht|genehmigung|procuration|mandat|power of attorney|delega|machtiging|\w*toestemming|volmacht|poder)\b",
            r"\b(?:reclam\w+|reklamation|claim|complaint|plainte|beschwerde|klacht\w*|denuncia|nachforschung\w*|verlust\w*|perte|loss|perdida|smarrimento|vermissing\w*|schade\w*|schadens\w*|litige|dispute|rectification|rectificacion|rettifica|berichtigung|rectificatie|correction|correccion|correctie)\b(?! (?:of|de) (?:delivery|livraison|entrega|receipt|reception))",
            r"\b(?:retour|returned?|rucksendung|ruckgabe|retoure\w*|devolu\w+|devuelt\w+|reso|restitu\w+|zuruck an)\b",
            r"\b(?:avis de (?:passage|instance|arrivee)|missed|vous attend|ligt klaar|niet thuis|gemist|benachrichtigung\w*|ausencia|assenza|mancata|giacenza|ready (?:to|for) (?:collect\w*|pick\w*)|(?:bereit )?zur abholung|aviso de (?:llegada|paso|visita)|listo para|pronto per|klaar om|fehlgeschlagen\w*|(?:livraison|zustellung|delivery|entrega|consegna|bezorging) (?:failed|failure|fehlgeschlagen|fallida|fallita|mislukt|echec)|(?:echec|failed|unsuccessful|erfolglos\w*|fallid[oa]|mislukte?)|(?:colis|envoi|annahme|parcel|shipment|paquete|envio|pacco|spedizione|zending|pakket) (?:refus\w+|verweigert|re(?:chazad|husad)[oa]|rifiutat[oa]|respint[oa]|geweigerd)|verweiger\w*|undeliverable|unzustellbar\w*|impossible|imposible|impossibile|not possible|nicht moglich|niet mogelijk)\b",
            r"\b(?:modifi\w+|chang(?:ed|e of)|(?:ge)?ander(?:t|ung)\w*|cambi(?:o|ad[oa]|at[oa])|gewijzigd|wijziging|aangepast|corrig\w+|corrected|corretto|intrekking|widerruf\w*|withdraw\w*|retract\w*|revoc\w*|ritrattazione|rettificat\w+|errore|erreur|irrtum|gecorrigeerd|korrigiert|reschedul\w+|redirect\w+|umgeleitet|storniert|stornierung|cancell\w+|annul\w+|geannuleerd)\b",
            r"\b(?:specimen|\w*muster|sample|template|vorlage|plantilla|sjabloon|entwurf|draft|borrador|bozza|voorbeeld|exemple|ejemplo|esempio|beispiel)\b",
        )
    )
)
# Titles and statuses that say that only part of the shipment was delivered.
PART = re.compile(
    rf"\b(?:(?:{_DELIVERY_NOUN}) (?:partiel\w*|parcial\w*|parzial\w*)|(?:partial|partielle|teil|deel|gedeeltelijke) ?(?:{_DELIVERY_NOUN})|(?:partiellement|partially|part|partly|teilweise|parcialmente|parzialmente|deels|gedeeltelijk) (?:{_HANDED_OVER}))(?!\w)"
)
# Lines that are not titles: fields, sentences, footers, and lines within a sentence.
NO_TITLE = re.compile(r": \S|[.:]$|\|| - .* - |,(?: \w+){3}")
# Words that name a proof or an answer. A title with such a word is not the title of another type of document.
_DELIVERY = r"(?:livraison|remise(?! (?:au|a la) (?:transporteur|poste))|distribution|reception|delivery|receipt|zustell\w*|ablief\w*|ausliefer\w*|empfang\w*|liefer\w*|entrega|recepcion|consegna|recapito|ricevimento|bezorg\w*|aflever\w*|ontvangst\w*)"
_PAPER = r"(?:declaration|declaracion|dichiarazione|verklaring|erklarung|preuves?|justificatif|attestation|confirmation|recu|recepisse|bordereau|bon|bulletin|avis|proof|receipt|notification|notice|advice|note|certificate|letter|details|nachweis|beleg|bestatigung|comprobante|justificante|prueba|acuse|albaran|certificado|recibo|aviso|constancia|prova|ricevuta|attestato|conferma|bolla|avviso|certificazione|bewijs|bevestiging|bon|bericht)"
PROOF_TITLE = re.compile(
    rf"\b{_PAPER} (?:electronique |electronic |elettronica |electronico )?(?:(?:de|of|di|van|d'|for|avvenuta|ad) ?(?:la |avvenuta )?)*{_DELIVERY}\b|\b{_DELIVERY} {_PAPER}\b|\b(?:zustell|abliefer(?:ungs)?|ausliefer(?:ungs)?|empfangs?|liefer|ubergabe)(?:nachweis|beleg|bestatigung|schein|quittung)\b|\b(?:aflever|bezorg|ontvangst)(?:bewijs|bevestiging|bon|bericht)\b|\bruckschein\b|\bp\.?o\.?d\b"
)
ANSWER = re.compile(
    r"\b(?:reponse|suite a|cloture|re ?:|reply|response|answer|outcome|result|resolved|closed|(?:claim|complaint|case|dossier|reclamation|reklamation|reclamacion|reclamo|klacht|beschwerde)\b.*(?:declined|rejected|dismissed|rejetee?|refusee?|abgelehnt|zuruckgewiesen|desestimad[oa]|rechazad[oa]|respint[oa]|rifiutat[oa]|afgewezen)|antwort|ruckmeldung|ergebnis|abschluss|beendet|abgeschlossen|terminee?|finalizad[oa]|conclus[oa]|respuesta|contestacion|resultado|cierre|cerrad[oa]|risposta|riscontro|esito|chiusura|antwoord|reactie|uitkomst|uitslag|afgerond|votre|your|ihre?n?|su|vostr[oa]|uw|annahme ?:)\b"
)
# The title of a page with a picture. As pictures are not read, only the title shows what the page is.
TITLE = re.compile(rf"\b(?:{_PROOF})\b")
