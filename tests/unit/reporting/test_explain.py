"""Why a claim is in its state: every stage, every kind of error, in consistent sentences."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.carriers.registry import CATALOG
from recours.core.accounts import DEFAULT_ACCOUNT
from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Snapshot, Stage, State
from recours.core.errors import Actor, ErrorKind
from recours.core.pauses import Blocked, Refusal
from recours.core.policy import Policy
from recours.core.position import position
from recours.host.installation import program
from recours.reporting.advice import possible_actions
from recours.reporting.explain import Explanation, Facts, explain
from recours.reporting.labels import ACTORS
from recours.reporting.records import ListedClaim
from tests.rows import row

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = Policy(zone=ZoneInfo("Europe/Paris"))


def claim(stage: Stage | None, status: str | None = "failed", **state: Any) -> Claim:
    """A claim that no one has edited since its assessment."""
    found = State(stage, retries_used=1, last_retry_at=NOW - HOUR, failed_at=NOW - 3 * HOUR, rank_at=NOW)
    found = replace(found, **({"next_at": NOW + 5 * HOUR} | state))
    snapshot = Snapshot(status, "XY1FR", "chronopost", found.retries_used)
    return Claim(
        1, "CLM-1", carrier_name="Chronopost", carrier="chronopost", number="XY1FR", fetch_status=status,
        retries_counted=found.retries_used, state=found, assessed=snapshot,
    )  # fmt: skip


def explained(of: Claim, **facts: Any) -> Explanation:
    return explain(ListedClaim(of), Facts(**facts), CATALOG, POLICY, NOW)


OF_PENDING = (Stage.UNNUMBERED, Stage.NEW)
THERE_CAN_BE = [
    (status, stage)
    for status in (*FetchStatus, "manual", None)
    for stage in Stage
    if not (status == "failed" and stage in OF_PENDING)
]


def test_every_claim_has_consistent_sentences() -> None:
    for kind, (status, stage) in product(ErrorKind, THERE_CAN_BE):
        with row(kind, status, stage):
            fits_together(explained(claim(stage, status, kind=kind)), status, stage)


def fits_together(found: Explanation, status: str | None, stage: Stage) -> None:
    assert all(sentence and sentence[0].isupper() and sentence[-1] == "." for sentence in found.sentences)
    assert all("{" not in sentence for sentence in found.advice)
    assert bool(found.advice) or found.position.actor is None
    text = " ".join(found.sentences)
    if found.position.next_at is None:
        assert "is waiting for its next attempt" not in text
        assert "is due:" not in text
    if stage is Stage.GIVEN_UP and status == "failed":
        assert (
            found.position.next_at == NOW + 5 * HOUR
            or "given up" in text
            or found.position.state.stage is not Stage.GIVEN_UP
        )
    assert found.as_json()["standing"] == list(found.sentences)


PASSED: dict[str, Any] = {
    "rank_at": NOW - timedelta(days=40),
    "rank_is_deadline": True,
    "since": NOW - timedelta(days=60),
    "expire_from": NOW - timedelta(days=40),
}


@pytest.mark.parametrize(
    "of",
    [
        claim(Stage.READY, **PASSED),
        claim(Stage.WAITING, **PASSED),  # at its retry, in five hours
        claim(Stage.NEW, "pending", **PASSED),
    ],
    ids=["ready", "waiting", "new"],
)
@pytest.mark.parametrize("refusal", [None, Refusal(Blocked.RATE_LIMIT, "at its limit", NOW + HOUR)])
def test_no_attempt_is_announced_for_a_claim_that_will_be_given_up(
    of: Claim, refusal: Refusal | None
) -> None:
    found = explained(replace(of, deadline=date(2025, 12, 24)), refusal=refusal)
    assert found.position.next_at is None
    assert found.sentences == (
        "The deadline of CLM-1 passed long ago: recours gives up on it at its next retry.",
    )


@pytest.mark.parametrize(
    "of",
    [
        claim(Stage.READY, **(PASSED | {"expire_from": None})),
        claim(Stage.READY, **(PASSED | {"expire_from": NOW - timedelta(days=20)})),
    ],
    ids=["never asked", "not long ago"],
)
def test_a_claim_past_its_deadline_can_still_be_due(of: Claim) -> None:
    found = explained(replace(of, deadline=date(2025, 12, 24)))
    assert found.position.next_at == NOW
    assert found.notes == ("Claims that can still be won are attempted before this claim.",)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, "CLM-1 is not enrolled: no proof of delivery was requested."),
        ("manual", "CLM-1 is excluded: recours does not fetch its proof of delivery."),
        ("success", "CLM-1 has its proof of delivery."),  # of unknown time: another program set the status
    ],
)
def test_claims_that_are_not_fetched_have_their_own_sentences(status: str | None, expected: str) -> None:
    assert explained(claim(None, status)).sentences == (expected,)


def test_every_actor_has_a_text() -> None:
    assert set(ACTORS) == set(Actor)


@pytest.mark.parametrize(
    ("of", "kind", "actor", "advice"),
    [
        (claim(Stage.WAITING, kind=ErrorKind.NOT_FOUND), ErrorKind.NOT_FOUND, Actor.CLIENT, "Compare the tracking number"),
        (claim(Stage.WAITING, kind=ErrorKind.TIMEOUT), ErrorKind.TIMEOUT, Actor.CARRIER, "Chronopost keeps answering too slowly"),
        (
            claim(Stage.GIVEN_UP, retries_used=4, kind=ErrorKind.TIMEOUT),
            ErrorKind.TIMEOUT,
            Actor.OPERATOR,
            "recours reopen CLM-1",
        ),
        (
            claim(Stage.GIVEN_UP, retries_used=4, kind=ErrorKind.INVALID_TRACKING),
            ErrorKind.INVALID_TRACKING,
            Actor.CLIENT,
            "Ask the client",
        ),
        (replace(claim(Stage.UNNUMBERED, "pending"), number=None), ErrorKind.INVALID_TRACKING, Actor.CLIENT, "Enter the claim's"),
        (claim(Stage.WAITING, "manual"), None, Actor.OPERATOR, "recours enroll CLM-1"),
    ],
)  # fmt: skip
def test_the_actor_and_the_advice_depend_on_the_error(
    of: Claim, kind: ErrorKind | None, actor: Actor, advice: str
) -> None:
    found = explained(of)
    assert (found.position.kind, found.position.actor) == (kind, actor)
    assert any(advice in sentence for sentence in found.advice)


IDLE = replace(claim(Stage.WAITING, None), assessed=None)


@pytest.mark.parametrize(
    ("of", "leased", "possible"),
    [
        (claim(Stage.WAITING), False, {"attach", "correct", "fetch", "exclude"}),
        (claim(Stage.WAITING), True, set()),
        (replace(claim(Stage.WAITING), number=None), False, {"correct", "exclude"}),
        (replace(claim(Stage.WAITING), number="TRACK938014"), False, {"attach", "correct", "exclude"}),
        (replace(claim(Stage.WAITING), carrier=None), False, {"attach", "correct", "exclude"}),
        (replace(claim(Stage.WAITING), claim_status="paid"), False, {"attach", "exclude"}),
        (IDLE, False, {"attach", "correct", "fetch", "enroll", "exclude"}),
        (replace(IDLE, claim_status="paid"), False, {"attach", "correct", "exclude"}),
        (claim(Stage.GIVEN_UP, retries_used=4), False, {"attach", "correct", "fetch", "reopen", "exclude"}),
        (claim(Stage.WAITING, "success"), False, {"attach"}),
    ],
)
def test_possible_actions_depend_on_the_claim(of: Claim, leased: bool, possible: set[str]) -> None:
    if of.number == "XY1FR":
        snapshot = of.assessed and replace(of.assessed, number="XY000000001FR")
        of = replace(of, number="XY000000001FR", assessed=snapshot)
    where = position(of, NOW, POLICY, leased=leased)
    assert possible_actions(of, where, CATALOG, POLICY) == possible


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "Consecutive runs that died while fetching this claim: 3."),
        ("fr", "Exécutions interrompues de suite pendant le traitement de cette réclamation : 3."),
    ],
)
def test_runs_that_died_are_mentioned(language: str, expected: str) -> None:
    died = claim(Stage.READY, interruptions=3)
    assert expected in explain(ListedClaim(died), Facts(), CATALOG, POLICY, NOW, language=language).notes


PAUSED = Refusal(Blocked.RATE_LIMIT, "Chronopost is unavailable (HTTP 503)", NOW + 9 * HOUR)
REJECTED = Refusal(Blocked.CARRIER, "Rejected", NOW + 9 * HOUR, kind=ErrorKind.AUTH_FAILED)


@pytest.mark.parametrize("refusal", [PAUSED, REJECTED])
def test_the_last_answer_is_quoted_once_with_its_own_error_kind(refusal: Refusal) -> None:
    of = replace(claim(Stage.READY, kind=ErrorKind.SERVER_ERROR), error_text=PAUSED.reason)
    found = explained(of, refusal=refusal)
    assert " ".join(found.sentences).count("(HTTP 503)") == 1
    assert found.as_json()["error_kind"] == "server_error"


def test_a_higher_limit_gives_a_claim_more_retries() -> None:
    of = claim(Stage.GIVEN_UP, retries_used=4, next_at=None)
    found = explain(ListedClaim(of), Facts(), CATALOG, replace(POLICY, max_retries=6), NOW)
    assert found.sentences == ("CLM-1 is waiting for its next attempt on 5 Feb 2026, 08:00 CET.",)
    assert found.position.next_at == NOW - HOUR + 72 * HOUR


# ---------------------------------------------------------------- the last attempt before a deadline

TURNED_ON = replace(POLICY, last_attempt=timedelta(hours=30))
AT = datetime(2026, 2, 8, 17, 0, tzinfo=UTC)  # 30 h before the end of the 9th in Paris


def at_last(at: datetime | None, stage: Stage = Stage.WAITING, policy: Policy = TURNED_ON) -> Explanation:
    of = claim(
        stage,
        retries_used=4,
        attempts=5,
        next_at=at,
        last_attempt_at=at or NOW - HOUR,
        kind=ErrorKind.TIMEOUT,
    )
    of = replace(of, deadline=date(2026, 2, 9))
    if of.assessed:
        of = replace(of, assessed=replace(of.assessed, deadline=of.deadline))
    return explain(ListedClaim(of), Facts(), CATALOG, policy, NOW)


def test_the_time_of_the_last_attempt_is_mentioned() -> None:
    found = at_last(AT)
    expected = "CLM-1 is waiting until 8 Feb 2026, 18:00 CET for one last attempt before its deadline."
    assert found.sentences == (expected,)
    assert found.position.next_at == AT
    assert found.as_json()["last_attempt_at"] == AT.isoformat()


def test_a_due_last_attempt_is_announced() -> None:
    expected = "CLM-1 is due. The next run makes one last attempt before its deadline."
    assert at_last(NOW, Stage.READY).sentences == (expected,)


# ---------------------------------------------------------------- accounts of clients

OWN = CATALOG.with_accounts({"chronopost"}, {7: {"chronopost": 17}})
SHOP = "shop@example.com"


def served(
    account: int = 17,
    *,
    catalog: Catalog = OWN,
    refusal: Refusal | None = None,
    assessed: str | None = None,
    remembered: int | None = None,
    **state: Any,
) -> Explanation:
    """A claim of a client, if some client has its own account."""
    of = replace(
        claim(Stage.WAITING, account=remembered, **state), client_id=7, client_text="7", account=account
    )
    snapshot = replace(of.assessed or Snapshot("", "", "", 0), account=assessed or of.account_key, client="7")
    of = replace(of, assessed=snapshot)
    facts = Facts(client=SHOP, refusal=refusal)
    return explain(ListedClaim(of), facts, catalog, POLICY, NOW)


def test_why_says_whose_account_serves_the_claim() -> None:
    found = served()
    assert f"recours asks Chronopost with {SHOP}'s account." in found.sentences
    assert found.as_json()["account"] == "chronopost#17"
    remembered = served(DEFAULT_ACCOUNT, remembered=DEFAULT_ACCOUNT)
    assert f"Chronopost denied {SHOP}'s account access to the parcel, so recours now asks" in " ".join(
        remembered.sentences
    )
    others = served(DEFAULT_ACCOUNT, catalog=CATALOG.with_accounts({"chronopost"}, {8: {"chronopost": 18}}))
    assert f"the default account because {SHOP} has no account in use with Chronopost." in " ".join(
        others.sentences
    )
    assert others.as_json()["account"] == "chronopost"
    nobody = served(DEFAULT_ACCOUNT, catalog=CATALOG.with_accounts((), {8: {"chronopost": 18}}))
    assert f"{SHOP} has no account with Chronopost, and there is no default account." in nobody.sentences


def test_why_mentions_no_account_if_no_client_has_one() -> None:
    found = explained(claim(Stage.WAITING))
    assert "account" not in " ".join(found.sentences)
    assert "account" not in found.as_json()


@pytest.mark.parametrize(
    ("account", "kind", "advice"),
    [
        (17, ErrorKind.AUTH_FAILED, f"Ask {SHOP} for the right credentials and enter them: recours accounts add 7 chronopost"),
        (17, ErrorKind.ACCOUNT_DENIED, f"Ask {SHOP} to have Chronopost enable this service for their account."),
        (17, ErrorKind.NOT_CONFIGURED, f"The credentials of {SHOP} cannot be used here"),
        (17, ErrorKind.ACCESS_DENIED, f"The parcel is not on {SHOP}'s contract with Chronopost"),
        (17, ErrorKind.RATE_LIMITED, "To raise the limit: recours accounts limits 7 chronopost"),
        (17, ErrorKind.NOT_FOUND, "Compare the tracking number and the carrier"),
        (DEFAULT_ACCOUNT, ErrorKind.AUTH_FAILED, "Correct the Chronopost credentials"),
        (DEFAULT_ACCOUNT, ErrorKind.NOT_CONFIGURED, f"Add {SHOP}'s account: recours accounts add 7 chronopost"),
    ],
)  # fmt: skip
def test_advice_about_a_client_account(account: int, kind: ErrorKind, advice: str) -> None:
    found = served(account, kind=kind)
    assert advice in " ".join(found.advice).replace(f"{program()} ", "recours ")
