"""What is sent to a carrier, what comes back, and who says it: a carrier's client over a session."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple, Protocol

from recours.core.claim import Delivery
from recours.core.quota import Capability


@dataclass(frozen=True)
class Request:
    """A call to a carrier: `path` begins with a slash; the body is sent as it is.

    `origin` (https://host) is for the rare call that goes elsewhere than to the carrier's base URL; a base URL that a
    person has set stands for that too.
    """

    method: str
    path: str = field(repr=False)  # a query may hold a password
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    origin: str = ""


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]  # found whatever the case of the name
    body: bytes = field(repr=False)

    @property
    def is_ok(self) -> bool:
        return self.status == HTTPStatus.OK

    @property
    def is_server_error(self) -> bool:
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class Wait(NamedTuple):
    """A carrier asks us to wait. `until` is aware UTC; None: it named no time."""

    until: datetime | None = None


class CarrierSession(Protocol):
    """How a carrier's client speaks to it: every call takes its unit of quota first."""

    def now(self) -> datetime:
        """Aware UTC."""

    def call(self, capability: Capability, request: Request) -> Response:
        """Send the request. Raises CallError if no answer to parse came."""

    def pause(self) -> None:
        """Wait the few seconds after which a call may be repeated."""

    def delivery_known(self, delivery: Delivery) -> None:
        """Called by the client when it knows that the parcel is delivered: a later failure keeps it.

        Raises CallError if the delivery is too old to be the claim's: carriers use their numbers again.
        """

    def credentials_accepted(self) -> None:
        """Called by the client when an answer shows that our account was accepted."""
