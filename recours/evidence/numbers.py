"""Finds parcel numbers on a document. Texts are in upper case, with single spaces."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice

_CHECKED = (11, 14)  # digits of GLS and DPD numbers, which a check digit may follow
_WITH_CHECK_DIGIT = 15  # characters of a DPD number
_BEFORE = ("", "250", *("0" * zeros for zeros in range(1, 9)))  # prefixes that a printed number may have
_LONGEST_BEFORE = 8
_BAR_CODE = 20  # minimum characters of a bar code, which contains the number and other data
_MOST_GROUPS = 8  # groups in which a number after a label may be printed
_SHORTEST = 8  # minimum digits of a number that is printed without its letters
_FOREIGN = re.compile(r"[A-Z]{0,4}[0-9]{8,20}[A-Z]{0,2}|1Z[A-Z0-9]{16}")  # a number of any carrier
# At least one in four characters of a labeled number is a digit. Some GLS numbers have many letters.
_LEAST_DIGITS = 4

# Formats of UPS, postal (S10) and Colissimo numbers. Nothing but a parcel number has such a format.
_STRONG = re.compile(r"1Z[A-Z0-9]{15}[0-9]|[A-Z]{2}[0-9]{9}[A-Z]{2}|[0-9][A-Z][0-9]{11}")
_MAY_BEGIN_ONE = re.compile(r"1Z[A-Z0-9]*|[A-Z]{2}[0-9]*|[A-Z]{2}[0-9]{9}[A-Z]{2}|[0-9][A-Z][0-9]*")
_TIME = re.compile(r"\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|\b\d{4}-\d\d-\d\d|\b\d\d? ?[:H] ?\d\d\b")
_WORD = re.compile(r"[A-Z0-9]+")
_DIGIT = re.compile("[0-9]")
# A number within a sentence: "your parcel 1234 5678 901 was delivered".
_NAMED = re.compile(
    r"\b(?:COLIS|ENVOI|PLI|OBJET|SUIVI|LIVRAISON|PARCEL|PACKAGE|SHIPMENT|CONSIGNMENT|WAYBILL|TRACKING|DELIVERY|POD|BARCODE|CODE[- ]BARRES?"
    r"|EXPEDITION|EXPÉDITION|ITEM|ENVIO|ENVÍO|PAQUETE|BULTO|EXPEDICION|EXPEDICIÓN|SPEDIZIONE|COLLO|PACCO|PLICO|ZENDING|PAKKET|POSTPAKKET|POSTSTUK"
    r"|SENDUNG|PAKET|SENDUNGSNUMMER|PAKETNUMMER|ZUSTELLNACHWEIS|ABLIEFERUNGSNACHWEIS)(?![A-Z])"
    r"(?:\W{1,3}(?:N[°ºO]?|NO|NR|NUM|NUMBER|NUMERO|NÚMERO|NUMÉRO|NUMMER|ID|DU|LE|FOR|WITH|ZU|MIT|DER|COLIS|FÜR|INFORMATION(?:EN)?|DETAILS|CON|EL|IL|MET)(?![A-Z]))*\W{1,4}(?P<number>[^\n]{1,60})"
)


def shows(text: str, number: str) -> bool:
    """Return whether a text shows the number, which may be grouped, followed by a check digit or part of a bar code."""
    if not _DIGIT.search(text):  # most sentences
        return False
    bare = "".join(_WORD.findall(number))
    if len(bare) == _WITH_CHECK_DIGIT and bare[:-1].isdigit():
        bare = bare[:-1]
    most_behind = 1 if bare.isdigit() and len(bare) in _CHECKED else 0
    words = _WORD.findall(text)
    if bare not in "".join(words):
        return False
    for start in range(len(words)):
        for joined in accumulate(islice(words, start, start + len(bare))):
            prefix, match, suffix = joined.partition(bare)
            is_bar_code = joined == words[start] and len(joined) >= _BAR_CODE
            if match and (is_bar_code or (prefix in _BEFORE and len(suffix) <= most_behind)):
                return True
            if len(joined) >= len(bare) + _LONGEST_BEFORE:
                break
    return False


def is_like(text: str, number: str) -> bool:
    """Return whether a text consists only of a number in the format of `number` or of any carrier."""
    bare = text.replace(" ", "")
    is_plain = bare.isdigit() or (bare.isalnum() and bare == text.strip().upper())
    return is_plain and (
        _FOREIGN.fullmatch(bare) is not None
        or (len(bare) == len(number) and _digits(bare) * _LEAST_DIGITS >= len(bare))
    )


def another(labeled: Iterable[str], text: str, number: str) -> str | None:
    """Return the number of another parcel on a document that does not show `number`, or None.

    `labeled`: texts after labels such as "tracking number". Account, order and SIRET numbers do not count: they have
    another length or another label.
    """
    size = len(number)
    for value in labeled:
        words = _WORD.findall(_TIME.sub(" ; ", value))
        for start in range(len(words)):
            if (candidate := _join(words[start:], size)) and _digits(candidate) * _LEAST_DIGITS >= size:
                return candidate
        whole = "".join(words[:_MOST_GROUPS])
        if _FOREIGN.fullmatch(whole):
            return whole
    for named in _NAMED.finditer(_TIME.sub(" ; ", text)):
        words = _WORD.findall(named["number"])
        begins = words and (_digits(words[0]) or number[0].isalpha())
        candidate = _join(words, size) if begins else None
        least_digits = _LEAST_DIGITS if words[:1] == [candidate] else 2
        if candidate and _digits(candidate) * least_digits >= size:
            return candidate
        if (
            (candidate := _join(words, _digits(number)))
            and candidate.isdigit()
            and len(candidate) >= _SHORTEST
        ):
            return candidate
    return next((candidate for candidate in _strong(text) if len(candidate) == size), None)


def _strong(text: str) -> Iterator[str]:
    words = _WORD.findall(text)
    for start, word in enumerate(words):
        if _MAY_BEGIN_ONE.fullmatch(word):
            for size in (18, 13):
                candidate = _join(words[start : start + 10], size)
                if candidate and _STRONG.fullmatch(candidate):
                    yield candidate


def _join(words: Sequence[str], size: int) -> str | None:
    """Join the first words if some of them together have exactly `size` characters; otherwise None."""
    joined = ""
    for word in words:
        joined += word
        if len(joined) >= size:
            break
    return joined if len(joined) == size else None


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))
