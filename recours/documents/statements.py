"""Which sentences of a text say that something was delivered, and not that it will be, was not, or is as a rule."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from recours.documents.dates import dates_in
from recours.documents.phrases import (
    BEGINS,
    DELIVERED,
    HAPPENED,
    NEGATED,
    NOT_YET,
    OF_A_RULE,
    STEP_BEFORE,
    STEP_BEHIND,
)

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
            other = NOT_YET.search(folded, start + said.end(), end)
            yield Statement(start, other.start() if other else end, start + said.start(), start + said.end())


def _sentences(folded: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in [*(match.end() for match in _END.finditer(folded)), len(folded)]:
        while start < end:
            yield start, min(end, start + _LONGEST)
            start = min(end, start + _LONGEST)


def stated(sentence: str, number: str = "") -> re.Match[str] | None:
    """What says in a sentence that something was delivered; None: nothing does."""
    for count, said in enumerate(DELIVERED.finditer(sentence)):
        if count == _MOST_SAID:
            return None
        before = sentence[: said.start()]
        if not is_denied(before, sentence[said.end() : said.end() + _AHEAD]) and (
            BEGINS.match(before)
            or HAPPENED.search(before)
            or dates_in(sentence)
            or (number and number in sentence)
        ):
            return said
    return None


def is_denied(before: str, behind: str = "") -> bool:
    """Tell whether what stands in a sentence around its participle makes it a plan, an attempt, a rule or a step to come."""
    return bool(
        NOT_YET.search(before)
        or NEGATED.search(before)
        or STEP_BEFORE.search(before)
        or STEP_BEHIND.match(behind)
        or OF_A_RULE.search(behind)
    )
