"""What a person did to a carrier, an account or the mails. What they did to claims: see `recours.core.changes`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

# The subject of what was done to mails.
MAILS = "mails"

# Who is recorded where no person has a name.
OPERATOR = "operator"  # on the page, without names
SERVICE = "service"  # other software that edits claims
SOMEONE = "someone"  # on a machine whose account has no name
_BY = "by "


def authored(by: str, why: str) -> str:
    """Who did something and why, as one text that is stored."""
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
    CHECKED = "checked"  # credentials, by one real call
    ADDED = "added"  # a client's account, or other credentials for it
    CONFIRMED = "confirmed"  # a client's account, whose client has another address
    LIMITED = "limited"
    REMOVED = "removed"
    RELEASED = "released"  # mails that were held
    TESTED = "tested"  # the mail server, by one mail


@dataclass(frozen=True)
class OperatorAction:
    """`subject`: the key of a carrier or an account, or MAILS. `by`: the person. `details`: their reason, a verdict, a count, an address."""

    what: ActionKind
    subject: str
    by: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PastAction:
    """One that is on record. `what`: one of ActionKind, unless another program wrote it."""

    at: datetime
    what: str
    subject: str
    by: str
    details: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Without its subject."""
        facts = {"what": self.what, "by": self.by, "details": dict(self.details)}
        return {"at": self.at.isoformat()} | facts
