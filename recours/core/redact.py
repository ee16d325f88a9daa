"""Secrets taken out of text that came from outside."""

import base64
import html
import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = "***"
_SHORTEST = 3  # a shorter one is found in every text, and protects nothing


class Redactor:
    """Replaces secrets where they stand as whole tokens, in plain and in their usual encodings.

    As whole tokens only: a password of six digits must not blot out a part of a tracking number.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        """Know these secrets."""
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        pattern = "|".join(map(re.escape, longest_first))
        self._pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])") if forms else None

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text


def _forms(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    return {secret, quote(secret, safe=""), html.escape(secret, quote=False), encoded, encoded.rstrip("=")}
