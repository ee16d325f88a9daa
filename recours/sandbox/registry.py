"""The simulated carriers. To add one, write its module and list it here."""

from recours.sandbox.amazon_shipping import AmazonShipping
from recours.sandbox.answers import SimulatedCarrier
from recours.sandbox.chronopost import Chronopost
from recours.sandbox.colissimo import Colissimo
from recours.sandbox.dhl import Dhl
from recours.sandbox.dhl_express import DhlExpress
from recours.sandbox.dhl_parcel_de import DhlParcelDe
from recours.sandbox.dpd import Dpd
from recours.sandbox.fedex import FedEx
from recours.sandbox.gls import Gls
from recours.sandbox.laposte import LaPoste
from recours.sandbox.mondial_relay import MondialRelay
from recours.sandbox.ups import Ups

# Their paths must not overlap.
SIMULATED: tuple[SimulatedCarrier, ...] = (
    Chronopost(),
    Colissimo(),
    LaPoste(),
    Ups(),
    DhlExpress(),
    Dhl(),
    DhlParcelDe(),
    FedEx(),
    Dpd(),
    Gls(),
    MondialRelay(),
    AmazonShipping(),
)
