"""A table of handwritten answers for each carrier, with their meaning. `test_rules.py` checks every client with them.

The tables are called `TABLE` and are in the carriers' test files, such as `test_ups.py`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recours.carriers.client import Client
from recours.carriers.message import Response
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Outcome, Retrieved
from tests.fakes.answers import raw
from tests.fakes.checks import as_failure
from tests.fakes.session import FakeSession, fetched

Answers = Response | Sequence[Response]
# An answer that replaces a call's usual answer, its meaning, and a part of the report if a code is unknown.
Row = tuple[Answers, ErrorKind] | tuple[Answers, ErrorKind, str]


def several(answers: Answers) -> tuple[Response, ...]:
    return (answers,) if isinstance(answers, Response) else tuple(answers)


def same(_place: int, _name: str, meaning: ErrorKind) -> ErrorKind:
    """The usual meaning: at most carriers, a bad answer means the same in each call."""
    return meaning


@dataclass(frozen=True)
class Table:
    """One carrier's answers.

    `answers`: the answers to the calls of a fetch, without the token call. The fetch returns `proof`, or `known` if the
    carrier issues no documents. Tests of other answers about a parcel replace the first of `answers`.
    """

    make: Callable[[], Client]  # makes a client with the carrier's settings
    number: str
    facts: Mapping[str, Any]  # fields of the spec
    answers: tuple[Response, ...]
    known: Delivery
    proof: Retrieved | None
    no_numbers: str  # numbers in a wrong format, separated by spaces
    numbers: str = ""  # numbers in the carrier's format, separated by spaces
    good_check_digits: Sequence[str] = ()
    bad_check_digits: Sequence[str] = ()

    # For each call, answers that replace the usual answer, with their meaning.
    errors: Sequence[Mapping[str, Row]] = ()
    # The meaning of an answer that no carrier should give, by call and name. None if it is not checked.
    of_no_answer: Callable[[int, str, ErrorKind], ErrorKind | None] = same
    make_answer: Callable[..., Response] = raw
    limited: Sequence[Response] = (raw("", 429),)
    accepted: Sequence[tuple[Answers, bool]] = ()  # and whether they show that our account is accepted
    accepted_known: Sequence[tuple[Answers, bool]] = ()  # the same for a known delivery
    hostile: Sequence[Answers] = ()
    whole: Sequence[Response] = ()  # further answers that tests damage
    nobody: tuple[Response, ErrorKind] | None = None  # the answer for the sample number, with its meaning
    sample_sent: str = ""  # the sample number as sent, if it is sent in another format
    known_at: Sequence[Delivery | None] = ()  # what is known about the delivery before each call
    of_another: Sequence[Answers] = ()  # answers about other parcels only
    of_several: Callable[[Sequence[str]], Response] | None = None  # about several parcels in transit

    status: Callable[[str], Response] | None = None  # an answer whose latest event has this code and `label`
    label: str = "Un événement"  # includes {code} if the event has no text
    delivered: Sequence[str] = ()  # codes of a delivery
    not_delivered: Iterable[str] = ()
    strange: Sequence[str] = ()
    times: Sequence[tuple[Answers, datetime | None]] = ()
    signed: Callable[[str], Answers] | None = None  # answers with this signatory
    signatories: Sequence[tuple[Answers, str | None]] = ()
    encoded: Callable[[str], Response] | None = None  # the last answer, with this base64 text

    token: Callable[[str], Response] | None = None
    expired: Response | None = None
    no_token: Sequence[tuple[Response, str]] = ()  # token answers, and their words about our account
    bare: Response | None = None  # an answer about a delivery without details
    nameless: Response | None = None

    @property
    def spec(self) -> CarrierSpec:
        return self.make().spec

    @property
    def at(self) -> Sequence[Delivery | None]:
        """The known delivery at each call."""
        return self.known_at or (None, *[self.known] * (len(self.answers) - 1))

    def with_token(self, answers: Iterable[Response | Failure]) -> list[Response | Failure]:
        return [*([self.token("tok")] if self.token else []), *answers]

    def fetch(
        self, *answers: Response | Failure, known: Delivery | None = None, number: str = ""
    ) -> tuple[Outcome, FakeSession]:
        """Fetch with a token. `answers`: for all calls except the token call; all must be used. Raises CallError."""
        return fetched(self.make(), number or self.number, self.with_token(answers), known)

    def failure_of(
        self, *answers: Response | Failure, known: Delivery | None = None, number: str = ""
    ) -> Failure:
        failure = as_failure(self.fetch(*answers, known=known, number=number)[0])
        assert failure.message.isprintable()
        assert self.spec.name in failure.message or failure.kind is ErrorKind.NOT_DELIVERED_YET
        return failure

    def outcome_of(self, *answers: Response, known: Delivery | None = None) -> Outcome:
        """The outcome of a fetch with these answers, the last of which is repeated."""
        client, scripted = self.make(), self.with_token([*answers, *[answers[-1]] * 4])
        return client.fetch(self.number, known, FakeSession(scripted, client, checks_requests=False))
