"""Invented parcels: numbers in each carrier's form, people and places."""

from datetime import datetime, timedelta
from random import Random
from string import ascii_uppercase, digits

from tests.corpus.model import Parcel

NAMES = {
    "chronopost": "Chronopost",
    "colissimo": "Colissimo",
    "laposte": "La Poste",
    "ups": "UPS",
    "dhl": "DHL Paket",
    "dhl_express": "DHL Express",
    "fedex": "FedEx",
    "dpd": "DPD",
    "gls": "GLS",
    "mondial_relay": "Mondial Relay",
}
CARRIERS = tuple(NAMES)
LANGUAGES = ("fr", "en", "de", "es", "it", "nl")
SIGNATORIES = (
    "DUPONT", "MARTIN", "LEFÈVRE", "J. MOREAU", "GARNIER SOPHIE", "Nguyen", "M. BENALI", "K. Müller", "O'BRIEN",
    "Anne-Lise Petit", "DE LA TOUR", "FERNANDES", "S. WEISS", "Claire Dubois", "ROUX",
)  # fmt: skip
PLACES = (
    ("LILLE", "59000"), ("PARIS", "75011"), ("LYON", "69003"), ("SAINT-ÉTIENNE", "42000"), ("NANTES", "44000"),
    ("LE HAVRE", "76600"), ("AIX-EN-PROVENCE", "13100"), ("STRASBOURG", "67000"), ("BREST", "29200"),
    ("BORDEAUX", "33000"),
)  # fmt: skip
FORMS = {  # 9: a digit, A: a capital letter; any other character is literal
    "chronopost": ("XA999999999FR", "XY999999999JB", "99999999999999"),
    "colissimo": ("6A99999999999", "8R99999999999", "EY999999999FR"),
    "laposte": ("6A99999999999", "EW999999999FR"),
    "ups": ("1Z9AA9999099999999", "1ZA99A996899999999"),
    "dhl": ("JJD0099999999999", "9999999999"),
    "dhl_express": ("9999999999",),
    "fedex": ("999999999999", "999999999999999"),
    "dpd": ("99999999999999", "09999999999999A"),
    "gls": ("99999999999", "ZA99AAAA"),
    "mondial_relay": ("99999999",),
}
_FIRST_DELIVERY = datetime(2026, 8, 3, 8, 0)  # noqa: DTZ001 (as a clock at the place shows it)


def parcel(random: Random, carrier: str) -> Parcel:
    """A parcel of the carrier, delivered on a working day in autumn 2026, between 08:00 and 18:59."""
    place, postcode = random.choice(PLACES)
    day = _FIRST_DELIVERY + timedelta(weeks=random.randrange(12), days=random.randrange(5))
    number = number_of(random, carrier)
    return Parcel(
        carrier=carrier,
        number=number,
        other_number=another_number(random, carrier, number),
        signatory=random.choice(SIGNATORIES),
        place=place,
        postcode=postcode,
        delivered=day + timedelta(minutes=random.randrange(11 * 60)),
    )


def number_of(random: Random, carrier: str) -> str:
    """A tracking number in one of the carrier's forms, with a random check digit."""
    form = random.choice(FORMS[carrier])
    return "".join(
        random.choice(digits[1:]) if sign == "9" else random.choice(ascii_uppercase) if sign == "A" else sign
        for sign in form
    )


def another_number(random: Random, carrier: str, number: str) -> str:
    """A different number of the same length."""
    while True:
        other = number_of(random, carrier)
        if other != number and len(other) == len(number):
            return other


_MONTHS = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
}


def month_name(at: datetime, language: str) -> str:
    return _MONTHS[language].split()[at.month - 1]
