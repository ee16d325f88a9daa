"""What a request reveals about its visitor."""

import pytest

from recours.dashboard.visit import preferred_language


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("FR-ca", "fr"),
        ("fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5", "fr"),
        ("de, en;q=0.3, fr;q=0.7", "fr"),
        ("fr , en", "fr"),
        ("en, fr", "en"),
        ("fr;q=0, en;q=0.1", "en"),
        ("fr;q=0.000", "en"),
        ("fr;q=0.2, *;q=0.9", "en"),
        ("en;q=0, *", "fr"),
        ("de, *;q=0.5", "en"),
        ("de", "en"),
        ("fr;q=9, <script>, ;;, fr;q=nan, -, \u00e9", "en"),
    ],
)
def test_the_browsers_preferred_language_is_used(accepted: str, language: str) -> None:
    assert preferred_language(accepted, "en") == language


def test_the_configured_language_is_used_if_the_browser_accepts_neither() -> None:
    assert preferred_language("de-AT, it;q=0.5", "fr") == "fr"
