"""The history for people: every kind of event in both languages, with any stored content."""

from datetime import UTC, datetime
from typing import Any

import pytest

from recours.core.actions import ChangeKind
from recours.reporting.labels import CHANGES, change_text
from recours.reporting.records import PastChange

AT = datetime(2026, 2, 2, tzinfo=UTC)


def test_every_kind_has_a_name() -> None:
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
        ("set_aside", {"status": "paid"}, "no longer needed: status 'paid'", "sans objet : status « paid »"),
        ("edited", {"status": ["failed", "x"]}, "edited: pod_fetch_status failed → x", "modifiée : pod_fetch_status failed → x"),
        ("of somebody", {"a": [1, 2, 3]}, "of somebody: a '[1, 2, 3]'", "of somebody : a « [1, 2, 3] »"),
    ],
)  # fmt: skip
def test_changes_of_claims(what: str, details: Any, english: str, french: str) -> None:
    change = PastChange(AT, what, "anna", details)
    assert (change_text("en", change), change_text("fr", change)) == (english, french)
