"""The interface between the sandbox and a simulated carrier, and the answers common to all carriers."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from recours.sandbox.scenarios import PROOF, WHEREABOUTS, ParcelState, Scenario

if TYPE_CHECKING:
    from socket import socket
    from threading import Event


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. The server adds the length and connection headers."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain;charset=UTF-8"
    headers: tuple[tuple[str, str], ...] = ()
    # Sends the answer in place of the server, and returns when the event is set. The connection is then closed.
    sender: "Callable[[Answer, socket, Event], None] | None" = None


@dataclass(frozen=True)
class HttpRequest:
    """A request as received. `path` excludes the query; the names of `headers` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""


@dataclass(frozen=True)
class Question:
    """A parsed request, with an account and its password, a token, or neither."""

    operation: str
    number: str = ""  # empty if the request is not about a parcel
    more_numbers: tuple[str, ...] = ()  # further parcels of the same call
    tracking: bool = False  # the first call of a fetch, about the parcel's status
    # Scenarios in which this call does not use up the step, because a later call of the fetch does.
    continues_in: Collection[Scenario] = ()
    # The account and its password. None if the call needs no password.
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    bearer: str = field(default="", repr=False)
    token_account: str = ""  # the account that the token was issued to, set by the sandbox
    is_token_request: bool = False
    details: Mapping[str, str] = field(default_factory=dict)  # other values that the answer depends on

    @property
    def account(self) -> str:
        return self.credentials[0] if self.credentials else self.token_account

    @property
    def password(self) -> str:
        return self.credentials[1] if self.credentials else ""


class BadRequestError(Exception):
    """A request violates the carrier's rules. Contains the carrier's answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body.decode("utf-8", "replace"))
        self.answer = answer


class SimulatedCarrier(ABC):
    """The interface of a simulated carrier. The result of each method depends only on its arguments."""

    key: ClassVar[str]  # the carrier's key, as in the database
    paths: ClassVar[tuple[str, ...]]  # a path that ends with a slash includes the paths below it
    # The names of the settings for the account and its password. A single setting is a key that contains both.
    credentials: ClassVar[tuple[str, ...]]
    number_form: ClassVar[str]  # format string for `example`, if the number has no check digit
    prefix: ClassVar[int] = 0  # characters of a number before the digits that choose the scenario
    # Whether any account may track a parcel. If so, only the proof is reserved for the owner's account.
    tracks_for_all: ClassVar[bool] = True

    def owns(self, path: str) -> bool:
        return any(path.startswith(own) if own.endswith("/") else path == own for own in self.paths)

    @abstractmethod
    def read(self, request: HttpRequest) -> Question:
        """Parse a request. Raises BadRequestError."""

    def answer(self, question: Question, state: ParcelState) -> Answer:
        """Answer in the format of the carrier, or of the proxy in front of its service."""
        if state.scenario in _READY_MADE:
            return _READY_MADE[state.scenario]
        refusal = self.refusal(question, state)
        if state.scenario is Scenario.RATE_LIMITED:
            wait = state.parcel.retry_after
            headers = (("Retry-After", wait),) if wait is not None else ()
            return replace(refusal or Answer(429, b"Too many requests"), headers=headers)
        return refusal or self.good(question, state)

    @abstractmethod
    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        """The carrier's error if the scenario is an error, or else None."""

    @abstractmethod
    def good(self, question: Question, state: ParcelState) -> Answer:
        """The answer in all other scenarios."""

    def hides(self, question: Question) -> Collection[Scenario]:
        """The scenarios in which the carrier tells other accounts that the parcel is not theirs."""
        return PROOF if question.tracking and self.tracks_for_all else PROOF | WHEREABOUTS

    def has_credentials(self, question: Question, account: str, password: str) -> bool:
        """Return whether a question has the credentials of this account."""
        return question.credentials == (account, password)

    def settings(self, account: str, password: str) -> dict[str, str]:
        """The settings for these credentials, by name."""
        values = (account, password) if len(self.credentials) > 1 else (key_of(account, password),)
        return dict(zip(self.credentials, values, strict=True))

    def example(self, digits: str, serial: int) -> str:
        """A number in the carrier's format, with its check digit. The two `digits` choose the scenario.

        `serial`, below 100,000, makes the number unique.
        """
        return self.number_form.format(digits=digits, serial=serial)

    def digits_of(self, number: str) -> str:
        """The two digits of a number that choose the scenario. Any other text means that the number is unknown."""
        return "".join(re.findall(r"[0-9]", number[self.prefix :]))[:2]


class TracksSeveral(SimulatedCarrier):
    """A carrier that tracks several numbers in one call."""

    items_path: ClassVar[tuple[str, ...]]  # path to the list of parcels in a good answer

    def items_of(self, answer: Answer) -> list[Any] | None:
        """The items of an answer about one parcel, for `joined`, or None if the answer concerns the whole call."""
        items = part_of(answer, *self.items_path)
        return items if isinstance(items, list) else None

    @abstractmethod
    def joined(self, items: Sequence[Any]) -> Answer:
        """The answer about several parcels."""


class GivesTokens(SimulatedCarrier):
    """A carrier that issues a token for an account and requires it in its calls."""

    @abstractmethod
    def token(self, question: Question, token: str | None, life: int) -> Answer:
        """The answer to a token request: a token that expires after `life` seconds, or a refusal if `token` is None."""


def key_of(account: str, password: str) -> str:
    """A single key that contains an account and its password."""
    return f"{account}-{password}"


def account_of(key: str) -> tuple[str, str]:
    """The account and the password in a single key."""
    account, _, password = key.partition("-")
    return account, password


def part_of(answer: Answer, *path: str) -> Any:
    """The value at the end of a path of names in an answer, or None if the answer is not JSON or has no such path."""
    try:
        tree = json.loads(answer.body)
        for name in path:
            tree = tree[name]
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    return tree


def page(status: int, title: str, text: str) -> Answer:
    body = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"
    return Answer(status, body.encode(), "text/html;charset=UTF-8")


_READY_MADE = {
    Scenario.HTML: page(200, "Maintenance", "Nos services sont momentanément indisponibles."),
    Scenario.MAINTENANCE: page(503, "Service indisponible", "Maintenance en cours."),
    Scenario.BAD_GATEWAY: page(502, "502 Bad Gateway", "The upstream server did not answer."),
    Scenario.EMPTY: Answer(200, b"", "text/xml;charset=UTF-8"),
}
