"""Phrases that are recorded in English, without their keys, and read back for the reader of another language. Pure."""

import re
from enum import Enum
from functools import cache

from recours.core.text import clean
from recours.core.translations import N_, translate

_LONGEST = 200  # signs, of a fact


class RecordedPhrase(Enum):
    """A phrase, with its facts as markers. A set of phrases is a subclass."""

    value: str

    def text(self, **facts: str | int) -> str:
        """The phrase that is recorded."""
        return self.value.format(**facts)

    @classmethod
    def translated(cls, language: str, recorded: str) -> str:
        """The recorded phrase in a reader's language; where it is none of these, it is quoted."""
        if language == "en":
            return clean(recorded)
        for phrase, pattern in cls._patterns():
            if match := pattern.fullmatch(recorded):
                facts = {name: clean(fact, _LONGEST) for name, fact in match.groupdict().items()}
                return translate(language, phrase.value).format(**facts)
        return f"« {clean(recorded)} »"

    @classmethod
    @cache
    def _patterns(cls) -> "list[tuple[RecordedPhrase, re.Pattern[str]]]":
        marker = re.compile(r"\\\{(\w+)\\\}")
        return [
            (phrase, re.compile(marker.sub(r"(?P<\1>.+?)", re.escape(phrase.value)), re.DOTALL))
            for phrase in cls
        ]


class DocumentFlaw(RecordedPhrase):
    """Why a file is refused as a document or as a proof: to stand after a colon."""

    TOO_SHORT = N_("it has only {size} bytes")
    NO_DOCUMENT = N_("it is neither PDF, PNG, JPEG, GIF nor TIFF")
    NEITHER_DOCUMENT_NOR_PAGE = N_("it is neither HTML, PDF, PNG, JPEG, GIF nor TIFF")
    CUT_OFF = N_("the image is cut off")
    BROKEN_PDF = N_("the PDF cannot be opened ({error})")
    EMPTY_PDF = N_("the PDF has no page")
    DAMAGED = N_("it cannot be decoded completely")
    LOGIN_PAGE = N_("it is a login page")
    BLANK = N_("it is blank")
    NO_PICTURE = N_("it shows no signature, no photo and no page of text")
    NOT_AVAILABLE = N_('it says that no proof is available ("{said}")')
    ERROR_PAGE = N_('it is an error page ("{said}")')
    OF_ANOTHER_CARRIER = N_("it is another carrier's ({carrier}), and the parcel's number is not on it")
    OF_ANOTHER_PARCEL = N_("it shows another parcel's number ({number})")
    SHOWS_NOTHING = N_("it shows neither the parcel's number nor a delivery")
    NO_DELIVERY = N_("it tells of no delivery")
    WITHOUT_NUMBER = N_("the parcel's number is not on it")
    TAKEN_BACK = N_("{by} took it back")
    LINK = N_("it is a symbolic link; name the file itself")
    NO_FILE = N_("it is no regular file")
    TOO_LARGE = N_("it is larger than {size} MB")
    UNREADABLE = N_("it cannot be read ({error})")


class MailTrouble(RecordedPhrase):
    """Why a mail did not go out, or perhaps did. `{where}`: the server; `{said}`: what it said, or the system."""

    REFUSES_RECIPIENT = N_("the server refuses the recipient: {said}")
    REFUSES_MESSAGE = N_("the server refuses the message: {said}")
    REFUSES_US = N_("the server refuses us: {said}")
    TOO_LARGE = N_("the server takes no message larger than {size} bytes")
    LINE_BROKE = N_("the line broke after the message was given away ({said})")
    RUN_DIED = N_("the run died while sending it")
    RUN_ENDED = N_("the run was to end")
    MENDED = N_("its claims were mended meanwhile")
    ACCEPTED_AGAIN = N_("the account is accepted again")
    BROKE_CONNECTION = N_("The mail server {where} broke the connection ({said})")
    TAKES_NO_MORE = N_("The mail server {where} takes no more: {said}")
    NO_HOST = N_(
        "The mail server {where} cannot be used: that, or this machine's own name, is not the name of a host"
    )
    REFUSES_LOGIN = N_("The mail server {where} refuses the login of {user}: {said}")
    NOT_OFFERED = N_("The mail server {where} does not offer what is asked of it: {said}")
    INSECURE = N_("The mail server {where} cannot be reached securely: {said}")
    UNUSABLE = N_("The mail server {where} cannot be used: {said}")
    REFUSES_SENDER = N_("The mail server refuses the sender {sender}: {said}")
    NO_SENDER = N_("There is no address to send from: SMTP_FROM is not set, nor smtp_from in system_settings")
