"""The day on which a carrier deletes a parcel's data."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from recours.carriers.registry import CATALOG
from recours.core.claim import Claim, Delivery, State
from recours.core.policy import Policy, evidence_end

CREATED = datetime(2026, 1, 20, 9, 0, tzinfo=UTC)
POLICY = Policy(ZoneInfo("Europe/Paris"), evidence_days={"ups": 120})


@pytest.mark.parametrize(
    ("carrier", "created_at", "delivery", "end"),
    [
        ("ups", CREATED, None, datetime(2026, 5, 20, 9, 0, tzinfo=UTC)),
        ("ups", CREATED, Delivery(datetime(2026, 1, 10, tzinfo=UTC)), datetime(2026, 5, 10, tzinfo=UTC)),
        ("ups", CREATED, Delivery(day=date(2026, 1, 10)), datetime(2026, 5, 11, 12, tzinfo=UTC)),
        ("ups", CREATED, Delivery(datetime(2026, 1, 25, tzinfo=UTC)), CREATED + timedelta(days=120)),
        ("ups", None, None, None),
        ("ups", datetime(1, 1, 1, tzinfo=UTC), None, None),
        ("ups", datetime(1970, 1, 1, tzinfo=UTC), None, None),
        ("ups", datetime(1970, 1, 1, tzinfo=UTC), Delivery(CREATED), CREATED + timedelta(days=120)),
        ("ups", datetime(9999, 12, 1, tzinfo=UTC), None, None),
        ("chronopost", CREATED, None, None),
        (None, CREATED, None, None),
    ],
)
def test_the_end_of_evidence_depends_on_the_carrier_and_known_dates(
    carrier: str | None, created_at: datetime | None, delivery: Delivery | None, end: datetime | None
) -> None:
    claim = Claim(1, "CLM-1", carrier=carrier, created_at=created_at, state=State(delivery=delivery))
    assert evidence_end(claim, claim.state, POLICY) == end


def test_some_carriers_delete_data() -> None:
    days = {key: spec.evidence_days for key, spec in CATALOG.specs.items() if spec.evidence_days}
    assert days == {"ups": 120, "dhl": 90, "amazon_shipping": 45}
