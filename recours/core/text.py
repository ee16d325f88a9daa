"""Sanitizing and redaction of external text before it is shown or stored; formatting of counts and times."""

import base64
import json
import re
import threading
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import cache, partial
from urllib.parse import quote, quote_plus

LIMIT = 300

LocalTime = Callable[[datetime], datetime]  # converts an aware time to the reader's time zone
Minute = Callable[[datetime], str]  # formats an aware time for the reader

# Characters that can move, hide or reorder text, in addition to control characters.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"})


def clean(text: object, limit: int = LIMIT) -> str:
    """Escape control characters and truncate to `limit` characters, so that external text cannot forge a log line."""
    raw = text if isinstance(text, str) else str(text)
    # Truncate first: the text may be megabytes long.
    cut = raw[: limit + 1].strip() if len(raw) <= limit else raw[: limit + 1]
    # Fast path: most texts are harmless, and every log line passes through here.
    visible = cut if cut.isprintable() else "".join(map(_visible, cut))
    return visible if len(visible) <= limit else visible[: limit - 1] + "…"


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Zs":  # spaces of other widths, such as the one before a French colon
        return " "
    if category not in _INVISIBLE:
        return char
    code = ord(char)
    if code <= 0xFF:  # noqa: PLR2004 (the range of \x escapes)
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 (the range of \u escapes)


# Letters that Unicode normalization does not decompose.
_LETTERS = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "đ": "d", "ł": "l"})
_LIGATURES = {"oe": "œ", "ae": "æ", "ss": "ß"}
_ALPHABETS = 0x2000  # upper bound of Latin, Greek, Cyrillic and similar letters


def plain(text: str) -> str:
    """Return the text in lower case without accents, for comparing user input."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return bare.casefold().translate(_LETTERS)


def spellings(text: str) -> Iterator[list[str]]:
    """Yield, for each letter of the text, the letters that `plain` maps to it; then the same with ligatures."""
    folded = plain(text)
    joined = folded
    for letters, ligature in _LIGATURES.items():
        joined = joined.replace(letters, ligature)
    for letters in dict.fromkeys((folded, joined)):
        yield [_variants().get(letter, letter) for letter in letters]


@cache
def _variants() -> dict[str, str]:
    """Return all letters that `plain` maps to the same letter, keyed by that letter. Ligatures have their own keys."""
    variants: dict[str, str] = {}
    for letter in map(chr, range(_ALPHABETS)):
        bare = plain(letter)
        one = _LIGATURES.get(bare, bare)
        if len(one) == 1 and letter.isalpha() and one.isalpha():
            variants[one] = variants.get(one, "") + letter
    return variants


def plural(count: int, noun: str) -> str:
    """Format a count, such as `1 attempt` or `2 attempts`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def enumeration(names: Iterable[str], conjunction: str = " and ") -> str:
    """Join names: `A`, `A and B`, `A, B and C`."""
    *others, last = names
    return f"{', '.join(others)}{conjunction}{last}" if others else last


def nearest(word: str, words: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the most similar known word, if any. `cutoff`: the least similarity, from 0 (any) to 1 (equal)."""
    from difflib import get_close_matches  # noqa: PLC0415 (0.2 MB, for mistakes only)

    return next(iter(get_close_matches(word, words, n=1, cutoff=cutoff)), None)


def is_text(value: str) -> bool:
    """Return whether an external value was valid UTF-8: invalid bytes are decoded as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_one_line(text: str) -> bool:
    """Return whether a text contains no line break or other control character."""
    return not any(ord(char) < ord(" ") for char in text)


MASK = "***"
CUT = "…"  # where `clean` has cut a text
_CUT = re.compile(f"([^{CUT}]*){CUT}")
_SHORTEST = 3  # shorter secrets occur in every text and protect nothing
# The start of a token. It may directly follow an escape (of a URL, JSON or `clean`) that ends in a letter or digit.
_BEFORE = (
    r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})"
    r"|(?<=\\U[0-9A-Fa-f]{8})|(?<=\\[bfnrt]))"
)
_LONGEST_ESCAPE = len(r"\U00000000")
_BEGINS = re.compile(_BEFORE)
_CONTINUES = re.compile(r"[A-Za-z0-9]")


class Redactor:
    """Replaces secrets that occur as whole tokens, in plain text and in the usual encodings.

    Only whole tokens are masked: a password of six digits must not mask part of a tracking number. Secrets may be added
    while other threads redact, because a client's account is opened during a run.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._sorted: tuple[str, ...] = ()
        self._by_length: dict[int, set[str]] = {}
        self._begins: re.Pattern[str] | None = None  # None: nothing is secret
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Redact these secrets too."""
        long_enough = (secret for secret in secrets if len(secret) >= _SHORTEST)
        forms = {form for secret in long_enough for form in _forms(secret) if len(form) >= _SHORTEST}
        with self._lock:
            if not (new := forms.difference(self._sorted)):
                return
            self._sorted = tuple(sorted({*self._sorted, *new}))
            by_length = {length: set(of_length) for length, of_length in self._by_length.items()}
            for form in new:
                by_length.setdefault(len(form), set()).add(form)
            self._by_length = dict(sorted(by_length.items(), reverse=True))
            # Match the first character before the lookbehind, for speed: every log line passes through here.
            first = "".join(sorted({re.escape(form[0]) for form in self._sorted}))
            self._begins = re.compile(rf"(?=[{first}]){_BEFORE}")

    def __call__(self, text: str) -> str:
        if self._begins is None:
            return text
        whole = self._mask(text, self._begins)
        return _CUT.sub(self._mask_truncated, whole) if CUT in whole else whole

    def _mask(self, text: str, begins: re.Pattern[str]) -> str:
        parts, end = [], 0
        for match in begins.finditer(text):
            begin = match.start()
            if begin >= end and (length := self._secret_at(text, begin)):
                parts += [text[end:begin], MASK]
                end = begin + length
        return "".join([*parts, text[end:]])

    def _secret_at(self, text: str, begin: int) -> int:
        """Return the length of the longest secret that starts at `begin` as a whole token; 0 if there is none."""
        for length, forms in self._by_length.items():
            end = begin + length
            if text[begin:end] in forms and not _CONTINUES.match(text, end):
                return length
        return 0

    def _mask_truncated(self, cut: re.Match[str]) -> str:
        """Mask the start of a truncated secret, which matches no whole token."""
        visible, forms = cut[1], self._sorted
        for begin in range(max(len(visible) - max(self._by_length), 0), len(visible) - _SHORTEST):
            end = visible[begin:]
            place = bisect_left(forms, end)
            if place < len(forms) and forms[place].startswith(end) and _BEGINS.match(visible, begin):
                return f"{visible[:begin]}{MASK}{CUT}"
        return cut[0]


# For `str.translate`. The module html does the same, but would load its table of entities in every run.
MARKUP = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}
ATTRIBUTE_MARKUP = MARKUP | {ord('"'): "&quot;", ord("'"): "&#x27;"}


_quote_all = partial(quote, safe="")


def _forms(secret: str) -> set[str]:
    """Return every form in which the secret is sent or echoed: plain, and in each usual encoding."""
    encoded = base64.b64encode(secret.encode()).decode()
    in_markup = {secret, secret.translate(MARKUP), secret.translate(ATTRIBUTE_MARKUP)}
    return {
        *in_markup,
        # XML may be sent in a query string.
        *(quoted(text) for text in in_markup for quoted in (_quote_all, quote_plus)),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        clean(secret, _LONGEST_ESCAPE * len(secret)),
        encoded,
        encoded.rstrip("="),
    }


def format_minute(at: datetime | None, local: LocalTime) -> str:
    """Format a time to the minute, in the reader's time zone."""
    return f"{local(at):%Y-%m-%d %H:%M}" if at else "an unknown time"


_LONGEST_ZONE_NAME = 5


def zone_name(at: datetime) -> str:
    """Return the display name of a time zone: its abbreviation (`CET`), or else its offset (`UTC+05:30`)."""
    name = at.tzname() or ""
    if name.isascii() and name.isalpha() and len(name) <= _LONGEST_ZONE_NAME:
        return name
    minutes = round((at.utcoffset() or timedelta()) / timedelta(minutes=1))
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def format_span(span: timedelta) -> str:
    """Format a duration, such as `30 min`, `5 h` or `3 days`."""
    hours = span.total_seconds() / 3600
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"  # noqa: PLR2004 (two days)
