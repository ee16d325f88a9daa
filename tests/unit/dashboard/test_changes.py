"""The history for people: every kind of event in both languages, with any stored content."""

from datetime import UTC, datetime
from typing import Any

import pytest

from recours.core.actions import ChangeKind
from recours.dashboard.history import change_text
from recours.dashboard.texts import PageTexts
from recours.reporting.labels import CHANGES
from recours.reporting.records import PastChange

AT = datetime(2026, 2, 2, tzinfo=UTC)


def test_every_kind_of_change_has_a_name() -> None:
    assert set(CHANGES) == set(ChangeKind)


@pytest.mark.parametrize(
    ("what", "details", "english", "french"),
    [
        ("reopened", {}, "reopened", "rouverte"),
        ("excluded", {"why": "by phone"}, "excluded: 'by phone'", "exclue : « by phone »"),
        (
            "corrected",
            {"number": [None, "A1"], "carrier": ["UPS", "DHL"]},
            "corrected: tracking number none → A1, carrier UPS → DHL",
            "corrigée : numéro de suivi aucun → A1, transporteur UPS → DHL",
        ),
        ("set_aside", {"status": "paid"}, "no longer needed: claim status 'paid'", "sans objet : statut de la réclamation « payée »"),
        ("edited", {"status": ["failed", "x"]}, "edited: fetch status failed → x", "modifiée : statut de la recherche échec → x"),
        (
            "edited",
            {"deadline": [None, "2026-03-09"]},
            "edited: deadline none → 9 Mar 2026",
            "modifiée : échéance aucune → 09/03/2026",
        ),
        ("detached", {"kind": "letter"}, "proof detached: kind 'proof of delivery'", "preuve retirée : type « preuve de livraison »"),
        ("of somebody", {"a": [1, 2, 3]}, "of somebody: a '[1, 2, 3]'", "of somebody : a « [1, 2, 3] »"),
    ],
)  # fmt: skip
def test_changes_are_described_in_both_languages(what: str, details: Any, english: str, french: str) -> None:
    change = PastChange(AT, what, "anna", details)
    assert [change_text(PageTexts(language, UTC), change) for language in ("en", "fr")] == [english, french]
