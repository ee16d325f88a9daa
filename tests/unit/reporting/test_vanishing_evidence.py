"""The texts of `recours why`, `claim_status()`, `recours status` and the weekly report about evidence that expires."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.carriers.registry import CATALOG
from recours.core.assessment import assess
from recours.core.claim import Claim, Snapshot, Stage
from recours.core.pauses import Blocked, Refusal
from recours.core.policy import Policy
from recours.core.position import position
from recours.reporting.claim_status import StatusSentences
from recours.reporting.explain import Explanation, Facts, explain
from recours.reporting.problems import Problem, ProblemKind, VerdictSentences
from recours.reporting.records import ListedClaim
from recours.reporting.snapshot import is_late, loses_evidence

NOW = datetime(2026, 5, 14, 8, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
POLICY = Policy(PARIS, evidence_days={"ups": 120})
DAY = timedelta(days=1)
CREATED = datetime(2026, 1, 20, 9, 0, tzinfo=UTC)  # 120 days before 20 May
LATER = date(2026, 6, 1)
ENDS = "UPS deletes this parcel's data on 20 May 2026 at the latest. No proof can be fetched after that."
LAST = "Claims that can still be won are attempted before this claim."
IS_OVER = "UPS has probably deleted this parcel's data: the last possible day was 20 May 2026."
STOPPED = Refusal(Blocked.CARRIER, "paused by a person", None)


def ups(**columns: Any) -> Claim:
    """The state after a run that began at NOW, unless the test changes it."""
    row: dict[str, Any] = {"fetch_status": "failed", "created_at": CREATED, "updated_at": NOW} | columns
    number = row.pop("number", "1Z999AA10123456784")
    claim = Claim(1, "CLM-1", carrier_name="UPS", carrier="ups", number=number, **row)
    assessed = replace(claim, state=assess(claim, NOW, POLICY))
    snapshot = Snapshot(claim.fetch_status, claim.number, "ups", 0, deadline=claim.deadline)
    return replace(assessed, assessed=snapshot)


def explained(claim: Claim, now: datetime = NOW, **known: Any) -> Explanation:
    return explain(ListedClaim(claim), Facts(**known), CATALOG, POLICY, now)


@pytest.mark.parametrize(
    ("columns", "now", "expected"),
    [
        ({"deadline": LATER}, NOW, [ENDS]),
        ({}, NOW, [ENDS]),
        ({"number": None, "fetch_status": "pending"}, NOW, [ENDS]),
        ({"deadline": date(2026, 5, 18)}, NOW, []),  # whichever is earlier
        ({"deadline": LATER}, NOW + 7 * DAY, [IS_OVER, LAST]),
        ({}, NOW + 7 * DAY, [IS_OVER, LAST]),
        (
            {"deadline": date(2026, 5, 18)},
            NOW + 7 * DAY,
            [IS_OVER, LAST],
        ),
        ({"fetch_status": "success"}, NOW, []),
        ({"fetch_status": "manual"}, NOW + 7 * DAY, []),
        ({"claim_status": "paid"}, NOW + 7 * DAY, []),
        ({"created_at": None}, NOW, []),
    ],
)
def test_why_says_when_the_evidence_ends_where_it_counts(
    columns: dict[str, Any], now: datetime, expected: list[str]
) -> None:
    found = explained(ups(**columns), now)
    assert [text for text in (ENDS, IS_OVER, LAST) if text in " ".join(found.sentences)] == expected
    is_known = columns.get("created_at", CREATED) and columns.get("fetch_status") != "success"
    assert found.as_json()["evidence_until"] == ("2026-05-20T09:00:00+00:00" if is_known else None)


def test_a_given_up_claim_mentions_evidence_only_once_it_has_expired() -> None:
    claim = ups(retries_counted=4)
    gave_up = replace(claim, state=replace(claim.state, stage=Stage.GIVEN_UP, retries_used=4))
    gave_up = replace(gave_up, assessed=Snapshot("failed", claim.number, "ups", 4))
    assert ENDS not in explained(gave_up).status.sentence
    assert IS_OVER in explained(gave_up, NOW + 7 * DAY).status.sentence


@pytest.mark.parametrize(
    ("language", "now", "expected"),
    [
        ("en", NOW, ENDS),
        ("en", NOW + 7 * DAY, IS_OVER),
        (
            "fr",
            NOW,
            "UPS efface les données de ce colis le 20/05/2026 au plus tard. Aucune preuve ne pourra être obtenue ensuite.",
        ),
        (
            "fr",
            NOW + 7 * DAY,
            "UPS a sans doute effacé les données de ce colis, conservées jusqu'au 20/05/2026 au plus tard.",
        ),
    ],
)
def test_claim_status_mentions_expiring_evidence(language: str, now: datetime, expected: str) -> None:
    claim = ups(deadline=LATER)
    sentences = StatusSentences(language, PARIS)
    status = sentences.status(ListedClaim(claim), position(claim, now, POLICY), carrier="UPS", asked_count=1)
    assert status.sentence.endswith(f". {expected}")
    assert status.evidence_until == CREATED + 120 * DAY
    urgent = ups(deadline=date(2026, 5, 18))
    status = sentences.status(
        ListedClaim(urgent), position(urgent, NOW, POLICY), carrier="UPS", asked_count=1
    )
    assert "20" not in status.sentence.partition("2026-05-14")[2]


# ---------------------------------------------------------------- not tried before


@pytest.mark.parametrize(
    ("columns", "refusal", "loses", "misses"),
    [
        ({"deadline": LATER}, STOPPED, True, False),
        ({}, STOPPED, True, False),
        ({"deadline": date(2026, 5, 20)}, STOPPED, True, True),
        ({"deadline": date(2026, 5, 18)}, STOPPED, False, True),
        ({}, None, False, False),
        ({"created_at": CREATED + 2 * DAY}, STOPPED, False, False),  # in more than a week
        ({"created_at": CREATED - 7 * DAY}, STOPPED, False, False),  # in the past
        ({"number": None, "fetch_status": "pending"}, None, True, False),
    ],
)
def test_which_claims_lose_their_evidence_within_a_week(
    columns: dict[str, Any], refusal: Refusal | None, *, loses: bool, misses: bool
) -> None:
    claim = ups(**columns)
    where = position(claim, NOW, POLICY, refusal=refusal)
    assert (loses_evidence(where, NOW), is_late(claim, where, NOW, POLICY)) == (loses, misses)


@pytest.mark.parametrize(
    ("language", "count", "expected"),
    [
        ("en", 1, "1 claim will not be attempted before its carrier deletes the parcel's data: CLM-1, on 21 May 2026 at the latest."),
        (
            "en",
            3,
            "3 claims will not be attempted before their carriers delete the parcels' data; the first is CLM-1, on 21 May 2026 at the latest.",
        ),
        (
            "fr",
            1,
            "1 réclamation ne sera pas traitée avant que le transporteur n'efface les données du colis : CLM-1, le 21/05/2026 au plus tard.",
        ),
        (
            "fr",
            3,
            "3 réclamations ne seront pas traitées avant que le transporteur n'efface les données des colis ; première réclamation "
            "concernée : CLM-1, le 21/05/2026 au plus tard.",
        ),
    ],
)  # fmt: skip
def test_status_and_the_weekly_report_count_expiring_evidence(
    language: str, count: int, expected: str
) -> None:
    at = datetime(2026, 5, 20, 23, 0, tzinfo=UTC)  # the 21st in Paris
    problem = Problem(
        ProblemKind.EVIDENCE, count, facts={"reference": "CLM-1", "evidence_until": at.isoformat()}
    )
    assert VerdictSentences(language, PARIS).sentence(problem, NOW) == expected
