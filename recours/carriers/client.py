"""What the clients of all carriers have in common: track first, then ask for the document."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from recours.carriers.message import Response
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Outcome, Retrieved
from recours.core.quota import Capability
from recours.runs.ports import Line, Wait

TOO_MANY = 429

# Answers about the parcel: a service that was shown our account gives them only to an account that it knows.
ABOUT_THE_PARCEL = frozenset(
    {
        ErrorKind.INVALID_TRACKING,
        ErrorKind.NOT_FOUND,
        ErrorKind.ACCESS_DENIED,
        ErrorKind.NOT_DELIVERED_YET,
        ErrorKind.POD_NOT_AVAILABLE_YET,
        ErrorKind.POD_NEVER_AVAILABLE,
    }
)


class Client(ABC):
    """One carrier's protocol.

    Made once for a process and shared by its threads: what it keeps between two fetches must be safe for that.
    """

    spec: ClassVar[CarrierSpec]
    # Whether the tracking call presents our account too.
    tracking_shows_account: ClassVar[bool] = True

    def __init__(self, settings: Mapping[str, str]) -> None:
        """`settings`: one complete set of the spec's credentials, and all its options, by their names."""
        self.settings = settings

    # ---------------------------------------------------------------- what the carriers differ in

    @abstractmethod
    def track(self, number: str, line: Line) -> Delivery | Failure:
        """The delivery, if the parcel is delivered. Raises CallFailed."""

    @abstractmethod
    def prove(self, number: str, delivery: Delivery, line: Line) -> Outcome:
        """The document of a delivered parcel, or why there is none. Raises CallFailed."""

    def opening(self, now: datetime) -> dict[Capability, int]:
        """The calls that the next fetch needs before its own: none, where no token is used."""
        del now
        return {}

    def secrets(self) -> tuple[str, ...]:
        """What an answer must not have us repeat, beside the settings: tokens in use."""
        return ()

    def wait_asked(self, what: Capability, answer: Response, now: datetime) -> Wait | None:
        """Whether an answer asks us to wait. Retry-After is read elsewhere, and goes before a time that is given here."""
        del what, now
        return Wait() if answer.status == TOO_MANY else None

    # ---------------------------------------------------------------- a fetch

    def fetch(self, number: str, known: Delivery | None, line: Line) -> Outcome:
        """The document, or why there is none. `number` has the form of the spec. Raises CallFailed."""
        if known is None:
            tracked = self.track(number, line)
            if self.tracking_shows_account:
                heard(tracked, line)
            if isinstance(tracked, Failure):
                return tracked
            known = tracked
            line.learnt(known)
        outcome = self.prove(number, known, line)
        heard(outcome, line)
        return knowing(outcome, known)

    def present(self, line: Line) -> Outcome:
        """Present the credentials with one call about a number that is nobody's. Raises CallFailed."""
        known = None if self.tracking_shows_account else Delivery()
        return self.fetch(self.spec.sample_number, known, line)


def heard(answer: Delivery | Outcome, line: Line) -> None:
    """Tell the line that our account is good, if the answer of a call that presented it shows so."""
    if not isinstance(answer, Failure) or answer.kind in ABOUT_THE_PARCEL:
        line.credentials_accepted()


def knowing(outcome: Outcome, delivery: Delivery) -> Outcome:
    """A failure with what is known of the delivery: not to be asked again."""
    if isinstance(outcome, Retrieved) or outcome.delivery is not None:
        return outcome
    return replace(outcome, delivery=delivery)
