"""What an answer comes to: the one `Failure` or `Retrieved` of it.

A carrier's client reads the answer. `make_outcome` adds what the client does not know: the account that was asked, the parcel,
who caused a refusal, and how long to wait. Nothing changes an outcome after that.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, overload

from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Outcome
from recours.core.pauses import Blame, Refusal
from recours.core.sentences import MISTYPED, OF_CLIENT, Said, Sentence, kind_of, sentence

_OF_THE_NUMBER = frozenset({ErrorKind.NOT_FOUND, ErrorKind.INVALID_TRACKING})

# What a carrier may say of any parcel whose document it does not give, be it delivered or not.
_SHOWS_NOTHING_UNTRACKED = frozenset(
    {
        ErrorKind.INVALID_TRACKING,
        ErrorKind.ACCESS_DENIED,
        ErrorKind.RETURNED_TO_SENDER,
        ErrorKind.NOT_FOUND,
        ErrorKind.NOT_DELIVERED_YET,
        ErrorKind.POD_NOT_AVAILABLE_YET,
    }
)


@dataclass(frozen=True)
class Case:
    """What is known about a call, apart from the answer."""

    carrier: str = ""  # its name
    client: str = ""  # the address of the client whose account was asked; "": the house's
    source: str = ""  # where the account's credentials come from
    mask: Callable[[str], str] = str  # hides secrets in the carrier's texts
    delivery: Delivery | None = None  # known from this fetch
    is_assumed: bool = False  # the document was asked for before the parcel was tracked
    is_mistyped: bool = False  # the number's check digit does not fit
    retry_at: datetime | None = None  # until when the claim, account or carrier is left alone
    blame: Blame | None = None  # who caused a refusal of our account; None: it was not refused
    documents: Refusal | None = None  # why the account gets no documents, where that is to blame
    # How the account was refused before, where the answer to a check leaves open whether it still is.
    unchecked: ErrorKind | None = None
    unusable: str | None = None  # why the document proves nothing; None: it is a proof


class _Statement(NamedTuple):
    kind: ErrorKind
    message: str  # for the log
    explanation: Said | None


@overload
def make_outcome(answer: Failure, case: Case) -> Failure: ...
@overload
def make_outcome(answer: Outcome, case: Case) -> Outcome: ...
def make_outcome(answer: Outcome, case: Case) -> Outcome:
    """The outcome of an answer in this case. `answer`: what the client tells, or why no call was made."""
    if isinstance(answer, Failure):
        return _failure(answer, case)
    if case.unusable is None:
        pieces = tuple(replace(piece, source=case.mask(piece.source)) for piece in answer.pieces)
        return replace(answer, pieces=pieces, delivery=_masked(answer.delivery, case.mask))
    message = f"What the carrier sent as a proof is no document: {case.unusable}"
    facts = Failure.of(Sentence.PROOF_UNUSABLE, message=message)
    return _failure(facts, replace(case, delivery=answer.delivery))


def refusal_text(answer: Failure, case: Case) -> str:
    """The sentence about our account, with the carrier's words and where the credentials come from."""
    text = case.mask(answer.message)
    if case.client and answer.said:
        words = case.mask(answer.said.words)
        text = sentence("en", replace(answer.said, words=words, client=case.client))
    return f"{text} (credentials from {case.source})"


def _failure(answer: Failure, case: Case) -> Failure:
    kind, message, explanation = _statement(answer, case)
    if case.client and explanation and (of_client := OF_CLIENT.get(explanation.key)):
        of_ours = replace(explanation, words="")
        ours, theirs = sentence("en", of_ours), sentence("en", replace(of_ours, key=of_client))
        message = message.replace(ours, theirs)
        explanation = replace(explanation, key=of_client)
    alone = answer.alone or case.blame in (Blame.DOCUMENTS, Blame.CLAIM_LATER)
    delivery = case.delivery and _masked(case.delivery, case.mask)
    retry_at = case.retry_at
    if case.is_assumed:
        # Where our account gets no document, the parcel does not wait for that: it is tracked.
        delivery = None
        retry_at = None if alone else retry_at
        if kind in _SHOWS_NOTHING_UNTRACKED:
            kind = ErrorKind.POD_NOT_AVAILABLE_YET
            message = f"{message} (asked before tracking the parcel, which the next attempt does)"
            explanation = explanation and replace(explanation, key=Sentence.PROOF_UNTRACKED)
    return replace(
        answer,
        kind=kind,
        message=message,
        said=explanation,
        retry_at=retry_at,
        delivery=delivery,
        connected=answer.connected or case.unchecked is not None,
        alone=alone,
        unknown=answer.unknown and case.mask(answer.unknown),
    )


def _statement(answer: Failure, case: Case) -> _Statement:
    """What is said of a failure: the carrier's own words may be no more than a part of it."""
    message = case.mask(answer.message)
    explanation = answer.said and replace(answer.said, words=case.mask(answer.said.words))
    words = explanation.words if explanation else ""
    if case.unchecked:
        explanation = Said(Sentence.CREDENTIALS_UNCHECKED, case.carrier, words, case.client)
        return _Statement(
            case.unchecked, f"{sentence('en', replace(explanation, words=''))}: {message}", explanation
        )
    if case.blame is Blame.ACCOUNT:
        of_account = explanation and replace(explanation, client=case.client)
        return _Statement(answer.kind, refusal_text(answer, case), of_account)
    if case.documents:
        return _Statement(case.documents.kind, case.documents.reason, case.documents.said)
    if case.blame is Blame.CLAIM_LATER:
        message = f"{message} (for this parcel alone: {case.carrier} gives others)"
    elif case.blame is not None:
        explanation = Said(Sentence.PARCEL_DENIED, case.carrier, words)
        return _Statement(kind_of(explanation.key), sentence("en", explanation), explanation)
    elif case.is_mistyped and answer.kind in _OF_THE_NUMBER:
        message = f"{message} (its check digit does not fit: is it mistyped?)"
        explanation = explanation and replace(explanation, key=MISTYPED.get(explanation.key, explanation.key))
    return _Statement(answer.kind, message, explanation)


def _masked(delivery: Delivery, mask: Callable[[str], str]) -> Delivery:
    names = ("signatory", "unknown", "place", "label")
    texts: dict[str, Any] = {name: mask(text) for name in names if (text := getattr(delivery, name))}
    return replace(delivery, **texts)
