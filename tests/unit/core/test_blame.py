"""Whose a refusal is: the account's, or one parcel's."""

import pytest

from recours.core.errors import REFUSED_KINDS, ErrorKind
from recours.core.pauses import Blame, blame, blame_after_check

AUTH, DENIED = ErrorKind.AUTH_FAILED, ErrorKind.ACCOUNT_DENIED
NOTHING = {"names_parcel": True, "accepted": False, "proven": False, "closed_by_it": False}


@pytest.mark.parametrize(
    ("kind", "known", "whose"),
    [
        (AUTH, {}, Blame.UNCLEAR),
        (AUTH, {"accepted": True}, Blame.CLAIM),
        (AUTH, {"closed_by_it": True}, Blame.UNCLEAR),  # a check tells
        (AUTH, {"names_parcel": False, "accepted": True}, Blame.ACCOUNT),  # a token that was revoked
        (DENIED, {}, Blame.ACCOUNT),
        (
            DENIED,
            {"accepted": True},
            Blame.ACCOUNT,
        ),  # credentials are good, the right is missing all the same
        (DENIED, {"proven": True}, Blame.CLAIM_LATER),
        (DENIED, {"closed_by_it": True}, Blame.CLAIM_LATER),
        (DENIED, {"names_parcel": False, "closed_by_it": True}, Blame.ACCOUNT),
    ],
)
def test_whose_a_refusal_is_before_any_check(kind: ErrorKind, known: dict[str, bool], whose: Blame) -> None:
    assert blame(kind, **(NOTHING | known)) is whose


def test_each_refusal_is_somebody_s() -> None:
    assert {kind: blame(kind, **NOTHING) for kind in REFUSED_KINDS} == {
        AUTH: Blame.UNCLEAR,
        DENIED: Blame.ACCOUNT,
    }


@pytest.mark.parametrize("closed_by_it", [False, True])
def test_whose_it_is_after_a_check(closed_by_it: bool) -> None:
    accepted = blame_after_check(accepted=True, refused=False, closed_by_it=closed_by_it)
    refused = blame_after_check(accepted=False, refused=True, closed_by_it=closed_by_it)
    not_made = blame_after_check(accepted=False, refused=False, closed_by_it=closed_by_it)
    assert (accepted, refused) == (Blame.CLAIM, Blame.ACCOUNT)
    assert not_made is (Blame.CLAIM if closed_by_it else Blame.ACCOUNT)
