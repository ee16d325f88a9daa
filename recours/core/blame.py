"""Whether a refusal is the account's or one parcel's.

A carrier may answer a question about one parcel as if our account were wrong. Taken at its word, one such parcel would
close the carrier to all the others. Pure: what is known of the account comes in.
"""

from datetime import timedelta
from enum import StrEnum

from recours.core.errors import ErrorKind

# When a claim is asked about again whose refusal says nothing about the account.
PUT_OFF = timedelta(hours=6)


class Blame(StrEnum):
    """Whose the refusal is."""

    ACCOUNT = "account"
    CLAIM = "claim"  # it counts as access_denied
    CLAIM_LATER = "claim_later"  # no attempt is used, and the claim is put off
    UNCLEAR = "unclear"  # a check with the sample number tells


def blame(kind: ErrorKind, *, names_parcel: bool, accepted: bool, proven: bool, closed_by_it: bool) -> Blame:
    """Whose a refusal (one of REFUSED_KINDS) is, before any check.

    `names_parcel`: the refused call was about a parcel, not for a token. `accepted`: an answer of this run showed that
    the carrier takes our credentials. `proven`: a document came in this run, so that our account has all rights.
    `closed_by_it`: this claim is the one that closed the account the last time.
    """
    if not names_parcel:
        return Blame.ACCOUNT
    if kind is ErrorKind.ACCOUNT_DENIED:  # credentials that are accepted tell nothing about rights
        return Blame.CLAIM_LATER if proven or closed_by_it else Blame.ACCOUNT
    return Blame.CLAIM if accepted else Blame.UNCLEAR


def blame_after_check(*, accepted: bool, refused: bool, closed_by_it: bool) -> Blame:
    """Whose it is after a check with the sample number; one that could not be made is neither accepted nor refused."""
    if accepted or (closed_by_it and not refused):  # no claim closes an account twice in a row
        return Blame.CLAIM
    return Blame.ACCOUNT
