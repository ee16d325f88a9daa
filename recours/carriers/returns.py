"""Events that say in words, and not by their code, that a parcel goes back to its sender."""

import re

from recours.core.text import plain

# Words of events of a return to the sender. English, French and German: wordings of DHL in public clients (mmetten/ha-dhl and
# the gem `dhl-tracking`), of simulators and of labels. Spanish, Italian and Dutch are inferred.
_TURNED_BACK_TEXTS = (
    r"\breturn(?:s|ed|ing)?\b.{0,40}\b(?:sender|shipper|consignor)\b",
    r"\b(?:delivered|handed over|given back) to (?:(?:the|its) )?(?:original )?(?:sender|shipper|consignor)\b",
    r"\b(?:retour\w*|renvoy\w*|reexpedi\w*)\b.{0,40}\bexpediteur\b",
    r"\b(?:livree?|remise?|rendue?|distribuee?) a (?:l'|l’|son )expediteur\b",
    r"\bzuruck\w*\b.{0,40}\babsender\b|\babsender\b.{0,20}\bzuruck|\brucksendung\b|\bzuruckge(?:sandt|sendet|schickt)\b",
    r"\b(?:dem|den|zum) absender (?:zugestellt|ubergeben|ausgehandigt)\b",
    r"\b(?:devuel\w*|devoluci\w*|retorn\w*)\b.{0,40}\bremitente\b|\bentregad[oa] al remitente\b",
    r"\b(?:restitu\w*|reso|resa|ritorn\w*|rispedi\w*|rinvia\w*)\b.{0,40}\bmittente\b|\bconsegnat[oa] al mittente\b",
    r"\b(?:retour\w*|terug\w*|geretourneerd)\b.{0,40}\bafzender\b|\bafzender\b.{0,20}\b(?:terug|geretourneerd)",
)
# A condition ("returned to the sender unless …") announces a return: none has happened.
_CONDITION = re.compile(
    r"\b(?:if|unless|otherwise|si|s['’]il|sinon|falls|wenn|sonst|andernfalls|se non|altrimenti|indien)\b"
)
_READ_OF_TEXTS = 300  # characters


def turns_back(words: str | None) -> bool:
    """Tell whether the words of an event say that the parcel goes, or has gone, back to its sender."""
    text = plain((words or "")[:_READ_OF_TEXTS])
    return any(re.search(pattern, text) for pattern in _TURNED_BACK_TEXTS) and not _CONDITION.search(text)
