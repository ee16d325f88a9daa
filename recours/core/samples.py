"""Samples: claims that gave up, asked about once more with calls that nobody needs, as some proofs come late.

`RECOURS_SAMPLES` says how many a day, by carrier. A sample is no attempt: whatever the carrier answers, no retry is used.
A proof counts like any other. Everything else leaves the claim as it was.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from recours.core.appraisal import Shown
from recours.core.claim import Claim, FetchStatus, Stage
from recours.core.decision import MOST_INTERRUPTIONS, Decision, succeed
from recours.core.errors import ErrorKind
from recours.core.evidence import evidence_end
from recours.core.outcome import Outcome, Retrieved
from recours.core.policy import Policy

# No carrier is asked about a claim whose last retry or fetch was longer ago.
LONGEST_AGO = timedelta(days=120)
# Answers that later ones will not differ from, however long one waits.
_NEVER = frozenset({ErrorKind.ACCESS_DENIED, ErrorKind.INVALID_TRACKING, ErrorKind.UNSUPPORTED_CARRIER})


def may_be_sampled(claim: Claim, now: datetime, policy: Policy) -> bool:
    """Tell whether the claim gave up, and its carrier may still have a proof of it."""
    state = claim.state
    gave_up = state.stage is Stage.GIVEN_UP and claim.fetch_status == FetchStatus.FAILED
    if not gave_up or claim.is_edited or policy.sets_aside(claim):
        return False
    if claim.number is None or state.kind in _NEVER or state.interruptions >= MOST_INTERRUPTIONS:
        return False
    end = evidence_end(claim, state, policy)
    return end is None or now < end


def after_sample(claim: Claim, outcome: Outcome, now: datetime, shown: Shown | None = None) -> Decision:
    """What a sample means for its claim: the proof is there, which shows this, or nothing changed."""
    if isinstance(outcome, Retrieved):
        found = succeed(claim, outcome, now, shown)
        state = replace(found.state, retries_used=claim.state.retries_used)
        return replace(found, state=state, uses_attempt=False)
    state = replace(claim.state, interruptions=0)
    return Decision(state, FetchStatus.FAILED, kind=outcome.kind, uses_attempt=False)
