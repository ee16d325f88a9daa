"""What carriers print on a proof of delivery, in six languages: labels, sentences, people, places and dates."""

from dataclasses import dataclass
from datetime import date, datetime
from random import Random
from typing import Any

from tests.corpus.parcels import LANGUAGES, month_name


@dataclass(frozen=True, kw_only=True)
class Words:
    """Sentences take the names `carrier`, `number`, `date`, `name` and `place` in braces."""

    proof: str
    number: str
    delivered_on: str
    signed_by: str
    place: str
    status: str
    delivered: str
    signature: str
    sender: str
    recipient: str
    weight: str
    reference: str
    greeting: str
    letter: tuple[str, ...]
    closing: str
    left: tuple[str, ...]
    photo: str
    events: tuple[str, ...]  # before the delivery, the first event first
    menu: tuple[str, ...]
    footer: tuple[str, ...]
    people: tuple[str, ...]
    places: tuple[tuple[str, str], ...]


_LABELS = {  # in the order of LANGUAGES
    "proof": ("Preuve de livraison", "Proof of Delivery", "Zustellnachweis", "Comprobante de entrega", "Prova di consegna", "Afleverbewijs"),
    "number": ("Numéro de colis", "Tracking number", "Sendungsnummer", "Número de envío", "Numero di spedizione", "Pakketnummer"),
    "delivered_on": ("Livré le", "Delivered on", "Zugestellt am", "Entregado el", "Consegnato il", "Afgeleverd op"),
    "signed_by": ("Signé par", "Received by", "Unterschrieben von", "Recibido por", "Firmato da", "Ontvangen door"),
    "place": ("Lieu de livraison", "Delivered to", "Zustellort", "Lugar de entrega", "Luogo di consegna", "Afleverplaats"),
    "status": ("Statut", "Status", "Status", "Estado", "Stato", "Status"),
    "delivered": ("Livré", "Delivered", "Zugestellt", "Entregado", "Consegnato", "Bezorgd"),
    "signature": ("Signature du destinataire", "Recipient's signature", "Unterschrift des Empfängers", "Firma del destinatario", "Firma del destinatario", "Handtekening ontvanger"),
    "sender": ("Expéditeur", "Shipper", "Absender", "Remitente", "Mittente", "Afzender"),
    "recipient": ("Destinataire", "Consignee", "Empfänger", "Destinatario", "Destinatario", "Ontvanger"),
    "weight": ("Poids", "Weight", "Gewicht", "Peso", "Peso", "Gewicht"),
    "reference": ("Référence client", "Shipper's reference", "Kundenreferenz", "Referencia del cliente", "Riferimento cliente", "Klantreferentie"),
    "greeting": ("Madame, Monsieur,", "Dear Customer,", "Sehr geehrte Damen und Herren,", "Estimado cliente:", "Gentile cliente,", "Geachte heer of mevrouw,"),
    "closing": ("Nous vous prions d'agréer nos salutations distinguées.", "Thank you for choosing {carrier}.", "Mit freundlichen Grüßen", "Reciba un cordial saludo.", "Cordiali saluti", "Met vriendelijke groet"),
    "photo": ("Photo prise par le livreur au moment de la remise", "Picture taken by the driver at the point of delivery", "Foto des Zustellers bei der Übergabe", "Foto tomada por el repartidor en el momento de la entrega", "Foto scattata dal corriere al momento della consegna", "Foto van de bezorger op het moment van aflevering"),
}  # fmt: skip
_SENTENCES: dict[str, dict[str, tuple[str, ...]]] = {
    "fr": {
        "letter": (
            "Suite à votre demande, nous vous confirmons que l'envoi {number} confié à {carrier} a été livré le {date} à {place}. Il a été remis à {name}, qui a signé.",
            "Nous attestons que le colis n° {number} a bien été distribué à {place} le {date} contre la signature de {name}.",
        ),
        "left": (
            "Le colis {number} a été remis à un voisin ({name}) le {date}, à {place}.",
            "Le colis {number} a été retiré par {name} au casier de {place} le {date}. Livré en consigne.",
            "Colis {number} livré le {date} dans votre boîte aux lettres, {place}.",
        ),
        "events": ("Colis pris en charge", "En cours d'acheminement", "En cours de livraison"),
        "menu": ("Accueil", "Suivre un envoi", "Nos services", "Se connecter", "Créer un compte"),
        "footer": ("Gestion des cookies", "Conditions générales de transport", "Mentions légales", "Nous contacter"),
        "people": ("Aurélie Gérard", "F. THÉVENOT", "LECLERC", "Mme Benoît-Noël", "H. Françoisse", "D. ÇELIK"),
    },
    "en": {
        "letter": (
            "At your request we confirm that shipment {number} was delivered by {carrier} on {date} in {place} and that {name} signed for it.",
            "This is the delivery information for {number}: the parcel was handed over on {date} at {place}. It was accepted and signed for by {name}.",
        ),
        "left": (
            "Parcel {number} was delivered on {date} and left with a neighbour, {name}, in {place}.",
            "Parcel {number} was collected by {name} from the locker in {place} on {date}. Status: delivered.",
            "Parcel {number} was delivered on {date} in {place} and left in the agreed safe place (porch).",
        ),
        "events": ("Shipment picked up", "In transit", "Out for delivery"),
        "menu": ("Home", "Track a parcel", "Services", "Log in", "Sign in", "Register"),
        "footer": ("Cookie settings", "Terms and conditions", "Privacy notice", "Contact us"),
        "people": ("J. HARGREAVES", "Siobhán Kelly", "R. PATEL", "T. O'Neill", "Fiona McBride", "WHITTAKER"),
    },
    "de": {
        "letter": (
            "hiermit bestätigen wir Ihnen, dass die Sendung {number} am {date} in {place} zugestellt wurde. Den Empfang hat {name} durch Unterschrift bestätigt.",
            "wie gewünscht erhalten Sie den Ablieferbeleg zum Paket {number}: ausgeliefert durch {carrier} am {date} in {place}, angenommen von {name}.",
        ),
        "left": (
            "Das Paket {number} wurde am {date} in {place} bei einem Nachbarn abgegeben: {name}.",
            "Das Paket {number} wurde am {date} von {name} aus der Packstation in {place} abgeholt. Zugestellt.",
            "Das Paket {number} wurde am {date} in {place} am vereinbarten Ablageort (Garage) zugestellt.",
        ),
        "events": ("Sendung abgeholt", "Sendung im Paketzentrum bearbeitet", "In Zustellung"),
        "menu": ("Startseite", "Sendungsverfolgung", "Versenden", "Anmelden", "Registrieren"),
        "footer": ("Cookie-Einstellungen", "Allgemeine Geschäftsbedingungen", "Datenschutz", "Kontakt"),
        "people": ("Jürgen Voß", "K. SCHRÖDER", "Frau Bäcker", "M. HÜBNER", "Steffi Lange", "A. YILDIRIM"),
    },
    "es": {
        "letter": (
            "Le confirmamos que el envío {number} fue entregado por {carrier} el {date} en {place}. Lo recibió y firmó {name}.",
            "Por la presente certificamos la entrega del paquete {number} en {place} el día {date}, con la firma de {name}.",
        ),
        "left": (
            "El paquete {number} se entregó el {date} a un vecino, {name}, en {place}.",
            "El paquete {number} fue recogido por {name} en la taquilla de {place} el {date}. Entregado.",
            "El paquete {number} fue entregado el {date} en {place}, en el lugar seguro acordado (conserjería).",
        ),
        "events": ("Envío recogido", "En tránsito", "En reparto"),
        "menu": ("Inicio", "Seguimiento de envíos", "Servicios", "Iniciar sesión", "Registrarse"),
        "footer": ("Configuración de cookies", "Condiciones generales", "Aviso legal", "Contacto"),
        "people": ("Begoña Núñez", "J. IBÁÑEZ", "Sr. Peña", "M. ARGÜELLES", "Lucía Gómez", "ROLDÁN"),
    },
    "it": {
        "letter": (
            "con la presente confermiamo che la spedizione {number} è stata consegnata da {carrier} il {date} a {place} e ritirata da {name}, che ha firmato.",
            "come richiesto attestiamo la consegna del collo {number}, avvenuta il {date} a {place}. Firma di {name}.",
        ),
        "left": (
            "Il collo {number} è stato consegnato il {date} a un vicino, {name}, a {place}.",
            "Il collo {number} è stato ritirato da {name} presso il locker di {place} il {date}. Consegnato.",
            "Il collo {number} è stato consegnato il {date} a {place} nel luogo concordato (portineria).",
        ),
        "events": ("Spedizione ritirata", "In transito", "In consegna"),
        "menu": ("Home", "Traccia la spedizione", "Servizi", "Accedi", "Registrati"),
        "footer": ("Impostazioni dei cookie", "Condizioni di trasporto", "Informativa sulla privacy", "Contatti"),
        "people": ("Niccolò Bàrberi", "G. FERRERO", "Sig.ra D'Angelo", "P. LO CICERO", "Chiara Sanità", "RIZZO"),
    },
    "nl": {
        "letter": (
            "hierbij bevestigen wij dat zending {number} op {date} in {place} door {carrier} is bezorgd. {name} heeft voor ontvangst getekend.",
            "op uw verzoek ontvangt u het afleverbewijs van pakket {number}. Het is afgeleverd op {date} te {place} en aangenomen door {name}.",
        ),
        "left": (
            "Pakket {number} is op {date} in {place} bij de buren bezorgd: {name}.",
            "Pakket {number} is op {date} door {name} opgehaald uit de pakketautomaat in {place}. Bezorgd.",
            "Pakket {number} is op {date} in {place} bezorgd op de afgesproken plek (schuur).",
        ),
        "events": ("Zending opgehaald", "Onderweg", "De bezorger is onderweg"),
        "menu": ("Home", "Volg uw pakket", "Diensten", "Inloggen", "Account aanmaken"),
        "footer": ("Cookie-instellingen", "Algemene voorwaarden", "Privacyverklaring", "Contact"),
        "people": ("Daniël van der Meer", "A. DE GROOT", "Mevr. Brouwer", "J. IJsselstein", "Zoë Smits", "HENDRIKS"),
    },
}  # fmt: skip
_PLACES = {
    "fr": (("RENNES", "35000"), ("BÉZIERS", "34500"), ("SAINT-MALO", "35400"), ("MÂCON", "71000")),
    "en": (("LEEDS", "LS1 4AP"), ("CORK", "T12 W8KX"), ("BRISTOL", "BS1 5TR"), ("YORK", "YO1 7HH")),
    "de": (("KÖLN", "50667"), ("MÜNCHEN", "80331"), ("GÖTTINGEN", "37073"), ("LEIPZIG", "04109")),
    "es": (("MADRID", "28013"), ("CÁDIZ", "11001"), ("LOGROÑO", "26001"), ("MÁLAGA", "29005")),
    "it": (("TORINO", "10121"), ("FORLÌ", "47121"), ("L'AQUILA", "67100"), ("CANTÙ", "22063")),
    "nl": (("UTRECHT", "3511 LX"), ("'S-HERTOGENBOSCH", "5211 JX"), ("GENT", "9000"), ("COEVORDEN", "7741 AA")),
}  # fmt: skip


def _words(position: int, language: str) -> Words:
    fields: dict[str, Any] = dict(_SENTENCES[language])
    for label, row in _LABELS.items():
        fields[label] = row[position]
    return Words(**fields, places=_PLACES[language])


WORDS = {language: _words(position, language) for position, language in enumerate(LANGUAGES)}

_DAYS = {
    "fr": "lundi mardi mercredi jeudi vendredi",
    "en": "Monday Tuesday Wednesday Thursday Friday",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag",
    "es": "lunes martes miércoles jueves viernes",
    "it": "lunedì martedì mercoledì giovedì venerdì",
    "nl": "maandag dinsdag woensdag donderdag vrijdag",
}
_FORMS = {  # of a date, with {m} for the month's name, {s} for its first three letters and {w} for the weekday's
    "fr": ("{d:%d/%m/%Y} à {d:%H:%M}", "{d.day} {m} {d.year} à {d:%H}h{d:%M}", "{w} {d.day} {m} {d.year}, {d:%H:%M}", "{d:%d.%m.%Y %H:%M}"),
    "en": ("{d.day} {m} {d.year} at {d:%H:%M}", "{m} {d.day}, {d.year} {d:%I:%M %p}", "{d:%d}-{s}-{d.year} {d:%H:%M}", "{w}, {d.day} {m} {d.year}, {d:%H:%M}", "{d:%Y-%m-%d %H:%M}"),
    "de": ("{d:%d.%m.%Y} um {d:%H:%M} Uhr", "{d.day}. {m} {d.year}, {d:%H:%M} Uhr", "{w}, {d:%d.%m.%Y %H:%M}", "{d:%d.%m.%Y, %H:%M:%S}"),
    "es": ("{d:%d/%m/%Y} a las {d:%H:%M}", "{d.day} de {m} de {d.year} a las {d:%H:%M}", "{w} {d.day} de {m} de {d.year}, {d:%H:%M} h", "{d:%d-%m-%Y %H:%M}"),
    "it": ("{d:%d/%m/%Y} alle ore {d:%H:%M}", "{d.day} {m} {d.year}, ore {d:%H.%M}", "{w} {d.day} {m} {d.year} alle {d:%H:%M}", "{d:%d.%m.%Y %H:%M}"),
    "nl": ("{d:%d-%m-%Y} om {d:%H:%M}", "{d.day} {m} {d.year} om {d:%H.%M} uur", "{w} {d.day} {m} {d.year}, {d:%H:%M}", "{d:%d/%m/%Y %H:%M}"),
}  # fmt: skip
_DAY_FORMS = {
    "fr": ("{d:%d/%m/%Y}", "{d.day} {m} {d.year}"),
    "en": ("{d.day} {m} {d.year}", "{m} {d.day}, {d.year}"),
    "de": ("{d:%d.%m.%Y}", "{d.day}. {m} {d.year}"),
    "es": ("{d:%d/%m/%Y}", "{d.day} de {m} de {d.year}"),
    "it": ("{d:%d/%m/%Y}", "{d.day} {m} {d.year}"),
    "nl": ("{d:%d-%m-%Y}", "{d.day} {m} {d.year}"),
}


def date_with_truth(random: Random, language: str, at: datetime) -> tuple[str, date | datetime]:
    """In a national form, with what a reader learns from it: one in six has no time."""
    forms = _FORMS[language]
    truth: date | datetime = at
    if random.random() < 1 / 6:
        forms = _DAY_FORMS[language]
        truth = at.date()
    month = month_name(at, language)
    weekday = _DAYS[language].split()[at.weekday()]
    return random.choice(forms).format(d=at, m=month, s=month[:3], w=weekday), truth
