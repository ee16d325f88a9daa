"""The sentences about a claim's evidence, in both languages."""

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from recours.core.claim import Delivery
from recours.core.disputes import Support
from recours.core.evidence import EvidenceKind, Findings
from recours.core.localized import Localized
from recours.core.outcome import RecordedEvidence
from recours.reporting.evidence import (
    KIND_NAMES,
    ClaimEvidence,
    ShownDelivery,
    piece_json,
    piece_text,
    source_text,
)

AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)
LETTER = RecordedEvidence(
    claim_id=1,
    carrier="chronopost",
    number="XY001234567FR",
    kind=EvidenceKind.LETTER,
    source="chronopost searchPOD",
    obtained_at=AT,
    path="/pods/a.pdf",
    sha256="ab" * 32,
    size=2000,
    media_type="application/pdf",
    delivery=Delivery(),
    findings=Findings(
        is_readable=True, number=True, signatory="DUPONT", has_signature=True, delivered="2026-10-05T10:31"
    ),
)
SCAN = replace(LETTER, findings=Findings())
HOLLOW = replace(LETTER, refused="it is blank")
RECORD = replace(LETTER, kind=EvidenceKind.RECORD, delivery=Delivery(AT, "DURAND"))
UNNUMBERED = replace(LETTER, findings=Findings(is_readable=True, number=False, signatory="DUPONT"))
BY_HAND = replace(SCAN, source="by hand", by="Anna", delivery=Delivery(AT, "DURAND"))


def test_a_delivery_without_a_time_is_shown_with_its_day() -> None:
    shown = ShownDelivery.of(Findings(), Delivery(day=date(2026, 10, 5), place="Lille"))
    assert shown == ("2026-10-05", None, "Lille")
    assert ShownDelivery.of(LETTER.findings, RECORD.delivery) == ("2026-10-05T10:31", "DUPONT", None)


PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("piece", "english", "french"),
    [
        (
            LETTER,
            "signed by DUPONT on 5 Oct 2026, 10:31; shows the tracking number",
            "signature de DUPONT le 05/10/2026 à 10 h 31 ; le numéro de suivi y figure",
        ),
        (HOLLOW, "refused as a proof: it is blank", "refusé comme preuve : il est vierge"),
        (
            replace(LETTER, refused="some older reason"),
            "refused as a proof: some older reason",
            "refusé comme preuve : « some older reason »",
        ),
        (
            BY_HAND,
            "no readable text; entered by Anna: DURAND, 5 Oct 2026, 10:31 CEST",
            "aucun texte lisible ; saisi par Anna : DURAND, 05/10/2026 à 10 h 31 CEST",
        ),
        (
            replace(BY_HAND, by="operator"),
            "no readable text; entered by the operator: DURAND, 5 Oct 2026, 10:31 CEST",
            "aucun texte lisible ; saisi par l'opérateur : DURAND, 05/10/2026 à 10 h 31 CEST",
        ),
        (
            replace(BY_HAND, findings=LETTER.findings, delivery=Delivery(None, "DURAND", date(2026, 10, 5))),
            "signed by DUPONT on 5 Oct 2026, 10:31; shows the tracking number; entered by Anna: DURAND",
            "signature de DUPONT le 05/10/2026 à 10 h 31 ; le numéro de suivi y figure ; saisi par Anna : DURAND",
        ),
    ],
)
def test_findings_of_a_piece_are_described_in_both_languages(
    piece: RecordedEvidence, english: str, french: str
) -> None:
    assert piece_text(piece, Localized("en", PARIS)) == english
    assert piece_text(piece, Localized("fr", PARIS)) == french


def test_the_source_of_a_piece() -> None:
    assert source_text(LETTER, "fr") == "chronopost searchPOD"
    assert (source_text(BY_HAND, "en"), source_text(BY_HAND, "fr")) == ("by hand, Anna", "à la main, Anna")
    by_operator = replace(BY_HAND, by="operator")
    assert source_text(by_operator, "fr") == "à la main, l'opérateur"
    assert KIND_NAMES.keys() == set(EvidenceKind)


@pytest.mark.parametrize(
    ("pieces", "dispute", "support"),
    [
        ([LETTER], "lost", Support.PROVES),
        ([LETTER, HOLLOW], "lost", Support.PROVES),
        ([HOLLOW], "lost", Support.NOT),
        ([SCAN], "lost", Support.UNKNOWN),
        # A person's entries are not the carrier's tracking.
        ([BY_HAND], "lost", Support.UNKNOWN),
        ([replace(SCAN, delivery=Delivery(AT, "DURAND"))], "lost", Support.PARTLY),
        # A tracking record is what the tracking reports: recours itself wrote the number into it.
        ([RECORD], "lost", Support.PARTLY),
        ([RECORD, UNNUMBERED], "lost", Support.PARTLY),
        ([LETTER], "something else", Support.UNKNOWN),
        ([LETTER], "", None),
        ([], "lost", None),
    ],
)
def test_whether_the_evidence_proves_the_delivery(
    pieces: list[RecordedEvidence], dispute: str, support: Support | None
) -> None:
    evidence = ClaimEvidence(pieces, dispute)
    assert (evidence.verdict.support if evidence.verdict else None) == support
    for language in ("en", "fr"):
        assert bool(evidence.verdict_text(language)) is (support is not None)
        assert "{" not in evidence.verdict_text(language)


def test_times_of_the_tracking_are_in_the_zone_of_the_documents() -> None:
    """Otherwise 10:31 on the letter and 08:31 from the tracking would look like two deliveries."""
    said = piece_text(replace(SCAN, delivery=Delivery(AT)), Localized("en", PARIS))
    assert said == "no readable text; according to tracking: 5 Oct 2026, 10:31 CEST"


def test_json_separates_findings_from_facts_given_by_a_person() -> None:
    found = piece_json(BY_HAND)
    assert (found["shown"]["signatory"], found["signatory"], found["by"]) == (None, "DURAND", "Anna")
