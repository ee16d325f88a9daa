"""Attribution of a refusal: to the account, its right to documents, or one parcel."""

from datetime import UTC, datetime, timedelta

import pytest

from recours.core.errors import ErrorKind
from recours.core.pauses import Blame, DocumentRight, blame, blame_after_check
from recours.core.quota import Capability

AUTH, DENIED = ErrorKind.AUTH_FAILED, ErrorKind.ACCOUNT_DENIED
TRACKING, POD, TOKEN = Capability.TRACKING, Capability.POD, Capability.TOKEN
NOW = datetime(2026, 2, 6, 13, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("kind", "call", "accepted", "blamed"),
    [
        (AUTH, TRACKING, (), Blame.UNCLEAR),
        (AUTH, TRACKING, (TRACKING,), Blame.CLAIM),
        (AUTH, TRACKING, (POD,), Blame.UNCLEAR),  # accepted for another right
        (AUTH, TOKEN, (TRACKING,), Blame.ACCOUNT),  # a revoked token
        (DENIED, TRACKING, (), Blame.ACCOUNT),
        (DENIED, TRACKING, (TRACKING,), Blame.ACCOUNT),  # the credentials are valid, but the right is missing
        (DENIED, TRACKING, (POD,), Blame.ACCOUNT),
        (AUTH, POD, (), Blame.UNCLEAR),
        (AUTH, POD, (TRACKING,), Blame.DOCUMENTS),
        (DENIED, POD, (), Blame.DOCUMENTS),
        (DENIED, TOKEN, (POD,), Blame.ACCOUNT),
    ],
)
def test_blame_of_a_refusal_before_any_check(
    kind: ErrorKind, call: Capability, accepted: tuple[Capability, ...], blamed: Blame
) -> None:
    assert blame(kind, call, accepted=accepted, proven=False, closed_by_it=False) is blamed


@pytest.mark.parametrize(("proven", "closed_by_it"), [(True, False), (False, True)])
def test_a_right_denied_for_one_parcel_does_not_close_the_account(proven: bool, closed_by_it: bool) -> None:
    blamed = blame(DENIED, TRACKING, accepted=(TRACKING,), proven=proven, closed_by_it=closed_by_it)
    assert blamed is Blame.CLAIM_LATER


@pytest.mark.parametrize(("call", "claim"), [(TRACKING, Blame.CLAIM), (POD, Blame.DOCUMENTS)])
@pytest.mark.parametrize("closed_by_it", [False, True])
def test_blame_of_a_refusal_after_a_check(call: Capability, claim: Blame, closed_by_it: bool) -> None:
    accepted = blame_after_check(call, accepted=True, refused=False, closed_by_it=closed_by_it)
    refused = blame_after_check(call, accepted=False, refused=True, closed_by_it=closed_by_it)
    not_made = blame_after_check(call, accepted=False, refused=False, closed_by_it=closed_by_it)
    assert (accepted, refused) == (claim, Blame.ACCOUNT)
    assert not_made is (claim if closed_by_it else Blame.ACCOUNT)


# ---------------------------------------------------------------- the right to documents


def calls_of_a_day(right: DocumentRight, each: int) -> int:
    """The number of document calls in a day with runs every half hour; `each`: calls of one fetch."""
    calls = 0
    for half in range(48):
        now = NOW + half * HOUR / 2
        if not right.is_paused(now):
            for _ in range(each):
                right = right.after_call(now)
                calls += 1
            right = right.after_refusal(now, "no")
    return calls


@pytest.mark.parametrize("each", [1, 2, 4])
def test_four_document_calls_a_day_are_made_while_documents_are_refused(each: int) -> None:
    assert calls_of_a_day(DocumentRight(), each) == 4


def test_refusals_that_were_in_progress_at_once_count_too() -> None:
    right = DocumentRight()
    for _ in range(3):
        right = right.after_call(NOW)
    right = right.after_refusal(NOW, "no").after_refusal(NOW + HOUR, "no")
    assert (right.refused_at, right.next_call_at) == (NOW, NOW + 18 * HOUR)


def test_a_document_shows_the_right_for_thirty_days_and_ends_the_pause() -> None:
    right = DocumentRight().after_call(NOW).after_refusal(NOW, "no").after_document(NOW + HOUR)
    assert right == DocumentRight(fetched_at=NOW + HOUR)
    assert (right.is_proven(NOW + 30 * DAY), right.is_proven(NOW + 31 * DAY)) == (True, False)
    assert right.after_document(NOW + 2 * HOUR) == right, "not each is written down"
    assert right.after_document(NOW + 2 * DAY).fetched_at == NOW + 2 * DAY


def test_an_answer_without_a_document_ends_the_pause_and_shows_no_right() -> None:
    right = DocumentRight().after_call(NOW).after_refusal(NOW, "no").after_grant()
    assert (right, right.is_proven(NOW), right.is_paused(NOW)) == (DocumentRight(), False, False)
