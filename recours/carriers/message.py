"""Requests to carriers, their responses, and the session through which a client makes calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple, Protocol

from recours.core.claim import Delivery
from recours.core.quota import Capability


@dataclass(frozen=True)
class Request:
    """A call to a carrier. `path` starts with a slash; the body is sent unchanged.

    `origin` (https://host) is for rare calls to a host other than that of the base URL. A base URL set by the operator
    replaces `origin` too.
    """

    method: str
    path: str = field(repr=False)  # the query may contain a password
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    origin: str = ""


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]  # names are case-insensitive
    body: bytes = field(repr=False)

    @property
    def is_ok(self) -> bool:
        return self.status == HTTPStatus.OK

    @property
    def is_server_error(self) -> bool:
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class Wait(NamedTuple):
    """A carrier's request to wait. `until` is aware UTC, or None if the carrier gave no time."""

    until: datetime | None = None


class CarrierSession(Protocol):
    """Makes a client's calls. Each call first consumes a unit of the carrier's quota."""

    def now(self) -> datetime:
        """Aware UTC."""

    def call(self, capability: Capability, request: Request) -> Response:
        """Send the request. Raises CallError if the call returns nothing to parse."""

    def pause(self) -> None:
        """Sleep for a few seconds before a call is repeated."""

    def delivery_known(self, delivery: Delivery) -> None:
        """Store the delivery as soon as it is known. A later failure does not discard it.

        Raises CallError if the delivery is too old to belong to the claim, because carriers reuse their numbers.
        """

    def credentials_accepted(self) -> None:
        """Record that the carrier accepted our account, as an answer shows."""
