"""Recorded answers have the same meaning as when they were recorded, or the meaning that a person wrote down.

The recordings (`*.json`) are from the simulators, because no live carrier has been used yet. The published answers
(`*.toml`) were recorded or documented by public clients and carriers. Their values were replaced by ours.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recours.admin.rehearsal import Recording, kind_of, load, read_again
from recours.carriers.registry import CATALOG
from recours.core.claim import Delivery
from recours.core.outcome import unknown_of
from tests.fakes.answers import envelope

FOLDER = Path(__file__).with_name("recordings")
FILES = sorted(FOLDER.glob("*.json"))
_RECORDED_AT = "2026-07-01T08:00:00+00:00"
_FEWEST = 80


def test_every_carrier_has_a_recording() -> None:
    assert {load(path).carrier for path in FILES} == set(CATALOG.specs)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recording_is_interpreted_as_when_it_was_made(path: Path) -> None:
    recording = load(path)
    assert kind_of(read_again(recording)) == recording.kind


# ---------------------------------------------------------------- published answers


def _cases() -> Iterator[Any]:
    for path in sorted(FOLDER.glob("*.toml")):
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        for case in told.pop("case"):
            yield pytest.param(path.stem, told, case, id=f"{path.stem}: {case['name']}")


CASES = list(_cases())


def test_enough_published_answers_with_a_source_exist() -> None:
    assert len(CASES) >= _FEWEST
    assert all(case.values[2]["source"] for case in CASES)


def _call(text: str, status: int = 200) -> dict[str, Any]:
    return {"status": status, "headers": {}, "body": text}


def _recording(carrier: str, told: dict[str, Any], case: dict[str, Any]) -> Recording:
    """The case as a recording with the token, the case's answers, and the proof if the client requests it."""
    answers, proof = case["answers"], told.get("proof", [])
    if around := told.get("around"):
        first = answers[0] if answers[0].startswith(("<html", "<soap")) else around.format(answers[0])
        answers = [first if first.startswith("<html") else envelope(first), *answers[1:]]
        proof = [envelope(text) for text in proof]
    calls = [_call(text) for text in answers[:-1]] + [_call(answers[-1], case.get("status", 200))]
    token = [_call(told["token"])] if "token" in told else []
    options = {option.name: option.default for option in CATALOG.specs[carrier].options}
    proofs = [_call(text) for text in proof]
    return Recording(carrier, case["number"], options, _RECORDED_AT, case["kind"], token + calls + proofs)


@pytest.mark.parametrize(("carrier", "told", "case"), CASES)
def test_a_published_answer_is_interpreted_as_expected(
    carrier: str, told: dict[str, Any], case: dict[str, Any]
) -> None:
    outcome = read_again(_recording(carrier, told, case))
    assert kind_of(outcome) == case["kind"], outcome
    assert bool(unknown_of(outcome)) is case.get("unknown", False), outcome
    delivery = outcome.delivery or Delivery()
    assert delivery.at == case.get("at", delivery.at)
    assert (delivery.signatory or "") == case.get("signatory", delivery.signatory or "")
