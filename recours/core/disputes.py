"""What a dispute takes to be won, and whether the evidence of a claim has it. Pure.

Seen by a shop whose customer or carrier contests a delivery. "Delivered" by itself shows no one who took the parcel: it does
not prove the delivery to the recipient. Pieces are judged together: the number may be on a letter, the signature an image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from recours.core.appraisal import Shown
from recours.core.claim import Delivery
from recours.core.localized import Localized
from recours.core.text import by_language


class Support(StrEnum):
    """How far the evidence carries a dispute. The values are shown as they are in JSON."""

    PROVES = "proves"
    PARTLY = "partly"
    NOT = "not"
    UNKNOWN = "unknown"  # a person must look: at a scan, or at a kind of dispute that the table does not know


class Missing(StrEnum):
    """What keeps the evidence from proving it."""

    NUMBER = "number"
    RECIPIENT = "recipient"  # neither a name nor a signature
    SIGNATURE = "signature"
    DATE = "date"
    CONDITION = "condition"
    RECIPIENT_ONLY_TRACKED = "recipient_only_tracked"  # the carrier's tracking names one, no document does
    DATE_ONLY_TRACKED = "date_only_tracked"
    UNREAD = "unread"  # a scan or an image may show it


@dataclass(frozen=True)
class DisputeVerdict:
    support: Support
    missing: tuple[Missing, ...] = ()


# By the claim's `dispute_type`: what it takes; without the first of these nothing is proven.
_TAKES: dict[str, tuple[Missing, ...]] = {
    "lost": (Missing.RECIPIENT, Missing.NUMBER),
    "late_delivery": (Missing.DATE, Missing.NUMBER),
    "invalid_pod": (Missing.RECIPIENT, Missing.NUMBER, Missing.DATE),
    # A parcel that was taken without reservation counts as undamaged, until the opposite is shown.
    "damaged": (Missing.SIGNATURE, Missing.NUMBER, Missing.CONDITION),
}
_TRACKED = {
    Missing.RECIPIENT: Missing.RECIPIENT_ONLY_TRACKED,
    Missing.DATE: Missing.DATE_ONLY_TRACKED,
}


def support(dispute_type: str, pieces: Sequence[Shown], delivery: Delivery | None) -> DisputeVerdict:
    """How far the documents of a claim's evidence carry its dispute; refused ones and records are none.

    `delivery`: what the carrier's tracking says, of which a record is a copy.
    """
    takes = _TAKES.get(dispute_type)
    if takes is None:
        return DisputeVerdict(Support.UNKNOWN)
    unmet = [need for need in takes if not any(_has(piece, need) for piece in pieces)]
    if not unmet:
        return DisputeVerdict(Support.PROVES)
    missing = tuple(_TRACKED[need] if _is_tracked(delivery, need) else need for need in unmet)
    if takes[0] not in unmet or _is_tracked(delivery, takes[0]):
        return DisputeVerdict(Support.PARTLY, missing)
    # Of a signature by itself there is nothing to read: what else may be on a picture, a person sees.
    if any(not piece.is_readable and piece.has_signature is None for piece in pieces):
        return DisputeVerdict(Support.UNKNOWN, (*missing, Missing.UNREAD))
    return DisputeVerdict(Support.NOT, missing)


def _has(piece: Shown, need: Missing) -> bool:
    return {
        Missing.NUMBER: bool(piece.number),
        Missing.RECIPIENT: bool(piece.signatory or piece.has_signature),
        Missing.SIGNATURE: bool(piece.has_signature),
        Missing.DATE: bool(piece.delivered),
    }.get(need, False)


def _is_tracked(delivery: Delivery | None, need: Missing) -> bool:
    if delivery is None or delivery.is_assumed:
        return False
    return bool(
        (need is Missing.RECIPIENT and delivery.signatory)
        or (need is Missing.DATE and (delivery.at or delivery.day))
    )


# ---------------------------------------------------------------- in two languages

_VERDICTS = {
    "en": {
        Support.PROVES: "The evidence proves the delivery in a dispute about {dispute}",
        Support.PARTLY: "The evidence helps in a dispute about {dispute}, but is not enough: {missing}",
        Support.NOT: "The evidence does not prove the delivery in a dispute about {dispute}: {missing}",
        Support.UNKNOWN: "A person must decide whether the evidence proves the delivery: {missing}",
    },
    "fr": {
        Support.PROVES: "L'ensemble prouve la livraison dans un litige pour {dispute}",
        Support.PARTLY: "L'ensemble aide dans un litige pour {dispute}, mais ne suffit pas : {missing}",
        Support.NOT: "L'ensemble ne prouve pas la livraison dans un litige pour {dispute} : {missing}",
        Support.UNKNOWN: "Vérifiez vous-même si l'ensemble prouve la livraison : {missing}",
    },
}
_DISPUTES = by_language(
    {
        "lost": ("a lost parcel", "colis perdu"),
        "late_delivery": ("a late delivery", "livraison tardive"),
        "invalid_pod": ("a contested proof of delivery", "preuve de livraison contestée"),
        "damaged": ("a damaged parcel", "colis endommagé"),
    }
)
_MISSING = {
    "en": {
        Missing.NUMBER: "no document shows the parcel's number",
        Missing.RECIPIENT: "neither a name nor a signature shows who took the parcel",
        Missing.SIGNATURE: "there is no signature",
        Missing.DATE: "no date of delivery is shown",
        Missing.CONDITION: "it says nothing about the parcel's condition",
        Missing.RECIPIENT_ONLY_TRACKED: "only the carrier's tracking names who took the parcel",
        Missing.DATE_ONLY_TRACKED: "only the carrier's tracking gives the date",
        Missing.UNREAD: "the scan has no readable text",
        None: "the kind of dispute is unknown",
    },
    "fr": {
        Missing.NUMBER: "aucun document ne porte le numéro du colis",
        Missing.RECIPIENT: "ni nom ni signature n'indiquent qui a reçu le colis",
        Missing.SIGNATURE: "il n'y a pas de signature",
        Missing.DATE: "aucune date de livraison n'y figure",
        Missing.CONDITION: "rien n'y indique l'état du colis",
        Missing.RECIPIENT_ONLY_TRACKED: "seul le suivi du transporteur indique qui a reçu le colis",
        Missing.DATE_ONLY_TRACKED: "seul le suivi du transporteur donne la date",
        Missing.UNREAD: "le document numérisé n'a pas de texte lisible",
        None: "le motif du litige est inconnu",
    },
}


def verdict_sentence(language: str, dispute_type: str, verdict: DisputeVerdict) -> str:
    """How far the evidence carries the dispute, and what is missing; without a full stop."""
    missing = ", ".join(_MISSING[language][need] for need in verdict.missing) or _MISSING[language][None]
    dispute = _DISPUTES[language].get(dispute_type, "")
    return _VERDICTS[language][verdict.support].format(dispute=dispute, missing=missing)


_SHOWN = by_language(
    {
        "signed_by": ("signed by {name}", "signé par {name}"),
        "received_by": ("received by {name}", "reçu par {name}"),
        "signed": ("signed, without a name", "signé, sans nom"),
        "unsigned": ("unsigned", "sans signature"),
        "no_one": ("neither name nor signature", "ni nom ni signature"),
        "at": (" on {when}", " le {when}"),
        "delivered": (", delivered on {when}", ", livré le {when}"),
        "undated": (", no date", ", sans date"),
        "number": ("; the number is on it", " ; le numéro y figure"),
        "no_number": ("; the number is not on it", " ; le numéro n'y figure pas"),
        "unread": ("without readable text", "sans texte lisible"),
        "tracking": ("; tracking says: {what}", " ; d'après le suivi : {what}"),
    }
)


def told(shown: Shown, delivery: Delivery | None, reader: Localized) -> str:
    """What a document shows, and what only the carrier's tracking says: "signed by DUPONT on 5 Oct 2026, 10:31, Lille; the number is on it"."""
    texts = _SHOWN[reader.language]
    says_something = shown.is_readable or shown.has_signature is not None
    if says_something:
        when = reader.printed(shown.delivered) if shown.delivered else ""
        place = f", {shown.place}" if shown.place else ""
        how = "at" if shown.signatory else "delivered"
        dated = texts[how].format(when=when) if when else texts["undated"] if shown.is_readable else ""
        found = _who(shown.signatory, shown.has_signature, texts) + dated + place
    else:
        found = texts["unread"]
    if shown.number is not None:
        found += texts["number" if shown.number else "no_number"]
    if delivery and not delivery.is_assumed and (tracked := _tracked(shown, delivery, reader)):
        found += texts["tracking"].format(what=tracked)
    return found


def _who(signatory: str | None, has_signature: bool | None, texts: dict[str, str]) -> str:
    if signatory:
        return texts["signed_by" if has_signature else "received_by"].format(name=signatory)
    return texts["signed" if has_signature else "no_one" if has_signature is None else "unsigned"]


def _tracked(shown: Shown, delivery: Delivery, reader: Localized) -> str:
    """What the tracking says and the document does not show."""
    found = []
    if delivery.signatory and not shown.signatory:
        found.append(delivery.signatory)
    at = delivery.at or delivery.day
    if at and not shown.delivered:
        found.append(reader.printed(at.isoformat()))
    return ", ".join(found)
