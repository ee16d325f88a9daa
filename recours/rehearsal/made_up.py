"""Made-up values that stand for real ones in a recording.

Each has the form of what it stands for: letters for letters, digits for digits. The same value always gives the same one
within a recording, by a salt that is thrown away, and no sign stays as it was. What is kept is said here and nowhere else:
the words that a carrier's tables match (`phrases`), known codes, and codes that look like them.
"""

import base64
import hashlib
import io
import re
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import date, datetime, timedelta
from string import ascii_lowercase, ascii_uppercase, digits

from recours.carriers.outcomes import decoded
from recours.core.appraisal import Expected
from recours.core.carrier import CarrierSpec
from recours.core.outcome import NotADocumentError, begins_as
from recours.core.text import Redactor, plain
from recours.documents.appraisal import appraise
from recours.documents.kinds import kind_of
from recours.sandbox.documents import broken_pdf, proof_pdf, signature_png

LONGEST = 2500  # signs of a text
_WORD = re.compile(r"[^\W_]+")
_PLAIN = re.compile(r"[a-z]+")
_ACCENTED, _OTHER = "àâäçéèêëîïôöùûüÿ", "\u00b7"
_SHORTEST_PART = 6  # signs of a parcel's number that are still taken for it
_ANY_CODE = re.compile(r"[A-Z0-9]{1,3}")  # too short for a name or a number
_LONGER_CODE = re.compile(r"[A-Z0-9]{4,6}")
_SAME_BEGINNING = 3  # signs
_LONGEST_CODE = 100

_DAYS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%d.%m.%y", "%d/%m/%y", "%Y%m%d")
_REST = r"(?P<rest>(?::[0-9]{1,2})?)(?P<fraction>(?:\.[0-9]+)?)"  # seconds, and parts of one
_DATED = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}([./])[0-9]{2}\2(?:[0-9]{4}|[0-9]{2})|[0-9]{8})"
    r"(?:(?P<between>[T ])(?P<clock>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:\.[0-9]+)?)(?P<offset>(?:Z|[+-][01][0-9]:?[0-5][0-9])?))?"
)
_CLOCK = re.compile(rf"(?P<hour>[0-9]{{1,2}}):(?P<minute>[0-9]{{2}}){_REST}")
_COMPACT_CLOCK = re.compile(r"(?P<hour>[0-9]{1,2})(?P<minute>[0-9]{2})(?P<rest>[0-9]{2})(?P<fraction>)")
_MINUTES = 24 * 60
_LONGEST_SHIFT = 700  # days


class MadeUp:
    """Makes values up, for one recording."""

    def __init__(
        self,
        salt: bytes,
        numbers: Mapping[str, str],
        phrases: Sequence[re.Pattern[str]] = (),
        hides: Redactor | None = None,
    ) -> None:
        """`numbers`: those of parcels, and what stands for each. `hides` knows secrets, which are not kept as codes either."""
        self._salt = salt
        self._numbers = {number.upper(): other for number, other in numbers.items()}
        self._phrases = phrases
        self._hides = hides or Redactor(())
        alternatives = "|".join(
            re.escape(number.lower()) for number in sorted(numbers, key=len, reverse=True)
        )
        self._number = re.compile(alternatives or r"(?!)")
        self._days = timedelta(days=30 + int.from_bytes(self._stream("days", 4)) % _LONGEST_SHIFT)
        self._minutes = 0
        self._clocks: set[int] = set()  # minutes of the day, of all times that were met

    def settle_clock(self) -> None:
        """Choose by how much times of day are shifted, such that none of those met so far passes midnight: their order stays."""
        low, high = -min(self._clocks, default=0), _MINUTES - 1 - max(self._clocks, default=0)
        self._minutes = low + int.from_bytes(self._stream("minutes", 4)) % (high - low + 1)

    def text(self, text: str) -> str:
        """Kept are phrases, and the forms of parcels' numbers."""
        text = text[:LONGEST]
        if not text.isdigit() and (dated := self._dated(text)):
            return dated
        folded = "".join(map(_folded, text))
        spans = [(found.span(), self._numbers[found[0].upper()]) for found in self._number.finditer(folded)]
        for phrase in self._phrases:
            spans += [(found.span(), text[slice(*found.span())]) for found in phrase.finditer(folded)]
        parts, end = [], 0
        for (start, stop), kept in sorted(spans):
            if start >= end:
                parts += [self.scrambled(text[end:start]), kept]
                end = stop
        return "".join([*parts, self.scrambled(text[end:])])

    def scrambled(self, text: str) -> str:
        """Every word made up; signs beyond ASCII, which may be anything, become one sign beyond it."""
        changed = _WORD.sub(lambda found: self._word(found[0]), text)
        return "".join(sign if sign.isascii() or sign in _ACCENTED else _OTHER for sign in changed)

    def _word(self, word: str) -> str:
        for number, other in self._numbers.items():
            at = number.find(word.upper()) if len(word) >= _SHORTEST_PART else -1
            if at >= 0:
                return other[at : at + len(word)]
        return "".join(map(_other_sign, word, self._stream(word, len(word))))

    def _known_label(self, text: str) -> str:
        """The words of ASCII letters, with accents or without: others were not looked at when the text was found to be known."""

        def kept(found: re.Match[str]) -> str:
            return found[0] if _PLAIN.fullmatch(plain(found[0])) else self._word(found[0])

        changed = _WORD.sub(kept, text)
        return "".join(
            sign if sign.isascii() or _PLAIN.fullmatch(plain(sign)) else _OTHER for sign in changed
        )

    def _stream(self, value: str, length: int) -> bytes:
        return hashlib.shake_256(self._salt + value.encode("utf-8", "surrogatepass")).digest(length)

    def code(self, text: str, known: Container[str]) -> str:
        """A code that is known or looks like those that are; else another that is not known either."""
        if text in known and len(text) <= _LONGEST_CODE:
            return text if isinstance(known, frozenset) else self._known_label(text)
        if self._hides(text) == text and text.upper() not in self._numbers:
            beginning = text[:_SAME_BEGINNING]
            alike = isinstance(known, frozenset) and any(each.startswith(beginning) for each in known)
            if _ANY_CODE.fullmatch(text) or (alike and _LONGER_CODE.fullmatch(text)):
                return text
        made = self.text(text)
        while made in known:
            made += "X"
        return made

    def whole(self, number: int) -> int:
        made = self.scrambled(str(abs(number)))
        made = ("2" if str(abs(number))[0] == "1" else "1") + made[1:] if made[0] == "0" < made[1:] else made
        return -int(made) if number < 0 else int(made)

    # ---------------------------------------------------------------- times

    def time(self, text: str) -> str:
        """A time or a day in the same form, all of a recording shifted alike; what is none is a text."""
        if dated := self._dated(text):
            return dated
        for form in (_CLOCK, _COMPACT_CLOCK):
            if found := form.fullmatch(text):
                return self._clock(found) or self.text(text)
        return self.text(text)

    def _dated(self, text: str) -> str | None:
        found = _DATED.fullmatch(text)
        day = found and self._day(found["day"])
        if not found or not day:
            return None
        if found["clock"] is None:
            return day
        clock = self._clock(found_clock) if (found_clock := _CLOCK.fullmatch(found["clock"])) else None
        return clock and f"{day}{found['between']}{clock}{found['offset']}"

    def _day(self, text: str) -> str | None:
        for form in _DAYS:
            try:
                day = datetime.strptime(text, form).date()  # noqa: DTZ007 (a day)
            except ValueError:
                continue
            try:
                return _written(day - self._days, form)
            except OverflowError:  # it stands for "never"
                return _written(date.min, form)
        return None

    def _clock(self, found: re.Match[str]) -> str | None:
        minutes = int(found["hour"]) * 60 + int(found["minute"])
        if minutes >= _MINUTES:
            return None
        self._clocks.add(minutes)
        hour, minute = divmod(minutes + self._minutes, 60)
        colon = ":" if ":" in found[0] else ""
        fraction = self.scrambled(found["fraction"])
        return f"{hour:0{len(found['hour'])}}{colon}{minute:02}{found['rest']}{fraction}"

    # ---------------------------------------------------------------- documents

    def encoded(self, text: str) -> str:
        """A document in base64; a text that is no base64 stays none."""
        content = decoded(text)
        return self.text(text) if content is None else base64.b64encode(self.document(content)).decode()

    def document(self, content: bytes) -> bytes:
        """A document of the same kind, and one that is refused where this one is."""
        found = begins_as(content, html=True)
        if found is None:
            return _NO_DOCUMENT if content.strip() else content
        number, other = next(iter(self._numbers.items()), ("", "1"))
        try:
            is_hollow = appraise(content, kind_of(content, html=True), Expected("", number)).hollow
        except NotADocumentError:
            is_hollow = "it is damaged"
        return _REFUSED[found]() if is_hollow else _DOCUMENTS[found](other)


_NO_DOCUMENT = b"This made-up text stands for bytes that were no document.\n" * 10


def _page(number: str) -> bytes:
    return (
        f"<html><body><p>Proof of delivery (made up)</p><p>Tracking number: {number}</p>"
        "<p>Delivered on 05/10/2026 10:31, received by MUSTER</p></body></html>"
    ).encode()


def _image(form: str) -> Callable[[str], bytes]:
    def made(number: str) -> bytes:
        from PIL import Image  # noqa: PLC0415 (imported when the first image comes)

        file = io.BytesIO()
        with Image.open(io.BytesIO(signature_png(number))) as image:
            image.save(file, form)
        return file.getvalue()

    return made


def _pdf(number: str) -> bytes:
    return proof_pdf("Made up", number, "MUSTER", datetime(2026, 10, 5, 10, 31))  # noqa: DTZ001 (shown as it is)


_DOCUMENTS: dict[str, Callable[[str], bytes]] = {
    "application/pdf": _pdf,
    "text/html": _page,
    **{f"image/{form}": _image(form.upper()) for form in ("png", "jpeg", "gif", "tiff")},
}
_CUT = 200  # zero bytes after how an image begins: it is cut off
_REFUSED: dict[str, Callable[[], bytes]] = {
    "application/pdf": broken_pdf,
    "text/html": lambda: b"<html><body>" + b" " * _CUT + b"</body></html>",
    "image/png": lambda: b"\x89PNG\r\n\x1a\n" + bytes(_CUT),
    "image/jpeg": lambda: b"\xff\xd8\xff" + bytes(_CUT),
    "image/gif": lambda: b"GIF89a" + bytes(_CUT),
    "image/tiff": lambda: b"II*\x00",
}


# ---------------------------------------------------------------- the parcel's number

_TRIES = 400


def made_up_number(number: str, spec: CarrierSpec, salt: bytes) -> str:
    """A number of the same form, whose check digit fits if this one's does. As little of its beginning is kept as can be."""
    if number == spec.sample_number:
        return number
    zeros = len(number) - len(number.lstrip("0"))  # answers may leave them out
    for kept in range(zeros, len(number)):
        for attempt in range(_TRIES):
            stream = hashlib.shake_256(salt + f"{kept}/{attempt}/{number}".encode()).digest(len(number))
            made = number[:kept] + "".join(map(_other_sign, number[kept:], stream))
            if (
                spec.number_form.fullmatch(made)
                and spec.is_doubtful(made) == spec.is_doubtful(number)
                and made[zeros : zeros + 1] != "0"
            ):
                return made
    return spec.number_example


def _other_sign(sign: str, byte: int) -> str:
    """Another one of the same sort."""
    for alphabet in (digits, ascii_uppercase, ascii_lowercase):
        if sign in alphabet:
            return alphabet[(alphabet.index(sign) + 1 + byte % (len(alphabet) - 1)) % len(alphabet)]
    letters = _ACCENTED.replace(sign, "")
    return letters[byte % len(letters)]


def _folded(sign: str) -> str:
    folded = plain(sign)
    return folded if len(folded) == 1 else "~"


def _written(day: date, form: str) -> str:
    """Years before 1000 are written with four digits too, which strftime leaves to the system."""
    return day.strftime(form.replace("%Y", f"{day.year:04}"))
