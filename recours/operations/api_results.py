"""What the service's own application is told: of a claim, of a fetch that it asked for, and of what stood in the way."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from recours.core.claim import Stage
from recours.core.errors import Actor, ErrorKind


class Standing(StrEnum):
    """Where a claim stands, for people: its stage, or what is said before the stage counts."""

    FETCHED = "fetched"  # its POD is there
    IN_HAND = "in_hand"  # a run holds it at this moment
    NOT_SEEN = "not_seen"  # new or edited: the next run assesses it
    LEFT_ALONE = "left_alone"  # the service asked for no POD, or takes care of it itself
    UNNUMBERED = Stage.UNNUMBERED
    NEW = Stage.NEW
    WAITING = Stage.WAITING
    READY = Stage.READY
    SETTLED = Stage.SETTLED
    SHELVED = Stage.SHELVED
    GIVEN_UP = Stage.GIVEN_UP


@dataclass(frozen=True)
class ClaimStatus:
    """Where a claim stands. Datetimes are aware UTC; `sentence` says it all for a person, in local time."""

    reference: str
    stage: Standing
    sentence: str
    carrier: str  # as people write it
    attempts: int  # turns used up; a first fetch is not among them
    next_try_at: datetime | None = None  # the first moment at which a run tries it; None: it is not tried
    kind: ErrorKind | None = None  # of what the last attempt ended with
    error: str | None = None  # the same, as it stands in the claim
    pod_path: str | None = None
    signatory: str | None = None
    fetched_at: datetime | None = None
    actor: Actor | None = None  # who can do something about it; None: nothing is in the way


@dataclass(frozen=True)
class FetchResult:
    """How a fetch that was asked for ended. Datetimes are aware UTC; `sentence` says it all for a person."""

    reference: str
    fetched: bool
    sentence: str
    kind: ErrorKind | None = None  # None: the POD is there
    error: str | None = None  # what the carrier said, or what kept it from being asked
    attempt_used: bool = False  # False: nothing was asked, or what came is not the claim's fault
    next_try_at: datetime | None = None
    pod_path: str | None = None
    signatory: str | None = None
    delivered_at: datetime | None = None
    run_id: str = ""
    delivered_day: str | None = None  # an ISO date, where the carrier told no moment


class RecoursError(Exception):
    """Nothing was fetched and nothing was changed. The text is a sentence for a person, in the language asked for."""


class CorrectReferenceError(RecoursError):
    """There is no such claim: correct the reference. `suggestion`: the one that was meant, perhaps."""

    def __init__(self, sentence: str, suggestion: str | None = None) -> None:
        super().__init__(sentence)
        self.suggestion = suggestion


class TryAgainSoonError(RecoursError):
    """A run holds the claim at this moment: try again in a minute."""


class ShowExistingPODError(RecoursError):
    """The claim has its POD already: show that. `pod_path`: where it lies."""

    def __init__(self, sentence: str, pod_path: str | None = None) -> None:
        super().__init__(sentence)
        self.pod_path = pod_path


class NotWantedError(RecoursError):
    """The claim's own status says that no POD is wanted any more: leave it, or change the status."""


class TryLaterError(RecoursError):
    """The database cannot be used now: try later, and tell the operator if it lasts."""


class AskOperatorError(RecoursError):
    """Settings, folders or the network of this machine: only the operator can mend it. `faults`: a sentence each."""

    def __init__(self, sentence: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.faults = faults
