"""Base classes of the carrier clients, which track a parcel first and then request its document."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from recours.carriers.message import CarrierSession, Request, Response, Wait
from recours.carriers.oauth import Tokens, TokenService
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.errors import ABOUT_PARCEL, ErrorKind, RunError
from recours.core.outcome import CallError, Failure, Outcome, Retrieved
from recours.core.quota import Capability
from recours.core.sentences import Sentence

TOO_MANY = 429


class Client(ABC):
    """Implements one carrier's API.

    A process creates one client per account, and its threads share it. Any state kept between fetches must be
    thread-safe.
    """

    spec: ClassVar[CarrierSpec]
    # Whether tracking calls send our credentials.
    tracking_shows_account: bool = True
    # Whether "access denied" always means that the parcel belongs to another customer, not that our account is denied.
    denies_by_parcel: ClassVar[bool] = False
    token_service: ClassVar[TokenService | None] = None  # set if each call needs a token
    _tokens: Tokens | None = None

    def __init__(self, settings: Mapping[str, str]) -> None:
        """`settings`: the values of one complete set of the spec's credentials and of all its options, by name."""
        self.settings = settings
        if service := self.token_service:
            user, password = (settings[name] for name in self.spec.credentials[0][:2])
            self._tokens = Tokens(self.spec.name, service, service.request(settings, user, password))

    # ---------------------------------------------------------------- implemented by each carrier

    # Implement one of the next two methods: `track_many` if one call can track several parcels, else `track`.

    def track(self, number: str, session: CarrierSession) -> Delivery | Failure:
        """The delivery, or why the parcel is not delivered. Raises CallError."""
        results = self.track_many([number], session)
        return results if isinstance(results, Failure) else results[number]

    def track_many(
        self, numbers: Sequence[str], session: CarrierSession
    ) -> Mapping[str, Delivery | Failure] | Failure:
        """Track several parcels with one call. Raises CallError.

        Returns a result for each number in the answer, or a single failure if the whole answer is unusable.
        """
        return {number: self.track(number, session) for number in numbers}

    @abstractmethod
    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        """The document of a delivered parcel, or why it is missing. Raises CallError."""

    def setup_calls(self, now: datetime) -> dict[Capability, int]:
        """The setup calls before the next fetch: a token call, or none."""
        return self._tokens.setup_calls(now) if self._tokens else {}

    def secrets(self) -> tuple[str, ...]:
        """The tokens in use, to be redacted from texts. The other secrets are in the settings."""
        return self._tokens.secrets() if self._tokens else ()

    def call(self, capability: Capability, request: Request, session: CarrierSession) -> Response:
        """Send a request, with a token if the carrier requires one. Raises CallError."""
        return (
            self._tokens.call(capability, request, session)
            if self._tokens
            else session.call(capability, request)
        )

    def wait_asked(self, capability: Capability, answer: Response, now: datetime) -> Wait | None:
        """Return a Wait if the answer asks us to wait. A Retry-After header overrides its time."""
        del capability, now
        return Wait() if answer.status == TOO_MANY else None

    # ---------------------------------------------------------------- a fetch

    def fetch(self, number: str, delivery: Delivery | None, session: CarrierSession) -> Outcome:
        """The document, or why it is missing. Raises CallError.

        `number` has the format in the spec. `delivery`: the delivery known from tracking; None: not tracked yet.
        """
        if delivery is None:
            return self.fetch_tracked(number, self.track(number, session), session)
        return self._proved(number, delivery, session)

    def fetch_tracked(self, number: str, tracked: Delivery | Failure, session: CarrierSession) -> Outcome:
        """Request the document if the parcel is delivered. `tracked`: the result of `track_many`. Raises CallError."""
        if self.tracking_shows_account:
            self.note_accepted(tracked, session)
        if isinstance(tracked, Failure):
            return tracked
        session.delivery_known(tracked)
        return self._proved(number, tracked, session)

    def _proved(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        outcome = self.fetch_proof(number, delivery, session)
        self.note_accepted(outcome, session)
        return add_delivery(outcome, delivery)

    def note_accepted(self, answer: Delivery | Outcome, session: CarrierSession) -> None:
        """Record in the session that our account was accepted, if this answer to a call with credentials shows it."""
        kind = answer.kind if isinstance(answer, Failure) else None
        denied_by_parcel = self.denies_by_parcel and kind is ErrorKind.ACCESS_DENIED
        if kind is None or kind in ABOUT_PARCEL or denied_by_parcel:
            session.credentials_accepted()

    def check_credentials(self, session: CarrierSession) -> Outcome:
        """Test the credentials with one call for the sample number. Raises CallError."""
        if not self.tracking_shows_account:
            return self.fetch(self.spec.sample_number, Delivery(is_assumed=True), session)
        tracked = self.track(self.spec.sample_number, session)
        self.note_accepted(tracked, session)
        if isinstance(tracked, Failure):
            return tracked
        # A check requests no document, even if the parcel is delivered.
        return Failure.of(Sentence.PROOF_PENDING, self.spec.name, delivery=tracked)


class OneCallClient(Client):
    """A carrier with a single call for status and document. The call is made even if the delivery is known.

    `fetch_proof` makes the call and adds known facts about the delivery to the answer.
    """

    def track(self, number: str, session: CarrierSession) -> Delivery | Failure:
        outcome = self.fetch_proof(number, Delivery(), session)
        return outcome.delivery or outcome if isinstance(outcome, Failure) else outcome.delivery

    def fetch(self, number: str, delivery: Delivery | None, session: CarrierSession) -> Outcome:
        outcome = self.fetch_proof(number, delivery or Delivery(), session)
        self.note_accepted(outcome, session)
        return outcome if delivery is None else add_delivery(outcome, delivery)


class StatusClient(Client):
    """A carrier that issues no documents. `track` makes the only call and returns a failure, with any delivery."""

    @staticmethod
    @abstractmethod
    def no_proof(delivery: Delivery) -> Failure:
        """The failure to report for a delivered parcel."""

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        """Return the failure without a call, because the carrier issues no documents."""
        del number, session
        return self.no_proof(delivery)

    def fetch(self, number: str, delivery: Delivery | None, session: CarrierSession) -> Outcome:
        """Track the parcel unless its delivery is already known. Raises CallError."""
        if delivery is not None:
            return self.fetch_proof(number, delivery, session)
        return super().fetch(number, delivery, session)


def further_evidence(session: CarrierSession, request: Request) -> Response | None:
    """Make one more call for evidence. Return None if no call is left or the call fails."""
    try:
        return session.call(Capability.POD, request)
    except (CallError, RunError):
        return None


def add_delivery(outcome: Outcome, delivery: Delivery | None) -> Outcome:
    """Add a known delivery to a failure, so that the next attempt need not track the parcel again."""
    if isinstance(outcome, Retrieved) or outcome.delivery is not None:
        return outcome
    return replace(outcome, delivery=delivery)
