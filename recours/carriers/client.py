"""What the clients of all carriers have in common: track first, then ask for the document."""

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
    """One carrier's protocol.

    Made once for a process and shared by its threads: what it keeps between two fetches must be safe for that.
    """

    spec: ClassVar[CarrierSpec]
    # Whether the tracking call presents our account too.
    tracking_shows_account: bool = True
    # Whether what is denied is denied for one parcel, as another customer's; else our account may be at fault.
    denies_by_parcel: ClassVar[bool] = False
    token_service: ClassVar[TokenService | None] = None  # where a token goes with each call
    _tokens: Tokens | None = None

    def __init__(self, settings: Mapping[str, str]) -> None:
        """`settings`: one complete set of the spec's credentials, and all its options, by their names."""
        self.settings = settings
        if service := self.token_service:
            user, password = (settings[name] for name in self.spec.credentials[0][:2])
            self._tokens = Tokens(self.spec.name, service, service.request(settings, user, password))

    # ---------------------------------------------------------------- what the carriers differ in

    # A client has one of the next two: `track_many` where one call can be about several parcels.

    def track(self, number: str, session: CarrierSession) -> Delivery | Failure:
        """The delivery, if the parcel is delivered. Raises CallError."""
        results = self.track_many([number], session)
        return results if isinstance(results, Failure) else results[number]

    def track_many(
        self, numbers: Sequence[str], session: CarrierSession
    ) -> Mapping[str, Delivery | Failure] | Failure:
        """Track several parcels with one call; a failure if the answer is about none of them. Raises CallError.

        Numbers that are not in the answer are left out.
        """
        return {number: self.track(number, session) for number in numbers}

    @abstractmethod
    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        """The document of a delivered parcel, or the failure that explains its absence. Raises CallError."""

    def setup_calls(self, now: datetime) -> dict[Capability, int]:
        """The calls that the next fetch needs before its own: none, where no token is used."""
        return self._tokens.setup_calls(now) if self._tokens else {}

    def secrets(self) -> tuple[str, ...]:
        """Secrets beside those of the settings, which no text may repeat: tokens in use."""
        return self._tokens.secrets() if self._tokens else ()

    def call(self, capability: Capability, request: Request, session: CarrierSession) -> Response:
        """Send a request, with a token if the carrier wants one. Raises CallError."""
        return (
            self._tokens.call(capability, request, session)
            if self._tokens
            else session.call(capability, request)
        )

    def wait_asked(self, capability: Capability, answer: Response, now: datetime) -> Wait | None:
        """Whether an answer asks us to wait. Retry-After is read elsewhere, and goes before a time that is given here."""
        del capability, now
        return Wait() if answer.status == TOO_MANY else None

    # ---------------------------------------------------------------- a fetch

    def fetch(self, number: str, delivery: Delivery | None, session: CarrierSession) -> Outcome:
        """The document, or the failure that explains its absence. `number` has the form of the spec; `delivery`: what is known of it already. Raises CallError."""
        if delivery is None:
            return self.fetch_tracked(number, self.track(number, session), session)
        return self._proved(number, delivery, session)

    def fetch_tracked(self, number: str, tracked: Delivery | Failure, session: CarrierSession) -> Outcome:
        """Ask for the document if the parcel is delivered. `tracked`: of `track_many`. Raises CallError."""
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
        """Tell the session that our account is good, if the answer of a call that presented it shows so."""
        kind = answer.kind if isinstance(answer, Failure) else None
        denied_by_parcel = self.denies_by_parcel and kind is ErrorKind.ACCESS_DENIED
        if kind is None or kind in ABOUT_PARCEL or denied_by_parcel:
            session.credentials_accepted()

    def check_credentials(self, session: CarrierSession) -> Outcome:
        """Present the credentials with one call about the sample number. Raises CallError."""
        if not self.tracking_shows_account:
            return self.fetch(self.spec.sample_number, Delivery(is_assumed=True), session)
        tracked = self.track(self.spec.sample_number, session)
        self.note_accepted(tracked, session)
        if isinstance(tracked, Failure):
            return tracked
        # No document is asked for.
        return Failure.of(Sentence.PROOF_PENDING, self.spec.name, delivery=tracked)


class OneCallClient(Client):
    """A carrier whose one call tells the status and brings the document: it is made whether the delivery is known or not.

    `fetch_proof` makes it, and fills with the given delivery what is missing in the answer.
    """

    def track(self, number: str, session: CarrierSession) -> Delivery | Failure:
        outcome = self.fetch_proof(number, Delivery(), session)
        return outcome.delivery or outcome if isinstance(outcome, Failure) else outcome.delivery

    def fetch(self, number: str, delivery: Delivery | None, session: CarrierSession) -> Outcome:
        outcome = self.fetch_proof(number, delivery or Delivery(), session)
        self.note_accepted(outcome, session)
        return outcome if delivery is None else add_delivery(outcome, delivery)


class StatusClient(Client):
    """A carrier that issues no documents: `track` gives a failure with the delivery in it, and that is the end of asking."""

    @staticmethod
    @abstractmethod
    def no_proof(delivery: Delivery) -> Failure:
        """What there is to say of a delivered parcel."""

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        """Without a call: there is no document to ask for."""
        del number, session
        return self.no_proof(delivery)

    def fetch(self, number: str, delivery: Delivery | None, session: CarrierSession) -> Outcome:
        """The status, unless the delivery is known: then there is nothing to ask. Raises CallError."""
        if delivery is not None:
            return self.fetch_proof(number, delivery, session)
        return super().fetch(number, delivery, session)


def further_evidence(session: CarrierSession, request: Request) -> Response | None:
    """The answer of one more call for evidence; None if none is left or it fails: what is there already is not lost for that."""
    try:
        return session.call(Capability.POD, request)
    except (CallError, RunError):
        return None


def add_delivery(outcome: Outcome, delivery: Delivery | None) -> Outcome:
    """A failure with what is known of the delivery, if anything is: not to be asked again."""
    if isinstance(outcome, Retrieved) or outcome.delivery is not None:
        return outcome
    return replace(outcome, delivery=delivery)
