"""Why a file is refused as a document or as a proof, in English and French: phrases to stand after a colon.

The English phrase is what is recorded: see `RecordedPhrase`.
"""

from recours.core.recorded_phrases import RecordedPhrase


class DocumentFlaw(RecordedPhrase):
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
    CHANGING = ("it changed while it was read; try again when it is complete",
        "il a été modifié pendant sa lecture ; réessayez quand il sera complet")
    # fmt: on


flaw_text = DocumentFlaw.text
flaw_in = DocumentFlaw.translated
