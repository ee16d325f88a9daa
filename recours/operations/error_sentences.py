"""Sentences about recorded errors, in the language of their reader. Pure functions."""

from recours.core.claim import Claim
from recours.core.error_text import classify
from recours.core.errors import ErrorKind
from recours.core.sentences import Said, sentence
from recours.core.text import clean
from recours.operations.labels import CLOSINGS, KINDS
from recours.operations.position import closing_of
from recours.runs.ports import Refusal


def quoted(language: str, text: str) -> str:
    """Words of a carrier, an older version or other software, in quotation marks."""
    return f"« {clean(text)} »" if language == "fr" else f'"{clean(text)}"'


def error_of(language: str, claim: Claim) -> str | None:
    """What the claim's row says of its last failure; None: nothing."""
    if not claim.error_text:
        return None
    return said_or_quoted(
        language, claim.said, claim.state.kind or classify(claim.error_text), claim.error_text
    )


def said_or_quoted(language: str, said: Said | None, kind: ErrorKind | None, text: str) -> str:
    """The sentence that `said` stands for; without one, the kind and the recorded text in quotation marks."""
    if said:
        return sentence(language, said)
    colon = " : " if language == "fr" else ": "
    return f"{KINDS[language][kind]}{colon}{quoted(language, text)}" if kind else quoted(language, text)


def reason_of(language: str, refusal: Refusal, carrier: str) -> str:
    """Why no call was made. `carrier`: its name for people."""
    if language == "en":
        return refusal.reason
    if refusal.said:
        return sentence(language, refusal.said)
    return CLOSINGS[language][closing_of(refusal)].format(carrier=carrier)
