"""Finds the sentences in a text that say whether a parcel was delivered.

Sentences are read clause by clause. Words before a participle, up to a comma, may deny a delivery ("could not be"),
plan it ("will be") or doubt it ("according to your site"). A clause that begins with "that" extends the previous one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice

from recours.evidence import numbers, phrases
from recours.evidence.dates import MONTH, has_date

_LONGEST = 500  # characters in a sentence
_MOST_PARTICIPLES = 5  # examined in a sentence
_LONG_SENTENCE = 8  # spaces
_FEWEST_BLANKS = 3  # spaces in a sentence; a shorter text is a status or an event
# A period after a title, an initial or the day of a date does not end a sentence.
_END = re.compile(
    r"(?<!\b[a-z])(?<!\b(?:mr|ms|dr|st|sr|hr|fr|mw|nr|no|av|bd|pl|rd|ca|ra))(?<!\b(?:mme|mrs|sig|sra|dhr|num|pol|str))(?<!\b(?:mlle|mevr|avda))"
    rf"(?:(?<![ (]\d)(?<![ (]\d\d)\.|(?<=\d)\.(?! (?:{MONTH}|\d)))(?!\w)"
    r"|[;!?|]|, (?=(?:so|donc|daher|quindi|dus|por lo que) )"
)


@dataclass(frozen=True)
class Statement:
    """The positions where a statement of delivery and its participle start and end."""

    start: int
    end: int
    participle: int
    participle_end: int


# A person's name, recognized by its title or capitals.
_PERSON = re.compile(
    r"\b(?:(?:Mr?|Mrs|Ms|Hr|Fr|Sra?|D|Dña|Sig|Sig\.ra|Dhr|Mevr|Mw)\. ?|(?:Mr|Mrs|Ms|Mme|Mlle|Herrn?|Frau|Don|Doña|Dña) |[A-ZÀ-Þ]\. ?)[A-ZÀ-Þ]"
    r"|\b[A-ZÀ-Þ][a-zß-ÿ'’]+ (?:[a-zß-ÿ]{1,3} ){0,2}[A-ZÀ-Þ][a-zß-ÿ'’]{2,}|\b[A-ZÀ-Þ'’]{2,} (?:[A-Za-zß-ÿ]{1,3} ){0,2}[A-ZÀ-Þ'’]{2,}"
)
_NEXT = 30  # characters after a participle
_NEAR = 100  # characters after a sentence that may contain the date or the person


def statements(text: str, folded: str, number: str = "") -> Iterator[Statement]:
    """Yield the sentences that say that something was delivered. `number`: our tracking number, folded."""
    for start, end in _sentences(folded):
        sentence = folded[start:end]
        nearby = folded[start : end + _NEAR]
        participle = find_delivery(sentence, number) or _find_receipt(
            sentence, number, text[start : end + _NEAR], nearby
        )
        if participle and folded[end - 1] != "?":
            # The text after the participle may announce another parcel or another attempt.
            other = phrases.NOT_YET.search(folded, start + participle.end(), end)
            yield Statement(
                start, other.start() if other else end, start + participle.start(), start + participle.end()
            )


class Weight(IntEnum):
    """Which later statement outweighs an objection."""

    REPORTED = 1  # any later report of a delivery
    CLAIMED = 2  # a later sentence that reports a delivery
    RETURNED = 3  # nothing


def objections(folded: str) -> Iterator[tuple[int, Weight]]:
    """Yield the positions and weights of objections, which say that the parcel did not arrive."""
    for start, end in _sentences(folded):
        sentence = folded[start:end]
        if (
            sentence.count(" ") < _FEWEST_BLANKS
            or sentence.endswith("?")
            or phrases.CONDITION.search(sentence)
        ):
            continue
        if denial := phrases.NOT_RECEIVED.search(sentence):
            is_mine = sentence.count(" ") > _LONG_SENTENCE and phrases.ME.search(sentence)
            yield (start + denial.start(), Weight.RETURNED if is_mine else Weight.CLAIMED)
        for match in phrases.OBJECTION.finditer(sentence):
            if not phrases.NEGATED.search(sentence[: match.start()]):
                yield (
                    start + match.start(),
                    Weight.RETURNED if match["returned"] or match["disputed"] else Weight.REPORTED,
                )
        for participle in phrases.DELIVERED.finditer(sentence):
            if phrases.NEGATED.search(phrases.CLAUSE_END.split(sentence[: participle.start()])[-1]):
                yield start + participle.start(), Weight.REPORTED


def _sentences(folded: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in [*(match.end() for match in _END.finditer(folded)), len(folded)]:
        while start < end:
            yield start, min(end, start + _LONGEST)
            start = min(end, start + _LONGEST)


def find_delivery(sentence: str, number: str = "") -> re.Match[str] | None:
    """Return the participle in a sentence that says that something was delivered, or None."""
    for participle in islice(phrases.DELIVERED.finditer(sentence), _MOST_PARTICIPLES):
        head = sentence[: participle.start()]
        tail = sentence[participle.end() :]
        if participle["collected"] or participle["received"]:
            is_delivery = _is_by_recipient(sentence, participle)
        else:
            is_delivery = not phrases.WAITING_PLACE.match(tail.lstrip())
        happened = phrases.BEGINS.match(head) or phrases.HAPPENED.search(head)
        if (
            is_delivery
            and not is_denied(head, tail)
            and (happened or has_date(sentence) or (number and number in sentence))
            and not phrases.OF_ITS_SENDER.search(sentence)
        ):
            return participle
    return None


def _find_receipt(sentence: str, number: str, text: str, folded: str) -> re.Match[str] | None:
    """Find the participle in a sentence that says that a person took our parcel. Depots and messages do not count.

    `text` and `folded` continue after the end of the sentence, because the date and the person may follow there.
    """
    is_of_ours = number and has_date(folded) and numbers.shows(sentence.upper(), number.upper())
    if not is_of_ours or not (
        _PERSON.search(text) or phrases.YOU_OR_ME.search(folded) or phrases.RECIPIENT.search(folded)
    ):
        return None
    if any(
        pattern.search(sentence) for pattern in (phrases.OF_ITS_SENDER, phrases.FACILITY, phrases.OBJECTION)
    ):
        return None
    for participle in phrases.TAKEN.finditer(sentence):
        head = sentence[: participle.start()]
        tail = sentence[participle.end() :]
        if phrases.COLLECTED.fullmatch(participle[0]):
            has_subject = _PERSON.search(text, 0, participle.start()) or phrases.YOU_OR_ME.search(head)
            is_by_person = (
                has_subject or phrases.RECIPIENT.search(sentence) or phrases.BY_SOMEBODY.match(tail)
            )
            is_delivery = is_by_person and not phrases.BY_US.search(head)
        else:
            is_of_claim = phrases.OF_MESSAGES.search(participle[0]) and phrases.CLAIM.search(sentence)
            is_delivery = not is_of_claim and not phrases.WAITING_PLACE.search(sentence)
        is_by_carrier = phrases.BY_CARRIER.search(tail[:_NEXT])
        is_refused = phrases.NOT_YET.search(tail) or phrases.NEGATED.search(head) or is_denied(head, tail)
        if is_delivery and not is_by_carrier and not is_refused:
            return participle
    return None


def _is_by_recipient(sentence: str, participle: re.Match[str]) -> bool:
    """Return whether the recipient "collected" or "received" something, unlike in "we received your claim"."""
    head = sentence[: participle.start()]
    tail = sentence[participle.end() :]
    is_signed = phrases.SIGNED.match(participle[0]) is not None
    # Letters end with their author, such as "Signed: J. Smith".
    if is_signed and (not head.strip() or tail.lstrip().startswith(":")):
        return False
    if phrases.BY_US.search(head) or phrases.NOT_YET.search(tail) or phrases.BY_CARRIER.search(tail[:_NEXT]):
        return False
    if participle["received"]:
        return phrases.RECIPIENT.search(sentence) is not None and not phrases.CLAIM.search(sentence)
    patterns = (phrases.PICKUP_POINT, phrases.RECIPIENT)
    return (
        any(pattern.search(sentence) for pattern in patterns) or phrases.BY_SOMEBODY.match(tail) is not None
    )


def is_denied(head: str, tail: str = "") -> bool:
    """Return whether the words around a participle make it a plan, an attempt, a rule, a doubt or a future step."""
    return bool(
        phrases.CONDITION.search(head)
        or phrases.DOUBT.search(head)
        or phrases.DOUBT.search(tail)
        or phrases.NOT_YET.search(head)
        or phrases.NEGATED.search(phrases.CLAUSE_END.split(head)[-1])
        or phrases.STEP_BEFORE.search(head)
        or phrases.STEP_BEHIND.match(tail)
        or phrases.OF_A_RULE.search(tail)
        or phrases.OF_ITS_SENDER.search(f"{head} {tail}")
    )
