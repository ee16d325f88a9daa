"""The requirements for winning a dispute, and the sentences about a document."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import product

import pytest

from recours.core.claim import Delivery
from recours.core.disputes import DisputeVerdict, Missing, Support, findings_text, support, verdict_sentence
from recours.core.evidence import Findings
from recours.core.localized import Localized

AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)
LETTER = Findings(
    is_readable=True,
    number=True,
    signatory="DUPONT",
    has_signature=True,
    delivered="2026-10-05T10:31",
    place="Lille",
)
UNSIGNED = Findings(is_readable=True, number=True, has_signature=False, delivered="2026-10-05")
UNDATED = Findings(is_readable=True, number=True, signatory="DUPONT")
IMAGE = Findings(has_signature=True)
SCAN = Findings()
TRACKED = Delivery(AT, "DUPONT")
M = Missing


ZONE = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("dispute", "pieces", "delivery", "expected"),
    [
        ("lost", [LETTER], None, DisputeVerdict(Support.PROVES)),
        ("lost", [UNDATED], None, DisputeVerdict(Support.PROVES)),
        ("lost", [UNSIGNED], None, DisputeVerdict(Support.NOT, (M.RECIPIENT,))),
        ("lost", [UNSIGNED, IMAGE], None, DisputeVerdict(Support.PROVES)),
        ("lost", [UNSIGNED], TRACKED, DisputeVerdict(Support.PARTLY, (M.RECIPIENT_ONLY_TRACKED,))),
        ("lost", [IMAGE], None, DisputeVerdict(Support.PARTLY, (M.NUMBER,))),
        ("lost", [SCAN], None, DisputeVerdict(Support.UNKNOWN, (M.RECIPIENT, M.NUMBER, M.UNREAD))),
        ("lost", [], TRACKED, DisputeVerdict(Support.PARTLY, (M.RECIPIENT_ONLY_TRACKED, M.NUMBER))),
        ("lost", [], Delivery(AT), DisputeVerdict(Support.NOT, (M.RECIPIENT, M.NUMBER))),
        (
            "lost",
            [],
            Delivery(AT, "X", is_assumed=True),
            DisputeVerdict(Support.NOT, (M.RECIPIENT, M.NUMBER)),
        ),
        ("late_delivery", [UNSIGNED], None, DisputeVerdict(Support.PROVES)),
        ("late_delivery", [UNDATED], None, DisputeVerdict(Support.NOT, (M.DATE,))),
        ("late_delivery", [UNDATED], Delivery(AT), DisputeVerdict(Support.PARTLY, (M.DATE_ONLY_TRACKED,))),
        ("invalid_pod", [LETTER], None, DisputeVerdict(Support.PROVES)),
        ("invalid_pod", [UNDATED], None, DisputeVerdict(Support.PARTLY, (M.DATE,))),
        ("invalid_pod", [UNSIGNED], None, DisputeVerdict(Support.NOT, (M.RECIPIENT,))),
        ("invalid_pod", [UNSIGNED, IMAGE], None, DisputeVerdict(Support.PROVES)),
        ("damaged", [LETTER], None, DisputeVerdict(Support.PARTLY, (M.CONDITION,))),
        ("damaged", [UNDATED], None, DisputeVerdict(Support.NOT, (M.SIGNATURE, M.CONDITION))),
        ("something_else", [LETTER], TRACKED, DisputeVerdict(Support.UNKNOWN)),
    ],
)
def test_a_dispute_requires_more_than_a_delivery(
    dispute: str, pieces: list[Findings], delivery: Delivery | None, expected: DisputeVerdict
) -> None:
    assert support(dispute, pieces, delivery) == expected


@pytest.mark.parametrize("dispute", ["lost", "late_delivery", "invalid_pod", "damaged"])
def test_more_evidence_never_proves_less(dispute: str) -> None:
    strength = [Support.NOT, Support.UNKNOWN, Support.PARTLY, Support.PROVES]
    pieces = [
        Findings(is_readable=True, number=number, signatory=name, has_signature=signed, delivered=at)
        for number, name, signed, at in product(
            (None, False, True), (None, "X"), (None, False, True), (None, "2026-10-05")
        )
    ]
    for first, second in product(pieces, pieces):
        alone, both = support(dispute, [first], None), support(dispute, [first, second], None)
        assert strength.index(both.support) >= strength.index(alone.support)


@pytest.mark.parametrize(
    ("findings", "delivery", "english", "french"),
    [
        (
            LETTER,
            TRACKED,
            "signed by DUPONT on 5 Oct 2026, 10:31, Lille; shows the tracking number",
            "signature de DUPONT le 05/10/2026 à 10 h 31, Lille ; le numéro de suivi y figure",
        ),
        (
            UNSIGNED,
            None,
            "unsigned, delivered on 5 Oct 2026; shows the tracking number",
            "sans signature, livraison le 05/10/2026 ; le numéro de suivi y figure",
        ),
        (
            Findings(is_readable=True, number=False, signatory="DUPONT"),
            Delivery(AT),
            "received by DUPONT, no date; does not show the tracking number; according to tracking: 5 Oct 2026, 10:31 UTC+02:00",
            "remise à DUPONT, sans date ; le numéro de suivi n'y figure pas ; d'après le suivi : 05/10/2026 à 10 h 31 UTC+02:00",
        ),
        (
            Findings(
                is_readable=True, number=True, delivered="2026-10-05T08:31:00+00:00"
            ),  # a tracking record's
            None,
            "no name or signature, delivered on 5 Oct 2026, 10:31 UTC+02:00; shows the tracking number",
            "ni nom ni signature, livraison le 05/10/2026 à 10 h 31 UTC+02:00 ; le numéro de suivi y figure",
        ),
        (IMAGE, None, "signed, no name", "signature sans nom"),
        (
            SCAN,
            Delivery(None, "DUPONT", date(2026, 10, 5)),
            "no readable text; according to tracking: DUPONT, 5 Oct 2026",
            "aucun texte lisible ; d'après le suivi : DUPONT, 05/10/2026",
        ),
        (SCAN, Delivery(is_assumed=True, signatory="X"), "no readable text", "aucun texte lisible"),
        (Findings(is_readable=True), None, "no name or signature, no date", "ni nom ni signature, sans date"),
    ],
)
def test_document_findings_are_described_in_both_languages(
    findings: Findings, delivery: Delivery | None, english: str, french: str
) -> None:
    assert findings_text(findings, delivery, Localized("en", ZONE)) == english
    assert findings_text(findings, delivery, Localized("fr", ZONE)) == french


def test_a_verdict_names_missing_evidence() -> None:
    verdict = support("lost", [UNSIGNED], None)
    assert verdict_sentence("en", "lost", verdict) == (
        "These documents do not prove delivery in a dispute about a lost parcel: "
        "no document shows who received the parcel (name or signature)"
    )
    assert verdict_sentence("fr", "lost", verdict) == (
        "Ces documents ne prouvent pas la livraison en cas de litige pour colis perdu : "
        "aucun document n'indique qui a reçu le colis (nom ou signature)"
    )


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("dispute", ["lost", "late_delivery", "invalid_pod", "damaged", "other"])
def test_each_verdict_has_a_sentence(language: str, dispute: str) -> None:
    for pieces in ([], [LETTER], [UNSIGNED], [UNDATED], [IMAGE], [SCAN]):
        for delivery in (None, TRACKED):
            text = verdict_sentence(language, dispute, support(dispute, pieces, delivery))
            assert "{" not in text
            assert ": " in text or "prove" in text or "prouve" in text
