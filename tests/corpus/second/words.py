"""Words, people, places and dates of the six languages, and the case that a document is about."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from tests.corpus.model import Parcel
from tests.corpus.parcels import NAMES, month_name

CARRIERS = {
    "fr": (
        "chronopost",
        "colissimo",
        "laposte",
        "ups",
        "dhl_express",
        "fedex",
        "dpd",
        "gls",
        "mondial_relay",
    ),
    "en": ("ups", "fedex", "dhl_express", "chronopost", "gls", "dpd"),
    "de": ("dpd", "gls", "dhl", "ups", "fedex"),
    "es": ("gls", "ups", "mondial_relay", "dhl_express", "fedex"),
    "it": ("gls", "fedex", "ups", "dhl_express"),
    "nl": ("dpd", "dhl", "gls", "ups", "mondial_relay"),
}
_PEOPLE = {
    "fr": ("Éloïse Garçon", "BÉRANGER", "J.-P. Lemaître", "FRANÇOIS DELÂTRE", "Mme Hélène Noël", "TANGUY"),
    "en": ("Siobhán O'Neill", "P. HARGREAVES", "Thomas Whitfield", "K. ABERNATHY", "J SMYTHE", "Zoë Ashdown"),
    "de": ("Jürgen Großmann", "WEISSHÄUPL", "Frau Köhler", "A. v. Thüngen", "Anke Jäger-Böhm", "SCHÖNFELD"),
    "es": (
        "Iñaki Echeverría",
        "NÚÑEZ GARCÍA",
        "Mª Ángeles Peña",
        "J. IBÁÑEZ",
        "Begoña Güell",
        "Raúl Ordóñez",
    ),
    "it": ("Niccolò D'Amico", "BELLUCCI", "Sig.ra Forlì", "G. DELL'ACQUA", "Rosalía Mancuso", "PIERO CANALE"),
    "nl": (
        "Joost van der Meij",
        "DE GROOT",
        "Mw. Brügmann",
        "F. VAN 'T HOF",
        "Renée Kuijpers",
        "C. HOEKSTRA",
    ),
}
_PLACES = {
    "fr": (("12 rue des Tilleuls", "54000", "NANCY"), ("3 quai de Saône", "71000", "MÂCON")),
    "en": (("27 Harbour Street", "BS1 4DJ", "BRISTOL"), ("118 Mill Lane", "LS6 2QT", "LEEDS")),
    "de": (("Lindenstraße 44", "50667", "KÖLN"), ("Am Stadtgraben 9", "86150", "AUGSBURG")),
    "es": (("Calle Mayor, 31", "50001", "ZARAGOZA"), ("Avenida del Puerto, 8", "29016", "MÁLAGA")),
    "it": (("Via Garibaldi 16", "40124", "BOLOGNA"), ("Corso Verdi 52", "24121", "BERGAMO")),
    "nl": (("Dorpsstraat 73", "3512 JE", "UTRECHT"), ("Kerkplein 5", "9712 GR", "GRONINGEN")),
}
_DAY_FORMS = {
    "fr": ("{0:%d/%m/%Y}", "{0.day} {1} {0.year}"),
    "en": ("{0.day} {1} {0.year}", "{1} {0.day}, {0.year}", "{0:%Y-%m-%d}"),
    "de": ("{0:%d.%m.%Y}", "{0.day}. {1} {0.year}"),
    "es": ("{0:%d/%m/%Y}", "{0.day} de {1} de {0.year}"),
    "it": ("{0:%d/%m/%Y}", "{0.day} {1} {0.year}"),
    "nl": ("{0:%d-%m-%Y}", "{0.day} {1} {0.year}"),
}
_TIME_FORMS = {
    "fr": (" à {0:%H}h{0:%M}", " {0:%H:%M}"),
    "en": (" at {0:%H:%M}", " {0:%I:%M} {2}"),
    "de": (", {0:%H:%M} Uhr", " um {0:%H:%M} Uhr"),
    "es": (" a las {0:%H:%M}", " {0:%H:%M} h"),
    "it": (" alle ore {0:%H:%M}", " {0:%H:%M}"),
    "nl": (" om {0:%H:%M} uur", " {0:%H:%M}"),
}
_LABELS = ("proof", "number", "delivered", "on", "by", "signature", "address", "sender", "service", "weight",
           "status", "dear", "thanks", "history", "driver", "left", "neighbour", "collected", "footer")  # fmt: skip
_WORDS = {
    "fr": "Preuve de livraison|Numéro de colis|Livré|Livré le|Réceptionné par|Signature du destinataire|Adresse de livraison|Expéditeur|Service|Poids|Statut|Madame, Monsieur,|Nous vous remercions de votre confiance.|Historique|Tournée|Déposé devant la porte|Remis à un voisin|Retiré par|Mentions légales",
    "en": "Proof of Delivery|Tracking number|Delivered|Delivered on|Received by|Recipient signature|Delivery address|Sender|Service|Weight|Status|Dear Customer,|Thank you for choosing us.|History|Route|Left at front door|Handed to a neighbour|Collected by|Legal notice",
    "de": "Zustellnachweis|Paketnummer|Zugestellt|Zugestellt am|Empfangen von|Unterschrift des Empfängers|Zustelladresse|Absender|Produkt|Gewicht|Status|Sehr geehrte Damen und Herren,|Vielen Dank für Ihr Vertrauen.|Verlauf|Tour|Vor der Haustür abgestellt|An Nachbarn übergeben|Abgeholt von|Impressum",
    "es": "Justificante de entrega|Número de envío|Entregado|Entregado el|Recibido por|Firma del destinatario|Dirección de entrega|Remitente|Servicio|Peso|Estado|Estimado cliente:|Gracias por confiar en nosotros.|Historial|Ruta|Depositado en la puerta|Entregado a un vecino|Retirado por|Aviso legal",
    "it": "Prova di consegna|Numero di spedizione|Consegnato|Consegnato il|Ricevuto da|Firma del destinatario|Indirizzo di consegna|Mittente|Servizio|Peso|Stato|Gentile cliente,|Grazie per la fiducia.|Cronologia|Giro|Lasciato davanti alla porta|Consegnato a un vicino|Ritirato da|Note legali",
    "nl": "Afleverbewijs|Zendingsnummer|Bezorgd|Bezorgd op|Ontvangen door|Handtekening ontvanger|Afleveradres|Afzender|Dienst|Gewicht|Status|Geachte klant,|Bedankt voor uw vertrouwen.|Geschiedenis|Route|Bij de voordeur achtergelaten|Afgegeven bij de buren|Afgehaald door|Juridische informatie",
}
WORDS = {language: dict(zip(_LABELS, words.split("|"), strict=True)) for language, words in _WORDS.items()}
MENUS = {
    "fr": ("Accueil", "Suivre un colis", "Expédier", "Se connecter", "Aide", "Gérer les cookies", "Conditions générales"),
    "en": ("Home", "Track a parcel", "Ship", "Log in", "Help", "Cookie settings", "Terms and conditions"),
    "de": ("Startseite", "Sendungsverfolgung", "Versenden", "Anmelden", "Hilfe", "Cookie-Einstellungen", "AGB"),
    "es": ("Inicio", "Seguimiento", "Enviar", "Iniciar sesión", "Ayuda", "Configurar cookies", "Condiciones generales"),
    "it": ("Home", "Traccia un pacco", "Spedisci", "Accedi", "Assistenza", "Impostazioni cookie", "Condizioni generali"),
    "nl": ("Home", "Volg een pakket", "Versturen", "Inloggen", "Hulp", "Cookie-instellingen", "Algemene voorwaarden"),
}  # fmt: skip
SENDERS = (
    "Atelier Nordlicht",
    "Papeterie Valmont",
    "Brightwell Books Ltd",
    "Calzados Ribera SL",
    "Van Dam Fietsen BV",
)
CLERKS = ("R. PORTER", "M. LENOIR", "H. BAUER", "T. RICCI")
SHOPS = ("Kiosk Central", "Tabac Le Méridien", "Librería Luna", "Corner Shop 42")


@dataclass(frozen=True)
class Case:
    """What a document is about, in one language; all chance comes from `random`."""

    random: Random
    parcel: Parcel
    language: str
    name: str
    street: str
    postcode: str
    town: str
    sender: str

    @property
    def words(self) -> dict[str, str]:
        return WORDS[self.language]

    @property
    def number(self) -> str:
        return self.parcel.number

    @property
    def carrier(self) -> str:
        return NAMES[self.parcel.carrier]

    @property
    def at(self) -> datetime:
        return self.parcel.delivered

    @property
    def address(self) -> str:
        return f"{self.street}, {self.postcode} {self.town}"

    def day(self, at: datetime | None = None) -> str:
        """The date alone, in one of the language's forms."""
        return self._write(self.random.choice(_DAY_FORMS[self.language]), at or self.at)

    def moment(self, at: datetime | None = None) -> str:
        """Date and time, in one of the language's forms."""
        time_form = self.random.choice(_TIME_FORMS[self.language])
        return self.day(at) + self._write(time_form, at or self.at)

    def _write(self, form: str, at: datetime) -> str:
        month = month_name(at, self.language)
        return form.format(at, month, "AM" if at.hour < 12 else "PM")

    def before(self, hours: int) -> datetime:
        return self.at - timedelta(hours=hours)

    def fill(self, sentence: str) -> str:
        """The sentence with the case's facts in place of its {fields}."""
        return sentence.format(
            number=self.number,
            other=self.parcel.other_number,
            name=self.name,
            street=self.street,
            town=self.town,
            carrier=self.carrier,
            sender=self.sender,
            day=self.day(),
            long=self.moment(),
            sender_clerk=self.random.choice(CLERKS),
            shop=self.random.choice(SHOPS),
            incident=f"{self.random.getrandbits(40):010x}",
        )


def case(random: Random, parcel: Parcel, language: str) -> Case:
    street, postcode, town = random.choice(_PLACES[language])
    return Case(
        random=random,
        parcel=parcel,
        language=language,
        name=random.choice(_PEOPLE[language]),
        street=street,
        postcode=postcode,
        town=town,
        sender=random.choice(SENDERS),
    )
