"""What stands before the facts on proofs of delivery, in the languages of the carriers' countries: tables of phrases.

They are folded: no accents, no capitals, `'` for every apostrophe. `( ...)?` and the like are patterns. From the carriers'
letters, their tracking pages, and public examples; several carriers use the same ones.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    SIGNATORY = "signatory"  # who took the parcel; not the addressee: another person may have signed
    DELIVERED = "delivered"  # when it was handed over
    DATE = "date"  # of something: of the delivery, if it stands beside a signatory
    TIME = "time"  # of day, where it has a label of its own
    PLACE = "place"
    TO = "to"  # a person, a town or a door: only a town that is written as one counts
    NUMBER = "number"  # of this parcel
    OTHER = "other"  # what stands behind it is none of the above, and it is no value itself


_LABELS = {
    Kind.SIGNATORY: (
        # French
        r"(nom|prenom|nom et prenom|nom, prenom|identite)( (du|de la|de l')? ?(receptionnaire|signataire|receveur|personne))",
        "receptionnaire", "signataire", "signe par", "signature de", "remis a", "receptionne par", "recu par", "livraison signee par",
        r"nom de (la personne ayant|celui qui a) (signe|receptionne)", "emarge par", "retire par", "accepte par", "collecte par",
        r"nom (lisible|en majuscules|en capitales)",
        # English
        r"(signed|accepted|received|taken|collected|picked up)( for)? by", "signatory", r"signature name", "signer", r"signed for",
        r"(receiver|recipient|signatory|signer|signee|consignee)('s)? ?(signature )?name( in capitals)?", "name of (the )?(receiver|signatory|signer)",
        "received by name", "print(ed)? name", r"signed(?= ?[:=]| ?$)",
        # German
        r"(unterschrieben|unterzeichnet|quittiert|angenommen|entgegengenommen|ubernommen|empfangen|signiert)( von| durch)",
        r"(empfangs?bestatigung|annahme|ubergabe) (durch|an)", r"ubergeben an", "unterzeichner", "annehmer", r"name des (empfangers|unterzeichners|annehme(rs|nden))",
        "ausgehandigt an", "unterschrift von", "empfangername", "quittungsgeber", r"erhalten(?= ?[:=])",
        # Spanish, Italian, Dutch
        r"(recibid|firmad|aceptad|recogid|retirad)[oa]s? por", r"recibi(?= ?[:=])", r"(angenommen|entgegengenommen|aangenomen|firma(to|ta)|firmado)(?= ?[:=])", "receptor", "firmante", r"nombre( y apellidos)? (del receptor|del firmante|de quien recibe)", "firma de",
        r"(firmat|ricevut|ritirat|accettat)[oaie] da", "firmatario", "ricevente", r"nome (e cognome )?(del (firmatario|ricevente)|di chi (ritira|riceve))", "firma di",
        r"(ontvangen|getekend|ondertekend|aangenomen|afgehaald|opgehaald|in ontvangst genomen)( voor ontvangst)? door", "ondertekenaar", r"naam (van de )?(ontvanger|ondertekenaar)",
        "handtekening van", "meegegeven aan", r"getekend(?= ?[:=])",
    ),
    Kind.DELIVERED: (
        # French
        r"(colis |envoi |a ete |ete )?(livre|remis|distribue|receptionne)e?s? (a son destinataire |au destinataire |a l'adresse indiquee )?le( jour)?",
        r"(date|jour)( et heure)? (de (la )?|de )?(livraison|remise|distribution|reception)( effective)?( et heure)?",
        r"livraison (effectuee |realisee )?le", r"livre", "date/heure de livraison", "date livraison", "livraison", "distribue", r"date de (la )?signature",
        # English
        r"(was |been )?delivered on", r"(actual )?(delivery|delivered|proof of delivery|pod|signature|received)[ /]date( ?(/|and|&) ?time)?",
        r"(delivery|delivered) date", r"date(/| and | & )?time (of delivery|delivered)", r"date (of delivery|delivered|received)", "date/time of delivery",
        "delivered at", "delivered", r"delivery (date/time|time|timestamp)", "signed on", "received on",
        # German
        r"(zugestellt|ausgeliefert|geliefert|ubergeben|ausgehandigt|abgeliefert) am", r"(zustell|liefer|ablieferungs|auslieferungs|empfangs)(datum|tag|zeitpunkt)",
        r"datum( und (uhrzeit|zeit))? der (zustellung|lieferung|ubergabe|ablieferung|auslieferung)", r"(zustellung|lieferung|auslieferung) (am|erfolgt|erfolgte)( am)?", r"ubergabe (am|erfolgt|erfolgte)( am)?",
        "zugestellt", r"zustellung", r"(gut |ware |sendung )?(empfangen|erhalten|angenommen|ubernommen) am",
        # Spanish, Italian, Dutch
        r"(entregad[oa]s?|recibid[oa]s?) el( dia)?", r"(fecha|dia)( y hora)? de (la )?(entrega|recepcion|firma)", "fecha entrega", r"entregad[oa]", "entrega",
        r"consegnat[oaie] il", r"data( e ora| ed ora| ?/ ?ora)? (di |della )?(avvenuta )?(consegna|firma)", r"consegnat[oa]", "consegna",
        r"(bezorgd|afgeleverd|geleverd) op", r"(bezorg|aflever|lever)(datum|moment)", r"datum( en tijd(stip)?)? (van )?(de )?(bezorging|aflevering|levering)", "bezorgd", "afgeleverd",
        "bezorging", "aflevering",
    ),
    Kind.TIME: (
        "heure", "heure de livraison", "heure de remise", "time", "delivery time", "time of delivery", "delivered at", "uhrzeit", "zustellzeit",
        "zeit", "lieferzeit", r"hora( de (la )?entrega)?", r"ora( di consegna)?", "tijd", "tijdstip", "(aflever|bezorg)tijd",
    ),
    Kind.DATE: (
        "date", "datum", r"date ?(/|et|and|&|und) ?(heure|time)", r"datum ?(/|und) ?(uhrzeit|zeit)", "jour", "dia",
        r"(fecha|data|datum)( (y |e |ed |en )?(hora|ora|tijd(stip)?))?",
    ),
    Kind.PLACE: (
        r"lieu( de (livraison|remise|la livraison))?", r"ville( de (livraison|destination))?", "localite", "commune", "adresse de livraison",
        "place( of delivery)?", r"(delivery|delivered) (location|city|town|place|address)", "location", "city", "town",
        r"delivered in", r"delivery point", "(destination )?service area",
        r"(zustell|liefer)?ort( der zustellung)?", r"(zustell|liefer)(adresse|anschrift)", "stadt",
        r"lugar( de (la )?entrega)?", "localidad", "ciudad", "poblacion", "direccion de entrega",
        r"luogo( di consegna)?", "localita", "citta", "indirizzo di consegna", r"(aflever|bezorg|lever)(plaats|adres|locatie)", "plaats", "woonplaats",
    ),
    Kind.TO: (
        r"livree? a", "delivered to", "zugestellt an", "remis a l'adresse", r"entregad[oa] (a|en)", r"consegnat[oa] a", r"(bezorgd|afgeleverd) (bij|in|te)"
    ),
    Kind.NUMBER: (
        r"(n|no|num|numero|n°|nº)[.°o]? ?(de |d'|du )?(colis|envoi|suivi|lettre de transport|lt|expedition|bordereau|tracking|l'envoi)",
        r"(colis|envoi|pli|objet)( (n|no|numero|n°|nº)[.°]?)?", r"code de suivi", r"reference (du )?colis", "suivi",
        r"(tracking|waybill|air waybill|airwaybill|parcel|package|consignment|shipment)( (number|no\.?|nr\.?|#|id|nos?|code))", "awb", "hawb", "waybill", "trackid",
        "tracking", "track id", "parcel", "package", "piece id",
        r"(sendungs|paket|paketschein|frachtbrief|tracking|sendungsverfolgungs|auftrags)-?(nummer|nr\.?|code)", "sendung", "paket", "numero", "number", "nummer", "n°", r"sendung nr\.?", r"paket nr\.?",
        r"(n|no|num|numero|n°|nº)[.°o]? ?(de |del |di |della )?(envio|seguimiento|paquete|expedicion|bulto|albaran|spedizione|collo|lettera di vettura)",
        "envio", "localizador", "codigo de (seguimiento|envio)", "paquete", "bulto", "spedizione", "collo", "pacco", r"codice (di )?(spedizione|tracking)",
        r"(pakket|zending|zendings|barcode|track ?(&|en) ?trace|trackingnummer|verzend)-? ?(nummer|nr\.?|code)?", "zending", "pakket",
    ),
    Kind.OTHER: (
        "destinataire", "expediteur", "client", "nom", "poids", "service", "produit", "reference", r"ref(erence)?s?( (client|expediteur|commande))?",
        r"(n|no|numero|n°)[.°]? ?(de |d')?(commande|compte|client|contrat|facture|siret|siren|tva|tel(ephone)?)", "commande", "compte", "contrat", "statut",
        "etat", "evenement", "agence", "observations?", "remarques?", "reserves?", "signature", "cachet", "code postal", "pays", "adresse",
        "tel", "telephone", "siret", "email", "e-mail", "expedie le", "date d'expedition", "edite le", "imprime le", "livreur", "chauffeur", "emetteur",
        "recipient", "receiver", "consignee", "addressee", "sender", "shipper", "customer", "name", "weight", "product", "service type",
        r"reference( number(\(s\))?| no\.?)?", r"order( (number|no\.?|id))?", r"account( (number|no\.?))?", "invoice", "status", "event", "remarks?", "comments?",
        "driver", "courier", "phone", "country", "postcode", "zip( code)?", "address", "left (at|with)", r"ship(ped|ping)?( or billed)?( (date|on))?", "printed on", "pieces", r"(number|nombre) (of|de) (pieces|parcels|packages|colis)", r"anzahl( der)? (pakete|packstucke|sendungen)",
        "delivery to", "special handling", "department", "origin( service area)?", "destination", "deposited (at|with)", r"signature (required|image)",
        "empfanger", "absender", "versender", "kunde", "gewicht", "produkt", "referenz", "kundennummer", "auftrag", "bestellnummer", "rechnung", "ereignis",
        "unterschrift", "bemerkung(en)?", "fahrer", "zusteller", "telefon", "land", "plz", "anschrift", "versanddatum", "gedruckt am", "stuck",
        r"unterschrift (des )?(empfangers?|kunden)", "kundenreferenz", r"signature (du|of the) (destinataire|recipient|client)", r"(recipient|customer|shipper)'s (signature|reference)",
        "destinatario", "remitente", "peso", r"referencia( del cliente)?", "estado", r"firma( del (destinatario|cliente))?", "observaciones", "servicio", "pedido", "bultos", "pais",
        "mittente", r"riferimento( (del )?(cliente|mittente))?", "stato", "note", "servizio", "ordine", "corriere", "colli", "data di spedizione",
        "afzender", "ontvanger", "klantreferentie", "referentie", r"handtekening( (van de )?ontvanger)?", "opmerkingen", "dienst", "bezorger", "bestelnummer",
    ),
}  # fmt: skip


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that are part of no person's name: roles, places to leave a parcel, firms, and what stands where no name is known.
NO_NAMES = _set("""
    destinataire expediteur receptionnaire signataire client voisin voisine gardien gardienne concierge accueil reception boite
    lettres aux domicile relais point consigne bureau poste agence livre livree livraison remis signature signe requise absente
    absent indisponible disponible non renseigne renseignee inconnu inconnue aucun aucune neant sans contact les un une au par
    pour votre notre colis envoi numero date heure lieu ville rue avenue boulevard place chemin impasse route poids reference
    statut nom prenom qualite fonction cachet tampon mention autre personne mandataire tiers ci dessous main propre propres
    mains porte
    destinatario remitente vecino vecina cliente conserje conserjeria recepcion buzon oficina punto recogida entregado entrega firma no
    disponible sin ninguno desconocido empresa direccion calle fecha hora lugar peso mittente vicino vicina portiere portineria cassetta
    ufficio consegna consegnato firma assente nessuno sconosciuto via data ora luogo indirizzo ontvanger afzender buren buurman buurvrouw
    receptie brievenbus balie kantoor afleverpunt bezorgd afgeleverd handtekening geen niet onbekend straat datum tijd plaats adres schuur
    recipient receiver sender shipper consignee addressee customer neighbor neighbour receptionist front desk door porch mailbox
    mailroom dock office back side garage garden shed locker access shop parcel package shipment delivery delivered signed
    required requested available unavailable not no none unknown na on file the of by for to at in your our and or with without
    adult direct resident occupant security guard agent driver courier carrier name time location street road lane drive weight
    service type status number see below above proof image is was
    empfanger absender nachbar nachbarin kunde hausbewohner bevollmachtigter person ersatzempfanger pforte rezeption briefkasten
    ablageort packstation filiale paketshop unterschrift nicht erforderlich keine ohne kein vorhanden verfugbar unbekannt die
    das am im um und oder durch zugestellt zustellung datum uhrzeit ort strasse gewicht sendung paket siehe unten personlich
    sarl sas sasu eurl sa snc sci gmbh ag kg ohg ltd limited inc llc plc corp company cie societe ste groupe group services
    chronopost colissimo ups dhl express fedex dpd gls mondial relay united federal system deutsche post geopost pickup
    true false null undefined yes oui non ja nein
""")
# Little words within names, and before them.
LITTLE = _set(
    "de la le du des d' l' van von der den dem ten ter di da do dos del della bin ben el al y e et zu zum an a het 't 's lo degli"
)
TITLES = _set(
    "m m. mr mr. mrs mrs. ms ms. mme mme. mlle mlle. mm dr dr. herr frau hr. fr. me monsieur madame sr sr. sra sra. don dona sig sig. sig.ra dott dott. dhr dhr. mevr mevr. mw mw."
)
# Places where a parcel is left, which are no town.
NO_PLACES = _set("""
    front door back porch reception desk mailbox garage locker garden residence residential commercial business office dock
    mailroom accueil domicile boite gardien voisin relais consigne briefkasten ablageort nachbar pforte rezeption haustur
    inconnu unknown unbekannt signature date heure person full empfang ihrem ihren ihr
""")
# What is printed where no value is known, by its words: "N/A", "__/__/____ à __:__", "non renseigné".
NO_VALUE = re.compile(
    r"((na|n a|neant|nil|null|none|vide|empty|aucune?|inconnue?|unknown|unbekannt|sans objet|s o|tbd|a completer|entfallt|x+"
    r"|non (renseigne|communique|disponible|connu|fourni|precise|specifie)e?s?"
    r"|no (disponible|consta|indicado)|non (disponibile|indicato)|niet (beschikbaar|bekend|opgegeven)|desconocid[oa]|sconosciut[oa]|onbekend|geen|ninguno|nessuno"
    r"|not (available|applicable|provided|known|recorded|specified|given)|nicht (vorhanden|verfugbar|angegeben|bekannt)"
    r"|k a|keine angaben?|le|a|h|at|um|uhr|om|uur|las|ore|alle|jj|mm|aaaa|dd|yyyy|tt|jjjj|hh)( |$))*"
)

# The longer ones first, where several begin at one place.
_PATTERNS = [
    (kind, re.compile(rf"(?<![a-z0-9])(?:{'|'.join(sorted(labels, key=len, reverse=True))})(?![a-z0-9])"))
    for kind, labels in _LABELS.items()
]
# What a label ends with that may stand within a sentence: "and was signed for by DUPONT".
_IN_SENTENCES = re.compile(
    r" (by|par|von|durch|por|da|door|de|di)$|(?<!received)(?<!recibido)(?<!recibida) (am|le|on|in|el|il|op)$"
)
_BEFORE = re.compile(r"[\W_]*(the|le|la|les|der|die|das|et|and|und)?[\W_]*")
_COLON = re.compile(
    r"( ?\([^()]{0,40}\))? ?[:=]"
    r"| ?\([^()\d]{0,40}\b(?:names?|nom|naam|nombre|nome|capitals?|capitales|majuscules|mayusculas|maiuscolo|druckbuchstaben|blokletters|lisible|yyyy|aaaa|jjjj|hh)\b[^()\d]{0,20}\)"
)
_ENDS_SENTENCE = re.compile(r"\.(?![.\w])(?! ?[._])")


@dataclass(frozen=True)
class FactLabel:
    kind: Kind
    start: int
    end: int  # behind the colon, if there is one


def labels_in(folded: str) -> list[FactLabel]:
    """The labels of a piece of text, in their order: at its beginning, before a colon, or those of a sentence."""
    candidates = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(folded):
            if _ENDS_SENTENCE.match(folded, match.end()):
                continue
            colon = _COLON.match(folded, match.end())
            begins = _BEFORE.fullmatch(folded, 0, match.start()) is not None
            if (
                colon
                or begins
                or (kind not in (Kind.OTHER, Kind.DATE, Kind.TO) and _IN_SENTENCES.search(match[0]))
            ):
                candidates.append(FactLabel(kind, match.start(), colon.end() if colon else match.end()))
    kept: list[FactLabel] = []
    for label in sorted(candidates, key=lambda each: (each.start, -each.end)):
        if not kept or label.start >= kept[-1].end:
            kept.append(label)
    return kept
