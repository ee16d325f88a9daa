"""Carrier names as printed on documents. They are folded: no accents, no capitals."""

import re

# Names of carriers that hand parcels over to each other, by the keys of our carriers.
_FAMILIES = {
    "chronopost colissimo laposte dpd": "chronopost|colissimo|la poste|laposte|dpd|geopost",
    "dhl dhl_express dhl_parcel_de": "dhl|deutsche post",
    "ups": "ups|united parcel service",
    "fedex": "fedex|federal express|tnt",
    "gls": "gls|general logistics systems",
    "amazon_shipping": "amazon shipping|amazon logistics",
    "mondial_relay": "mondial relay|inpost",
    "": "colis prive|relais colis|geodis|hermes|evri|postnl|correos|seur|poste italiane|royal mail|usps",
}
_NAMES = {key: re.compile(rf"\b(?:{names})\b") for keys, names in _FAMILIES.items() for key in keys.split()}
ANY_NAME = "|".join(_FAMILIES.values())
_ANY_NAME = re.compile(rf"\b(?:{ANY_NAME})\b")
# One-word names of supported carriers. They are never part of a person's name.
ONE_WORD_NAMES = frozenset(
    name for keys, names in _FAMILIES.items() if keys for name in names.split("|") if " " not in name
)


def another_carrier(folded: str, carrier: str) -> str | None:
    """Return the other carrier's name on a document that does not mention `carrier`, or None."""
    own_names = _NAMES.get(carrier)
    if own_names is None or own_names.search(folded):
        return None
    name = _ANY_NAME.search(folded)
    return name[0].upper() if name else None
