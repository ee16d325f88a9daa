"""Two fictional carriers, so that tests of rules and runs do not depend on the module of a real carrier."""

import re

from recours.core.carrier import CarrierSpec, Catalog
from recours.core.quota import Capability

CHRONOPOST = CarrierSpec(
    key="chronopost",
    name="Chronopost",
    limits={None: "100/day@Europe/Paris"},
    credentials=(("CHRONOPOST_ACCOUNT", "CHRONOPOST_PASSWORD"),),
    base_url="https://chronopost.invalid",
    number_form=re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}"),
    number_example="XY123456789FR",
    sample_number="XX000000000FR",
    calls={Capability.TRACKING: 1, Capability.POD: 1},
    spellings=("Chrono",),
)
DHL = CarrierSpec(
    key="dhl_express",
    name="DHL Express",
    limits={None: "250/day@UTC"},
    credentials=(("DHL_EXPRESS_API_KEY",),),
    base_url="https://dhl.invalid",
    number_form=re.compile(r"[0-9]{10}"),
    number_example="1234567890",
    sample_number="0000000000",
    calls={Capability.POD: 1},
)
CATALOG = Catalog([CHRONOPOST, DHL])
