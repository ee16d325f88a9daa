"""Tables of the labels that mark facts on proofs of delivery, in the languages of the carriers' countries.

The phrases are folded: they have no accents or capitals, and `'` for every apostrophe. Phrases such as `( ...)?` are
regular expressions. The phrases come from carriers' letters, tracking pages and public examples. Several carriers use
the same phrases.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from recours.evidence import carrier_names


class Fact(StrEnum):
    SIGNATORY = "signatory"  # the person who took the parcel, who may not be the addressee
    DELIVERED = "delivered"  # when the parcel was handed over
    DATE = "date"  # an unspecified date; with a signatory, it is the date of the delivery
    TIME = "time"  # a time of day with its own label
    PLACE = "place"
    TO = "to"  # a person, a town or a door; the text counts only if it is written like a town
    NUMBER = "number"  # this parcel's number
    OTHER = "other"  # a label of something else, so that neither label nor text is taken for a value


# Labels combine words of a few groups in any order: "date de livraison", "Datum und Uhrzeit der Übergabe".
_WHEN = r"(?:date|jour|heure|day|time|timestamp|moment|datum|tag|(?:uhr)?zeit(?:punkt)?|fecha|dia|hora|data|giorno|ora|tijd(?:stip)?)"
_LINK = r"(?:(?:[ /&+-]|\b(?:de|du|des|la|le|l'|d'|der|des|del|della|di|van|het|of|the|and|et|y|ed?|en|und|a|effective|actual|avvenuta|real|effettiva|zur|fur|bei|the)\b)+)"
_DELIVERY = (
    r"(?:livraison|remise|distribution|reception|arrivee|signature|livre|distribue|delivery|delivered|received|receipt|proof of delivery|pod|collection|handover|arrival"
    r"|zustellung|lieferung|ubergabe|ablieferung|auslieferung|abholung|annahme|unterschrift|zugestellt|ubergeben"
    r"|entrega|recepcion|firma|recogida|llegada|entregad[oa]|consegna|recapito|ritiro|ricezione|arrivo|consegnat[oa]|bezorging|aflevering|levering|ontvangst|overhandiging|afhaling|bezorgd|afgeleverd)"
)
_NAME = r"(?:nom|prenom|identite|names?|print(?:ed)? name|nombre|apellidos|nome|cognome|nominativo|naam)"
_BY = r"(?:par|by|von|durch|por|da|dal|door)"
_SIGNER = (  # not an addressee, because another person may have signed
    r"(?:receptionnaire|signataire|receveur|emargeant|emargement|signatory|signer|signee|unterzeichners?|annehme(?:rs?|nden)|ubernehmers?|quittungsgebers?"
    r"|receptora?|firmante|firmatario|ricevente|ondertekenaar|aannemer)"
)
_NAMED = rf"(?:{_SIGNER}|receiver|recipient|consignee|empfangers|ontvanger|quien (?:recibe|firma|recoge)|chi (?:ritira|riceve|firma)|(?:la personne|celui|personne)(?: qui a signe| ayant (?:signe|receptionne)| qui a receptionne)?)"
_TAKEN = (
    r"(?:(?:signe|recu|receptionne|emarge|retire|accepte|collecte|recupere|livraison signee)e?|(?:signed|accepted|received|taken|collected|picked up)(?: for)?"
    r"|unterschrieben|unterzeichnet|quittiert|angenommen|entgegengenommen|ubernommen|empfangen|signiert|abgeholt|(?:empfangs?bestatigung|annahme|ubergabe)"
    r"|(?:recibid|firmad|aceptad|recogid|retirad)[oa]s?|(?:firmat|ricevut|ritirat|accettat|prelevat)[oaie]"
    r"|(?:ontvangen|getekend|ondertekend|aangenomen|afgehaald|opgehaald|in ontvangst genomen)(?: voor ontvangst)?)"
)

_LABELS = {
    Fact.SIGNATORY: (
        rf"{_TAKEN} {_BY}", rf"(?:{_NAME}{_LINK})+{_NAMED}", rf"(?:{_SIGNER}|receiver|recipient|consignee)(?:'s)? (?:signature )?name(?: in capitals)?", _SIGNER, rf"{_NAME} (?:lisible|en majuscules|en capitales)", "print(?:ed)? name", "signature name",
        "signature de", "remis a", "received by name", "signed for", r"signed(?= ?[:=]| ?$)", "ubergeben an", "(?:annahme|ubergabe) an", "ausgehandigt an", "unterschrift von", r"erhalten(?= ?[:=])",
        r"recibi(?= ?[:=])", r"(angenommen|entgegengenommen|aangenomen|firma(to|ta)|firmado|getekend)(?= ?[:=])", "firma d[ei]", "handtekening van", "meegegeven aan",
    ),
    Fact.DELIVERED: (
        rf"(?:{_WHEN}{_LINK})+{_DELIVERY}(?: effective)?(?:{_LINK}{_WHEN})*", rf"(?:actual )?{_DELIVERY}(?:{_LINK}{_WHEN})+", r"(retrait|abgabe|ubergabe|remise|ausgabe|afgifte)(?= ?[:=])", "livre", "livraison", "distribue", "delivered", "zugestellt", "zustellung", "entregad[oa]", "entrega", "consegnat[oa]", "consegna", "bezorgd", "bezorging", "afgeleverd", "aflevering",
        r"(colis |envoi |a ete |ete )?(livre|remis|distribue|receptionne)e?s? (a son destinataire |au destinataire |a l'adresse indiquee )?le( jour)?", r"livraison (effectuee |realisee )?le",
        r"(was |been )?delivered on", "delivered at", "signed on", "received on",
        r"(zugestellt|ausgeliefert|geliefert|ubergeben|ausgehandigt|abgeliefert) am", r"(zustell|liefer|ablieferungs|auslieferungs|empfangs|ubergabe)-?(datum|tag|zeitpunkt|zeit)", r"(zustellung|lieferung|auslieferung|ubergabe) (am|erfolgt|erfolgte)( am)?",
        r"(gut |ware |sendung )?(empfangen|erhalten|angenommen|ubernommen) am", r"(entregad[oa]s?|recibid[oa]s?) el( dia)?", r"consegnat[oaie] il", r"(bezorgd|afgeleverd|geleverd) op", r"(bezorg|aflever|lever)(datum|moment|tijd(stip)?)",
    ),
    Fact.TIME: (
        "heure", "heure de livraison", "heure de remise", "time", "delivery time", "time of delivery", "delivered at", "uhrzeit", "zustellzeit",
        "zeit", "lieferzeit", r"hora( de (la )?entrega)?", r"ora( di consegna)?", "tijd", "tijdstip", "(aflever|bezorg)tijd",
    ),
    Fact.DATE: (
        "date", "datum", r"date ?(/|et|and|&|und) ?(heure|time)", r"datum ?(/|und) ?(uhrzeit|zeit)", "jour", "dia",
        r"(fecha|data|datum)( (y |e |ed |en )?(hora|ora|tijd(stip)?))?",
    ),
    Fact.PLACE: (
        r"lieu( de (livraison|remise|la livraison))?", r"ville( de (livraison|destination))?", "localite", "commune", "adresse de livraison",
        "place( of delivery)?", r"(delivery|delivered) (location|city|town|place|address)", "location", "city", "town",
        r"delivered in", r"delivery point", "(destination )?service area",
        r"(zustell|liefer)?ort( der zustellung)?", r"(zustell|liefer)(adresse|anschrift)", "stadt",
        r"lugar( de (la )?entrega)?", "localidad", "ciudad", "poblacion", "direccion de entrega",
        r"luogo( di consegna)?", "localita", "citta", "indirizzo di consegna", r"(aflever|bezorg|lever)(plaats|adres|locatie)", "plaats", "woonplaats",
    ),
    Fact.TO: (
        r"livree? a", "delivered to", "zugestellt an", "remis a l'adresse", r"entregad[oa] (a|en)", r"consegnat[oa] a", r"(bezorgd|afgeleverd) (bij|in|te)"
    ),
    Fact.NUMBER: (
        r"(n|no|num|numero|n°|nº)[.°o]? ?(de |d'|du )?(colis|envoi|suivi|lettre de transport|lt|expedition|bordereau|tracking|l'envoi)",
        r"(colis|envoi|pli|objet)( (n|no|numero|n°|nº)[.°]?)?", r"code de suivi", r"reference (du )?colis", "suivi",
        r"(tracking|waybill|air waybill|airwaybill|parcel|package|consignment|shipment)( (number|no\.?|nr\.?|#|id|nos?|code))", "awb", "hawb", "waybill", "trackid",
        "tracking", "track id", "parcel", "package", "piece id",
        r"(sendungs|paket|paketschein|frachtbrief|tracking|sendungsverfolgungs|auftrags)-?(nummer|nr\.?|code)", "sendung", "paket", "numero", "number", "nummer", "n°", r"sendung nr\.?", r"paket nr\.?",
        r"(n|no|num|numero|n°|nº)[.°o]? ?(de |del |di |della )?(envio|seguimiento|paquete|expedicion|bulto|albaran|spedizione|collo|lettera di vettura)",
        "envio", "localizador", "codigo de (seguimiento|envio)", "paquete", "bulto", "spedizione", "collo", "pacco", r"codice (di )?(spedizione|tracking)",
        r"(pakket|zending|zendings|barcode|track ?(&|en) ?trace|trackingnummer|verzend)-? ?(nummer|nr\.?|code)?", "zending", "pakket",
    ),
    Fact.OTHER: (
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


# Words that are never part of a person's name: roles, places for leaving a parcel, companies, placeholders.
NO_NAMES = (
    _set("""
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
    express mondial relay united federal system deutsche post pickup
    true false null undefined yes oui non ja nein
""")
    | carrier_names.ONE_WORD_NAMES
)
# Particles within names, and titles before names.
NAME_PARTICLES = _set(
    "de la le du des d' l' van von der den dem ten ter di da do dos del della bin ben el al y e et zu zum an a het 't 's lo degli"
)
TITLES = _set(
    "m m. mr mr. mrs mrs. ms ms. mme mme. mlle mlle. mm dr dr. herr frau hr. fr. me monsieur madame sr sr. sra sra. don dona sig sig. sig.ra dott dott. dhr dhr. mevr mevr. mw mw."
)
# Places for leaving a parcel. They are not towns.
NO_PLACES = _set("""
    front door back porch reception desk mailbox garage locker garden residence residential commercial business office dock
    mailroom accueil domicile boite gardien voisin relais consigne briefkasten ablageort nachbar pforte rezeption haustur
    inconnu unknown unbekannt signature date heure person full empfang ihrem ihren ihr
""")
# The words of placeholders for a missing value: "N/A", "__/__/____ à __:__", "non renseigné".
NO_VALUE = re.compile(
    r"((na|n a|neant|nil|null|none|vide|empty|aucune?|inconnue?|unknown|unbekannt|sans objet|s o|tbd|a completer|entfallt|x+"
    r"|non (renseigne|communique|disponible|connu|fourni|precise|specifie)e?s?"
    r"|no (disponible|consta|indicado)|non (disponibile|indicato)|niet (beschikbaar|bekend|opgegeven)|desconocid[oa]|sconosciut[oa]|onbekend|geen|ninguno|nessuno"
    r"|not (available|applicable|provided|known|recorded|specified|given)|nicht (vorhanden|verfugbar|angegeben|bekannt)"
    r"|k a|keine angaben?|le|a|h|at|um|uhr|om|uur|las|ore|alle|jj|mm|aaaa|dd|yyyy|tt|jjjj|hh)( |$))*"
)

# Longer labels come first, because several labels may match at the same position.
_PATTERNS = [
    (kind, re.compile(rf"(?<![a-z0-9])(?:{'|'.join(sorted(labels, key=len, reverse=True))})(?![a-z0-9])"))
    for kind, labels in _LABELS.items()
]
# The ends of labels that may occur within a sentence: "and was signed for by DUPONT".
_IN_SENTENCES = re.compile(
    r" (by|par|von|durch|por|da|door|de|di)$|(?<!received)(?<!recibido)(?<!recibida) (am|le|on|in|el|il|op)$"
)
_IN_SENTENCE_KINDS = frozenset({Fact.SIGNATORY, Fact.DELIVERED, Fact.PLACE})
_LONGEST_FIELD = 40  # characters
_PUNCTUATION = re.compile(r"[\W_]*")
_BEFORE = re.compile(r"[\W_]*(the|le|la|les|der|die|das|et|and|und)?[\W_]*")
_COLON = re.compile(
    r"( ?\([^()]{0,40}\))? ?[:=]"
    r"| ?\([^()\d]{0,40}\b(?:names?|nom|naam|nombre|nome|capitals?|capitales|majuscules|mayusculas|maiuscolo|druckbuchstaben|blokletters|lisible|yyyy|aaaa|jjjj|hh)\b[^()\d]{0,20}\)"
)
_ENDS_SENTENCE = re.compile(r"\.(?![.\w])(?! ?[._])")


@dataclass(frozen=True)
class FactLabel:
    kind: Fact
    start: int
    end: int  # after the colon, if there is one


def labels_in(folded: str) -> list[FactLabel]:
    """Return the labels in a text, in order: at its beginning, before a colon, or within a sentence."""
    return _labels_in_field(folded) if len(folded) <= _LONGEST_FIELD else _find_labels(folded)


@lru_cache(maxsize=4096)  # a carrier's documents repeat the same fields
def _labels_in_field(folded: str) -> list[FactLabel]:
    return _find_labels(folded)


def _find_labels(folded: str) -> list[FactLabel]:
    candidates = []
    has_colon = _COLON.search(folded) is not None
    beginnings = {match.end() for match in (_PUNCTUATION.match(folded), _BEFORE.match(folded)) if match}
    for kind, pattern in _PATTERNS:
        is_anywhere = has_colon or kind in _IN_SENTENCE_KINDS
        matches = (
            pattern.finditer(folded) if is_anywhere else (pattern.match(folded, at) for at in beginnings)
        )
        for match in filter(None, matches):
            if _ENDS_SENTENCE.match(folded, match.end()):
                continue
            colon = _COLON.match(folded, match.end())
            is_in_sentence = kind in _IN_SENTENCE_KINDS and _IN_SENTENCES.search(match[0])
            if colon or match.start() in beginnings or is_in_sentence:
                candidates.append(FactLabel(kind, match.start(), colon.end() if colon else match.end()))
    labels: list[FactLabel] = []
    for label in sorted(candidates, key=lambda label: (label.start, -label.end)):
        if not labels or label.start >= labels[-1].end:
            labels.append(label)
    return labels
