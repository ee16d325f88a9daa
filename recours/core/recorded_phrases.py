"""Phrases that are recorded in English, without their keys, and read back for the reader of another language. Pure."""

import re
from enum import Enum
from functools import cache

from recours.core.text import clean

_LONGEST = 200  # signs, of a fact


class RecordedPhrase(Enum):
    """A phrase in English and in French, with its facts as markers. A set of phrases is a subclass."""

    def __init__(self, en: str, fr: str) -> None:
        self.en = en
        self.fr = fr

    def text(self, **facts: str | int) -> str:
        """The phrase that is recorded."""
        return self.en.format(**facts)

    @classmethod
    def translated(cls, language: str, recorded: str) -> str:
        """The recorded phrase in a reader's language; where it is none of these, it is quoted."""
        if language == "en":
            return clean(recorded)
        for phrase, pattern in cls._patterns():
            if found := pattern.fullmatch(recorded):
                facts = {name: clean(fact, _LONGEST) for name, fact in found.groupdict().items()}
                return phrase.fr.format(**facts)
        return f"« {clean(recorded)} »"

    @classmethod
    @cache
    def _patterns(cls) -> "list[tuple[RecordedPhrase, re.Pattern[str]]]":
        marker = re.compile(r"\\\{(\w+)\\\}")
        return [
            (phrase, re.compile(marker.sub(r"(?P<\1>.+?)", re.escape(phrase.en)), re.DOTALL))
            for phrase in cls
        ]


class DocumentFlaw(RecordedPhrase):
    """Why a file is refused as a document or as a proof: to stand after a colon."""

    # fmt: off
    TOO_SHORT = ("it has only {size} bytes",
        "il ne contient que {size} octets")
    NO_DOCUMENT = ("it is neither PDF, PNG, JPEG, GIF nor TIFF",
        "ce n'est ni un PDF, ni une image PNG, JPEG, GIF ou TIFF")
    NEITHER_DOCUMENT_NOR_PAGE = ("it is neither HTML, PDF, PNG, JPEG, GIF nor TIFF",
        "ce n'est ni un PDF, ni une page HTML, ni une image PNG, JPEG, GIF ou TIFF")
    CUT_OFF = ("the image is cut off",
        "l'image est tronquée")
    BROKEN_PDF = ("the PDF cannot be opened ({error})",
        "le PDF ne s'ouvre pas (« {error} »)")
    EMPTY_PDF = ("the PDF has no page",
        "le PDF n'a aucune page")
    DAMAGED = ("it cannot be decoded completely",
        "il ne se décode pas entièrement")
    LOGIN_PAGE = ("it is a login page",
        "c'est une page de connexion")
    BLANK = ("it is blank",
        "il est vierge")
    NO_PICTURE = ("it shows no signature, no photo and no page of text",
        "il ne montre ni signature, ni photo, ni page de texte")
    SAYS_THERE_IS_NONE = ('it says that there is none ("{said}")',
        "il indique lui-même qu'il n'y a pas de preuve (« {said} »)")
    ERROR_PAGE = ('it is an error page ("{said}")',
        "c'est une page d'erreur (« {said} »)")
    OF_ANOTHER_CARRIER = ("it is another carrier's ({carrier}), and the parcel's number is not on it",
        "c'est celui d'un autre transporteur ({carrier}), et le numéro du colis n'y figure pas")
    OF_ANOTHER_PARCEL = ("it shows another parcel's number ({number})",
        "il porte le numéro d'un autre colis ({number})")
    SHOWS_NOTHING = ("it shows neither the parcel's number nor a delivery",
        "il ne montre ni le numéro du colis ni une livraison")
    NO_DELIVERY = ("it tells of no delivery",
        "il ne fait état d'aucune livraison")
    WITHOUT_NUMBER = ("the parcel's number is not on it",
        "le numéro du colis n'y figure pas")
    TAKEN_BACK = ("{by} took it back",
        "retiré par {by}")
    LINK = ("it is a symbolic link; name the file itself",
        "c'est un lien symbolique ; indiquez le fichier lui-même")
    NO_FILE = ("it is no regular file",
        "ce n'est pas un fichier ordinaire")
    TOO_LARGE = ("it is larger than {size} MB",
        "il dépasse {size} Mo")
    UNREADABLE = ("it cannot be read ({error})",
        "il est illisible (« {error} »)")
    # fmt: on


class MailTrouble(RecordedPhrase):
    """Why a mail did not go out, or perhaps did. `{where}`: the server; `{said}`: what it said, or the system."""

    # fmt: off
    REFUSES_RECIPIENT = ("the server refuses the recipient: {said}",
        "le serveur refuse le destinataire : « {said} »")
    REFUSES_MESSAGE = ("the server refuses the message: {said}",
        "le serveur refuse le message : « {said} »")
    REFUSES_US = ("the server refuses us: {said}",
        "le serveur refuse nos envois : « {said} »")
    TOO_LARGE = ("the server takes no message larger than {size} bytes",
        "le serveur n'accepte aucun message de plus de {size} octets")
    LINE_BROKE = ("the line broke after the message was given away ({said})",
        "la connexion a été coupée après la remise du message (« {said} »)")
    RUN_DIED = ("the run died while sending it",
        "l'exécution s'est arrêtée pendant l'envoi")
    RUN_ENDED = ("the run was to end",
        "l'exécution devait se terminer")
    MENDED = ("its claims were mended meanwhile",
        "les réclamations ont été corrigées entre-temps")
    ACCEPTED_AGAIN = ("the account is accepted again",
        "le compte est de nouveau accepté")
    BROKE_CONNECTION = ("The mail server {where} broke the connection ({said})",
        "Le serveur de courriel {where} a coupé la connexion (« {said} »)")
    TAKES_NO_MORE = ("The mail server {where} takes no more: {said}",
        "Le serveur de courriel {where} n'accepte plus rien : « {said} »")
    NO_HOST = ("The mail server {where} cannot be used: that, or this machine's own name, is not the name of a host",
        "Le serveur de courriel {where} est inutilisable : son nom, ou celui de cette machine, n'est pas valable")
    REFUSES_LOGIN = ("The mail server {where} refuses the login of {user}: {said}",
        "Le serveur de courriel {where} refuse l'identifiant {user} : « {said} »")
    NOT_OFFERED = ("The mail server {where} does not offer what is asked of it: {said}",
        "Le serveur de courriel {where} n'offre pas ce qui lui est demandé : « {said} »")
    INSECURE = ("The mail server {where} cannot be reached securely: {said}",
        "Connexion sécurisée impossible avec le serveur de courriel {where} : « {said} »")
    UNUSABLE = ("The mail server {where} cannot be used: {said}",
        "Le serveur de courriel {where} est inutilisable : « {said} »")
    REFUSES_SENDER = ("The mail server refuses the sender {sender}: {said}",
        "Le serveur de courriel refuse l'expéditeur {sender} : « {said} »")
    NO_SENDER = ("There is no address to send from: SMTP_FROM is not set, nor smtp_from in system_settings",
        "Aucune adresse d'expédition : ni SMTP_FROM ni « smtp_from » dans « system_settings » ne sont renseignés")
    # fmt: on
