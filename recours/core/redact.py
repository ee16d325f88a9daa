"""Secrets taken out of text that came from outside."""

import base64
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from recours.core.text import clean

MASK = "***"
CUT = "…"  # where `clean` has cut a text
_CUT = re.compile(f"([^{CUT}]*){CUT}")
_SHORTEST = 3  # a shorter one is found in every text, and protects nothing
# Where a token begins. An escape ends in a letter or a digit too: those of URLs, of JSON, and those that `clean` makes.
_BEFORE = (
    r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})"
    r"|(?<=\\U[0-9A-Fa-f]{8})|(?<=\\[bfnrt]))"
)
_LONGEST_ESCAPE = len(r"\U00000000")
_BEGINS = re.compile(_BEFORE)


class Redactor:
    """Replaces secrets where they stand as whole tokens, in plain and in their usual encodings.

    As whole tokens only: a password of six digits must not blot out a part of a tracking number.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        """Know these secrets."""
        given = (secret for secret in secrets if len(secret) >= _SHORTEST)
        forms = {form for secret in given for form in _forms(secret) if len(form) >= _SHORTEST}
        self._forms = sorted(forms, key=len, reverse=True)
        pattern = "|".join(map(re.escape, self._forms))
        # The first sign is looked at before what precedes it: every line of the log comes through here.
        signs = "".join({re.escape(form[0]) for form in forms})
        whole = rf"(?=[{signs}]){_BEFORE}(?:{pattern})(?![A-Za-z0-9])"
        self._pattern = re.compile(whole) if forms else None

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        if self._pattern is None:
            return text
        whole = self._pattern.sub(MASK, text)
        return _CUT.sub(self._without_beginning, whole) if CUT in whole else whole

    def _without_beginning(self, cut: re.Match[str]) -> str:
        """Text that was cut may end in the beginning of a secret, which is not found as a whole one."""
        words = cut[1]
        for form in self._forms:
            for length in range(min(len(form), len(words)), _SHORTEST, -1):
                begin = len(words) - length
                if words.endswith(form[:length]) and _BEGINS.match(words, begin):
                    return f"{words[:begin]}{MASK}{CUT}"
        return cut[0]


def _forms(secret: str) -> set[str]:
    """The secret as we send it and as answers repeat it: plain, and escaped by each rule there is for that."""
    encoded = base64.b64encode(secret.encode()).decode()
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        html.escape(secret, quote=False),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        clean(secret, _LONGEST_ESCAPE * len(secret)),
        encoded,
        encoded.rstrip("="),
    }
