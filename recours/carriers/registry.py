"""The carriers there are. A new one is a module beside this one, and a line here."""

import re

from recours.carriers.chronopost import Chronopost
from recours.carriers.client import Client
from recours.core.carrier import Catalog, Substitute

_CLIENTS: tuple[type[Client], ...] = (Chronopost,)

# Whose account serves whose claims, beside each carrier its own.
_SUBSTITUTES = (
    # The form of Express waybills; Unified gives the status of any parcel, and seldom a document.
    Substitute("dhl", "dhl_express", re.compile(r"[0-9]{10,11}"), preferred=True),
    # La Poste knows the status of Colissimo parcels, and gives no document.
    Substitute("colissimo", "laposte"),
)

CATALOG = Catalog((client.spec for client in _CLIENTS), _SUBSTITUTES)
CLIENTS = {client.spec.key: client for client in _CLIENTS}
