"""What each carrier does otherwise than most: the table that the suites of all carriers read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from recours.core.errors import ErrorKind
from recours.sandbox import Scenario

S = Scenario


@dataclass(frozen=True)
class Cases:
    """One carrier's row.

    `calls`: those of a fetch that brings a document, by the names that the simulated carrier gives them.
    """

    calls: tuple[str, ...]
    tells_signatory: bool = True
    knows_kind_of_return: bool = True  # there is a status for a parcel that went back
    otherwise: Mapping[Scenario, ErrorKind] = field(
        default_factory=dict
    )  # kinds of failure unlike most carriers'

    @property
    def has_tokens(self) -> bool:
        """Whether its calls show a token."""
        return self.calls[0] == "token"

    @property
    def until_tracked(self) -> tuple[str, ...]:
        """The calls that it takes to know where a parcel is."""
        return self.calls[: 2 if self.has_tokens else 1]


# They say the same of a proof that is late and of another customer's.
_LATE_OR_NOT_OURS = {S.NOT_OURS: ErrorKind.POD_NOT_AVAILABLE_YET}

CASES: dict[str, Cases] = {
    "chronopost": Cases(("trackSkybillV2", "searchPOD")),
    "colissimo": Cases(("timelineCompany", "documents", "document"), tells_signatory=False),
    "laposte": Cases(
        ("idships",),
        tells_signatory=False,
        # It tells anybody all that it tells.
        otherwise={S.NOT_OURS: ErrorKind.POD_NEVER_AVAILABLE},
    ),
    "ups": Cases(("token", "details"), otherwise=_LATE_OR_NOT_OURS),
    "dhl_express": Cases(("tracking", "proof-of-delivery")),
    "dhl": Cases(("shipments", "webPOD"), otherwise=_LATE_OR_NOT_OURS),
    "fedex": Cases(("token", "trackingnumbers", "trackingdocuments"), otherwise=_LATE_OR_NOT_OURS),
    "dpd": Cases(
        ("GetShipmentTraceSingle",),
        knows_kind_of_return=False,  # no source tells the number of its status
        otherwise={S.RETURNED_TO_SENDER: ErrorKind.NOT_DELIVERED_YET, S.NOT_OURS: ErrorKind.NOT_FOUND},
    ),
    "gls": Cases(
        ("token", "trackids", "parceldetails", "parcelpod"),
        otherwise={S.RETURNED_TO_SENDER: ErrorKind.NOT_DELIVERED_YET},  # "its history is closed"
    ),
    "mondial_relay": Cases(
        ("WSI2_TracingColisDetaille",), tells_signatory=False, otherwise={S.NOT_OURS: ErrorKind.NOT_FOUND}
    ),
}
