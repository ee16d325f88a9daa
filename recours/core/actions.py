"""Actions of people on claims, carriers, accounts and emails, and other changes of claims besides attempts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from recours.core.claim import Claim, Stage, State
from recours.core.text import clean

# The subject of actions on emails.
MAILS = "mails"

# Recorded as the author if the person has no name.
OPERATOR = "operator"  # on a dashboard without names
SERVICE = "service"  # other software that edits claims
SOMEONE = "someone"  # if the operating system account has no name
_BY = "by "


def authored(by: str, why: str) -> str:
    """Author and reason as one stored text."""
    return f"{_BY}{by}: {why}" if why else f"{_BY}{by}"


def author_and_reason(text: str | None) -> tuple[str, str]:
    """The inverse of `authored`; other software may have written the reason alone."""
    if not (text or "").startswith(_BY):
        return SOMEONE, text or ""
    who, _, reason = (text or "").removeprefix(_BY).partition(": ")
    return who, reason


class ActionKind(StrEnum):
    """`recours_actions.what`."""

    PAUSED = "paused"  # a carrier, or a client's account
    RESUMED = "resumed"
    CHECKED = "checked"  # credentials, with one real call
    ADDED = "added"  # a client's account, or new credentials for it
    CONFIRMED = "confirmed"  # a client's account after the client's address changed
    LIMITED = "limited"
    REMOVED = "removed"
    RELEASED = "released"  # held emails
    TESTED = "tested"  # the mail server, with one email


@dataclass(frozen=True)
class OperatorAction:
    """`subject`: the key of a carrier or an account, or MAILS. `by`: the person. `details`: their reason, a verdict, a count, an address."""

    kind: ActionKind
    subject: str
    by: str
    details: Mapping[str, Any] = field(default_factory=dict)


class PastAction(NamedTuple):
    """A recorded action. `kind`: one of ActionKind, unless another program wrote it."""

    at: datetime
    kind: str
    subject: str
    by: str
    details: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Without its subject."""
        facts = {"what": self.kind, "by": self.by, "details": dict(self.details)}
        return {"at": self.at.isoformat()} | facts


class ChangeKind(StrEnum):
    """`recours_changes.what`."""

    EDITED = "edited"  # the service changed its row
    SET_ASIDE = "set_aside"  # its claim status says that no POD is needed anymore (paid)
    RESUMED = "resumed"  # its claim status no longer says so
    REOPENED = "reopened"  # it had been given up
    EXCLUDED = "excluded"
    ENROLLED = "enrolled"  # by reference; bulk enrollment is not recorded as a change
    ATTACHED = "attached"  # a person attached evidence
    DETACHED = "detached"  # a person withdrew evidence
    ASKED = "asked"  # a person had its carrier asked, regardless of the backoff
    CORRECTED = "corrected"  # a person corrected its number or its carrier


@dataclass(frozen=True)
class ClaimChange:
    """`details`: for edits and corrections, the old and the new value of each changed column; for actions, the reason."""

    kind: ChangeKind
    details: Mapping[str, Any] = field(default_factory=dict)


def edits(claim: Claim) -> dict[str, list[Any]]:
    """The values, old and new, that differ from those at the last assessment; empty for a new claim.

    A change of the account that serves the claim is not an edit: nobody touched the row.
    """
    assessed = claim.assessed
    if assessed is None:
        return {}
    values = {
        "status": (_text(assessed.fetch_status), _text(claim.fetch_status)),
        "number": (_text(assessed.number), _text(claim.number)),
        "carrier": (assessed.carrier_name, claim.carrier_name),
        "count": (assessed.retries_used, claim.retries_counted),
        "deadline": (_day(assessed.deadline), _day(claim.deadline)),
    }
    return {name: [old, new] for name, (old, new) in values.items() if old != new}


def shelving_change(claim: Claim, state: State) -> ClaimChange | None:
    """The change if the claim status sets the claim aside or resumes it; None: neither, or the claim is new."""
    was_shelved, is_shelved = (each_state.stage is Stage.SHELVED for each_state in (claim.state, state))
    if claim.assessed is None or state.stage is None or was_shelved == is_shelved:
        return None
    kind = ChangeKind.SET_ASIDE if is_shelved else ChangeKind.RESUMED
    return ClaimChange(kind, {"status": _text(claim.claim_status)})


def _text(value: str | None) -> str | None:
    return None if value is None else clean(value, 60)


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
