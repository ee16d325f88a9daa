"""The supported carriers. To add one, write its module in this package and list its client here."""

import re

from recours.carriers.amazon_shipping import AmazonShipping
from recours.carriers.chronopost import Chronopost
from recours.carriers.client import Client
from recours.carriers.colissimo import Colissimo
from recours.carriers.dhl import Dhl
from recours.carriers.dhl_express import DhlExpress
from recours.carriers.dhl_parcel_de import DhlParcelDe
from recours.carriers.dpd import Dpd
from recours.carriers.fedex import FedEx
from recours.carriers.gls import Gls
from recours.carriers.laposte import LaPoste
from recours.carriers.mondial_relay import MondialRelay
from recours.carriers.ups import Ups
from recours.core.carrier import Catalog, Substitute

_CLIENTS: tuple[type[Client], ...] = (
    Chronopost,
    Colissimo,
    LaPoste,
    Ups,
    DhlExpress,
    Dhl,
    DhlParcelDe,
    FedEx,
    Dpd,
    Gls,
    MondialRelay,
    AmazonShipping,
)

# Carriers whose claims can also be served with another carrier's account.
_SUBSTITUTES = (
    # The pattern is the format of Express waybills. Unified reports the status of any parcel but seldom has a document.
    Substitute("dhl", "dhl_express", re.compile(r"[0-9]{10,11}"), preferred=True),
    # People use these names for parcels of any DHL division.
    Substitute("dhl", "dhl_parcel_de", preferred=True, names=("DHL Paket", "DHL Parcel")),
    Substitute("dhl_parcel_de", "dhl"),
    # La Poste reports the status of Colissimo parcels but issues no documents.
    Substitute("colissimo", "laposte"),
)

CATALOG = Catalog((client.spec for client in _CLIENTS), _SUBSTITUTES)
CLIENTS = {client.spec.key: client for client in _CLIENTS}
