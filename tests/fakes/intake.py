"""The intake of claims at a given time, as at the start of a run."""

from datetime import datetime
from functools import partial

from recours.core.assessment import assess
from recours.core.carrier import Catalog
from recours.core.claim import Claim
from recours.core.policy import Policy
from recours.database.engine import Database
from recours.database.intake import Assessor, ClaimIntake
from recours.sandbox import SimulatedClock


def assessor_of(database: Database, catalog: Catalog, policy: Policy) -> Assessor:
    """The assessor with this policy."""
    return Assessor(database, catalog, partial(assess, policy=policy), str)


def intake_of(database: Database, catalog: Catalog, policy: Policy, now: datetime) -> ClaimIntake:
    """The intake of a run at this time."""
    assessor, clock = assessor_of(database, catalog, policy), SimulatedClock(now)
    return ClaimIntake(assessor, policy.skip_claim_statuses, policy.max_retries, "intake", clock)


def take_in(database: Database, catalog: Catalog, now: datetime, policy: Policy) -> list[Claim]:
    """Run the intake, and return the assessed claims."""
    return list(intake_of(database, catalog, policy, now).run(now))
