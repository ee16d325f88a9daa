"""Why a file is refused as a document or as a proof, in English and French: a phrase for each key, to stand after a colon.

The English phrase is what is recorded: see `recours.core.recorded_phrases`.
"""

from enum import StrEnum

from recours.core.recorded_phrases import RecordedPhrases


class DocumentFlaw(StrEnum):
    TOO_SHORT = "too_short"
    NO_DOCUMENT = "no_document"
    NEITHER_DOCUMENT_NOR_PAGE = "neither_document_nor_page"
    CUT_OFF = "cut_off"
    BROKEN_PDF = "broken_pdf"
    EMPTY_PDF = "empty_pdf"
    LOGIN_PAGE = "login_page"
    BLANK = "blank"
    SAYS_THERE_IS_NONE = "says_there_is_none"
    ERROR_PAGE = "error_page"
    OF_ANOTHER_PARCEL = "of_another_parcel"
    SHOWS_NOTHING = "shows_nothing"
    NO_DELIVERY = "no_delivery"
    LINK = "link"
    NO_FILE = "no_file"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    CHANGING = "changing"


_F = DocumentFlaw
TEXTS: dict[str, dict[DocumentFlaw, str]] = {
    "en": {
        _F.TOO_SHORT: "it has only {size} bytes",
        _F.NO_DOCUMENT: "it is neither PDF, PNG, JPEG, GIF nor TIFF",
        _F.NEITHER_DOCUMENT_NOR_PAGE: "it is neither HTML, PDF, PNG, JPEG, GIF nor TIFF",
        _F.CUT_OFF: "the image is cut off",
        _F.BROKEN_PDF: "the PDF cannot be opened ({error})",
        _F.EMPTY_PDF: "the PDF has no page",
        _F.LOGIN_PAGE: "it is a login page",
        _F.BLANK: "it is blank",
        _F.SAYS_THERE_IS_NONE: 'it says that there is none ("{said}")',
        _F.ERROR_PAGE: 'it is an error page ("{said}")',
        _F.OF_ANOTHER_PARCEL: "it shows another parcel's number ({number})",
        _F.SHOWS_NOTHING: "it shows neither the parcel's number nor a delivery",
        _F.NO_DELIVERY: "it tells of no delivery",
        _F.LINK: "it is a symbolic link; name the file itself",
        _F.NO_FILE: "it is no regular file",
        _F.TOO_LARGE: "it is larger than {size} MB",
        _F.UNREADABLE: "it cannot be read ({error})",
        _F.CHANGING: "it changed while it was read; try again when it is complete",
    },
    "fr": {
        _F.TOO_SHORT: "il ne contient que {size} octets",
        _F.NO_DOCUMENT: "ce n'est ni un PDF, ni une image PNG, JPEG, GIF ou TIFF",
        _F.NEITHER_DOCUMENT_NOR_PAGE: "ce n'est ni un PDF, ni une page HTML, ni une image PNG, JPEG, GIF ou TIFF",
        _F.CUT_OFF: "l'image est tronquée",
        _F.BROKEN_PDF: "le PDF ne s'ouvre pas (« {error} »)",
        _F.EMPTY_PDF: "le PDF n'a aucune page",
        _F.LOGIN_PAGE: "c'est une page de connexion",
        _F.BLANK: "il est vierge",
        _F.SAYS_THERE_IS_NONE: "il indique lui-même qu'il n'y a pas de preuve (« {said} »)",
        _F.ERROR_PAGE: "c'est une page d'erreur (« {said} »)",
        _F.OF_ANOTHER_PARCEL: "il porte le numéro d'un autre colis ({number})",
        _F.SHOWS_NOTHING: "il ne montre ni le numéro du colis ni une livraison",
        _F.NO_DELIVERY: "il ne fait état d'aucune livraison",
        _F.LINK: "c'est un lien symbolique ; indiquez le fichier lui-même",
        _F.NO_FILE: "ce n'est pas un fichier ordinaire",
        _F.TOO_LARGE: "il dépasse {size} Mo",
        _F.UNREADABLE: "il est illisible (« {error} »)",
        _F.CHANGING: "il a été modifié pendant sa lecture ; réessayez quand il sera complet",
    },
}  # fmt: skip

_PHRASES = RecordedPhrases(TEXTS)
flaw_text, flaw_in = _PHRASES.text, _PHRASES.told
