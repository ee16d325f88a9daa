"""Assesses whether a claim's evidence proves what its dispute requires.

The requirements are those of a shop whose customer or carrier contests a delivery. "Delivered" alone does not prove
delivery to the recipient, because it names nobody. Pieces are assessed together, because the number and the signature
may be on different pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from recours.core.claim import Delivery
from recours.core.evidence import Findings
from recours.core.localized import Localized
from recours.core.text import enumeration
from recours.core.translations import N_, translate


class Support(StrEnum):
    """How well the evidence supports a dispute. The values are used in JSON."""

    PROVES = "proves"
    PARTLY = "partly"
    NOT = "not"
    UNKNOWN = "unknown"  # a person must decide: the evidence is a scan, or the dispute type is unknown


class Missing(StrEnum):
    """What the evidence does not show."""

    NUMBER = "number"
    RECIPIENT = "recipient"  # neither a name nor a signature
    SIGNATURE = "signature"
    DATE = "date"
    CONDITION = "condition"
    RECIPIENT_ONLY_TRACKED = "recipient_only_tracked"  # only the tracking names a recipient
    DATE_ONLY_TRACKED = "date_only_tracked"
    UNREAD = "unread"  # a scan or an image may show what is missing


@dataclass(frozen=True)
class DisputeVerdict:
    support: Support
    missing: tuple[Missing, ...] = ()


# Requirements by the claim's `dispute_type`. If the first requirement is not met, nothing is proven.
_REQUIRED: dict[str, tuple[Missing, ...]] = {
    "lost": (Missing.RECIPIENT, Missing.NUMBER),
    "late_delivery": (Missing.DATE, Missing.NUMBER),
    "invalid_pod": (Missing.RECIPIENT, Missing.NUMBER, Missing.DATE),
    # A parcel accepted without reservation counts as undamaged until proven otherwise.
    "damaged": (Missing.SIGNATURE, Missing.NUMBER, Missing.CONDITION),
}
_TRACKED = {Missing.RECIPIENT: Missing.RECIPIENT_ONLY_TRACKED, Missing.DATE: Missing.DATE_ONLY_TRACKED}


def support(dispute_type: str, pieces: Sequence[Findings], delivery: Delivery | None) -> DisputeVerdict:
    """Assess how well a claim's documents support its dispute. `pieces`: without rejected files and tracking records.

    `delivery`: the delivery according to the carrier's tracking, which a tracking record would only repeat.
    """
    required = _REQUIRED.get(dispute_type)
    if required is None:
        return DisputeVerdict(Support.UNKNOWN)
    unmet = [need for need in required if not any(_has(piece, need) for piece in pieces)]
    if not unmet:
        return DisputeVerdict(Support.PROVES)
    missing = tuple(_TRACKED[need] if _is_tracked(delivery, need) else need for need in unmet)
    if required[0] not in unmet or _is_tracked(delivery, required[0]):
        return DisputeVerdict(Support.PARTLY, missing)
    # An image may show more than can be read automatically: a person must look at it.
    if any(not piece.is_readable and piece.has_signature is None for piece in pieces):
        return DisputeVerdict(Support.UNKNOWN, (*missing, Missing.UNREAD))
    return DisputeVerdict(Support.NOT, missing)


def _has(piece: Findings, need: Missing) -> bool:
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


# ---------------------------------------------------------------- texts

_VERDICTS = {
    Support.PROVES: N_("These documents prove delivery in a dispute about {dispute}"),
    Support.PARTLY: N_("These documents help in a dispute about {dispute}, but are not enough: {missing}"),
    Support.NOT: N_("These documents do not prove delivery in a dispute about {dispute}: {missing}"),
    Support.UNKNOWN: N_("A person must check whether these documents prove delivery: {missing}"),
}
_DISPUTES = {
    "lost": N_("a lost parcel"),
    "late_delivery": N_("a late delivery"),
    "invalid_pod": N_("a contested proof of delivery"),
    "damaged": N_("a damaged parcel"),
}
_MISSING = {
    Missing.NUMBER: N_("no document shows the tracking number"),
    Missing.RECIPIENT: N_("no document shows who received the parcel (name or signature)"),
    Missing.SIGNATURE: N_("the signature is missing"),
    Missing.DATE: N_("no document shows the delivery date"),
    Missing.CONDITION: N_("no document shows the parcel's condition"),
    Missing.RECIPIENT_ONLY_TRACKED: N_("only the carrier's tracking shows who received the parcel"),
    Missing.DATE_ONLY_TRACKED: N_("only the carrier's tracking shows the delivery date"),
    Missing.UNREAD: N_("the scan contains no readable text"),
    None: N_("the kind of dispute is unknown"),
}


def verdict_sentence(language: str, dispute_type: str, verdict: DisputeVerdict) -> str:
    """State how well the evidence supports the dispute and what is missing, without a final period."""
    texts = missing_texts(language, verdict) or [translate(language, _MISSING[None])]
    missing = enumeration(texts, translate(language, " and "))
    dispute = translate(language, _DISPUTES[dispute_type]) if dispute_type in _DISPUTES else ""
    return translate(language, _VERDICTS[verdict.support]).format(dispute=dispute, missing=missing)


def missing_texts(language: str, verdict: DisputeVerdict) -> list[str]:
    """Return a phrase for each fact that the evidence does not show."""
    return [translate(language, _MISSING[need]) for need in verdict.missing]


def findings_text(findings: Findings, delivery: Delivery | None, texts: Localized) -> str:
    """Describe a document and facts that only tracking reports: "signed by DUPONT on 5 Oct 2026, 10:31, Lille; …"."""
    text = texts("no readable text")
    if findings.is_readable or findings.has_signature is not None:
        text = _who(findings, texts) + _when(findings, texts)
        if findings.place:
            text += f", {findings.place}"
    if findings.number:
        text += texts("; shows the tracking number")
    elif findings.number is not None:
        text += texts("; does not show the tracking number")
    if delivery and not delivery.is_assumed and (tracked := _tracking_facts(findings, delivery, texts)):
        text += texts("; according to tracking: {what}", what=tracked)
    return text


def _who(findings: Findings, texts: Localized) -> str:
    if findings.signatory and findings.has_signature:
        return texts("signed by {name}", name=findings.signatory)
    if findings.signatory:
        return texts("received by {name}", name=findings.signatory)
    if findings.has_signature:
        return texts("signed, no name")
    return texts("no name or signature") if findings.has_signature is None else texts("unsigned")


def _when(findings: Findings, texts: Localized) -> str:
    if not findings.delivered:
        return texts(", no date") if findings.is_readable else ""
    when = texts.printed_time(findings.delivered)
    return texts(" on {when}", when=when) if findings.signatory else texts(", delivered on {when}", when=when)


def _tracking_facts(findings: Findings, delivery: Delivery, texts: Localized) -> str:
    """Return the facts that only the tracking reports."""
    facts = []
    if delivery.signatory and not findings.signatory:
        facts.append(delivery.signatory)
    at = delivery.at or delivery.day
    if at and not findings.delivered:
        facts.append(texts.printed_time(at.isoformat()))
    return ", ".join(facts)
