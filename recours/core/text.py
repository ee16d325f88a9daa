"""Text from outside, made harmless before it is shown or stored; and counts in words."""

import unicodedata
from typing import Any

LIMIT = 300

# Signs that can move, hide or reorder what a person reads, beside the control characters proper.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"})


def clean(text: object, limit: int = LIMIT) -> str:
    """Escape control characters and cut to `limit` characters, so that no foreign text can forge a line."""
    raw = text if isinstance(text, str) else str(text)
    # Cut first: the foreign text may be megabytes long.
    cut = raw[: limit + 1].strip() if len(raw) <= limit else raw[: limit + 1]
    # Most texts are harmless, and every line of the log comes through here.
    shown = cut if cut.isprintable() else "".join(map(_visible, cut))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Zs":  # blanks of other widths, such as the one before a French colon
        return " "
    if category not in _INVISIBLE:
        return char
    code = ord(char)
    if code <= 0xFF:  # noqa: PLR2004 (the range of \x escapes)
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 (the range of \u escapes)


def plain(text: str) -> str:
    """Lower-case text without accents, for comparing what people wrote."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def plural(count: int, noun: str) -> str:
    """`1 attempt`, `2 attempts`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def counted(language: str, forms: tuple[str, str], count: float, /, **more: Any) -> str:
    """A text about a count, in the form that it takes: for one thing, or for several.

    In French whatever is less than two is one: `0 appel`, `1,5 point`. Markers of the form are filled in from `more`,
    `{count}` from the count unless `more` says how that is shown.
    """
    is_one = abs(count) < 2 if language == "fr" else count == 1  # noqa: PLR2004 (a rule of the language)
    return forms[0 if is_one else 1].format(**{"count": count} | more)


def is_text(value: str) -> bool:
    """Tell whether a value from outside was valid UTF-8: bytes that are none come as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
