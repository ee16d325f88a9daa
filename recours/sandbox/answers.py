"""What passes between the sandbox and a simulated carrier, and the answers that are the same for all of them."""

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
    """An HTTP answer. Its length and connection headers are the wire's business."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain;charset=UTF-8"
    headers: tuple[tuple[str, str], ...] = ()
    # Sends the answer in the server's place and waits no longer than until the event; the connection ends with it.
    sender: "Callable[[Answer, socket, Event], None] | None" = None


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came. `path` is without the query, the names of `headers` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""


@dataclass(frozen=True)
class Question:
    """A request as a carrier understood it. It shows an account and its password, or a token, or nothing of the kind."""

    operation: str
    number: str = ""  # "": it is about no parcel
    also: tuple[str, ...] = ()  # more parcels that the one call is about
    tracking: bool = False  # the first call of a fetch, about the parcel's state
    # In these scenarios another call follows, which plays the step: this one does not use it up.
    goes_on: Collection[Scenario] = ()
    # Account and password; None: it needs none.
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    bearer: str = field(default="", repr=False)
    holder: str = ""  # the account that the token was given to, which the sandbox knows
    asks_token: bool = False
    details: Mapping[str, str] = field(default_factory=dict)  # what else the carrier's answer depends on

    @property
    def account(self) -> str:
        return self.credentials[0] if self.credentials else self.holder

    @property
    def password(self) -> str:
        return self.credentials[1] if self.credentials else ""


class BadRequestError(Exception):
    """A request that breaks the carrier's rules, with the answer it gets."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body.decode("utf-8", "replace"))
        self.answer = answer


class SimulatedCarrier(ABC):
    """What the sandbox asks of each carrier. All of it is pure."""

    key: ClassVar[str]  # the carrier's canonical name, as in the database
    paths: ClassVar[tuple[str, ...]]  # and those below one that ends with a slash
    # The settings that hold account and password; a single one holds a key that stands for both.
    credentials: ClassVar[tuple[str, ...]]
    number_form: ClassVar[str]  # of `example`, where the number has no check digit
    prefix: ClassVar[int] = 0  # signs of a number before the digits that choose
    # Whether its tracking tells every account where a parcel is, and keeps the proof alone for the owner's.
    tracks_for_all: ClassVar[bool] = True

    def owns(self, path: str) -> bool:
        return any(path.startswith(own) if own.endswith("/") else path == own for own in self.paths)

    @abstractmethod
    def read(self, request: HttpRequest) -> Question:
        """Understand a request. Raises BadRequestError."""

    def answer(self, question: Question, state: ParcelState) -> Answer:
        """Answer in the carrier's own form, or as what stands in front of its service does."""
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
        """The error, if the scenario is one."""

    @abstractmethod
    def good(self, question: Question, state: ParcelState) -> Answer:
        """The answer that is no error."""

    def hides(self, question: Question) -> Collection[Scenario]:
        """The scenarios in which the carrier says to other accounts that the parcel is not theirs."""
        return PROOF if question.tracking and self.tracks_for_all else PROOF | WHEREABOUTS

    def shows(self, question: Question, account: str, password: str) -> bool:
        """Whether a question shows this account and its password."""
        return question.credentials == (account, password)

    def settings(self, account: str, password: str) -> dict[str, str]:
        """The settings that hold these credentials, by their names."""
        values = (account, password) if len(self.credentials) > 1 else (key_of(account, password),)
        return dict(zip(self.credentials, values, strict=True))

    def example(self, digits: str, serial: int) -> str:
        """A number of the carrier's form, check digit included, whose two `digits` choose what happens to its parcel.

        `serial`: below 100,000; another one gives another number.
        """
        return self.number_form.format(digits=digits, serial=serial)

    def digits_of(self, number: str) -> str:
        """The two digits of a number that choose what happens to its parcel; anything else: it is unknown."""
        return "".join(re.findall(r"[0-9]", number[self.prefix :]))[:2]


class TracksSeveral(SimulatedCarrier):
    """A carrier that tracks several numbers in one call."""

    items_path: ClassVar[tuple[str, ...]]  # to what a good answer holds about its parcels

    def items_of(self, answer: Answer) -> list[Any] | None:
        """What an answer holds about its one parcel, to be joined with others; None if it is about the whole call."""
        items = part_of(answer, *self.items_path)
        return items if isinstance(items, list) else None

    @abstractmethod
    def joined(self, items: Sequence[Any]) -> Answer:
        """The answer about several parcels."""


class GivesTokens(SimulatedCarrier):
    """A carrier that gives a token for an account, and is asked with it."""

    @abstractmethod
    def token(self, question: Question, token: str | None, life: int) -> Answer:
        """The answer to a question that asks for a token: one that holds for `life` seconds, or a refusal (None)."""


def key_of(account: str, password: str) -> str:
    """A single key that stands for an account and its password."""
    return f"{account}-{password}"


def account_of(key: str) -> tuple[str, str]:
    """The account and the password that a single key stands for."""
    account, _, password = key.partition("-")
    return account, password


def part_of(answer: Answer, *path: str) -> Any:
    """What lies at the end of the path of names in an answer; None if it is no JSON, or has no such part."""
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
