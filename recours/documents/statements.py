"""What the sentences of a text say of a parcel: that it was delivered, or that it was not.

A sentence is read clause by clause. What stands before a participle, up to a comma, may deny it ("could not be"), plan it
("will be") or doubt it ("according to your site"). A clause that begins with "that" is read together with the one before it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from recours.documents import phrases
from recours.documents.dates import MONTH, dates_in

_LONGEST = 500  # characters of a sentence
_MOST_SAID = 5  # participles of a sentence that are looked at
_FEWEST_BLANKS = 3  # of a sentence; what has fewer is a status or an event
# A full stop ends no sentence behind a title, an initial or the day of a date.
_END = re.compile(
    r"(?<!\b[a-z])(?<!\b[a-z]{2})(?<!\bmme)(?<!\bmrs)(?<!\bsig)(?<!\bsra)(?<!\bdhr)(?<!\bmlle)(?<!\bmevr)(?<!\bnum)"
    rf"(?:(?<![ (]\d)(?<![ (]\d\d)\.|(?<=\d)\.(?! (?:{MONTH}|\d)))(?!\w)"
    r"|(?<=\b(?:it|so|da|an))\.(?= )|[;!?|]|, (?=(?:so|donc|daher|quindi|dus|por lo que) )"
)


@dataclass(frozen=True)
class Statement:
    """`start` and `end`: of what it says; `said` and `behind`: of the participle in it."""

    start: int
    end: int
    said: int
    behind: int


def statements(folded: str, number: str = "") -> Iterator[Statement]:
    """The sentences that say that something was delivered; `number`: of our parcel, folded."""
    for start, end in _sentences(folded):
        said = stated(folded[start:end], number)
        if said and folded[end - 1] != "?":
            # Behind it another parcel may be announced, or another attempt told.
            other = phrases.NOT_YET.search(folded, start + said.end(), end)
            yield Statement(start, other.start() if other else end, start + said.start(), start + said.end())


class Weight(IntEnum):
    """How an objection weighs: until a delivery is told, until a sentence tells of one (the recipient says it), or for good."""

    REPORTED = 1
    CLAIMED = 2
    RETURNED = 3


def objections(folded: str) -> Iterator[tuple[int, Weight]]:
    """Where sentences say that the parcel did not arrive, and how that weighs."""
    for start, end in _sentences(folded):
        sentence = folded[start:end]
        if (
            sentence.count(" ") < _FEWEST_BLANKS
            or sentence.endswith("?")
            or phrases.CONDITION.search(sentence)
            or phrases.GENERAL.search(sentence)
        ):
            continue
        if own := phrases.NOT_RECEIVED.search(sentence):
            is_told = phrases.ADDRESSED.search(sentence, 0, own.start()) is not None
            yield start + own.start(), Weight.REPORTED if is_told else Weight.CLAIMED
        for match in phrases.OBJECTION.finditer(sentence):
            if not phrases.NEGATED.search(sentence[: match.start()]):
                yield start + match.start(), Weight.RETURNED if match["returned"] else Weight.REPORTED
        for said in phrases.DELIVERED.finditer(sentence):
            if _is_negated(sentence[: said.start()], sentence[said.end() :]):
                yield start + said.start(), Weight.REPORTED


def _sentences(folded: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in [*(match.end() for match in _END.finditer(folded)), len(folded)]:
        while start < end:
            yield start, min(end, start + _LONGEST)
            start = min(end, start + _LONGEST)


def stated(sentence: str, number: str = "") -> re.Match[str] | None:
    """What says in a sentence that something was delivered; None: nothing does."""
    for count, said in enumerate(phrases.DELIVERED.finditer(sentence)):
        if count == _MOST_SAID:
            return None
        before, behind = sentence[: said.start()], sentence[said.end() :]
        if (said["collected"] or said["received"]) and not _is_by_recipient(sentence, said):
            continue
        is_waiting = not said["collected"] and phrases.TO_PICKUP_POINT.match(behind)
        if not (is_waiting or is_denied(before, behind)) and (
            phrases.BEGINS.match(before)
            or phrases.HAPPENED.search(before)
            or dates_in(sentence)
            or (number and number in sentence)
        ):
            return said
    return None


def _is_by_recipient(sentence: str, said: re.Match[str]) -> bool:
    """Tell whether "collected" or "received" is said of the recipient: in a claim it is of the claim."""
    is_at_pickup_point = bool(said["collected"]) and phrases.PICKUP_POINT.search(sentence) is not None
    return (
        (
            is_at_pickup_point
            or phrases.RECIPIENT.search(sentence) is not None
            or (bool(said["collected"]) and phrases.BY_SOMEBODY.match(sentence, said.end()) is not None)
        )
        and not phrases.BY_CARRIER.match(sentence, said.end() + 1)
        and not (said["received"] and phrases.CLAIM.search(sentence))
    )


def is_denied(before: str, behind: str = "") -> bool:
    """Tell whether what stands in a sentence around its participle makes it a plan, an attempt, a rule, a doubt or a step to come."""
    return bool(
        phrases.CONDITION.search(before)
        or phrases.DOUBT.search(before)
        or phrases.DOUBT.search(behind)
        or phrases.NOT_YET.search(before)
        or _is_negated(before, behind)
        or phrases.STEP_BEFORE.search(before)
        or phrases.STEP_BEHIND.match(behind)
        or phrases.ONWARD.match(behind)
        or phrases.OF_A_RULE.search(behind)
        or phrases.OF_ITS_SENDER.search(before)
        or phrases.OF_ITS_SENDER.search(behind)
    )


def _is_negated(before: str, behind: str) -> bool:
    return bool(
        phrases.NEGATED.search(_clause(before)) or phrases.NEGATED_BEHIND.match(behind.partition(",")[0])
    )


def _clause(before: str) -> str:
    """The clause that ends a text, with the one on which it depends."""
    clauses = phrases.CLAUSE_END.split(before)
    start = len(clauses) - 1
    while start and phrases.DEPENDS.match(clauses[start]):
        start -= 1
    return " ".join(clauses[start:])
