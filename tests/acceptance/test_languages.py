"""A failed fetch in words: the row has one sentence in RECOURS_LANGUAGE, and each reader sees their own language."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.core.errors import ErrorKind
from recours.core.sentences import Said, Sentence, kind_of, sentence
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from recours.wiring.databases import open_database
from recours.wiring.one_claim import explanation_of
from recours.wiring.operations import operations_over
from tests.acceptance.person import Person
from tests.acceptance.simulation import JOINED, Service
from tests.fakes.hostile import Attack

S = Scenario
# What a carrier says of a parcel, or of itself; one of each does not close it.
REFUSALS = (
    S.UNKNOWN,
    S.IN_TRANSIT,
    S.POD_NEVER,
    S.RETURNED_TO_SENDER,
    S.SYSTEM_ERROR,
    Attack.HOSTILE_TEXT,
    S.NOT_OURS,
)
CLOSING = (S.AUTH_REFUSED, S.RATE_LIMITED)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    clock = SimulatedClock()
    with Sandbox(now=clock.now) as box:
        service = Service(tmp_path, box, clock)
        yield service
        service.close()


def told(service: Service, claim: int, language: str) -> str:
    """What `claim_status()` and the page say of it."""
    opened = open_database(service.settings)
    try:
        operations = operations_over(service.settings, opened.database, opened.schema, service.clock)
        [reference] = service.sql("SELECT claim_reference FROM claims WHERE id = ?", claim)[0]
        found = explanation_of(operations, reference, language=language)
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


@pytest.mark.sample("refusals in another language: others of this file read and write both")
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_carriers_refusals_are_stored_in_three_parts(service: Service, language: str) -> None:
    service.environment["RECOURS_LANGUAGE"] = language
    for spec in CATALOG.specs.values():
        for scenario in REFUSALS:
            service.add(scenario, carrier=spec.name)
    service.run(batch_size=1000)
    service.environment["UPS_CLIENT_SECRET"] = "mistyped"
    for spec in CATALOG.specs.values():
        for scenario in CLOSING:
            service.add(scenario, carrier=spec.name)
    service.run(batch_size=1000)

    failed = service.sql(
        f"SELECT lane, pod_fetch_error, error_key, error_words, kind FROM {JOINED}"
        " WHERE pod_fetch_status = 'failed' AND pod_retry_count > 0"
    )
    assert {carrier for carrier, *_ in failed} == set(CATALOG.specs)
    assert len(failed) >= 5 * len(CATALOG.specs)
    for carrier, error, key, words, kind in failed:
        said = Said(Sentence(key), CATALOG.specs[carrier].name, words or "")
        assert error == sentence(language, said)
        assert kind_of(said.key) == kind
        assert error.isprintable()

    attempts = service.sql(
        "SELECT carrier, error_key, error_words, error_kind, message FROM recours_attempts"
    )
    kinds = set()
    for carrier, key, words, kind, message in attempts:
        said = Said(Sentence(key), CATALOG.specs[carrier].name, words or "")
        kinds.add(kind)
        assert kind_of(said.key) == kind
        # The message is the log's, in English, whatever the language.
        assert set(sentence("en", Said(said.key, said.carrier)).split()) & set(message.split())
    assert {"auth_failed", "rate_limited", "not_found", "server_error", "returned_to_sender"} <= kinds


def test_each_reader_has_their_language_and_the_row_stays(service: Service) -> None:
    claim = service.add(S.UNKNOWN, carrier="UPS")
    service.run()
    before = row(service, claim)
    assert before[:2] == ("Numéro inconnu chez UPS : « Tracking Information Not Found »", "number_unknown")
    assert before[2:] == ("Tracking Information Not Found", "not_found")
    assert told(service, claim, "fr") == before[0]
    assert told(service, claim, "en") == "UPS does not know this number: Tracking Information Not Found"
    service.environment["RECOURS_LANGUAGE"] = "en"
    assert told(service, claim, "fr") == before[0]
    assert row(service, claim) == before

    # The next attempt writes the language of its day.
    service.run_hourly(8)
    assert row(service, claim)[0] == "UPS does not know this number: Tracking Information Not Found"


def test_why_and_the_log_are_english_whatever_the_row_is(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.add(S.UNKNOWN, carrier="UPS")
    service.run()
    said = "UPS does not know this number: Tracking Information Not Found"
    assert any(f"❌ FAILED: CLM-0001 - {said}; next try " in line for line in caplog.messages)
    shown = keyboard(service).does("why", "CLM-0001")
    assert f": {said}." in shown
    assert "Numéro" not in shown + caplog.text
    french = keyboard(service).does("why", "CLM-0001", "--language", "fr")
    assert "  CLM-0001 : le transporteur est interrogé à la prochaine exécution : Numéro inconnu" in french
    assert "Qui peut agir : le client\n" in french
    assert said not in french
    assert "Relance 1 · UPS" in french


def test_what_others_wrote_over_it_is_what_is_shown(service: Service) -> None:
    claim = service.add(S.UNKNOWN, carrier="UPS")
    service.run()
    service.sql("UPDATE claims SET pod_fetch_error = 'Le client a rappelé' WHERE id = ?", claim)
    assert told(service, claim, "en") == 'number unknown to the carrier: "Le client a rappelé"'


def test_a_corrected_carrier_did_not_say_what_the_one_before_said(service: Service) -> None:
    claim = service.add(S.UNKNOWN, carrier="UPS")
    service.run()
    service.sql(
        "UPDATE claims SET carrier = 'Chronopost', tracking_number = 'XY000000009FR' WHERE id = ?", claim
    )
    shown = told(service, claim, "fr")
    assert "Numéro inconnu chez UPS" in shown
    assert "Chronopost" not in shown


def test_a_claim_without_call_has_its_sentence_too(service: Service) -> None:
    nobody, none, malformed = (
        service.add(carrier="Heppner"),
        service.add(carrier="UPS", number=" "),
        service.add(carrier="UPS", number="12"),
    )
    service.run()
    assert row(service, nobody)[0] == "Le transporteur Heppner n'est pas pris en charge"
    assert row(service, none)[0] == "Numéro de suivi invalide : la réclamation n'en a pas"
    example = CATALOG.specs["ups"].number_example
    assert row(service, malformed)[0] == (f"Ce n'est pas un numéro de suivi UPS (exemple : {example})")
    assert told(service, nobody, "en") == "The carrier Heppner is not supported"
    assert row(service, malformed)[3] == ErrorKind.INVALID_TRACKING
