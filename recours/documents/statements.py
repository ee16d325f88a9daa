"""Which sentences of a text say that something was delivered, and not that it will be, was not, or is as a rule."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from recours.documents import phrases
from recours.documents.dates import dates_in

_LONGEST = 500  # characters of a sentence
_MOST_SAID = 5  # participles of a sentence that are looked at
_AHEAD = 80  # characters behind a participle that may make it a rule
# A full stop ends no sentence behind a title, an initial or the day of a date.
_END = re.compile(
    r"(?<![ (]\d)(?<![ (]\d\d)(?<!\b[a-z])(?<!\b[a-z]{2})(?<!\bmme)(?<!\bmrs)(?<!\bsig)(?<!\bsra)(?<!\bdhr)(?<!\bmlle)(?<!\bmevr)(?<!\bnum)\.(?!\w)"
    r"|[;!?|]|, (?=(?:so|donc|daher|quindi|dus|por lo que) )"
)


@dataclass(frozen=True)
class Statement:
    """`start` and `end`: of what it says; `said` and `behind`: of the participle in it."""

    start: int
    end: int
    said: int
    behind: int


def statements(folded: str, number: str = "") -> Iterator[Statement]:
    """The sentences that say so; `number`: of our parcel, folded."""
    for start, end in _sentences(folded):
        said = stated(folded[start:end], number)
        if said and folded[end - 1] != "?":
            # Behind it another parcel may be announced, or another attempt told.
            other = phrases.NOT_YET.search(folded, start + said.end(), end)
            yield Statement(start, other.start() if other else end, start + said.start(), start + said.end())


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
        before = sentence[: said.start()]
        if (said["collected"] or said["received"]) and not _is_by_recipient(sentence, said):
            continue
        if not is_denied(before, sentence[said.end() : said.end() + _AHEAD]) and (
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
        (is_at_pickup_point or phrases.RECIPIENT.search(sentence) is not None)
        and not phrases.BY_CARRIER.match(sentence, said.end() + 1)
        and not phrases.CLAIM.search(sentence)
    )


def is_denied(before: str, behind: str = "") -> bool:
    """Tell whether what stands in a sentence around its participle makes it a plan, an attempt, a rule or a step to come."""
    return bool(
        phrases.NOT_YET.search(before)
        or phrases.NEGATED.search(before)
        or phrases.STEP_BEFORE.search(before)
        or phrases.STEP_BEHIND.match(behind)
        or phrases.OF_A_RULE.search(behind)
        or phrases.OF_ITS_SENDER.search(before)
        or phrases.OF_ITS_SENDER.search(behind)
    )
