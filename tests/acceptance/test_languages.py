"""The texts of a failed fetch: the row is in RECOURS_LANGUAGE, and each reader sees their own language."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recours.app import open_database
from recours.reporting.claim_reports import explanation_of
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import JOINED, Service

S = Scenario


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    clock = SimulatedClock()
    with Sandbox(now=clock.now) as box:
        service = Service(tmp_path, box, clock)
        yield service
        service.close()


def error_text(service: Service, claim: int, language: str) -> str:
    """The text in `claim_status()` and on the dashboard."""
    opened = open_database(service.settings)
    try:
        app = replace(opened, clock=service.clock)
        [reference] = service.sql("SELECT claim_reference FROM claims WHERE id = ?", claim)[0]
        found = explanation_of(app, reference, language=language)
        assert found is not None
        return found.status.error or ""
    finally:
        opened.database.close()


def keyboard(service: Service) -> Person:
    return Person.of(service, service.settings.database_url.render_as_string(hide_password=False))


def row(service: Service, claim: int) -> tuple[Any, ...]:
    columns = "pod_fetch_error, error_key, error_words, kind"
    [found] = service.sql(f"SELECT {columns} FROM {JOINED} WHERE id = ?", claim)
    return found


def test_each_reader_sees_their_language_and_the_row_does_not_change(service: Service) -> None:
    claim = service.add(S.UNKNOWN, carrier="UPS")
    service.run()
    before = row(service, claim)
    assert before[:2] == (
        "Numéro de suivi inconnu chez UPS : « Tracking Information Not Found »",
        "number_unknown",
    )
    assert before[2:] == ("Tracking Information Not Found", "not_found")
    assert error_text(service, claim, "fr") == before[0]
    assert (
        error_text(service, claim, "en")
        == "UPS does not recognize this tracking number: Tracking Information Not Found"
    )
    service.environment["RECOURS_LANGUAGE"] = "en"
    assert error_text(service, claim, "fr") == before[0]
    assert row(service, claim) == before

    # The next attempt uses the language configured at that time.
    service.run_hourly(8)
    assert (
        row(service, claim)[0]
        == "UPS does not recognize this tracking number: Tracking Information Not Found"
    )


def test_why_and_the_log_are_english_regardless_of_the_row(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.add(S.UNKNOWN, carrier="UPS")
    service.run()
    said = "UPS does not recognize this tracking number: Tracking Information Not Found"
    assert any(f"❌ FAILED: CLM-0001 - {said}; next try " in line for line in caplog.messages)
    shown = keyboard(service).does("why", "CLM-0001")
    assert f": {said}." in shown
    assert "Numéro" not in shown + caplog.text
    french = keyboard(service).does("why", "CLM-0001", "--language", "fr")
    assert "  CLM-0001 : la prochaine exécution des relances interrogera le transporteur. Der" in french
    assert "Numéro de suivi inconnu chez UPS" in french
    assert "Qui peut agir : le client\n" in french
    assert said not in french
    assert "Historique\n  Date " in french
    assert "Relance 1 · UPS" in french
