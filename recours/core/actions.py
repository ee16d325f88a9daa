"""Records of people's actions, and of changes to claims other than attempts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from recours.core.claim import Claim, Stage, State
from recours.core.text import clean

# The subject recorded for actions that concern emails.
MAILS = "mails"

# Recorded as the author if the person's name is unknown.
OPERATOR = "operator"  # on a dashboard without names
SERVICE = "service"  # other software that edits claims
SOMEONE = "someone"  # if the operating system account has no name
_BY = "by "


def join_author(by: str, why: str) -> str:
    """Join author and reason into the stored text."""
    return f"{_BY}{by}: {why}" if why else f"{_BY}{by}"


def author_and_reason(text: str | None) -> tuple[str, str]:
    """Split a stored text into author and reason. Text not written by `join_author` is a reason by SOMEONE."""
    if not (text or "").startswith(_BY):
        return SOMEONE, text or ""
    who, _, reason = (text or "").removeprefix(_BY).partition(": ")
    return who, reason


class ActionKind(StrEnum):
    """The values of `recours_actions.what`."""

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
    """An action to record."""

    kind: ActionKind
    subject: str  # the key of a carrier or an account, or MAILS
    by: str  # the person
    details: Mapping[str, Any] = field(default_factory=dict)  # a reason, verdict, count or address


class PastAction(NamedTuple):
    """A recorded action. `kind`: one of ActionKind, unless another program wrote it."""

    at: datetime
    kind: str
    subject: str
    by: str
    details: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the action for JSON, without its subject."""
        facts = {"what": self.kind, "by": self.by, "details": dict(self.details)}
        return {"at": self.at.isoformat()} | facts


class ChangeKind(StrEnum):
    """The values of `recours_changes.what`."""

    EDITED = "edited"  # the claims service changed the row
    SET_ASIDE = "set_aside"  # the claim status says that a POD is no longer needed (paid)
    RESUMED = "resumed"  # the claim status requires a POD again
    REOPENED = "reopened"  # after recours had given up
    EXCLUDED = "excluded"
    ENROLLED = "enrolled"  # by reference; bulk enrollment is not recorded as a change
    ATTACHED = "attached"  # a person attached evidence
    DETACHED = "detached"  # a person withdrew evidence
    ASKED = "asked"  # a person requested a fetch, regardless of the backoff
    CORRECTED = "corrected"  # a person corrected the number or the carrier


@dataclass(frozen=True)
class ClaimChange:
    """A change to record. `details`: old and new values by column, for edits and corrections; otherwise the reason."""

    kind: ChangeKind
    details: Mapping[str, Any] = field(default_factory=dict)


def edits(claim: Claim) -> dict[str, list[Any]]:
    """Return the old and new values of columns edited since the last assessment; empty for a new claim.

    A different account for the claim is not an edit, because the row did not change.
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
    """Return the change to record if an assessed claim's status starts or stops excluding it from fetching."""
    was_shelved, is_shelved = (each_state.stage is Stage.SHELVED for each_state in (claim.state, state))
    if claim.assessed is None or state.stage is None or was_shelved == is_shelved:
        return None
    kind = ChangeKind.SET_ASIDE if is_shelved else ChangeKind.RESUMED
    return ClaimChange(kind, {"status": _text(claim.claim_status)})


def _text(value: str | None) -> str | None:
    return None if value is None else clean(value, 60)


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
