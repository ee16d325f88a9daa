"""What holds for rehearsals of every carrier: sound answers are as documented, and a recording is read as the answers were."""

from dataclasses import replace
from pathlib import Path

import pytest

from recours.access import PRIVATE
from recours.rehearsal.documented.registry import DOCUMENTED
from recours.rehearsal.recording import load, save
from recours.rehearsal.redaction import redacted_again
from recours.rehearsal.replay import read_again
from recours.sandbox import Scenario
from tests.fakes.rehearsals import rehearsed

S = Scenario
CARRIERS = sorted(DOCUMENTED)
# Answers that no carrier documents.
DISTORTED = {
    *(S.HTML, S.MAINTENANCE, S.BAD_GATEWAY, S.EMPTY, S.TRUNCATED, S.INVALID_UTF8, S.WRONG_TYPE, S.DTD_BOMB),
    *(S.REDIRECT, S.DRIP, S.DRIP_HEADERS, S.RESET, S.OVERSIZED, S.GZIP_BOMB),
    *(S.BAD_BASE64, S.NOT_A_DOCUMENT, S.EMPTY_POD),
}
# Invented by the simulator, since no source has it: a status number of a parcel that went back; a link to a login page.
INVENTED = {("dpd", S.RETURNED_TO_SENDER), ("dhl", S.POD_UNSAID)}
TRIES = 5  # scenarios that change from try to try have no more than so many answers


def test_a_carrier_without_a_table_is_recorded_with_nothing_but_made_up_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(DOCUMENTED, "ups")
    text = rehearsed("ups", S.DELIVERED).recording.as_text()
    for told in ("trackResponse", "currentStatus", "DUPONT", "LILLE"):
        assert told not in text


@pytest.mark.parametrize("carrier", CARRIERS)
def test_sound_answers_are_as_documented(carrier: str) -> None:
    for scenario in [each for each in S if each not in DISTORTED and (carrier, each) not in INVENTED]:
        for tries in range(1, TRIES + 1 if scenario is S.IN_TRANSIT else 3):
            made = rehearsed(carrier, scenario, tries=tries)
            assert (made.deviations, made.undocumented) == ([], []), (scenario, tries)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_recording_of_any_scenario_is_read_as_the_answers_were(carrier: str) -> None:
    for scenario in S:
        for tries in range(1, TRIES + 1 if scenario is S.IN_TRANSIT else 3):
            made = rehearsed(carrier, scenario, tries=tries, salt=f"{scenario}{tries}".encode())
            again = {read_again(made.recording) for _ in range(3)}
            assert again == {made.classification}, (scenario, tries)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_so_is_a_fixture_of_it_and_what_a_file_gives_back(carrier: str, tmp_path: Path) -> None:
    for scenario in (
        S.DELIVERED,
        S.IN_TRANSIT,
        S.NOT_OURS,
        S.AUTH_REFUSED,
        S.BROKEN_PDF,
        S.HTML,
        S.INVALID_UTF8,
        S.RESET,
    ):
        made = rehearsed(carrier, scenario)
        fixture = redacted_again(made.recording, b"another salt")
        assert read_again(fixture) == made.classification, scenario
        saved = save(fixture, tmp_path / "a.json", PRIVATE)
        assert load(saved) == fixture
        assert all(call.request == {} for call in fixture.calls)


def test_a_fetch_that_the_quota_cut_short_is_read_as_it_was() -> None:
    whole = rehearsed("chronopost", S.POD_IMAGE_ONLY).recording
    assert [call.operation for call in whole.calls] == ["trackSkybillV2", "searchPOD", "searchPOD"]
    without_image = read_again(replace(whole, calls=whole.calls[:-1]))
    assert (without_image.kind, without_image.is_delivered) == ("pod_not_available_yet", True)
    assert read_again(replace(whole, calls=whole.calls[:1])).kind == "rate_limited"
