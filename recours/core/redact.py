"""Secrets taken out of text that came from outside."""

import base64
import html
import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = "***"
CUT = "…"  # where `clean` has cut a text
_CUT = re.compile(f"([^{CUT}]*){CUT}")
_SHORTEST = 3  # a shorter one is found in every text, and protects nothing


class Redactor:
    """Replaces secrets where they stand as whole tokens, in plain and in their usual encodings.

    As whole tokens only: a password of six digits must not blot out a part of a tracking number.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        """Know these secrets."""
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)
        pattern = "|".join(map(re.escape, self._forms))
        self._pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])") if forms else None

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
                before = words[:-length]
                if words.endswith(form[:length]) and not before[-1:].isalnum():
                    return f"{before}{MASK}{CUT}"
        return cut[0]


def _forms(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    return {secret, quote(secret, safe=""), html.escape(secret, quote=False), encoded, encoded.rstrip("=")}
