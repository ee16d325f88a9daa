"""Whatever bytes a carrier answers with, they can be compared and recorded, and the recording is read as they were."""

from dataclasses import replace
from random import Random

import pytest

from recours.carriers.message import Response
from recours.rehearsal.documented.registry import DOCUMENTED
from recours.rehearsal.replay import read_again
from recours.sandbox import Scenario
from tests.fakes.examples import FEWER
from tests.fakes.rehearsals import rehearsed
from tests.fuzz.spoiling import spoilt
from tests.fuzz.test_answers import SCENARIOS, STATUSES

EXAMPLES = 15 if FEWER else 100
DEEP = 499  # levels: nearly the most that are parsed


class Spoiler:
    """Spoils answers by chance, but most tokens."""

    def __init__(self, seed: str) -> None:
        self.chance = Random(seed)

    def __call__(self, answer: Response) -> Response:
        chance = self.chance
        if b"access_token" in answer.body and chance.random() < 0.9:
            return answer
        status = chance.choice(STATUSES) if chance.random() < 0.2 else answer.status
        return replace(answer, status=status, body=spoilt(answer.body, chance))


@pytest.mark.parametrize("carrier", sorted(DOCUMENTED))
def test_spoilt_answers_are_recorded(carrier: str) -> None:
    for example in range(EXAMPLES):
        spoiler = Spoiler(f"{carrier}{example}")
        scenario: Scenario = spoiler.chance.choice(SCENARIOS)
        made = rehearsed(carrier, scenario, tamper=spoiler, salt=str(example).encode())
        assert all(line.isprintable() for line in made.deviations), example
        made.recording.as_text().encode()
        assert read_again(made.recording) == made.classification, example


@pytest.mark.parametrize(
    "body",
    [
        b'{"parcel": ' * DEEP + b"1" + b"}" * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b"[" + b'"Kerbrat",' * 150_000 + b"1]",
        b'{"event": [' + b"{}," * 60_000 + b"{}]}",
        b'"' + b"Kerbrat " * 500_000 + b'"',
        b"<html>" + b"Kerbrat " * 500_000,
        b"<a>" * 90 + b"Kerbrat" + b"</a>" * 90,
        b"9" * 4000,
        b"1e400",
        b"\xef\xbb\xbf{}",
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
@pytest.mark.parametrize("carrier", ["colissimo", "chronopost"])
def test_an_endless_or_deep_answer_makes_a_small_recording(carrier: str, body: bytes) -> None:
    made = rehearsed(carrier, Scenario.DELIVERED, tamper=lambda answer: replace(answer, body=body))
    text = made.recording.as_text()
    assert len(text) < 1_000_000
    assert "Kerbrat" not in text
    assert read_again(made.recording) == made.classification
