"""Fetches proofs of delivery for parcel claims.

The API for the service's own application (names are loaded on first use):

- `fetch_claim(reference)` fetches a claim's POD now and returns a `FetchResult`.
- `defer_fetch(reference)` asks a long-lived worker to fetch it, and returns immediately.
- `claim_status(reference)` returns a `ClaimStatus`.
- `attach(reference, file, by=…)` attaches a proof that a person has, and returns an `AttachResult`.
- `set_account(client, carrier, credentials)` stores a client's own credentials, and `check_account(client, carrier)`
  checks them with one real call; each returns an `AccountResult`.
- `RecoursError` is the base class of their exceptions: `CorrectReferenceError`, `CorrectFileError`,
  `CorrectAccountError`, `TryAgainSoonError`, `ShowExistingPODError`, `NotWantedError`, `TryLaterError` and
  `AskOperatorError`. The message of each exception is a sentence to show to people.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recours.admin.actions import AccountResult
    from recours.admin.results import (
        AskOperatorError,
        AttachResult,
        CorrectAccountError,
        CorrectFileError,
        CorrectReferenceError,
        FetchResult,
        NotWantedError,
        RecoursError,
        ShowExistingPODError,
        TryAgainSoonError,
        TryLaterError,
    )
    from recours.api import attach, check_account, claim_status, defer_fetch, fetch_claim, set_account
    from recours.core.position import Standing
    from recours.reporting.claim_status import ClaimStatus

__version__ = "0.2.0"

__all__ = [
    "AccountResult",
    "AskOperatorError",
    "AttachResult",
    "ClaimStatus",
    "CorrectAccountError",
    "CorrectFileError",
    "CorrectReferenceError",
    "FetchResult",
    "NotWantedError",
    "RecoursError",
    "ShowExistingPODError",
    "Standing",
    "TryAgainSoonError",
    "TryLaterError",
    "attach",
    "check_account",
    "claim_status",
    "defer_fetch",
    "fetch_claim",
    "set_account",
]


def __getattr__(name: str) -> Any:
    """Import a name on first use, because runs import this package too and need none of these names."""
    if name not in __all__:
        raise AttributeError(f"module 'recours' has no attribute {name!r}")
    from recours import api  # noqa: PLC0415 (see above)
    from recours.admin import results  # noqa: PLC0415 (see above)
    from recours.core import position  # noqa: PLC0415 (see above)
    from recours.reporting import claim_status  # noqa: PLC0415 (see above)

    return next(
        getattr(module, name) for module in (api, results, claim_status, position) if hasattr(module, name)
    )
