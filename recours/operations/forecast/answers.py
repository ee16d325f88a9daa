"""What the carriers are taken to answer."""

from recours.core.carrier import CarrierSpec
from recours.core.claim import Claim
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.core.quota import Calls, Capability
from recours.operations.forecast.facts import Assumption

_WORDS = "as the forecast assumes"


def answer(claim: Claim, spec: CarrierSpec, assumption: Assumption) -> tuple[Calls, Failure | None]:
    """The calls that are made for a claim, and how they fail; None: they bring the document, or nothing more to ask."""
    known = claim.state.delivery
    calls = spec.calls_for(known)
    if assumption is Assumption.SUCCESS:
        return calls, None
    if known is None:
        made: Calls = {what: n for what, n in calls.items() if what is Capability.TRACKING}
        return made, Failure(ErrorKind.NOT_DELIVERED_YET, _WORDS)
    # A delivered parcel about which there is nothing to call for: its carrier issues no documents.
    kind = ErrorKind.POD_NOT_AVAILABLE_YET if calls else ErrorKind.POD_NEVER_AVAILABLE
    return calls, Failure(kind, _WORDS)
